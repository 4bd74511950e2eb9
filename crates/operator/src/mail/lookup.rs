//! Reads everything that is on record about an address.

use domain::accounts::User;
use domain::audit::Recorded;
use domain::clock::{AHEAD, Clock, SystemClock};
use domain::email::{EmailAddress, EmailKey};
use domain::limits;
use domain::operator::{Registration, Suppression};
use domain::otp::KeyRing;
use domain::queue::{MailFilter, MailStory};
use domain::store::{Reader, StoreError};
use jiff::Timestamp;
use runtime::database::Database;
use runtime::settings::Settings;

use crate::jobs::Holds;

/// How many security events are read.
const RECORDS: u32 = 200;

/// How many registrations are read.
const REGISTRATIONS: u32 = 5;

/// How many codes one mailbox was sent within a window.
pub struct Budget {
    /// "minute" or "hour".
    pub window: &'static str,
    /// How many it may get in a window.
    pub most: u32,
    /// When each was sent, the oldest first.
    pub sent: Vec<Timestamp>,
    /// How long the window is, in seconds.
    pub seconds: i64,
}

/// The records of an address.
pub struct AddressLookup {
    /// When it was looked up.
    pub now: Timestamp,
    /// The user with this address.
    pub user: Option<User>,
    /// The registrations of it that were not verified, newest first.
    pub registrations: Vec<Registration>,
    /// Why nothing is sent to it.
    pub suppression: Option<Suppression>,
    /// What keeps mails from being sent.
    pub holds: Holds,
    /// The mails, newest first.
    pub stories: Vec<MailStory>,
    /// Whether there are older ones.
    pub more: bool,
    /// The security events, newest first.
    pub records: Vec<Recorded>,
    /// How many codes its mailbox was sent; empty where limits are off.
    pub budgets: Vec<Budget>,
    /// How long mails are kept after they end, in days.
    pub keep_mails_days: u64,
    /// How long security events are kept, in days.
    pub keep_audit_days: u64,
}

impl AddressLookup {
    /// Reads the records of an address, with at most `most` mails.
    pub async fn read(
        address: &EmailAddress,
        most: u32,
        settings: &Settings,
        database: &Database,
    ) -> Result<Self, StoreError> {
        let now = SystemClock.now();
        let holds = Holds::now(settings, database).await?;
        let mut reader = database.store.reader().await?;
        let reader = reader.as_mut();
        let key = address.key();
        let pseudonym = pseudonym(settings, key);
        let mut stories = stories(reader, key, most).await?;
        stories.extend(self::stories(reader, &pseudonym, most).await?);
        stories.sort_by_key(|story| std::cmp::Reverse((story.mail.created, story.mail.id)));
        let more = stories.len() > most as usize;
        stories.truncate(most as usize);
        let mut records = reader.records_about(key, RECORDS).await?;
        records.extend(reader.records_about(&pseudonym, RECORDS).await?);
        let day = 24 * 60 * 60;
        Ok(Self {
            now,
            user: reader.user_by_email(key).await?,
            registrations: reader.registrations_of(key, REGISTRATIONS).await?,
            suppression: reader.suppression(key, now).await?,
            holds,
            stories,
            more,
            records,
            budgets: budgets(reader, address, settings, now).await?,
            keep_mails_days: settings.worker.keep_mails.as_secs() / day,
            keep_audit_days: settings.accounts.keep_audit.as_secs() / day,
        })
    }
}

/// What replaces the address in the records of a deleted account. It is derived from the secret key: without the key
/// nothing is found.
fn pseudonym(settings: &Settings, key: &EmailKey) -> EmailKey {
    let keys = &settings.secret_keys;
    KeyRing::new(&keys.current, &keys.fallbacks)
        .pseudonym(key)
        .into()
}

/// One more than `most`, to see whether there are older ones.
async fn stories(
    reader: &mut dyn Reader,
    to: &EmailKey,
    most: u32,
) -> Result<Vec<MailStory>, StoreError> {
    let filter = MailFilter {
        to: Some(to.clone()),
        limit: most + 1,
        ..MailFilter::default()
    };
    let mut stories = Vec::new();
    for mail in reader.mails(&filter).await? {
        stories.extend(reader.mail(&mail.id.to_string()).await?);
    }
    Ok(stories)
}

async fn budgets(
    reader: &mut dyn Reader,
    address: &EmailAddress,
    settings: &Settings,
    now: Timestamp,
) -> Result<Vec<Budget>, StoreError> {
    if !settings.limits.enabled {
        return Ok(Vec::new());
    }
    let windows = [
        ("minute", 60, settings.limits.code_mails_per_minute),
        ("hour", 3600, settings.limits.code_mails_per_hour),
    ];
    let mut budgets = Vec::new();
    for ((window, seconds, most), (_, key)) in
        windows.into_iter().zip(limits::mailbox_counters(address))
    {
        let since = now - jiff::SignedDuration::from_secs(seconds);
        budgets.push(Budget {
            window,
            most,
            sent: (reader.counted(&key, since).await?.into_iter())
                .filter(|at| *at <= now + AHEAD)
                .collect(),
            seconds,
        });
    }
    Ok(budgets)
}
