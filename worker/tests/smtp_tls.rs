//! TLS and AUTH: nothing is sent to a relay that is not what the settings demand.

use std::path::PathBuf;

use crate::scripted::{
    Act, Script, Scripted, Tls,
    certificate::{certificate, certificate_until},
    close, good, hasty, on, say, send,
};
use smart_notes_worker::smtp::{
    Attempt, AttemptOutcome, Credentials, End, Relay, RelayError, RelayOptions, RelaySecurity,
    RelayUrl, Stage, classify,
};
use tempfile::NamedTempFile;
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject as _};

/// A server that does TLS this way, and the file to trust it by.
async fn tls_server(script: Script, security: RelaySecurity) -> (Scripted, NamedTempFile) {
    let (acceptor, ca_file) = certificate();
    let tls = match security {
        RelaySecurity::Plaintext => Tls::None,
        RelaySecurity::StartTls => Tls::Offered(acceptor),
        RelaySecurity::ImplicitTls => Tls::FromTheStart(acceptor),
    };
    (Scripted::start_with([script], tls).await, ca_file)
}

fn trusting(ca_file: &NamedTempFile) -> RelayOptions {
    RelayOptions {
        ca_file: Some(ca_file.path().to_owned()),
        ..RelayOptions::default()
    }
}

fn with_password(mut url: RelayUrl) -> RelayUrl {
    url.credentials = Some(Credentials {
        user: String::from("smart"),
        password: "notes-Pa55".into(),
    });
    url
}

async fn one(url: RelayUrl, options: RelayOptions) -> Attempt {
    send(&Relay::new(url, options).unwrap()).await
}

const BOTH: [RelaySecurity; 2] = [RelaySecurity::StartTls, RelaySecurity::ImplicitTls];

#[tokio::test]
async fn a_certificate_from_the_ca_file_is_trusted() {
    for security in BOTH {
        let (server, ca_file) = tls_server(good(), security).await;
        let relay = Relay::new(server.url(security), trusting(&ca_file)).unwrap();

        let first = send(&relay).await;
        let second = send(&relay).await;

        assert_eq!(classify(&first), AttemptOutcome::Delivered, "{first}");
        assert!(second.reused, "{second}");
        assert_eq!(server.heard().count("TLS"), 1);
    }
}

#[tokio::test]
async fn nothing_but_starttls_is_said_in_the_clear() {
    let security = RelaySecurity::StartTls;
    let (server, ca_file) = tls_server(good(), security).await;

    one(server.url(security), trusting(&ca_file)).await;

    let heard = server.heard();
    let until_tls: Vec<_> = heard.on_connection(0).into_iter().take(4).collect();
    assert_eq!(
        until_tls,
        ["EHLO localhost", "STARTTLS", "TLS", "EHLO localhost"]
    );
}

#[tokio::test]
async fn a_self_signed_certificate_is_refused_before_any_mail() {
    for security in BOTH {
        let (server, _) = tls_server(good(), security).await;

        let attempt = one(server.url(security), RelayOptions::default()).await;

        assert_eq!(attempt.stage, Stage::Tls, "{attempt}");
        assert!(matches!(&attempt.end, End::Unfit(why) if why.contains("certificate")));
        assert_eq!(classify(&attempt), AttemptOutcome::RelayRefusesUs);
        assert_eq!(server.heard().count("MAIL"), 0);
    }
}

#[tokio::test]
async fn a_certificate_whose_time_is_over_is_refused() {
    let (acceptor, ca_file) = certificate_until(2020);
    let server = Scripted::start_with([good()], Tls::FromTheStart(acceptor)).await;

    let attempt = one(server.url(RelaySecurity::ImplicitTls), trusting(&ca_file)).await;

    assert!(
        matches!(&attempt.end, End::Unfit(why) if why.contains("expired")),
        "{attempt}"
    );
    assert_eq!(classify(&attempt), AttemptOutcome::RelayRefusesUs);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let security = RelaySecurity::ImplicitTls;
    let (server, ca_file) = tls_server(good(), security).await;
    let mut url = server.url(security);
    url.host = String::from("127.0.0.2");
    let listens_on_all = tokio::net::TcpListener::bind(("127.0.0.2", url.port)).await;
    let _forward = listens_on_all.map(|listener| {
        let to = server.address;
        tokio::spawn(async move {
            let (mut here, _) = listener.accept().await.unwrap();
            let mut there = tokio::net::TcpStream::connect(to).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
        })
    });

    let attempt = one(url, trusting(&ca_file)).await;

    assert_eq!(
        classify(&attempt),
        AttemptOutcome::RelayRefusesUs,
        "{attempt}"
    );
}

#[tokio::test]
async fn no_certificate_is_checked_when_told_so() {
    let security = RelaySecurity::ImplicitTls;
    let (server, _) = tls_server(good(), security).await;
    let options = RelayOptions {
        verify: false,
        ..RelayOptions::default()
    };

    let attempt = one(server.url(security), options).await;

    assert_eq!(classify(&attempt), AttemptOutcome::Delivered, "{attempt}");
}

