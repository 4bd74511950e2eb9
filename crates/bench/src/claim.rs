//! What a claim costs in a database full of mails that are over or wait for later, beside one that has none.
//!
//! Rounds on the two databases take turns, so that whatever else the machine does falls on both. Everything goes by
//! the ports, as a worker does it: the rows are those of mails that were sent.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use domain::clock::{Clock, SystemClock};
use domain::delivery::Stage;
use domain::email::EmailAddress;
use domain::id::MailId;
use domain::mail::{Lane, MailKind, MailState, NewMail};
use domain::queue::due::due;
use domain::queue::{
    AttemptRecord, BatchReport, Claimed, CommitBatch, Keys, Outcome, QueueBatch, Watch,
};
use domain::store::{StoreError, Tx, Write};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Timestamp};

use crate::harness::Harness;
use crate::stats::percentile;

/// The arguments of `claim`.
#[derive(clap::Args)]
pub struct Args {
    /// How many mails have been delivered
    #[arg(long, default_value_t = 1_000_000)]
    finished: u64,
    /// How many mails wait: first for a later time, then for a worker
    #[arg(long, default_value_t = 100_000)]
    waiting: u64,
    /// How many claims are measured
    #[arg(long, default_value_t = 300)]
    rounds: u32,
    /// How many mails one claim takes
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1024))]
    hands: u32,
}

const WORKER: &str = "bench";

/// Mails that are put in and taken out at once while a database is filled.
const BATCH: u64 = 2_000;

/// When the mails that wait for a later time are due.
const LATER: SignedDuration = SignedDuration::from_hours(24);

/// Measures and prints.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let (empty, full) = (Harness::new().await?, Harness::new().await?);
    fill(&full, "finished", args.finished, MailState::Delivered).await?;
    fill(&full, "waiting", args.waiting, MailState::Waiting).await?;
    println!(
        "{} rounds of {} mails, in milliseconds:        due p50  claim p50    p90  settle p50",
        args.rounds, args.hands
    );
    let later = format!(
        "{} finished, {} wait for later",
        args.finished, args.waiting
    );
    compare(args, &empty, &full, &later).await?;
    fill(&full, "due", args.waiting, MailState::Queued).await?;
    let due = format!("and {} more are due", args.waiting);
    compare(args, &empty, &full, &due).await
}

/// Adds mails that end in that state, or stay as they are.
async fn fill(harness: &Harness, what: &str, mails: u64, state: MailState) -> anyhow::Result<()> {
    let style = ProgressStyle::with_template("{msg:<9} {wide_bar} {pos}/{len} {eta}")?;
    let bar = ProgressBar::new(mails).with_style(style);
    bar.set_message(what.to_owned());
    let mut left = mails;
    while left > 0 {
        let some = left.min(BATCH);
        enqueue(harness, some, SystemClock.now()).await?;
        if state != MailState::Queued {
            let claimed = claim(harness, u32::try_from(some)?).await?;
            settle(harness, &claimed, state).await?;
        }
        left -= some;
        bar.inc(some);
    }
    bar.finish_and_clear();
    Ok(())
}

/// What one round took, each in milliseconds.
#[derive(Default)]
struct Taken {
    due: Vec<f64>,
    claim: Vec<f64>,
    settle: Vec<f64>,
}

