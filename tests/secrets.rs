//! After a full run with the real programs, no file that they wrote holds a secret.
//!
//! Codes are short, so how they are searched for matters. In files of the database the columns of
//! a row stand side by side without anything between them: there six digits count wherever
//! they are. In logs a code counts only where no digit stands before or after it, and the one
//! place with six digits of its own, the fraction of a second of a line's time (`.123456Z`), is
//! passed over. What remains (six digits within a random id) meets one of the codes in about one
//! run of ten thousand. The tests at the end show that the search finds what is there.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Answer, Person, Place, Processes, wrong};

/// What must not be found anywhere.
#[derive(Default)]
struct Secrets {
    codes: Vec<String>,
    /// Tokens, challenges and passwords: long enough to be searched for as they are.
    others: Vec<String>,
    /// Addresses, which may stand in the database but not in a log.
    addresses: Vec<String>,
}

impl Secrets {
    fn person(&mut self, person: &Person) {
        self.others.push(person.password.clone());
        self.addresses.push(person.email.to_lowercase());
    }

    fn answer(&mut self, answer: &Answer, field: &str) -> String {
        let secret = answer.field(field);
        self.others.push(secret.clone());
        secret
    }
}

/// Where a code stands in a file of that name.
fn code_in(name: &str, bytes: &[u8], code: &str) -> Option<usize> {
    let digit = |at: Option<&u8>| at.is_some_and(u8::is_ascii_digit);
    positions(bytes, code.as_bytes()).find(|&at| {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        let after = bytes.get(at + code.len());
        let fraction_of_a_second = before == Some(&b'.') && after == Some(&b'Z');
        let part_of_a_number = digit(before) || digit(after);
        !is_log(name) || !(part_of_a_number || fraction_of_a_second)
    })
}

fn positions<'a>(bytes: &'a [u8], sought: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    bytes
        .windows(sought.len())
        .enumerate()
        .filter_map(move |(at, window)| (window == sought).then_some(at))
}

/// The bytes that a text of hex digits stands for.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// Everything of the secrets that stands in some bytes, with what stands around it.
fn found(name: &str, bytes: &[u8], secrets: &Secrets) -> Vec<String> {
    let around = |at: usize| {
        let context = &bytes[at.saturating_sub(60)..bytes.len().min(at + 70)];
        format!(
            "{name}: {}",
            String::from_utf8_lossy(context).escape_debug()
        )
    };
    let mut found: Vec<usize> = secrets
        .codes
        .iter()
        .filter_map(|code| code_in(name, bytes, code))
        .collect();
    for secret in &secrets.others {
        found.extend(positions(bytes, secret.as_bytes()).next());
        if let Some(raw) = unhex(secret) {
            found.extend(positions(bytes, &raw).next());
        }
    }
    if is_log(name) {
        let lower = bytes.to_ascii_lowercase();
        for address in &secrets.addresses {
            found.extend(positions(&lower, address.as_bytes()).next());
        }
    }
    found.into_iter().map(around).collect()
}

fn is_log(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|extension| extension == "log")
}

/// Every file of a place by its name. No connection of this process may be open on the database:
/// closing a file gives up its locks.
fn files(place: &Place) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(place.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(&path).unwrap())
        })
        .collect()
}

fn assert_clean(place: &Place, secrets: &Secrets, expected: &[&str]) {
    let files = files(place);
    for name in expected {
        assert!(
            files.get(*name).is_some_and(|file| !file.is_empty()),
            "{name}: {:?}",
            files.keys()
        );
    }
    for (name, bytes) in &files {
        assert_eq!(found(name, bytes, secrets), Vec::<String>::new());
    }
}

