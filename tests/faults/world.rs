//! The real programs on a database and a relay of their own, under load, in the hands of a test that does them harm.

mod end;
mod start;

pub use end::ended;
pub use start::Builder;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use devmail::{Catcher, Inbox};
use tokio::sync::{SemaphorePermit, watch};

use crate::ledger::Ledger;
use crate::load::Load;
use crate::story::Plan;
use crate::support::{Api, Client, Place, Process, worker};
use crate::vitals::Vitals;

/// How long a test waits for what must happen. Much: other things run on the machine. Nothing is measured by it.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// SIGTERM to exit, at most: a promised figure.
pub const EXIT: Duration = Duration::from_secs(30);

/// Where the API is.
#[derive(Clone, Copy, Debug)]
pub enum Door {
    /// Nowhere: it was stopped or killed.
    Shut,
    /// At that address, and ready.
    Open(SocketAddr),
}

/// Says something also if the test passes. Not by a macro that prints: what those say is shown only if it fails.
pub fn tell(what: &str) {
    let said = format!("\n{what}\n");
    std::io::stderr().write_all(said.as_bytes()).unwrap();
}

/// Says that this machine lacks what a test needs.
pub fn skipped(why: &str) {
    tell(&format!("SKIPPED: {why}"));
}

impl Door {
    /// Whether requests go through.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open(_))
    }

    /// A client of the API.
    pub fn client(self) -> Client {
        match self {
            Self::Open(address) => Client::new(address),
            Self::Shut => panic!("the API is not there"),
        }
    }
}

/// The programs, the relay and the ledgers of one test.
pub struct World {
    /// Everything that is left to chance comes from here.
    pub chance: fastrand::Rng,
    /// The relay.
    pub catcher: Catcher,
    /// What was asked and answered.
    pub ledger: Arc<Ledger>,
    /// Database, logs, ledgers. It stays if the test fails.
    pub place: Place,
    api: Option<Api>,
    workers: Vec<Process>,
    seed: u64,
    starts: u32,
    loads: u64,
    door: watch::Sender<Door>,
    before: Option<[Vitals; 2]>,
    clock_moved: bool,
    relay_only: bool,
    _turn: SemaphorePermit<'static>,
}

impl World {
    /// The running API.
    pub fn api(&self) -> &Process {
        &self.api.as_ref().expect("an API runs").process
    }

    /// Waits until the API has said something.
    pub async fn api_says(&mut self, text: &str) {
        let api = self.api.as_mut().expect("an API runs");
        api.process.logged(text).await;
    }

    /// The worker that was started last.
    pub fn worker(&mut self) -> &mut Process {
        self.workers.last_mut().expect("a worker runs")
    }

    /// A client of the API that is in no ledger.
    pub fn client(&self) -> Client {
        self.door.borrow().client()
    }

    /// Starts an API, where the one before it was.
    pub async fn start_api(&mut self) {
        self.starts += 1;
        let name = format!("api-{}", self.starts);
        let api = Api::start(&self.place, &name).await;
        let address = api.client.address();
        // From now on everybody knows it there.
        self.place
            .set("SMART_NOTES__HTTP__LISTEN", &address.to_string());
        self.api = Some(api);
        self.door.send_replace(Door::Open(address));
    }

    /// Starts a worker beside those that run.
    pub async fn start_worker(&mut self) {
        let mut worker = self.begin_worker();
        worker.logged("the worker is running").await;
        self.workers.push(worker);
    }

    /// The same, without waiting until it runs.
    pub fn start_worker_soon(&mut self) {
        let worker = self.begin_worker();
        self.workers.push(worker);
    }

    fn begin_worker(&mut self) -> Process {
        self.starts += 1;
        let name = format!("worker-{}", self.starts);
        Process::start(worker(), &name, &self.place)
    }

    /// Kills the API, as a crash does.
    pub async fn kill_api(&mut self) {
        self.door.send_replace(Door::Shut);
        let mut api = self.api.take().expect("an API runs");
        api.process.kill().await;
    }

    /// Asks the API to end. Who has not asked yet waits until there is another.
    pub fn terminate_api(&mut self) -> Process {
        self.door.send_replace(Door::Shut);
        let api = self.api.take().expect("an API runs");
        api.process.terminate();
        api.process
    }

    /// Kills the worker that was started last.
    pub async fn kill_worker(&mut self) {
        let mut worker = self.workers.pop().expect("a worker runs");
        worker.kill().await;
    }

    /// Asks that worker to end.
    pub fn terminate_worker(&mut self) -> Process {
        let worker = self.workers.pop().expect("a worker runs");
        worker.terminate();
        worker
    }

    /// Lets people come until the load is stopped, with so many requests at once.
    pub fn load(&mut self, lanes: usize) -> Load {
        self.people(lanes, usize::MAX).endless()
    }

    /// Lets so many people come.
    pub fn people(&mut self, lanes: usize, people: usize) -> Load {
        self.loads += 1;
        let seed = self.seed.wrapping_add(self.loads);
        let plans = (0..).map(move |n| Plan::of(seed, n)).take(people);
        Load::start(self.crowd(), lanes, plans)
    }

    /// Lets people register who do nothing else.
    pub fn register<I>(&mut self, names: I) -> Load
    where
        I: IntoIterator<Item = String, IntoIter: Send + 'static>,
    {
        let plans = names.into_iter();
        let plans = plans.map(|name| Plan::only_to_register(&name));
        Load::start(self.crowd(), 4, plans)
    }

    fn crowd(&self) -> (Arc<Ledger>, Inbox, watch::Receiver<Door>) {
        (
            Arc::clone(&self.ledger),
            self.catcher.inbox().clone(),
            self.door.subscribe(),
        )
    }
}
