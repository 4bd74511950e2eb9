//! The report as a whole: when all is well, for people and for programs.

use domain::processes::ProcessKind;
use jiff::Timestamp;

use super::place::{KEY, Place, Services};
use super::relay::Relay;

#[tokio::test]
async fn a_system_that_runs_is_ok() {
    let place = Place::new().await;
    let services = Services::start(&place).await;

    let said = place.doctor("").await;
    let (code, json) = place.json("").await;
    services.stop().await;

    assert_eq!((said.code, code), (0, 0), "{}{}", said.out, said.err);
    assert!(said.out.ends_with("\nNo problems.\n"), "{}", said.out);
    assert_eq!(said.err, "", "nothing is drawn where nobody looks");
    for words in [
        "valid for development",
        "notes.db passes quick_check",
        "its schema is up to date",
        "only their owner can access its files",
        "it opens with the services' options: SQLite 3.",
        "later than every stored time",
        "1 API running",
        "1 worker running",
        "the last worker heartbeat was",
        "every process signs with the key",
        "the key in the settings is in use",
        "no mail is pending",
        "would accept mail: in clear text, without a login",
    ] {
        said.is_ok(words);
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
async fn the_checks_change_nothing_and_create_no_key() {
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

/// It neither runs nor sends heartbeats, and that has one cause and one fix.
#[tokio::test]
async fn a_dead_worker_is_one_finding() {
    let (place, now) = (Place::new().await, Timestamp::now());
    let died = now - jiff::SignedDuration::from_mins(5);
    place.announces(ProcessKind::Worker, &[KEY], died).await;
    place.announces(ProcessKind::Api, &[KEY], now).await;

    let said = place.doctor("").await;
    let (_, json) = place.json("").await;

    said.is_a_warning(
        "no worker is running on this database; worker-of-a-test was last seen 5 min ago",
        "systemctl start smart-notes-worker",
    );
    let findings = json["findings"].as_array().unwrap().iter();
    let about = findings.filter(|one| one["level"] != "ok" && one["group"] == "processes");
    assert_eq!(about.count(), 1, "{json:#}");
}

#[tokio::test]
async fn a_killed_process_is_a_warning_while_another_of_its_kind_runs() {
    let (place, now) = (Place::new().await, Timestamp::now());
    let died = now - jiff::SignedDuration::from_mins(5);
    place.announces(ProcessKind::Worker, &[KEY], died).await;
    place.announces(ProcessKind::Api, &[KEY], now).await;
    place
        .announces_as("another-worker", ProcessKind::Worker, &[KEY], now, None)
        .await;

    let said = place.doctor("").await;

    said.is_a_warning(
        "worker-of-a-test was last seen 5 min ago without a clean shutdown",
        "its row expires after a day",
    );
}

/// On a developer's machine nothing has to run; a server on which nothing runs has a problem.
#[tokio::test]
async fn missing_processes_are_problems_only_in_production() {
    let laptop = Place::new().await;

    let development = laptop.doctor("").await;
    let production = laptop.in_production().doctor("").await;

    development.is_a_warning("no API is running", "systemctl start smart-notes-api");
    development.is_a_warning("no worker is running", "systemctl start smart-notes-worker");
    production.is_a_problem("no API is running", "systemctl start smart-notes-api");
    production.is_a_problem("no worker is running", "systemctl start smart-notes-worker");
}