/// Uses every route in every way that has a secret in it.
async fn full_run(app: &Processes) -> Secrets {
    let client = app.client();
    let mut secrets = Secrets::default();
    let people = ["ada", "bob", "eve"]
        .map(|name| Person::new(name).password(&format!("the password of {name}")));
    let [ada, bob, eve] = &people;

    for person in &people {
        secrets.person(person);
        let challenge = secrets.answer(&client.register(person).await, "challenge");
        let code = app.code(person, 1).await;
        client.verify(person, &wrong(&code)).await;
        client.verify_with(person, &wrong(&code), &challenge).await;
        client.resend_with(&person.email, &challenge).await;
        assert_eq!(app.code(person, 2).await, code);
        secrets.codes.extend([wrong(&code), code]);
    }
    for (person, n) in [(ada, 1), (bob, 3)] {
        let code = &secrets.codes[n];
        assert_eq!(client.verify(person, code).await.status, 200);
        assert_eq!(client.verify(person, code).await.status, 400);
    }
    // `eve` never verifies; her code stays alive.
    assert_eq!(client.login("eve", &eve.password).await.status, 403);
    for login in ["ada", "ADA@example.com", "bob"] {
        let password = if login == "bob" {
            &bob.password
        } else {
            &ada.password
        };
        secrets.answer(&client.login(login, password).await, "token");
    }
    let decoy = Person::new("mal")
        .at("Ada@Example.com")
        .password("the password of mal");
    secrets.person(&decoy);
    let challenge = secrets.answer(&client.register(&decoy).await, "challenge");
    client.verify_with(&decoy, "314159", &challenge).await;
    app.mail(ada, 3).await;
    by_code(app, &mut secrets, bob).await;
    account(app, &mut secrets, ada).await;
    refused(app, &mut secrets).await;
    app.settled().await;
    secrets
}

/// Logging in with codes, short and long.
async fn by_code(app: &Processes, secrets: &mut Secrets, bob: &Person) {
    let client = app.client();
    client.request_code_login(&bob.email).await;
    let code = app.code(bob, 3).await;
    let opened = client.login_by_code(&bob.email, &code).await;
    secrets.answer(&opened, "token");
    secrets.codes.push(code);
    client.request_code_login(&bob.email).await;
    let code = app.code(bob, 4).await;
    for _ in 0..50 {
        client.login_by_code(&bob.email, &wrong(&code)).await;
    }
    secrets.codes.extend([wrong(&code), code]);
    client.request_code_login(&bob.email).await;
    let code = app.code(bob, 5).await;
    assert_eq!(code.len(), 12);
    let typed = code.to_lowercase();
    let opened = client.login_by_code(&bob.email, &typed).await;
    secrets.answer(&opened, "token");
    secrets.others.extend([typed, code]);
}

/// Everything that somebody who is logged in does, and who forgot the password: each code, token and password of it.
async fn account(app: &Processes, secrets: &mut Secrets, ada: &Person) {
    let client = app.client();
    let new = ada.clone().at("ada.next@example.com");
    let passwords = ["the second of ada", "the third of ada"];
    secrets.others.extend(passwords.map(str::to_owned));
    secrets.person(&new);
    client.request_reset(&ada.email).await;
    let code = app.code(ada, 4).await;
    client.reset(&ada.email, &wrong(&code), passwords[0]).await;
    let reset = client.reset(&ada.email, &code, passwords[0]).await;
    assert_eq!(reset.status, 200, "{}", reset.shown());
    secrets.codes.extend([wrong(&code), code]);
    let login = client.login(&ada.email, passwords[0]).await;
    let session = client.bearing(&secrets.answer(&login, "token"));
    session
        .change_password("a wrong password of ada", passwords[0])
        .await;
    session.change_password(passwords[0], passwords[1]).await;
    session.request_email(&new.email, passwords[1]).await;
    let code = app.code(&new, 1).await;
    assert_eq!(session.confirm_email(&code).await.status, 200);
    secrets.codes.push(code);
    assert_eq!(session.get("/api/auth/export/").await.status, 200);
    session.request_deletion().await;
    let code = app.code(&new, 2).await;
    assert_eq!(session.delete_account(&code).await.status, 204);
    secrets.codes.push(code);
}

/// Requests that are refused, each with something in it that must not be written down either.
async fn refused(app: &Processes, secrets: &mut Secrets) {
    let client = app.client();
    let wrong = "a wrong password of ada";
    secrets.others.push(wrong.to_owned());
    client.login("ada@example.com", wrong).await;
    client
        .login("nobody@example.com\nINFO forged=\"true\"", wrong)
        .await;
    secrets.addresses.push("nobody@example.com".to_owned());
    let short = Person::new("zoe").password("sesame!");
    secrets.person(&short);
    client.register(&short).await;
    let mut form = short.password("a long but different one").form();
    form["confirm_password"] = json!("another one");
    client.post("/api/auth/register/", &form).await;
    secrets.others.push("a long but different one".to_owned());
    let token = "0123456789abcdef0123456789abcdef01234567";
    secrets.others.push(token.to_owned());
    client
        .with("Authorization", &format!("Token {token}"))
        .get("/nope?token=secretintheurl")
        .await;
    secrets.others.push("secretintheurl".to_owned());
    client
        .post_raw(
            "/api/auth/login/",
            "application/json",
            format!("{{\"password\":\"{wrong}\""),
        )
        .await;
}