#[tokio::test]
async fn stripped_starttls_is_never_answered_with_plaintext() {
    let server = Scripted::start([on("EHLO", say("250 relay.example.com"))]).await;

    let attempt = one(server.url(RelaySecurity::StartTls), RelayOptions::default()).await;

    assert_eq!(attempt.stage, Stage::Tls);
    assert_eq!(
        attempt.end,
        End::Unfit(String::from("it does not offer STARTTLS"))
    );
    assert_eq!(classify(&attempt), AttemptOutcome::RelayRefusesUs);
    assert_eq!(server.heard().count("MAIL"), 0);
}

#[tokio::test]
async fn what_was_slipped_in_before_tls_is_not_believed_under_it() {
    // Offers AUTH in the clear, in the same packet as the answer to STARTTLS.
    let slipped = b"220 go\r\n250-relay.example.com\r\n250 AUTH PLAIN\r\n".to_vec();
    let script = on("STARTTLS", Act::Say(slipped))
        .on("EHLO", say("250-relay.example.com\r\n250 STARTTLS"))
        .on("EHLO", say("250 relay.example.com"));
    let security = RelaySecurity::StartTls;
    let (server, ca_file) = tls_server(script, security).await;

    let attempt = one(with_password(server.url(security)), trusting(&ca_file)).await;

    assert_eq!(
        classify(&attempt),
        AttemptOutcome::RelayRefusesUs,
        "{attempt}"
    );
    assert_eq!(attempt.stage, Stage::Auth, "{attempt}");
    assert_eq!(server.heard().count("AUTH"), 0);
}

#[tokio::test]
async fn a_hello_refused_under_tls_is_trouble() {
    let security = RelaySecurity::StartTls;
    let offer = say("250-relay.example.com\r\n250 STARTTLS");
    let script = on("EHLO", offer).on("EHLO", say("554 not now"));
    let (server, ca_file) = tls_server(script, security).await;

    let attempt = one(server.url(security), trusting(&ca_file)).await;

    assert_eq!(attempt.stage, Stage::Greeting, "{attempt}");
    assert_eq!(classify(&attempt), AttemptOutcome::RelayTrouble);
}

#[tokio::test]
async fn a_refused_starttls_is_judged_by_its_code() {
    let rows = [
        (say("454 TLS not available"), AttemptOutcome::RelayTrouble),
        (say("502 not implemented"), AttemptOutcome::RelayRefusesUs),
        (say("421 busy"), AttemptOutcome::RelayTrouble),
        (close(), AttemptOutcome::RelayTrouble),
    ];
    for (act, verdict) in rows {
        let security = RelaySecurity::StartTls;
        let (server, ca_file) = tls_server(on("STARTTLS", act), security).await;

        let attempt = one(server.url(security), trusting(&ca_file)).await;

        assert_eq!(attempt.stage, Stage::Tls, "{attempt}");
        assert_eq!(classify(&attempt), verdict, "{attempt}");
    }
}

#[tokio::test]
async fn a_hang_in_starttls_or_the_handshake_ends_in_its_time() {
    let (starttls, ca_file) = tls_server(on("STARTTLS", Act::Hang), RelaySecurity::StartTls).await;
    // Waits for our first command instead of a handshake.
    let (plain, _) = tls_server(on("GREETING", Act::Hang), RelaySecurity::Plaintext).await;
    let options = RelayOptions {
        ca_file: Some(ca_file.path().to_owned()),
        ..hasty()
    };

    for url in [
        starttls.url(RelaySecurity::StartTls),
        plain.url(RelaySecurity::ImplicitTls),
    ] {
        let attempt = one(url, options.clone()).await;

        assert_eq!(attempt.stage, Stage::Tls, "{attempt}");
        assert_eq!(
            attempt.end,
            End::Failed(String::from("no answer within 500ms"))
        );
    }
}

#[tokio::test]
async fn a_relay_that_speaks_no_tls_is_trouble() {
    let server = Scripted::start([good()]).await;

    let attempt = one(
        server.url(RelaySecurity::ImplicitTls),
        RelayOptions::default(),
    )
    .await;

    assert_eq!(attempt.stage, Stage::Tls, "{attempt}");
    assert_eq!(classify(&attempt), AttemptOutcome::RelayTrouble);
}

#[tokio::test]
async fn a_password_is_accepted_by_plain_and_by_login() {
    let login = on("EHLO", say("250-relay.example.com\r\n250 AUTH LOGIN"))
        .on("AUTH", say("334 VXNlcm5hbWU6"))
        .on("OTHER", say("334 UGFzc3dvcmQ6"))
        .on("OTHER", say("235 welcome"));
    for script in [good(), login] {
        let server = Scripted::start([script]).await;

        let url = with_password(server.url(RelaySecurity::Plaintext));
        let attempt = one(url, RelayOptions::default()).await;

        assert_eq!(classify(&attempt), AttemptOutcome::Delivered, "{attempt}");
        assert_eq!(server.heard().count("AUTH"), 1);
    }
}

