//! Whether the sender's domain says in DNS who may send for it: SPF (RFC 7208) and DMARC (RFC 7489).
//!
//! Receivers look there before they take mail. Without a network this says so, after a few seconds, and goes on.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use runtime::settings::{Env, Settings};
use tokio::time::timeout;

use super::finding::Report;

/// For one look-up, with every name server and try.
const PATIENCE: Duration = Duration::from_secs(6);

/// For one name server.
const ONE_TRY: Duration = Duration::from_secs(2);

/// A domain has so many labels at least: nothing is asked of `com`.
const FEWEST_LABELS: usize = 2;

/// Looks the domain up in production, or if asked to.
pub async fn check(
    settings: &Settings,
    asked: bool,
    nameserver: Option<SocketAddr>,
    report: &mut Report,
) {
    if settings.missing().any(|(key, _)| key == "smtp.from") {
        report.skipped(
            "domain",
            "smtp.from is not set for this command: no domain was looked up",
        );
        return;
    }
    let domain = settings.smtp.from.domain().to_ascii_lowercase();
    if settings.env == Env::Development && !asked && nameserver.is_none() {
        report.skipped(
            "domain",
            format!("{domain} was not looked up in development: --dns does"),
        );
        return;
    }
    report.working_on(format!("looking up {domain}"));
    let dns = match resolver(nameserver) {
        Ok(dns) => dns,
        Err(error) => {
            let message = format!("{domain} could not be looked up: {error}");
            report.warning(
                "domain",
                message,
                "mend /etc/resolv.conf, or name a server with --nameserver",
            );
            return;
        }
    };
    spf(&dns, &domain, report).await;
    dmarc(&dns, &domain, report).await;
}

fn resolver(nameserver: Option<SocketAddr>) -> Result<TokioResolver, NetError> {
    let mut builder = match nameserver {
        None => TokioResolver::builder_tokio()?,
        Some(server) => {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut way| {
                way.port = server.port();
                way
            });
            let server = NameServerConfig::new(server.ip(), true, connections.to_vec());
            let config = ResolverConfig::from_name_servers(vec![server]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    let options = builder.options_mut();
    options.timeout = ONE_TRY;
    options.attempts = 1;
    builder.build()
}

/// The texts of a name; none if there is no such name. An error: nobody knows.
async fn texts(dns: &TokioResolver, name: &str) -> Result<Vec<String>, String> {
    // With the final dot, so that no search domain of this machine is put behind it.
    let lookup = match timeout(PATIENCE, dns.txt_lookup(format!("{name}."))).await {
        Ok(Ok(lookup)) => lookup,
        Ok(Err(error)) if error.is_no_records_found() => return Ok(Vec::new()),
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err(format!("no answer within {PATIENCE:?}")),
    };
    let text = |data: &RData| match data {
        // One text may come in several pieces (RFC 7208 section 3.3).
        RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
        _ => None,
    };
    Ok(lookup
        .answers()
        .iter()
        .filter_map(|record| text(&record.data))
        .collect())
}

fn unknown(name: &str, why: &str, check: &'static str, report: &mut Report) {
    report.warning(
        check,
        format!("{name} could not be looked up: {why}"),
        "see whether this machine reaches its name server; --nameserver asks another one",
    );
}

/// Exactly one record, and one that does not allow everybody.
async fn spf(dns: &TokioResolver, domain: &str, report: &mut Report) {
    let found = match texts(dns, domain).await {
        Ok(found) => found,
        Err(why) => return unknown(domain, &why, "spf", report),
    };
    let is_spf = |text: &&String| {
        text.split(' ')
            .next()
            .is_some_and(|first| first.eq_ignore_ascii_case("v=spf1"))
    };
    let records: Vec<&String> = found.iter().filter(is_spf).collect();
    match records.as_slice() {
        [] => report.warning(
            "spf",
            format!("{domain} has no SPF record: receivers can't tell your relay from a forger"),
            format!("add the TXT record that your relay names to {domain}, like \"v=spf1 include:spf.relay.test -all\""),
        ),
        [one] if one.split(' ').any(|term| matches!(term, "+all" | "all")) => report.warning(
            "spf",
            format!("the SPF record of {domain} lets everybody send for it: {one}"),
            "end it with -all or ~all",
        ),
        [one] => report.ok("spf", format!("SPF of {domain}: {one}")),
        several => report.problem(
            "spf",
            format!("{domain} has {} SPF records, which counts as an error (RFC 7208 section 4.5)", several.len()),
            "make them one",
        ),
    }
}

/// At the domain, or at the nearest one above it that has a record.
async fn dmarc(dns: &TokioResolver, domain: &str, report: &mut Report) {
    let labels: Vec<&str> = domain.split('.').collect();
    let last = labels.len().saturating_sub(FEWEST_LABELS);
    for above in 0..=last {
        let at = labels[above..].join(".");
        let name = format!("_dmarc.{at}");
        let found = match texts(dns, &name).await {
            Ok(found) => found,
            Err(why) => return unknown(&name, &why, "dmarc", report),
        };
        let is_dmarc = |text: &&String| text.to_ascii_lowercase().starts_with("v=dmarc1");
        let records: Vec<&String> = found.iter().filter(is_dmarc).collect();
        match records.as_slice() {
            [] => {}
            [one] => return report.ok("dmarc", format!("DMARC of {at}: {one}")),
            several => {
                let message = format!(
                    "{name} has {} DMARC records, so none counts (RFC 7489 section 6.6.3)",
                    several.len()
                );
                return report.problem("dmarc", message, "make them one");
            }
        }
    }
    report.warning(
        "dmarc",
        format!("{domain} has no DMARC record: large providers sort such mail out"),
        format!("add a TXT record to _dmarc.{domain}, like \"v=DMARC1; p=none; rua=mailto:postmaster@{domain}\""),
    );
}
