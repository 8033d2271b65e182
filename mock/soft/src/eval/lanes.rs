//! What an operation needs from the engine that runs it.

use mock_ptx::ir::{Address, Base, GlobalId, Guard, Operand, Reg, Space, SpecialRegister};

use crate::fault::Cause;
use crate::memory::{Access, AccessError, Refusal};

/// Lanes that run an operation, by number: of one warp for collective operations, of a block otherwise.
///
/// Values are bits in a `u64`, zero above the register's width; a predicate is 0 or 1.
pub trait Lanes {
    /// What a register holds.
    fn register(&self, lane: usize, reg: Reg) -> u64;
    /// Puts bits into a register; those above its width are dropped.
    fn set_register(&mut self, lane: usize, reg: Reg, bits: u64);
    /// A read-only register.
    fn special(&self, lane: usize, register: SpecialRegister) -> u64;
    /// The generic address of a variable.
    fn symbol(&self, id: GlobalId) -> u64;
    /// Where the lane's frame begins, in local memory.
    fn frame(&self, lane: usize) -> u64;
    /// The 1, 2, 4 or 8 bytes at an aligned address of a space.
    ///
    /// # Errors
    /// When memory does not allow it.
    fn load(&mut self, lane: usize, space: Space, address: u64, bytes: u32) -> Result<u64, Cause>;
    /// Puts the low `bytes` bytes of a value there.
    ///
    /// # Errors
    /// When memory does not allow it.
    fn store(
        &mut self,
        lane: usize,
        space: Space,
        address: u64,
        bytes: u32,
        value: u64,
    ) -> Result<(), Cause>;
    /// Replaces the value there by a function of it, at once for all lanes of the device; the old value.
    ///
    /// # Errors
    /// When memory does not allow it.
    fn update(
        &mut self,
        lane: usize,
        space: Space,
        address: u64,
        bytes: u32,
        new: &mut dyn FnMut(u64) -> u64,
    ) -> Result<u64, Cause>;

    /// Whether the start of a vector access is a multiple of all of it.
    ///
    /// # Errors
    /// Where it is not.
    fn check_vector(&self, address: u64, bytes: u64, access: Access) -> Result<(), Cause> {
        if address.is_multiple_of(bytes) {
            return Ok(());
        }
        Err(AccessError { access, bytes, address, reason: Refusal::Misaligned }.into())
    }

    /// What an operand is for a lane.
    #[inline]
    fn read(&self, lane: usize, operand: Operand) -> u64 {
        match operand {
            Operand::Register(reg) => self.register(lane, reg),
            Operand::Immediate(bits) => bits,
        }
    }

    /// The same, cut to 32 bits.
    #[inline]
    fn read32(&self, lane: usize, operand: Operand) -> u32 {
        self.read(lane, operand) as u32
    }

    /// Whether a condition holds for a lane.
    #[inline]
    fn holds(&self, lane: usize, guard: Guard) -> bool {
        (self.register(lane, guard.predicate) != 0) != guard.negated
    }

    /// Where an address points, in its space.
    #[inline]
    fn address(&self, lane: usize, address: Address) -> u64 {
        let base = match address.base {
            Base::Window => 0,
            Base::Register(reg) => self.register(lane, reg),
            Base::Register32(reg) => {
                // a 32-bit pointer and its offset wrap at 32 bits
                let start = self.register(lane, reg) as u32;
                return u64::from(start.wrapping_add(address.offset as u32));
            }
            Base::Symbol(id) => self.symbol(id),
            Base::Frame => self.frame(lane),
        };
        base.wrapping_add_signed(address.offset)
    }
}
