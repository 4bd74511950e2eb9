//! Whether processes hold each other's keys, by what they wrote.

use domain::otp::KeyRing;
use domain::processes::ProcessKind::{Api, Worker};
use jiff::Timestamp;

use super::place::{KEY, Place};

const OTHER: &str = "another example key for tests and long enough";

/// A key's fingerprint.
fn id(secret: &str) -> String {
    let ring = KeyRing::new(&secret.as_bytes().to_vec().into(), &[]);
    ring.current().to_string()
}

#[tokio::test]
async fn a_worker_that_lacks_the_key_of_the_api_is_named_with_the_key() {
    let (place, now) = (Place::new().await, Timestamp::now());
    place.announces(Api, &[KEY], now).await;
    place.announces(Worker, &[OTHER], now).await;

    let said = place.doctor("").await;

    let lacks = format!(
        "worker-of-a-test lacks the key {}, which api-of-a-test signs with",
        id(KEY)
    );
    said.is_a_problem(&lacks, "SECRET_KEY_FALLBACKS");
}

#[tokio::test]
async fn keys_that_differ_and_are_known_to_all_are_a_change_under_way() {
    let (place, now) = (Place::new().await, Timestamp::now());
    place.announces(Api, &[KEY], now).await;
    place.announces(Worker, &[OTHER, KEY], now).await;

    let said = place.doctor("").await;

    said.is_a_warning(
        "processes sign with different keys",
        "restart the worker, then the API",
    );
}

#[tokio::test]
async fn a_key_in_the_settings_that_no_process_signs_with_is_a_warning() {
    let (place, now) = (Place::new().await, Timestamp::now());
    place.announces(Api, &[OTHER], now).await;
    place.announces(Worker, &[OTHER], now).await;

    let said = place.doctor("").await;

    said.is_ok(&format!("every process signs with the key {}", id(OTHER)));
    let differs = format!(
        "the key in the settings is {}, but processes sign with {}",
        id(KEY),
        id(OTHER)
    );
    said.is_a_warning(&differs, "restart the worker");
}

#[tokio::test]
async fn the_keys_of_a_killed_process_are_not_compared() {
    let (place, now) = (Place::new().await, Timestamp::now());
    place
        .announces(Worker, &[OTHER], now - jiff::SignedDuration::from_mins(5))
        .await;
    place.announces(Api, &[KEY], now).await;

    let said = place.doctor("").await;

    said.is_ok(&format!("every process signs with the key {}", id(KEY)));
}
