//! How many logins a second the API answers, beside a bare loop of the same hash on the same cores;
//! and whether everything else stays quick meanwhile.
//!
//! The two run in alternating slices of one measurement, so that whatever else the machine does
//! falls on both.

use std::net::SocketAddr;
use std::ops::AddAssign;
use std::time::{Duration, Instant};

use anyhow::ensure;
use domain::password::{HashCost, Hasher, Password, PasswordHash};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinSet;

use crate::harness::{Harness, PASSWORD, log_in};
use crate::http::Client;
use crate::latency::{self, Probe};

/// The arguments of `login`.
#[derive(clap::Args)]
pub struct Args {
    /// How many slices of each kind
    #[arg(long, default_value_t = 6)]
    slices: u32,
    /// How long a slice is, in seconds
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// How many clients log in at once
    #[arg(long, default_value_t = 8)]
    clients: usize,
}

/// Measures and prints.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let harness = Harness::new().await?;
    let accounts = &harness.settings.accounts;
    let cost = HashCost {
        memory_kib: accounts.argon2_memory_kib,
        iterations: accounts.argon2_iterations,
        parallelism: accounts.argon2_parallelism,
    };
    let hash = Hasher::new(cost)?.hash(&Password::new(PASSWORD));
    let api = harness.start_api().await?;
    let token = harness.logged_in(&api, &hash).await?;

    let threads = accounts.hash_threads;
    let slice = Duration::from_secs(args.seconds);
    let bar = ProgressBar::new(u64::from(args.slices) * 2).with_style(
        ProgressStyle::with_template("slices {wide_bar} {pos}/{len}")?,
    );
    let (mut bare, mut logins) = (Done::default(), Done::default());
    let mut probes = [Probe::live(), Probe::me(token)];
    for _ in 0..args.slices {
        bare += bare_slice(&hash, cost, threads, slice).await?;
        bar.inc(1);
        logins += login_slice(api.address, args.clients, slice, &mut probes).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();

    let (bare, logins) = (bare.rate(), logins.rate());
    println!(
        "argon2id m={},t={},p={} on {threads} threads, {} slices of {} s each:",
        cost.memory_kib, cost.iterations, cost.parallelism, args.slices, args.seconds
    );
    println!("  bare loop   {bare:.1} hashes/s");
    println!(
        "  logins      {logins:.1} logins/s over HTTP, {} clients: {:.1} % of the bare loop",
        args.clients,
        logins / bare * 100.0
    );
    println!("meanwhile, one request after the other:");
    for probe in &mut probes {
        println!("  {}", probe.line());
    }
    Ok(())
}

/// What was done in a slice, from its beginning until the last of what was begun had ended.
#[derive(Default)]
struct Done {
    count: u64,
    seconds: f64,
}

impl AddAssign for Done {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.seconds += other.seconds;
    }
}

impl Done {
    fn since(started: Instant, count: u64) -> Self {
        let seconds = started.elapsed().as_secs_f64();
        Self { count, seconds }
    }

    fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "some thousand logins")]
        let count = self.count as f64;
        count / self.seconds
    }
}

/// How many hashes threads compute that do nothing else.
async fn bare_slice(
    hash: &PasswordHash,
    cost: HashCost,
    threads: usize,
    slice: Duration,
) -> anyhow::Result<Done> {
    let (started, mut loops) = (Instant::now(), JoinSet::new());
    for _ in 0..threads {
        let hash = hash.clone();
        loops.spawn_blocking(move || {
            let mut hasher = Hasher::new(cost)?;
            let (password, mut count) = (Password::new(PASSWORD), 0);
            while started.elapsed() < slice {
                ensure!(hasher.verify(&password, &hash), "the hash does not match");
                count += 1;
            }
            Ok(count)
        });
    }
    let mut total = 0;
    while let Some(count) = loops.join_next().await {
        total += count??;
    }
    Ok(Done::since(started, total))
}

/// How many logins the API answers, and how quick it is with small requests meanwhile.
async fn login_slice(
    api: SocketAddr,
    clients: usize,
    slice: Duration,
    probes: &mut [Probe],
) -> anyhow::Result<Done> {
    let (started, mut tasks) = (Instant::now(), JoinSet::new());
    for _ in 0..clients {
        let client = Client::new(api);
        tasks.spawn(async move {
            let mut count = 0;
            while started.elapsed() < slice {
                log_in(&client).await?;
                count += 1;
            }
            anyhow::Ok(count)
        });
    }
    latency::until(started + slice, &Client::new(api), probes).await?;
    let mut total = 0;
    while let Some(count) = tasks.join_next().await {
        total += count??;
    }
    Ok(Done::since(started, total))
}
