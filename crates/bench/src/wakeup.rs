//! How soon after its commit a mail is begun by an idle worker, and what idling costs.

use std::time::Duration;

use anyhow::Context;
use domain::queue::MailFilter;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use tokio::time::sleep;

use crate::harness::Harness;
use crate::stats::percentile;

/// The arguments of `wakeup`.
#[derive(clap::Args)]
pub struct Args {
    /// How many mails, one after the other
    #[arg(long, default_value_t = 200)]
    mails: u64,
    /// How long to watch the idle worker, in seconds
    #[arg(long, default_value_t = 10)]
    idle: u64,
}

/// Between two mails the worker comes to rest.
const REST: Duration = Duration::from_millis(40);

/// Measures and prints.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let harness = Harness::new().await?;
    let mut worker = harness.start_worker()?;
    harness.register(0).await?;
    harness
        .catcher
        .inbox()
        .wait_total(1, Duration::from_secs(30))
        .await?;

    let idle = idle_cost(worker.id().context("the worker has ended")?, args.idle).await?;
    let bar = ProgressBar::new(args.mails).with_style(ProgressStyle::with_template(
        "mails {wide_bar} {pos}/{len}",
    )?);
    let mut commits = Vec::new();
    for n in 1..=args.mails {
        harness.register(n).await?;
        commits.push(Timestamp::now());
        harness
            .catcher
            .inbox()
            .wait_total(n + 1, Duration::from_secs(30))
            .await?;
        sleep(REST).await;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let mut delays = delays(&harness, &commits).await?;
    worker.kill().await?;

    delays.sort_by(f64::total_cmp);
    let at = |share: f64| percentile(&delays, share);
    println!(
        "from commit to the handler's start, {} mails, worker idle before each:",
        delays.len()
    );
    println!(
        "  p50 {:.2} ms   p90 {:.2} ms   p99 {:.2} ms   max {:.2} ms",
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    );
    println!(
        "the idle worker takes {:.2} % of a core (over {} s)",
        idle * 100.0,
        args.idle
    );
    Ok(())
}

/// The share of a core that a process takes while nothing happens.
async fn idle_cost(pid: u32, seconds: u64) -> anyhow::Result<f64> {
    sleep(Duration::from_secs(2)).await;
    let before = cpu_ticks(pid)?;
    sleep(Duration::from_secs(seconds)).await;
    // Linux counts in hundredths of a second, whatever its own tick is (proc(5), USER_HZ).
    #[expect(clippy::cast_precision_loss, reason = "a few thousand ticks")]
    let share = (cpu_ticks(pid)? - before) as f64 / 100.0 / seconds as f64;
    Ok(share)
}

/// User and system time of a process so far, from `/proc`.
fn cpu_ticks(pid: u32) -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .context("the worker's CPU time can be read on Linux only")?;
    // The command's name, in parentheses, may hold anything; the fields after it are plain.
    let (_, fields) = stat
        .rsplit_once(')')
        .context("/proc/PID/stat is unreadable")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|field| field.parse::<u64>().ok());
    ticks(11)
        .zip(ticks(12))
        .map(|(user, system)| user + system)
        .context("/proc/PID/stat is unreadable")
}

/// Milliseconds from each commit to the start of its handler, as the worker wrote it down.
async fn delays(harness: &Harness, commits: &[Timestamp]) -> anyhow::Result<Vec<f64>> {
    let filter = MailFilter {
        limit: u32::MAX,
        ..MailFilter::default()
    };
    let mut reader = harness.database.store.reader().await?;
    let mut mails = reader.mails(&filter).await?;
    mails.sort_by_key(|mail| mail.created);
    let mut delays = Vec::new();
    for (mail, commit) in mails.iter().skip(1).zip(commits) {
        let story = reader.mail(&mail.id.to_string()).await?.pop();
        let started = story
            .and_then(|story| story.tries.first().map(|attempt| attempt.started))
            .with_context(|| format!("mail {} has no record of its try", mail.id))?;
        delays.push(started.duration_since(*commit).as_secs_f64() * 1000.0);
    }
    Ok(delays)
}
