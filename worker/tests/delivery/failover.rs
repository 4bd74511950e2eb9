//! Several relays: the first that works has the mail, and each relay attempt is on record.

use devmail::{Catcher, Config, Fault, Stage};
use domain::queue::MailStory;
use domain::relay::RelayState;

use crate::harness::running::Running;
use crate::harness::{Harness, until};

const ADA: &str = "ada@example.com";

/// A harness with a second relay, and a worker that prefers the first.
struct Two {
    harness: Harness,
    second: Catcher,
    worker: Running,
}

impl Two {
    async fn start(prepare: impl AsyncFnOnce(&Catcher, &Catcher)) -> Self {
        Self::start_on(Harness::in_real_time(&[]).await, prepare).await
    }

    async fn start_on(harness: Harness, prepare: impl AsyncFnOnce(&Catcher, &Catcher)) -> Self {
        let second = Catcher::start(Config::default()).await.unwrap();
        prepare(&harness.catcher, &second).await;
        let relays = format!(
            "smtp://{}?tls=none,smtp://{}?tls=none",
            harness.catcher.smtp_addr(),
            second.smtp_addr()
        );
        let changes = [
            ("SMART_NOTES__SMTP__RELAYS", relays.as_str()),
            ("SMART_NOTES__WORKER__CONCURRENCY", "1"),
            // A mail is claimed ahead, but waits for the connection of the one before it.
            ("SMART_NOTES__SMTP__MAX_CONNECTIONS", "1"),
        ];
        let worker = harness.start_with(&changes).await;
        Self {
            harness,
            second,
            worker,
        }
    }

    /// Each relay attempt as the relay's place and its outcome.
    fn attempts(&self, story: &MailStory) -> Vec<(u8, String)> {
        let first = self.harness.catcher.smtp_addr().to_string();
        let place = |relay: &str| if relay == first { 1 } else { 2 };
        let tries = story.tries.iter();
        tries
            .map(|one| (place(&one.relay), one.outcome.to_string()))
            .collect()
    }

    async fn register(&self, n: usize) -> MailStory {
        let id = self.harness.register(&format!("ada{n}@example.com")).await;
        self.harness.reaches(id, "delivered").await
    }

    /// Waits until the worker thinks so of the relay in that place.
    async fn posted(&self, place: usize, state: RelayState) {
        until(state.as_str(), async || {
            let posted = self
                .harness
                .database
                .store
                .reader()
                .await
                .unwrap()
                .posted_relays()
                .await
                .unwrap();
            posted
                .get(place - 1)
                .is_some_and(|posted| posted.status.state == state)
        })
        .await;
    }

    fn accepted(&self) -> (u64, u64) {
        (
            self.harness.catcher.inbox().accepted(),
            self.second.inbox().accepted(),
        )
    }
}

fn words(attempts: &[(u8, String)]) -> Vec<(u8, &str)> {
    attempts
        .iter()
        .map(|(place, outcome)| (*place, outcome.as_str()))
        .collect()
}

#[tokio::test]
async fn a_mail_goes_to_the_first_relay_while_that_works() {
    let two = Two::start(async |_, _| {}).await;

    for n in 0..3 {
        let story = two.register(n).await;
        assert_eq!(words(&two.attempts(&story)), [(1, "delivered")]);
    }

    assert_eq!(two.accepted(), (3, 0));
    two.worker.stop().await;
}

#[tokio::test]
async fn a_relay_that_fails_before_the_end_of_data_hands_the_mail_to_the_next_at_once() {
    let faults = [
        (None, "relay_trouble"),
        (
            Some(Fault::reply(Stage::Connect, 554, "5.3.2 No")),
            "relay_trouble",
        ),
        (
            Some(Fault::reply(Stage::Mail, 451, "4.3.0 Not now")),
            "relay_trouble",
        ),
        (
            Some(Fault::reply(Stage::Mail, 550, "5.7.1 Not you")),
            "relay_refuses_us",
        ),
        (
            Some(Fault::reply(Stage::Rcpt, 554, "5.7.1 Relay access denied")),
            "relay_refuses_us",
        ),
        (Some(Fault::cut(Stage::Rcpt)), "relay_trouble"),
        (
            Some(Fault::reply(Stage::Data, 421, "4.3.2 Going down")),
            "relay_trouble",
        ),
    ];
    for (fault, outcome) in faults {
        let two = Two::start(async |first, _| match fault {
            Some(fault) => first.faults().add(fault),
            None => first.faults().refuse_connections().await.unwrap(),
        })
        .await;

        let story = two.register(0).await;

        let attempts = two.attempts(&story);
        assert_eq!(words(&attempts), [(1, outcome), (2, "delivered")]);
        assert_eq!(story.mail.tries, 1);
        assert_eq!(two.harness.claims().await[0].1, 1, "in one claim");
        assert_eq!(two.accepted(), (0, 1));
        two.worker.stop().await;
    }
}

