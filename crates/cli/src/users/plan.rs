//! `users set-plan`.

use anyhow::{Context, bail, ensure};
use clap::ValueEnum;
use domain::accounts::admin::{GivenPlan, SetPlan};
use domain::clock::{Clock, SystemClock};
use domain::plans::Plan;
use domain::store::Store;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use operator::Error;
use operator::to_seconds;
use operator::users::{describe, describe_plan, find, grant_json};
use serde_json::json;

use super::{SetPlanArgs, actor};

/// A plan that can be set.
#[derive(Clone, Copy, ValueEnum)]
pub enum PlanArg {
    /// Revoke premium
    Free,
    /// Grant premium
    Premium,
}

/// Sets a plan.
pub async fn set(args: &SetPlanArgs, store: &Store) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let plan = parse_plan(args.plan, args.until.as_deref(), now)?;
    let mut reader = store.reader().await?;
    let user = find(reader.as_mut(), &args.whom.user).await?;
    drop(reader);
    let change = SetPlan {
        user: user.id,
        plan,
        actor: actor(),
        now,
    };
    let Some((usage, grants)) = store.write(change).await? else {
        return Err(Error::not_found(format!("{} was deleted meanwhile", describe(&user))).into());
    };
    if args.json {
        let value = json!({
            "id": user.id,
            "plan": usage.plan.as_str(),
            "premium_until": usage.premium_until,
            "grants": grants.iter().map(grant_json).collect::<Vec<_>>(),
        });
        say!("{value:#}");
        return Ok(());
    }
    let by = grants.iter().filter(|grant| grant.lasts(now));
    let by: Vec<_> = by.map(|grant| grant.source.as_str()).collect();
    let still = match (plan, usage.plan) {
        (GivenPlan::Free, Plan::Premium) => "still ",
        _ => "",
    };
    let by = match by.as_slice() {
        [] => String::new(),
        by => format!(", granted by {}", by.join(" and ")),
    };
    say!(
        "{} is {still}on {}{by}",
        describe(&user),
        describe_plan(&usage)
    );
    Ok(())
}

/// The plan of the command line.
fn parse_plan(plan: PlanArg, until: Option<&str>, now: Timestamp) -> anyhow::Result<GivenPlan> {
    let until = until.map(|text| parse_end(text, now)).transpose()?;
    match plan {
        PlanArg::Premium => Ok(GivenPlan::Premium(until)),
        PlanArg::Free if until.is_none() => Ok(GivenPlan::Free),
        PlanArg::Free => bail!("the free plan has no end: leave --until out"),
    }
}

/// A time in the future; of a date, its last second in UTC.
fn parse_end(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    let date = text.trim();
    let end = match date.parse::<Timestamp>() {
        Ok(time) => time,
        // A date may be followed by a time without an offset, which says nothing here.
        Err(_) if date.len() == 10 => date
            .parse::<Date>()
            .and_then(|date| date.at(23, 59, 59, 0).to_zoned(TimeZone::UTC))
            .map(|zoned| zoned.timestamp())
            .with_context(|| unreadable(text))?,
        Err(error) => return Err(error).with_context(|| unreadable(text)),
    };
    ensure!(
        end > now,
        "--until {text} is in the past: it is {} now. `set-plan USER free` revokes premium",
        to_seconds(now)
    );
    Ok(end)
}

fn unreadable(text: &str) -> String {
    format!("`{text}` is neither a date like 2030-01-31 nor a time like 2030-01-31T12:00:00Z")
}
