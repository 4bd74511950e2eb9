//! Whether the sender's domain says in DNS who may send for it: SPF (RFC 7208) and DMARC (RFC 7489).
//!
//! Receivers look there before they take mail. Without a network this says so, after a few seconds, and goes on.

use runtime::settings::{Env, Settings};

use super::network::Network;
use super::report::Report;

/// A domain has so many labels at least: nothing is asked of `com`.
const FEWEST_LABELS: usize = 2;

/// Looks the domain up in production, or if asked to.
pub async fn check(
    settings: &Settings,
    asked: bool,
    network: &dyn Network,
    report: &mut Report<'_>,
) {
    if settings.missing().any(|(key, _)| key == "smtp.from") {
        report.skipped(
            "domain",
            "smtp.from is not set for this command: no domain was looked up",
        );
        return;
    }
    let domain = settings.smtp.from.domain().to_ascii_lowercase();
    if settings.env == Env::Development && !asked {
        report.skipped(
            "domain",
            format!("{domain} was not looked up in development: --dns does"),
        );
        return;
    }
    report.working_on(format!("looking up {domain}"));
    spf(network, &domain, report).await;
    dmarc(network, &domain, report).await;
}

fn unknown(name: &str, why: &str, check: &'static str, report: &mut Report<'_>) {
    report.warning(
        check,
        format!("{name} could not be looked up: {why}"),
        "see whether this machine reaches its name server; --nameserver asks another one",
    );
}

/// Exactly one record, and one that does not allow everybody.
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
