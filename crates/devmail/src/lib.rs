//! An SMTP catcher with a web inbox, for development and tests.
//!
//! It accepts every mail, keeps the newest ones in memory, shows them on a page, and serves the
//! part of Mailpit's API that test clients use. Tests wait for mails and for stages of a
//! conversation without polling, and inject faults while it runs. It is not for production: it has
//! no TLS, no login and no storage.
//!
//! A separate crate that imports no other crate of the workspace, so that the code under test is
//! never on both ends of a connection. `smart-notes dev` starts it, and so do the tests and
//! benchmarks of the workspace.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use smart_notes_devmail::{Catcher, Config, Fault, Stage};
//! use std::time::Duration;
//!
//! let catcher = Catcher::start(Config::default()).await?;
//! let dot = catcher.stages().next(Stage::EndOfData);
//! catcher.faults().add(Fault::hang(Stage::EndOfData).storing().to("ada@example.com"));
//! // … set off a mail to that address …
//! dot.await; // now the sender waits for an answer that will not come
//! let mail = catcher.inbox().wait_for("ada@example.com", 1, Duration::from_secs(5)).await?;
//! println!("{:?}", mail.code());
//! # Ok(())
//! # }
//! ```

mod archive;
mod catcher;
mod config;
mod fault;
mod http;
mod inbox;
mod mail;
mod parsed;
mod smtp;
mod stage;

pub use catcher::Catcher;
pub use config::{Config, StartError};
pub use fault::{Fault, Faults};
pub use inbox::{Event, Inbox};
pub use mail::Mail;
pub use stage::{Stage, Stages, TimedOut};
