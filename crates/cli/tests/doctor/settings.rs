//! Settings that can't be used, and those that this command was not told.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use super::place::{KEY, Place};

#[tokio::test]
async fn unusable_settings_are_all_named_and_nothing_else_is_checked() {
    let place = Place::new()
        .await
        .with("SMART_NOTES__HTTP__LISTN", "x")
        .with("SMART_NOTES__WORKER__LEASE_SECONDS", "1");

    let said = place.doctor("").await;

    said.is_a_problem("http.listn", "Did you mean `SMART_NOTES__HTTP__LISTEN`?");
    said.is_a_problem("worker.lease_seconds", "Raise it, or lower the other");
    assert!(said.out.starts_with("settings\n"), "{}", said.out);
    assert!(!said.out.contains("database\n"), "{}", said.out);
}

#[tokio::test]
async fn what_production_refuses_is_a_problem() {
    let place = Place::new().await.in_production();

    let said = place
        .with("SMART_NOTES__LIMITS__ENABLED", "false")
        .doctor("")
        .await;

    said.is_a_problem("limits.enabled", "production never runs without limits");
}

/// An operator's shell has neither the unit's key nor its relay.
#[tokio::test]
async fn settings_that_only_the_services_have_are_warnings_and_are_read_from_their_file() {
    let place = Place::new().await.in_production().without("SECRET_KEY");
    let relay = place.catcher.smtp_addr();
    let place = place.without("SMART_NOTES__SMTP__RELAYS");
    let told = format!(
        "# the relay\nSMART_NOTES__SMTP__RELAYS=smtp://{relay}?tls=none\nSECRET_KEY='{KEY}'\n"
    );
    fs::write(place.path("environment"), told).unwrap();

    let alone = place.doctor("").await;
    let with_file = place.doctor("--env-file environment").await;
    let with_none = place.doctor("--env-file missing").await;

    for key in ["secret_key", "smtp.relays"] {
        let line = alone.about(&format!("{key} is not set for this command"));
        assert!(
            line.contains('!') && line.contains("doctor --help"),
            "{line}"
        );
        assert!(!with_file.out.contains(&format!("{key} is not set")));
    }
    assert!(alone.about("no relay was checked").contains('–'));
    with_file.is_ok("would accept mail");
    with_none.is_a_problem("missing is not a readable file", "--env-file");
}

#[tokio::test]
async fn a_key_file_that_others_can_read_is_a_problem() {
    let place = Place::new().await.without("SECRET_KEY");
    let file = place.path("key");
    fs::write(&file, KEY).unwrap();
    let place = place.with("SMART_NOTES__SECRET_KEY_FILE", file.to_str().unwrap());
    let with_mode = async |mode| {
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        place.doctor("").await
    };

    let open = with_mode(0o640).await;
    let closed = with_mode(0o600).await;

    open.is_a_problem("other users can read", "chmod 600");
    closed.is_ok("only its owner can read");
    assert_eq!(closed.code, 0);
}

#[tokio::test]
async fn metrics_on_a_public_address_are_a_warning() {
    let place = Place::new().await;

    let open = place.with("SMART_NOTES__WORKER__METRICS_LISTEN", "0.0.0.0:9465");
    let said = open.doctor("").await;
    let closed = open
        .with("SMART_NOTES__WORKER__METRICS_LISTEN", "9465")
        .doctor("")
        .await;

    said.is_a_warning("worker.metrics_listen is 0.0.0.0:9465", "firewall");
    assert!(!closed.out.contains("metrics"), "{}", closed.out);
}
