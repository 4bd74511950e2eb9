//! A user's plan and what granted it, in words and as JSON.

use domain::plans::{Grant, NoteLimits, Plan, PlanUsage};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::show::moment;

/// The plan and its end, in words.
#[must_use]
pub fn told(standing: &PlanUsage) -> String {
    match (standing.plan, standing.premium_until) {
        (Plan::Free, _) => "the free plan".to_owned(),
        (Plan::Premium, None) => "premium without end".to_owned(),
        (Plan::Premium, Some(until)) => format!("premium until {}", moment(until)),
    }
}

/// How many notes there are, and may be.
#[must_use]
pub fn used(standing: &PlanUsage, limits: NoteLimits) -> String {
    match limits.of(standing.plan) {
        Some(limit) => format!("{} of {limit}", standing.used),
        None => standing.used.to_string(),
    }
}

/// How many bytes of notes there are, and may be.
#[must_use]
pub fn stored(standing: &PlanUsage, limits: NoteLimits) -> String {
    match limits.storage.of(standing.plan) {
        Some(limit) => format!("{} of {limit} bytes", standing.bytes),
        None => format!("{} bytes", standing.bytes),
    }
}

/// A grant in words.
#[must_use]
pub fn grant(grant: &Grant, now: Timestamp) -> String {
    let until = match grant.until {
        None => "without end".to_owned(),
        Some(until) if grant.lasts(now) => format!("until {}", moment(until)),
        Some(until) => format!("ended {}", moment(until)),
    };
    let (source, granted) = (grant.source.as_str(), moment(grant.granted));
    format!("{source}, {until}, granted {granted}")
}

/// A grant for programs.
#[must_use]
pub fn grant_json(grant: &Grant) -> Value {
    json!({
        "source": grant.source.as_str(),
        "until": grant.until,
        "granted_at": grant.granted,
    })
}
