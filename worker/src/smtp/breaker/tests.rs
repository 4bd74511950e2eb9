//! The breaker's table, row by row.

use super::*;
use crate::smtp::{End, Stage, Try, Verdict};

const SECOND: Duration = Duration::from_secs(1);

/// A breaker and its clock. Chance is in the middle unless a test says otherwise.
struct Scene {
    breaker: Breaker,
    now: Instant,
}

impl Scene {
    fn new() -> Self {
        Self {
            breaker: Breaker::default(),
            now: Instant::now(),
        }
    }

    fn after(&mut self, pause: Duration) -> &mut Self {
        self.now += pause;
        self
    }

    /// A mail goes by that pass and comes to that.
    fn tries(&mut self, mail: MailId, pass: Pass, health: Health) -> Option<Change> {
        let why = format!("{health:?}");
        self.breaker.tried(mail, pass, health, &why, self.now, 0.0)
    }

    /// Any mail is tried.
    fn comes(&mut self, health: Health) -> Option<Change> {
        self.tries(MailId::generate(), Pass::Free, health)
    }

    /// The next probe sets out when it is due; how long that took.
    fn waits_for_probe(&mut self) -> Duration {
        let due = self.breaker.next_probe().expect("it is open");
        let pause = due - self.now;
        if !pause.is_zero() {
            let early = due.checked_sub(Duration::from_millis(1)).unwrap();
            assert!(!self.breaker.probe_is_due(early, 0.0));
        }
        self.now = due;
        assert!(self.breaker.probe_is_due(due, 0.0));
        pause
    }

    /// A probe goes well, and a mail goes as the trial with that result.
    fn trial(&mut self, health: Health) -> Option<Change> {
        self.waits_for_probe();
        assert_eq!(self.breaker.probed_well(), Some(Change::HalfOpened));
        assert_eq!(self.breaker.admit(false, self.now), Some(Pass::Trial));
        self.tries(MailId::generate(), Pass::Trial, health)
    }

    fn opened(health: Health) -> Self {
        let mut scene = Self::new();
        while scene.comes(health).is_none() {}
        scene
    }
}

#[test]
fn three_tries_in_trouble_within_30_seconds_open_it_and_two_do_not() {
    let mut scene = Scene::new();

    assert_eq!(scene.comes(Health::Sick), None);
    assert_eq!(scene.after(15 * SECOND).comes(Health::Sick), None);
    assert_eq!(scene.breaker.admit(false, scene.now), Some(Pass::Free));
    let third = scene.after(14 * SECOND).comes(Health::Sick);

    assert_eq!(third, Some(Change::Opened(Pace::Trouble)));
    assert_eq!(scene.breaker.state(), RelayState::Open);
    assert_eq!(scene.breaker.reason(), Some("Sick"));
    assert_eq!(scene.breaker.admit(false, scene.now), None);
}

#[test]
fn trouble_that_is_30_seconds_old_is_forgotten_when_a_mail_gets_through() {
    let mut scene = Scene::new();

    scene.comes(Health::Sick);
    scene.comes(Health::Sick);
    scene.after(30 * SECOND).comes(Health::Healthy);
    let third = scene.comes(Health::Sick);

    assert_eq!(third, None);
    assert_eq!(scene.breaker.state(), RelayState::Closed);
}

/// Each takes so long that no three are within 30 seconds where there is only one mail.
#[test]
fn three_tries_in_trouble_in_a_row_open_it_however_slow() {
    let mut scene = Scene::new();

    scene.comes(Health::Sick);
    assert_eq!(scene.after(42 * SECOND).comes(Health::Sick), None);
    let third = scene.after(42 * SECOND).comes(Health::Sick);

    assert_eq!(third, Some(Change::Opened(Pace::Trouble)));
}

#[test]
fn mails_that_get_through_in_between_do_not_make_up_for_trouble() {
    let mut scene = Scene::new();

    scene.comes(Health::Sick);
    scene.comes(Health::Healthy);
    scene.comes(Health::Sick);
    scene.comes(Health::Healthy);

    assert!(scene.comes(Health::Sick).is_some());
}

