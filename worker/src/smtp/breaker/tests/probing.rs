//! When a relay that is out of order is probed, and what that changes.

use super::*;

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
fn while_a_trial_hangs_and_probes_fail_it_is_probed_on_and_no_other_goes() {
    let mut scene = Scene::opened(Health::Sick);
    scene.waits_for_probe();
    scene.breaker.probed_well();
    scene.admits();

    for _ in 0..5 {
        assert_eq!(scene.waits_for_probe(), 2 * SECOND);
        let now = scene.now;
        let failed = (scene.breaker).probed_badly(Health::Sick, "still down", now, 0.0);
        assert_eq!(failed, None);
        assert_eq!(scene.admits(), None);
    }
}

#[test]
fn a_probe_that_set_out_before_the_trial_lets_no_other_through() {
    let mut scene = Scene::opened(Health::Sick);
    scene.waits_for_probe();
    scene.breaker.probed_well();
    scene.admits();

    let late = scene.breaker.probed_well();

    assert_eq!(late, None);
    assert_eq!(scene.admits(), None);
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