/// Runs everything at the loudest level; returns what must not be found, and where it could be.
async fn run(format: &str) -> (Secrets, Place) {
    let app = Processes::with()
        .set("SMART_NOTES__LOG__LEVEL", "trace")
        .set("SMART_NOTES__ACCOUNTS__OTP_LOGIN", "true")
        .set("SMART_NOTES__OTP__MAX_TRIES", "50")
        .set("SMART_NOTES__LOG__FORMAT", format)
        .start()
        .await;
    let secrets = full_run(&app).await;
    for mail in app.inbox().all() {
        let text = mail.text().unwrap().as_bytes();
        let in_mail = !found("a mail", text, &secrets).is_empty();
        assert_eq!(
            in_mail,
            mail.code().is_some(),
            "the search finds a code in a mail"
        );
    }
    // A backup, as SQLite writes one.
    let backup = app.place().path().join("backup.db");
    let mut rows = app.rows().await;
    rows.run(&format!("vacuum into '{}'", backup.display()))
        .await;
    rows.close().await;
    // While they run the newest rows stand in the -wal; after their end all stand in the file.
    assert_clean(
        app.place(),
        &secrets,
        &[
            "backup.db",
            "notes.db",
            "notes.db-wal",
            "notes.db-shm",
            "api0.log",
            "worker.log",
        ],
    );
    let place = app.finish().await;
    assert_clean(&place, &secrets, &["notes.db", "api0.log", "worker.log"]);
    (secrets, place)
}

/// OWASP ASVS 5.0 6.5.2, 16.2.5, 16.4.1.
#[tokio::test]
async fn no_file_holds_a_secret_and_no_line_of_text_is_forged() {
    let (_, place) = run("text").await;

    for name in ["api0.log", "worker.log"] {
        let log = std::fs::read_to_string(place.path().join(name)).unwrap();
        assert!(log.lines().all(|line| line.starts_with("20")), "{log}");
        assert!(
            log.contains("request.id=") && !log.contains("forged"),
            "{log}"
        );
    }
    let worker = std::fs::read_to_string(place.path().join("worker.log")).unwrap();
    assert!(worker.contains("a•••@example.com"), "{worker}");
}

/// OWASP ASVS 5.0 6.5.2, 16.2.5, 16.4.1.
#[tokio::test]
async fn no_file_holds_a_secret_and_every_line_of_json_is_one_object() {
    let (_, place) = run("json").await;

    for name in ["api0.log", "worker.log"] {
        let log = std::fs::read_to_string(place.path().join(name)).unwrap();
        let lines: Vec<Value> = log
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert!(lines.iter().all(Value::is_object) && !lines.is_empty());
    }
}

/// That the search can fail: a secret that is written is found, in the database and in a log.
#[tokio::test]
async fn a_secret_that_is_written_down_is_found() {
    let place = Place::new();
    runtime::database::migrate(&place.settings()).await.unwrap();
    let mut rows = crate::support::Rows::open(&place.database()).await;
    let token = "89abcdef0123456789abcdef0123456789abcdef";
    rows.run("create table leaks (leak)").await;
    rows.run(&format!(
        "insert into leaks values ('1271828' || '0'), (x'{token}'), ('ada@example.com')"
    ))
    .await;
    rows.close().await;
    let secrets = Secrets {
        codes: vec!["271828".to_owned(), "161803".to_owned()],
        others: vec![token.to_owned()],
        addresses: vec!["ada@example.com".to_owned()],
    };

    assert_eq!(
        found("notes.db", &files(&place)["notes.db"], &secrets).len(),
        2
    );
    let log = b"2026-01-01T00:00:00.161803Z INFO to ADA@example.com: 161803";
    assert_eq!(found("api.log", log, &secrets).len(), 2);
}

#[test]
fn in_a_log_a_code_is_found_only_by_itself() {
    let found = |name, text: &str| code_in(name, text.as_bytes(), "123456").is_some();

    for text in [
        "123456",
        "otp=123456,",
        "\"123456\"",
        ".123456 Z",
        "a123456b",
    ] {
        assert!(found("api.log", text), "{text}");
    }
    for text in [
        "1800000123456000",
        "0123456",
        "2026-01-01T00:00:00.123456Z",
        "12345",
    ] {
        assert!(!found("api.log", text), "{text}");
    }
    assert!(found("notes.db-wal", "1800000123456000"));
}
