//! The worker end to end inside this process: a real database, a real relay over a socket, and a
//! clock that stands still until a test moves it.
//!
//! What becomes of a mail, one file for each kind of trouble.

mod about_us;
mod clock;
mod dead_codes;
mod failover;
mod idle;
mod keys;
mod many;
mod outages;
mod plain;
mod purging;
mod quiet_domain;
mod refusals;
mod refused_batches;
mod slots;
mod slow;
mod stopping;
mod suppressed;
mod uncertain;
