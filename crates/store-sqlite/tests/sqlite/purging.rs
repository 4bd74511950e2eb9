//! The purge removes ended rows a few at a time, and keeps live ones.

use std::time::Duration;

use domain::queue::Retention;
use jiff::Timestamp;

use crate::support::Database;
use store_conformance::support::at;
use store_conformance::support::calls::Calls as _;
use store_conformance::support::people::Person;
use store_conformance::support::units::unit;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

const KEEP: Retention = Retention {
    ended: Duration::from_hours(24),
    mails: Duration::from_hours(30 * 24),
    audit: Duration::from_hours(365 * 24),
    session_idle: Duration::from_hours(30 * 24),
    trash: Duration::from_hours(24 * 30),
    tombstones: Duration::from_hours(24 * 90),
};

/// Purges once; returns how many rows were removed.
async fn purge(database: &Database, now: Timestamp) -> u64 {
    database.store().purge(KEEP, now).await.unwrap()
}

/// Purges until nothing is left to remove, as the worker does; returns how often there was something.
async fn purge_all(database: &Database, now: Timestamp) -> u32 {
    let mut times = 0;
    while purge(database, now).await > 0 {
        times += 1;
    }
    times
}

async fn count(database: &Database, table: &'static str) -> i64 {
    let statement = match table {
        "registrations" => "select count(*) from registrations",
        "challenges" => "select count(*) from challenges",
        "sessions" => "select count(*) from sessions",
        "limit_hits" => "select count(*) from limit_hits",
        "open_tries" => "select count(*) from open_tries",
        "guess_runs" => "select count(*) from guess_runs",
        "known_clients" => "select count(*) from known_clients",
        "audit" => "select count(*) from audit",
        "mails" => "select count(*) from mails",
        "Jobs" => "select count(*) from Jobs",
        other => panic!("no such table: {other}"),
    };
    database.number(statement).await
}

#[tokio::test]
async fn a_lapsed_registration_goes_a_day_after_its_end_with_its_challenges() {
    let database = Database::new().await;
    let store = database.store();
    Person::new("ada").registers(&store, at(0)).await;
    Person::new("bob").registers(&store, at(HOUR)).await;

    assert_eq!(purge(&database, at(2 * DAY)).await, 0, "to the second");
    purge_all(&database, at(2 * DAY + 1)).await;

    assert_eq!(count(&database, "registrations").await, 1);
    assert_eq!(count(&database, "challenges").await, 1);
    let left = "select username from registrations";
    assert_eq!(database.text(left).await, "bob");
}

/// Of people without an account nothing is kept: a code that was asked for in their name goes when it would have expired,
/// with its mail, unless that is still on its way. Those of users stay.
#[tokio::test]
async fn codes_at_addresses_without_an_account_go_with_their_mails_when_they_expire() {
    let database = Database::new().await;
    let store = database.store();
    let ada = Person::new("ada");
    ada.becomes_a_user(&store, at(0)).await;
    for (second, name) in [(0, "ada"), (0, "bob"), (1, "eve")] {
        Person::new(name).asks_to_reset(&store, at(second)).await;
    }
    let left = async || {
        database
            .text(
                "select group_concat(recipient || ' ' || kind) from
                     (select recipient, kind from mails order by recipient, kind)",
            )
            .await
    };
    let of_ada = "ada@example.com reset_password,ada@example.com verify_email";

    purge_all(&database, at(600)).await;
    assert_eq!(count(&database, "mails").await, 4, "none has ended yet");
    database
        .execute("update mails set state = 'not_needed', finished_at = 1800000000000000")
        .await;
    purge_all(&database, at(600)).await;
    assert_eq!(
        left().await,
        format!("{of_ada},eve@example.com reset_password")
    );
    purge_all(&database, at(601)).await;

    assert_eq!(left().await, of_ada);
    assert_eq!(count(&database, "Jobs").await, 2);
    let others = "select count(*) from challenges where no_account is not null";
    assert_eq!(database.number(others).await, 0);
    assert_eq!(count(&database, "challenges").await, 2);
}

/// The name is free once the attempt has lapsed, purged or not: the purge only frees room.
#[tokio::test]
async fn a_lapsed_registration_holds_no_name_before_it_is_purged() {
    let database = Database::new().await;
    let store = database.store();
    Person::new("ada").registers(&store, at(0)).await;

    Person::new("ada")
        .at("other@example.com")
        .registers(&store, at(DAY))
        .await;

    assert_eq!(count(&database, "registrations").await, 2);
}

