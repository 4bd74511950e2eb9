//! `mail why` and `mail unsuppress`.

use devmail::{Fault, Stage};

use super::{Scene, refused};

/// What `mail why` says of an address.
fn why(scene: &Scene, address: &str) -> String {
    scene.prints(&["mail", "why", address])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_after_greylisting_is_explained_attempt_by_attempt() {
    let scene = Scene::new().await;
    let later = Fault::reply(Stage::Rcpt, 450, "4.2.0 Greylisted, come back");
    scene.relay.faults().add(later.times(2));
    let id = scene.mail_to("ada", "ada@example.com").await;
    for tries in 1..=2 {
        while scene.reaches(&id, "waiting").await["tries"]
            .as_array()
            .unwrap()
            .len()
            < tries
        {}
        scene.prints(&["jobs", "retry", &id]);
    }
    scene.reaches(&id, "delivered").await;

    let told = why(&scene, " ADA@Example.com ");
    let json = scene.json(&["mail", "why", "ada@example.com", "--json"]);

    for words in [
        "Mail to A•••@Example.com. Times are in UTC",
        "A registration of ",
        "A verification code was requested at ",
        "said \"try again later\" twice, at ",
        "`450 4.2.0 Greylisted, come back`",
        "accepted it on the third attempt at ",
        "Whether it reached the inbox can't be seen from here",
    ] {
        assert!(told.contains(words), "no `{words}` in\n{told}");
    }
    assert!(!told.to_lowercase().contains("ada@"), "{told}");
    assert_eq!(json["mails"][0]["id"], id);
    assert_eq!(json["mails"][0]["tries"].as_array().unwrap().len(), 3);
    let first = json["mails"][0]["sentences"][0].as_str().unwrap();
    assert!(told.contains(first), "the same sentences: {first}");
    scene.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_address_is_suppressed_and_explained_until_the_suppression_is_lifted() {
    let scene = Scene::new().await;
    let first = scene.mail_to("eve", "eve@bounce.test").await;
    scene.reaches(&first, "undeliverable").await;
    let second = scene.mail_to("eve", "Eve@Bounce.test").await;
    let suppressed = scene.reaches(&second, "undeliverable").await;

    let told = why(&scene, "EVE@bounce.test");
    let lifted = scene.prints(&["mail", "unsuppress", "eve@BOUNCE.test"]);
    let again = scene.run(&["mail", "unsuppress", "eve@bounce.test"]);
    scene.prints(&["jobs", "retry", &second]);
    let tried = scene.reaches(&second, "undeliverable").await;

    for words in [
        "The address is suppressed: at ",
        "permanently refused the address, for mail ",
        &first,
        "`550 5.1.1 No such mailbox (bounce.test is always refused)`",
        "To send to it again: smart-notes mail unsuppress ADDRESS",
        "It ended as undeliverable at ",
        "It is undeliverable.",
    ] {
        assert!(told.contains(words), "no `{words}` in\n{told}");
    }
    assert_eq!(suppressed["tries"], serde_json::json!([]));
    assert!(
        lifted.starts_with("e•••@BOUNCE.test is no longer suppressed"),
        "{lifted}"
    );
    assert!(
        refused(&again, 3).contains("is not suppressed"),
        "{again:?}"
    );
    assert_eq!(tried["tries"][0]["outcome"], "recipient_refused");
    scene.finish().await;
}

/// Nobody may learn from the API what a relay said of an address.
#[tokio::test(flavor = "multi_thread")]
async fn the_api_answers_for_a_suppressed_address_as_for_any_other() {
    let scene = Scene::new().await;
    let first = scene.mail_to("eve", "eve@bounce.test").await;
    scene.reaches(&first, "undeliverable").await;
    let shape = |(status, mut body): (u16, serde_json::Value)| {
        body["challenge"] = serde_json::Value::Null;
        body["email"] = serde_json::Value::Null;
        (status, body)
    };

    let suppressed = shape(scene.registers("eve", "eve@bounce.test").await);
    let other = shape(scene.registers("ada", "ada@example.com").await);

    assert_eq!(suppressed, other);
    scene.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_was_down_explains_the_delay() {
    let scene = Scene::new().await;
    scene.relay.faults().add(Fault::cut(Stage::Connect));
    let id = scene.mail_to("ada", "ada@example.com").await;
    while scene.mail(&id)["tries"].as_array().unwrap().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }

    let during = why(&scene, "ada@example.com");
    scene.relay.faults().clear();
    scene.reaches(&id, "delivered").await;
    let after = why(&scene, "ada@example.com");

    for words in [
        "failed ",
        "at the stage `greeting`",
        "does not use up an attempt",
    ] {
        assert!(during.contains(words), "no `{words}` in\n{during}");
        assert!(after.contains(words), "no `{words}` in\n{after}");
    }
    assert!(after.contains("accepted it at "), "{after}");
    scene.finish().await;
}

/// Three failures within half a minute: from then on nothing is claimed, and whoever asks is told for what.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_no_relay_takes_says_that_it_waits_for_one() {
    let scene = Scene::new().await;
    scene.relay.faults().add(Fault::cut(Stage::Connect));
    for name in ["ada", "bob", "eve"] {
        scene.mail_to(name, &format!("{name}@example.com")).await;
    }
    let mut stats = scene.json(&["jobs", "stats", "--json"]);
    while stats["relays"][0]["breaker"] != "open" {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        stats = scene.json(&["jobs", "stats", "--json"]);
    }
    let late = scene.mail_to("fay", "fay@example.com").await;

    let mail = scene.mail(&late);
    let told = [
        scene.prints(&["jobs", "list"]),
        scene.prints(&["jobs", "show", &late]),
        scene.prints(&["jobs", "stats"]),
        why(&scene, "fay@example.com"),
    ];
    scene.relay.faults().clear();
    scene.reaches(&late, "delivered").await;

    let relay = scene.relay.smtp_addr().to_string();
    assert_eq!(stats["relays"][0]["relay"], relay);
    assert_eq!(mail["tries"], serde_json::json!([]), "nobody claims it");
    assert!(
        mail["held"]
            .as_str()
            .unwrap()
            .starts_with("no relay works: "),
        "{mail:#}"
    );
    let expected = format!("{relay} has been failing since ");
    for text in told {
        assert!(text.contains(&expected), "{text}");
    }
    scene.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_without_mail_is_explained() {
    let scene = Scene::quiet().await;

    let told = why(&scene, "nobody@example.com");

    assert!(
        told.contains("No mail to this address is on record."),
        "{told}"
    );
    assert!(
        told.contains("No registration of it is on record"),
        "{told}"
    );
    let wrong = scene.run(&["mail", "why", "not-an-address"]);
    assert_eq!(wrong.code, 1, "{wrong:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_a_limit_refused_is_explained_with_the_limit() {
    let scene = Scene::quiet().await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(scene.registers("ada", "ada@example.com").await.0);
    }
    assert_eq!(statuses, [201, 201, 201, 429]);

    let told = why(&scene, "ada@example.com");

    assert!(
        told.contains("the limit live-attempts refused a request for it"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_and_a_second_registration_are_distinguished() {
    let scene = Scene::new().await;
    let code = scene.mail_to("ada", "ada@example.com").await;
    scene.reaches(&code, "delivered").await;
    scene.prints(&["users", "verify", "ada@example.com"]);
    let notice = scene.mail_to("eve", "ada@example.com").await;
    scene.reaches(&notice, "delivered").await;
    scene.registers("fay", "ada@example.com").await;

    let told = why(&scene, "ada@example.com");

    assert!(
        told.contains("The address belongs to user 1, created at"),
        "{told}"
    );
    assert!(
        told.contains("A notice that the address already has an account was requested"),
        "{told}"
    );
    assert_eq!(
        told.matches("it was registered although it has an account")
            .count(),
        2,
        "{told}"
    );
    scene.finish().await;
}

/// Whoever has the secret key can still be told of what is kept under the pseudonym alone.
#[tokio::test(flavor = "multi_thread")]
async fn the_mails_of_a_deleted_account_are_found_by_its_address() {
    let scene = Scene::new().await;
    let code = scene.mail_to("ada", "ada@example.com").await;
    scene.reaches(&code, "delivered").await;
    scene.prints(&["users", "verify", "ada@example.com"]);
    scene.prints(&["users", "delete", "ada", "--yes"]);
    let mails = scene.json(&["jobs", "list", "--kind", "account_deleted", "--json"]);
    scene
        .reaches(mails[0]["id"].as_str().unwrap(), "delivered")
        .await;

    let told = why(&scene, "ada@example.com");
    let shown = scene.prints(&["jobs", "show", &code]);

    assert!(
        told.contains("A notice that the account was deleted was requested at"),
        "{told}"
    );
    assert!(
        told.contains("A verification code was requested at"),
        "{told}"
    );
    assert!(!told.contains("belongs to user"), "{told}");
    assert!(
        shown.starts_with(&format!("mail {code}: verify_email to (forgotten)")),
        "{shown}"
    );
    scene.finish().await;
}

/// No code is in the database, so none can be told; the story must not contain one by another way either.
#[tokio::test(flavor = "multi_thread")]
async fn no_command_tells_a_code() {
    let scene = Scene::new().await;
    let id = scene.mail_to("ada", "ada@example.com").await;
    scene.reaches(&id, "delivered").await;
    let mails = scene.relay.inbox().to("ada@example.com");
    let text = String::from_utf8_lossy(&mails[0].raw).into_owned();
    let code = text.split("code is: ").nth(1).unwrap();
    let code: String = code.chars().take_while(char::is_ascii_digit).collect();
    assert_eq!(code.len(), 6);

    for command in [
        vec!["jobs", "list", "--reveal", "--json"],
        vec!["jobs", "show", &id, "--reveal"],
        vec!["jobs", "show", &id, "--reveal", "--json"],
        vec!["mail", "why", "ada@example.com", "--reveal"],
    ] {
        let printed = scene.prints(&command);
        // Six digits may stand in a time by chance, but not between two words.
        let alone = printed
            .split(|c: char| !c.is_ascii_alphanumeric() && !"-:.".contains(c))
            .any(|word| word == code);
        assert!(!alone, "{command:?}: {printed}");
    }
    scene.finish().await;
}
