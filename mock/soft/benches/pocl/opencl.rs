//! As much of OpenCL as a benchmark needs: one device, one queue in order, kernels with buffers and words.
#![allow(
    unsafe_code,
    reason = "OpenCL takes raw arguments; a benchmark behind a feature, and nothing else, calls it"
)]

use opencl3::command_queue::CommandQueue;
use opencl3::context::Context;
use opencl3::device::{CL_DEVICE_TYPE_CPU, Device, get_all_devices};
use opencl3::kernel::{ExecuteKernel, Kernel};
use opencl3::memory::{Buffer, CL_MEM_READ_WRITE};
use opencl3::program::Program;
use opencl3::types::{CL_BLOCKING, cl_uchar};

/// What a kernel takes.
pub(crate) enum Argument {
    Buffer(Buffer<cl_uchar>, usize),
    Word(u32),
}

/// A device with a program.
pub(crate) struct OpenCl {
    device: Device,
    context: Context,
    queue: CommandQueue,
    program: Program,
}

/// A kernel and what it is given.
pub(crate) struct Twin<'a> {
    opencl: &'a OpenCl,
    kernel: Kernel,
    arguments: &'a [Argument],
}

impl OpenCl {
    /// The first CPU there is, and the program for it.
    pub(crate) fn open(source: &str) -> Self {
        let devices = get_all_devices(CL_DEVICE_TYPE_CPU).expect("OpenCL with a CPU device");
        let device = Device::new(*devices.first().expect("a CPU device"));
        let context = Context::from_device(&device).expect("a context");
        let queue = CommandQueue::create_default_with_properties(&context, 0, 0).expect("a queue");
        let program = Program::create_and_build_from_source(&context, source, "")
            .unwrap_or_else(|log| panic!("{log}"));
        Self { device, context, queue, program }
    }

    pub(crate) fn name(&self) -> String {
        let [name, version] = [self.device.name(), self.device.version()];
        format!("{}, {}", name.expect("a name"), version.expect("a version"))
    }

    /// A buffer with this in it.
    pub(crate) fn buffer(&self, content: &[u8]) -> Argument {
        let size = content.len();
        // SAFETY: no host pointer is given, OpenCL has the memory to itself.
        let created =
            unsafe { Buffer::create(&self.context, CL_MEM_READ_WRITE, size, std::ptr::null_mut()) };
        let mut buffer = created.expect("a buffer");
        // SAFETY: the write ends before the call does, and the buffer is as large as what is written.
        unsafe { self.queue.enqueue_write_buffer(&mut buffer, CL_BLOCKING, 0, content, &[]) }
            .expect("written");
        Argument::Buffer(buffer, size)
    }

    /// What the buffer of this number holds.
    pub(crate) fn read(&self, arguments: &[Argument], number: usize) -> Vec<u8> {
        let mut buffers = arguments.iter().filter_map(|argument| match argument {
            Argument::Buffer(buffer, size) => Some((buffer, *size)),
            Argument::Word(_) => None,
        });
        let (buffer, size) = buffers.nth(number).expect("as many buffers");
        let mut content = vec![0; size];
        // SAFETY: the read ends before the call does, and the buffer is as large as what is read.
        unsafe { self.queue.enqueue_read_buffer(buffer, CL_BLOCKING, 0, &mut content, &[]) }
            .expect("read");
        content
    }

    pub(crate) fn kernel<'a>(&'a self, name: &str, arguments: &'a [Argument]) -> Twin<'a> {
        let kernel = Kernel::create(&self.program, name).expect("a kernel of the program");
        Twin { opencl: self, kernel, arguments }
    }
}

impl Twin<'_> {
    /// Once, to its end.
    pub(crate) fn run(&self, grid: [u32; 3], block: [u32; 3]) {
        let local = block.map(|extent| extent as usize);
        let global = [0, 1, 2].map(|i| grid[i] as usize * local[i]);
        let mut call = ExecuteKernel::new(&self.kernel);
        for argument in self.arguments {
            // SAFETY: the arguments are those that the kernel's source takes, in order and size.
            unsafe {
                match argument {
                    Argument::Buffer(buffer, _) => call.set_arg(buffer),
                    Argument::Word(word) => call.set_arg(word),
                }
            };
        }
        call.set_global_work_sizes(&global).set_local_work_sizes(&local);
        // SAFETY: the kernels stay within their buffers at these sizes, as their twins do on the software GPU.
        let event = unsafe { call.enqueue_nd_range(&self.opencl.queue) }.expect("enqueued");
        event.wait().expect("run to its end");
    }
}