#[tokio::test]
async fn users_and_live_registrations_stay() {
    let database = Database::new().await;
    let store = database.store();
    Person::new("ada").becomes_a_user(&store, at(0)).await;
    Person::new("bob").registers(&store, at(20 * DAY)).await;

    purge_all(&database, at(20 * DAY + HOUR)).await;

    assert_eq!(database.number("select count(*) from users").await, 1);
    assert_eq!(count(&database, "registrations").await, 1);
    assert_eq!(count(&database, "audit").await, 3);
}

/// Sessions: the idle ones, and those at their end; the others stay.
#[tokio::test]
async fn ended_sessions_go_and_live_ones_stay() {
    let database = Database::new().await;
    let store = database.store();
    Person::new("ada").becomes_a_user(&store, at(0)).await;
    database
        .execute(
            "with n(name, used, ends) as (values
                 ('idle', 0, 180), ('used', 20, 180), ('over', 39, 40), ('last', 39, 41))
             insert into sessions
                 (id, user_id, token_hash, created_at, last_used_at, expires_at, client, user_agent)
             select name, 1, randomblob(32), 1800000000000000, 1800000000000000 + used * 86400000000,
                    1800000000000000 + ends * 86400000000, '192.0.2.1', 'a phone' from n",
        )
        .await;

    purge_all(&database, at(40 * DAY)).await;

    let left = "select group_concat(id order by id) from sessions";
    assert_eq!(database.text(left).await, "last,used");
}

/// The clock was ahead when they were written: what counts or holds something goes, what is remembered begins anew.
#[tokio::test]
async fn rows_of_the_future_are_removed_or_dated_anew() {
    let database = Database::new().await;
    let store = database.store();
    Person::new("ada").becomes_a_user(&store, at(0)).await;
    Person::new("bob").registers(&store, at(400 * DAY)).await;
    database
        .execute(
            "insert into limit_hits (key, at, n) values ('then', 1834560000000000, 0), ('now', 1800000030000000, 0);
             insert into guess_runs (key, length, at) values ('run', 7, 1834560000000000);
             insert into known_clients (user_id, client, seen_at) values (1, '192.0.2.1', 1834560000000000);
             insert into open_tries (email_key, purpose, tries, counted_at)
             values ('ada@example.com', 'log_in', 3, 1834560000000000);
             insert into suppressions (recipient_key, since_at, until_at, mail_id, relay, text)
             values ('eve@example.com', 1834560000000000, 1837152000000000, 'x', 'relay', '550');
             insert into sessions
                 (id, user_id, token_hash, created_at, last_used_at, expires_at, client, user_agent)
             values ('then', 1, randomblob(32), 1834560000000000, 1834560000000000, 1850112000000000, '', ''),
                    ('used', 1, randomblob(32), 1799999000000000, 1834560000000000, 1815551000000000, '', '')",
        )
        .await;

    purge_all(&database, at(0)).await;

    let pending = "select r.created_at || ' ' || r.expires_at || ', ' || c.created_at || ' ' || c.expires_at
                   from registrations r join challenges c on c.registration_id = r.id where username = 'bob'";
    assert_eq!(
        database.text(pending).await,
        "1800000000000000 1800086400000000, 1800000000000000 1800000600000000"
    );
    assert_eq!(
        database.number("select count(*) from suppressions").await,
        0
    );
    assert_eq!(database.text("select key from limit_hits").await, "now");
    let memories = "select (select length || ' ' || at from guess_runs) || ', '
                        || (select seen_at from known_clients) || ', '
                        || (select tries || ' ' || counted_at from open_tries)";
    assert_eq!(
        database.text(memories).await,
        "7 1800000000000000, 1800000000000000, 3 1800000000000000"
    );
    let sessions = "select group_concat(created_at || ' ' || last_used_at || ' ' || expires_at, ', ' order by id)
                    from sessions";
    assert_eq!(
        database.text(sessions).await,
        "1800000000000000 1800000000000000 1815552000000000, \
         1799999000000000 1800000000000000 1815551000000000"
    );
}

/// No transaction removes more than a few hundred rows of a kind, so that no other write waits for long.
#[tokio::test]
async fn what_is_over_is_removed_in_small_batches() {
    let database = Database::new().await;
    database
        .execute(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 450)
             insert into limit_hits (key, at, n) select 'mails-hour:' || i, 1800000000000000, 0 from n",
        )
        .await;
    database
        .execute(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 450)
             insert into audit (at, event, request_id) select 1800000000000000, 'limited', i from n",
        )
        .await;

    assert_eq!(purge(&database, at(25 * HOUR)).await, 0, "to the second");
    let first = purge(&database, at(25 * HOUR + 1)).await;
    let left = count(&database, "limit_hits").await;
    let times = purge_all(&database, at(25 * HOUR + 1)).await;

    assert_eq!((first, left, times), (200, 250, 2));
    assert_eq!(count(&database, "limit_hits").await, 0);
    assert_eq!(count(&database, "audit").await, 450, "kept for a year");
    assert_eq!(purge_all(&database, at(365 * DAY + 1)).await, 3);
    assert_eq!(count(&database, "audit").await, 0);
}

