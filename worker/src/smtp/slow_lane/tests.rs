//! Who overstays, and who is cut. Time is moved, not waited for.

use tokio::task::JoinHandle;
use tokio::time::{advance, sleep};

use super::super::End;
use super::super::progress::Progress;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// An attempt that stays at a stage until it is cut.
struct Attempt {
    progress: Progress,
    over: JoinHandle<End>,
}

impl Attempt {
    fn at(lane: &SlowLane, stage: Stage) -> Self {
        Self::of(lane.stay(Lane::Main, Duration::ZERO).unwrap(), stage)
    }

    fn of(stay: Stay, stage: Stage) -> Self {
        let mut progress = Progress::new();
        progress.reach(stage);
        let step = progress.step();
        let over = tokio::spawn(async move { stay.is_over(step).await });
        Self { progress, over }
    }

    fn is_cut(&self) -> bool {
        self.over.is_finished()
    }
}

/// What of these is cut.
fn cut(attempts: &[Attempt]) -> Vec<bool> {
    attempts.iter().map(Attempt::is_cut).collect()
}

/// A lane of two places, on whose relay mails usually take that long.
fn lane(usual: Duration) -> SlowLane {
    let lane = SlowLane::of(8);
    lane.accepted(Timing {
        slowest: usual,
        end_of_data: usual,
    });
    lane
}

