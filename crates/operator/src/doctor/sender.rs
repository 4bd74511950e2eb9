//! Whether the sender's domain publishes in DNS which hosts may send for it: SPF (RFC 7208) and DMARC (RFC 7489).
//!
//! Receivers check both before they accept mail. Without a network the lookup fails after a few seconds, which is a
//! warning.

use runtime::settings::{Env, Settings};

use super::network::Network;
use super::report::Report;

/// The fewest labels of a domain that is looked up: `com` is not.
const FEWEST_LABELS: usize = 2;

/// Looks up the domain in production, or on request.
pub async fn check(
    settings: &Settings,
    asked: bool,
    network: &dyn Network,
    report: &mut Report<'_>,
) {
    if settings.missing().any(|(key, _)| key == "smtp.from") {
        report.skipped(
            "domain",
            "smtp.from is not set for this command: no domain to look up",
        );
        return;
    }
    let domain = settings.smtp.from.domain().to_ascii_lowercase();
    if settings.env == Env::Development && !asked {
        report.skipped(
            "domain",
            format!("{domain} is not looked up in development, except with --dns"),
        );
        return;
    }
    report.step(format!("looking up {domain}"));
    spf(network, &domain, report).await;
    dmarc(network, &domain, report).await;
}

fn unknown(name: &str, why: &str, check: &'static str, report: &mut Report<'_>) {
    report.warning(
        check,
        format!("{name} could not be looked up: {why}"),
        "check /etc/resolv.conf and whether this machine reaches its name server; --nameserver asks another one",
    );
}

/// Exactly one record, which does not allow every host.
async fn spf(network: &dyn Network, domain: &str, report: &mut Report<'_>) {
    let found = match network.txt(domain).await {
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
            format!("{domain} has no SPF record: receivers can't tell mail from your relay from forged mail"),
            format!("add the TXT record that your relay's documentation names to {domain}, such as \"v=spf1 include:spf.relay.test -all\""),
        ),
        [one] if one.split(' ').any(|term| matches!(term, "+all" | "all")) => report.warning(
            "spf",
            format!("the SPF record of {domain} allows every host to send for it: {one}"),
            "end it with -all or ~all",
        ),
        [one] => report.ok("spf", format!("SPF of {domain}: {one}")),
        several => report.problem(
            "spf",
            format!("{domain} has {} SPF records, which counts as an error (RFC 7208 section 4.5)", several.len()),
            "merge them into one",
        ),
    }
}

/// At the domain, or at the nearest parent domain that has a record.
async fn dmarc(network: &dyn Network, domain: &str, report: &mut Report<'_>) {
    let labels: Vec<&str> = domain.split('.').collect();
    let last = labels.len().saturating_sub(FEWEST_LABELS);
    for above in 0..=last {
        let at = labels[above..].join(".");
        let name = format!("_dmarc.{at}");
        let found = match network.txt(&name).await {
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
                return report.problem("dmarc", message, "merge them into one");
            }
        }
    }
    report.warning(
        "dmarc",
        format!("{domain} has no DMARC record: large providers may reject its mail"),
        format!("add a TXT record to _dmarc.{domain}, such as \"v=DMARC1; p=none; rua=mailto:postmaster@{domain}\""),
    );
}
