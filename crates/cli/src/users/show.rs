//! `users list` and `users show`.

use domain::accounts::admin::UserFilter;
use domain::audit::Recorded;
use domain::email::EmailAddress;
use domain::id::UserId;
use domain::store::Store;
use domain::username::NameKey;
use operator::to_seconds;
use operator::users::{UserReport, address, state, user_json};
use runtime::settings::Settings;
use serde_json::{Value, json};

use super::{ListArgs, ShowArgs};
use crate::table;

/// Prints a page of users.
pub async fn list(args: &ListArgs, store: &Store) -> anyhow::Result<()> {
    let whole = |part: &String| EmailAddress::parse(part).ok();
    let email = args.email.as_ref().map(|part| {
        whole(part).map_or_else(
            || part.trim().to_lowercase(),
            |email| email.key().as_str().to_owned(),
        )
    });
    // One user more shows whether there is another page.
    let filter = UserFilter {
        email,
        name: args.name.as_deref().map(NameKey::of),
        after: args.after.map(UserId),
        limit: args.limit + 1,
    };
    let mut users = store.reader().await?.users(&filter).await?;
    let more = users.len() > args.limit as usize;
    users.truncate(args.limit as usize);
    let next = users.last().filter(|_| more).map(|user| user.id);
    if args.json {
        let users: Vec<Value> = users
            .iter()
            .map(|user| user_json(user, args.reveal))
            .collect();
        say!("{:#}", json!({ "users": users, "next": next }));
        return Ok(());
    }
    if users.is_empty() {
        say!("no users");
        return Ok(());
    }
    let rows = users.iter().map(|user| {
        vec![
            user.id.to_string(),
            user.username.clone(),
            address(user, args.reveal),
            state(user).to_owned(),
            to_seconds(user.created),
        ]
    });
    say!(
        "{}",
        table::of(["ID", "NAME", "ADDRESS", "STATE", "SINCE"], rows)
    );
    if let Some(next) = next {
        say!("next page: --after {next}");
    }
    Ok(())
}

/// Prints one user.
pub async fn show(args: &ShowArgs, settings: &Settings, store: &Store) -> anyhow::Result<()> {
    let report = UserReport::read(&args.whom.user, args.records, settings, store).await?;
    if args.json {
        say!("{:#}", report.json(args.reveal));
        return Ok(());
    }
    say!("{}", report.text(args.reveal));
    if !report.records.is_empty() {
        say!("\n{}", records_table(&report.records));
    }
    Ok(())
}

fn records_table(records: &[Recorded]) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let rows = records.iter().map(|record| {
        vec![
            to_seconds(record.at),
            record.event.clone(),
            text(&record.detail),
            text(&record.client),
            text(&record.user_agent),
            record.request_id.clone(),
        ]
    });
    table::of(
        ["WHEN", "EVENT", "DETAIL", "CLIENT", "AGENT", "REQUEST"],
        rows,
    )
}
