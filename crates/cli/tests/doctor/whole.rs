//! The report as a whole: when all is well, for people and for programs.

use domain::vitals::ProcessKind;
use jiff::Timestamp;

use super::place::{KEY, Place, Services};
use super::relay::Relay;

#[tokio::test]
async fn a_system_that_runs_is_well() {
    let place = Place::new().await;
    let services = Services::start(&place).await;

    let said = place.doctor("").await;
    let (code, json) = place.json("").await;
    services.stop().await;

    assert_eq!((said.code, code), (0, 0), "{}{}", said.out, said.err);
    assert!(said.out.ends_with("\nAll is well.\n"), "{}", said.out);
    assert_eq!(said.err, "", "nothing is drawn where nobody looks");
    for words in [
        "they fit together (development)",
        "notes.db is whole (quick_check)",
        "its schema is that of this program",
        "its files are their owner's alone",
        "it opens as the services open it: SQLite 3.",
        "after everything that was written",
        "1 API runs",
        "1 worker runs",
        "the last heartbeat of a worker was",
        "every process signs with the key",
        "the key in the settings is one they sign with",
        "no mail is under way",
        "would take mail: in clear text, without a login",
    ] {
        said.is_well(words);
    }
    assert_eq!(json["healthy"], true);
    assert_eq!(
        (&json["problems"], &json["warnings"]),
        (&0.into(), &0.into())
    );
    let groups: Vec<&str> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["group"].as_str().unwrap())
        .collect();
    for group in [
        "settings",
        "payments",
        "database",
        "clock",
        "processes",
        "keys",
        "queue",
        "relays",
    ] {
        assert!(groups.contains(&group), "{group}");
    }
}

#[tokio::test]
async fn looking_changes_nothing_and_makes_no_key() {
    let place = Place::new().await.without("SECRET_KEY");
    let before = place.files();

    let said = place.doctor("").await;

    assert!(said.about("secret_key is not set").contains('–'));
    assert_eq!(before, ["notes.db"]);
    assert_eq!(place.files(), before);
    assert_eq!(place.catcher.inbox().accepted(), 0);
}

#[tokio::test]
async fn no_secret_is_shown() {
    let relay = Relay::plain("235 2.7.0 welcome").await;
    let url = format!("smtp://notes:a-relays-passw0rd@{}?tls=none", relay.address);
    let place = Place::new()
        .await
        .with("SMART_NOTES__SMTP__RELAYS", &url)
        .with(
            "SMART_NOTES__PAYMENTS__STRIPE_SECRET",
            "whsec_a-signing-passw0rd",
        )
        .with(
            "SMART_NOTES__PAYMENTS__REVENUECAT_SECRET",
            "a-header-as-passw0rd",
        );
    place
        .announces(ProcessKind::Api, &[KEY], Timestamp::now())
        .await;

    let said = place.doctor("").await;
    let (_, json) = place.json("").await;

    said.about("notes:***@");
    for shown in [said.out, said.err, json.to_string()] {
        assert!(
            !shown.contains("passw0rd") && !shown.contains(KEY),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn wrong_use_is_answered_with_2() {
    let place = Place::new().await;

    for arguments in ["--jason", "--nameserver nowhere", "now"] {
        let said = place.doctor(arguments).await;

        assert_eq!(
            (said.code, said.out.as_str()),
            (2, ""),
            "{arguments}: {}",
            said.err
        );
    }
}

/// A laptop on which nothing runs is no fault; a machine that serves people and does not, is one.
#[tokio::test]
async fn that_nothing_runs_must_be_mended_in_production_alone() {
    let laptop = Place::new().await;

    let development = laptop.doctor("").await;
    let production = laptop.in_production().doctor("").await;

    development.is_worth_a_look("no API runs", "systemctl start smart-notes-api");
    development.is_worth_a_look("no worker runs", "systemctl start smart-notes-worker");
    production.must_be_mended("no API runs", "systemctl start smart-notes-api");
    production.must_be_mended("no worker runs", "systemctl start smart-notes-worker");
}
