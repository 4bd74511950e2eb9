//! Two devices that are offline now and then, and somebody who edits at the server, by random walks: in the end all
//! have the same notes, and nothing is lost. Answers get lost: a device then sends the same again, or folds what its
//! owner wrote since into the same edits. The server is put back to a backup now and then.
//!
//! What "lost" means: a text may be gone only if somebody who had it before their eyes wrote another in its place, or
//! deleted it for good: a device its own text of a note, whoever is at the server the version that their request names;
//! or if only a server that was put back to a backup had it. Every other text that was ever written stands in a note
//! that is live or in the trash, be it a copy of a conflict.
//!
//! A walk can be repeated by its seed, which a failed test prints: `SMART_NOTES_SYNC_SEED=… cargo test notes_sync`.

pub mod device;
mod walk;

use std::collections::BTreeMap;

use walk::Walk;

const SEED: &str = "SMART_NOTES_SYNC_SEED";

/// Walks once for each seed; says how often each kind of step was taken.
async fn walks(count: u64, steps: usize) -> BTreeMap<&'static str, u32> {
    let named = std::env::var(SEED).map(|seed| seed.parse().expect("a number"));
    let seeds = match named {
        Ok(seed) => vec![seed],
        Err(_) => (0..count).map(|_| fastrand::u64(..1_000_000_000)).collect(),
    };
    let mut taken = BTreeMap::new();
    for seed in seeds {
        println!("{SEED}={seed} repeats this");
        let mut walk = Walk::start(seed).await;
        for _ in 0..steps {
            walk.step().await;
        }
        for (step, times) in &walk.steps {
            *taken.entry(*step).or_default() += times;
        }
        walk.end().await;
    }
    taken
}

#[tokio::test]
async fn after_random_walks_two_devices_and_the_server_have_the_same_notes_and_nothing_is_lost() {
    let taken = walks(3, 250).await;

    assert_eq!(taken.len(), 20, "every kind of step was taken: {taken:?}");
}

#[tokio::test]
#[ignore = "minutes"]
async fn after_many_long_walks_the_same_holds() {
    walks(60, 600).await;
}
