//! The operator's shell: cohsh run, stage, ls, cat, echo, tail, spawn, gpu, lease.
