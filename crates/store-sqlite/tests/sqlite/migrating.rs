//! Making the schema: as often as one likes, and several at once.

use std::path::PathBuf;
use std::sync::Arc;

use apalis_sqlite::SqliteStorage;
use domain::id::UserId;
use domain::payments::{Event, Fact, Products, ReceiveEvent, Says};
use domain::plans::Source;
use domain::store::Store;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{AssertSqlSafe, ConnectOptions, SqliteConnection};
use store_sqlite::{Sqlite, migrate};
use tempfile::TempDir;

use crate::support::{Database, options, outside};
use store_conformance::support::{TIMEOUT, at};

#[tokio::test]
async fn a_second_run_applies_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deeper").join("notes.db");

    let first = migrate::run(&path).await.unwrap();
    let second = migrate::run(&path).await.unwrap();

    assert!(
        first.applied.iter().any(|name| name.contains("accounts")),
        "{first:?}"
    );
    assert!(second.applied.is_empty(), "{second:?}");
}

#[tokio::test]
async fn several_at_once_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.db");
    // The turn is a lock that blocks its thread, so each run has a thread of its own.
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || {
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap()
                    .block_on(migrate::run(&path))
                    .unwrap()
                    .applied
                    .len()
            })
        })
        .collect();

    let mut applied: Vec<_> = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();

    applied.sort_unstable();
    assert_eq!(applied[..3], [0, 0, 0]);
    assert!(applied[3] > 0);
}

#[tokio::test]
async fn apalis_and_we_keep_our_migrations_apart() {
    let database = Database::new().await;

    let ours = database
        .number("select count(*) from _sqlx_migrations")
        .await;
    let apalis = database
        .number("select count(*) from _apalis_migrations")
        .await;

    assert_eq!(
        ours,
        i64::try_from(
            std::fs::read_dir("../../migrations/sqlite")
                .unwrap()
                .count()
        )
        .unwrap()
    );
    assert!(apalis > 0);
}

#[tokio::test]
async fn a_running_server_is_migrated_under_its_feet() {
    let database = Database::new().await;
    let mut other = outside(&database.path()).await;

    let report = migrate::run(&database.path()).await.unwrap();
    let still: i64 = sqlx::query_scalar("select count(*) from users")
        .fetch_one(&mut other)
        .await
        .unwrap();

    assert!(report.applied.is_empty());
    assert_eq!(still, 0);
}

/// A database with the schema of an earlier release.
pub(super) struct Older {
    folder: TempDir,
    pub connection: SqliteConnection,
}

