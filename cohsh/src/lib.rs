//! The operator's shell: every verb on one line, in a script or as a subcommand, against any hive that speaks Secure9P.
//!
//! A line becomes words, words become a verb and its arguments, the verb asks the hive and answers on the screen, and one
//! acknowledgement says how it ended. Knows the namespace by its documented paths and lines only: whether it talks to a
//! NineDoor in a guest, to a bridge, or to the hive inside this process makes no difference.
//!
//! ```text
//! argv, -c, script, prompt ─▶ words ─▶ args ─▶ verb ─▶ hive (9P) ─▶ screen
//!                                                └─▶ OK VERB … | ERR VERB reason=…
//! ```
#![forbid(unsafe_code)]

pub mod ack;
pub mod args;
pub mod borrowed;
pub mod colour;
pub mod connect;
pub mod embedded;
pub mod error;
pub mod gpus;
pub mod hive;
pub mod interrupt;
pub mod job;
pub mod limits;
pub mod printable;
pub mod program;
pub mod progress;
pub mod quantity;
pub mod queen;
pub mod render;
pub mod repl;
pub mod screen;
pub mod script;
pub mod shell;
pub mod verb;
pub mod words;
