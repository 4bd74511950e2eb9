//! One user: profile, plan, sessions and the last security events. Addresses are masked by default; of a password only the
//! kind of its hash is shown.

use domain::accounts::User;
use domain::accounts::sessions::Session;
use domain::audit::Recorded;
use domain::clock::{Clock, SystemClock};
use domain::email;
use domain::password::PasswordHash;
use domain::plans::{Grant, NoteLimits, PlanUsage};
use domain::store::Store;
use jiff::Timestamp;
use runtime::settings::Settings;
use serde_json::{Value, json};

use super::lookup::find;
use super::plan;
use crate::Error;
use crate::phrases::to_seconds;

/// One user and everything that belongs to the account.
pub struct UserReport {
    now: Timestamp,
    user: User,
    sessions: Vec<Session>,
    /// The security events, newest first.
    pub records: Vec<Recorded>,
    usage: PlanUsage,
    grants: Vec<Grant>,
    limits: NoteLimits,
}

impl UserReport {
    /// Reads the user that a number, address or username identifies, with at most `records` security events.
    pub async fn read(
        text: &str,
        records: u32,
        settings: &Settings,
        store: &Store,
    ) -> Result<Self, Error> {
        let mut reader = store.reader().await?;
        let user = find(reader.as_mut(), text).await?;
        let now = SystemClock.now();
        let idle_since = now - settings.accounts.session_idle;
        Ok(Self {
            now,
            sessions: reader.sessions(user.id, now, idle_since).await?,
            records: reader.records(user.id, None, records).await?,
            usage: reader.plan_standing(user.id, now).await?,
            grants: reader.grants(user.id).await?,
            limits: settings.note_limits(),
            user,
        })
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self, reveal: bool) -> Value {
        let (usage, limits) = (&self.usage, self.limits);
        let mut value = user_json(&self.user, reveal);
        value["password"] = json!(kind(&self.user.password));
        value["plan"] = json!(usage.plan.as_str());
        value["premium_until"] = json!(usage.premium_until);
        value["grants"] = self.grants.iter().map(plan::grant_json).collect();
        value["notes"] = json!({ "used": usage.used, "limit": limits.of(usage.plan) });
        value["storage"] = json!({ "used": usage.bytes, "limit": limits.storage.of(usage.plan) });
        value["sessions"] = self.sessions.iter().map(session_json).collect();
        value["records"] = json!(self.records);
        value
    }

    /// As text: a line for each fact, without the security events.
    #[must_use]
    pub fn text(&self, reveal: bool) -> String {
        let (user, usage, limits) = (&self.user, &self.usage, self.limits);
        let facts = [
            ("name", user.username.clone()),
            ("address", address(user, reveal)),
            ("state", state(user).to_owned()),
            ("since", to_seconds(user.created)),
            ("password", kind(&user.password).to_owned()),
            ("plan", plan::describe(usage)),
            ("notes", plan::notes(usage, limits)),
            ("storage", plan::storage(usage, limits)),
            ("sessions", self.sessions.len().to_string()),
        ];
        let grants = self.grants.iter();
        let grants = grants.map(|one| ("grant", plan::grant(one, self.now)));
        let mut lines = vec![format!("user {}", user.id)];
        let facts = facts.into_iter().chain(grants);
        lines.extend(facts.map(|(what, value)| format!("  {what:<9} {value}")));
        lines.join("\n")
    }
}

/// A user as JSON.
#[must_use]
pub fn user_json(user: &User, reveal: bool) -> Value {
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

/// A user's address, masked unless it may be shown in full.
#[must_use]
pub fn address(user: &User, reveal: bool) -> String {
    if reveal {
        user.email.clone()
    } else {
        email::mask(&user.email)
    }
}

/// "active" or "disabled".
#[must_use]
pub fn state(user: &User) -> &'static str {
    if user.active { "active" } else { "disabled" }
}

/// The kind of a password hash.
fn kind(hash: &PasswordHash) -> &'static str {
    match hash.as_str() {
        hash if hash.starts_with("$argon2id$") => "argon2id",
        hash if hash.starts_with(domain::password::django::PREFIX) => "pbkdf2_sha256, imported",
        _ => "unusable",
    }
}
