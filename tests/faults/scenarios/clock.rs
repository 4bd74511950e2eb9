//! The machine's clock set an hour forth and back under load, for the programs alone.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use ulid::Ulid;

use crate::support::until;
use crate::world::World;

/// What moves it. Compiled here: the C compiler that SQLite needs is on every machine, libfaketime on few.
const SOURCE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/faults/scenarios/clock.c"
);

/// A clock that can be set.
struct Clock {
    library: PathBuf,
    offset: PathBuf,
    file: File,
}

impl Clock {
    /// One that is right, as files in a folder.
    fn new(folder: &Path) -> Self {
        let (library, offset) = (folder.join("clock.so"), folder.join("clock"));
        let cc = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let compiled = Command::new(cc)
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([library.as_path(), Path::new(SOURCE)])
            .status();
        assert!(compiled.is_ok_and(|status| status.success()), "{SOURCE}");
        let file = File::create_new(&offset).unwrap();
        let clock = Self {
            library,
            offset,
            file,
        };
        clock.set(0);
        clock
    }

    /// Sets it so many seconds before or after the right time.
    fn set(&self, seconds: i64) {
        self.file.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }
}

/// How far the API's clock is from the test's, in seconds: a request's id begins with its time. (An answer's date does
/// not follow a clock that is set back: hyper keeps it until the time has come again.)
async fn moved_by(world: &World) -> i64 {
    let answer = world.client().get("/health/live").await;
    let id = Ulid::from_string(answer.header("x-request-id")).unwrap();
    let there = Timestamp::from_millisecond(id.timestamp_ms().try_into().unwrap()).unwrap();
    there.duration_since(Timestamp::now()).as_secs()
}

#[tokio::test]
async fn a_clock_set_an_hour_forth_and_back_loses_no_mail() {
    let world = World::builder().clock_moved();
    let clock = Clock::new(world.place().path());
    let mut world = world
        .set("LD_PRELOAD", clock.library.to_str().unwrap())
        .set("CLOCK_MOVED_BY", clock.offset.to_str().unwrap())
        .start()
        .await;
    let load = world.load(4);

    for seconds in [3600, 0, -3600, 0] {
        world.ledger.more(201, 5).await;
        clock.set(seconds);
        until("the API's clock is set", async || {
            let off = (moved_by(&world).await - seconds).abs();
            (off < SignedDuration::from_mins(5).as_secs()).then_some(())
        })
        .await;
        world.ledger.more(200, 5).await;
    }

    world.finish(load).await;
}
