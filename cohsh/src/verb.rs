//! The verbs: one file each, with its words, its documentation and what it does.
//!
//! This page only lists them. To add one: a file with a `clap::Args` struct and `async fn run(self, &mut Shell)`, and
//! a line below; the doc comment there is the short help, the struct's fields are the rest.

mod attach;
mod bind;
mod cancel;
mod cat;
mod detach;
mod doctor;
mod echo;
mod gpu;
mod help;
mod hist;
mod jobs;
mod kill;
mod lease;
mod lifecycle;
mod log;
mod ls;
mod mount;
mod ping;
mod proxy;
mod quit;
mod run;
mod spawn;
mod stage;
mod submit;
mod tail;
mod wait;
mod watch;

use crate::ack::Done;
use crate::error::CommandError;
use crate::shell::Shell;
use crate::words::Redirect;

macro_rules! verbs {
    ($($(#[$doc:meta])* $verb:ident($arguments:ty) = $name:literal,)*) => {
        /// What the shell can do.
        #[derive(Debug, clap::Subcommand)]
        pub enum Verb {
            $($(#[$doc])* #[command(name = $name)] $verb($arguments),)*
        }

        impl Verb {
            /// The word that is typed.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$verb(_) => $name,)*
                }
            }

            /// Does it.
            ///
            /// # Errors
            /// Whatever stopped it.
            pub async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
                match self {
                    $(Self::$verb(verb) => verb.run(shell).await,)*
                }
            }
        }
    };
}

verbs! {
    /// Show the verbs, or how to use one
    Help(help::Help) = "help",
    /// Attach to the hive, as someone else if asked
    Attach(attach::Attach) = "attach",
    /// Leave the hive
    Detach(detach::Detach) = "detach",
    /// List a directory
    Ls(ls::Ls) = "ls",
    /// Show a file
    Cat(cat::Cat) = "cat",
    /// Show the end of a file, and go on as it grows
    Tail(tail::Tail) = "tail",
    /// Write text to a file of the hive: echo TEXT > PATH
    Echo(echo::Echo) = "echo",
    /// Measure the way to the hive and back
    Ping(ping::Ping) = "ping",
    /// Show the hive's log
    Log(log::Log) = "log",
    /// Start a worker, and show its ticket
    Spawn(spawn::Spawn) = "spawn",
    /// End a worker: its lease, its jobs, its sessions
    Kill(kill::Kill) = "kill",
    /// Show a part of the namespace at a second place
    Bind(bind::Bind) = "bind",
    /// Mount a service into the namespace
    Mount(mount::Mount) = "mount",
    /// Show or change whether the hive takes work
    Lifecycle(lifecycle::Lifecycle) = "lifecycle",
    /// Look at GPUs
    Gpu(gpu::Gpu) = "gpu",
    /// Take, show, renew and give back leases
    Lease(lease::Lease) = "lease",
    /// Send a file to /bundles, for jobs to use
    Stage(stage::Stage) = "stage",
    /// Run a job: stage, lease, submit, follow, show, release
    Run(run::Run) = "run",
    /// Submit a job and print its id; do not wait for it
    Submit(submit::Submit) = "submit",
    /// List jobs that wait or run
    Jobs(jobs::Jobs) = "jobs",
    /// List jobs that ended
    Hist(hist::Hist) = "hist",
    /// Wait until a job ends
    Wait(wait::Wait) = "wait",
    /// End a job that waits or runs
    Cancel(cancel::Cancel) = "cancel",
    /// Find out what is wrong, from here to the GPU
    Doctor(doctor::Doctor) = "doctor",
    /// Leave the shell
    Quit(quit::Quit) = "quit",
    /// Carry a hive from one address to another
    Proxy(proxy::Proxy) = "proxy",
}

impl Verb {
    /// The same, its text going to a file of the hive.
    ///
    /// # Errors
    /// A verb whose text goes nowhere but here.
    pub fn redirected(self, redirect: Option<Redirect>) -> Result<Self, CommandError> {
        match (self, redirect) {
            (verb, None) => Ok(verb),
            (Self::Echo(echo), Some(redirect)) => Ok(Self::Echo(echo.to(redirect))),
            (_, Some(_)) => Err(CommandError::usage("> belongs to echo only")
                .hint("to save a file of the hive here: cat PATH --out FILE")),
        }
    }

    /// The same, where another shell has split the line: a lone `>` among echo's words is an arrow.
    ///
    /// # Errors
    /// An arrow that points nowhere.
    pub fn with_arrow_among_words(self) -> Result<Self, CommandError> {
        match self {
            Self::Echo(echo) => echo.with_arrow_among_words().map(Self::Echo),
            verb => Ok(verb),
        }
    }
}
