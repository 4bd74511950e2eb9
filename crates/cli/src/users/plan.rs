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
use operator::users::lookup::{find, shown};
use operator::users::plan::{grant_json, told};
use operator::users::show::moment;
use serde_json::json;

use super::{SetPlanArgs, actor};

/// A plan that can be set.
#[derive(Clone, Copy, ValueEnum)]
pub enum Wish {
    /// Nothing is granted here
    Free,
    /// As many notes as the settings allow: any number, unless they say otherwise
    Premium,
}

/// Sets a plan.
pub async fn set(args: &SetPlanArgs, store: &Store) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let plan = given(args.plan, args.until.as_deref(), now)?;
    let mut view = store.view().await?;
    let user = find(view.as_mut(), &args.whom.user).await?;
    drop(view);
    let change = SetPlan {
        user: user.id,
        plan,
        actor: actor(),
        now,
    };
    let Some((standing, grants)) = store.write(change).await? else {
        return Err(
            Error::not_found(format!("{} has been deleted meanwhile", shown(&user))).into(),
        );
    };
    if args.json {
        let value = json!({
            "id": user.id,
            "plan": standing.plan.as_str(),
            "premium_until": standing.premium_until,
            "grants": grants.iter().map(grant_json).collect::<Vec<_>>(),
        });
        say!("{value:#}");
        return Ok(());
    }
    let by = grants.iter().filter(|grant| grant.lasts(now));
    let by: Vec<_> = by.map(|grant| grant.source.as_str()).collect();
    let still = match (plan, standing.plan) {
        (GivenPlan::Free, Plan::Premium) => "still ",
        _ => "",
    };
    let by = match by.as_slice() {
        [] => String::new(),
        by => format!(", granted by {}", by.join(" and ")),
    };
    say!("{} is {still}on {}{by}", shown(&user), told(&standing));
    Ok(())
}

/// What is meant by the words of the command line.
fn given(wish: Wish, until: Option<&str>, now: Timestamp) -> anyhow::Result<GivenPlan> {
    let until = until.map(|text| end(text, now)).transpose()?;
    match wish {
        Wish::Premium => Ok(GivenPlan::Premium(until)),
        Wish::Free if until.is_none() => Ok(GivenPlan::Free),
        Wish::Free => bail!("the free plan has no end: leave --until out"),
    }
}

/// A time to come: that of a date is its last second, in UTC.
fn end(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
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
        "--until {text} is in the past: it is {} now. `set-plan USER free` takes premium back",
        moment(now)
    );
    Ok(end)
}

fn unreadable(text: &str) -> String {
    format!("`{text}` is no date like 2030-01-31, nor a time like 2030-01-31T12:00:00Z")
}
