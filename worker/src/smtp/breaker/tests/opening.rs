//! What opens it, and what does not.

use super::*;

#[test]
fn three_attempts_in_trouble_within_30_seconds_open_it_and_two_do_not() {
    let mut scene = Scene::new();

    assert_eq!(scene.comes(Health::Sick), None);
    assert_eq!(scene.after(15 * SECOND).comes(Health::Sick), None);
    assert_eq!(scene.admits(), Some(Admission::Free));
    let third = scene.after(14 * SECOND).comes(Health::Sick);

    assert_eq!(third, Some(Change::Opened(Pace::Trouble)));
    assert_eq!(scene.breaker.state(), RelayState::Open);
    assert_eq!(scene.breaker.reason(), Some("Sick"));
    assert_eq!(scene.admits(), None);
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
fn three_attempts_in_trouble_in_a_row_open_it_however_slow() {
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
    assert_eq!(scene.admits(), None);
}

#[test]
fn a_mail_at_which_the_relay_fails_holds_up_no_other_but_several_in_a_row_do() {
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
fn one_mail_alone_holds_up_no_other_however_often_it_is_attempted() {
    let (mut scene, mail) = (Scene::new(), MailId::generate());

    for _ in 0..100 {
        assert_eq!(scene.tries(mail, Admission::Free, Health::Doubtful), None);
        assert_eq!(
            scene.tries(mail, Admission::Free, Health::DoubtfulRefusal),
            None
        );
    }

    assert_eq!(scene.breaker.state(), RelayState::Closed);
}

#[test]
fn attempts_that_we_cut_ourselves_never_open_it() {
    let mut scene = Scene::new();
    for stage in [Stage::Greeting, Stage::Rcpt, Stage::Data] {
        let attempt = |end| Attempt {
            relay: String::from("relay.example.com:25"),
            reused: false,
            stage,
            end,
            end_of_data_written: false,
            duration: Duration::ZERO,
        };
        let cut = Health::after(&attempt(End::Cut(String::from("slow"))));
        let broke = Health::after(&attempt(End::Failed(String::from("broke"))));

        assert_eq!(cut, Health::Slow);
        assert_ne!(broke, Health::Slow);
    }

    for _ in 0..2 * MOST_STRIKES {
        assert_eq!(scene.comes(Health::Slow), None);
    }
    let hung = MailId::generate();
    scene.tries(hung, Admission::Free, Health::Slow);

    assert!(scene.breaker.failed_at(hung), "another relay has it next");
    assert!(scene.breaker.strikes.list.len() <= MOST_STRIKES);
}

#[test]
fn what_a_relay_says_of_us_brings_it_under_suspicion_after_three_domains_in_a_row() {
    for health in [Health::DoubtfulRefusal, Health::Throttling] {
        let mut scene = Scene::new();
        scene.comes(Health::Healthy);

        for n in 0..20 {
            let to = format!("ada{n}@one.test");
            assert_eq!(scene.comes_to(&to, health), None, "one domain");
        }
        assert_eq!(scene.comes_to("bob@Two.test", health), None);
        let third = scene.comes_to("eve@three.test", health);

        assert_eq!(third, Some(Change::Suspected));
        assert_eq!(scene.breaker.next_probe(), None);
        assert_eq!(scene.admits(), Some(Admission::Trial), "at once");
    }
}

#[test]
fn recipients_of_one_domain_do_so_when_nothing_has_got_through_for_a_minute() {
    let mut scene = Scene::new();
    scene.comes(Health::Healthy);

    for n in 0..20 {
        scene.comes_to(&format!("ada{n}@one.test"), Health::DoubtfulRefusal);
    }
    scene.after(WORKS_FOR);
    let later = scene.comes_to("ada@one.test", Health::DoubtfulRefusal);

    assert_eq!(later, Some(Change::Suspected));
}

#[test]
fn a_mail_that_gets_through_ends_what_a_relay_said_of_us_and_a_refused_recipient_does_not() {
    for (between, third) in [
        (Health::Healthy, None),
        (Health::Answers, Some(Change::Suspected)),
    ] {
        let mut scene = Scene::new();

        scene.comes(Health::DoubtfulRefusal);
        scene.comes(Health::Throttling);
        scene.comes(between);

        assert_eq!(scene.comes(Health::DoubtfulRefusal), third, "{between:?}");
    }
}

#[test]
fn what_is_about_the_recipient_is_never_about_the_relay_alone() {
    let of = Health::of;

    assert_eq!(
        of(Stage::Connect, AttemptOutcome::RelayTrouble),
        Health::Sick
    );
    assert_eq!(
        of(Stage::Mail, AttemptOutcome::RelayRefusesUs),
        Health::Refusing
    );
    assert_eq!(
        of(Stage::Rcpt, AttemptOutcome::RelayTrouble),
        Health::Doubtful
    );
    assert_eq!(
        of(Stage::Rcpt, AttemptOutcome::RelayRefusesUs),
        Health::DoubtfulRefusal
    );
    assert_eq!(
        of(Stage::EndOfData, AttemptOutcome::Uncertain),
        Health::Doubtful
    );
    assert_eq!(
        of(Stage::Rcpt, AttemptOutcome::RecipientRefused),
        Health::Answers
    );
    assert_eq!(of(Stage::Data, AttemptOutcome::Stopped), Health::Unknown);
}

#[test]
fn a_relay_that_says_why_it_takes_no_more_from_us_is_told_from_one_that_breaks_off() {
    let after = |code, text| {
        Health::after(&Attempt {
            relay: String::from("relay.example.com:25"),
            reused: false,
            stage: Stage::EndOfData,
            end: End::Refused(Reply::new(code, text)),
            end_of_data_written: true,
            duration: Duration::ZERO,
        })
    };

    let says = after(454, "Throttling failure: Daily message quota exceeded.");
    assert_eq!(says, Health::Throttling);
    assert_eq!(after(421, "4.7.0 Try again later"), Health::Doubtful);
}
