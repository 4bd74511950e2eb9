//! What other people's mails wait while the relay hangs at some recipients, of one domain or of one domain each.
//!
//! The relay never answers RCPT for those, as a relay does that looks up a domain whose name server does not answer, or
//! asks the recipient's own server first. The hanging mails are queued first, the others follow at a steady pace.

use std::sync::Arc;
use std::time::Duration;

use devmail::{Fault, Stage};
use domain::queue::MailFilter;
use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::harness::Harness;
use crate::stats::percentile;

/// The arguments of `tarpit`.
#[derive(clap::Args)]
pub struct Args {
    /// How many other mails
    #[arg(long, default_value_t = 200)]
    mails: u64,
    /// The pause between two of them, in milliseconds
    #[arg(long, default_value_t = 25)]
    pause: u64,
    /// How many recipients hang, one measurement for each number
    #[arg(long, value_delimiter = ',', default_values_t = [64, 500])]
    hanging: Vec<u64>,
    /// Queue the hanging mails in between the others, and not before them
    #[arg(long)]
    mixed: bool,
}

/// Longer than any of the others waits.
const LIMIT: Duration = Duration::from_mins(5);

/// Measures and prints.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    println!(
        "from commit to the relay's 250, {} mails, one each {} ms, while the relay hangs at other recipients:",
        args.mails, args.pause
    );
    for hanging in &args.hanging {
        for domains in [1, *hanging] {
            let mut waits = measure(args, *hanging, domains).await?;
            waits.sort_by(f64::total_cmp);
            let at = |share: f64| percentile(&waits, share);
            println!(
                "  {hanging:>4} recipients of {domains:>3} domains:  p50 {:>4.0} ms   p99 {:>4.0} ms   max {:>4.0} ms",
                at(0.5),
                at(0.99),
                at(1.0)
            );
        }
    }
    Ok(())
}

/// Milliseconds that each of the other mails waited.
async fn measure(args: &Args, hanging: u64, domains: u64) -> anyhow::Result<Vec<f64>> {
    let harness = Arc::new(Harness::new().await?);
    let domain = |n: u64| format!("hangs{}.test", n % domains);
    for n in 0..domains {
        let hangs = Fault::hang(Stage::Rcpt).to_domain(&domain(n));
        harness.catcher.faults().add(hangs);
    }
    let mut worker = harness.start_worker()?;
    let inbox = harness.catcher.inbox();
    harness.register(0).await?;
    inbox.wait_total(1, LIMIT).await?;

    let mut queueing = JoinSet::new();
    for n in 1..=hanging {
        let (harness, domain) = (Arc::clone(&harness), domain(n));
        let pause = Duration::from_millis(args.pause * args.mails * n / hanging);
        let pause = if args.mixed { pause } else { Duration::ZERO };
        queueing.spawn(async move {
            sleep(pause).await;
            harness.register_at(n, &domain).await
        });
    }
    if !args.mixed {
        while let Some(queued) = queueing.join_next().await {
            queued??;
        }
    }
    let commits = others(&harness, hanging + 1, args).await?;
    inbox.wait_total(1 + args.mails, LIMIT).await?;
    while let Some(queued) = queueing.join_next().await {
        queued??;
    }
    let waits = waits(&harness, &commits).await?;
    worker.kill().await?;
    Ok(waits)
}

/// Queues the other mails at their pace; when each was committed.
async fn others(harness: &Harness, first: u64, args: &Args) -> anyhow::Result<Vec<Timestamp>> {
    let mut pace = interval(Duration::from_millis(args.pause.max(1)));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut commits = Vec::new();
    for n in first..first + args.mails {
        pace.tick().await;
        harness.register(n).await?;
        commits.push(Timestamp::now());
    }
    Ok(commits)
}

/// Milliseconds from each commit to the end of the mail, as the worker wrote it down.
async fn waits(harness: &Harness, commits: &[Timestamp]) -> anyhow::Result<Vec<f64>> {
    let filter = MailFilter {
        limit: u32::MAX,
        ..MailFilter::default()
    };
    loop {
        let mut mails = harness
            .database
            .store
            .reader()
            .await?
            .mails(&filter)
            .await?;
        mails.retain(|mail| mail.to.ends_with("@example.com"));
        mails.sort_by_key(|mail| mail.created);
        let ends = mails.iter().skip(1).map(|mail| mail.finished);
        let waits: Vec<f64> = (ends.zip(commits))
            .filter_map(|(end, commit)| Some(end?.duration_since(*commit).as_secs_f64() * 1000.0))
            .collect();
        if waits.len() == commits.len() {
            return Ok(waits);
        }
        // The relay has them all; the last results are about to be committed.
        sleep(Duration::from_millis(50)).await;
    }
}
