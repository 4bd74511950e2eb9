//! `smart-notes import-django` on a database that Django made (`fixtures/make_django_db.py` says who is in it).

use serde_json::json;

use crate::support::Place;

const DJANGO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/django.sqlite3");
const ALICES_TOKEN: &str = "a11cea11cea11cea11cea11cea11cea11cea11ce";

/// Done, but somebody is left out or renamed.
const INCOMPLETE: i32 = 3;

/// The bytes of the database. No connection may be open, so that they are all in one file.
fn bytes(place: &Place) -> Vec<u8> {
    assert!(!place.path("notes.db-wal").exists());
    std::fs::read(place.path("notes.db")).unwrap()
}

fn import(place: &Place) {
    let answer = place.run(&["import-django", DJANGO, "--apply"]);
    assert_eq!(answer.code, INCOMPLETE, "{answer:?}");
}

#[test]
fn a_dry_run_shows_the_same_and_writes_nothing() {
    let place = Place::new();
    let (before, source) = (bytes(&place), std::fs::read(DJANGO).unwrap());

    let mut dry = place.run(&["import-django", DJANGO, "--json"]).json();
    let untouched = bytes(&place);
    let applied = place.run(&["import-django", DJANGO, "--json", "--apply"]);

    assert!(untouched == before);
    assert!(std::fs::read(DJANGO).unwrap() == source);
    assert_eq!(applied.code, INCOMPLETE);
    dry["applied"] = json!(true);
    assert_eq!(dry, applied.json());
}

#[test]
fn users_that_collide_are_listed_with_the_reason() {
    let place = Place::new();

    let report = place.run(&["import-django", DJANGO, "--json"]).json();

    let rows = |list: &str, keys: &[&str]| -> Vec<Vec<serde_json::Value>> {
        let rows = report[list].as_array().unwrap().iter();
        rows.map(|row| keys.iter().map(|key| row[key].clone()).collect())
            .collect()
    };
    assert_eq!(
        json!(rows("left_out", &["id", "because", "of"])),
        json!([
            [7, "email_taken", 8],
            [9, "name_taken", 3],
            [12, "disabled", null],
            [13, "email_taken", 2],
            [14, "email_invalid", null],
            [17, "email_taken", 4],
        ])
    );
    assert_eq!(
        json!(rows("renamed", &["id", "from", "to"])),
        json!([[6, "Alice", "Alice_6"], [15, "judy the 1st", "user_15"]])
    );
    assert_eq!(report["registrations"], json!([4, 16]));
    assert_eq!(report["without_password"], json!([10, 11]));
    assert_eq!(report["tokens_ended"], json!([5, 16]));
    assert_eq!(report["users"], json!(9));
}

#[test]
fn the_report_for_people_masks_addresses_unless_asked() {
    let place = Place::new();

    let masked = place.run(&["import-django", DJANGO]).out;
    let revealed = place.run(&["import-django", DJANGO, "--reveal"]).out;

    assert!(masked.contains("e•••@example.com") && !masked.contains("erin@example.com"));
    assert!(masked.contains("nothing was written"), "{masked}");
    assert!(revealed.contains("erin@example.com"), "{revealed}");
}

/// OWASP ASVS 5.0 11.4.2: the old hash checks the old password once and becomes argon2id.
#[tokio::test]
async fn old_passwords_and_old_tokens_are_good_at_the_api() {
    let place = Place::new();
    import(&place);
    let kind = || place.run(&["users", "show", "alice", "--json"]).json()["password"].clone();
    let before = kind();
    let api = place.api().await;

    let (by_token, me) = api.me(ALICES_TOKEN).await;
    let (wrong, _) = api.login("alice", "example-alice-pass ").await;
    let (by_password, login) = api.login("alice", "example-alice-pass").await;
    let (again, _) = api.login("ALICE@example.com", "example-alice-pass").await;
    let (by_address, _) = api
        .login("bob.builder@example.com", "example-bob-pass")
        .await;

    assert_eq!((by_token, &me["username"]), (200, &json!("alice")));
    assert_eq!(
        (wrong, by_password, again, by_address),
        (400, 200, 200, 200)
    );
    assert_eq!(login["user_id"], 2);
    assert_eq!(login["email"], "alice@example.com");
    assert_eq!(before, "pbkdf2_sha256, imported");
    assert_eq!(kind(), "argon2id");
}

#[tokio::test]
async fn who_was_shut_out_or_unverified_stays_so() {
    let place = Place::new();
    import(&place);
    let api = place.api().await;

    let (daves_token, _) = api.me(&"da5e0".repeat(8)).await;
    let (dave, _) = api.login("dave", "example-dave-pass").await;
    let (carol, _) = api.login("carol", "example-carol-pass").await;
    let (kates_token, _) = api.me(&"0ca7e".repeat(8)).await;
    let (frank, _) = api.login("frank", "").await;
    let (franks_token, _) = api.me(&"f4a0c".repeat(8)).await;
    let (grace, _) = api.login("grace", "example-grace-pass").await;
    let (twin, _) = api.login("alice_6", "example-alice2-pass").await;
    let (twins_token, _) = api.me(&"a11c2".repeat(8)).await;

    assert_eq!((daves_token, dave), (401, 400));
    assert_eq!((carol, kates_token), (403, 401));
    assert_eq!((frank, franks_token, grace), (400, 200, 400));
    assert_eq!((twin, twins_token), (200, 200));
}

