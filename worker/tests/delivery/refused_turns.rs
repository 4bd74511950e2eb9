//! What the database refuses of one mail, again and again, while it takes everything else.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use domain::mail::MailState;
use domain::queue::{Claimed, Keys, Rescue, SendPermit, Watch};
use domain::store::{Backend, DynWrite, Store, StoreError, Ticket, View};
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

/// The ledger of a worker of four hands on that database.
fn ledger_on(
    store: Store,
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
    Ledger::new(store, clock, claimant, gate, shutdown.clone(), abandon)
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
    let rescue = Rescue {
        dead: vec!["tests".to_owned()],
        now: rig.clock.now(),
    };
    rig.database.store.write(rescue).await.unwrap();
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
                    marked = ledger.mark(mail.claim) => assert_eq!(marked, SendPermit::Granted),
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
    let store = rig.database.store.clone();
    let (ledger, handle, mut mails) = ledger_on(store, &rig, &shutdown);
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
    let failures = Arc::new(AtomicU32::new(0));
    let store = rig.database.store.behind(|database| {
        Arc::new(FailingDisk {
            database,
            failures: Arc::clone(&failures),
        })
    });
    let (ledger, handle, mut mails) = ledger_on(store, &rig, &shutdown);
    let running = tokio::spawn(ledger.run());
    let mail = mails.recv().await.unwrap();
    failures.store(10, Ordering::SeqCst);

    handle.ended(mail.claim, delivered_saying(&mail, "250 Ok"));
    let story = rig.reaches(id, "delivered").await;
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

    async fn answers(&self) -> Result<(), StoreError> {
        self.database.answers().await
    }

    async fn view(&self, ticket: Ticket) -> Result<Box<dyn View>, StoreError> {
        self.database.view(ticket).await
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
