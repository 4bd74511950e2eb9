//! How fast a backlog is delivered to a local sink.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinSet;

use super::rig::Rig;

/// What `bench drain` is told.
#[derive(clap::Args)]
pub struct Args {
    /// How many mails wait when the worker starts
    #[arg(long, default_value_t = 2000)]
    mails: u64,
}

/// Longer than any drain takes.
const LIMIT: Duration = Duration::from_mins(10);

/// Measures and prints.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let rig = std::sync::Arc::new(Rig::new().await?);
    let bar = ProgressBar::new(args.mails).with_style(ProgressStyle::with_template(
        "{msg} {wide_bar} {pos}/{len}",
    )?);
    bar.set_message("queueing  ");
    let mut writers = JoinSet::new();
    for lane in 0..64 {
        let (rig, bar, mails) = (std::sync::Arc::clone(&rig), bar.clone(), args.mails);
        writers.spawn(async move {
            for n in (lane..mails).step_by(64) {
                rig.register(n).await?;
                bar.inc(1);
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = writers.join_next().await {
        done??;
    }

    bar.set_position(0);
    bar.set_message("delivering");
    let mut worker = rig.start_worker()?;
    let inbox = rig.catcher.inbox();
    inbox.wait_total(1, LIMIT).await?;
    let first = Instant::now();
    for part in 1..=20 {
        let position = args.mails * part / 20;
        inbox.wait_total(position, LIMIT).await?;
        bar.set_position(position);
    }
    let took = first.elapsed();
    bar.finish_and_clear();
    worker.kill().await?;

    #[expect(clippy::cast_precision_loss, reason = "some thousand mails")]
    let rate = args.mails as f64 / took.as_secs_f64();
    println!(
        "{} mails in {:.2} s: {rate:.0} mails/s on {} connections, every claim, mark, record and result durable",
        args.mails,
        took.as_secs_f64(),
        rig.settings.smtp.max_connections
    );
    Ok(())
}
