//! What every end-to-end test of the worker needs: a database in a folder of its own, a catcher as
//! the relay, people who register, and workers, inside this process or as processes of their own.

pub mod people;
pub mod process;
pub mod running;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use devmail::{Catcher, Config};
use domain::clock::{Clock, ManualClock, SystemClock};
use domain::id::MailId;
use domain::queue::{MailFilter, MailRecord, MailStory};
use jiff::Timestamp;
use runtime::database::{self, Database, Role};
use runtime::settings::{LoadOptions, Settings};
use runtime::shutdown::Shutdown;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use tempfile::TempDir;

/// How long a test waits for what must happen before it calls it missing.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Within this time of a `kill -9` another worker has the mail: a promised figure.
pub const RESCUE: Duration = Duration::from_secs(15);

/// The key of every process, unless a test gives one another.
pub const KEY: &str = "an example key for tests only and long enough";

/// A database, a relay, and the settings that name both.
pub struct Harness {
    folder: TempDir,
    pub catcher: Catcher,
    pub database: Database,
    pub clock: Arc<dyn Clock>,
    manual: ManualClock,
    variables: Vec<(String, String)>,
}

impl Harness {
    /// A harness whose clock stands still until it is moved.
    pub async fn new() -> Self {
        Self::build(true, &[]).await
    }

    /// A harness on the machine's clock, for workers that are processes of their own. `variables` reach them.
    pub async fn in_real_time(variables: &[(&str, &str)]) -> Self {
        Self::build(false, variables).await
    }

    async fn build(still: bool, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let catcher = Catcher::start(Config {
            keep: 2_000,
            ..Config::default()
        })
        .await
        .unwrap();
        let mut all = vec![
            (
                "SMART_NOTES__DATABASE__URL".to_owned(),
                format!("sqlite://{}/notes.db", folder.path().display()),
            ),
            (
                "SMART_NOTES__SMTP__RELAYS".to_owned(),
                format!("smtp://{}?tls=none", catcher.smtp_addr()),
            ),
            ("SECRET_KEY".to_owned(), KEY.to_owned()),
        ];
        if still {
            // While the clock stands still, so do the signs of life.
            all.push((
                "SMART_NOTES__WORKER__LEASE_SECONDS".to_owned(),
                "86400".to_owned(),
            ));
        }
        all.extend(
            variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let settings = load(&all);
        database::migrate(&settings).await.unwrap();
        let database = Database::open(&settings, Role::Api, &Shutdown::new())
            .await
            .unwrap();
        let manual = ManualClock::at(Timestamp::from_second(1_800_000_000).unwrap());
        let clock: Arc<dyn Clock> = if still {
            Arc::new(manual.clone())
        } else {
            Arc::new(SystemClock)
        };
        Self {
            folder,
            catcher,
            database,
            clock,
            manual,
            variables: all,
        }
    }

    /// The settings of a process, with `changes` on top.
    pub fn settings(&self, changes: &[(&str, &str)]) -> Settings {
        load(&self.variables_with(changes))
    }

    pub fn variables_with(&self, changes: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut all = self.variables.clone();
        for (name, value) in changes {
            all.retain(|(other, _)| other != name);
            all.push(((*name).to_owned(), (*value).to_owned()));
        }
        all
    }

    /// The database's file.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("notes.db")
    }

    /// Moves the clock.
    pub fn advance(&self, by: Duration) {
        self.manual.advance(by);
    }

    /// Sets the clock back.
    pub fn set_back(&self, by: Duration) {
        self.manual.set(self.manual.now() - by);
    }

    /// Moves the clock to when the mail is to be tried again, and a second beyond: jobs wait for whole ones.
    pub async fn advance_to_next_attempt(&self, mail: MailId) {
        let again = self.story(mail).await.mail.again_at.unwrap();
        let wait = again.duration_since(self.clock.now());
        self.advance(Duration::try_from(wait).unwrap() + Duration::from_secs(1));
    }

    /// A mail with its attempts.
    pub async fn story(&self, mail: MailId) -> MailStory {
        let mut reader = self.database.store.reader().await.unwrap();
        reader.mail(&mail.to_string()).await.unwrap().remove(0)
    }