#[tokio::test]
async fn a_relay_whose_breaker_is_open_is_left_out_and_comes_back_first() {
    let two = Two::start(async |first, _| {
        first.faults().refuse_connections().await.unwrap();
    })
    .await;
    for n in 0..3 {
        two.register(n).await;
    }

    two.posted(1, RelayState::Open).await;
    let meanwhile = two.register(3).await;
    two.harness
        .catcher
        .faults()
        .accept_connections()
        .await
        .unwrap();
    two.posted(1, RelayState::HalfOpen).await;
    let trial = two.register(4).await;
    two.posted(1, RelayState::Closed).await;
    let after = two.register(5).await;

    assert_eq!(words(&two.attempts(&meanwhile)), [(2, "delivered")]);
    assert_eq!(words(&two.attempts(&trial)), [(1, "delivered")]);
    assert_eq!(words(&two.attempts(&after)), [(1, "delivered")]);
    assert_eq!(two.accepted(), (2, 4));
    two.worker.stop().await;
}

#[tokio::test]
async fn a_trial_that_fails_goes_to_the_next_relay_at_once() {
    let two = Two::start(async |first, _| {
        first
            .faults()
            .add(Fault::reply(Stage::Mail, 451, "4.3.0 Not now"));
    })
    .await;
    for n in 0..3 {
        two.register(n).await;
    }

    two.posted(1, RelayState::HalfOpen).await;
    let trial = two.register(3).await;

    let attempts = two.attempts(&trial);
    assert_eq!(words(&attempts), [(1, "relay_trouble"), (2, "delivered")]);
    two.worker.stop().await;
}

#[tokio::test]
async fn after_the_end_of_data_no_other_relay_gets_the_mail_in_the_same_attempt() {
    let faults = [
        (Fault::cut(Stage::EndOfData).storing(), "uncertain"),
        (
            Fault::reply(Stage::EndOfData, 421, "4.3.2 Going down"),
            "relay_trouble",
        ),
        (
            Fault::reply(Stage::EndOfData, 550, "5.7.26 No"),
            "relay_refuses_us",
        ),
    ];
    for (fault, outcome) in faults {
        let two = Two::start_on(Harness::new().await, async |first, _| {
            first.faults().add(fault);
        })
        .await;

        let id = two.harness.register(ADA).await;
        let story = two.harness.reaches(id, "waiting").await;

        assert_eq!(words(&two.attempts(&story)), [(1, outcome)]);
        assert_eq!(two.accepted().1, 0);
        two.worker.stop().await;
    }
}

#[tokio::test]
async fn a_recipient_that_one_relay_refuses_is_not_offered_to_the_next() {
    let two = Two::start(async |_, _| {}).await;

    let refused = two.harness.register("ada@bounce.test").await;
    let later = two.harness.register("eve@tempfail.test").await;
    let refused = two.harness.reaches(refused, "undeliverable").await;
    let later = two.harness.reaches(later, "waiting").await;

    assert_eq!(words(&two.attempts(&refused)), [(1, "recipient_refused")]);
    assert_eq!(words(&two.attempts(&later)), [(1, "recipient_later")]);
    assert_eq!(two.second.stages().count(Stage::Rcpt), 0);
    two.worker.stop().await;
}

#[tokio::test]
async fn with_all_relays_down_the_queue_is_held_and_whichever_comes_back_has_the_mails() {
    let two = Two::start(async |first, second| {
        first.faults().refuse_connections().await.unwrap();
        second.faults().refuse_connections().await.unwrap();
    })
    .await;
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(two.harness.register(&format!("ada{n}@example.com")).await);
    }
    two.posted(1, RelayState::Open).await;
    two.posted(2, RelayState::Open).await;
    two.harness.rests().await;
    let waits = two.harness.story(ids[0]).await.mail.reason.unwrap();
    let relays = [two.harness.catcher.smtp_addr(), two.second.smtp_addr()];
    let attempts = [
        two.harness.attempts(relays[0]).await,
        two.harness.attempts(relays[1]).await,
    ];

    two.second.faults().accept_connections().await.unwrap();
    let mut stories = Vec::new();
    for id in ids {
        stories.push(two.harness.reaches(id, "delivered").await);
    }

    assert_eq!(attempts, [3, 3], "three showed that both are down");
    for relay in relays {
        assert!(
            waits.contains(&format!("{relay} failed at connect")),
            "{waits}"
        );
    }
    for story in &stories {
        assert_eq!(story.mail.tries, 1);
        let reason = story.mail.reason.as_deref().unwrap();
        assert!(
            reason.contains("accepted") && !reason.contains("failed"),
            "{reason}"
        );
    }
    assert_eq!(two.accepted(), (0, 6));
    two.worker.stop().await;
}
