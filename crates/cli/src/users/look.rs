//! `users list` and `users show`. Addresses are masked unless they are asked for; of a password only the
//! kind of its hash is shown.

use domain::accounts::User;
use domain::accounts::admin::UserFilter;
use domain::accounts::sessions::Session;
use domain::audit::Recorded;
use domain::clock::{Clock, SystemClock};
use domain::email::{self, EmailAddress};
use domain::id::UserId;
use domain::password::PasswordHash;
use domain::store::Store;
use domain::username::NameKey;
use jiff::Timestamp;
use runtime::settings::Settings;
use serde_json::{Value, json};

use super::{ListArgs, ShowArgs, plan};
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
    // One more than asked for tells whether there is another page.
    let filter = UserFilter {
        email,
        name: args.name.as_deref().map(NameKey::of),
        after: args.after.map(UserId),
        limit: args.limit + 1,
    };
    let mut users = store.view().await?.users(&filter).await?;
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
            moment(user.created),
        ]
    });
    say!(
        "{}",
        table::of(["ID", "NAME", "ADDRESS", "STATE", "SINCE"], rows)
    );
    if let Some(next) = next {
        say!("there are more: --after {next}");
    }
    Ok(())
}

/// Prints one user.
pub async fn show(args: &ShowArgs, settings: &Settings, store: &Store) -> anyhow::Result<()> {
    let mut view = store.view().await?;
    let user = args.whom.find(view.as_mut()).await?;
    let now = SystemClock.now();
    let idle_since = now - settings.accounts.session_idle;
    let sessions = view.sessions(user.id, now, idle_since).await?;
    let records = view.records(user.id, None, args.records).await?;
    let standing = view.plan_standing(user.id, now).await?;
    let grants = view.grants(user.id).await?;
    drop(view);
    let limits = settings.note_limits();
    if args.json {
        let mut value = user_json(&user, args.reveal);
        value["password"] = json!(kind(&user.password));
        value["plan"] = json!(standing.plan.as_str());
        value["premium_until"] = json!(standing.premium_until);
        value["grants"] = grants.iter().map(plan::grant_json).collect();
        value["notes"] = json!({ "used": standing.used, "limit": limits.of(standing.plan) });
        value["storage"] =
            json!({ "used": standing.bytes, "limit": limits.storage.of(standing.plan) });
        value["sessions"] = sessions.iter().map(session_json).collect();
        value["records"] = json!(records);
        say!("{value:#}");
        return Ok(());
    }
    say!("user {}", user.id);
    for (what, value) in [
        ("name", user.username.clone()),
        ("address", address(&user, args.reveal)),
        ("state", state(&user).to_owned()),
        ("since", moment(user.created)),
        ("password", kind(&user.password).to_owned()),
        ("plan", plan::told(&standing)),
        ("notes", plan::used(&standing, limits)),
        ("storage", plan::stored(&standing, limits)),
        ("sessions", sessions.len().to_string()),
    ] {
        say!("  {what:<9} {value}");
    }
    for grant in &grants {
        say!("  {:<9} {}", "grant", plan::grant(grant, now));
    }
    if !records.is_empty() {
        say!("\n{}", records_table(&records));
    }
    Ok(())
}

fn records_table(records: &[Recorded]) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let rows = records.iter().map(|record| {
        vec![
            moment(record.at),
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

fn user_json(user: &User, reveal: bool) -> Value {
    json!({
        "id": user.id,
        "username": user.username,
        "email": address(user, reveal),
        "active": user.active,
        "created_at": user.created,
    })
}

fn session_json(session: &Session) -> Value {
    json!({
        "id": session.id,
        "created_at": session.created,
        "last_used_at": session.last_used,
        "expires_at": session.expires,
        "client": session.client.as_str(),
        "user_agent": session.user_agent,
    })
}

fn address(user: &User, reveal: bool) -> String {
    if reveal {
        user.email.clone()
    } else {
        email::mask(&user.email)
    }
}

fn state(user: &User) -> &'static str {
    if user.active { "active" } else { "disabled" }
}

/// What a password's hash is, and nothing of it.
fn kind(hash: &PasswordHash) -> &'static str {
    match hash.as_str() {
        hash if hash.starts_with("$argon2id$") => "argon2id",
        hash if hash.starts_with(domain::password::django::PREFIX) => "pbkdf2_sha256, imported",
        _ => "none that is good",
    }
}

pub(super) fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}
