//! The writer: what happens to one unit of work harms no other, and what was refused changed nothing.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use domain::id::UserId;
use domain::mail::MailKind;
use domain::store::{Caller, Store, StoreError, Ticket};
use futures_util::future::{join_all, poll_immediate};
use sqlx::Connection;

use crate::support::Database;
use store_conformance::support::mails::{mail, mails_to};
use store_conformance::support::units::{HeldUp, failure, unit};
use store_conformance::support::{TIMEOUT, at};

/// Writes a mail to `to`; the one to `fails@` fails after it has written, the one to `panics@` panics.
async fn write(store: Store, to: String) -> Result<(), StoreError> {
    let mail = mail(MailKind::AlreadyRegistered, &to, at(0));
    let put = unit(move |tx| {
        let mail = mail.clone();
        Box::pin(async move {
            tx.enqueue(&mail).await?;
            match mail.to.as_str() {
                "fails@example.com" => Err(failure()),
                "panics@example.com" => panic!("on purpose"),
                _ => Ok(()),
            }
        })
    });
    store.write(put).await
}

/// Writes 64 mails, which fall into one group because the writer is held up; the 21st is to `odd`.
async fn write_64_with(database: &Database, odd: &str) -> Vec<Result<(), StoreError>> {
    let store = database.store();
    let held_up = HeldUp::writer_of(&store).await;
    let mut all = Box::pin(join_all((0..64).map(|n| {
        let to = if n == 20 {
            odd.to_owned()
        } else {
            format!("ada{n}@example.com")
        };
        write(store.clone(), to)
    })));
    assert!(poll_immediate(&mut all).await.is_none());
    held_up.let_go().await;
    all.await
}

fn failed(answers: &[Result<(), StoreError>]) -> Vec<usize> {
    let failed = |(n, answer): (usize, &Result<_, _>)| answer.is_err().then_some(n);
    answers.iter().enumerate().filter_map(failed).collect()
}

#[tokio::test]
async fn one_that_fails_among_64_at_once_fails_alone() {
    let database = Database::new().await;

    let answers = write_64_with(&database, "fails@example.com").await;

    assert_eq!(failed(&answers), [20]);
    assert_eq!(database.number("select count(*) from mails").await, 63);
    assert_eq!(database.number("select count(*) from Jobs").await, 63);
}

#[tokio::test]
async fn one_that_panics_among_64_at_once_harms_nobody() {
    let database = Database::new().await;

    let answers = write_64_with(&database, "panics@example.com").await;
    let afterwards = write(database.store(), "later@example.com".to_owned()).await;

    assert_eq!(failed(&answers), [20]);
    assert!(afterwards.is_ok());
    assert_eq!(database.number("select count(*) from mails").await, 64);
}

#[tokio::test]
async fn a_write_whose_caller_goes_away_is_finished() {
    let database = Database::new().await;
    let store = database.store();
    let held_up = HeldUp::writer_of(&store).await;
    let mut caller = Box::pin(write(store.clone(), "ada@example.com".to_owned()));
    assert!(poll_immediate(&mut caller).await.is_none());

    drop(caller);
    held_up.let_go().await;
    // Later requests are served later.
    write(store.clone(), "bob@example.com".to_owned())
        .await
        .unwrap();

    assert_eq!(mails_to(&store, "ada@example.com").await.len(), 1);
}

#[tokio::test]
async fn a_write_past_its_deadline_is_dropped_unrun() {
    let database = Database::new().await;
    let held_up = HeldUp::writer_of(&database.store()).await;
    let mut late = Box::pin(write(
        database.impatient_store(),
        "ada@example.com".to_owned(),
    ));
    assert!(poll_immediate(&mut late).await.is_none());

    held_up.let_go().await;
    let answer = late.await;

    assert!(matches!(answer, Err(StoreError::Busy)), "{answer:?}");
    assert_eq!(database.number("select count(*) from mails").await, 0);
}

#[tokio::test]
async fn a_lock_held_from_outside_is_busy_and_changes_nothing() {
    let database = Database::new().await;
    let mut outside = database.outside().await;
    let lock = outside.begin_with("BEGIN IMMEDIATE").await.unwrap();

    let during = write(database.store(), "ada@example.com".to_owned()).await;
    lock.rollback().await.unwrap();
    let after = write(database.store(), "bob@example.com".to_owned()).await;

    assert!(matches!(during, Err(StoreError::Busy)), "{during:?}");
    assert!(after.is_ok(), "{after:?}");
    assert_eq!(
        database
            .text("select group_concat(recipient) from mails")
            .await,
        "bob@example.com"
    );
}

#[tokio::test]
async fn a_long_reader_keeps_no_write_waiting() {
    let database = Database::new().await;
    let mut outside = database.outside().await;
    let mut reader = outside.begin().await.unwrap();
    let before: i64 = sqlx::query_scalar("select count(*) from mails")
        .fetch_one(&mut *reader)
        .await
        .unwrap();

    let written = write(database.store(), "ada@example.com".to_owned()).await;
    let still: i64 = sqlx::query_scalar("select count(*) from mails")
        .fetch_one(&mut *reader)
        .await
        .unwrap();

    assert!(written.is_ok(), "{written:?}");
    assert_eq!((before, still), (0, 0), "a reader sees one state");
}

