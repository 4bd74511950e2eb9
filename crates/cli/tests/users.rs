//! `smart-notes users`, and what a client of the API sees of it.

use domain::id::UserId;
use runtime::database::{Database, Role};
use runtime::printable::is_unsafe;
use runtime::shutdown::Shutdown;
use serde_json::{Value, json};

use crate::support::{Answer, Api, Place};

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

async fn register(api: &Api, name: &str, email: &str, client: &str) {
    let body = json!({
        "username": name, "email": email, "password": PASSWORD, "confirm_password": PASSWORD,
    });
    let client = [format!("X-Forwarded-For: {client}")];
    let answer = api
        .send("POST", "/api/auth/register/", &client, &body)
        .await;
    assert_eq!(answer.0, 201, "{answer:?}");
}

#[tokio::test]
async fn a_user_that_was_made_here_logs_in_at_once() {
    let place = Place::new();

    let made = create(&place, "ada").ok();

    assert_eq!(made.out, "created user 1 (ada, a•••@example.com)\n");
    let (status, login) = place.api().await.login("ada", PASSWORD).await;
    assert_eq!((status, &login["user_id"]), (200, &json!(1)));
    assert_eq!(
        recorded(&place, "ada"),
        ["logged_in: ", "admin: made the user"]
    );
}

#[tokio::test]
async fn a_password_can_come_from_a_file_and_is_not_trimmed() {
    let place = Place::new();
    std::fs::write(place.path("password"), "  two spaces \r\n").unwrap();

    let arguments = ["--username", "ada", "--email", "ada@example.com"];
    let file = ["users", "create", "--password-file", "password"];
    place.run(&[&file[..], &arguments].concat()).ok();

    let api = place.api().await;
    assert_eq!(api.login("ada", "  two spaces ").await.0, 200);
    assert_eq!(api.login("ada", "two spaces").await.0, 400);
}

/// OWASP ASVS 5.0 6.2.4, 6.2.11: the rules of the API hold here as well.
#[test]
fn what_the_api_would_refuse_is_refused() {
    let place = Place::new();
    create(&place, "ada").ok();
    let run = |name: &str, email: &str, password: &str| {
        let arguments = ["users", "create", "--username", name, "--email", email];
        place.run_with(&arguments, password)
    };

    run("bob", "bob@example.com", "short").failed("too short");
    run("bob", "bob@example.com", "password123").failed("too common");
    run("barnaby", "bob@example.com", "barnaby1").failed("too similar to the username");
    run("a b", "bob@example.com", PASSWORD).failed("`a b` is not a valid username");
    run("bob", "bob", PASSWORD).failed("`bob` is not a valid address");
    run("ＡＤＡ", "bob@example.com", PASSWORD).ended(4, "choose another one");
    run("bob", "ADA@example.com", PASSWORD).ended(4, "users show ADA@example.com");
    run("bob", "bob@example.com", "").failed("too short");
}

#[test]
fn users_are_listed_in_pages_and_by_parts_of_name_and_address() {
    let place = Place::new();
    for name in ["ada", "bob", "adam"] {
        create(&place, name).ok();
    }
    let list = |arguments: &[&str]| {
        let all = [&["users", "list", "--json"], arguments].concat();
        let page = place.run(&all).ok().json();
        let names = page["users"].as_array().unwrap().iter();
        let names: Vec<_> = names.map(|user| user["username"].clone()).collect();
        (json!(names), page["next"].clone())
    };

    assert_eq!(list(&["--limit", "2"]), (json!(["ada", "bob"]), json!(2)));
    assert_eq!(list(&["--after", "2"]), (json!(["adam"]), json!(null)));
    assert_eq!(list(&["--name", "ADA"]).0, json!(["ada", "adam"]));
    assert_eq!(list(&["--email", "Bob@"]).0, json!(["bob"]));
    assert_eq!(list(&["--email", "%"]).0, json!([]));
    let table = place.run(&["users", "list"]).ok().out;
    assert!(table.contains("a•••@example.com") && !table.contains("ada@example.com"));
    let table = place.run(&["users", "list", "--reveal"]).ok().out;
    assert!(table.contains("ada@example.com"));
}

