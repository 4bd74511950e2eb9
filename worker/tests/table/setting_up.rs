//! What keeps a connection from coming about: no relay, no TLS, no trust, or not what the settings demand.

use smart_notes_worker::smtp::{RelaySecurity, Stage};

use super::{REFUSES_US, Scene, TROUBLE};
use crate::scripted::{good, on, say};

#[tokio::test]
async fn a_relay_that_lacks_what_the_settings_demand_refuses_us() {
    let bare = || on("EHLO", say("250 relay.example.com"));
    for (security, password, stage) in [
        (RelaySecurity::StartTls, false, Stage::Tls),
        (RelaySecurity::Plaintext, true, Stage::Auth),
    ] {
        // Both as a relay that never offered it, and as one whose offer an attacker strips.
        let mut scene = Scene::new(bare(), RelaySecurity::Plaintext, password).await;
        scene.url.security = security;

        let (relay_attempt, row) = scene.row().await;

        assert_eq!(row, REFUSES_US, "{}", relay_attempt.attempt);
        assert_eq!(relay_attempt.attempt.stage, stage);
        assert_eq!(scene.server.heard().count("MAIL"), 0);
    }
}

#[tokio::test]
async fn a_certificate_that_cannot_be_trusted_refuses_us() {
    for security in [RelaySecurity::StartTls, RelaySecurity::ImplicitTls] {
        let mut scene = Scene::new(good(), security, true).await;
        scene.options.ca_file = None;

        let (relay_attempt, row) = scene.row().await;

        assert_eq!(row, REFUSES_US, "{}", relay_attempt.attempt);
        assert_eq!(relay_attempt.attempt.stage, Stage::Tls);
        assert_eq!(scene.server.heard().count("AUTH"), 0, "no password either");
    }
}

#[tokio::test]
async fn a_handshake_that_fails_is_trouble() {
    // It does not speak TLS at all.
    let mut scene = Scene::new(good(), RelaySecurity::Plaintext, false).await;
    scene.url.security = RelaySecurity::ImplicitTls;

    let (relay_attempt, row) = scene.row().await;

    assert_eq!(row, TROUBLE, "{}", relay_attempt.attempt);
    assert_eq!(relay_attempt.attempt.stage, Stage::Tls);
}

#[tokio::test]
async fn a_relay_that_cannot_be_reached_is_trouble() {
    for (host, stage) in [
        ("127.0.0.1", Stage::Connect),
        ("relay.invalid", Stage::Resolve),
    ] {
        let mut scene = Scene::new(good(), RelaySecurity::Plaintext, false).await;
        let taken = tokio::net::TcpSocket::new_v4().unwrap();
        taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        scene.url.host = host.to_owned();
        scene.url.port = taken.local_addr().unwrap().port();

        let (relay_attempt, row) = scene.row().await;

        assert_eq!(row, TROUBLE, "{}", relay_attempt.attempt);
        assert_eq!(relay_attempt.attempt.stage, stage);
    }
}
