//! Black-box and end-to-end tests: one file a resource, and what they share in `support`.
//!
//! SMTP is never mocked: mails travel over a real socket to a catcher. One program holds all of
//! them, because linking one for each file would take most of the time.

mod bodies;
mod garbage;
mod health;
mod http;
mod imports;
mod login;
mod passwords;
mod processes;
mod register;
mod register_fields;
mod resend;
mod rivals;
mod secrets;
mod support;
mod verify;
mod verify_fields;