#[test]
fn a_quarter_of_the_slots_are_places_and_at_least_one_unless_there_is_only_one_slot() {
    let places = [1, 2, 3, 8, 32].map(|slots| SlowLane::of(slots).free());

    assert_eq!(places, [0, 1, 1, 2, 8]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_needs_a_place_after_a_second_at_one_stage_and_not_before() {
    let lane = lane(Duration::ZERO);
    let mut quick = Attempt::at(&lane, Stage::Mail);

    for stage in [Stage::Rcpt, Stage::Data] {
        sleep(SECOND * 9 / 10).await;
        quick.progress.reach(stage);
    }
    let before = lane.free();
    sleep(SECOND * 2).await;

    assert_eq!((before, lane.free()), (2, 1));
    assert!(!quick.is_cut(), "there is a place");
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_to_a_full_lane_is_cut_unless_the_oldest_has_had_its_time() {
    let lane = lane(Duration::ZERO);
    let mut attempts = vec![Attempt::at(&lane, Stage::Rcpt)];
    sleep(SECOND).await;
    attempts.push(Attempt::at(&lane, Stage::Rcpt));
    sleep(SECOND * 2).await;

    attempts.push(Attempt::at(&lane, Stage::Rcpt));
    sleep(SECOND * 11 / 10).await;
    let too_early = cut(&attempts);
    sleep(SECOND * 3).await;
    attempts.push(Attempt::at(&lane, Stage::Rcpt));
    sleep(SECOND * 11 / 10).await;

    assert_eq!(too_early, [false, false, true]);
    assert_eq!(cut(&attempts), [true, false, true, false]);
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_knows_no_recipient_yet_is_given_more_time() {
    let lane = lane(Duration::ZERO);
    let attempts = [Stage::Greeting, Stage::Rcpt].map(|stage| Attempt::at(&lane, stage));

    let mut seen = Vec::new();
    for pause in [7, 22, 2] {
        sleep(SECOND * pause).await;
        let _second = lane.stay(Lane::Slow, Duration::ZERO);
        lane.make_room();
        sleep(SECOND / 10).await;
        seen.push(cut(&attempts));
    }

    assert_eq!(seen, [[false, true], [false, true], [true, true]]);
}

/// Its time before that is the relay's with every mail.
#[tokio::test(start_paused = true)]
async fn what_a_relay_takes_before_it_knows_the_recipient_is_not_the_recipients_time() {
    let lane = lane(Duration::ZERO);
    let mut greeted_late = Attempt::of(
        lane.stay(Lane::Slow, Duration::ZERO).unwrap(),
        Stage::Greeting,
    );
    let _other = Attempt::of(
        lane.stay(Lane::Slow, Duration::ZERO).unwrap(),
        Stage::Greeting,
    );
    sleep(SECOND * 12).await;

    greeted_late.progress.reach(Stage::Rcpt);
    sleep(SECOND).await;
    lane.make_room();
    sleep(SECOND / 10).await;
    let at_once = greeted_late.is_cut();
    sleep(LEAST_STAY).await;
    lane.make_room();
    sleep(SECOND / 10).await;

    assert!(!at_once);
    assert!(greeted_late.is_cut());
}

#[tokio::test(start_paused = true)]
async fn attempts_at_the_end_of_data_need_no_place_and_half_of_the_slots_may_hang_there() {
    let lane = lane(Duration::ZERO);
    let slow = Attempt::of(lane.stay(Lane::Slow, SECOND).unwrap(), Stage::EndOfData);
    let others = [(); 3].map(|()| Attempt::at(&lane, Stage::EndOfData));

    sleep(SECOND * 300).await;
    lane.make_room();
    sleep(SECOND).await;

    assert!(!slow.is_cut());
    assert_eq!(cut(&others), [false; 3]);
    assert_eq!(lane.free(), 0, "no slow mail may come to hang there, too");
    assert!(lane.is_used());
    drop((slow, others));
}

#[tokio::test(start_paused = true)]
async fn where_more_hang_at_the_end_of_data_the_first_is_cut_after_a_minute_but_no_last_attempt() {
    let lane = lane(Duration::ZERO);
    let last = lane.stay(Lane::Main, Duration::ZERO).unwrap().last(true);
    let mut attempts = vec![Attempt::of(last, Stage::EndOfData)];
    for _ in 0..5 {
        sleep(SECOND).await;
        attempts.push(Attempt::at(&lane, Stage::EndOfData));
    }

    sleep(SECOND * 50).await;
    let early = cut(&attempts);
    sleep(SECOND * 300).await;

    assert_eq!(early, [false; 6]);
    assert_eq!(cut(&attempts), [false, true, true, false, false, false]);
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_took_long_over_an_accepted_message_has_ten_times_as_long_for_others() {
    let lane = lane(SECOND * 20);
    lane.accepted(Timing::default());
    let attempts = [(); 5].map(|()| Attempt::at(&lane, Stage::EndOfData));

    sleep(SECOND * 195).await;
    let early = cut(&attempts);
    sleep(SECOND * 20).await;

    assert_eq!(early, [false; 5]);
    assert_eq!(cut(&attempts).iter().filter(|cut| **cut).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_mail_has_its_place_from_the_beginning_and_more_time_the_older_it_is() {
    let lane = lane(Duration::ZERO);
    let young = Attempt::of(lane.stay(Lane::Slow, SECOND).unwrap(), Stage::Rcpt);
    let old = Attempt::of(lane.stay(Lane::Slow, SECOND * 400).unwrap(), Stage::Rcpt);

    let none_left = lane.stay(Lane::Slow, SECOND).is_none();
    advance(SECOND * 6).await;
    lane.make_room();
    lane.make_room();
    sleep(SECOND).await;
    let after_6_s = [young.is_cut(), old.is_cut()];
    let _newer = lane.stay(Lane::Slow, SECOND).unwrap();
    advance(SECOND * 14).await;
    lane.make_room();
    sleep(SECOND).await;

    assert!(none_left);
    assert_eq!(after_6_s, [true, false]);
    assert!(old.is_cut(), "a twentieth of its age is over");
}

#[tokio::test(start_paused = true)]
async fn where_every_mail_takes_seconds_no_attempt_overstays_by_that() {
    let slow = lane(SECOND * 3);
    let attempt = Attempt::at(&slow, Stage::Rcpt);
    sleep(SECOND * 5).await;
    let patient = slow.free();

    slow.accepted(Timing::default());
    sleep(SECOND).await;

    assert_eq!(patient, 2);
    assert_eq!(
        slow.free(),
        1,
        "one quick mail shows that the relay is not slow"
    );
    assert!(!attempt.is_cut());
}

#[tokio::test(start_paused = true)]
async fn a_full_lane_cuts_no_attempt_before_a_second() {
    let lane = lane(Duration::ZERO);
    let _full =
        [(); 2].map(|()| Attempt::of(lane.stay(Lane::Slow, SECOND * 600).unwrap(), Stage::Rcpt));
    let newcomer = Attempt::at(&lane, Stage::Rcpt);

    sleep(SECOND * 9 / 10).await;
    lane.accepted(Timing::default());
    let early = newcomer.is_cut();
    sleep(SECOND / 5).await;

    assert!(!early);
    assert!(newcomer.is_cut());
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_connection_or_the_database_does_not_overstay() {
    let lane = lane(Duration::ZERO);
    let mut waiting = Attempt::at(&lane, Stage::Data);

    waiting.progress.waits();
    sleep(SECOND * 60).await;

    assert_eq!(lane.free(), 2);
}

#[tokio::test(start_paused = true)]
async fn where_another_relay_could_take_the_mail_one_that_does_not_greet_is_left_after_ten_seconds()
{
    let lane = lane(Duration::ZERO);
    let stay = || {
        let stay = lane.stay(Lane::Main, Duration::ZERO).unwrap();
        stay.set_elsewhere(true);
        stay
    };
    let silent = Attempt::of(stay(), Stage::Greeting);
    let asks = Attempt::of(stay(), Stage::Rcpt);

    sleep(SECOND * 11).await;

    assert!(silent.is_cut());
    assert!(!asks.is_cut(), "the other would ask the same server");
}

#[tokio::test(start_paused = true)]
async fn the_only_slot_is_left_after_a_second_and_by_a_slow_mail_when_its_time_is_over() {
    let lane = SlowLane::of(1);
    let first = Attempt::at(&lane, Stage::Rcpt);
    let slow = Attempt::of(lane.stay(Lane::Slow, SECOND * 60).unwrap(), Stage::Rcpt);

    sleep(SECOND * 2).await;
    let after_2_s = [first.is_cut(), slow.is_cut()];
    sleep(SECOND * 20).await;

    assert_eq!(after_2_s, [true, false]);
    assert!(slow.is_cut());
}
