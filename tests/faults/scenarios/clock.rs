//! The machine's clock set an hour forth and back under load.
//!
//! libfaketime moves it for the programs alone. Where that is missing this test says so and does nothing; the same is
//! tested with a settable clock in `crates/store-sqlite/tests/queue/tending.rs`, `worker/tests/delivery` and
//! `worker/src/queue/heartbeat.rs`.

use std::path::Path;

use crate::world::{World, skipped};

/// Where Debian's package `libfaketime` puts it, by architecture, and where others do.
const LIBRARIES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

#[tokio::test]
async fn a_clock_set_an_hour_forth_and_back_loses_no_mail() {
    let library = LIBRARIES.iter().find(|path| Path::new(path).exists());
    let Some(library) = library else {
        return skipped("no libfaketime here, so no clock was moved");
    };
    let world = World::builder().clock_moved();
    let offset = world.place().path().join("clock");
    std::fs::write(&offset, "+0").unwrap();
    let mut world = world
        .set("LD_PRELOAD", library)
        .set("FAKETIME_TIMESTAMP_FILE", offset.to_str().unwrap())
        .set("FAKETIME_NO_CACHE", "1")
        .set("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .start()
        .await;
    let load = world.load(4);

    for seconds in ["+3600", "+0", "-3600", "+0"] {
        world.ledger.more(201, 5).await;
        // Replaced as a whole: a half-written file would be another time.
        let next = offset.with_extension("next");
        std::fs::write(&next, seconds).unwrap();
        std::fs::rename(&next, &offset).unwrap();
        world.ledger.more(200, 5).await;
    }

    world.finish(load).await;
}
