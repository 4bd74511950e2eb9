//! API and worker inside the test, on a clock that the test moves.

use std::fs::File;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use devmail::{Catcher, Config, Faults, Inbox, Mail};
use domain::clock::{Clock, ManualClock};
use domain::queue::{MailFilter, Purge, Retention};
use domain::restore::AfterRestore;
use jiff::Timestamp;
use runtime::database::{Database, Role};
use runtime::settings::LogFormat;
use runtime::shutdown::Shutdown;
use runtime::telemetry;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::dispatcher::DefaultGuard;

use super::{Client, PATIENCE, Person, Place, Rows, until};

/// When a test begins, in seconds since 1970.
const START: i64 = 1_800_000_000;

/// The states after which nothing more happens to a mail.
const FINAL: [&str; 5] = [
    "delivered",
    "undeliverable",
    "expired",
    "not_needed",
    "cancelled",
];

/// Settings for a [`TestApp`] that are not the defaults.
pub struct Builder(Place);

impl Builder {
    /// Sets a variable of the environment.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.0.set(name, value);
        self
    }

    /// Puts the limits in force, as they are by default. Tests that are not about them do without.
    pub fn limited(self) -> Self {
        self.set("SMART_NOTES__LIMITS__ENABLED", "true")
    }

    /// Sets one of the limits, the others being in force as well.
    pub fn limit(self, name: &str, most: u32) -> Self {
        let name = format!("SMART_NOTES__LIMITS__{}", name.to_uppercase());
        self.limited().set(&name, &most.to_string())
    }

    /// Lifts what one mailbox may be mailed, for tests of other limits.
    pub fn many_mails(self) -> Self {
        self.limit("code_mails_per_minute", 1000)
            .limit("code_mails_per_hour", 1000)
    }

    /// Believes `X-Forwarded-For`, so that the test can be several network clients.
    pub fn behind_a_proxy(self) -> Self {
        self.set("SMART_NOTES__HTTP__TRUSTED_PROXIES", "127.0.0.1/32")
    }

    /// Starts everything.
    pub async fn start(self) -> TestApp {
        TestApp::run(self.0).await
    }
}

/// A running system. A test ends with [`TestApp::finish`], which fails it if a mail is left over.
pub struct TestApp {
    /// A client of the API.
    pub client: Client,
    /// The clock of API and worker.
    pub clock: ManualClock,
    catcher: Catcher,
    shutdown: Shutdown,
    databases: [Database; 2],
    servers: Vec<JoinHandle<()>>,
    finished: bool,
    place: Place,
    _log: DefaultGuard,
}

impl TestApp {
    /// A system with the default settings.
    pub async fn start() -> Self {
        Self::with().start().await
    }

    /// A system with other settings.
    pub fn with() -> Builder {
        Builder(Place::new())
    }

    async fn run(mut place: Place) -> Self {
        let catcher = Catcher::start(Config::default()).await.unwrap();
        let relay = format!("smtp://{}?tls=none", catcher.smtp_addr());
        place.set("SMART_NOTES__SMTP__RELAYS", &relay);
        let settings = place.settings();
        let log = File::create(place.path().join("test.log")).unwrap();
        let log = telemetry::dispatch(&settings.log, Mutex::new(log), false).unwrap();
        assert_eq!(settings.log.format, LogFormat::Text);
        let log = tracing::dispatcher::set_default(&log);

        runtime::database::migrate(&settings).await.unwrap();
        let shutdown = Shutdown::new();
        let api = Database::open(&settings, Role::Api, &shutdown)
            .await
            .unwrap();
        let worker = Database::open(&settings, Role::Worker, &shutdown)
            .await
            .unwrap();
        let clock = ManualClock::at(Timestamp::from_second(START).unwrap());
        let listener = smart_notes_api::bind(settings.http.listen).unwrap();
        let client = Client::new(listener.local_addr().unwrap());
        let databases = [api.clone(), worker.clone()];

        let (for_api, for_worker) = (settings.clone(), settings);
        let (clock_of_api, clock_of_worker) = (Arc::new(clock.clone()), Arc::new(clock.clone()));
        let (end_of_api, end_of_worker) = (shutdown.clone(), shutdown.clone());
        let servers = vec![
            tokio::spawn(async move {
                smart_notes_api::serve(&for_api, &api.store, clock_of_api, listener, &end_of_api)
                    .await
                    .unwrap();
            }),
            tokio::spawn(async move {
                smart_notes_worker::run(&for_worker, &worker, clock_of_worker, &end_of_worker)
                    .await
                    .unwrap();
            }),
        ];
        Self {
            client,
            clock,
            catcher,
            shutdown,
            databases,
            servers,
            finished: false,
            place,
            _log: log,
        }
    }

