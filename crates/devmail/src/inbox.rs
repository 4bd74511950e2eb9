//! The accepted mails: storage, counts, look-up by address, and waiting.
//!
//! Separate from SMTP and HTTP because both share it and tests read it directly. Filled by
//! `smtp::connection`; read by the web inbox and by tests.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, broadcast};

use crate::mail::Mail;
use crate::stage::TimedOut;

/// The number of notifiers, selected by address, so that a mail does not wake hundreds of waiting
/// tests.
const SHARDS: usize = 64;
/// The number of events that a subscriber may lag before it misses some.
const EVENTS: usize = 1024;

/// The caught mails. Clones share the same storage.
#[derive(Clone)]
pub struct Inbox {
    shared: Arc<Shared>,
}

/// A change of the inbox. Events arrive in the order of the changes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A mail was accepted.
    Mail(Arc<Mail>),
    /// These mails were deleted.
    Deleted(Vec<String>),
    /// All mails were deleted.
    Cleared,
}

struct Shared {
    keep: usize,
    accepted: AtomicU64,
    store: Mutex<Store>,
    ids: Mutex<ulid::Generator>,
    arrived_to: [Notify; SHARDS],
    arrived: Notify,
    events: broadcast::Sender<Event>,
}

#[derive(Default)]
struct Store {
    /// All kept mails, oldest first.
    mails: VecDeque<Arc<Mail>>,
    /// The same mails by recipient in lower case, oldest first.
    by_address: HashMap<String, VecDeque<Arc<Mail>>>,
}

impl Inbox {
    pub(crate) fn new(keep: usize) -> Self {
        let shared = Shared {
            keep,
            accepted: AtomicU64::new(0),
            store: Mutex::default(),
            ids: Mutex::default(),
            arrived_to: [const { Notify::const_new() }; SHARDS],
            arrived: Notify::const_new(),
            events: broadcast::Sender::new(EVENTS),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// All kept mails, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Mail>> {
        self.store().mails.iter().cloned().collect()
    }

    /// The kept mails to that address (as an envelope recipient, in any case), oldest first.
    #[must_use]
    pub fn to(&self, address: &str) -> Vec<Arc<Mail>> {
        let store = self.store();
        let found = store.by_address.get(&address.to_lowercase());
        found.map_or_else(Vec::new, |mails| mails.iter().cloned().collect())
    }

    /// The kept mail with that id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Arc<Mail>> {
        self.store()
            .mails
            .iter()
            .find(|mail| mail.id == id)
            .cloned()
    }

    /// How many mails were accepted since the start, whether kept or not.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Deletes all mails. The count of accepted mails stays.
    pub fn clear(&self) {
        *self.store() = Store::default();
        self.tell(Event::Cleared);
    }

    /// Deletes the mails with these ids; unknown ids are skipped.
    pub fn delete<I: AsRef<str>>(&self, ids: impl IntoIterator<Item = I>) {
        let ids: Vec<String> = ids.into_iter().map(|id| id.as_ref().to_owned()).collect();
        self.store().delete(&ids);
        self.tell(Event::Deleted(ids));
    }

    /// Waits for the `n`-th (from 1) kept mail to that address.
    pub async fn wait_for(
        &self,
        address: &str,
        n: usize,
        timeout: Duration,
    ) -> Result<Arc<Mail>, TimedOut> {
        let key = address.to_lowercase();
        tokio::time::timeout(timeout, self.nth(&key, n))
            .await
            .map_err(|_elapsed| TimedOut {
                what: format!("mail number {n} to {address}"),
                seen: format!(
                    "{} present, {} accepted in total",
                    self.to(&key).len(),
                    self.accepted()
                ),
                waited: timeout,
            })
    }