/// Prints what both databases took, and how they compare.
async fn compare(args: &Args, empty: &Harness, full: &Harness, name: &str) -> anyhow::Result<()> {
    let style = ProgressStyle::with_template("measuring {wide_bar} {pos}/{len}")?;
    let bar = ProgressBar::new(args.rounds.into()).with_style(style);
    let (mut of_empty, mut of_full) = (Taken::default(), Taken::default());
    let mut empty_watch = empty.database.store.watch().await?;
    let mut full_watch = full.database.store.watch().await?;
    for _ in 0..args.rounds {
        of_empty
            .round(empty, empty_watch.as_mut(), args.hands)
            .await?;
        of_full.round(full, full_watch.as_mut(), args.hands).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let (before, after) = (of_empty.figures(), of_full.figures());
    println!("  {:<42} {}", "no others", line(before, 3));
    println!("  {name:<42} {}", line(after, 3));
    let ratio = std::array::from_fn(|n| after[n] / before[n]);
    println!("  {:<42} {}", "times as much", line(ratio, 2));
    Ok(())
}

fn line(figures: [f64; 4], digits: usize) -> String {
    let [due, claim, worst, settle] = figures;
    format!("{due:>8.digits$} {claim:>10.digits$} {worst:>6.digits$} {settle:>11.digits$}")
}

impl Taken {
    async fn round(
        &mut self,
        harness: &Harness,
        watch: &mut dyn Watch,
        hands: u32,
    ) -> anyhow::Result<()> {
        enqueue(harness, hands.into(), SystemClock.now()).await?;
        let begun = Instant::now();
        let due = due(watch, &Keys::Any, SystemClock.now()).await?;
        self.due.push(milliseconds(begun));
        anyhow::ensure!(due.now, "what was just put in is not due");
        let begun = Instant::now();
        let claimed = claim(harness, hands).await?;
        self.claim.push(milliseconds(begun));
        anyhow::ensure!(claimed.len() == hands as usize, "not all were claimed");
        let begun = Instant::now();
        settle(harness, &claimed, MailState::Delivered).await?;
        self.settle.push(milliseconds(begun));
        Ok(())
    }

    fn figures(self) -> [f64; 4] {
        let at = |mut values: Vec<f64>, share| {
            values.sort_by(f64::total_cmp);
            percentile(&values, share)
        };
        let claim = self.claim;
        [
            at(self.due, 0.5),
            at(claim.clone(), 0.5),
            at(claim, 0.9),
            at(self.settle, 0.5),
        ]
    }
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

async fn claim(harness: &Harness, mails: u32) -> anyhow::Result<Vec<Claimed>> {
    let batch = QueueBatch {
        claim: mails,
        ..QueueBatch::default()
    };
    let report = commit(harness, batch, SystemClock.now()).await?;
    Ok(report.claimed)
}

async fn settle(harness: &Harness, claimed: &[Claimed], state: MailState) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let settlements = claimed.iter().map(|mail| Outcome {
        claim: mail.claim,
        state,
        reason: "250 2.0.0 Ok".to_owned(),
        again_at: (!state.is_final()).then(|| now + LATER),
        counted: true,
        uncertain: false,
        lane: Lane::Main,
        records: vec![record(state, now)],
        suppress_until: None,
        at: now,
    });
    let batch = QueueBatch {
        settlements: settlements.collect(),
        ..QueueBatch::default()
    };
    commit(harness, batch, now).await?;
    Ok(())
}

async fn commit(
    harness: &Harness,
    batch: QueueBatch,
    now: Timestamp,
) -> anyhow::Result<BatchReport> {
    let commit = CommitBatch {
        worker: WORKER.to_owned(),
        batch: Arc::new(batch),
        now,
    };
    Ok(harness.database.store.write(commit).await?)
}

fn record(state: MailState, now: Timestamp) -> AttemptRecord {
    AttemptRecord {
        started: now,
        duration_ms: 1,
        relay: "mx.example.com:25".to_owned(),
        reused: true,
        stage: Stage::EndOfData.into(),
        code: Some(250),
        enhanced: Some("2.0.0".to_owned()),
        text: "2.0.0 Ok".to_owned(),
        outcome: state.as_str().into(),
        again_at: None,
    }
}

/// Puts mails into the queue, in the order of their ids as requests do, which come one by one.
async fn enqueue(harness: &Harness, mails: u64, now: Timestamp) -> anyhow::Result<()> {
    let mut ids: Vec<MailId> = (0..mails).map(|_| MailId::generate()).collect();
    ids.sort_unstable();
    let new = ids.into_iter().zip(0..).map(|(id, n)| new_mail(id, n, now));
    let put = Put(new.collect::<anyhow::Result<_>>()?);
    Ok(harness.database.store.write(put).await?)
}

/// A mail to somebody; codes and notices by turns.
fn new_mail(id: MailId, n: u64, now: Timestamp) -> anyhow::Result<NewMail> {
    let to = EmailAddress::parse(&format!("{id}@example.com"))?;
    Ok(NewMail {
        id,
        kind: if n.is_multiple_of(2) {
            MailKind::VerifyEmail
        } else {
            MailKind::PasswordChanged
        },
        to: to.mailbox().to_owned(),
        to_key: to.key().clone(),
        challenge: None,
        user: None,
        request_id: format!("bench-{id}"),
        now,
        deadline: None,
        forget_as: None,
    })
}

/// Puts mails into the queue.
struct Put(Vec<NewMail>);

#[async_trait]
impl Write for Put {
    type Out = ();

    async fn apply(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        for mail in &self.0 {
            tx.enqueue(mail).await?;
        }
        Ok(())
    }
}
