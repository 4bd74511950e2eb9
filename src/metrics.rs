//! Metrics of requests and of the hash pool, if `http.metrics_listen` is set.
//!
//! Labels are few by design: a route's template, a known method, a status. They never contain an
//! id, an address, or a path chosen by a client.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use axum::http::{Method, StatusCode};
use metrics::{Counter, Histogram, counter, describe_counter, describe_gauge, describe_histogram};
use metrics::{gauge, histogram};
use runtime::hashing::HashPool;
use runtime::metrics::{Collect, Listening};
use runtime::settings::Settings;

use crate::{AppState, StartError};

const REQUESTS: &str = "smart_notes_http_requests_total";
const DURATION: &str = "smart_notes_http_request_duration_seconds";
const HASH_BUSY: &str = "smart_notes_hash_busy";
const HASH_WAITING: &str = "smart_notes_hash_waiting";
const HASH_THREADS: &str = "smart_notes_hash_threads";

/// Counts requests. Cheap to clone; `None` if no metrics are served.
#[derive(Clone, Default)]
pub struct RequestMetrics(Option<Arc<Routes>>);

/// The counters by route template, then by method and status, each looked up in the recorder once.
type Routes = RwLock<HashMap<String, HashMap<(&'static str, u16), Answers>>>;

#[derive(Clone)]
struct Answers {
    count: Counter,
    duration: Histogram,
}

impl RequestMetrics {
    /// The metrics for these settings.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        if settings.http.metrics_listen.is_none() {
            return Self(None);
        }
        describe_counter!(REQUESTS, "Requests by route template, method and status.");
        describe_histogram!(DURATION, "Time from a request's headers to its response.");
        describe_gauge!(HASH_THREADS, "Number of threads that hash passwords.");
        describe_gauge!(HASH_BUSY, "Number of passwords that are being hashed.");
        describe_gauge!(HASH_WAITING, "Number of passwords that wait for a thread.");
        Self(Some(Arc::default()))
    }

    /// Counts a response. `route` is the template, with or without its final slash.
    pub fn answered(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        let Some(routes) = &self.0 else {
            return;
        };
        let key = (known(method), status.as_u16());
        let find = |routes: &HashMap<String, HashMap<_, Answers>>| {
            routes
                .get(route)
                .and_then(|answers| answers.get(&key))
                .cloned()
        };
        let found = find(&routes.read().unwrap_or_else(PoisonError::into_inner));
        let answers = found.unwrap_or_else(|| {
            let answers = Answers::of(key, route);
            let mut routes = routes.write().unwrap_or_else(PoisonError::into_inner);
            let by_route = routes.entry(route.to_owned()).or_default();
            by_route.insert(key, answers.clone());
            answers
        });
        answers.count.increment(1);
        answers.duration.record(took);
    }
}

impl Answers {
    fn of((method, status): (&'static str, u16), route: &str) -> Self {
        // A route with and without its final slash is counted as one.
        let route = route.trim_end_matches('/').to_owned();
        Self {
            count: counter!(REQUESTS, "method" => method, "route" => route.clone(), "status" => status.to_string()),
            duration: histogram!(DURATION, "method" => method, "route" => route),
        }
    }
}

/// The method, if a route has it; clients can invent others.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// Serves the metrics, if an address is configured.
pub async fn serve(settings: &Settings, state: &AppState) -> Result<Option<Listening>, StartError> {
    let Some(address) = settings.http.metrics_listen else {
        return Ok(None);
    };
    let collect = Arc::new(HashLoad {
        pool: state.hashing.clone(),
        threads: settings.accounts.hash_threads,
    });
    let listening = runtime::metrics::serve(address, "http.metrics_listen", collect).await?;
    Ok(Some(listening))
}

struct HashLoad {
    pool: HashPool,
    threads: usize,
}

#[async_trait]
impl Collect for HashLoad {
    async fn collect(&self) {
        let load = self.pool.load();
        let all = [
            (HASH_THREADS, self.threads),
            (HASH_BUSY, load.busy),
            (HASH_WAITING, load.waiting),
        ];
        for (name, number) in all {
            gauge!(name).set(u32::try_from(number).unwrap_or(u32::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_methods_are_one() {
        let made_up = Method::from_bytes(b"BREW").unwrap();

        assert_eq!((known(&made_up), known(&Method::PATCH)), ("other", "PATCH"));
    }

    #[test]
    fn nothing_is_kept_where_nobody_asks() {
        let metrics = RequestMetrics::default();

        metrics.answered(&Method::GET, "/", StatusCode::OK, Duration::ZERO);

        assert!(metrics.0.is_none());
    }
}
