//! `smart-notes doctor`, the real program: what it finds, how it says that it is mended, and its exit code.

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