impl Older {
    /// With the migrations before that number.
    pub async fn before(number: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let earlier = folder.path().join("migrations");
        std::fs::create_dir(&earlier).unwrap();
        for file in std::fs::read_dir("../../migrations/sqlite").unwrap() {
            let file = file.unwrap();
            if file.file_name() < *number {
                std::fs::copy(file.path(), earlier.join(file.file_name())).unwrap();
            }
        }
        let mut connection = SqliteConnectOptions::new()
            .filename(folder.path().join("notes.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .foreign_keys(true)
            .connect()
            .await
            .unwrap();
        let mut apalis = SqliteStorage::migrations();
        apalis.dangerous_set_table_name("_apalis_migrations");
        apalis.run(&mut connection).await.unwrap();
        let ours = Migrator::new(earlier.as_path()).await.unwrap();
        ours.run(&mut connection).await.unwrap();
        Self { folder, connection }
    }

    /// Runs the others.
    pub async fn migrate(&self) {
        migrate::run(&self.path()).await.unwrap();
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("notes.db")
    }
}

/// The table of events is made anew. What they granted lasts, and the events that follow find it.
#[tokio::test]
async fn premium_of_before_survives_that_transactions_are_told_apart() {
    let mut older = Older::before("0019").await;
    run(&mut older.connection, A_PAYING_USER).await;

    older.migrate().await;

    let sqlite = Sqlite::open(options(&older.path())).await.unwrap();
    let store = Store::new(Arc::new(sqlite), TIMEOUT);
    let standing = async || {
        let mut reader = store.reader().await.unwrap();
        let standing = reader.plan_standing(UserId(1), at(0)).await.unwrap();
        standing.premium_until
    };
    let migrated = standing().await;
    for (source, fact) in [
        (Source::RevenueCat, told("paused", "t", Says::Nothing)),
        (Source::Stripe, told("evt_3", "sub_1", Says::Nothing)),
        (Source::RevenueCat, told("unknown", "u", Says::Nothing)),
    ] {
        take(&store, source, fact).await;
        assert_eq!(standing().await, Some(at(500)));
    }
    let expired = Says::Expired(Some(at(500)));
    take(&store, Source::RevenueCat, told("expired", "t", expired)).await;

    assert_eq!(migrated, Some(at(500)));
    assert_eq!(standing().await, Some(at(300)));
    // An API of the release before writes no names, and finds the table as it was.
    run(&mut older.connection, AN_EVENT_OF_AN_OLD_API).await;
    let bought = told("paused again", "v", Says::Nothing);
    take(&store, Source::RevenueCat, bought).await;
    assert_eq!(standing().await, Some(at(900)));
}

fn told(id: &str, transaction: &str, says: Says) -> Fact {
    Fact {
        id: id.to_owned(),
        made: Some(at(200)),
        transaction: Some(transaction.to_owned()),
        says,
        ..Fact::default()
    }
}

async fn take(store: &Store, source: Source, fact: Fact) {
    let take = ReceiveEvent {
        event: Event {
            fact,
            ..Event::unreadable(source, b"")
        },
        accept_tests: false,
        products: Products::default(),
        now: at(200),
    };
    store.write(take).await.unwrap();
}

/// A user who has paid at both services, and whose former period at one of them has lapsed.
const A_PAYING_USER: &str = "
    insert into users (id, username, username_key, email, email_key, password_hash, created_at)
    values (1, 'ada', 'ada', 'a@b.c', 'a@b.c', '$hash$', 1);
    insert into payment_events
        (source, id, type, received_at, made_at, user_id, customer, subscription, says, until_at, did, body)
    values
        ('stripe', 'evt_1', '', 1, 1800000001000000, 1, 'cus_1', 'sub_1', 'owner', null, '', '{}'),
        ('stripe', 'evt_2', '', 1, 1800000002000000, 1, 'cus_1', 'sub_1', 'paid', 1800000300000000, '', '{}'),
        ('revenuecat', 'a', '', 1, 1800000001000000, 1, null, 't', 'paid', 1800000100000000, '', '{}'),
        ('revenuecat', 'b', '', 1, 1800000090000000, 1, null, 't', 'paid', 1800000500000000, '', '{}'),
        ('revenuecat', 'c', '', 1, 1800000080000000, 1, null, 't', 'lapsed', 1800000100000000, '', '{}'),
        ('revenuecat', 'd', '', 1, 1800000080000000, null, null, 'u', 'paid', 1800000900000000, '', '{}');
    insert into plan_grants (user_id, source, until_at, granted_at)
    values (1, 'stripe', 1800000300000000, 1), (1, 'revenuecat', 1800000500000000, 1);";

const AN_EVENT_OF_AN_OLD_API: &str = "
    insert into payment_events
        (source, id, type, received_at, made_at, user_id, customer, subscription, says, until_at, did, body)
    values ('revenuecat', 'e', '', 1, 1800000100000000, 1, null, 'v', 'paid', 1800000900000000, '', '{}');";

/// The table of challenges is made anew, and the mails that name them keep theirs.
#[tokio::test]
async fn challenges_and_their_mails_survive_that_addresses_without_an_account_get_some() {
    let mut older = Older::before("0015").await;
    for row in [A_DECOY, A_CHALLENGE, A_MAIL] {
        run(&mut older.connection, row).await;
    }

    older.migrate().await;

    let mut connection = older.connection;
    let kept: (String, i64) = sqlx::query_as(
        "select challenges.id, decoy from mails join challenges on challenges.id = mails.challenge_id",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(kept, ("challenge".to_owned(), 1));
    // An API of the release before, beside a worker of this one, knows no such column.
    run(&mut connection, "delete from challenges").await;
    run(&mut connection, A_CHALLENGE).await;
    let of_old_api: i64 = sqlx::query_scalar("select decoy from challenges")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(of_old_api, 1);
    run(
        &mut connection,
        "update mails set challenge_id = 'challenge'",
    )
    .await;
    run(&mut connection, "delete from registrations").await;
    let left: Option<String> = sqlx::query_scalar("select challenge_id from mails")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(left, None, "a mail outlives its challenge");
}

const A_DECOY: &str = "
    insert into registrations
        (id, username, username_key, email, email_key, mailbox, password_hash, decoy, client, created_at, expires_at)
    values ('attempt', 'eve', 'eve', 'a@b.c', 'a@b.c', 'a@b.c', '$hash$', 1, '192.0.2.1', 1, 2);";

const A_CHALLENGE: &str = "
    insert into challenges
        (id, registration_id, purpose, email_key, generation, nonce, key_id, created_at, expires_at)
    values ('challenge', 'attempt', 'verify_email', 'a@b.c', 1, zeroblob(16), 'key', 1, 2);";

const A_MAIL: &str = "
    insert into mails (id, kind, recipient, recipient_key, challenge_id, request_id, state, created_at)
    values ('mail', 'verify_email', 'a@b.c', 'a@b.c', 'challenge', 'request', 'queued', 1);";

pub(super) async fn run(connection: &mut SqliteConnection, statements: &str) {
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
        .execute(connection)
        .await
        .unwrap();
}
