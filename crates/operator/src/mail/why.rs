//! Why an address got which mails.

use domain::email::EmailAddress;
use domain::store::StoreError;
use runtime::database::Database;
use runtime::settings::Settings;
use serde_json::{Value, json};

use super::address::{limited, stands, why_none};
use super::facts::Facts;
use super::story::{self, Around};
use super::words::Told;
use crate::jobs::shown::{Reveal, pause_json, story_json};

/// What became of the mails to an address.
pub struct MailReport {
    facts: Facts,
    shown: String,
    reveal: Reveal,
    /// About the address.
    address: Vec<String>,
    /// About each mail.
    mails: Vec<Vec<String>>,
    /// About mails that there are not.
    none: Vec<String>,
    older: Option<String>,
}

impl MailReport {
    /// Reads that of so many mails, newest first.
    pub async fn read(
        address: &EmailAddress,
        limit: u32,
        reveal: Reveal,
        settings: &Settings,
        database: &Database,
    ) -> Result<Self, StoreError> {
        let facts = Facts::of(address, limit, settings, database).await?;
        let told = Told::at(facts.now);
        let around = Around {
            told,
            holds: &facts.holds,
        };
        let mails = facts.stories.iter();
        let mut none = limited(&facts, told);
        if facts.stories.is_empty() {
            none.splice(0..0, why_none(&facts, told));
        }
        Ok(Self {
            address: stands(&facts, told),
            mails: mails.map(|one| story::of(one, around)).collect(),
            none,
            older: facts
                .more
                .then(|| "There are older ones: smart-notes jobs list --to ADDRESS".to_owned()),
            shown: reveal.address(address.as_typed()),
            reveal,
            facts,
        })
    }

    /// As text: a paragraph for the address, and one for each mail.
    #[must_use]
    pub fn text(&self) -> String {
        let heading = format!(
            "Mail to {}. Times are in UTC; it is {} now.",
            self.shown,
            self.facts.now.strftime("%Y-%m-%d %H:%M:%S")
        );
        let mut parts = vec![heading];
        let address = std::iter::once(&self.address).chain(&self.mails);
        let all = address.chain(std::iter::once(&self.none));
        parts.extend(
            all.filter(|sentences| !sentences.is_empty())
                .map(|sentences| sentences.join("\n")),
        );
        parts.extend(self.older.clone());
        parts.join("\n\n")
    }

    /// As JSON: the facts, and the same sentences.
    #[must_use]
    pub fn json(&self) -> Value {
        let facts = &self.facts;
        let mails = facts.stories.iter().zip(&self.mails);
        let mails = mails.map(|(one, sentences)| {
            let mut value = story_json(one, &facts.holds, self.reveal);
            value["sentences"] = json!(sentences);
            value
        });
        json!({
            "address": self.shown,
            "at": facts.now,
            "user_id": facts.user.as_ref().map(|user| user.id),
            "suppressed": facts.suppression.as_ref().map(|one| json!({
                "since": one.since,
                "until": one.until,
                "mail": one.mail,
                "relay": one.relay,
                "code": one.code,
                "enhanced": one.enhanced,
                "text": one.text,
            })),
            "pauses": facts.holds.pauses.iter().map(pause_json).collect::<Value>(),
            "held": facts.holds.all(),
            "registrations": facts.registrations.iter().map(|one| json!({
                "created_at": one.created,
                "expires_at": one.expires,
                "of_an_account": one.decoy,
            })).collect::<Value>(),
            "mails": mails.collect::<Value>(),
            "more": facts.more,
            "sentences": self.address.iter().chain(&self.none).collect::<Vec<_>>(),
        })
    }
}
