//! The share of the pool that one client may hold: a quarter, so that a client that floods the pool
//! cannot lock out others (OWASP ASVS 5.0 2.4.1). Counted in the memory of this process, because it
//! protects this process's threads.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::client::ClientKey;

/// The number of slots that each client holds. Cheap to clone.
#[derive(Clone)]
pub(super) struct Shares(Arc<Counts>);

struct Counts {
    /// The maximum for one client.
    most: usize,
    /// Clients without slots are not stored, so the map never outgrows the pool.
    by_client: Mutex<HashMap<Holder, NonZeroUsize>>,
}

/// A holder of slots: the anonymous requests of a client, or its logged-in users.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Holder {
    client: ClientKey,
    logged_in: bool,
}

impl Holder {
    /// The anonymous requests of a client.
    pub(super) fn anonymous(client: &ClientKey) -> Self {
        Self {
            client: client.clone(),
            logged_in: false,
        }
    }

    /// The logged-in users of a client.
    pub(super) fn logged_in(client: &ClientKey) -> Self {
        Self {
            client: client.clone(),
            logged_in: true,
        }
    }
}

impl Shares {
    /// Shares of a quarter of `slots` for each client, at least one.
    pub(super) fn of(slots: usize) -> Self {
        Self(Arc::new(Counts {
            most: (slots / 4).max(1),
            by_client: Mutex::default(),
        }))
    }

    /// Adds one slot to a holder, unless it already holds its share. Dropping the result releases
    /// it.
    pub(super) fn take(&self, holder: Holder) -> Option<Share> {
        let mut by_client = self.0.by_client();
        let held = by_client.get(&holder).map_or(0, |held| held.get());
        if held >= self.0.most {
            return None;
        }
        by_client.insert(holder.clone(), NonZeroUsize::MIN.saturating_add(held));
        drop(by_client);
        Some(Share {
            holder,
            of: Arc::clone(&self.0),
        })
    }
}

/// One of a holder's slots.
pub(super) struct Share {
    holder: Holder,
    of: Arc<Counts>,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut by_client = self.of.by_client();
        let held = by_client.remove(&self.holder);
        if let Some(left) = held.and_then(|held| NonZeroUsize::new(held.get() - 1)) {
            by_client.insert(self.holder.clone(), left);
        }
    }
}

impl Counts {
    fn by_client(&self) -> MutexGuard<'_, HashMap<Holder, NonZeroUsize>> {
        self.by_client
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> Holder {
        Holder::anonymous(&ClientKey::of(address.parse().unwrap()))
    }

    #[test]
    fn a_client_holds_a_quarter_and_another_has_a_quarter_of_its_own() {
        let shares = Shares::of(11);
        let (one, other) = (client("192.0.2.1"), client("192.0.2.2"));

        let held = [shares.take(one.clone()), shares.take(one.clone())];

        assert!(held.iter().all(Option::is_some));
        assert!(shares.take(one.clone()).is_none());
        assert!(shares.take(other.clone()).is_some());
        drop(held);
        assert!(shares.take(one.clone()).is_some());
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let shares = Shares::of(4);
        let _held = shares.take(client("2001:db8:1:2::1"));

        assert!(shares.take(client("2001:db8:1:2:ffff::9")).is_none());
        assert!(shares.take(client("2001:db8:1:3::1")).is_some());
    }

    #[test]
    fn a_small_pool_has_a_slot_for_each_client() {
        let shares = Shares::of(3);
        let one = client("192.0.2.1");

        let held = shares.take(one.clone());

        assert!(held.is_some() && shares.take(one.clone()).is_none());
    }

    #[test]
    fn clients_that_hold_nothing_are_forgotten() {
        let shares = Shares::of(8);
        for last in 0..100 {
            let one = client(&format!("192.0.2.{last}"));
            drop([shares.take(one.clone()), shares.take(one.clone())]);
        }

        assert!(shares.0.by_client().is_empty());
    }
}
