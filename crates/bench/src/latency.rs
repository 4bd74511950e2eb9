//! Small requests, one after the other, while something else keeps the machine busy: do they stay quick?

use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::http::Client;
use crate::stats::percentile;

/// The pause between two looks. Short enough for a thousand of them in a measurement, long enough that
/// they take no part of the cores that is worth mentioning.
const PAUSE: Duration = Duration::from_millis(50);

/// Milliseconds that one kind of request took.
pub struct Probe {
    path: &'static str,
    token: Option<String>,
    times: Vec<f64>,
}

impl Probe {
    /// Whether the API lives.
    pub fn live() -> Self {
        Self::new("/health/live", None)
    }

    /// The profile of whoever has that token.
    pub fn me(token: String) -> Self {
        Self::new("/api/auth/me/", Some(token))
    }

    fn new(path: &'static str, token: Option<String>) -> Self {
        Self {
            path,
            token,
            times: Vec::new(),
        }
    }

    async fn once(&mut self, client: &Client) -> anyhow::Result<()> {
        let started = Instant::now();
        let (status, _) = client.get(self.path, self.token.as_deref()).await?;
        ensure!(status == 200, "{} answered {status}", self.path);
        self.times.push(started.elapsed().as_secs_f64() * 1000.0);
        Ok(())
    }

    /// What was found, in a line.
    pub fn line(&mut self) -> String {
        self.times.sort_by(f64::total_cmp);
        format!(
            "{:<14} p50 {:.2} ms   p99 {:.2} ms   ({} requests)",
            self.path,
            percentile(&self.times, 0.5),
            percentile(&self.times, 0.99),
            self.times.len()
        )
    }
}

/// Makes each request again and again, until that time.
pub async fn until(end: Instant, client: &Client, probes: &mut [Probe]) -> anyhow::Result<()> {
    while Instant::now() < end {
        for probe in &mut *probes {
            probe.once(client).await?;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// Makes each request again and again, until `work` has ended, and answers with what came of it.
pub async fn during<T>(
    work: impl Future<Output = anyhow::Result<T>>,
    client: &Client,
    probes: &mut [Probe],
) -> anyhow::Result<T> {
    let mut work = std::pin::pin!(work);
    loop {
        for probe in &mut *probes {
            tokio::select! {
                done = &mut work => return done,
                made = probe.once(client) => made?,
            }
        }
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}
