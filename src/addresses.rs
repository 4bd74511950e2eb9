//! Limits the connections of one network address, so that one client can't take them all.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::client::ClientKey;
use runtime::settings::Http;

use crate::access_log::AccessLog;

/// The number of connections of each address or IPv6 /64. Connections from this machine and from
/// trusted proxies don't count, because many clients are behind them.
pub struct Addresses {
    http: Http,
    log: AccessLog,
    held: Mutex<HashMap<ClientKey, usize>>,
}

impl Addresses {
    /// With `max_connections_per_address` of these settings.
    #[must_use]
    pub fn new(http: &Http, log: &AccessLog) -> Arc<Self> {
        Arc::new(Self {
            http: http.clone(),
            log: log.clone(),
            held: Mutex::default(),
        })
    }

    /// Counts a connection, unless its address already holds the maximum.
    #[must_use]
    pub fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Admitted> {
        let peer = peer.to_canonical();
        if peer.is_loopback() || self.http.trusts(peer) {
            return Some(Admitted(None));
        }
        let client = ClientKey::of(peer);
        let mut all = self.held();
        let held = all.entry(client.clone()).or_default();
        if *held >= self.http.max_connections_per_address {
            self.log.too_many_connections(&client);
            return None;
        }
        *held += 1;
        Some(Admitted(Some((Arc::clone(self), client))))
    }

    fn held(&self) -> MutexGuard<'_, HashMap<ClientKey, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A counted connection. Dropping it releases the count.
pub struct Admitted(Option<(Arc<Addresses>, ClientKey)>);

impl Drop for Admitted {
    fn drop(&mut self) {
        let Some((addresses, client)) = self.0.take() else {
            return;
        };
        if let Entry::Occupied(mut held) = addresses.held().entry(client) {
            *held.get_mut() -= 1;
            if *held.get() == 0 {
                held.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use runtime::settings::{LoadOptions, Settings};

    use super::*;

    fn addresses() -> Arc<Addresses> {
        let options = LoadOptions::default()
            .with_variable("SECRET_KEY", "an-example-key-of-at-least-32-bytes!")
            .with_variable("SMART_NOTES__HTTP__TRUSTED_PROXIES", "10.0.0.0/8")
            .with_variable("SMART_NOTES__HTTP__MAX_CONNECTIONS_PER_ADDRESS", "2");
        Addresses::new(
            &Settings::load(&options).unwrap().http,
            &AccessLog::default(),
        )
    }

    fn admit(addresses: &Arc<Addresses>, peer: &str) -> Option<Admitted> {
        addresses.admit(peer.parse().unwrap())
    }

    #[test]
    fn one_address_holds_so_many_connections_and_no_more_until_one_ends() {
        let addresses = addresses();
        let mut held: Vec<_> = (0..2).map(|_| admit(&addresses, "192.0.2.1")).collect();

        assert!(held.iter().all(Option::is_some));
        assert!(admit(&addresses, "192.0.2.1").is_none());
        assert!(admit(&addresses, "::ffff:192.0.2.1").is_none());
        assert!(admit(&addresses, "192.0.2.2").is_some());
        held.pop();
        assert!(admit(&addresses, "192.0.2.1").is_some());
        held.clear();
        assert!(addresses.held().is_empty());
    }

    #[test]
    fn neighbours_in_one_ipv6_network_are_one_address() {
        let addresses = addresses();
        let held = ["2001:db8::1", "2001:db8::2"].map(|peer| admit(&addresses, peer));

        assert!(held.iter().all(Option::is_some));
        assert!(admit(&addresses, "2001:db8::3").is_none());
        assert!(admit(&addresses, "2001:db8:0:1::1").is_some());
    }

    #[test]
    fn this_machine_and_trusted_proxies_hold_as_many_as_they_like() {
        let addresses = addresses();

        for peer in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3"] {
            let held: Vec<_> = (0..10).map(|_| admit(&addresses, peer)).collect();
            assert!(held.iter().all(Option::is_some), "{peer}");
        }
    }
}
