//! The worker end to end inside this process: a real database, a real relay over a socket, and a
//! clock that stands still until a test moves it.
//!
//! What becomes of a mail, one room for each kind of trouble.

mod about_us;
mod clock;
mod cut_off;
mod dead_codes;
mod failover;
mod hands;
mod idle;
mod keys;
mod many;
mod outages;
mod plain;
mod quiet_domain;
mod refusals;
mod refused_turns;
mod slow;
mod stopping;
mod suppressed;
mod sweeping;