#[tokio::test]
async fn a_registration_is_verified_without_its_code() {
    let place = Place::new();
    let api = place.api().await;
    register(&api, "ada", "Ada@example.com", "192.0.2.1").await;

    let answer = place.run(&["users", "verify", "ada@example.com"]).ok();

    assert_eq!(answer.out, "a•••@example.com is verified: user 1\n");
    assert_eq!(api.login("ada", PASSWORD).await.0, 200);
    assert!(recorded(&place, "1").contains(&"admin: verified the address".to_owned()));
    place
        .run(&["users", "verify", "ada@example.com"])
        .ended(4, "already verified: user 1");
    place
        .run(&["users", "verify", "bob@example.com"])
        .ended(3, "have it registered again");
}

/// A stranger who registers somebody's address must not win by asking last.
#[tokio::test]
async fn of_several_clients_registrations_none_is_verified_unless_it_is_named() {
    let place = Place::new();
    let api = place.api().await;
    register(&api, "ada", "ada@example.com", "192.0.2.1").await;
    register(&api, "mallory", "ada@example.com", "198.51.100.9").await;

    let refused = place.run(&["users", "verify", "ada@example.com"]);
    let named = ["users", "verify", "ada@example.com", "--username", "ADA"];
    place.run(&named).ok();

    refused.ended(3, "pass it with --username");
    assert_eq!(show(&place, "ada@example.com")["username"], "ada");
}

/// OWASP ASVS 5.0 7.4.2.
#[tokio::test]
async fn a_disabled_user_is_out_at_once_and_its_sessions_stay_ended() {
    let place = Place::new();
    create(&place, "ada").ok();
    let api = place.api().await;
    let token = api.login("ada", PASSWORD).await.1["token"].clone();
    let token = token.as_str().unwrap();

    place.run(&["users", "disable", "ada"]).ok();
    let (login, me) = (api.login("ada", PASSWORD).await.0, api.me(token).await.0);
    let again = place.run(&["users", "disable", "1"]).ok();
    place.run(&["users", "enable", "ada@example.com"]).ok();

    assert_eq!((login, me), (400, 401));
    assert!(again.out.contains("is already disabled"), "{again:?}");
    assert_eq!(api.me(token).await.0, 401);
    assert_eq!(api.login("ada", PASSWORD).await.0, 200);
    let recorded = recorded(&place, "ada");
    assert_eq!(
        recorded
            .iter()
            .filter(|text| text.starts_with("admin"))
            .collect::<Vec<_>>(),
        [
            "admin: enabled the user",
            "admin: disabled the user; sessions ended: 1",
            "admin: made the user",
        ]
    );
}

/// OWASP ASVS 5.0 7.4.5.
#[tokio::test]
async fn a_logout_ends_every_session() {
    let place = Place::new();
    create(&place, "ada").ok();
    let api = place.api().await;
    let token = api.login("ada", PASSWORD).await.1["token"].clone();
    api.login("ada", PASSWORD).await;

    let answer = place.run(&["users", "logout", "ada"]).ok();

    assert!(answer.out.ends_with("sessions ended: 2\n"), "{answer:?}");
    assert_eq!(api.me(token.as_str().unwrap()).await.0, 401);
    assert_eq!(show(&place, "ada")["sessions"], json!([]));
}

#[test]
fn a_confirmed_deletion_frees_name_and_address_and_mails_a_notice() {
    let place = Place::new();
    create(&place, "ada").ok();

    place
        .run(&["users", "delete", "ada"])
        .failed("Confirm with --yes");
    place.run(&["users", "delete", "ada", "--yes"]).ok();

    let jobs = place.run(&["jobs", "list", "--json", "--reveal"]).json();
    assert_eq!(jobs[0]["kind"], "account_deleted");
    assert_eq!(jobs[0]["to"], "ada@example.com");
    place
        .run(&["users", "show", "ada"])
        .ended(3, "no user `ada`");
    assert_eq!(
        create(&place, "ada").ok().out,
        "created user 2 (ada, a•••@example.com)\n"
    );
}

