//! What became of the mails to an address, and why there may be none.

use domain::email::EmailAddress;
use domain::store::StoreError;
use runtime::database::Database;
use runtime::settings::Settings;
use serde_json::{Value, json};

use super::address::{limited, status, why_none};
use super::lookup::AddressLookup;
use super::timeline::{self, Context};
use crate::jobs::{Reveal, pause_json, story_json};
use crate::phrases::TimeFormat;

/// What became of the mails to an address.
pub struct MailReport {
    lookup: AddressLookup,
    /// The address as it may be shown.
    to: String,
    reveal: Reveal,
    /// About the address.
    address: Vec<String>,
    /// About each mail.
    mails: Vec<Vec<String>>,
    /// Why there may be no mails.
    none: Vec<String>,
}

impl MailReport {
    /// Reads at most `limit` mails, newest first.
    pub async fn read(
        address: &EmailAddress,
        limit: u32,
        reveal: Reveal,
        settings: &Settings,
        database: &Database,
    ) -> Result<Self, StoreError> {
        let lookup = AddressLookup::read(address, limit, settings, database).await?;
        let format = TimeFormat::at(lookup.now);
        let context = Context {
            format,
            holds: &lookup.holds,
        };
        let mails = lookup.stories.iter();
        let mut none = limited(&lookup, format);
        if lookup.stories.is_empty() {
            none.splice(0..0, why_none(&lookup, format));
        }
        Ok(Self {
            address: status(&lookup, format),
            mails: mails.map(|one| timeline::describe(one, context)).collect(),
            none,
            to: reveal.address(address.as_typed()),
            reveal,
            lookup,
        })
    }

    /// As text: a paragraph for the address, and one for each mail.
    #[must_use]
    pub fn text(&self) -> String {
        let heading = format!(
            "Mail to {}. Times are in UTC; it is {} now.",
            self.to,
            self.lookup.now.strftime("%Y-%m-%d %H:%M:%S")
        );
        let mut parts = vec![heading];
        let address = std::iter::once(&self.address).chain(&self.mails);
        let all = address.chain(std::iter::once(&self.none));
        parts.extend(
            all.filter(|sentences| !sentences.is_empty())
                .map(|sentences| sentences.join("\n")),
        );
        if self.lookup.more {
            parts.push("For older mails: smart-notes jobs list --to ADDRESS".to_owned());
        }
        parts.join("\n\n")
    }

    /// As JSON: the facts, and the same sentences.
    #[must_use]
    pub fn json(&self) -> Value {
        let lookup = &self.lookup;
        let mails = lookup.stories.iter().zip(&self.mails);
        let mails = mails.map(|(one, sentences)| {
            let mut value = story_json(one, &lookup.holds, self.reveal);
            value["sentences"] = json!(sentences);
            value
        });
        json!({
            "address": self.to,
            "at": lookup.now,
            "user_id": lookup.user.as_ref().map(|user| user.id),
            "suppressed": lookup.suppression.as_ref().map(|one| json!({
                "since": one.since,
                "until": one.until,
                "mail": one.mail,
                "relay": one.relay,
                "code": one.code,
                "enhanced": one.enhanced,
                "text": one.text,
            })),
            "pauses": lookup.holds.pauses.iter().map(pause_json).collect::<Value>(),
            "held": lookup.holds.all(),
            "registrations": lookup.registrations.iter().map(|one| json!({
                "created_at": one.created,
                "expires_at": one.expires,
                "of_an_account": one.decoy,
            })).collect::<Value>(),
            "mails": mails.collect::<Value>(),
            "more": lookup.more,
            "sentences": self.address.iter().chain(&self.none).collect::<Vec<_>>(),
        })
    }
}
