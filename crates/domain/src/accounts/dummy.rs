//! Dummy hashes for unknown logins, so that checking them takes as long as for known ones (OWASP
//! ASVS 5.0 6.3.8).
//!
//! While imported hashes or hashes of an earlier cost remain, users have several kinds of hashes,
//! which differ in the time of a check. Unknown logins are assigned the same kinds in the same
//! proportion. The secret key determines the kind of a login, so it is the same for every attempt,
//! in every process and after a restart. As old hashes are replaced, logins leave the old kinds
//! once and in one direction, as users do.

use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;

use crate::password::{HashKind, PasswordHash};

/// The number of users with each kind of hash.
#[derive(Debug, Clone, Default)]
pub struct HashKinds(pub Vec<(HashKind, u64)>);

/// Hashes that match no password, and the key that selects one of them.
pub struct Dummies {
    key: SecretSlice<u8>,
    usual: PasswordHash,
}

impl Dummies {
    /// `usual`: the hash of a password that nobody knows, at the cost of new hashes.
    ///
    /// # Panics
    ///
    /// Never: 32 bytes are a valid length for HKDF-SHA-256.
    #[must_use]
    pub fn new(secret: &SecretSlice<u8>, usual: PasswordHash) -> Self {
        let mut key = vec![0; 32];
        Hkdf::<Sha256>::new(None, secret.expose_secret())
            .expand(b"login/v1", &mut key)
            .expect("32 bytes are a valid length for HKDF-SHA-256");
        Self {
            key: key.into(),
            usual,
        }
    }

    /// The hash to check for a login, given in the form that compares.
    #[must_use]
    pub fn hash_for(&self, login: &str, kinds: &HashKinds) -> PasswordHash {
        let usual = self.usual.kind();
        let checked = |kind: &HashKind| PasswordHash::of_nobody(kind).is_some();
        let (new, mut old): (Vec<_>, Vec<_>) = (kinds.0.iter())
            .filter(|(kind, _)| checked(kind))
            .partition(|(kind, _)| Some(kind) == usual.as_ref());
        old.sort_unstable();
        let count = |kinds: &[&(HashKind, u64)]| kinds.iter().map(|(_, users)| users).sum::<u64>();
        let tags = self.tags(login);
        // First whether it is old, so that it leaves the old ones once and for all; then which of these it is.
        if drawn(tags[0], count(&new) + count(&old)) >= count(&old) {
            return self.usual.clone();
        }
        let mut place = drawn(tags[1], count(&old));
        let kind = old.iter().find(|(_, users)| {
            let found = place < *users;
            place = place.saturating_sub(*users);
            found
        });
        kind.and_then(|(kind, _)| PasswordHash::of_nobody(kind))
            .unwrap_or_else(|| self.usual.clone())
    }

    fn tags(&self, login: &str) -> [u64; 2] {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.expose_secret())
            .expect("HMAC takes a key of any length");
        mac.update(login.as_bytes());
        let made = mac.finalize().into_bytes();
        [0, 8].map(|at| {
            let mut tag = [0; 8];
            tag.copy_from_slice(&made[at..at + 8]);
            u64::from_be_bytes(tag)
        })
    }
}

/// One of so many, by a tag that is uniform over 64 bits.
fn drawn(tag: u64, of: u64) -> u64 {
    u64::try_from((u128::from(tag) * u128::from(of)) >> 64).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::django;

    const SECRET: &[u8] = b"an example key of 32 bytes, or so";

    fn usual() -> PasswordHash {
        let kind = "$argon2id$v=19$m=19456,t=2,p=1$TkZD".to_owned();
        PasswordHash::of_nobody(&HashKind::from(kind)).unwrap()
    }

    fn dummies(secret: &[u8]) -> Dummies {
        Dummies::new(&secret.to_vec().into(), usual())
    }

    fn imported_kind(iterations: u32) -> HashKind {
        django::of_nobody(iterations).kind().unwrap()
    }

    /// The iterations of the dummies of 2,000 logins; `None` for the usual kind.
    fn drawn_for(dummies: &Dummies, usual_ones: u64, imported: &[(u32, u64)]) -> Vec<Option<u32>> {
        let imported = (imported.iter()).map(|(cost, users)| (imported_kind(*cost), *users));
        let kinds = HashKinds(
            imported
                .chain([(usual().kind().unwrap(), usual_ones)])
                .collect(),
        );
        (0..2_000)
            .map(|login| dummies.hash_for(&format!("login{login}"), &kinds))
            .map(|hash| django::iterations(&hash))
            .collect()
    }

    fn count(drawn: &[Option<u32>], cost: Option<u32>) -> usize {
        drawn.iter().filter(|one| **one == cost).count()
    }

    /// OWASP ASVS 5.0 6.3.8.
    #[test]
    fn dummies_come_in_the_proportion_and_with_the_costs_of_users() {
        let dummies = dummies(SECRET);

        for none in [
            drawn_for(&dummies, 0, &[]),
            drawn_for(&dummies, 1_000, &[(720_000, 0)]),
        ] {
            assert_eq!(count(&none, None), 2_000);
        }
        let all = drawn_for(&dummies, 0, &[(720_000, 1_000)]);
        assert_eq!(count(&all, Some(720_000)), 2_000);
        let mixed = drawn_for(
            &dummies,
            500,
            &[(1_000_000, 250), (260_000, 125), (600_000, 125)],
        );
        assert!((900..=1_100).contains(&count(&mixed, None)));
        assert!((400..=600).contains(&count(&mixed, Some(1_000_000))));
        assert!((180..=320).contains(&count(&mixed, Some(260_000))));
        assert!((180..=320).contains(&count(&mixed, Some(600_000))));
    }

    #[test]
    fn hashes_of_an_earlier_cost_have_dummies_too() {
        let old = HashKind::from("$argon2id$v=19$m=19456,t=3,p=1$".to_owned());
        let kinds = HashKinds(vec![(old.clone(), 10)]);

        let hash = dummies(SECRET).hash_for("nobody", &kinds);

        assert_eq!(hash.kind(), Some(old));
    }

    #[test]
    fn what_is_never_checked_has_no_dummies() {
        let kinds = HashKinds(vec![(HashKind::from(String::new()), 10)]);

        let hash = dummies(SECRET).hash_for("nobody", &kinds);

        assert_eq!(hash.kind(), usual().kind());
    }

    #[test]
    fn a_login_keeps_its_kind_and_changes_it_in_one_direction() {
        let draw = |secret, usual_ones, half| {
            drawn_for(
                &dummies(secret),
                usual_ones,
                &[(260_000, half), (600_000, half)],
            )
        };
        let (before, after) = (draw(SECRET, 400, 300), draw(SECRET, 700, 150));

        assert_eq!(before, draw(SECRET, 400, 300));
        let one_way = |(then, now): (&Option<u32>, &Option<u32>)| then == now || now.is_none();
        assert!(before.iter().zip(&after).all(one_way));
        assert_ne!(before, draw(b"some other example key, 32 bytes.", 400, 300));
    }
}