#[tokio::test]
async fn an_unverified_user_gets_a_code_by_asking_again() {
    let place = Place::new();
    import(&place);
    let api = place.api().await;

    let body = json!({"email": "carol@example.com"});
    let (status, _) = api.send("POST", "/api/auth/resend-otp/", &[], &body).await;

    assert_eq!(status, 200);
    let jobs = place.run(&["jobs", "list", "--reveal", "--json"]).json();
    assert_eq!(jobs.as_array().unwrap().len(), 1);
    assert_eq!(jobs[0]["kind"], "verify_email");
    assert_eq!(jobs[0]["to"], "carol@example.com");
}

#[test]
fn a_second_run_changes_nothing() {
    let place = Place::new();
    import(&place);
    let before = bytes(&place);

    let again = place.run(&["import-django", DJANGO, "--apply", "--json"]);

    assert!(bytes(&place) == before);
    assert_eq!(again.json()["users"], 0);
    assert_eq!(again.json()["imported_before"], 11);
}

#[test]
fn a_second_run_brings_back_neither_accounts_nor_sessions() {
    let place = Place::new();
    import(&place);
    place.run(&["users", "logout", "alice"]).ok();
    place.run(&["users", "delete", "erin.two", "--yes"]).ok();

    import(&place);

    let alice = place.run(&["users", "show", "alice", "--json"]).json();
    assert_eq!(alice["sessions"], json!([]));
    place.run(&["users", "show", "8"]).ended(3, "no user `8`");
    place
        .run(&["users", "show", "erin@example.com"])
        .ended(3, "no user");
}

#[test]
fn numbers_are_kept_and_none_is_given_twice() {
    let place = Place::new();
    import(&place);

    let create = [
        "users",
        "create",
        "--username",
        "zoe",
        "--email",
        "zoe@example.com",
        "--json",
    ];
    let zoe = place.run_with(&create, "correct horse staple\n").json();

    let grace = place.run(&["users", "show", "grace", "--json"]).json();
    assert_eq!(grace["id"], 11);
    assert_eq!(grace["created_at"], "2025-03-12T09:30:00.000011Z");
    // 18 was given to somebody who is gone.
    assert_eq!(zoe["id"], 19);
}

#[test]
fn numbers_of_other_users_here_stop_it_before_anything_is_written() {
    let place = Place::new();
    let create = [
        "users",
        "create",
        "--username",
        "zoe",
        "--email",
        "zoe@example.com",
    ];
    place.run_with(&create, "correct horse staple").ok();
    let before = bytes(&place);

    let refused = place.run(&["import-django", DJANGO, "--apply"]);

    refused.failed("1  a•••@example.com there, z•••@example.com here");
    assert!(bytes(&place) == before);
}

#[test]
fn what_is_no_database_of_that_service_is_refused_politely() {
    let place = Place::new();
    std::fs::write(place.path("text"), "no database\n".repeat(99)).unwrap();
    let run = |arguments: &[&str]| place.run(&[&["import-django"], arguments].concat());

    run(&["missing"]).failed("missing can't be opened: No such file");
    run(&["text"]).failed("can't be read as an SQLite database");
    run(&["notes.db"]).failed("holds no table of users");
    run(&[DJANGO, "--table", "nobodys"]).failed("has no table `nobodys`");
    run(&[DJANGO, "--table", "auth_group"]).failed("lacks username, email");
    assert_eq!(run(&[DJANGO, "--apply", "--dry-run"]).code, 2);
}

#[test]
fn the_import_is_recorded_without_an_address() {
    let place = Place::new();
    import(&place);

    let bytes = bytes(&place);

    let holds = |text: &str| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(holds(
        "imported users: 9; of these renamed: 2; sessions: 4; registrations: 2"
    ));
    assert!(!holds(ALICES_TOKEN), "a token is in the database");
    assert!(!holds("squatter"), "who is left out leaves a trace");
}

/// A copy of Django's database after a statement.
async fn altered(place: &Place, statement: &'static str) -> String {
    let path = place.path("altered.sqlite3");
    std::fs::copy(DJANGO, &path).unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::raw_sql(statement)
        .execute(&mut connection)
        .await
        .unwrap();
    sqlx::Connection::close(connection).await.unwrap();
    path.to_str().unwrap().to_owned()
}

/// Numbers are never given twice, so the next user's is higher; and clients read them as floating point.
#[tokio::test]
async fn numbers_that_leave_no_room_for_later_users_are_refused_and_named() {
    let place = Place::new();
    let empty = bytes(&place);

    for (statement, words) in [
        (
            "update accounts_customuser set id = 9223372036854775807 where id = 17",
            "`accounts_customuser` has a user with the number 9223372036854775807, which leaves no room",
        ),
        (
            "update accounts_customuser set id = 4503599627370497 where id = 17",
            "a user with the number 4503599627370497, which leaves no room for later ones: numbers go up to 4503599627370496",
        ),
        (
            "update sqlite_sequence set seq = 9007199254740993 where name = 'accounts_customuser'",
            "numbers of `accounts_customuser` were given up to 9007199254740993, which leaves no room",
        ),
    ] {
        let file = altered(&place, statement).await;

        let answer = place.run(&["import-django", &file, "--apply"]);

        answer.failed(words);
    }
    assert!(bytes(&place) == empty);
    let fits = "update accounts_customuser set id = 4503599627370496 where id = 17";
    let file = altered(&place, fits).await;
    let answer = place.run(&["import-django", &file]);
    assert_eq!(answer.code, INCOMPLETE, "{answer:?}");
}
