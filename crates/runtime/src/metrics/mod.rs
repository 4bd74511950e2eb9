//! Metrics for Prometheus: the recorder, and the listener that serves them.
//!
//! The crates record metrics through the facade of the `metrics` crate. Without a recorder, that
//! does nothing, and a recorder is installed only if a listener is configured
//! (`http.metrics_listen`, `worker.metrics_listen`): [`install`] creates it before the database is
//! opened, and [`serve`] serves the text on a socket separate from the API's.

mod listener;

use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;

pub use listener::{BindError, Listening, serve};

/// Buckets for the duration of a request, a statement or a delivery attempt, in seconds: 0.5 ms to
/// 30 s.
const LATENCY_BUCKETS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Buckets for durations as long as a mail may wait, in seconds: up to a day.
const WAIT_BUCKETS: &[f64] = &[
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 3600.0, 86400.0,
];

/// The metric from a mail's request to the relay's 250. It may take up to a day, where the others
/// take seconds.
pub const ACCEPTANCE: &str = "smart_notes_mail_acceptance_seconds";

/// The interval in which recorded values are sorted into buckets. Until then they are stored one by
/// one, so that recording takes no lock.
const UPKEEP: Duration = Duration::from_secs(5);

/// The recorder of the process. There is only one, because there is only one facade.
static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Another recorder is already installed in this process.
#[derive(Debug, thiserror::Error)]
#[error("another metrics recorder is already installed in this process")]
pub struct AlreadyInstalled;

/// Installs the recorder. A second call does nothing.
///
/// # Panics
///
/// Never: the buckets are non-empty constants of this file.
pub fn install() -> Result<(), AlreadyInstalled> {
    if RECORDER.get().is_some() {
        return Ok(());
    }
    let buckets = |builder: PrometheusBuilder, matcher, buckets| {
        let set = builder.set_buckets_for_metric(matcher, buckets);
        set.expect("the buckets are non-empty constants")
    };
    let builder = PrometheusBuilder::new();
    let builder = buckets(
        builder,
        Matcher::Suffix("_seconds".to_owned()),
        LATENCY_BUCKETS,
    );
    let builder = buckets(builder, Matcher::Full(ACCEPTANCE.to_owned()), WAIT_BUCKETS);
    let handle = builder.install_recorder().map_err(|_| AlreadyInstalled)?;
    metrics::describe_gauge!(
        "smart_notes_build_info",
        "1, with the version of the program."
    );
    metrics::gauge!("smart_notes_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1);
    Collector::default().describe();
    let _ = RECORDER.set(handle);
    Ok(())
}

/// Gauges that are computed on each scrape.
#[async_trait]
pub trait Collect: Send + Sync + 'static {
    /// Sets the gauges. Other scrapes wait until it returns.
    async fn collect(&self);
}

/// The metrics in Prometheus's text format; empty without a recorder.
async fn text(collect: &dyn Collect) -> String {
    collect.collect().await;
    Collector::default().collect();
    RECORDER
        .get()
        .map(PrometheusHandle::render)
        .unwrap_or_default()
}

/// Sorts recorded values into buckets, so that they do not accumulate between scrapes.
async fn upkeep() {
    loop {
        tokio::time::sleep(UPKEEP).await;
        if let Some(recorder) = RECORDER.get() {
            recorder.run_upkeep();
        }
    }
}
