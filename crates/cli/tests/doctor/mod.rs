//! `smart-notes doctor`, the real program: its findings, their fixes, and its exit code.

mod clock;
mod database;
mod keys;
mod nameserver;
mod payments;
mod place;
mod queue;
mod relay;
mod relays;
mod sender;
mod settings;
mod whole;