    /// Returns once `n` mails have been accepted since the start.
    pub async fn wait_total(&self, n: u64, timeout: Duration) -> Result<(), TimedOut> {
        let reached = async {
            loop {
                let mut arrived = pin!(self.shared.arrived.notified());
                arrived.as_mut().enable();
                if self.accepted() >= n {
                    return;
                }
                arrived.await;
            }
        };
        tokio::time::timeout(timeout, reached)
            .await
            .map_err(|_elapsed| TimedOut {
                what: format!("mail number {n}"),
                seen: format!("{} accepted", self.accepted()),
                waited: timeout,
            })
    }

    /// Subscribes to every later change. A subscriber that lags far behind misses some, and its
    /// receiver reports that.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.shared.events.subscribe()
    }

    /// How many mails are kept.
    pub(crate) fn keep(&self) -> usize {
        self.shared.keep
    }

    /// Whether mails are only counted.
    pub(crate) fn only_counts(&self) -> bool {
        self.shared.keep == 0
    }

    /// A new id, greater than all before.
    pub(crate) fn next_id(&self) -> String {
        let mut ids = self
            .shared
            .ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let id = ids
            .generate()
            .unwrap_or_else(ulid::Overflow::commit_overflow_increment);
        id.to_string()
    }

    /// Counts a mail without storing it.
    pub(crate) fn count(&self) {
        self.shared.accepted.fetch_add(1, Ordering::SeqCst);
        self.shared.arrived.notify_waiters();
    }

    pub(crate) fn insert(&self, mail: Mail) {
        if self.only_counts() {
            return self.count();
        }
        let mail = Arc::new(mail);
        self.store().insert(&mail, self.shared.keep);
        for address in &mail.envelope_to {
            self.arrived_to(&address.to_lowercase()).notify_waiters();
        }
        self.count();
        self.tell(Event::Mail(mail));
    }

    async fn nth(&self, key: &str, n: usize) -> Arc<Mail> {
        loop {
            let mut arrived = pin!(self.arrived_to(key).notified());
            arrived.as_mut().enable();
            if let Some(mail) = self.store().nth(key, n) {
                return mail;
            }
            arrived.await;
        }
    }

    fn arrived_to(&self, key: &str) -> &Notify {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(key);
        let shard = usize::try_from(hash % SHARDS as u64).unwrap_or(0);
        &self.shared.arrived_to[shard]
    }

    fn tell(&self, event: Event) {
        // An error only means that there is no subscriber.
        let _ = self.shared.events.send(event);
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        // A panic elsewhere leaves the storage usable: each change is a few pushes.
        self.shared
            .store
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    fn nth(&self, key: &str, n: usize) -> Option<Arc<Mail>> {
        self.by_address.get(key)?.get(n.saturating_sub(1)).cloned()
    }

    fn insert(&mut self, mail: &Arc<Mail>, keep: usize) {
        while self.mails.len() >= keep {
            let Some(oldest) = self.mails.pop_front() else {
                break;
            };
            self.forget(&oldest);
        }
        for address in &mail.envelope_to {
            let mails = self.by_address.entry(address.to_lowercase()).or_default();
            // An envelope may name the same recipient twice.
            if mails.back().is_none_or(|last| !Arc::ptr_eq(last, mail)) {
                mails.push_back(Arc::clone(mail));
            }
        }
        self.mails.push_back(Arc::clone(mail));
    }

    fn delete(&mut self, ids: &[String]) {
        let (gone, kept) = std::mem::take(&mut self.mails)
            .into_iter()
            .partition::<Vec<_>, _>(|mail| ids.contains(&mail.id));
        self.mails = kept.into();
        for mail in &gone {
            self.forget(mail);
        }
    }

    fn forget(&mut self, mail: &Arc<Mail>) {
        for address in &mail.envelope_to {
            let key = address.to_lowercase();
            if let Some(mails) = self.by_address.get_mut(&key) {
                mails.retain(|other| !Arc::ptr_eq(other, mail));
                if mails.is_empty() {
                    self.by_address.remove(&key);
                }
            }
        }
    }
}
