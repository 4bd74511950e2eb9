//! What the database refuses of one mail, again and again, while it takes everything else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use domain::mail::MailState;
use domain::queue::{
    Beat, Claimed, Due, JobQueue, Keep, Keys, Marked, Rescued, Tended, Turn, TurnReport, Watch,
};
use domain::relay::{PostedStanding, RelayStanding};
use domain::store::StoreError;
use jiff::Timestamp;
use runtime::shutdown::Shutdown;
use smart_notes_worker::outcome::Outcome;
use smart_notes_worker::queue::gate::Gate;
use smart_notes_worker::queue::ledger::{Claimant, Ledger};
use smart_notes_worker::queue::{Ending, LedgerHandle};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::hands::{delivered, with_handler};
use crate::rig::Rig;

const ADA: &str = "ada@example.com";
const BOB: &str = "bob@example.com";

/// From now on the database refuses whatever would do that.
async fn refuse(rig: &Rig, what: &str) {
    let trigger =
        format!("create trigger refused {what} begin select raise(abort, 'on purpose'); end");
    run(rig, trigger).await;
}

async fn refuse_no_more(rig: &Rig) {
    run(rig, "drop trigger refused".to_owned()).await;
}

async fn run(rig: &Rig, statements: String) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements))
        .execute(&mut rig.outside().await)
        .await
        .unwrap();
}

/// The ledger of a worker of four hands on that queue.
fn ledger_on(
    queue: Arc<dyn JobQueue>,
    rig: &Rig,
    shutdown: &Shutdown,
) -> (Ledger, LedgerHandle, UnboundedReceiver<Claimed>) {
    let claimant = Claimant {
        worker: "tests".to_owned(),
        hands: 4,
        keys: Keys::Any,
        lane: smart_notes_worker::smtp::SlowLane::of(4),
    };
    let (clock, gate) = (Arc::clone(&rig.clock), Gate::always_open());
    let abandon = CancellationToken::new();
    Ledger::new(queue, clock, claimant, gate, shutdown.clone(), abandon)
}

async fn delivers(_: Claimed, _: LedgerHandle) -> Ending {
    delivered()
}

fn delivered_saying(mail: &Claimed, text: &str) -> Ending {
    let outcome = Outcome::finished(MailState::Delivered, "250 Ok").counted();
    let on_record = outcome.on_record("dot", "delivered", text.to_owned(), mail.created);
    Ending::Settled(Box::new(on_record))
}

#[tokio::test]
async fn an_end_that_the_database_refuses_holds_up_no_other_and_is_left_to_the_rescue() {
    let rig = Rig::new().await;
    refuse(
        &rig,
        "before update on mails when new.state = 'delivered' and new.recipient = 'ada@example.com'",
    )
    .await;
    let refused = rig.register(ADA).await;
    let other = rig.register(BOB).await;

    with_handler(&rig, delivers, async {
        rig.reaches(other, "delivered").await;
        let later = rig.register("eve@example.com").await;
        rig.reaches(later, "delivered").await;
    })
    .await;
    let left = rig.story(refused).await.mail.state;
    refuse_no_more(&rig).await;
    let queue = &rig.database.queue;
    queue
        .rescue(&["tests".to_owned()], rig.clock.now())
        .await
        .unwrap();
    with_handler(&rig, delivers, rig.reaches(refused, "delivered")).await;

    assert_eq!(left, "sending");
    rig.is_consistent().await;
}

#[tokio::test]
async fn an_end_is_on_record_even_if_the_database_refuses_what_was_said() {
    let rig = Rig::new().await;
    refuse(&rig, "before insert on mail_tries when new.text = 'odd'").await;
    let handler = |mail: Claimed, _: LedgerHandle| async move {
        let text = if mail.to == ADA { "odd" } else { "fine" };
        delivered_saying(&mail, text)
    };
    let (odd, other) = (rig.register(ADA).await, rig.register(BOB).await);

    let (odd, other) = with_handler(&rig, handler, async {
        (
            rig.reaches(odd, "delivered").await,
            rig.reaches(other, "delivered").await,
        )
    })
    .await;

    assert_eq!((odd.mail.tries, odd.tries.len()), (1, 0));
    assert_eq!((other.mail.tries, other.tries.len()), (1, 1));
    rig.is_consistent().await;
}

#[tokio::test]
async fn a_mark_that_the_database_refuses_is_not_granted_and_others_are() {
    let rig = Rig::new().await;
    refuse(
        &rig,
        "before update of dot_claim_no on mails when new.recipient = 'ada@example.com'",
    )
    .await;
    let gives_up = Arc::new(Notify::new());
    let handler = {
        let gives_up = Arc::clone(&gives_up);
        move |mail: Claimed, ledger: LedgerHandle| {
            let gives_up = Arc::clone(&gives_up);
            async move {
                tokio::select! {
                    marked = ledger.mark(mail.claim) => assert_eq!(marked, Marked::Go),
                    () = gives_up.notified() => return Ending::Held,
                }
                delivered()
            }
        }
    };
    let (refused, other) = (rig.register(ADA).await, rig.register(BOB).await);

    with_handler(&rig, handler, async {
        rig.reaches(other, "delivered").await;
        refuse_no_more(&rig).await;
        gives_up.notify_waiters();
        rig.reaches(refused, "delivered").await;
    })
    .await;

    rig.is_consistent().await;
}

