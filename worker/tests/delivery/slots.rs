//! Handlers that break: the queue's part of the worker, under handlers of the test's own.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use apalis_core::task::Task;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_core::worker::context::WorkerContext;
use domain::delivery::Outcome;
use domain::mail::MailState;
use domain::queue::{Claimed, Keys, SendPermit};
use runtime::shutdown::Shutdown;
use smart_notes_worker::queue::dispatcher::{Claimant, Dispatcher};
use smart_notes_worker::queue::gate::Gate;
use smart_notes_worker::queue::run_layer::RunLayer;
use smart_notes_worker::queue::{DispatcherHandle, HandlerResult, MailBackend};
use smart_notes_worker::smtp::SlowLane;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tower::service_fn;

use crate::harness::{Harness, PATIENCE, outcomes, until};

const ADA: &str = "ada@example.com";

/// Runs a worker whose handler is `handle` while `test` goes on.
pub(super) async fn with_handler<F, T>(
    harness: &Harness,
    handle: impl Fn(Claimed, DispatcherHandle) -> F + Send + Sync + 'static,
    test: impl Future<Output = T>,
) -> T
where
    F: Future<Output = HandlerResult> + Send + 'static,
{
    let (shutdown, abandon) = (Shutdown::new(), CancellationToken::new());
    let (dispatcher, dispatcher_handle, mails) = Dispatcher::new(
        harness.database.store.clone(),
        Arc::clone(&harness.clock),
        Claimant {
            worker: "tests".to_owned(),
            slots: 4,
            keys: Keys::Any,
            lane: SlowLane::of(4),
        },
        Gate::always_open(),
        shutdown.clone(),
        abandon.clone(),
    );
    let backend = MailBackend::new(
        mails,
        dispatcher_handle.clone(),
        tokio::spawn(dispatcher.run()),
        RunLayer::new(dispatcher_handle.clone(), abandon),
    );
    let worker = WorkerBuilder::new(WorkerContext::new("tests"))
        .backend(backend)
        .build(service_fn(move |task: Task<Claimed>| {
            let result = handle(task.args, dispatcher_handle.clone());
            async move { Ok::<_, Infallible>(result.await) }
        }));
    let stop = shutdown.clone();
    let running = worker.run_until(async move {
        stop.cancelled().await;
        Ok::<(), std::io::Error>(())
    });
    let tested = async {
        let tested = test.await;
        shutdown.trigger();
        tested
    };

    let (ended, tested) = tokio::time::timeout(PATIENCE, async { tokio::join!(running, tested) })
        .await
        .expect("the worker stops");
    ended.unwrap();
    tested
}

pub(super) fn delivered(mail: &Claimed) -> HandlerResult {
    let state = MailState::Delivered;
    let outcome = Outcome::finished(mail.claim, state, "250 2.0.0 Ok", mail.created);
    HandlerResult::Settled {
        outcome: Box::new(outcome.counted()),
        woken: Vec::new(),
    }
}

#[tokio::test]
async fn a_handler_that_panics_costs_an_attempt_and_harms_no_other() {
    let harness = Harness::new().await;
    let handler = |mail: Claimed, _: DispatcherHandle| async move {
        assert!(mail.to != ADA, "on purpose");
        delivered(&mail)
    };
    let broken = harness.register(ADA).await;
    let other = harness.register("bob@example.com").await;

    let story = with_handler(&harness, handler, async {
        harness.reaches(other, "delivered").await;
        harness.reaches(broken, "waiting").await
    })
    .await;

    assert_eq!(story.mail.tries, 1);
    assert_eq!(story.mail.reason.as_deref(), Some("its handler panicked"));
    assert!(story.mail.again_at.unwrap() > harness.clock.now());
    assert_eq!(
        outcomes(&story),
        ["panicked"],
        "an attempt that counts is on record"
    );
    assert_eq!(story.tries[0].again_at, story.mail.again_at);
}

#[tokio::test]
async fn a_mail_for_which_no_relay_is_left_goes_back_as_it_came() {
    let harness = Harness::new().await;
    let id = harness.register(ADA).await;
    let handler = |mail: Claimed, _: DispatcherHandle| async move {
        if mail.claim.number == 1 {
            return HandlerResult::Held;
        }
        assert_eq!((mail.tries, mail.uncertain_attempts), (0, 0));
        delivered(&mail)
    };

    let story = with_handler(&harness, handler, harness.reaches(id, "delivered")).await;

    assert_eq!((story.mail.tries, story.tries.len()), (1, 0));
    assert_eq!(harness.claims().await[0].1, 2);
}

#[tokio::test]
async fn a_handler_that_always_panics_ends_with_the_code() {
    let harness = Harness::new().await;
    let id = harness.register(ADA).await;
    let panics = |_: Claimed, _: DispatcherHandle| async { panic!("on purpose") };

    let tries = with_handler(&harness, panics, async {
        let mut tries = 0;
        while harness.clock.now()
            < harness.story(id).await.mail.created + std::time::Duration::from_mins(10)
        {
            harness.is_waiting_after(id, tries + 1).await;
            harness.advance(std::time::Duration::from_mins(3));
            tries += 1;
        }
        tries
    })
    .await;
    let worker = harness.start().await;
    harness.reaches(id, "expired").await;
    worker.stop().await;

    assert_eq!(tries, 4);
    assert_eq!(harness.catcher.inbox().accepted(), 0);
}

#[tokio::test]
async fn a_handler_that_panics_after_its_permit_counts_as_uncertain_and_twice_is_the_last() {
    let harness = Harness::new().await;
    let id = harness.register(ADA).await;
    let handler = |mail: Claimed, dispatcher: DispatcherHandle| async move {
        let permitted = dispatcher.permit(mail.claim).await;
        assert!(permitted != SendPermit::Granted, "on purpose");
        HandlerResult::Lost
    };

    let story = with_handler(&harness, handler, harness.reaches(id, "undeliverable")).await;

    assert_eq!(outcomes(&story), ["uncertain", "uncertain"]);
    let reason = story.mail.reason.unwrap();
    assert!(reason.contains("may have been delivered"), "{reason}");
}

#[tokio::test]
async fn while_mails_flow_as_many_are_claimed_ahead_as_have_ended_and_no_more() {
    let harness = Harness::new().await;
    for n in 0..20 {
        harness.register(&format!("ada{n}@example.com")).await;
    }
    let (begun, mut begins) = mpsc::unbounded_channel();
    let ends = Arc::new(Semaphore::new(0));
    let handler = {
        let ends = Arc::clone(&ends);
        move |mail: Claimed, _: DispatcherHandle| {
            let (begun, ends) = (begun.clone(), Arc::clone(&ends));
            async move {
                begun.send(()).unwrap();
                ends.acquire().await.unwrap().forget();
                delivered(&mail)
            }
        }
    };

    let (before, after) = with_handler(&harness, handler, async {
        for _ in 0..4 {
            begins.recv().await.unwrap();
        }
        let before = begins.len();
        ends.add_permits(4);
        // Four for the slots that came free, and at least one ahead.
        for _ in 0..5 {
            begins.recv().await.unwrap();
        }
        until("four are delivered", async || {
            let mails = harness.mails().await;
            mails
                .iter()
                .filter(|mail| mail.state == "delivered")
                .count()
                == 4
        })
        .await;
        let after = begins.len();
        ends.close();
        (before, after)
    })
    .await;

    assert_eq!(before, 0, "there are four slots");
    assert!(after <= 3, "{after} more than as many ahead as have ended");
}
