//! The network client of a request, as limits and codes identify it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// The client that a request is counted for: an IPv4 address, or the /64 network of an IPv6
/// address, since one subscriber commonly owns all of it (RFC 6177). Cheap to clone, because
/// everything done for a request carries it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientKey(Arc<str>);

impl ClientKey {
    /// The key of a client's address. IPv4 addresses mapped into IPv6 count as IPv4.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(v4.to_string().into()),
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Self(format!("{a:x}:{b:x}:{c:x}:{d:x}::/64").into())
            }
        }
    }

    /// The key as it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for ClientKey {
    /// A key read back from a store.
    fn from(stored: String) -> Self {
        Self(stored.into())
    }
}

impl fmt::Display for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_in_one_ipv6_subscriber_network_are_one_client() {
        let a = ClientKey::of("2001:db8:1:2::1".parse().unwrap());
        let b = ClientKey::of("2001:db8:1:2:ffff::9".parse().unwrap());
        let other = ClientKey::of("2001:db8:1:3::1".parse().unwrap());

        assert_eq!(a, b);
        assert_ne!(a, other);
    }

    #[test]
    fn a_mapped_ipv4_address_counts_as_ipv4() {
        assert_eq!(
            ClientKey::of("::ffff:192.0.2.7".parse().unwrap()).as_str(),
            "192.0.2.7"
        );
    }
}
