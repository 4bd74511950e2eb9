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
async fn a_relay_that_takes_user_and_password_under_tls_is_well_until_a_date() {
    let relay = Relay::tls(100).await;

    let said = ask(
        &format!("smtps://notes:a-passw0rd@{}", relay.address),
        Some(&relay),
    )
    .await;

    said.is_well(
        "would take mail: TLS with a certificate that is trusted, user and password accepted",
    );
    said.is_well("its certificate is good until 20");
    assert_eq!(said.code, 0, "{}", said.out);
}

#[tokio::test]
async fn a_certificate_that_ends_soon_is_worth_a_look() {
    let relay = Relay::tls(5).await;

    let said = ask(&format!("smtps://{}", relay.address), Some(&relay)).await;

    said.is_worth_a_look("5 days from now", "must renew it");
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_must_be_mended() {
    let relay = Relay::tls(100).await;

    let said = ask(&format!("smtps://{}", relay.address), None).await;

    said.must_be_mended("its certificate is not trusted", "smtp.ca_file");
}

#[tokio::test]
async fn a_refused_password_must_be_mended_and_is_not_shown() {
    let relay = Relay::plain("535 5.7.8 bad credentials").await;

    let said = ask(
        &format!("smtp://notes:a-passw0rd@{}?tls=none", relay.address),
        None,
    )
    .await;

    said.must_be_mended(
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

    said.is_well(&format!(
        "smtp://{}?tls=none would take mail",
        works.address
    ));
    said.must_be_mended(
        &format!("{down} failed at connect: Connection refused"),
        "firewall",
    );
}

/// STARTTLS is required unless it is renounced: the password is not sent in the clear.
#[tokio::test]
async fn a_relay_without_starttls_must_be_mended() {
    let relay = Relay::plain("235 2.7.0 welcome").await;

    let said = ask(&format!("smtp://notes:a-passw0rd@{}", relay.address), None).await;

    said.must_be_mended("it does not offer STARTTLS", "465: smtps://");
}

/// Such a relay takes user and password, and then no mail.
#[tokio::test]
async fn a_relay_that_refuses_the_sender_must_be_mended() {
    let relay = Relay::plain("235 2.7.0 welcome").await;
    let url = format!("smtp://notes:a-passw0rd@{}?tls=none", relay.address);
    let place = (Place::new().await)
        .with("SMART_NOTES__SMTP__RELAYS", &url)
        .with("SMART_NOTES__SMTP__FROM", "stranger@notes.test");

    let said = place.doctor("").await;

    said.must_be_mended("answered at mail: 553 5.7.1 sender rejected", "smtp.from");
}
