//! Relays that would take mail, and those that would not, each at its stage.

use super::place::{Place, Said};
use super::relay::Relay;

async fn ask(relays: &str, ca_file: Option<&Relay>) -> Said {
    let place = Place::new().await.with("SMART_NOTES__SMTP__RELAYS", relays);
    let place = match ca_file {
        Some(relay) => place.with(
            "SMART_NOTES__SMTP__CA_FILE",
            relay.ca_file.to_str().unwrap(),
        ),
        None => place,
    };
    place.doctor("").await
}

#[tokio::test]
async fn a_relay_that_accepts_a_login_under_tls_is_ok_until_its_certificate_expires() {
    let relay = Relay::tls(100).await;

    let said = ask(
        &format!("smtps://notes:a-passw0rd@{}", relay.address),
        Some(&relay),
    )
    .await;

    said.is_ok("would accept mail: TLS with a trusted certificate, user and password accepted");
    said.is_ok("its certificate is valid until 20");
    assert_eq!(said.code, 0, "{}", said.out);
}

#[tokio::test]
async fn a_certificate_that_ends_soon_is_a_warning() {
    let relay = Relay::tls(5).await;

    let said = ask(&format!("smtps://{}", relay.address), Some(&relay)).await;

    said.is_a_warning("in 5 days", "must renew it");
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_a_problem() {
    let relay = Relay::tls(100).await;

    let said = ask(&format!("smtps://{}", relay.address), None).await;

    said.is_a_problem("its certificate is not trusted", "smtp.ca_file");
}

#[tokio::test]
async fn a_refused_password_is_a_problem_and_is_not_shown() {
    let relay = Relay::plain("535 5.7.8 bad credentials").await;

    let said = ask(
        &format!("smtp://notes:a-passw0rd@{}?tls=none", relay.address),
        None,
    )
    .await;

    said.is_a_problem(
        "answered at auth: 535 5.7.8 bad credentials",
        "percent-encode",
    );
    assert!(!said.out.contains("passw0rd"), "{}", said.out);
}

/// Each relay by itself: that the second one is down is seen before it is needed.
#[tokio::test]
async fn every_relay_is_asked() {
    let works = Relay::plain("").await;
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let down = taken.local_addr().unwrap();

    let said = ask(
        &format!("smtp://{}?tls=none,smtp://{down}?tls=none", works.address),
        None,
    )
    .await;

    said.is_ok(&format!(
        "smtp://{}?tls=none would accept mail",
        works.address
    ));
    said.is_a_problem(
        &format!("{down} failed at connect: Connection refused"),
        "firewall",
    );
}

/// STARTTLS is required unless it is renounced: the password is not sent in the clear.
#[tokio::test]
async fn a_relay_without_starttls_is_a_problem() {
    let relay = Relay::plain("235 2.7.0 welcome").await;

    let said = ask(&format!("smtp://notes:a-passw0rd@{}", relay.address), None).await;

    said.is_a_problem("it does not offer STARTTLS", "465: smtps://");
}

/// Such a relay takes user and password, and then no mail.
#[tokio::test]
async fn a_relay_that_refuses_the_sender_is_a_problem() {
    let relay = Relay::plain("235 2.7.0 welcome").await;
    let url = format!("smtp://notes:a-passw0rd@{}?tls=none", relay.address);
    let place = (Place::new().await)
        .with("SMART_NOTES__SMTP__RELAYS", &url)
        .with("SMART_NOTES__SMTP__FROM", "stranger@notes.test");

    let said = place.doctor("").await;

    said.is_a_problem("answered at mail: 553 5.7.1 sender rejected", "smtp.from");
}
