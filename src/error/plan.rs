//! The responses to a plan's limits.

use domain::notes::{PlanLimitReached, StorageLimitReached};
use serde_json::{Value, json};

/// The response to a plan's limit of notes, with the actual number.
pub(super) fn plan_limit(full: PlanLimitReached) -> Value {
    let PlanLimitReached { plan, limit, used } = full;
    let plan = plan.as_str();
    let notes = if limit == 1 { "note" } else { "notes" };
    json!({
        "error": format!(
            "The {plan} plan holds {limit} {notes}. Delete some, or change to a plan that holds more."
        ),
        "code": "note_limit_reached",
        "limit": limit,
        "used": used,
        "plan": plan,
    })
}

/// The response to a plan's limit of storage, with the actual number of bytes.
pub(super) fn storage_limit(full: StorageLimitReached) -> Value {
    let StorageLimitReached { plan, limit, used } = full;
    let plan = plan.as_str();
    let mib = limit >> 20;
    json!({
        "error": format!(
            "The {plan} plan stores {mib} MiB of notes, those in the trash included. \
             Delete some for good (empty the trash), or change to a plan that stores more."
        ),
        "code": "storage_limit_reached",
        "limit": limit,
        "used": used,
        "plan": plan,
    })
}
