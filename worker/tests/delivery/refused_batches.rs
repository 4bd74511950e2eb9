//! What the database refuses of one mail, again and again, while it takes everything else.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use domain::delivery::{AttemptOutcome, Outcome, Stage};
use domain::mail::MailState;
use domain::queue::{Claimed, Keys, Rescue, SendPermit, Watch};
use domain::store::{Backend, DynWrite, Reader, Store, StoreError, Ticket};
use runtime::shutdown::Shutdown;
use smart_notes_worker::queue::dispatcher::{Claimant, Dispatcher};
use smart_notes_worker::queue::gate::Gate;
use smart_notes_worker::queue::{DispatcherHandle, HandlerResult};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::slots::{delivered, with_handler};
use crate::harness::Harness;

const ADA: &str = "ada@example.com";
const BOB: &str = "bob@example.com";

/// From now on the database refuses whatever would do that.
async fn refuse(harness: &Harness, what: &str) {
    let trigger =
        format!("create trigger refused {what} begin select raise(abort, 'on purpose'); end");
    run(harness, trigger).await;
}

async fn refuse_no_more(harness: &Harness) {
    run(harness, "drop trigger refused".to_owned()).await;
}

async fn run(harness: &Harness, statements: String) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements))
        .execute(&mut harness.outside().await)
        .await
        .unwrap();
}

/// The dispatcher of a worker with four slots on that database.
fn dispatcher_on(
    store: Store,
    harness: &Harness,
    shutdown: &Shutdown,
) -> (Dispatcher, DispatcherHandle, UnboundedReceiver<Claimed>) {
    let claimant = Claimant {
        worker: "tests".to_owned(),
        slots: 4,
        keys: Keys::Any,
        lane: smart_notes_worker::smtp::SlowLane::of(4),
    };
    let (clock, gate) = (Arc::clone(&harness.clock), Gate::always_open());
    let abandon = CancellationToken::new();
    Dispatcher::new(store, clock, claimant, gate, shutdown.clone(), abandon)
}

async fn delivers(mail: Claimed, _: DispatcherHandle) -> HandlerResult {
    delivered(&mail)
}

fn delivered_saying(mail: &Claimed, text: &str) -> HandlerResult {
    let state = MailState::Delivered;
    let outcome = Outcome::finished(mail.claim, state, "250 Ok", mail.created).counted();
    let end = (Stage::EndOfData, AttemptOutcome::Delivered);
    HandlerResult::Settled {
        outcome: Box::new(outcome.on_record(end.0, end.1, text.to_owned())),
        woken: Vec::new(),
    }
}

#[tokio::test]
async fn an_end_that_the_database_refuses_holds_up_no_other_and_is_left_to_the_rescue() {
    let harness = Harness::new().await;
    refuse(
        &harness,
        "before update on mails when new.state = 'delivered' and new.recipient = 'ada@example.com'",
    )
    .await;
    let refused = harness.register(ADA).await;
    let other = harness.register(BOB).await;

    with_handler(&harness, delivers, async {
        harness.reaches(other, "delivered").await;
        let later = harness.register("eve@example.com").await;
        harness.reaches(later, "delivered").await;
    })
    .await;
    let left = harness.story(refused).await.mail.state;
    refuse_no_more(&harness).await;
    let rescue = Rescue {
        dead: vec!["tests".to_owned()],
        now: harness.clock.now(),
    };
    harness.database.store.write(rescue).await.unwrap();
    with_handler(&harness, delivers, harness.reaches(refused, "delivered")).await;

    assert_eq!(left, "sending");
    harness.is_consistent().await;
}

#[tokio::test]
async fn an_end_is_on_record_even_if_the_database_refuses_what_was_said() {
    let harness = Harness::new().await;
    refuse(
        &harness,
        "before insert on mail_tries when new.text = 'odd'",
    )
    .await;
    let handler = |mail: Claimed, _: DispatcherHandle| async move {
        let text = if mail.to == ADA { "odd" } else { "fine" };
        delivered_saying(&mail, text)
    };
    let (odd, other) = (harness.register(ADA).await, harness.register(BOB).await);

    let (odd, other) = with_handler(&harness, handler, async {
        (
            harness.reaches(odd, "delivered").await,
            harness.reaches(other, "delivered").await,
        )
    })
    .await;

    assert_eq!((odd.mail.tries, odd.tries.len()), (1, 0));
    assert_eq!((other.mail.tries, other.tries.len()), (1, 1));
    harness.is_consistent().await;
}

