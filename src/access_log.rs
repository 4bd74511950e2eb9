//! The log line of each request.
//!
//! Refusals are summarised, so that a client with thousands of refused requests cannot fill the
//! disk: for each client and reason, the first `LINES` refusals of a minute are logged
//! individually, the others as a sum at its end. Successful health probes are logged at `debug`.
//! The metrics count every request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use domain::client::ClientKey;
use tracing::field::display;

/// The number of refusals of a client for one reason that are logged individually between two sums.
const LINES: u64 = 5;

/// The number of pairs of client and reason that are distinguished between two sums.
const PAIRS: usize = 1_000;

/// The interval between two sums.
const EVERY: Duration = Duration::from_mins(1);

/// The reason of a refusal, a stable word in the extensions of the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason(pub &'static str);

/// The reason when an address holds too many connections.
const CONNECTIONS: &str = "connections";

/// The access log. Cheap to clone.
#[derive(Clone, Default)]
pub struct AccessLog(Arc<Mutex<Refusals>>);

/// The refusals since the last sum.
#[derive(Default)]
struct Refusals {
    by_client: HashMap<(ClientKey, &'static str), u64>,
    /// The refusals of further clients, once the maximum of pairs is reached.
    others: u64,
}

/// A request with its response.
pub struct Answered<'a> {
    /// The method.
    pub method: &'a Method,
    /// The template of the route.
    pub route: &'a str,
    /// The status of the response.
    pub status: StatusCode,
    /// The time from the request's head to its response.
    pub took: Duration,
    /// The request id.
    pub id: &'a str,
    /// The client that it is counted for.
    pub client: &'a ClientKey,
    /// Whether it had a valid token.
    pub is_users: bool,
    /// The reason of a refusal, if the response has one.
    pub reason: Option<Reason>,
}

impl Answered<'_> {
    /// The reason of a refusal that may occur thousands of times. Failed authentication is logged
    /// individually: limits keep it rare (OWASP ASVS 5.0 16.3.1).
    fn refused(&self) -> Option<&'static str> {
        if let Some(Reason(reason)) = self.reason {
            return Some(reason);
        }
        let is_proof = self.method == Method::POST
            && self.route.starts_with("/api/auth/")
            && matches!(self.status, StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN);
        let is_anonymous = self.status.is_client_error() && !self.is_users && !is_proof;
        is_anonymous.then(|| self.status.canonical_reason().unwrap_or("refused"))
    }
}

impl AccessLog {
    /// Logs a response.
    pub fn answered(&self, answer: &Answered<'_>) {
        // Outside of any span, with the id as its own field, as in the worker's lines.
        macro_rules! log {
            ($level:ident $(, $more:tt)*) => {
                tracing::$level!(
                    http.method = %answer.method,
                    http.route = answer.route,
                    http.status = answer.status.as_u16(),
                    duration_ms = u64::try_from(answer.took.as_millis()).unwrap_or(u64::MAX),
                    request.id = answer.id,
                    $($more,)*
                    "answered"
                )
            };
        }
        let is_probe = answer.route.starts_with("/health/");
        match answer.refused() {
            Some(reason) => {
                if self.count(answer.client, reason) {
                    let client = display(answer.client);
                    log!(info, client, reason);
                }
            }
            None if is_probe && answer.status.is_success() => log!(debug),
            None => log!(info),
        }
    }

    /// Logs the response to a malformed request.
    pub fn malformed(&self, status: StatusCode, id: &str, peer: &ClientKey) {
        let reason = status.canonical_reason().unwrap_or("unreadable");
        if self.count(peer, reason) {
            tracing::info!(
                http.status = status.as_u16(),
                request.id = id,
                client = %peer,
                reason,
                "answered a malformed request"
            );
        }
    }

    /// Logs that a connection was closed because its address holds too many.
    pub fn too_many_connections(&self, client: &ClientKey) {
        if self.count(client, CONNECTIONS) {
            tracing::warn!(
                client = %client,
                reason = CONNECTIONS,
                "closed a connection: its address has too many"
            );
        }
    }

    /// Logs the sums regularly. Never returns.
    pub async fn sum_up_regularly(&self) {
        loop {
            tokio::time::sleep(EVERY).await;
            self.sum_up();
        }
    }

    /// Logs the sums of the refusals that were not logged individually.
    pub fn sum_up(&self) {
        let Refusals { by_client, others } = std::mem::take(&mut *self.refusals());
        for ((client, reason), count) in by_client {
            if let Some(count @ 1..) = count.checked_sub(LINES) {
                tracing::info!(client = %client, reason, count, "further refusals, not logged individually");
            }
        }
        if others > 0 {
            tracing::info!(
                count = others,
                "refusals of further clients, not distinguished"
            );
        }
    }

    /// Counts a refusal. Returns whether to log it individually.
    fn count(&self, client: &ClientKey, reason: &'static str) -> bool {
        let mut refusals = self.refusals();
        let pairs = refusals.by_client.len();
        let pair = (client.clone(), reason);
        match refusals.by_client.get_mut(&pair) {
            Some(count) => {
                *count += 1;
                *count <= LINES
            }
            None if pairs < PAIRS => {
                refusals.by_client.insert(pair, 1);
                true
            }
            None => {
                refusals.others += 1;
                false
            }
        }
    }

    fn refusals(&self) -> MutexGuard<'_, Refusals> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(n: u32) -> ClientKey {
        ClientKey::of(std::net::Ipv4Addr::from_bits(n).into())
    }

    #[test]
    fn each_client_and_reason_has_lines_of_its_own_until_they_are_summed_up() {
        let log = AccessLog::default();
        let lines = |client: &ClientKey, reason| {
            (0..100).filter(|_| log.count(client, reason)).count() as u64
        };

        let first = [lines(&client(1), "a"), lines(&client(1), "b")];
        let other = lines(&client(2), "a");
        log.sum_up();

        assert_eq!((first, other), ([LINES; 2], LINES));
        assert_eq!(lines(&client(1), "a"), LINES);
    }

    #[test]
    fn more_clients_than_are_told_apart_take_no_more_memory() {
        let log = AccessLog::default();

        let lines = (0..10_000).filter(|n| log.count(&client(*n), "a")).count();

        assert_eq!(lines, PAIRS);
        assert_eq!(log.refusals().by_client.len(), PAIRS);
        assert_eq!(log.refusals().others, 9_000);
    }

    #[test]
    fn failed_proofs_and_requests_of_users_are_logged_one_by_one() {
        let answered = |method: Method, route, status: u16, is_users| {
            Answered {
                method: &method,
                route,
                status: StatusCode::from_u16(status).unwrap(),
                took: Duration::ZERO,
                id: "",
                client: &client(1),
                is_users,
                reason: None,
            }
            .refused()
        };

        for (method, route, status, is_users) in [
            (Method::POST, "/api/auth/login/", 400, false),
            (Method::POST, "/api/auth/login", 403, false),
            (Method::POST, "/api/auth/login/", 503, false),
            (Method::GET, "/api/notes/{id}/", 404, true),
        ] {
            assert_eq!(answered(method, route, status, is_users), None);
        }
        let unknown = answered(Method::GET, "unknown", 404, false);
        assert_eq!(unknown, Some("Not Found"));
        let login = answered(Method::GET, "/api/auth/login/", 405, false);
        assert_eq!(login, Some("Method Not Allowed"));
    }
}
