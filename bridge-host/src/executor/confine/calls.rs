//! Which system calls an executor may make. (seccomp)
//!
//! Where the GPU is a program, exactly those that an engine on threads with open files and one socket needs, and nothing that makes
//! code, processes, sockets or names. Where it is hardware, everything but what the driver never needs: it is other people's code.
//! A call that is not allowed fails with EPERM and harms nobody.
#![cfg_attr(
    test,
    allow(
        unsafe_code,
        reason = "the tests try the very calls that are forbidden: ARCHITECTURE, invariant 8"
    )
)]

use std::collections::BTreeMap;

use bridge_host_gpu::BackendKind;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

/// What an engine needs, whatever its arguments.
const ENGINE: [i64; 38] = [
    libc::SYS_brk,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_newfstatat,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_read,
    libc::SYS_recvmsg,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_sendmsg,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    libc::SYS_statx,
    libc::SYS_write,
    libc::SYS_writev,
];

/// What NVIDIA's driver never needs and an intruder does.
const INTRUSION: [i64; 51] = [
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_mount,
    libc::SYS_move_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_nfsservctl,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_personality,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_madvise,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];

/// Calls of old that only this architecture still has: a process is made by them too.
#[cfg(target_arch = "x86_64")]
const FORKS: [i64; 2] = [libc::SYS_fork, libc::SYS_vfork];
#[cfg(not(target_arch = "x86_64"))]
const FORKS: [i64; 0] = [];

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Closes everything else; says which kind of list holds.
pub(super) fn restrict(backend: BackendKind) -> Result<String, seccompiler::Error> {
    let (kind, rules, otherwise, listed) = match backend {
        BackendKind::Soft | BackendKind::Mock => {
            ("allow-list", engine_rules()?, refuse(libc::EPERM), SeccompAction::Allow)
        }
        BackendKind::Nvidia => {
            ("deny-list", intrusion_rules()?, SeccompAction::Allow, refuse(libc::EPERM))
        }
    };
    // glibc makes threads with clone3, whose flags no filter can see; when it is not there, with clone.
    let no_clone3 = Rules::from([(libc::SYS_clone3, Vec::new())]);
    apply_filter(&compiled(no_clone3, SeccompAction::Allow, refuse(libc::ENOSYS))?)?;
    apply_filter(&compiled(rules, otherwise, listed)?)?;
    Ok(kind.to_owned())
}

fn engine_rules() -> Result<Rules, seccompiler::Error> {
    let mut rules: Rules = ENGINE.into_iter().map(|call| (call, Vec::new())).collect();
    let own = u64::from(std::process::id());
    rules.insert(libc::SYS_clone, vec![only_if(0, CLONE_THREAD, CLONE_THREAD)?]);
    rules.insert(libc::SYS_clone3, Vec::new()); // the other filter answers
    rules.insert(libc::SYS_mmap, vec![only_if(2, EXECUTABLE, 0)?]);
    rules.insert(libc::SYS_mprotect, vec![only_if(2, EXECUTABLE, 0)?]);
    // Its own limits, downwards, once the lease is known; and an abort of its own.
    rules.insert(libc::SYS_prlimit64, vec![only_if(0, u64::MAX, 0)?]);
    rules.insert(libc::SYS_tgkill, vec![only_if(0, u64::MAX, own)?]);
    rules.insert(libc::SYS_prctl, vec![only_if(0, u64::MAX, named(libc::PR_SET_NAME))?]);
    // Duplicates of descriptors, and nothing that reaches other processes.
    let duplicate = named(libc::F_DUPFD_CLOEXEC);
    rules.insert(
        libc::SYS_fcntl,
        vec![only_if(1, u64::MAX, named(libc::F_GETFD))?, only_if(1, u64::MAX, duplicate)?],
    );
    Ok(rules)
}

fn intrusion_rules() -> Result<Rules, seccompiler::Error> {
    let mut rules: Rules =
        INTRUSION.into_iter().chain(FORKS).map(|call| (call, Vec::new())).collect();
    rules.insert(libc::SYS_clone, vec![only_if(0, CLONE_THREAD, 0)?]);
    // The driver talks to NVIDIA's own services on local sockets, to nothing else.
    let others =
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, named(libc::AF_UNIX))?;
    rules.insert(libc::SYS_socket, vec![SeccompRule::new(vec![others])?]);
    rules.insert(libc::SYS_prlimit64, vec![other_than(0, 0)?]);
    rules.insert(libc::SYS_kill, vec![other_than(0, u64::from(std::process::id()))?]);
    Ok(rules)
}

/// A thread of this process: shares memory, files and its group.
const CLONE_THREAD: u64 = libc::CLONE_THREAD as u64;
const EXECUTABLE: u64 = libc::PROT_EXEC as u64;