#[test]
fn a_relay_that_refuses_us_opens_it_at_once() {
    let mut scene = Scene::new();

    let first = scene.comes(Health::Refusing);

    assert_eq!(first, Some(Change::Opened(Pace::Refusal)));
    assert_eq!(scene.breaker.admit(false, scene.now), None);
}

#[test]
fn a_mail_at_which_the_relay_fails_holds_up_nobody_but_several_in_a_row_do() {
    let mut scene = Scene::new();

    scene.comes(Health::Doubtful);
    scene.comes(Health::Doubtful);
    scene.comes(Health::Healthy);
    scene.comes(Health::Doubtful);
    assert_eq!(scene.comes(Health::Doubtful), None);
    let third = scene.after(1000 * SECOND).comes(Health::Doubtful);

    assert_eq!(third, Some(Change::Opened(Pace::Trouble)), "however slow");
}

#[test]
fn one_mail_alone_holds_up_nobody_however_often_it_is_tried() {
    let (mut scene, mail) = (Scene::new(), MailId::generate());

    for _ in 0..100 {
        assert_eq!(scene.tries(mail, Pass::Free, Health::Doubtful), None);
        assert_eq!(scene.tries(mail, Pass::Free, Health::DoubtfulRefusal), None);
    }

    assert_eq!(scene.breaker.state(), RelayState::Closed);
}

#[test]
fn a_relay_that_works_or_of_which_nothing_was_learnt_stays_closed() {
    let mut scene = Scene::new();

    for health in [Health::Healthy, Health::Unknown] {
        for _ in 0..10 {
            assert_eq!(scene.comes(health), None);
        }
    }

    assert_eq!(scene.breaker.admit(false, scene.now), Some(Pass::Free));
}

#[test]
fn a_relay_in_trouble_is_probed_every_two_seconds_one_more_or_less() {
    let mut scene = Scene::opened(Health::Sick);

    for _ in 0..50 {
        assert_eq!(scene.waits_for_probe(), 2 * SECOND);
    }
    let pause = |jitter| Pace::Trouble.pause(7, jitter);
    assert_eq!((pause(-1.0), pause(1.0)), (SECOND, 3 * SECOND));
}

#[test]
fn a_relay_that_refuses_us_is_probed_after_5_seconds_then_less_and_less_up_to_a_minute() {
    let mut scene = Scene::opened(Health::Refusing);

    let pauses: Vec<u64> = (0..6).map(|_| scene.waits_for_probe().as_secs()).collect();

    assert_eq!(pauses, [5, 10, 20, 40, 60, 60]);
    for (probes, jitter) in [(0, -1.0), (9, 1.0), (u32::MAX, 1.0)] {
        let pause = Pace::Refusal.pause(probes, jitter);
        assert!((5 * SECOND..=60 * SECOND).contains(&pause), "{pause:?}");
    }
}

#[test]
fn a_relay_that_refused_single_mails_is_probed_more_often() {
    let mut scene = Scene::opened(Health::DoubtfulRefusal);

    let pauses: Vec<u64> = (0..4).map(|_| scene.waits_for_probe().as_secs()).collect();

    assert_eq!(pauses, [5, 10, 15, 15]);
}

#[test]
fn a_good_probe_lets_one_mail_through_and_its_success_closes_it() {
    let mut scene = Scene::opened(Health::Sick);
    scene.waits_for_probe();

    assert_eq!(scene.breaker.probed_well(), Some(Change::HalfOpened));
    assert_eq!(scene.breaker.state(), RelayState::HalfOpen);
    assert_eq!(scene.breaker.next_probe(), None);
    assert_eq!(scene.breaker.admit(false, scene.now), Some(Pass::Trial));
    assert_eq!(scene.breaker.admit(false, scene.now), None, "one only");
    let success = scene.tries(MailId::generate(), Pass::Trial, Health::Healthy);

    assert_eq!(success, Some(Change::Closed));
    assert_eq!(scene.breaker.reason(), None);
    assert_eq!(scene.breaker.admit(false, scene.now), Some(Pass::Free));
    assert_eq!(scene.comes(Health::Sick), None, "the count begins anew");
}

