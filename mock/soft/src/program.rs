//! A module in a device's memory: its variables placed, its kernels ready to launch.

use std::sync::OnceLock;

use mock_ptx::ir::{Global, GlobalSpace, Kernel, Module};

use crate::memory::{DeviceMemory, MemoryError};
use crate::vector::{Code, lower};

/// A loaded module. Its variables stay in memory until [`Program::unload`].
#[derive(Debug)]
pub struct Program {
    module: Module,
    addresses: Vec<u64>,
    codes: Vec<OnceLock<Code>>,
}

impl Program {
    /// Places the module's variables and fills in their first values.
    ///
    /// # Errors
    /// When memory has no room for them; nothing is left behind then.
    pub fn load(module: Module, memory: &mut DeviceMemory) -> Result<Self, MemoryError> {
        let codes = module.kernels.iter().map(|_| OnceLock::new()).collect();
        let mut program = Self { module, addresses: Vec::new(), codes };
        match program.place(memory) {
            Ok(()) => Ok(program),
            Err(error) => {
                program.unload(memory);
                Err(error)
            }
        }
    }

    fn place(&mut self, memory: &mut DeviceMemory) -> Result<(), MemoryError> {
        for global in &self.module.globals {
            let constant = global.space == GlobalSpace::Constant;
            self.addresses.push(memory.allocate_variable(global.bytes, constant)?);
        }
        for (global, address) in self.module.globals.iter().zip(&self.addresses) {
            memory.write(*address, &self.image(global))?;
        }
        Ok(())
    }

    /// Gives the variables that kernels may write their first values again: what a launch leaves in them is not for the next job.
    ///
    /// # Errors
    /// For the memory of another device.
    pub fn renew(&self, memory: &mut DeviceMemory) -> Result<(), MemoryError> {
        for (global, address) in self.module.globals.iter().zip(&self.addresses) {
            if global.space == GlobalSpace::Global {
                memory.renew(*address)?;
                memory.write(*address, &self.image(global))?;
            }
        }
        Ok(())
    }

    /// A variable's first bytes, with the addresses it holds.
    fn image(&self, global: &Global) -> Vec<u8> {
        let mut image = global.image.clone();
        for relocation in &global.relocations {
            let target = self.addresses.get(relocation.symbol.index()).copied().unwrap_or(0);
            let value = target.wrapping_add_signed(relocation.addend) >> relocation.shift;
            let places =
                image.iter_mut().skip(usize::try_from(relocation.offset).unwrap_or(usize::MAX));
            for (place, byte) in places.zip(value.to_le_bytes()).take(relocation.bytes.into()) {
                *place = byte;
            }
        }
        image
    }

    /// Frees the module's variables.
    pub fn unload(self, memory: &mut DeviceMemory) {
        for address in self.addresses {
            let freed = memory.free(address);
            debug_assert!(freed.is_ok(), "variables are freed once, by their program");
        }
    }

    /// Its kernels, in the text's order.
    #[must_use]
    pub fn kernels(&self) -> &[Kernel] {
        &self.module.kernels
    }

    /// The kernel of this name.
    #[must_use]
    pub fn kernel(&self, name: &str) -> Option<&Kernel> {
        self.module.kernel(name)
    }

    /// The kernel of this name, and where its code will be.
    pub(crate) fn entry(&self, name: &str) -> Option<(&Kernel, &OnceLock<Code>)> {
        let place = self.module.kernels.iter().position(|kernel| kernel.name == name)?;
        Some((self.module.kernels.get(place)?, self.codes.get(place)?))
    }

    /// A kernel's code, lowered when it is first asked for.
    pub(crate) fn code<'p>(&'p self, (kernel, code): (&Kernel, &'p OnceLock<Code>)) -> &'p Code {
        code.get_or_init(|| lower(kernel, &self.addresses))
    }

    /// Where the variable of this name is, and its size.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<(u64, u64)> {
        let place = self.module.globals.iter().position(|global| global.name == name)?;
        Some((*self.addresses.get(place)?, self.module.globals.get(place)?.bytes))
    }

    /// Where each variable is, by its id.
    #[must_use]
    pub fn addresses(&self) -> &[u64] {
        &self.addresses
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mock_ptx::ir::{GlobalId, Relocation, TargetVersion};

    fn global(name: &str, image: &[u8], relocations: Vec<Relocation>) -> Global {
        Global {
            name: name.into(),
            space: GlobalSpace::Global,
            bytes: 8,
            align: 8,
            image: image.to_vec(),
            relocations,
        }
    }

    fn module() -> Module {
        let to_first = Relocation { offset: 0, bytes: 8, shift: 0, symbol: GlobalId(0), addend: 4 };
        let globals = vec![
            global("counter", &[7, 0, 0, 0], Vec::new()),
            global("pointer", &[0; 8], vec![to_first]),
        ];
        Module { target: TargetVersion { ptx: (8, 0), sm: 80 }, globals, kernels: Vec::new() }
    }

    #[test]
    fn variables_start_with_their_images_and_addresses() {
        let mut memory = DeviceMemory::new(64);
        let program = Program::load(module(), &mut memory).expect("fits");
        let (counter, bytes) = program.variable("counter").expect("declared");
        let (pointer, _) = program.variable("pointer").expect("declared");
        assert_eq!((bytes, memory.used_bytes()), (8, 16));
        let mut seen = [0; 8];
        memory.read(counter, &mut seen).expect("placed");
        assert_eq!(seen, [7, 0, 0, 0, 0, 0, 0, 0]);
        memory.read(pointer, &mut seen).expect("placed");
        assert_eq!(u64::from_le_bytes(seen), counter + 4);
        memory.write(counter, &[9; 8]).expect("placed");
        program.renew(&mut memory).expect("room");
        memory.read(counter, &mut seen).expect("placed");
        assert_eq!(seen, [7, 0, 0, 0, 0, 0, 0, 0]);
        program.unload(&mut memory);
        assert_eq!(memory.used_bytes(), 0);
    }

    #[test]
    fn a_module_that_does_not_fit_leaves_nothing_behind() {
        let mut memory = DeviceMemory::new(15);
        let refused = Program::load(module(), &mut memory).expect_err("8 of 15 left 7");
        assert!(refused.to_string().starts_with("asked for 8 bytes with 8 of 15 in use"));
        assert_eq!(memory.used_bytes(), 0);
    }
}