    /// All mails.
    pub async fn mails(&self) -> Vec<MailRecord> {
        let filter = MailFilter {
            limit: 10_000,
            ..MailFilter::default()
        };
        let mut reader = self.database.store.reader().await.unwrap();
        reader.mails(&filter).await.unwrap()
    }

    /// Waits until the mail is in that state, and returns it.
    #[track_caller]
    pub fn reaches(
        &self,
        mail: MailId,
        state: &'static str,
    ) -> impl Future<Output = MailStory> + use<'_> {
        self.is(mail, state, move |story| story.mail.state == state)
    }

    /// Waits until the mail has that many attempts on record and no worker has it in flight.
    pub async fn has_attempts(&self, mail: MailId, tries: usize) -> MailStory {
        self.is(mail, "tried so often", move |story| {
            story.tries.len() == tries && story.mail.state != "sending"
        })
        .await
    }

    /// Waits until the mail waits after so many attempts that counted.
    pub async fn is_waiting_after(&self, mail: MailId, tries: u32) -> MailStory {
        self.is(mail, "waiting after that attempt", move |story| {
            story.mail.tries == tries && story.mail.state == "waiting"
        })
        .await
    }

    async fn is(&self, mail: MailId, what: &str, wanted: impl Fn(&MailStory) -> bool) -> MailStory {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let story = self.story(mail).await;
            if wanted(&story) {
                return story;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "the mail is not {what}: {story:#?}\n{}",
                process::said(self.folder.path())
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until no mail is on its way any more.
    pub async fn drained(&self) {
        until("the queue is empty", async || {
            let mails = self.mails().await;
            mails.iter().all(|mail| mail.finished.is_some())
        })
        .await;
    }
}

impl Harness {
    /// A bare connection from outside, as some other program has.
    pub async fn outside(&self) -> SqliteConnection {
        SqliteConnectOptions::new()
            .filename(self.path())
            .busy_timeout(PATIENCE)
            .connect()
            .await
            .unwrap()
    }

    /// How often each mail was claimed.
    pub async fn claims(&self) -> Vec<(String, i64)> {
        sqlx::query_as("select id, claim_no from mails order by id")
            .fetch_all(&mut self.outside().await)
            .await
            .unwrap()
    }

    /// How often that relay was tried with a mail.
    pub async fn attempts(&self, relay: SocketAddr) -> i64 {
        sqlx::query_scalar("select count(*) from mail_tries where relay = ?")
            .bind(relay.to_string())
            .fetch_one(&mut self.outside().await)
            .await
            .unwrap()
    }

    /// Waits until no mail is in flight, so that every attempt is on record.
    pub async fn rests(&self) {
        until("no mail is in flight", async || {
            let mails = self.mails().await;
            mails.iter().all(|mail| mail.state != "sending")
        })
        .await;
    }

    /// After a drain: the file is whole, no row lacks its partner, and nothing is left over.
    pub async fn is_consistent(&self) {
        let mut outside = self.outside().await;
        for (what, question) in [
            (
                "pages that are broken",
                "select count(*) from pragma_integrity_check where integrity_check <> 'ok'",
            ),
            (
                "rows without their partners",
                "select count(*) from pragma_foreign_key_check",
            ),
            (
                "jobs that are not over",
                "select count(*) from Jobs where status in ('Pending', 'Queued', 'Running') or lock_by is not null",
            ),
            (
                "mails without their job",
                "select count(*) from mails where id not in (select id from Jobs)",
            ),
            (
                "jobs without their mail",
                "select count(*) from Jobs where id not in (select id from mails)",
            ),
        ] {
            let found: i64 = sqlx::query_scalar(question)
                .fetch_one(&mut outside)
                .await
                .unwrap();
            assert_eq!(found, 0, "{what}");
        }
    }
}

/// Waits until a condition holds that nothing announces.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn load(variables: &[(String, String)]) -> Settings {
    let options = variables
        .iter()
        .fold(LoadOptions::default(), |options, (name, value)| {
            options.with_variable(name, value)
        });
    Settings::load(&options).unwrap_or_else(|error| panic!("{error}"))
}

/// The outcomes of a mail's attempts, in their order.
pub fn outcomes(story: &MailStory) -> Vec<&str> {
    story.tries.iter().map(|one| one.outcome.as_str()).collect()
}
