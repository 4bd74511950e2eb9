//! Whether each relay would accept mail: its name, each of its addresses, TLS and its certificate, AUTH. No mail is sent.

use std::net::SocketAddr;
use std::time::Duration;

use super::network::{Network, RelayAnswer, RelayProbe, Security};
use super::report::Report;
use crate::phrases::{span, to_millis};
use domain::relay::{PostedRelayStatus, RelayState};
use jiff::Timestamp;
use runtime::settings::{Env, RelayUrl, Settings, Source};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// The time limit for looking up a name, and for connecting to each of its addresses.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Days before its expiry at which a certificate should have been renewed: automatic renewal is earlier.
const DAYS: i64 = 14;

const RESTART: &str = "a process keeps the settings it was started with: restart the worker (systemctl restart smart-notes-worker)";

/// Checks every relay. `posted`: the status of relays as workers report it.
pub async fn check(
    settings: &Settings,
    posted: &[PostedRelayStatus],
    network: &dyn Network,
    report: &mut Report<'_>,
) {
    let missing = settings.missing().any(|(key, _)| key == "smtp.relays");
    if missing {
        report.skipped(
            "relays",
            "smtp.relays is not set for this command: no relay was checked",
        );
        return;
    }
    let mut names = Vec::new();
    for url in &settings.smtp.relays {
        match network.relay(url, &settings.smtp) {
            Ok(relay) => {
                names.push(relay.name().to_owned());
                if ask(settings, url, relay.as_ref(), report).await {
                    worker_disagrees(relay.name(), posted, report);
                }
            }
            Err(message) => {
                report.problem(
                    "setup",
                    message,
                    "fix smtp.relays, smtp.ca_file or smtp.hello_name",
                );
            }
        }
    }
    if !is_the_catcher(settings) {
        other_relays(&names, posted, report);
    }
}

/// A relay that accepts mail with these settings and not with a worker's: the settings were changed after the worker
/// started, or the relay has just recovered.
fn worker_disagrees(name: &str, posted: &[PostedRelayStatus], report: &mut Report<'_>) {
    let out = |one: &&PostedRelayStatus| {
        one.status.relay == name && one.status.state != RelayState::Closed
    };
    for one in posted.iter().filter(out) {
        let since = to_millis(one.status.since);
        report.warning(
            "restart",
            format!(
                "{name} accepts mail with these settings, but {} has sent nothing to it since {since}",
                one.worker
            ),
            format!("if this does not end by itself within a minute: {RESTART}"),
        );
    }
}

/// A worker whose relays are not those of the settings.
fn other_relays(names: &[String], posted: &[PostedRelayStatus], report: &mut Report<'_>) {
    for one in posted
        .iter()
        .filter(|one| !names.contains(&one.status.relay))
    {
        report.warning(
            "restart",
            format!(
                "{} sends to {}, which is not in smtp.relays",
                one.worker, one.status.relay
            ),
            RESTART,
        );
    }
}

/// Whether it would accept mail.
async fn ask(
    settings: &Settings,
    url: &RelayUrl,
    relay: &dyn RelayProbe,
    report: &mut Report<'_>,
) -> bool {
    let name = relay.name().to_owned();
    report.step(format!("{name}: looking up its addresses"));
    addresses(url, &name, report).await;
    report.step(format!("{name}: connecting, TLS, EHLO, AUTH"));
    match relay.inspect().await {
        Ok(found) => {
            report.ok(
                "answers",
                format!("{url} would accept mail: {}", proven(&found)),
            );
            certificate(&name, &found, report);
            return true;
        }
        Err(failure) if is_the_catcher(settings) => report.warning(
            "answers",
            failure.message,
            "this is the mail catcher, which runs as part of `cargo run`",
        ),
        Err(failure) => report.problem("answers", failure.message, failure.fix),
    }
    false
}

/// Each address by itself: where one of several does not answer, mails are only slower at first.
async fn addresses(url: &RelayUrl, name: &str, report: &mut Report<'_>) {
    let found = timeout(TIMEOUT, lookup_host((url.host.as_str(), url.port))).await;
    // The inspection reports a name that does not resolve, or addresses of which none answers.
    let Ok(Ok(found)) = found else { return };
    let mut found: Vec<SocketAddr> = found.collect();
    found.sort();
    found.dedup();
    let mut silent = Vec::new();
    for address in &found {
        report.step(format!("{name}: connecting to {address}"));
        match timeout(TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => silent.push(format!("{address}: {error}")),
            Err(_) => silent.push(format!("{address}: no answer within {TIMEOUT:?}")),
        }
    }
    let shown: Vec<String> = found.iter().map(|at| at.ip().to_string()).collect();
    if silent.is_empty() {
        report.ok(
            "addresses",
            format!(
                "{name} resolves to {}; every address answers",
                shown.join(" and ")
            ),
        );
    } else if silent.len() < found.len() {
        report.warning(
            "addresses",
            format!(
                "{name}: {} of {} addresses do not answer: {}",
                silent.len(),
                found.len(),
                silent.join("; ")
            ),
            "mails go to an address that answers; a firewall or missing IPv6 may block the others",
        );
    }
}

/// What the relay's answer proves.
fn proven(found: &RelayAnswer) -> String {
    let tls = match found.security {
        Security::Tls { .. } => "TLS with a trusted certificate",
        Security::None => "in clear text",
    };
    let login = if found.logged_in {
        "user and password accepted"
    } else {
        "without a login"
    };
    format!("{tls}, {login}")
}

fn certificate(name: &str, found: &RelayAnswer, report: &mut Report<'_>) {
    let Security::Tls { until } = found.security else {
        return;
    };
    let Some(until) = until else {
        report.warning(
            "certificate",
            format!("the certificate of {name} can't be read"),
            "",
        );
        return;
    };
    let left = until.as_second() - Timestamp::now().as_second();
    let date = until.strftime("%Y-%m-%d").to_string();
    if left < DAYS * 86_400 {
        let left = span(left);
        report.warning(
            "certificate",
            format!("the certificate of {name} expires on {date}, in {left}"),
            "the operator of that relay must renew it",
        );
    } else {
        report.ok(
            "certificate",
            format!("its certificate is valid until {date}"),
        );
    }
}

/// Whether this is development without a relay in the settings: mails go to the catcher, if it runs.
fn is_the_catcher(settings: &Settings) -> bool {
    let relays = settings
        .explain()
        .into_iter()
        .find(|row| row.key == "smtp.relays");
    settings.env == Env::Development && relays.is_some_and(|row| row.source == Source::Default)
}