#[tokio::test]
async fn counters_stay_as_long_as_any_window_needs_them() {
    let database = Database::new().await;
    database
        .execute(
            "insert into limit_hits (key, at, n) values ('old', 1800000000000000, 0),
                 ('new', 1800003600000000, 0)",
        )
        .await;
    database
        .execute(
            "insert into open_tries (email_key, purpose, tries, counted_at) values
                 ('old@example.com', 'verify_email', 5, 1800000000000000),
                 ('new@example.com', 'verify_email', 5, 1800003600000000)",
        )
        .await;

    purge_all(&database, at(26 * HOUR)).await;

    assert_eq!(database.text("select key from limit_hits").await, "new");
    let tries = "select email_key from open_tries";
    assert_eq!(database.text(tries).await, "new@example.com");
}

/// A row of wrong guesses has no window: slow guesses are in it as well as quick ones.
#[tokio::test]
async fn a_row_of_guesses_is_forgotten_a_year_after_the_last() {
    let database = Database::new().await;
    let store = database.store();
    let guess = unit(|tx| Box::pin(async move { tx.lengthen_run("a", at(0)).await }));
    store.write(guess).await.unwrap();

    purge_all(&database, at(365 * DAY)).await;
    assert_eq!(count(&database, "guess_runs").await, 1);
    purge_all(&database, at(365 * DAY + 1)).await;

    assert_eq!(count(&database, "guess_runs").await, 0);
}

/// A mail goes with its job and its tries, a month after its end; one that waits is never touched.
#[tokio::test]
async fn mails_go_with_their_jobs_a_month_after_their_end_and_waiting_ones_stay() {
    let database = Database::new().await;
    let store = database.store();
    store_conformance::support::mails::notice(&store, "ada@example.com", at(0)).await;
    let waiting = store_conformance::support::mails::notice(&store, "bob@example.com", at(0)).await;
    database
        .execute(
            "update mails set state = 'delivered', finished_at = 1800000000000000
             where recipient = 'ada@example.com'",
        )
        .await;
    database
        .execute(
            "insert into mail_tries (mail_id, claim_no, worker, started_at, duration_ms, relay, reused,
                 stage, text, outcome)
             select id, 1, 'w', 0, 1, 'r', 0, 'dot', 'ok', 'delivered' from mails",
        )
        .await;

    assert_eq!(purge_all(&database, at(30 * DAY)).await, 0);
    purge_all(&database, at(30 * DAY + 1)).await;

    assert_eq!(count(&database, "mails").await, 1);
    assert_eq!(count(&database, "Jobs").await, 1);
    assert_eq!(
        database.text("select id from mails").await,
        waiting.to_string()
    );
    let tries = "select count(*) from mail_tries";
    assert_eq!(database.number(tries).await, 1);
}

/// A client is known for half a year after its last login.
#[tokio::test]
async fn known_clients_are_forgotten_after_half_a_year() {
    let database = Database::new().await;
    let store = database.store();
    Person::new("ada").becomes_a_user(&store, at(0)).await;
    database
        .execute(
            "insert into known_clients (user_id, client, seen_at) values
                 (1, '192.0.2.1', 1800000000000000), (1, '192.0.2.2', 1800086400000000)",
        )
        .await;

    purge_all(&database, at(180 * DAY + 1)).await;

    let left = "select client from known_clients";
    assert_eq!(database.text(left).await, "192.0.2.2");
}

/// What a payment service says of somebody who has no account here (any more) may name them.
#[tokio::test]
async fn a_payment_event_of_nobody_keeps_its_row_and_loses_its_body_after_a_month() {
    let database = Database::new().await;
    Person::new("ada")
        .becomes_a_user(&database.store(), at(0))
        .await;
    database
        .execute(
            "insert into payment_events (source, id, type, received_at, user_id, says, did, body)
             values ('stripe', 'nobodys', '', 1800000000000000, null, 'nothing', '', 'a body'),
                    ('stripe', 'somebodys', '', 1800000000000000, 1, 'nothing', '', 'a body')",
        )
        .await;

    purge_all(&database, at(30 * DAY)).await;
    let before = database.number("select count(*) from payment_events where body = ''");
    assert_eq!(before.await, 0);
    purge_all(&database, at(30 * DAY + 1)).await;

    let emptied = database.text("select group_concat(id) from payment_events where body = ''");
    assert_eq!(emptied.await, "nobodys");
    let rows = database.number("select count(*) from payment_events");
    assert_eq!(rows.await, 2);
}
