//! What relay, database and sender texts mean.

use std::path::{Path, PathBuf};

use secrecy::ExposeSecret as _;
use smart_notes_runtime::settings::{DatabaseUrl, RelaySecurity, RelayUrl, Sender};

fn relay(written: &str) -> RelayUrl {
    written
        .parse()
        .unwrap_or_else(|error| panic!("{written}: {error}"))
}

#[test]
fn the_scheme_decides_protection_and_default_port() {
    for (written, security, port) in [
        ("smtp://mail.example.com", RelaySecurity::StartTls, 587),
        ("smtp://mail.example.com/", RelaySecurity::StartTls, 587),
        ("smtps://mail.example.com", RelaySecurity::ImplicitTls, 465),
        (
            "smtp://mail.example.com?tls=none",
            RelaySecurity::Plaintext,
            25,
        ),
        (
            "smtp://mail.example.com:2525?tls=none",
            RelaySecurity::Plaintext,
            2525,
        ),
        ("SMTP://Mail.Example.com:25", RelaySecurity::StartTls, 25),
    ] {
        let relay = relay(written);

        assert_eq!((relay.security, relay.port), (security, port), "{written}");
        assert_eq!(relay.host, "mail.example.com");
    }
}

#[test]
fn user_and_password_are_percent_decoded() {
    let relay = relay("smtp://a%40example.com:p%40ss%2C%2F%23%3F%25word@mail.example.com");

    let credentials = relay.credentials.unwrap();
    assert_eq!(credentials.user, "a@example.com");
    assert_eq!(credentials.password.expose_secret(), "p@ss,/#?%word");
}

#[test]
fn a_relay_s_url_is_written_without_its_password() {
    for (written, shown) in [
        (
            "smtp://u:p@mail.example.com",
            "smtp://u:***@mail.example.com:587",
        ),
        ("smtps://mail.example.com", "smtps://mail.example.com:465"),
        ("smtp://[::1]?tls=none", "smtp://[::1]:25?tls=none"),
    ] {
        assert_eq!(relay(written).to_string(), shown);
    }
}

#[test]
fn this_machine_is_known_by_name_and_by_address() {
    for here in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.8.8", "[::1]"] {
        assert!(relay(&format!("smtp://{here}")).is_loopback(), "{here}");
    }
    for elsewhere in [
        "mail.example.com",
        "localhost.example.com",
        "192.0.2.1",
        "0.0.0.0",
        "[::2]",
    ] {
        assert!(
            !relay(&format!("smtp://{elsewhere}")).is_loopback(),
            "{elsewhere}"
        );
    }
}

#[test]
fn what_a_relay_s_url_can_t_say_is_refused() {
    for written in [
        "mail.example.com",
        "mail.example.com:587",
        "http://mail.example.com",
        "smtp://",
        "smtp:mail.example.com",
        "smtp://mail.example.com:0",
        "smtp://mail.example.com:70000",
        "smtp://mail.example.com/path",
        "smtp://mail.example.com#fragment",
        "smtp://mail.example.com?tls=required",
        "smtp://mail.example.com?tls=none&tls=none",
        "smtp://mail.example.com?timeout=5",
        "smtps://mail.example.com?tls=none",
        "smtp://user@mail.example.com",
        "smtp://:password@mail.example.com",
        "smtp://user:%ff@mail.example.com",
        "smtp://mail example.com",
        "smtp://postfächer.example.com",
    ] {
        assert!(written.parse::<RelayUrl>().is_err(), "{written}");
    }
}

#[test]
fn two_slashes_are_relative_and_three_absolute() {
    let path = |written: &str| {
        let DatabaseUrl::Sqlite { path } = written.parse().unwrap();
        path
    };
    let odd = PathBuf::from("/srv/my notes%.db");

    assert_eq!(path("sqlite://var/notes.db"), PathBuf::from("var/notes.db"));
    assert_eq!(
        path("sqlite:///srv/notes.db"),
        PathBuf::from("/srv/notes.db")
    );
    assert_eq!(path("sqlite:///srv/my%20notes%25.db"), odd);
    let again = DatabaseUrl::Sqlite { path: odd }.to_string();
    assert_eq!(again, "sqlite:///srv/my%20notes%25.db");
    let here: DatabaseUrl = "sqlite://notes.db".parse().unwrap();
    assert_eq!(here.directory(), Path::new("."));
}

#[test]
fn what_is_no_database_file_is_refused() {
    for written in [
        "",
        "notes.db",
        "sqlite:notes.db",
        "sqlite://",
        "sqlite:///srv/",
        "mysql://x/y",
    ] {
        assert!(written.parse::<DatabaseUrl>().is_err(), "{written}");
    }
}

#[test]
fn a_sender_is_a_name_and_an_address_or_the_address_alone() {
    let named: Sender = "Smart Notes <no-reply@example.com>".parse().unwrap();
    let quoted: Sender = "\"Notes, Smart\" <no-reply@example.com>".parse().unwrap();
    let bare: Sender = "no-reply@example.com".parse().unwrap();

    assert_eq!(named.name.as_deref(), Some("Smart Notes"));
    assert_eq!(quoted.name.as_deref(), Some("Notes, Smart"));
    assert_eq!(bare.name, None);
    assert_eq!(bare.domain(), "example.com");
    for written in [
        "",
        "x",
        "@example.com",
        "a@",
        "a@b@example.com",
        "N <a@example.com",
        "N a@example.com>",
        "a b@example.com",
    ] {
        assert!(written.parse::<Sender>().is_err(), "{written}");
    }
}
