//! Half open: one mail shows whether the relay works again.

use super::*;

#[test]
fn a_relay_that_works_or_of_which_nothing_was_learnt_stays_closed() {
    let mut scene = Scene::new();

    for health in [Health::Healthy, Health::Unknown] {
        for _ in 0..10 {
            assert_eq!(scene.comes(health), None);
        }
    }

    assert_eq!(scene.admits(), Some(Admission::Free));
}

#[test]
fn a_good_probe_lets_one_mail_through_and_its_success_closes_it() {
    let mut scene = Scene::opened(Health::Sick);
    scene.waits_for_probe();

    assert_eq!(scene.breaker.probed_well(), Some(Change::HalfOpened));
    assert_eq!(scene.breaker.state(), RelayState::HalfOpen);
    assert_eq!(scene.breaker.next_probe(), None);
    assert_eq!(scene.admits(), Some(Admission::Trial));
    assert_eq!(scene.admits(), None, "one only");
    let success = scene.tries(MailId::generate(), Admission::Trial, Health::Healthy);

    assert_eq!(success, Some(Change::Closed));
    assert_eq!(scene.breaker.reason(), None);
    assert_eq!(scene.admits(), Some(Admission::Free));
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
        assert_eq!(scene.admits(), None);
    }
}

#[test]
fn a_trial_without_an_answer_admits_another() {
    let mut scene = Scene::opened(Health::Sick);
    scene.waits_for_probe();
    scene.breaker.probed_well();

    scene.admits();
    scene.breaker.give_up_trial();
    assert_eq!(scene.admits(), Some(Admission::Trial));
    scene.tries(MailId::generate(), Admission::Trial, Health::Unknown);

    assert_eq!(scene.admits(), Some(Admission::Trial));
}

#[test]
fn while_a_trial_hangs_each_good_probe_lets_another_through_and_less_and_less_often() {
    let mut scene = Scene::opened(Health::Sick);
    scene.waits_for_probe();
    scene.breaker.probed_well();

    let mut pauses = Vec::new();
    for under_way in 0..7 {
        assert_eq!(scene.breaker.under_way(), under_way);
        assert_eq!(scene.admits(), Some(Admission::Trial));
        assert_eq!(scene.admits(), None, "one for each probe");
        pauses.push(scene.waits_for_probe().as_secs());
        assert_eq!(scene.admits(), None, "not until it answers");
        assert_eq!(scene.breaker.probed_well(), Some(Change::HalfOpened));
    }

    assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60]);
}

#[test]
fn any_trial_that_succeeds_closes_it_even_after_another_has_failed() {
    let mut scene = Scene::opened(Health::Sick);
    let [hangs, fails] = [MailId::generate(), MailId::generate()];
    scene.waits_for_probe();
    scene.breaker.probed_well();
    scene.admits();
    scene.waits_for_probe();
    scene.breaker.probed_well();
    scene.admits();

    let failure = scene.tries(fails, Admission::Trial, Health::Doubtful);
    let success = scene.tries(hangs, Admission::Trial, Health::Healthy);

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
fn a_suspicion_is_confirmed_by_a_mail_that_had_not_failed_and_by_no_other() {
    let mut scene = Scene::new();
    let failed = [0; 3].map(|_| MailId::generate());
    for mail in failed {
        scene.tries(mail, Admission::Free, Health::DoubtfulRefusal);
    }

    for mail in failed {
        let admission = scene.breaker.admit(mail, false, scene.now).unwrap();
        assert_eq!(admission, Admission::Aside);
        assert_eq!(scene.tries(mail, admission, Health::DoubtfulRefusal), None);
    }
    assert_eq!(scene.admits(), Some(Admission::Trial));
    let confirmed = scene.tries(
        MailId::generate(),
        Admission::Trial,
        Health::DoubtfulRefusal,
    );

    assert_eq!(confirmed, Some(Change::Opened(Pace::DoubtfulRefusal)));
    assert_eq!(scene.breaker.state(), RelayState::Open);
    assert_eq!(
        scene.trial(Health::DoubtfulRefusal),
        Some(Change::Reopened(Pace::DoubtfulRefusal))
    );
}

#[test]
fn a_mail_that_set_out_before_and_gets_through_ends_what_was_held_against_the_relay_for_others() {
    for health in [
        Health::Doubtful,
        Health::DoubtfulRefusal,
        Health::Throttling,
    ] {
        let mut scene = Scene::opened(health);

        assert_eq!(scene.comes(Health::Answers), None);
        let through = scene.comes(Health::Healthy);

        assert_eq!(through, Some(Change::Closed), "{health:?}");
        assert_eq!(scene.comes(health), None, "the count begins anew");
    }
}

#[test]
fn a_trial_that_we_cut_ourselves_admits_another() {
    let mut scene = Scene::opened(Health::Doubtful);
    scene.waits_for_probe();
    scene.breaker.probed_well();
    scene.admits();

    scene.tries(MailId::generate(), Admission::Trial, Health::Slow);

    assert_eq!(scene.admits(), Some(Admission::Trial));
}
