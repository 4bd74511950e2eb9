//! Whether each relay would take mail: its name, each of its addresses, TLS and its certificate, AUTH. No mail is sent.

use std::net::SocketAddr;
use std::time::Duration;

use super::finding::span;
use super::network::{Network, RelayAnswer, RelayProbe, Security};
use super::report::Report;
use crate::jobs::shown::moment;
use domain::relay::{PostedStanding, RelayState};
use jiff::Timestamp;
use runtime::settings::{Env, RelayUrl, Settings, Source};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// For a name, and for each of its addresses.
const PATIENCE: Duration = Duration::from_secs(5);

/// Days that a certificate should still be good: whoever renews it by a machine does so earlier.
const DAYS: i64 = 14;

const RESTART: &str = "a process keeps the settings that it was started with: restart the worker (systemctl restart smart-notes-worker)";

/// Asks every relay. `posted`: what workers think of theirs.
pub async fn check(
    settings: &Settings,
    posted: &[PostedStanding],
    network: &dyn Network,
    report: &mut Report<'_>,
) {
    let missing = settings.missing().any(|(key, _)| key == "smtp.relays");
    if missing {
        report.skipped(
            "relays",
            "smtp.relays is not set for this command: no relay was asked",
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
                    "mend smtp.relays, smtp.ca_file or smtp.hello_name",
                );
            }
        }
    }
    if !is_the_catcher(settings) {
        other_relays(&names, posted, report);
    }
}

/// A relay that takes mail with these settings and not with a worker's: they were changed since it started, or the relay
/// has just come back.
fn worker_disagrees(name: &str, posted: &[PostedStanding], report: &mut Report<'_>) {
    let out = |one: &&PostedStanding| {
        one.standing.relay == name && one.standing.state != RelayState::Closed
    };
    for one in posted.iter().filter(out) {
        let since = moment(one.standing.since);
        report.warning(
            "restart",
            format!(
                "{name} takes mail with these settings, and {} has sent it nothing since {since}",
                one.worker
            ),
            format!("if that does not end by itself within a minute: {RESTART}"),
        );
    }
}

/// A worker whose relays are not those of the settings.
fn other_relays(names: &[String], posted: &[PostedStanding], report: &mut Report<'_>) {
    for one in posted
        .iter()
        .filter(|one| !names.contains(&one.standing.relay))
    {
        report.warning(
            "restart",
            format!(
                "{} sends to {}, which smtp.relays does not name",
                one.worker, one.standing.relay
            ),
            RESTART,
        );
    }
}

/// Whether it would take mail.
async fn ask(
    settings: &Settings,
    url: &RelayUrl,
    relay: &dyn RelayProbe,
    report: &mut Report<'_>,
) -> bool {
    let name = relay.name().to_owned();
    report.working_on(format!("{name}: looking up its addresses"));
    addresses(url, &name, report).await;
    report.working_on(format!("{name}: connecting, TLS, EHLO, AUTH"));
    match relay.inspect().await {
        Ok(found) => {
            report.ok(
                "answers",
                format!("{url} would take mail: {}", proven(&found)),
            );
            certificate(&name, &found, report);
            return true;
        }
        Err(failure) if is_the_catcher(settings) => report.warning(
            "answers",
            failure.message,
            "this is the mail catcher, which runs while `cargo run` does",
        ),
        Err(failure) => report.problem("answers", failure.message, failure.mend),
    }
    false
}

/// Each address by itself: a relay that has several may be half gone, which only costs time at first.
async fn addresses(url: &RelayUrl, name: &str, report: &mut Report<'_>) {
    let found = timeout(PATIENCE, lookup_host((url.host.as_str(), url.port))).await;
    // What is wrong with the name, or with all addresses, the inspection says as well.
    let Ok(Ok(found)) = found else { return };
    let mut found: Vec<SocketAddr> = found.collect();
    found.sort();
    found.dedup();
    let mut silent = Vec::new();
    for address in &found {
        report.working_on(format!("{name}: connecting to {address}"));
        match timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => silent.push(format!("{address}: {error}")),
            Err(_) => silent.push(format!("{address}: no answer within {PATIENCE:?}")),
        }
    }
    let shown: Vec<String> = found.iter().map(|at| at.ip().to_string()).collect();
    if silent.is_empty() {
        report.ok(
            "addresses",
            format!("{name} is at {}, which answers", shown.join(" and ")),
        );
    } else if silent.len() < found.len() {
        report.warning(
            "addresses",
            format!("{name}: {} of {} addresses do not answer: {}", silent.len(), found.len(), silent.join("; ")),
            "mails go to the one that answers; a firewall, or missing IPv6, may keep the others away",
        );
    }
}

/// What the answer of the relay is worth.
fn proven(found: &RelayAnswer) -> String {
    let tls = match found.security {
        Security::Tls { .. } => "TLS with a certificate that is trusted",
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
    let said = span(left.max(0).unsigned_abs());
    if left < DAYS * 86_400 {
        report.warning(
            "certificate",
            format!("the certificate of {name} is good until {date} only, {said} from now"),
            "whoever runs that relay must renew it",
        );
    } else {
        report.ok(
            "certificate",
            format!("its certificate is good until {date}"),
        );
    }
}

/// Whether nobody has named a relay, in development: mails go to the catcher, if it runs.
fn is_the_catcher(settings: &Settings) -> bool {
    let relays = settings
        .explain()
        .into_iter()
        .find(|row| row.key == "smtp.relays");
    settings.env == Env::Development && relays.is_some_and(|row| row.source == Source::Default)
}
