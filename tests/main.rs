//! Black-box and end-to-end tests: one file a resource, and what they share in `support`.
//!
//! SMTP is never mocked: mails travel over a real socket to a catcher. One program holds all of
//! them, because linking one for each file would take most of the time.

mod audit;
mod bodies;
mod cors;
mod cross_use;
mod deletion;
mod email_change;
mod enumeration;
mod flood;
mod forwarded;
mod garbage;
mod health;
mod http;
mod imports;
mod kills;
mod limits_attempts;
mod limits_codes;
mod limits_guesses;
mod limits_hashing;
mod limits_processes;
mod limits_tries;
mod login;
mod me;
mod metrics;
mod notes;
mod notes_trash;
mod openapi;
mod otp_login;
mod password_change;
mod password_reset;
mod passwords;
mod payments_revenuecat;
mod payments_signed;
mod payments_stripe;
mod presence;
mod processes;
mod protected;
mod reauthentication;
mod register;
mod register_fields;
mod resend;
mod rivals;
mod secrets;
mod sessions;
mod subscription;
mod supervisor;
mod support;
mod surrogates;
mod unread_logs;
mod verify;
mod verify_fields;
