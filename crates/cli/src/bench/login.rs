//! How many logins a second the API answers, beside a bare loop of the same hash on the same cores;
//! and whether everything else stays quick meanwhile.
//!
//! The two run in alternating slices of one measurement, so that whatever else the machine does
//! falls on both.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use domain::password::{HashCost, Hasher, Password, PasswordHash};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinSet;

use super::figures::percentile;
use super::http::Client;
use super::rig::Rig;

/// What `bench login` is told.
#[derive(clap::Args)]
pub struct Args {
    /// How many slices of each kind
    #[arg(long, default_value_t = 6)]
    slices: u32,
    /// How long a slice is, in seconds
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// How many clients log in at once
    #[arg(long, default_value_t = 8)]
    clients: usize,
}

const PASSWORD: &str = "an example passphrase";

/// Measures and prints.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    let accounts = &rig.settings.accounts;
    let cost = HashCost {
        memory_kib: accounts.argon2_memory_kib,
        iterations: accounts.argon2_iterations,
        parallelism: accounts.argon2_parallelism,
    };
    let hash = Hasher::new(cost)?.hash(&Password::new(PASSWORD));
    rig.add_user("bench", &hash).await?;
    let api = rig.start_api().await?;
    let token = log_in(&Client::new(api.address)).await?;

    let threads = accounts.hash_threads;
    let slice = Duration::from_secs(args.seconds);
    let bar = ProgressBar::new(u64::from(args.slices) * 2).with_style(
        ProgressStyle::with_template("slices {wide_bar} {pos}/{len}")?,
    );
    let (mut bare, mut logins) = (0, 0);
    let mut probes = Probes::default();
    for _ in 0..args.slices {
        bare += bare_slice(&hash, cost, threads, slice).await?;
        bar.inc(1);
        logins += login_slice(&api.address, &token, args.clients, slice, &mut probes).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();

    let seconds = f64::from(args.slices) * slice.as_secs_f64();
    let (bare, logins) = (rate(bare, seconds), rate(logins, seconds));
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
    for (path, times) in [
        ("/health/live", &mut probes.live),
        ("/api/auth/me/", &mut probes.me),
    ] {
        times.sort_by(f64::total_cmp);
        println!(
            "  {path:<14} p50 {:.2} ms   p99 {:.2} ms   ({} requests)",
            percentile(times, 0.5),
            percentile(times, 0.99),
            times.len()
        );
    }
    Ok(())
}

fn rate(count: u64, seconds: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "some thousand logins")]
    let count = count as f64;
    count / seconds
}

/// Milliseconds that small requests took while logins kept the hash pool busy.
#[derive(Default)]
struct Probes {
    live: Vec<f64>,
    me: Vec<f64>,
}

/// How many hashes threads compute that do nothing else.
async fn bare_slice(
    hash: &PasswordHash,
    cost: HashCost,
    threads: usize,
    slice: Duration,
) -> anyhow::Result<u64> {
    let mut loops = JoinSet::new();
    for _ in 0..threads {
        let hash = hash.clone();
        loops.spawn_blocking(move || {
            let mut hasher = Hasher::new(cost)?;
            let (password, until, mut count) = (Password::new(PASSWORD), Instant::now() + slice, 0);
            while Instant::now() < until {
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
    Ok(total)
}

/// How many logins the API answers, and how quick it is with small requests meanwhile.
async fn login_slice(
    api: &std::net::SocketAddr,
    token: &str,
    clients: usize,
    slice: Duration,
    probes: &mut Probes,
) -> anyhow::Result<u64> {
    let (done, stop) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        let (client, done, stop) = (Client::new(*api), Arc::clone(&done), Arc::clone(&stop));
        tasks.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                log_in(&client).await?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        });
    }
    let (until, client) = (Instant::now() + slice, Client::new(*api));
    while Instant::now() < until {
        probes
            .live
            .push(timed(&client, "/health/live", None).await?);
        probes
            .me
            .push(timed(&client, "/api/auth/me/", Some(token)).await?);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let total = done.load(Ordering::Relaxed);
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(total)
}

async fn timed(client: &Client, path: &str, token: Option<&str>) -> anyhow::Result<f64> {
    let started = Instant::now();
    let (status, _) = client.get(path, token).await?;
    ensure!(status == 200, "{path} answered {status}");
    Ok(started.elapsed().as_secs_f64() * 1000.0)
}

async fn log_in(client: &Client) -> anyhow::Result<String> {
    let body = serde_json::json!({"login": "bench", "password": PASSWORD});
    let (status, answer) = client.post("/api/auth/login/", &body).await?;
    ensure!(status == 200, "a login was answered {status}: {answer}");
    let token = answer["token"]
        .as_str()
        .context("a login without a token")?;
    Ok(token.to_owned())
}