/// However often it refuses: what it refuses to everybody says nothing of a mail.
#[tokio::test]
async fn a_database_that_refuses_everything_is_waited_for_and_nothing_is_lost() {
    let rig = Rig::new().await;
    let id = rig.register(ADA).await;
    let shutdown = Shutdown::new();
    let queue = Arc::clone(&rig.database.queue);
    let (ledger, handle, mut mails) = ledger_on(queue, &rig, &shutdown);
    let liveness = ledger.liveness();
    let running = tokio::spawn(ledger.run());
    let mail = mails.recv().await.unwrap();
    refuse(&rig, "before update on mails").await;
    run(
        &rig,
        "create trigger no_signs_of_life before update on Workers
         begin select raise(abort, 'on purpose'); end"
            .to_owned(),
    )
    .await;

    handle.ended(mail.claim, delivered_saying(&mail, "250 Ok"));
    // Each time it is refused once more, but for the first, which may be before the turn.
    for _ in 0..=10 {
        liveness.ping().await;
    }
    refuse_no_more(&rig).await;
    run(&rig, "drop trigger no_signs_of_life".to_owned()).await;
    let story = rig.reaches(id, "delivered").await;
    shutdown.trigger();
    handle.close();

    assert_eq!(story.tries.len(), 1);
    running.await.unwrap().unwrap();
}

/// A disk that is all but full takes a sign of life and not a turn.
#[tokio::test]
async fn a_disk_that_fails_for_turns_alone_is_waited_for_and_nothing_is_lost() {
    let rig = Rig::new().await;
    let id = rig.register(ADA).await;
    let shutdown = Shutdown::new();
    let disk = Arc::new(FailingDisk {
        queue: Arc::clone(&rig.database.queue),
        failures: AtomicU32::new(0),
    });
    let queue = Arc::clone(&disk) as Arc<dyn JobQueue>;
    let (ledger, handle, mut mails) = ledger_on(queue, &rig, &shutdown);
    let running = tokio::spawn(ledger.run());
    let mail = mails.recv().await.unwrap();
    disk.failures.store(10, Ordering::SeqCst);

    handle.ended(mail.claim, delivered_saying(&mail, "250 Ok"));
    let story = rig.reaches(id, "delivered").await;
    shutdown.trigger();
    handle.close();

    assert_eq!(disk.failures.load(Ordering::SeqCst), 0);
    assert_eq!(story.tries.len(), 1);
    running.await.unwrap().unwrap();
}

/// A queue on a disk that fails so many turns more.
struct FailingDisk {
    queue: Arc<dyn JobQueue>,
    failures: AtomicU32,
}

#[async_trait]
impl JobQueue for FailingDisk {
    async fn turn(
        &self,
        worker: &str,
        turn: Arc<Turn>,
        now: Timestamp,
    ) -> Result<TurnReport, StoreError> {
        let failures = &self.failures;
        match failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        }) {
            Ok(_) => Err(StoreError::Backend("disk I/O error".into())),
            Err(_) => self.queue.turn(worker, turn, now).await,
        }
    }

    async fn due(&self, keys: &Keys, now: Timestamp) -> Result<Due, StoreError> {
        self.queue.due(keys, now).await
    }

    async fn tend(&self, keys: &Keys, now: Timestamp) -> Result<Tended, StoreError> {
        self.queue.tend(keys, now).await
    }

    async fn post_relays(
        &self,
        worker: &str,
        standings: &[RelayStanding],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.queue.post_relays(worker, standings, now).await
    }

    async fn relays(&self) -> Result<Vec<PostedStanding>, StoreError> {
        self.queue.relays().await
    }

    async fn beat(&self, worker: &str, now: Timestamp) -> Result<(), StoreError> {
        self.queue.beat(worker, now).await
    }

    async fn beats(&self) -> Result<Vec<Beat>, StoreError> {
        self.queue.beats().await
    }

    async fn rescue(&self, dead: &[String], now: Timestamp) -> Result<Vec<Rescued>, StoreError> {
        self.queue.rescue(dead, now).await
    }

    async fn leave(&self, worker: &str) -> Result<(), StoreError> {
        self.queue.leave(worker).await
    }

    async fn sweep(&self, keep: Keep, now: Timestamp) -> Result<u64, StoreError> {
        self.queue.sweep(keep, now).await
    }

    async fn watch(&self) -> Result<Box<dyn Watch>, StoreError> {
        self.queue.watch().await
    }
}
