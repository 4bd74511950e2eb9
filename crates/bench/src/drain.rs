//! How fast a backlog is delivered to a local sink, beside a bare loop of lettre's connections; what
//! memory that takes, and whether the API stays quick meanwhile.
//!
//! Half of the bare loop runs before the drain and half after it, so that whatever else the machine
//! does falls on both.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use domain::password::{HashCost, Hasher, Password};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinSet;

use crate::baseline::smtp;
use crate::harness::{Harness, PASSWORD};
use crate::http::Client;
use crate::latency::{self, Probe};

/// The arguments of `drain`.
#[derive(clap::Args)]
pub struct Args {
    /// How many mails wait when the worker starts
    #[arg(long, default_value_t = 10_000)]
    mails: u64,
}

/// How many registrations are under way at once.
const LANES: usize = 64;

/// Longer than any drain takes.
const LIMIT: Duration = Duration::from_mins(10);

/// Measures and prints.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let harness = Arc::new(Harness::new().await?);
    let connections = harness.settings.smtp.max_connections;
    let sink = harness.catcher.smtp_addr();
    let bar = ProgressBar::new(args.mails).with_style(ProgressStyle::with_template(
        "{msg:<10} {wide_bar} {pos}/{len}",
    )?);
    bar.set_message("queueing");
    queue(&harness, args.mails, &bar).await?;

    bar.set_message("bare loop");
    let mut bare = smtp::send(sink, args.mails / 2, connections)
        .await
        .map_err(anyhow::Error::from_boxed)?;
    bar.set_message("delivering");
    let api = harness.start_api().await?;
    let hash = Hasher::new(HashCost::FLOOR)?.hash(&Password::new(PASSWORD));
    let mut probes = [Probe::me(harness.logged_in(&api, &hash).await?)];
    let client = Client::new(api.address);
    let draining = drain(&harness, args.mails / 2, args.mails, &bar);
    let (took, memory) = latency::during(draining, &client, &mut probes).await?;
    bar.set_message("bare loop");
    bare += smtp::send(sink, args.mails - args.mails / 2, connections)
        .await
        .map_err(anyhow::Error::from_boxed)?;
    bar.finish_and_clear();

    let (rate, baseline) = (rate(args.mails, took), rate(args.mails, bare));
    println!("{} mails on {connections} connections:", args.mails);
    println!(
        "  bare loop   {baseline:.0} mails/s: lettre's connections with TCP_NODELAY, nothing on record"
    );
    println!(
        "  worker      {rate:.0} mails/s, every claim, mark, record and result durable: {:.1} % of the bare loop",
        rate / baseline * 100.0
    );
    println!("  its memory  {memory} at most");
    println!("meanwhile, one request after the other:");
    println!("  {}", probes[0].line());
    Ok(())
}

fn rate(mails: u64, took: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "some thousand mails")]
    let mails = mails as f64;
    mails / took.as_secs_f64()
}

/// Puts so many mails into the queue.
async fn queue(harness: &Arc<Harness>, mails: u64, bar: &ProgressBar) -> anyhow::Result<()> {
    let mut writers = JoinSet::new();
    for lane in (0..mails).take(LANES) {
        let (harness, bar) = (Arc::clone(harness), bar.clone());
        writers.spawn(async move {
            for n in (lane..mails).step_by(LANES) {
                harness.register(n).await?;
                bar.inc(1);
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = writers.join_next().await {
        done??;
    }
    Ok(())
}

/// Lets the worker deliver them to a sink that has had `before` others: how long it took from the first to the last, and the most memory it had.
async fn drain(
    harness: &Harness,
    before: u64,
    mails: u64,
    bar: &ProgressBar,
) -> anyhow::Result<(Duration, String)> {
    bar.set_position(0);
    let inbox = harness.catcher.inbox();
    let mut worker = harness.start_worker()?;
    inbox.wait_total(before + 1, LIMIT).await?;
    let first = Instant::now();
    for part in 1..=20 {
        let position = mails * part / 20;
        inbox.wait_total(before + position, LIMIT).await?;
        bar.set_position(position);
    }
    let took = first.elapsed();
    let memory = most_memory(worker.id().context("the worker has ended")?)?;
    worker.kill().await?;
    Ok((took, memory))
}

/// The most memory a process has had, as Linux words it.
pub fn most_memory(process: u32) -> anyhow::Result<String> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(line.context("this system does not say")?.trim().to_owned())
}
