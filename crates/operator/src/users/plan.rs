//! A user's plan and its grants, in words and as JSON.

use domain::plans::{Grant, NoteLimits, Plan, PlanUsage};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::phrases::to_seconds;

/// The plan and its end.
#[must_use]
pub fn describe(usage: &PlanUsage) -> String {
    match (usage.plan, usage.premium_until) {
        (Plan::Free, _) => "the free plan".to_owned(),
        (Plan::Premium, None) => "premium without an end date".to_owned(),
        (Plan::Premium, Some(until)) => format!("premium until {}", to_seconds(until)),
    }
}

/// The number of notes and its limit.
pub fn notes(usage: &PlanUsage, limits: NoteLimits) -> String {
    match limits.of(usage.plan) {
        Some(limit) => format!("{} of {limit}", usage.used),
        None => usage.used.to_string(),
    }
}

/// The bytes of notes and their limit.
pub fn storage(usage: &PlanUsage, limits: NoteLimits) -> String {
    match limits.storage.of(usage.plan) {
        Some(limit) => format!("{} of {limit} bytes", usage.bytes),
        None => format!("{} bytes", usage.bytes),
    }
}

/// A grant.
pub fn grant(grant: &Grant, now: Timestamp) -> String {
    let until = match grant.until {
        None => "no end date".to_owned(),
        Some(until) if grant.lasts(now) => format!("until {}", to_seconds(until)),
        Some(until) => format!("ended {}", to_seconds(until)),
    };
    let (source, granted) = (grant.source.as_str(), to_seconds(grant.granted));
    format!("{source}, {until}, granted {granted}")
}

/// A grant as JSON.
#[must_use]
pub fn grant_json(grant: &Grant) -> Value {
    json!({
        "source": grant.source.as_str(),
        "until": grant.until,
        "granted_at": grant.granted,
    })
}
