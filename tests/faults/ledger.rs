//! Two ledgers: what the API answered, and what the relay took.
//!
//! Both are on disk before anybody relies on them: an answer before the client goes on, a mail
//! before its 250. [`crate::checker`] holds the database against them.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;
use ulid::Ulid;

use crate::support::Answer;
use crate::world::PATIENCE;

/// What a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Register,
    Resend,
    Verify,
    Login,
    RequestReset,
    Reset,
    RequestDeletion,
    Delete,
}

/// A request that was sent, and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    pub step: Step,
    /// Whose account it is about.
    pub email: String,
    pub sent: Timestamp,
    /// None: the connection ended before the whole answer came, so that anything may have happened.
    pub answer: Option<Answered>,
}

/// An answer, with what a checker needs of it.
#[derive(Clone, Debug, Serialize)]
pub struct Answered {
    pub status: u16,
    pub request_id: String,
    pub retry_after: String,
}

impl Answered {
    /// What a checker needs of an answer.
    pub fn of(answer: &Answer) -> Self {
        Self {
            status: answer.status,
            request_id: answer.header("x-request-id").to_owned(),
            retry_after: answer.header("retry-after").to_owned(),
        }
    }
}

impl Entry {
    /// The answer's status, if there was one.
    pub fn status(&self) -> Option<u16> {
        self.answer.as_ref().map(|answer| answer.status)
    }

    /// The request's id, if it was answered with success.
    pub fn granted(&self) -> Option<&str> {
        let answer = self.answer.as_ref()?;
        (200..300)
            .contains(&answer.status)
            .then_some(answer.request_id.as_str())
    }
}

/// The ledger of requests. One line of JSON each in `answers.jsonl`.
pub struct Ledger {
    file: Mutex<File>,
    entries: Mutex<Vec<Entry>>,
    /// How many requests were sent and how many are over, together.
    moves: watch::Sender<usize>,
}

impl Ledger {
    /// An empty ledger in a folder.
    pub fn open(folder: &Path) -> Self {
        Self {
            file: Mutex::new(File::create_new(folder.join("answers.jsonl")).unwrap()),
            entries: Mutex::default(),
            moves: watch::Sender::new(0),
        }
    }

    /// Notes that a request leaves.
    pub fn sent(&self) -> Timestamp {
        self.moves.send_modify(|moves| *moves += 1);
        Timestamp::now()
    }

    /// Notes what came of it.
    pub fn over(&self, step: Step, email: &str, sent: Timestamp, answer: Option<Answered>) {
        let entry = Entry {
            step,
            email: email.to_owned(),
            sent,
            answer,
        };
        let line = serde_json::to_string(&entry).unwrap() + "\n";
        self.file
            .lock()
            .unwrap()
            .write_all(line.as_bytes())
            .unwrap();
        self.entries.lock().unwrap().push(entry);
        self.moves.send_modify(|moves| *moves += 1);
    }

    /// Tells of every request that leaves or comes to its end.
    pub fn moves(&self) -> watch::Receiver<usize> {
        self.moves.subscribe()
    }

    /// Everything so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap().clone()
    }

    /// How many requests were answered so far with that status.
    pub fn count(&self, status: u16) -> usize {
        let entries = self.entries.lock().unwrap();
        let such = entries.iter().filter(|one| one.status() == Some(status));
        such.count()
    }

    /// Waits until so many more requests have left or come to their end.
    pub async fn moves_on(&self, by: usize) {
        let mut moves = self.moves.subscribe();
        let wanted = *moves.borrow_and_update() + by;
        let gone_on = moves.wait_for(|moves| *moves >= wanted);
        let gone_on = tokio::time::timeout(PATIENCE, gone_on).await;
        gone_on.expect("requests go on").unwrap();
    }

    /// Waits until so many more requests were answered with that status.
    pub async fn more(&self, status: u16, by: usize) {
        let mut moves = self.moves.subscribe();
        let wanted = self.count(status) + by;
        let counted = moves.wait_for(|_| self.count(status) >= wanted);
        let counted = tokio::time::timeout(PATIENCE, counted).await;
        counted
            .unwrap_or_else(|_| panic!("no {by} more answers {status}"))
            .unwrap();
    }
}

/// A mail that the relay kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The local part of its Message-ID: our id of it.
    pub id: String,
    pub to: String,
    /// When the relay kept it.
    pub at: Timestamp,
}

/// The ledger of mails: the catcher's archive, in the order of arrival.
pub fn kept(archive: &Path) -> Vec<Kept> {
    let mut files: Vec<_> = std::fs::read_dir(archive)
        .unwrap()
        .map(|file| file.unwrap().path())
        // What is not complete yet was not answered 250 either.
        .filter(|path| path.extension().is_some_and(|ending| ending == "eml"))
        .collect();
    files.sort();
    files.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Kept {
    let name = path.file_stem().unwrap().to_str().unwrap();
    let arrived = Ulid::from_string(name).unwrap().timestamp_ms();
    let mail = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    let field = |field: &str| {
        let mut lines = mail.lines().take_while(|line| !line.is_empty());
        let value = lines.find_map(|line| line.strip_prefix(field));
        value.unwrap_or_default().trim().to_owned()
    };
    let message = field("Message-ID:");
    let (id, _) = message.split_once('@').unwrap_or((&message, ""));
    Kept {
        id: id.trim_start_matches('<').to_owned(),
        to: field("X-Envelope-To:"),
        at: Timestamp::from_millisecond(i64::try_from(arrived).unwrap()).unwrap(),
    }
}
