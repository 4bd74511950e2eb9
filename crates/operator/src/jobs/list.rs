//! A page of mails.

use domain::operator::waits;
use domain::queue::{MailFilter, MailRecord};
use domain::store::StoreError;
use runtime::database::Database;
use runtime::settings::Settings;
use serde_json::Value;

use super::format::{Reveal, mail_json};
use super::holds::Holds;

/// The mails that match a filter, newest first.
pub struct MailPage {
    /// The mails.
    pub mails: Vec<MailRecord>,
    /// Whether there are older ones.
    pub more: bool,
    /// What keeps mails from being sent.
    pub holds: Holds,
}

impl MailPage {
    /// Reads at most as many mails as the filter allows.
    pub async fn read(
        mut filter: MailFilter,
        settings: &Settings,
        database: &Database,
    ) -> Result<Self, StoreError> {
        let limit = filter.limit as usize;
        // One mail more shows whether there is another page.
        filter.limit += 1;
        let mut mails = database.store.reader().await?.mails(&filter).await?;
        let more = mails.len() > limit;
        mails.truncate(limit);
        Ok(Self {
            mails,
            more,
            holds: Holds::now(settings, database).await?,
        })
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self, reveal: Reveal) -> Value {
        let mails = self.mails.iter();
        mails
            .map(|mail| mail_json(mail, &self.holds, reveal))
            .collect()
    }
}

/// A mail's state, and whether a pause holds the mail.
#[must_use]
pub fn state(mail: &MailRecord, holds: &Holds) -> String {
    match holds.pause_of(mail) {
        Some(_) => format!("{}, paused", mail.state),
        None => mail.state.to_string(),
    }
}

/// Why a mail waits, apart from what holds all mails.
#[must_use]
pub fn own_reason(mail: &MailRecord) -> Option<String> {
    mail.reason.clone().filter(|_| waits(mail))
}
