//! How many logins a second the API answers, beside a bare loop of the same hash on the same cores;
//! and whether everything else stays quick meanwhile.
//!
//! The two run in alternating slices of one measurement, so that whatever else the machine does
//! falls on both.

use std::ops::AddAssign;
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
    #[arg(long, default_value_t = 8)]
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
    let (mut bare, mut logins) = (Done::default(), Done::default());
    let mut probes = Probes::default();
    for _ in 0..args.slices {
        bare += bare_slice(&hash, cost, threads, slice).await?;
        bar.inc(1);
        logins += login_slice(&api.address, &token, args.clients, slice, &mut probes).await?;
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

/// The pause between two looks at how quick small requests are. Short enough for a thousand of them,
/// long enough that they take no part of the cores that is worth mentioning.
const PROBE_PAUSE: Duration = Duration::from_millis(50);

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
    api: &std::net::SocketAddr,
    token: &str,
    clients: usize,
    slice: Duration,
    probes: &mut Probes,
) -> anyhow::Result<Done> {
    let (started, mut tasks) = (Instant::now(), JoinSet::new());
    for _ in 0..clients {
        let client = Client::new(*api);
        tasks.spawn(async move {
            let mut count = 0;
            while started.elapsed() < slice {
                log_in(&client).await?;
                count += 1;
            }
            anyhow::Ok(count)
        });
    }
    let client = Client::new(*api);
    while started.elapsed() < slice {
        probes
            .live
            .push(timed(&client, "/health/live", None).await?);
        probes
            .me
            .push(timed(&client, "/api/auth/me/", Some(token)).await?);
        tokio::time::sleep(PROBE_PAUSE).await;
    }
    let mut total = 0;
    while let Some(count) = tasks.join_next().await {
        total += count??;
    }
    Ok(Done::since(started, total))
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
