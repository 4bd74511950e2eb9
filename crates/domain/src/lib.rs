//! The rules of Smart Notes: what an account, a code and a mail are, and what may happen to them.
//!
//! Nothing here knows a database, a socket or a file. Use cases are written once
//! against the ports in [`store`]; a database crate implements those
//! ports with statements only. Time comes in through [`clock::Clock`].
//!
//! | Module | Contents |
//! |---|---|
//! | [`accounts`] | the use cases: register, verify, resend, log in |
//! | [`email`], [`username`], [`password`] | values parsed at the door |
//! | [`otp`], [`token`] | one-time codes and session tokens: how they are made and checked |
//! | [`notes`] | notes, their trash, lists, changes, and edits made offline |
//! | [`plans`] | who may hold how many notes, and until when |
//! | [`payments`] | what payment services say, and the premium that follows from it |
//! | [`limits`], [`audit`] | how often something may happen, and the record of what did |
//! | [`delivery`] | stages and outcomes of attempts, and the outcome of a claim |
//! | [`mail`], [`relay`] | kinds of mail, their states, when a try is repeated; how relays stand |
//! | [`operator`] | what an operator asks of the mail queue, and does to it |
//! | [`queue`] | the use cases of the mail queue: claim, settle, rescue, maintain, purge |
//! | [`processes`] | the processes that run, and what a running system says of itself |
//! | [`store`] | the ports a database implements |

pub mod accounts;
pub mod audit;
pub mod client;
pub mod clock;
pub mod delivery;
pub mod email;
pub mod id;
pub mod limits;
pub mod mail;
pub mod notes;
pub mod operator;
pub mod otp;
pub mod password;
pub mod payments;
pub mod plans;
pub mod processes;
pub mod queue;
pub mod random;
pub mod relay;
pub mod restore;
pub mod store;
pub mod token;
pub mod username;
