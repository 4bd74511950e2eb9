//! What our mails say, and how they become messages.
//!
//! A kind of mail carries a [`Code`] or is a notice; its templates are in `templates/<kind>/`, and
//! [`build`] makes the finished message of it. Apart from the delivery so that every mail can be
//! rendered, read and tested without a relay or a store. The delivery is the caller.
//!
//! To add a kind: a variant of `domain::mail::MailKind`, three templates and their line in
//! `templates.rs`. The exhaustive matches and the snapshot tests ask for the rest.

mod content;
mod message;
mod templates;

pub use content::{Code, Content};
pub use message::{BuildError, Outgoing, build};