#[tokio::test]
async fn a_password_is_never_sent_in_the_clear_but_to_this_machine_itself() {
    let server = Scripted::start([good()]).await;
    let mut url = with_password(server.url(RelaySecurity::Plaintext));
    // The same machine by an address that is not its loopback address (RFC 4291 §2.5.3 has one).
    url.host = String::from("::ffff:127.0.0.1");

    let attempt = one(url, RelayOptions::default()).await;

    assert_eq!(attempt.stage, Stage::Auth, "{attempt}");
    assert!(matches!(&attempt.end, End::Unfit(why) if why.contains("only sent over TLS")));
    assert_eq!(classify(&attempt), AttemptOutcome::RelayRefusesUs);
    assert_eq!(server.heard().count("AUTH"), 0);
}

#[tokio::test]
async fn a_refused_password_is_judged_by_its_code() {
    let rows = [
        (say("535 5.7.8 wrong"), AttemptOutcome::RelayRefusesUs),
        (say("534 5.7.9 too weak"), AttemptOutcome::RelayRefusesUs),
        (
            say("530 5.7.0 STARTTLS first"),
            AttemptOutcome::RelayRefusesUs,
        ),
        (say("454 4.7.0 later"), AttemptOutcome::RelayTrouble),
        (say("421 busy"), AttemptOutcome::RelayTrouble),
        (say("250 ok"), AttemptOutcome::RelayTrouble),
        (say("334 ?"), AttemptOutcome::RelayTrouble),
        (say("garbage"), AttemptOutcome::RelayTrouble),
        (close(), AttemptOutcome::RelayTrouble),
    ];
    for (act, verdict) in rows {
        let server = Scripted::start([on("AUTH", act)]).await;

        let url = with_password(server.url(RelaySecurity::Plaintext));
        let attempt = one(url, RelayOptions::default()).await;

        assert_eq!(attempt.stage, Stage::Auth, "{attempt}");
        assert_eq!(classify(&attempt), verdict, "{attempt}");
        assert_eq!(server.heard().count("MAIL"), 0);
        assert!(!format!("{attempt:?}").contains("notes-Pa55"));
    }
}

#[tokio::test]
async fn a_hang_at_auth_ends_in_its_time() {
    let server = Scripted::start([on("AUTH", Act::Hang)]).await;

    let attempt = one(with_password(server.url(RelaySecurity::Plaintext)), hasty()).await;

    assert_eq!(attempt.stage, Stage::Auth);
    assert_eq!(
        attempt.end,
        End::Failed(String::from("no answer within 500ms"))
    );
}

#[tokio::test]
async fn auth_that_is_not_offered_is_unfit() {
    let server = Scripted::start([on("EHLO", say("250 relay.example.com"))]).await;

    let url = with_password(server.url(RelaySecurity::Plaintext));
    let attempt = one(url, RelayOptions::default()).await;

    assert_eq!(attempt.stage, Stage::Auth);
    assert!(matches!(attempt.end, End::Unfit(_)));
    assert_eq!(classify(&attempt), AttemptOutcome::RelayRefusesUs);
}

#[tokio::test]
async fn set_up_names_what_is_wrong() {
    let url = || RelayUrl {
        host: String::from("relay.example.com"),
        port: 465,
        security: RelaySecurity::ImplicitTls,
        credentials: None,
    };
    let new = |url, options| Relay::new(url, options).err().unwrap();
    let empty = NamedTempFile::new().unwrap();
    let gone = RelayOptions {
        ca_file: Some(PathBuf::from("gone.pem")),
        ..RelayOptions::default()
    };
    let hello = RelayOptions {
        hello_name: String::from("a\r\nb"),
        ..RelayOptions::default()
    };
    let host = RelayUrl {
        host: String::from("a b"),
        ..url()
    };

    assert!(matches!(
        new(url(), trusting(&empty)),
        RelayError::CaFile { .. }
    ));
    assert!(matches!(new(url(), gone), RelayError::CaFile { .. }));
    assert!(matches!(new(url(), hello), RelayError::HelloName(_)));
    assert!(matches!(
        new(host, RelayOptions::default()),
        RelayError::Host(_)
    ));
}

#[tokio::test]
async fn an_inspection_tells_the_certificate_the_address_and_the_login() {
    for security in BOTH {
        let (server, ca_file) = tls_server(good(), security).await;
        let url = with_password(server.url(security));
        let relay = Relay::new(url, trusting(&ca_file)).unwrap();

        let found = relay.inspect(None).await.unwrap();

        let shown = CertificateDer::from_pem_file(ca_file.path()).unwrap();
        assert_eq!(found.certificate, Some(shown.to_vec()));
        assert!(found.logged_in);
        assert!(found.address.ip().is_loopback());
        assert_eq!(server.heard().count("MAIL"), 0);
    }
}

#[tokio::test]
async fn an_inspection_in_the_clear_has_no_certificate_to_tell() {
    let (server, _) = tls_server(good(), RelaySecurity::Plaintext).await;
    let url = server.url(RelaySecurity::Plaintext);
    let relay = Relay::new(url, RelayOptions::default()).unwrap();

    let found = relay.inspect(None).await.unwrap();

    assert_eq!(found.certificate, None);
    assert!(!found.logged_in);
}
