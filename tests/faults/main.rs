//! Faults: the real programs under load, killed, frozen, starved and cut off, and what must hold after each.
//!
//! A test starts a [`world::World`], lets people come ([`load`]), does its harm, makes it good again, and calls
//! [`world::World::finish`]: that drains the queue, stops the programs, and holds two [`ledger`]s against the
//! [`database`] ([`checker`]). docs/testing.md says how to run it, and what a failure leaves behind.

mod checker;
mod database;
mod front;
mod ledger;
mod load;
mod scenarios;
mod story;
#[path = "../support/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "shared with the other tests, each of which uses a part of it"
)]
mod support;
mod vitals;
mod world;
