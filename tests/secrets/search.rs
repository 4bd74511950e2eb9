//! The search for secrets in files.
//!
//! Codes are short, so how they are searched for matters. In files of the database the columns of
//! a row stand side by side without anything between them: there six digits count wherever
//! they are. In logs a code counts only where no digit stands before or after it, and the one
//! place with six digits of its own, the fraction of a second of a line's time (`.123456Z`), is
//! passed over. What remains (six digits within a random id) meets one of the codes in about one
//! run of ten thousand. The tests at the end show that the search finds what is there.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::{Answer, Person, Place};

/// What must not be found anywhere.
#[derive(Default)]
pub struct Secrets {
    pub codes: Vec<String>,
    /// Tokens, challenges and passwords: long enough to be searched for as they are.
    pub others: Vec<String>,
    /// Addresses, which may stand in the database but not in a log.
    pub addresses: Vec<String>,
}

impl Secrets {
    pub fn person(&mut self, person: &Person) {
        self.others.push(person.password.clone());
        self.addresses.push(person.email.to_lowercase());
    }

    pub fn answer(&mut self, answer: &Answer, field: &str) -> String {
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
pub fn found(name: &str, bytes: &[u8], secrets: &Secrets) -> Vec<String> {
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

pub fn assert_clean(place: &Place, secrets: &Secrets, expected: &[&str]) {
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
    let secrets = Secrets {
        others: vec!["an example of a secret".to_owned(), "5257a8".repeat(10)],
        ..Secrets::default()
    };
    let log = format!(
        r#"{{"authorization": "Bearer an example of a secret", "stripe-signature": "t=1,v1={}"}}"#,
        "5257a8".repeat(10)
    );
    assert_eq!(found("api.log", log.as_bytes(), &secrets).len(), 2);
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