/// The named constants of the C library are small and positive.
fn named(constant: i32) -> u64 {
    u64::from(constant.unsigned_abs())
}

fn only_if(argument: u8, mask: u64, value: u64) -> Result<SeccompRule, seccompiler::Error> {
    let same = SeccompCmpOp::MaskedEq(mask);
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Qword, same, value)?;
    Ok(SeccompRule::new(vec![condition])?)
}

fn other_than(argument: u8, value: u64) -> Result<SeccompRule, seccompiler::Error> {
    let condition =
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, value)?;
    Ok(SeccompRule::new(vec![condition])?)
}

const fn refuse(errno: i32) -> SeccompAction {
    SeccompAction::Errno(errno.unsigned_abs())
}

fn compiled(
    rules: Rules,
    otherwise: SeccompAction,
    listed: SeccompAction,
) -> Result<BpfProgram, seccompiler::Error> {
    let filter = SeccompFilter::new(rules, otherwise, listed, std::env::consts::ARCH.try_into()?)?;
    Ok(filter.try_into()?)
}

#[cfg(test)]
mod tests {
    use std::{io, process::Command, thread};

    use super::*;

    const BOTH: [BackendKind; 2] = [BackendKind::Soft, BackendKind::Nvidia];

    /// A filter holds for the thread that asks for it.
    fn confined<T: Send + 'static>(
        backend: BackendKind,
        act: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let thread = thread::spawn(move || {
            restrict(backend).unwrap();
            act()
        });
        thread.join().unwrap()
    }

    /// What the C library said.
    fn errno(outcome: libc::c_long) -> i32 {
        if outcome == -1 { io::Error::last_os_error().raw_os_error().unwrap_or(0) } else { 0 }
    }

    /// Proves EXEC-6.
    #[test]
    fn no_process_is_made_and_no_program_is_run() {
        for backend in BOTH {
            let seen = confined(backend, || {
                // SAFETY: a call that is refused; where it were not, the child would leave at once, having shared nothing.
                let forked = errno(unsafe {
                    let child = libc::fork();
                    if child == 0 {
                        libc::_exit(0);
                    }
                    libc::c_long::from(child)
                });
                (forked, Command::new("/bin/true").spawn().map(drop).map_err(|error| error.kind()))
            });
            assert_eq!(seen, (libc::EPERM, Err(io::ErrorKind::PermissionDenied)), "{backend:?}");
        }
    }

    /// Proves EXEC-6.
    #[test]
    fn no_other_process_is_touched() {
        for backend in BOTH {
            let seen = confined(backend, || {
                // SAFETY: plain numbers; a call that is refused, and harmless where it were not: signal 0 is none.
                unsafe {
                    let traced = libc::ptrace(libc::PTRACE_ATTACH, 1, 0, 0);
                    let signalled = libc::kill(1, 0);
                    let limited = libc::syscall(libc::SYS_prlimit64, 1, libc::RLIMIT_CORE, 0, 0);
                    [errno(traced), errno(signalled.into()), errno(limited)]
                }
            });
            assert_eq!(seen, [libc::EPERM; 3], "{backend:?}");
        }
    }

    /// Proves EXEC-6.
    #[test]
    fn nobody_is_called_up() {
        let connect =
            || std::net::TcpStream::connect("127.0.0.1:9").map(drop).map_err(|e| e.kind());
        for backend in BOTH {
            assert_eq!(confined(backend, connect), Err(io::ErrorKind::PermissionDenied));
        }
        let local = || std::os::unix::net::UnixStream::pair().is_ok();
        assert!(!confined(BackendKind::Soft, || rustix::net::socket(
            rustix::net::AddressFamily::UNIX,
            rustix::net::SocketType::STREAM,
            None
        )
        .is_ok()));
        assert!(confined(BackendKind::Nvidia, local));
    }

    /// Proves EXEC-6.
    #[test]
    fn memory_that_can_be_written_is_never_run() {
        let seen = confined(BackendKind::Soft, || {
            // SAFETY: a new mapping of its own, which nobody uses.
            let mapped = unsafe {
                libc::mmap(
                    std::ptr::null_mut(),
                    4096,
                    libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
                    libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                    -1,
                    0,
                )
            };
            (mapped == libc::MAP_FAILED, io::Error::last_os_error().raw_os_error())
        });
        assert_eq!(seen, (true, Some(libc::EPERM)));
    }

    #[test]
    fn an_engine_makes_threads_allocates_and_waits() {
        let sum = confined(BackendKind::Soft, || {
            let parts: Vec<_> =
                (0..4_u64).map(|part| thread::spawn(move || vec![part; 1 << 20])).collect();
            parts.into_iter().map(|part| part.join().unwrap().into_iter().sum::<u64>()).sum::<u64>()
        });
        assert_eq!(sum, 6 << 20);
    }
}
