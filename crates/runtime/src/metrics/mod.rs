//! Figures for Prometheus: where they are kept, and who may fetch them.
//!
//! The crates count by the facade of the `metrics` crate, each under names of its own. Without a recorder
//! that does nothing, and there is one only if a listener is asked for (`http.metrics_listen`,
//! `worker.metrics_listen`): [`install`] makes it, before the database is opened, and [`serve`] hands
//! out the text, on a socket apart from that of the API.

mod listener;

use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;

pub use listener::{BindError, Listening, serve};

/// What is measured in seconds of a request, a statement or a try: half a millisecond to half a minute.
const MOMENTS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// What may take as long as a mail waits: up to a day.
const WAITS: &[f64] = &[
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 3600.0, 86400.0,
];

/// From a mail's request to the relay's 250: up to a day, where the others take moments.
pub const ACCEPTANCE: &str = "smart_notes_mail_acceptance_seconds";

/// Values are kept one by one until they are sorted into their buckets, so that recording one takes no lock.
const UPKEEP: Duration = Duration::from_secs(5);

/// The process's recorder. There is one, as there is one facade.
static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Something else in this process already receives figures.
#[derive(Debug, thiserror::Error)]
#[error("figures are already kept by something else in this process")]
pub struct Taken;

/// Begins to keep figures. Once per process; a second call changes nothing.
///
/// # Panics
///
/// Never: the buckets are constants of this file, and there are some.
pub fn install() -> Result<(), Taken> {
    if RECORDER.get().is_some() {
        return Ok(());
    }
    let buckets = |builder: PrometheusBuilder, matcher, buckets| {
        let set = builder.set_buckets_for_metric(matcher, buckets);
        set.expect("buckets are there, constants of this file")
    };
    let builder = PrometheusBuilder::new();
    let builder = buckets(builder, Matcher::Suffix("_seconds".to_owned()), MOMENTS);
    let builder = buckets(builder, Matcher::Full(ACCEPTANCE.to_owned()), WAITS);
    let handle = builder.install_recorder().map_err(|_| Taken)?;
    metrics::describe_gauge!(
        "smart_notes_build_info",
        "1, with the version of the program."
    );
    metrics::gauge!("smart_notes_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1);
    Collector::default().describe();
    let _ = RECORDER.set(handle);
    Ok(())
}

/// What must be looked up at the moment in which somebody asks, because nobody counts it.
#[async_trait]
pub trait Collect: Send + Sync + 'static {
    /// Sets gauges. Others wait meanwhile.
    async fn collect(&self);
}

/// The figures as Prometheus reads them; empty if none are kept.
async fn text(collect: &dyn Collect) -> String {
    collect.collect().await;
    Collector::default().collect();
    RECORDER
        .get()
        .map(PrometheusHandle::render)
        .unwrap_or_default()
}

/// Sorts what was recorded into its buckets, so that it does not pile up while nobody asks.
async fn upkeep() {
    loop {
        tokio::time::sleep(UPKEEP).await;
        if let Some(recorder) = RECORDER.get() {
            recorder.run_upkeep();
        }
    }
}
