//! Authenticates events of payment services.

use std::time::Duration;

use hmac::{Hmac, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// By how much the time of a signature may differ from ours, either way: what was overheard can't be sent again later.
pub const TOLERANCE: Duration = Duration::from_mins(5);

/// Whether Stripe signed this body with the secret, as its header says: `t=1492774577,v1=5257a8…,v1=…`.
///
/// Every `v1` is an HMAC-SHA-256 over the time as it is written, a dot, and the body, byte for byte; while a secret is
/// being replaced there are two. Other schemes are passed over. Takes the same time for every wrong signature.
///
/// # Panics
///
/// Never: HMAC takes keys of any length.
#[must_use]
pub fn is_signed(secret: &SecretString, header: &[u8], body: &[u8], now: Timestamp) -> bool {
    let Ok(header) = std::str::from_utf8(header) else {
        return false;
    };
    let parts = || {
        header
            .split(',')
            .filter_map(|part| part.trim().split_once('='))
    };
    let Some((_, time)) = parts().find(|(name, _)| *name == "t") else {
        return false;
    };
    let Some(signed) = time
        .parse()
        .ok()
        .and_then(|at| Timestamp::from_second(at).ok())
    else {
        return false;
    };
    if signed.duration_since(now).unsigned_abs() > TOLERANCE {
        return false;
    }
    let key = secret.expose_secret().as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    let right = mac.finalize().into_bytes();
    parts()
        .filter(|(name, _)| *name == "v1")
        .filter_map(|(_, signature)| hex::decode(signature).ok())
        .any(|signature| right.ct_eq(&signature).into())
}

/// Whether a header is the secret, alone or after `Bearer`. Takes the same time for every wrong one.
#[must_use]
pub fn is_secret(secret: &SecretString, header: &[u8]) -> bool {
    let right = digest(secret.expose_secret().as_bytes());
    let bearer = header
        .split_at_checked(BEARER.len())
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(BEARER))
        .map_or(header, |(_, rest)| rest);
    let is = |sent: &[u8]| bool::from(digest(sent).ct_eq(&right));
    is(header) | is(bearer)
}

const BEARER: &[u8] = b"Bearer ";

/// Hides the lengths, which a comparison would tell.
fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Made with `printf '1492774577.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_test`.
    const SIGNATURE: &str = "7656fc2882a7ca0a651666b36bf2f2f22ee204f54f608f227498a2419f2890b2";

    fn signed(header: &str, body: &str, now: i64) -> bool {
        is_signed(
            &"whsec_test".into(),
            header.as_bytes(),
            body.as_bytes(),
            at(now),
        )
    }

    #[test]
    fn a_signature_is_good_for_this_body_this_time_and_this_secret() {
        let header = format!("t=1492774577,v1={SIGNATURE}");
        let body = r#"{"id":"evt_1"}"#;

        assert!(signed(&header, body, 1_492_774_577));
        assert!(!signed(&header, r#"{"id":"evt_2"}"#, 1_492_774_577));
        assert!(!signed(&header.replace("577", "578"), body, 1_492_774_577));
        let other = is_signed(
            &"another".into(),
            header.as_bytes(),
            body.as_bytes(),
            at(1_492_774_577),
        );
        assert!(!other);
    }

    #[test]
    fn one_of_several_signatures_is_enough_and_other_schemes_are_passed_over() {
        let (body, now) = (r#"{"id":"evt_1"}"#, 1_492_774_577);
        let wrong = "0".repeat(64);

        assert!(signed(
            &format!("t=1492774577, v1={wrong},v1={SIGNATURE},v0=x"),
            body,
            now
        ));
        assert!(!signed(
            &format!("t=1492774577,v1={wrong},v0={SIGNATURE}"),
            body,
            now
        ));
        for broken in [
            format!("v1={SIGNATURE}"),
            format!("t=now,v1={SIGNATURE}"),
            format!("t=99999999999999999999,v1={SIGNATURE}"),
            format!("t=1492774577,v1={}", &SIGNATURE[..62]),
            "t=1492774577,v1=".to_owned(),
            "t=1492774577".to_owned(),
            String::new(),
        ] {
            assert!(!signed(&broken, body, now), "{broken}");
        }
    }

    #[test]
    fn a_signature_is_good_for_five_minutes_either_way() {
        let header = format!("t=1492774577,v1={SIGNATURE}");
        let body = r#"{"id":"evt_1"}"#;

        let good = [-301, -300, 300, 301].map(|late| signed(&header, body, 1_492_774_577 + late));

        assert_eq!(good, [false, true, true, false]);
    }

    #[test]
    fn a_secret_is_good_alone_and_as_a_bearer_s() {
        let is = |header: &str| is_secret(&"open sesame".into(), header.as_bytes());

        assert!(is("open sesame") && is("Bearer open sesame") && is("bearer open sesame"));
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            "open sesam",
            "open sesame ",
            "Token open sesame",
        ] {
            assert!(!is(wrong), "{wrong}");
        }
        assert!(is_secret(&"Bearer x".into(), b"Bearer x"));
    }
}
