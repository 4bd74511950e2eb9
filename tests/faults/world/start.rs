//! How a world begins: an empty database, a relay that is well, one API and one worker, and a few people to
//! warm them up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use devmail::{Catcher, Config};
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

use super::{Door, World};
use crate::ledger::Ledger;
use crate::support::Place;
use crate::vitals::Vitals;

/// The variable that repeats a run.
const SEED: &str = "SMART_NOTES_FAULTS_SEED";

/// So many worlds at once; more would starve each other, and time-outs would strike that are none of the faults.
static TURNS: Semaphore = Semaphore::const_new(2);

/// Within this time a process gives back memory that is free, with time for a look after that.
const GIVEN_BACK: Duration = Duration::from_secs(15);

/// Where the relay's ledger is, in the world's folder.
pub(super) const ARCHIVE: &str = "mails";

/// A world that is about to begin.
pub struct Builder {
    place: Place,
    relays: Option<String>,
    clock_moved: bool,
    relay_only: bool,
}

impl World {
    /// A world in which anything may fail.
    pub fn builder() -> Builder {
        let mut place = Place::new();
        for (name, value) in [
            ("SMART_NOTES__WORKER__HEARTBEAT_SECONDS", "1"),
            ("SMART_NOTES__WORKER__LEASE_SECONDS", "3"),
            // A machine that has other things to do makes nobody too late.
            ("SMART_NOTES__HTTP__REQUEST_TIMEOUT_SECONDS", "20"),
            ("SMART_NOTES__DATABASE__BUSY_TIMEOUT_MS", "5000"),
        ] {
            place.set(name, value);
        }
        Builder {
            place,
            relays: None,
            clock_moved: false,
            relay_only: false,
        }
    }
}

impl Builder {
    /// Sets a variable of the environment of all programs.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.place.set(name, value);
        self
    }

    /// Gives the worker these relays in place of the catcher.
    pub fn relays(mut self, relays: &str) -> Self {
        self.relays = Some(relays.to_owned());
        self
    }

    /// The programs' clock will be moved.
    pub fn clock_moved(mut self) -> Self {
        self.clock_moved = true;
        self
    }

    /// Only the relay will be sick.
    pub fn relay_only(mut self) -> Self {
        self.relay_only = true;
        self
    }

    /// The folder, before anything runs in it.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// A relay that keeps its ledger in this world's folder.
    pub async fn catcher(&self) -> Catcher {
        let catcher = Catcher::start(Config {
            keep: 20_000,
            archive: Some(self.place.path().join(ARCHIVE)),
            ..Config::default()
        });
        catcher.await.unwrap()
    }

    /// Starts everything and waits until it has worked for a few people.
    pub async fn start(self) -> World {
        let catcher = self.catcher().await;
        self.start_with(catcher).await
    }

    /// The same with a relay that was started before.
    pub async fn start_with(mut self, catcher: Catcher) -> World {
        let turn = TURNS.acquire().await.unwrap();
        let seed = seed();
        eprintln!("{SEED}={seed} repeats this");
        let relay = format!("smtp://{}?tls=none", catcher.smtp_addr());
        let relays = self.relays.take().unwrap_or(relay);
        self.place.set("SMART_NOTES__SMTP__RELAYS", &relays);
        runtime::database::migrate(&self.place.settings())
            .await
            .unwrap();
        let mut world = World {
            chance: fastrand::Rng::with_seed(seed),
            ledger: Arc::new(Ledger::open(self.place.path())),
            catcher,
            place: self.place,
            api: None,
            workers: Vec::new(),
            seed,
            starts: 0,
            loads: 0,
            door: watch::Sender::new(Door::Shut),
            before: None,
            clock_moved: self.clock_moved,
            relay_only: self.relay_only,
            _turn: turn,
        };
        world.start_api().await;
        world.start_worker().await;
        world.warm_up().await;
        world
    }
}

impl World {
    /// A few people, and then a look at how the programs do.
    async fn warm_up(&mut self) {
        let load = self.people(2, 3);
        self.through(load).await;
        self.look_at_vitals().await;
    }

    /// Remembers how the programs do now that their caches are full, once what was free was given back.
    pub async fn is_warm(&mut self) {
        let mut least = u64::MAX;
        let begun = Instant::now();
        while begun.elapsed() < GIVEN_BACK {
            self.look_at_vitals().await;
            if let Some([api, _]) = &mut self.before {
                least = least.min(api.memory);
                api.memory = least;
            }
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// Remembers how the programs do now, for when all is to be as before.
    async fn look_at_vitals(&mut self) {
        let api = Vitals::of_api(self.api().pid(), &self.client()).await;
        self.before = Some([api, Vitals::of(self.worker().pid())]);
    }
}

/// The seed of the environment, or one that was never there before.
fn seed() -> u64 {
    std::env::var(SEED).map_or_else(
        |_| fastrand::u64(..1_000_000_000),
        |seed| {
            let seed = seed.parse();
            seed.unwrap_or_else(|_| panic!("{SEED} is a number"))
        },
    )
}