#[tokio::test]
async fn closing_finishes_what_waits_and_refuses_what_comes_after() {
    let database = Database::new().await;
    let store = database.store();
    let held_up = HeldUp::writer_of(&store).await;
    let mut waiting = Box::pin(write(store.clone(), "ada@example.com".to_owned()));
    assert!(poll_immediate(&mut waiting).await.is_none());
    let sqlite = database.sqlite();
    let closing = tokio::spawn(async move { sqlite.close().await });

    held_up.let_go().await;
    let waited = waiting.await;
    tokio::time::timeout(TIMEOUT, closing)
        .await
        .unwrap()
        .unwrap();
    let after = write(store, "bob@example.com".to_owned()).await;

    assert!(waited.is_ok(), "{waited:?}");
    assert!(matches!(after, Err(StoreError::Backend(_))), "{after:?}");
    assert_eq!(database.number("select count(*) from mails").await, 1);
}

#[tokio::test]
async fn a_writer_with_a_pause_commits_all_the_same() {
    let database = Database::new().await;
    let paused = store_sqlite::Options {
        pause: Duration::from_millis(1),
        ..crate::support::options(&database.path())
    };
    let sqlite = store_sqlite::Sqlite::open(paused).await.unwrap();
    let store = Store::new(std::sync::Arc::new(sqlite), TIMEOUT);

    for n in 0..5 {
        write(store.clone(), format!("ada{n}@example.com"))
            .await
            .unwrap();
    }

    assert_eq!(database.number("select count(*) from mails").await, 5);
}

/// A watchdog asks for nothing else: a database that another program has locked is no reason for a restart.
#[tokio::test]
async fn a_writer_answers_for_itself_whoever_has_the_lock_unless_it_is_stuck() {
    let database = Database::new().await;
    let store = database.store();
    let mut outside = database.outside().await;
    let lock = outside.begin_with("begin immediate").await.unwrap();

    let locked = store.ping().await;
    lock.rollback().await.unwrap();
    let held_up = HeldUp::writer_of(&store).await;
    let mut stuck = Box::pin(store.ping());
    let while_stuck = poll_immediate(&mut stuck).await;
    held_up.let_go().await;
    let afterwards = stuck.await;
    database.sqlite().close().await;
    let closed = store.ping().await;

    assert!(locked.is_ok() && while_stuck.is_none() && afterwards.is_ok());
    assert!(closed.is_err());
}

/// A write of a user, which says when it is run.
async fn write_of(store: Store, user: i64, ran: Arc<Mutex<Vec<i64>>>) -> Result<(), StoreError> {
    let ticket = Ticket::new(Caller::User(UserId(user)), Instant::now() + TIMEOUT);
    let put = unit(move |_| {
        let ran = Arc::clone(&ran);
        Box::pin(async move {
            ran.lock().unwrap().push(user);
            Ok(())
        })
    });
    store.write_by(&ticket, put).await
}

#[tokio::test]
async fn a_users_many_writes_do_not_hold_up_anothers_single_one() {
    let database = Database::new().await;
    let store = database.store();
    let ran = Arc::<Mutex<Vec<i64>>>::default();
    let held_up = HeldUp::writer_of(&store).await;
    let mut all = Box::pin(join_all(
        std::iter::repeat_n(1, 300)
            .chain([2])
            .map(|user| write_of(store.clone(), user, Arc::clone(&ran))),
    ));
    assert!(poll_immediate(&mut all).await.is_none());

    held_up.let_go().await;
    let answers = all.await;

    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(ran.lock().unwrap()[..3], [1, 2, 1]);
}

/// What one user fills is a quarter of what may wait.
#[tokio::test]
async fn a_user_does_not_fill_the_line() {
    let database = Database::new().await;
    let store = database.store();
    let ran = Arc::<Mutex<Vec<i64>>>::default();
    let held_up = HeldUp::writer_of(&store).await;
    let mut all = Box::pin(join_all(
        std::iter::repeat_n(1, 1100)
            .chain([2])
            .map(|user| write_of(store.clone(), user, Arc::clone(&ran))),
    ));
    assert!(poll_immediate(&mut all).await.is_none());

    held_up.let_go().await;
    let answers = all.await;

    assert_eq!(failed(&answers), (1024..1100).collect::<Vec<_>>());
}

/// However much callers read at once.
#[tokio::test]
async fn a_check_waits_for_no_reader() {
    let database = Database::new().await;
    let store = database.store();
    let held = [store.reader().await.unwrap(), store.reader().await.unwrap()];

    let another = store.reader().await.err();
    let checked = store.check().await;

    assert!(matches!(another, Some(StoreError::Busy)), "{another:?}");
    assert!(checked.is_ok(), "{checked:?}");
    drop(held);
}
