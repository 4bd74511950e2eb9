//! What the password of a login that nobody has is checked against, so that it takes as long as one
//! that somebody has (OWASP ASVS 5.0 6.3.8).
//!
//! While imported hashes remain, users fall into two kinds, which the time of a check tells apart.
//! So nobody's logins fall into the same two, in the same proportion: which kind a login is of
//! follows from the secret key, hence is the same at every try, in every process and after a restart. As
//! imported hashes are replaced, logins change their kind once and in one direction, as users do.

use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;

use crate::password::{PasswordHash, django};

/// How many users have which kind of hash.
#[derive(Debug, Clone, Default)]
pub struct HashKinds {
    /// All users.
    pub users: u64,
    /// Those whose hash was imported and has not been replaced yet.
    pub imported: u64,
    /// One of the imported hashes, whose cost the dummies have as well.
    pub example: Option<PasswordHash>,
}

/// Hashes that no password matches, and the key that chooses among them.
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
        // A tag is uniform over 64 bits, so this draws one of the users; those first in line are imported.
        let drawn = (u128::from(self.tag(login)) * u128::from(kinds.users)) >> 64;
        if drawn >= u128::from(kinds.imported) {
            return self.usual.clone();
        }
        let cost = kinds.example.as_ref().and_then(django::iterations);
        django::of_nobody(cost.unwrap_or(django::USUAL_ITERATIONS))
    }

    fn tag(&self, login: &str) -> u64 {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.expose_secret())
            .expect("HMAC takes a key of any length");
        mac.update(login.as_bytes());
        let mut tag = [0; 8];
        tag.copy_from_slice(&mac.finalize().into_bytes()[..8]);
        u64::from_be_bytes(tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"an example key of 32 bytes, or so";

    fn dummies(secret: &[u8]) -> Dummies {
        let usual = PasswordHash::from("$argon2id$usual".to_owned());
        Dummies::new(&secret.to_vec().into(), usual)
    }

    fn imported(dummies: &Dummies, users: u64, imported: u64) -> Vec<bool> {
        let kinds = HashKinds {
            users,
            imported,
            example: Some(django::of_nobody(720_000)),
        };
        (0..2_000)
            .map(|login| dummies.hash_for(&format!("login{login}"), &kinds))
            .map(|hash| django::iterations(&hash) == Some(720_000))
            .collect()
    }

    fn count(drawn: &[bool]) -> usize {
        drawn.iter().filter(|imported| **imported).count()
    }

    /// OWASP ASVS 5.0 6.3.8.
    #[test]
    fn dummies_come_in_the_proportion_of_users() {
        let dummies = dummies(SECRET);

        assert_eq!(count(&imported(&dummies, 0, 0)), 0);
        assert_eq!(count(&imported(&dummies, 1_000, 0)), 0);
        assert_eq!(count(&imported(&dummies, 1_000, 1_000)), 2_000);
        let quarter = count(&imported(&dummies, 1_000, 250));
        assert!((400..=600).contains(&quarter), "{quarter}");
    }

    #[test]
    fn a_login_keeps_its_kind_and_changes_it_in_one_direction() {
        let before = imported(&dummies(SECRET), 1_000, 600);
        let after = imported(&dummies(SECRET), 1_000, 300);

        assert_eq!(before, imported(&dummies(SECRET), 1_000, 600));
        assert!(before.iter().zip(&after).all(|(then, now)| *then || !now));
        let other_key = dummies(b"some other example key, 32 bytes.");
        assert_ne!(before, imported(&other_key, 1_000, 600));
    }

    #[test]
    fn without_an_example_the_cost_is_that_of_django() {
        let kinds = HashKinds {
            users: 1,
            imported: 1,
            example: None,
        };

        let hash = dummies(SECRET).hash_for("nobody", &kinds);

        assert_eq!(django::iterations(&hash), Some(django::USUAL_ITERATIONS));
    }
}