/// OWASP ASVS 5.0 16.2.1: what is recorded outlives the user, without the address.
#[tokio::test]
async fn a_deletion_is_recorded_with_the_operator_and_without_the_address() {
    let place = Place::new();
    create(&place, "ada").ok();
    place.run(&["users", "delete", "ada", "--yes"]).ok();

    let database = Database::open(&place.settings(), Role::Tool, &Shutdown::new()).await;
    let database = database.unwrap();
    let mut reader = database.store.reader().await.unwrap();
    let records = reader.records(UserId(1), None, 10).await.unwrap();

    let [admin, deleted, made] = records.as_slice() else {
        panic!("{records:?}")
    };
    assert_eq!(admin.detail.as_deref(), Some("deleted the account"));
    let agent = admin.user_agent.as_deref().unwrap();
    assert!(agent.ends_with("(an-operator)"), "{agent}");
    assert_eq!(deleted.event, "deleted");
    assert_eq!(made.user_agent, None);
}

#[test]
fn a_name_that_is_another_users_number_is_not_guessed_at() {
    let place = Place::new();
    create(&place, "ada").ok();
    create(&place, "1").ok();

    place
        .run(&["users", "delete", "1", "--yes"])
        .ended(3, "pass the email address instead");
    assert_eq!(show(&place, "1@example.com")["id"], 2);
}

/// OWASP ASVS 5.0 16.2.1: who did it.
#[test]
fn a_record_names_the_operator() {
    let place = Place::new();
    create(&place, "ada").ok();

    let record = show(&place, "ada")["records"][0].clone();

    assert_eq!(record["event"], "admin");
    let agent = record["user_agent"].as_str().unwrap();
    assert!(
        agent.starts_with("smart-notes/") && agent.ends_with("(an-operator)"),
        "{agent}"
    );
}

/// CWE-150: what a client calls itself is printed as text, whatever a terminal would do for it.
#[tokio::test]
async fn what_a_client_calls_itself_moves_no_cursor_and_turns_no_text() {
    let place = Place::new();
    create(&place, "ada").ok();
    let agent = "a\u{9b}2J\u{202e}b\u{2066}\u{200f}";
    let header = [format!("User-Agent: {agent}")];
    let body = json!({"login": "ada", "password": PASSWORD});
    let login = place
        .api()
        .await
        .send("POST", "/api/auth/login/", &header, &body)
        .await;
    assert_eq!(login.0, 200, "{login:?}");

    let shown = place.run(&["users", "show", "ada"]).ok().out;
    let json = place.run(&["users", "show", "ada", "--json"]).ok();

    let unsafe_left = |c: &char| *c != '\n' && is_unsafe(*c);
    assert_eq!(shown.chars().find(unsafe_left), None, "{shown:?}");
    assert!(shown.contains("a\\u009b2J\\u202eb"), "{shown}");
    assert_eq!(json.out.chars().find(unsafe_left), None, "{json:?}");
    assert_eq!(json.json()["sessions"][0]["user_agent"], agent);
}

#[tokio::test]
async fn what_an_operator_names_is_escaped_in_the_error() {
    let place = Place::new();

    let answer = place.run(&["users", "show", "\u{1b}[2Jnobody\u{202e}"]);

    assert!(answer.err.contains("\\u001b[2Jnobody\\u202e"), "{answer:?}");
}

#[tokio::test]
async fn the_bytes_of_a_users_notes_are_shown_with_their_limit() {
    let place = Place::new();
    create(&place, "ada").ok();

    let shown = place.run(&["users", "show", "ada"]).ok().out;

    assert!(
        shown.contains("\n  storage   0 of 33554432 bytes\n"),
        "{shown}"
    );
    let storage = show(&place, "ada")["storage"].take();
    assert_eq!(storage, json!({"used": 0, "limit": 33_554_432}));
}