#[test]
fn a_trial_that_fails_opens_it_again() {
    for (health, pace) in [
        (Health::Sick, Pace::Trouble),
        (Health::Doubtful, Pace::Trouble),
        (Health::Refusing, Pace::Refusal),
        (Health::DoubtfulRefusal, Pace::DoubtfulRefusal),
    ] {
        let mut scene = Scene::opened(Health::Sick);

        let failure = scene.trial(health);

        assert_eq!(failure, Some(Change::Reopened(pace)), "{health:?}");
        assert_eq!(scene.breaker.state(), RelayState::Open);
        assert_eq!(scene.breaker.admit(false, scene.now), None);
    }
}

#[test]
fn pauses_grow_on_when_probes_go_well_but_mails_are_refused() {
    let mut scene = Scene::opened(Health::Refusing);

    let mut pauses = Vec::new();
    for _ in 0..4 {
        let due = scene.breaker.next_probe().unwrap();
        pauses.push((due - scene.now).as_secs());
        scene.trial(Health::Refusing);
    }

    assert_eq!(pauses, [5, 10, 20, 40]);
}

#[test]
fn a_trial_without_an_answer_leaves_room_for_another() {
    let mut scene = Scene::opened(Health::Sick);
    scene.waits_for_probe();
    scene.breaker.probed_well();

    scene.breaker.admit(false, scene.now);
    scene.breaker.give_up_trial();
    assert_eq!(scene.breaker.admit(false, scene.now), Some(Pass::Trial));
    scene.tries(MailId::generate(), Pass::Trial, Health::Unknown);

    assert_eq!(scene.breaker.admit(false, scene.now), Some(Pass::Trial));
}

#[test]
fn while_a_trial_hangs_each_good_probe_lets_another_through_and_less_and_less_often() {
    let mut scene = Scene::opened(Health::Sick);
    scene.waits_for_probe();
    scene.breaker.probed_well();

    let mut pauses = Vec::new();
    for under_way in 0..7 {
        assert_eq!(scene.breaker.under_way(), under_way);
        assert_eq!(scene.breaker.admit(false, scene.now), Some(Pass::Trial));
        assert_eq!(
            scene.breaker.admit(false, scene.now),
            None,
            "one for each probe"
        );
        pauses.push(scene.waits_for_probe().as_secs());
        assert_eq!(
            scene.breaker.admit(false, scene.now),
            None,
            "not until it answers"
        );
        assert_eq!(scene.breaker.probed_well(), Some(Change::HalfOpened));
    }

    assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60]);
}

#[test]
fn while_a_trial_hangs_and_probes_fail_it_is_probed_on_and_no_other_goes() {
    let mut scene = Scene::opened(Health::Sick);
    scene.waits_for_probe();
    scene.breaker.probed_well();
    scene.breaker.admit(false, scene.now);

    for _ in 0..5 {
        assert_eq!(scene.waits_for_probe(), 2 * SECOND);
        let now = scene.now;
        let failed = (scene.breaker).probed_badly(Health::Sick, "still down", now, 0.0);
        assert_eq!(failed, None);
        assert_eq!(scene.breaker.admit(false, now), None);
    }
}

#[test]
fn a_probe_that_set_out_before_the_trial_lets_no_other_through() {
    let mut scene = Scene::opened(Health::Sick);
    scene.waits_for_probe();
    scene.breaker.probed_well();
    scene.breaker.admit(false, scene.now);

    let late = scene.breaker.probed_well();

    assert_eq!(late, None);
    assert_eq!(scene.breaker.admit(false, scene.now), None);
}

