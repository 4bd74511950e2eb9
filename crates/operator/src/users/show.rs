//! One user: profile, plan, sessions and the last security events. Addresses are masked unless they are asked for; of a
//! password only the kind of its hash is shown.

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

/// One user, with everything that belongs to the account.
pub struct UserReport {
    now: Timestamp,
    user: User,
    sessions: Vec<Session>,
    /// The security events, newest first.
    pub records: Vec<Recorded>,
    standing: PlanUsage,
    grants: Vec<Grant>,
    limits: NoteLimits,
}

impl UserReport {
    /// Reads that of the user whom a number, address or name means, with so many security events.
    pub async fn read(
        text: &str,
        records: u32,
        settings: &Settings,
        store: &Store,
    ) -> Result<Self, Error> {
        let mut view = store.view().await?;
        let user = find(view.as_mut(), text).await?;
        let now = SystemClock.now();
        let idle_since = now - settings.accounts.session_idle;
        Ok(Self {
            now,
            sessions: view.sessions(user.id, now, idle_since).await?,
            records: view.records(user.id, None, records).await?,
            standing: view.plan_standing(user.id, now).await?,
            grants: view.grants(user.id).await?,
            limits: settings.note_limits(),
            user,
        })
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self, reveal: bool) -> Value {
        let (standing, limits) = (&self.standing, self.limits);
        let mut value = user_json(&self.user, reveal);
        value["password"] = json!(kind(&self.user.password));
        value["plan"] = json!(standing.plan.as_str());
        value["premium_until"] = json!(standing.premium_until);
        value["grants"] = self.grants.iter().map(plan::grant_json).collect();
        value["notes"] = json!({ "used": standing.used, "limit": limits.of(standing.plan) });
        value["storage"] =
            json!({ "used": standing.bytes, "limit": limits.storage.of(standing.plan) });
        value["sessions"] = self.sessions.iter().map(session_json).collect();
        value["records"] = json!(self.records);
        value
    }

    /// As text: a line for each fact, without the security events.
    #[must_use]
    pub fn text(&self, reveal: bool) -> String {
        let (user, standing, limits) = (&self.user, &self.standing, self.limits);
        let facts = [
            ("name", user.username.clone()),
            ("address", address(user, reveal)),
            ("state", state(user).to_owned()),
            ("since", moment(user.created)),
            ("password", kind(&user.password).to_owned()),
            ("plan", plan::told(standing)),
            ("notes", plan::used(standing, limits)),
            ("storage", plan::stored(standing, limits)),
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

/// A user's address, masked unless it may be shown.
#[must_use]
pub fn address(user: &User, reveal: bool) -> String {
    if reveal {
        user.email.clone()
    } else {
        email::mask(&user.email)
    }
}

/// Whether a user may log in, in a word.
#[must_use]
pub fn state(user: &User) -> &'static str {
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

/// A time to the second.
#[must_use]
pub fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}