    /// The last step of a restore: `smart-notes after-restore`.
    pub async fn after_restore(&self) {
        let now = self.clock.now();
        let restored = self.databases[1].store.write(AfterRestore { now });
        restored.await.unwrap();
    }

    /// Moves the clock forth by so many seconds. Mails under way are waited for first: they belong to the time before.
    pub async fn advance(&self, seconds: u64) {
        self.settled().await;
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// The caught mails.
    pub fn inbox(&self) -> &Inbox {
        self.catcher.inbox()
    }

    /// What the relay suffers from.
    pub fn faults(&self) -> &Faults {
        self.catcher.faults()
    }

    /// The n-th mail (from 1) to an address.
    pub async fn mail(&self, email: &str, n: usize) -> Arc<Mail> {
        let mail = self.inbox().wait_for(email, n, PATIENCE).await;
        mail.unwrap_or_else(|error| panic!("{error}"))
    }

    /// The code in the n-th mail (from 1) to somebody.
    pub async fn code(&self, person: &Person, n: usize) -> String {
        self.mail(&person.email, n).await.code().expect("a code")
    }

    /// Registers somebody; returns the challenge and the code of the n-th mail (from 1) to the address.
    pub async fn registered(&self, person: &Person, n: usize) -> (String, String) {
        let challenge = self.client.registered(person).await;
        (challenge, self.code(person, n).await)
    }

    /// How many mails an address has, once nothing is under way any more.
    pub async fn mails_to(&self, email: &str) -> usize {
        self.settled().await;
        self.inbox().to(email).len()
    }

    /// Registers somebody and confirms the address with the first code mailed to it.
    pub async fn verified(&self, person: &Person) {
        self.client.registered(person).await;
        let code = self.code(person, 1).await;
        let answer = self.client.verify(person, &code).await;
        assert_eq!(answer.status, 200, "{}", answer.shown());
    }

    /// Sweeps at the time of the test's clock, as the worker does every minute of the machine's, until nothing is left
    /// to be removed.
    pub async fn swept(&self) {
        let days = |days: u64| Duration::from_hours(24 * days);
        let retention = Retention {
            ended: days(1),
            mails: days(30),
            audit: days(365),
            session_idle: days(30),
            trash: days(30),
            tombstones: days(90),
        };
        let store = &self.databases[1].store;
        let purge = || Purge {
            retention,
            now: self.clock.now(),
        };
        while store.write(purge()).await.unwrap() > 0 {}
    }

    /// Every row.
    pub async fn rows(&self) -> Rows {
        Rows::open(&self.place.database()).await
    }

    /// Waits until no mail is under way.
    pub async fn settled(&self) {
        until("no mail is under way", async || {
            self.left_over().await.is_empty().then_some(())
        })
        .await;
    }

    /// Waits until a mail to an address waits for another try.
    pub async fn waiting(&self, email: &str) {
        until("a mail waits for another try", async || {
            let mut rows = self.rows().await;
            let waiting = "select recipient from mails where state = 'waiting'";
            let waiting = rows.texts(waiting).await;
            rows.close().await;
            waiting.iter().any(|one| one == email).then_some(())
        })
        .await;
    }

    async fn left_over(&self) -> Vec<String> {
        let filter = MailFilter {
            limit: 10_000,
            ..MailFilter::default()
        };
        let mut reader = self.databases[0].store.reader().await.unwrap();
        let mails = reader.mails(&filter).await.unwrap();
        mails
            .into_iter()
            .filter(|mail| !FINAL.contains(&mail.state.as_str()))
            .map(|mail| format!("{} to {} is {}", mail.kind, mail.to, mail.state))
            .collect()
    }

    /// Ends the test: no mail is left over, everything stops in good order, and the rows are sound.
    pub async fn finish(mut self) {
        self.finished = true;
        self.settled().await;
        self.shutdown.trigger();
        for server in self.servers.drain(..) {
            timeout(PATIENCE, server).await.expect("it stops").unwrap();
        }
        for database in &self.databases {
            database.close().await;
        }
        let mut rows = self.rows().await;
        rows.assert_sound().await;
        rows.close().await;
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        let forgotten = !self.finished && !std::thread::panicking();
        assert!(!forgotten, "a test with a TestApp ends with `finish`");
    }
}
