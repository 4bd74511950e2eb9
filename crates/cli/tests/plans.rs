//! `smart-notes users set-plan`, and where a plan is shown.

use domain::id::UserId;
use domain::payments::{Event, Fact, Products, ReceiveEvent, Says, Until};
use domain::plans::Source;
use runtime::database::{Database, Role};
use runtime::shutdown::Shutdown;
use serde_json::{Value, json};

use crate::support::{Answer, Place};

const PASSWORD: &str = "correct horse staple";

fn create(place: &Place, name: &str) -> Answer {
    let email = format!("{name}@example.com");
    let arguments = ["users", "create", "--username", name, "--email", &email];
    place.run_with(&arguments, &format!("{PASSWORD}\n"))
}

fn show(place: &Place, user: &str) -> Value {
    place.run(&["users", "show", user, "--json"]).ok().json()
}

/// What was recorded of a user, newest first.
fn recorded(place: &Place, user: &str) -> Vec<String> {
    let records = show(place, user)["records"].take();
    let text = |record: &Value| {
        format!(
            "{}: {}",
            record["event"].as_str().unwrap(),
            record["detail"].as_str().unwrap_or_default()
        )
    };
    records.as_array().unwrap().iter().map(text).collect()
}

#[test]
fn a_plan_is_set_to_the_end_of_a_day_to_a_second_or_without_end_and_taken_back() {
    let place = Place::new();
    create(&place, "ada").ok();
    let set = |plan: &[&str]| {
        let all = [&["users", "set-plan", "ada"], plan].concat();
        place.run(&all).ok().out
    };
    let ada = "user 1 (ada, a•••@example.com) is";

    let day = set(&["premium", "--until", "2099-12-31"]);
    assert_eq!(
        day,
        format!("{ada} on premium until 2099-12-31 23:59:59Z, granted by operator\n")
    );
    let second = set(&["premium", "--until", "2099-12-31T12:00:00+02:00"]);
    assert_eq!(
        second,
        format!("{ada} on premium until 2099-12-31 10:00:00Z, granted by operator\n")
    );
    let endless = set(&["premium"]);
    assert_eq!(
        endless,
        format!("{ada} on premium without an end date, granted by operator\n")
    );
    let shown = show(&place, "ada");
    assert_eq!(
        (&shown["plan"], &shown["premium_until"]),
        (&json!("premium"), &json!(null))
    );
    assert_eq!(shown["grants"][0]["source"], "operator");
    assert_eq!(shown["notes"], json!({"used": 0, "limit": null}));
    assert_eq!(set(&["free"]), format!("{ada} on the free plan\n"));
    assert_eq!(set(&["free"]), format!("{ada} on the free plan\n"));
    assert_eq!(show(&place, "ada")["grants"], json!([]));
    assert_eq!(
        recorded(&place, "ada"),
        [
            "admin: took premium back",
            "admin: granted premium without end",
            "admin: granted premium until 2099-12-31T10:00:00Z",
            "admin: granted premium until 2099-12-31T23:59:59Z",
            "admin: made the user",
        ]
    );
}

#[tokio::test]
async fn a_client_sees_the_plan_that_was_set_at_once() {
    let place = Place::new();
    create(&place, "ada").ok();
    let api = place.api().await;
    let token = api.login("ada", PASSWORD).await.1["token"].clone();
    let token = token.as_str().unwrap();
    let plan = async || api.me(token).await.1["plan"].clone();

    let before = plan().await;
    place.run(&["users", "set-plan", "1", "premium"]).ok();
    let during = plan().await;
    place.run(&["users", "set-plan", "1", "free"]).ok();

    assert_eq!([before, during, plan().await], ["free", "premium", "free"]);
}

/// What a payment service has granted is not the operator's to take back: it would be granted again with its next event.
#[tokio::test]
async fn what_a_payment_service_has_granted_stays_and_is_named() {
    let place = Place::new();
    create(&place, "ada").ok();
    grant_by_stripe(&place, UserId(1)).await;

    let free = place.run(&["users", "set-plan", "ada", "free"]).ok();
    let arguments = [
        "users",
        "set-plan",
        "ada",
        "premium",
        "--until",
        "2098-01-01",
        "--json",
    ];
    let both = place.run(&arguments).ok().json();
    let table = place.run(&["users", "show", "ada"]).ok().out;

    assert_eq!(
        free.out,
        "user 1 (ada, a•••@example.com) is still on premium until 2099-01-01 00:00:00Z, granted by stripe\n"
    );
    assert_eq!(both["premium_until"], "2099-01-01T00:00:00Z");
    let sources: Vec<_> = both["grants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["source"])
        .collect();
    assert_eq!(sources, ["operator", "stripe"]);
    assert!(
        table.contains("plan      premium until 2099-01-01 00:00:00Z\n"),
        "{table}"
    );
    assert!(table.contains("notes     0\n"), "{table}");
    assert!(
        table.contains("grant     operator, until 2098-01-01 23:59:59Z, granted "),
        "{table}"
    );
    assert!(
        table.contains("grant     stripe, until 2099-01-01 00:00:00Z, granted "),
        "{table}"
    );
}

/// Grants premium as an event of Stripe does.
async fn grant_by_stripe(place: &Place, user: UserId) {
    let database = Database::open(&place.settings(), Role::Tool, &Shutdown::new()).await;
    let database = database.unwrap();
    let event = |id: &str, names: &[String], says| ReceiveEvent {
        event: Event {
            fact: Fact {
                id: id.to_owned(),
                names: names.to_vec(),
                transaction: Some("sub_1".to_owned()),
                says,
                ..Fact::default()
            },
            ..Event::unreadable(Source::Stripe, b"")
        },
        accept_tests: false,
        products: Products::default(),
        now: "2026-01-01T00:00:00Z".parse().unwrap(),
    };
    let until = "2099-01-01T00:00:00Z".parse().unwrap();
    for event in [
        event("evt_1", &[user.to_string()], Says::Owner),
        event("evt_2", &[], Says::Paid(Until::Time(until))),
    ] {
        database.store.write(event).await.unwrap();
    }
    database.close().await;
}

#[test]
fn a_plan_that_can_not_be_meant_is_refused_by_its_name() {
    let place = Place::new();
    create(&place, "ada").ok();
    let set = |plan: &[&str]| place.run(&[&["users", "set-plan", "ada"], plan].concat());

    set(&["premium", "--until", "2020-02-29"]).failed("--until 2020-02-29 is in the past");
    set(&["premium", "--until", "2020-02-29T00:00:00Z"]).failed("is in the past");
    set(&["premium", "--until", "2099-02-29"]).failed("`2099-02-29` is neither a date");
    set(&["premium", "--until", "soon"]).failed("`soon` is neither a date");
    set(&["premium", "--until", "2099-01-01T00:00:00"]).failed("is neither a date");
    set(&["free", "--until", "2099-01-01"]).failed("leave --until out");
    place
        .run(&["users", "set-plan", "bob", "premium"])
        .ended(3, "no user `bob`");
    assert_eq!(recorded(&place, "ada"), ["admin: made the user"]);
}
