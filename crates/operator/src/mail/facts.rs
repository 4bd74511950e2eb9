//! Everything that is on record about an address.

use domain::accounts::User;
use domain::audit::Recorded;
use domain::clock::{AHEAD, Clock, SystemClock};
use domain::email::{EmailAddress, EmailKey};
use domain::limits;
use domain::operator::{Registration, Suppression};
use domain::otp::KeyRing;
use domain::queue::{MailFilter, MailStory};
use domain::store::{StoreError, View};
use jiff::Timestamp;
use runtime::database::Database;
use runtime::settings::Settings;

use crate::jobs::shown::Holds;

/// How many security events are looked at.
const RECORDS: u32 = 200;

/// How many registrations are told.
const REGISTRATIONS: u32 = 5;

/// Mails with codes to one mailbox, counted within a window.
pub struct Budget {
    /// In a minute, or in an hour.
    pub window: &'static str,
    /// How many are granted in it.
    pub most: u32,
    /// When each was granted, the oldest first.
    pub granted: Vec<Timestamp>,
    /// How long the window is, in seconds.
    pub seconds: i64,
}

/// What is known.
pub struct Facts {
    /// When it was looked up.
    pub now: Timestamp,
    /// Whose address it is.
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
    /// How many codes its mailbox has had; empty where there are no limits.
    pub budgets: Vec<Budget>,
    /// Days for which mails are kept after their end.
    pub keep_mails_days: u64,
    /// Days for which security events are kept.
    pub keep_audit_days: u64,
}

impl Facts {
    /// Looks for everything about an address.
    pub async fn of(
        address: &EmailAddress,
        most: u32,
        settings: &Settings,
        database: &Database,
    ) -> Result<Self, StoreError> {
        let now = SystemClock.now();
        let holds = Holds::now(settings, database).await?;
        let mut view = database.store.view().await?;
        let view = view.as_mut();
        let key = address.key();
        let gone = pseudonym(settings, key);
        let mut stories = stories(view, key, most).await?;
        stories.extend(self::stories(view, &gone, most).await?);
        stories.sort_by_key(|story| std::cmp::Reverse((story.mail.created, story.mail.id)));
        let more = stories.len() > most as usize;
        stories.truncate(most as usize);
        let mut records = view.records_about(key, RECORDS).await?;
        records.extend(view.records_about(&gone, RECORDS).await?);
        let day = 24 * 60 * 60;
        Ok(Self {
            now,
            user: view.user_by_email(key).await?,
            registrations: view.registrations_of(key, REGISTRATIONS).await?,
            suppression: view.suppression(key, now).await?,
            holds,
            stories,
            more,
            records,
            budgets: budgets(view, address, settings, now).await?,
            keep_mails_days: settings.worker.keep_mails.as_secs() / day,
            keep_audit_days: settings.accounts.keep_audit.as_secs() / day,
        })
    }
}

/// What stands in the place of the address once its account is deleted. Found only with the secret key: without
/// one nothing is of this name.
fn pseudonym(settings: &Settings, key: &EmailKey) -> EmailKey {
    let keys = &settings.secret_keys;
    KeyRing::new(&keys.current, &keys.fallbacks)
        .pseudonym(key)
        .into()
}

/// One more than `most`, which tells whether there are older ones.
async fn stories(
    view: &mut dyn View,
    to: &EmailKey,
    most: u32,
) -> Result<Vec<MailStory>, StoreError> {
    let filter = MailFilter {
        to: Some(to.clone()),
        limit: most + 1,
        ..MailFilter::default()
    };
    let mut stories = Vec::new();
    for mail in view.mails(&filter).await? {
        stories.extend(view.mail(&mail.id.to_string()).await?);
    }
    Ok(stories)
}

async fn budgets(
    view: &mut dyn View,
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
            granted: (view.counted(&key, since).await?.into_iter())
                .filter(|at| *at <= now + AHEAD)
                .collect(),
            seconds,
        });
    }
    Ok(budgets)
}
