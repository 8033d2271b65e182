//! The program: what `main` does once the arguments are read.

use std::io::{IsTerminal, Read};
use std::path::Path;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::args::{Cli, Command};
use crate::connect::Target;
use crate::error::CommandError;
use crate::interrupt::Interrupt;
use crate::repl;
use crate::screen::{Look, Screen};
use crate::script::{Script, runner};
use crate::shell::Shell;

/// What the program is asked to do.
enum Task {
    /// One command.
    Command(Command),
    /// One line.
    Line(String),
    /// A script.
    Script(Script),
    /// Lines from a terminal.
    Prompt,
}

impl Task {
    fn of(cli: &mut Cli) -> Result<Self, CommandError> {
        if let Some(verb) = cli.verb.take() {
            if cli.line.is_some() || cli.script.is_some() {
                return Err(CommandError::usage("a verb, -c and --script: one of them, please"));
            }
            let verb = verb.with_arrow_among_words()?;
            return Ok(Self::Command(Command { verb, output: cli.output.clone() }));
        }
        match (&cli.line, &cli.script) {
            (Some(line), _) => Ok(Self::Line(line.clone())),
            (None, Some(file)) => script(file).map(Self::Script),
            (None, None) if std::io::stdin().is_terminal() => Ok(Self::Prompt),
            (None, None) => script(Path::new("-")).map(Self::Script),
        }
    }

    /// A dialogue shows every acknowledgement; a single command is silent unless it fails.
    const fn is_dialogue(&self) -> bool {
        matches!(self, Self::Script(_) | Self::Prompt)
    }
}

/// Does what the command line says, and tells what to exit with.
pub async fn run(mut cli: Cli) -> u8 {
    show_warnings();
    if let Some(file) = &cli.check {
        return finish(script(file).map(|_| 0));
    }
    match Task::of(&mut cli) {
        Ok(task) => finish(perform(cli, task).await),
        Err(error) => finish(Err(error)),
    }
}

/// What an embedded hive has to say besides its answers goes to standard error: errors only, unless `RUST_LOG` asks for more.
fn show_warnings() {
    let filter =
        EnvFilter::builder().with_default_directive(LevelFilter::ERROR.into()).from_env_lossy();
    let colour = std::io::stderr().is_terminal();
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colour);
    subscriber.with_writer(std::io::stderr).init();
}

async fn perform(cli: Cli, task: Task) -> Result<u8, CommandError> {
    let base = Look { header: true, acknowledges: task.is_dialogue(), ..Look::default() };
    let screen = Screen::of_process(cli.output.over(base));
    let target = Target::of(&cli.connect)?;
    let mut shell = Shell::new(target, screen, Interrupt::of_process());
    let code = match task {
        Task::Command(command) => Ok(shell.obey(command).await.exit_code()),
        Task::Line(line) => Ok(shell.obey_line(&line).await.map_or(0, |ack| ack.exit_code())),
        Task::Script(script) => Ok(run_script(&mut shell, script).await),
        Task::Prompt => repl::run(&mut shell).await.map(|()| 0),
    };
    shell.close().await;
    code
}

async fn run_script(shell: &mut Shell, script: Script) -> u8 {
    match runner::run(shell, script).await {
        Ok(()) => 0,
        Err(stopped) => {
            eprintln!("{stopped}");
            stopped.exit_code
        }
    }
}

fn script(file: &Path) -> Result<Script, CommandError> {
    let local = |error| CommandError::local("read", file, &error);
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map_err(local)?;
    } else {
        text = std::fs::read_to_string(file).map_err(local)?;
    }
    Script::parse(&text)
        .map_err(|error| CommandError::usage(format!("{}: {error}", file.display())))
}

/// Reports a failure that no command acknowledged.
fn finish(outcome: Result<u8, CommandError>) -> u8 {
    outcome.unwrap_or_else(|error| {
        eprintln!("cohsh: {error}");
        for hint in &error.hints {
            eprintln!("hint: {hint}");
        }
        error.kind.exit_code()
    })
}
