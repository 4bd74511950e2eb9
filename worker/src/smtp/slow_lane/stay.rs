//! How long one attempt may take.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use super::super::progress::{CurrentStep, Step, Timing};
use super::super::{End, Stage};
use super::{LEAST_BEFORE_RECIPIENT, LanePlace, SlowLane};

/// How often an attempt looks whether it must be cut.
const LOOK: Duration = Duration::from_millis(50);

/// Why an attempt was cut.
const CUT: &str = "no answer yet, and its connection was needed for other mails";

/// After how long without an answer an attempt goes to another relay, while this one knows no recipient yet.
const UNTIL_ELSEWHERE: Duration = Duration::from_secs(10);
const ELSEWHERE: &str = "no answer within 10s, and another relay may be quicker";

/// How long an attempt may take while others need its connection.
pub struct Stay {
    lane: SlowLane,
    slow: bool,
    longest: Duration,
    /// A slow mail has its place from the beginning.
    place: Option<LanePlace>,
    /// Whether the mail has no other attempt if this one is cut at the end of data.
    is_last: bool,
    /// Whether another relay could take the mail.
    elsewhere: AtomicBool,
}

impl Stay {
    pub(super) fn new(
        lane: SlowLane,
        slow: bool,
        longest: Duration,
        place: Option<LanePlace>,
    ) -> Self {
        Self {
            lane,
            slow,
            longest,
            place,
            is_last: false,
            elsewhere: AtomicBool::new(false),
        }
    }

    /// The mail was accepted: what the relay's answers took.
    pub(in crate::smtp) fn accepted(&self, timing: Timing) {
        self.lane.accepted(timing);
    }

    /// The same for the last attempt that the mail has, or not: it is never cut at the end of data.
    #[must_use]
    pub fn last(self, is_last: bool) -> Self {
        Self { is_last, ..self }
    }

    /// Whether the mail is a slow one.
    pub(in crate::smtp) fn is_slow(&self) -> bool {
        self.slow
    }

    /// Whether another relay could take the mail while this one does not answer.
    pub(in crate::smtp) fn set_elsewhere(&self, elsewhere: bool) {
        self.elsewhere.store(elsewhere, Ordering::Relaxed);
    }

    /// Returns when the attempt must end, and how. One that goes to another relay has failed at this one.
    pub(in crate::smtp) async fn is_over(&self, current: CurrentStep) -> End {
        let (mut entered, mut at_end) = (None, false);
        if let Some(place) = &self.place {
            place.watches(&current);
        }
        loop {
            let step = current.get();
            let is_too_long = self.lane.is_too_long(step);
            if step.stage == Stage::EndOfData {
                if is_too_long && !at_end {
                    self.stands_at_end(&mut entered);
                    at_end = true;
                }
                self.lane.cut_at_end();
            } else if is_too_long && entered.is_none() && self.place.is_none() {
                entered = self.lane.enter(self.longest, Some(current.clone()));
                if entered.is_none() && self.may_be_cut(step) {
                    return End::Cut(CUT.to_owned());
                }
            }
            if self.is_better_off_elsewhere(step) {
                return End::Failed(ELSEWHERE.to_owned());
            }
            let place = self.place.as_ref().or(entered.as_ref());
            let cut = async {
                match place {
                    Some(place) => place.cut.notified().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = cut => return End::Cut(CUT.to_owned()),
                () = sleep(LOOK) => {}
            }
        }
    }

    /// From now on the attempt is one of those that overstay at the end of data.
    fn stands_at_end(&self, entered: &mut Option<LanePlace>) {
        let stay = if self.is_last {
            Duration::MAX
        } else {
            Duration::ZERO
        };
        match entered.as_ref().or(self.place.as_ref()) {
            Some(place) => place.moves_to_end(stay),
            None => *entered = Some(self.lane.enter_at_end(stay)),
        }
    }

    /// Whether an attempt without a place has had the time that it has for sure.
    fn may_be_cut(&self, step: Step) -> bool {
        let least = match step.stage {
            stage if stage < Stage::Rcpt => LEAST_BEFORE_RECIPIENT,
            _ if self.slow && self.lane.0.places == 0 => self.longest,
            _ => Duration::ZERO,
        };
        step.lasts().is_some_and(|lasts| lasts >= least)
    }

    fn is_better_off_elsewhere(&self, step: Step) -> bool {
        self.elsewhere.load(Ordering::Relaxed)
            && step.stage < Stage::Rcpt
            && step.lasts().is_some_and(|lasts| lasts >= UNTIL_ELSEWHERE)
    }
}
