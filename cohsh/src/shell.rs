//! The shell itself: whom it is attached to, what it has borrowed, and how one command is obeyed.
//!
//! Knows no verb by name. A verb gets `&mut Shell`: its screen, its hive, and a place to note what must be given back.
//!
//! ```text
//! line ─▶ Command ─▶ obey ─▶ verb.run ─▶ give back what was borrowed ─▶ Ack
//!                      └── Ctrl-C ────────────┘
//! ```

use crate::ack::{Ack, Done};
use crate::args::{self, Command};
use crate::borrowed::Borrowed;
use crate::connect::{Attached, Target};
use crate::error::{CommandError, ErrorKind};
use crate::hive::Hive;
use crate::interrupt::Interrupt;
use crate::screen::{Look, Screen};

/// An operator's session: one screen, one hive at a time.
#[derive(Debug)]
pub struct Shell {
    /// Where answers go.
    pub screen: Screen,
    /// What must be given back when the command ends, however it ends.
    pub borrowed: Borrowed,
    target: Target,
    attached: Option<Attached>,
    interrupt: Interrupt,
    look: Look,
    quitting: bool,
}

impl Shell {
    /// A shell that attaches to `target` when the first command needs it.
    #[must_use]
    pub fn new(target: Target, screen: Screen, interrupt: Interrupt) -> Self {
        let look = screen.look;
        Self {
            screen,
            borrowed: Borrowed::default(),
            target,
            attached: None,
            interrupt,
            look,
            quitting: false,
        }
    }

    /// The hive, attached to now if it was not yet.
    ///
    /// # Errors
    /// When it cannot be reached, or will not have us.
    pub async fn hive(&mut self) -> Result<Hive, CommandError> {
        match &self.attached {
            Some(attached) if !attached.is_lost() => Ok(attached.hive()),
            _ => self.attach().await,
        }
    }

    /// The hive, if it is attached to at the moment.
    #[must_use]
    pub fn present_hive(&self) -> Option<Hive> {
        self.attached.as_ref().map(Attached::hive)
    }

    /// Attaches anew, to the present target.
    ///
    /// # Errors
    /// As [`Self::hive`].
    pub async fn attach(&mut self) -> Result<Hive, CommandError> {
        self.detach();
        let attached = Attached::to(&mut self.target).await?;
        let hive = attached.hive();
        self.attached = Some(attached);
        Ok(hive)
    }

    /// Leaves the hive; `false` when it was not attached.
    pub fn detach(&mut self) -> bool {
        self.attached.take().is_some()
    }

    /// Leaves the hive, and ends it where it is inside of this process.
    pub async fn close(mut self) {
        self.detach();
        self.target.close().await;
    }

    /// Whom the shell talks to, or would.
    pub const fn target(&mut self) -> &mut Target {
        &mut self.target
    }

    /// Asks for the shell's end, after this command.
    pub const fn quit(&mut self) {
        self.quitting = true;
    }

    /// Whether the end was asked for.
    #[must_use]
    pub const fn is_quitting(&self) -> bool {
        self.quitting
    }

    /// Runs one command and shows its acknowledgement.
    pub async fn obey(&mut self, command: Command) -> Ack {
        let name = command.verb.name();
        self.screen.look = command.output.over(self.look);
        let interrupt = self.interrupt.clone();
        interrupt.forget();
        let outcome = tokio::select! {
            outcome = command.verb.run(self) => outcome,
            () = interrupt.raised() => Err(CommandError::new(ErrorKind::Interrupted, "interrupted")),
        };
        self.borrowed.give_back(&mut self.screen).await;
        self.acknowledged(name, outcome)
    }

    /// Runs one line; nothing comes of an empty one.
    pub async fn obey_line(&mut self, line: &str) -> Option<Ack> {
        match args::command_of_line(line) {
            Ok(None) => None,
            Ok(Some(command)) => Some(self.obey(command).await),
            Err(error) => {
                let verb = line.split_whitespace().next().unwrap_or("?").to_owned();
                Some(self.acknowledged(&verb, Err(error)))
            }
        }
    }

    fn acknowledged(&mut self, verb: &str, outcome: Result<Done, CommandError>) -> Ack {
        let ack = Ack::new(verb, outcome);
        let shown = self.screen.acknowledge(&ack);
        self.screen.look = self.look;
        match shown {
            Ok(()) => ack,
            Err(error) => Ack::new(verb, Err(error)),
        }
    }
}