#[tokio::test]
async fn a_mark_that_the_database_refuses_is_not_granted_and_others_are() {
    let harness = Harness::new().await;
    refuse(
        &harness,
        "before update of dot_claim_no on mails when new.recipient = 'ada@example.com'",
    )
    .await;
    let gives_up = Arc::new(Notify::new());
    let handler = {
        let gives_up = Arc::clone(&gives_up);
        move |mail: Claimed, dispatcher: DispatcherHandle| {
            let gives_up = Arc::clone(&gives_up);
            async move {
                tokio::select! {
                    permitted = dispatcher.permit(mail.claim) => assert_eq!(permitted, SendPermit::Granted),
                    () = gives_up.notified() => return HandlerResult::Held,
                }
                delivered(&mail)
            }
        }
    };
    let (refused, other) = (harness.register(ADA).await, harness.register(BOB).await);

    with_handler(&harness, handler, async {
        harness.reaches(other, "delivered").await;
        refuse_no_more(&harness).await;
        gives_up.notify_waiters();
        harness.reaches(refused, "delivered").await;
    })
    .await;

    harness.is_consistent().await;
}

/// However often it refuses: what it refuses to everybody says nothing of a mail.
#[tokio::test]
async fn a_database_that_refuses_everything_is_waited_for_and_nothing_is_lost() {
    let harness = Harness::new().await;
    let id = harness.register(ADA).await;
    let shutdown = Shutdown::new();
    let database = harness.database.store.clone();
    let (dispatcher, handle, mut mails) = dispatcher_on(database, &harness, &shutdown);
    let liveness = dispatcher.liveness();
    let running = tokio::spawn(dispatcher.run());
    let mail = mails.recv().await.unwrap();
    refuse(&harness, "before update on mails").await;
    run(
        &harness,
        "create trigger no_signs_of_life before update on Workers
         begin select raise(abort, 'on purpose'); end"
            .to_owned(),
    )
    .await;

    handle.finished(mail.claim, delivered_saying(&mail, "250 Ok"));
    // Each time it is refused once more, but for the first, which may be before the batch.
    for _ in 0..=10 {
        liveness.ping().await;
    }
    refuse_no_more(&harness).await;
    run(&harness, "drop trigger no_signs_of_life".to_owned()).await;
    let story = harness.reaches(id, "delivered").await;
    shutdown.trigger();
    handle.close();

    assert_eq!(story.tries.len(), 1);
    running.await.unwrap().unwrap();
}

/// An almost full disk accepts a heartbeat and not a batch.
#[tokio::test]
async fn a_disk_that_fails_for_batches_alone_is_waited_for_and_nothing_is_lost() {
    let harness = Harness::new().await;
    let id = harness.register(ADA).await;
    let shutdown = Shutdown::new();
    let failures = Arc::new(AtomicU32::new(0));
    let database = harness.database.store.behind(|database| {
        Arc::new(FailingDisk {
            database,
            failures: Arc::clone(&failures),
        })
    });
    let (dispatcher, handle, mut mails) = dispatcher_on(database, &harness, &shutdown);
    let running = tokio::spawn(dispatcher.run());
    let mail = mails.recv().await.unwrap();
    failures.store(10, Ordering::SeqCst);

    handle.finished(mail.claim, delivered_saying(&mail, "250 Ok"));
    let story = harness.reaches(id, "delivered").await;
    shutdown.trigger();
    handle.close();

    assert_eq!(failures.load(Ordering::SeqCst), 0);
    assert_eq!(story.tries.len(), 1);
    running.await.unwrap().unwrap();
}

/// A database on a disk that fails so many writes more.
struct FailingDisk {
    database: Arc<dyn Backend>,
    failures: Arc<AtomicU32>,
}

#[async_trait]
impl Backend for FailingDisk {
    async fn run(
        &self,
        write: Box<dyn DynWrite>,
        ticket: Ticket,
    ) -> Result<Box<dyn Any + Send>, StoreError> {
        let failures = &self.failures;
        match failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        }) {
            Ok(_) => Err(StoreError::Backend("disk I/O error".into())),
            Err(_) => self.database.run(write, ticket).await,
        }
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.database.ping().await
    }

    async fn reader(&self, ticket: Ticket) -> Result<Box<dyn Reader>, StoreError> {
        self.database.reader(ticket).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.database.check().await
    }

    async fn writable(&self) -> Result<(), StoreError> {
        self.database.writable().await
    }

    async fn watch(&self) -> Result<Box<dyn Watch>, StoreError> {
        self.database.watch().await
    }

    async fn erase_deleted(&self) -> Result<(), StoreError> {
        self.database.erase_deleted().await
    }
}