#[test]
fn any_trial_that_succeeds_closes_it_even_after_another_has_failed() {
    let mut scene = Scene::opened(Health::Sick);
    let [hangs, fails] = [MailId::generate(), MailId::generate()];
    scene.waits_for_probe();
    scene.breaker.probed_well();
    scene.breaker.admit(false, scene.now);
    scene.waits_for_probe();
    scene.breaker.probed_well();
    scene.breaker.admit(false, scene.now);

    let failure = scene.tries(fails, Pass::Trial, Health::Doubtful);
    let success = scene.tries(hangs, Pass::Trial, Health::Healthy);

    assert_eq!(failure, Some(Change::Reopened(Pace::Trouble)));
    assert_eq!(success, Some(Change::Closed));
    assert_eq!(scene.breaker.under_way(), 0);
}

#[test]
fn a_try_that_set_out_before_it_opened_changes_nothing_after() {
    let mut open = Scene::opened(Health::Sick);
    let mut half_open = Scene::opened(Health::Sick);
    half_open.waits_for_probe();
    half_open.breaker.probed_well();

    for scene in [&mut open, &mut half_open] {
        let before = scene.breaker.state();
        for health in [Health::Healthy, Health::Sick, Health::Refusing] {
            assert_eq!(scene.comes(health), None);
            assert_eq!(scene.breaker.state(), before, "{health:?}");
        }
    }
}

#[test]
fn a_probe_that_fails_tells_why_and_one_that_fails_otherwise_changes_the_pace() {
    let mut scene = Scene::opened(Health::Sick);
    let now = scene.now;
    let mut probed = |health, why| scene.breaker.probed_badly(health, why, now, 0.0);

    assert_eq!(probed(Health::Sick, "still down"), None);
    let refused = probed(Health::Refusing, "535 no");
    assert_eq!(refused, Some(Change::Turned(Pace::Refusal)));
    assert_eq!(scene.breaker.next_probe(), Some(now + 5 * SECOND));
    assert_eq!(scene.breaker.reason(), Some("535 no"));
    let down = scene.breaker.probed_badly(Health::Sick, "down", now, 0.0);

    assert_eq!(down, Some(Change::Turned(Pace::Trouble)));
    assert_eq!(scene.breaker.next_probe(), Some(now + 2 * SECOND));
}

#[test]
fn a_probe_that_comes_back_late_changes_nothing() {
    let mut closed = Scene::new();
    let now = closed.now;

    assert_eq!(closed.breaker.probed_well(), None);
    assert_eq!(
        closed.breaker.probed_badly(Health::Sick, "late", now, 0.0),
        None
    );
    assert!(!closed.breaker.probe_is_due(now, 0.0));
    assert_eq!(closed.breaker.state(), RelayState::Closed);
}

#[test]
fn attempts_that_we_cut_before_the_recipient_open_it_only_while_nothing_gets_through() {
    let of = |end| {
        Health::after(&Try {
            relay: String::from("relay.example.com:25"),
            reused: false,
            stage: Stage::Greeting,
            end,
            dot_written: false,
            duration: Duration::ZERO,
        })
    };

    assert_eq!(of(End::Cut(String::from("slow"))), Health::Doubtful);
    assert_eq!(of(End::Failed(String::from("broke"))), Health::Sick);
}

#[test]
fn what_is_about_the_recipient_is_never_about_the_relay_alone() {
    let of = Health::of;

    assert_eq!(of(Stage::Connect, Verdict::RelayTrouble), Health::Sick);
    assert_eq!(of(Stage::Mail, Verdict::RelayRefusesUs), Health::Refusing);
    assert_eq!(of(Stage::Rcpt, Verdict::RelayTrouble), Health::Doubtful);
    assert_eq!(
        of(Stage::Rcpt, Verdict::RelayRefusesUs),
        Health::DoubtfulRefusal
    );
    assert_eq!(of(Stage::Dot, Verdict::Ambiguous), Health::Doubtful);
    assert_eq!(of(Stage::Rcpt, Verdict::RecipientRefused), Health::Healthy);
    assert_eq!(of(Stage::Data, Verdict::Stopped), Health::Unknown);
}
