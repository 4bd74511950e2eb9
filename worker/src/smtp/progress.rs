//! The progress of an attempt, and the duration of its stages.
//!
//! It lives outside the attempt's future, so that it can still be read when that future ran out of time and was dropped.

use std::{
    error::Error as _,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use lettre::transport::smtp::{Error, response::Response};
use tokio::time::{Instant, timeout};

use super::{End, Reply, Stage};

/// The progress of one attempt.
pub(super) struct Progress {
    step: CurrentStep,
    timing: Timing,
    pub(super) reused: bool,
    end_of_data_written: Arc<AtomicBool>,
}

/// The stage that an attempt is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) stage: Stage,
    /// Since when the relay owes an answer; not while the attempt waits for a connection.
    pub(super) since: Option<Instant>,
}

/// The step of an attempt, to be looked at while the attempt goes on. A change wakes no task: each stage of each mail would
/// cost that, and only a step that lasts matters.
#[derive(Clone, Debug)]
pub(super) struct CurrentStep(Arc<Mutex<Step>>);

impl CurrentStep {
    /// An attempt that is in that step.
    pub(super) fn new(step: Step) -> Self {
        Self(Arc::new(Mutex::new(step)))
    }

    pub(super) fn get(&self) -> Step {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Step> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Step {
    /// For how long the relay has owed an answer.
    pub(super) fn lasts(self) -> Option<Duration> {
        self.since.map(|since| since.elapsed())
    }
}

/// What an attempt's stages took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timing {
    /// The slowest stage before the end of data.
    pub(super) slowest: Duration,
    /// From the message's first byte to the answer to its end.
    pub(super) end_of_data: Duration,
}

impl Progress {
    pub(super) fn new() -> Self {
        let first = Step {
            stage: Stage::Resolve,
            since: Some(Instant::now()),
        };
        Self {
            step: CurrentStep::new(first),
            timing: Timing::default(),
            reused: false,
            end_of_data_written: Arc::default(),
        }
    }

    /// The stage that was reached.
    pub(super) fn stage(&self) -> Stage {
        self.step.get().stage
    }

    /// The next stage begins.
    pub(super) fn reach(&mut self, stage: Stage) {
        self.timing = self.timing();
        let since = Some(Instant::now());
        *self.step.lock() = Step { stage, since };
    }

    /// The attempt waits for a connection, or for the database: the relay owes nothing.
    pub(super) fn waits(&mut self) {
        self.timing = self.timing();
        self.step.lock().since = None;
    }

    /// The step that it is in, now and later.
    pub(super) fn step(&self) -> CurrentStep {
        self.step.clone()
    }

    /// What the stages took, the present one included.
    pub(super) fn timing(&self) -> Timing {
        let (mut timing, step) = (self.timing, self.step.get());
        let lasts = step.lasts().unwrap_or_default();
        match step.stage {
            Stage::EndOfData => timing.end_of_data = lasts,
            _ => timing.slowest = timing.slowest.max(lasts),
        }
        timing
    }

    /// From now on this flag says whether the end of data was written.
    pub(super) fn watch(&mut self, end_of_data_written: &Arc<AtomicBool>) {
        end_of_data_written.store(false, Ordering::Release);
        self.end_of_data_written = Arc::clone(end_of_data_written);
    }

    pub(super) fn end_of_data_written(&self) -> bool {
        self.end_of_data_written.load(Ordering::Acquire)
    }
}

/// One exchange with the relay within its limit.
pub(super) async fn answer<T>(
    limit: Duration,
    exchange: impl Future<Output = Result<T, Error>>,
) -> Result<T, End> {
    match timeout(limit, exchange).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(end_of(&error)),
        Err(_) => Err(no_answer(limit)),
    }
}

/// The end of a stage that ran out of time.
pub(super) fn no_answer(limit: Duration) -> End {
    End::Failed(format!("no answer within {limit:?}"))
}

/// A positive reply (lettre counts 2yz and 3yz) as ours.
pub(super) fn reply_of(response: &Response) -> Reply {
    let text = response.message().collect::<Vec<_>>().join(" ");
    Reply::as_sent(response.code().into(), text)
}

/// lettre's errors carry a negative reply's code in `status()` and all its lines, joined, in
/// their source.
fn end_of(error: &Error) -> End {
    let source = error.source();
    let text = source.map(ToString::to_string).unwrap_or_default();
    if let Some(code) = error.status() {
        return End::Refused(Reply::as_sent(code.into(), text));
    }
    if error.is_response() {
        return End::Failed(match text.as_str() {
            "incomplete response" => String::from("the connection was closed instead of a reply"),
            // nom's "error Alt at: what it could not read".
            _ => match text.split_once(" at: ") {
                Some((_, garbage)) => format!("unreadable reply: {}", garbage.trim_end()),
                None => format!("unreadable reply: {text}"),
            },
        });
    }
    match source.and_then(|source| source.downcast_ref::<io::Error>()) {
        Some(error) => End::Failed(format!("the connection broke: {error}")),
        None => End::Failed(error.to_string()),
    }
}
