//! `smart-notes jobs` and `smart-notes mail`, as an operator types them, while a worker delivers to a relay that
//! says no, later, or nothing at all.
//!
//! What all of them share: the API, a worker and a relay around one database.

mod changing;
mod looking;
mod pausing;
mod telling;
mod watching;

use std::sync::Arc;
use std::time::Duration;

use devmail::{Catcher, Config};
use domain::clock::SystemClock;
use runtime::database::{Database, Role};
use runtime::shutdown::Shutdown;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::{Answer, Api, Place};

/// How long a test waits for what must happen before it calls it missing.
const PATIENCE: Duration = Duration::from_mins(1);

/// A database with the API and a relay. A worker comes when it is asked for.
pub struct Scene {
    pub place: Place,
    pub relay: Catcher,
    api: Api,
    worker: Option<(Shutdown, JoinHandle<()>)>,
}

impl Scene {
    /// Without a worker: mails wait.
    pub async fn quiet() -> Self {
        let place = Place::new();
        Self {
            relay: Catcher::start(Config::default()).await.unwrap(),
            api: place.api().await,
            place,
            worker: None,
        }
    }

    /// With a worker.
    pub async fn new() -> Self {
        let mut scene = Self::quiet().await;
        scene.start_worker().await;
        scene
    }

    pub async fn start_worker(&mut self) {
        let relay = format!("smtp://{}?tls=none", self.relay.smtp_addr());
        let settings = self
            .place
            .settings_with(&[("SMART_NOTES__SMTP__RELAYS", &relay)]);
        let end = Shutdown::new();
        let database = Database::open(&settings, Role::Worker, &end).await.unwrap();
        let stop = end.clone();
        let task = tokio::spawn(async move {
            smart_notes_worker::run(&settings, &database, Arc::new(SystemClock), &stop)
                .await
                .unwrap();
            database.close().await;
        });
        self.worker = Some((end, task));
    }

    /// Stops the worker, which must end in good order.
    pub async fn finish(mut self) {
        if let Some((end, task)) = self.worker.take() {
            end.trigger();
            task.await.unwrap();
        }
    }

    /// Registers somebody through the API; answers with status and body.
    pub async fn registers(&self, name: &str, email: &str) -> (u16, Value) {
        let password = "correct horse staple";
        let body = json!({
            "username": name, "email": email, "password": password, "confirm_password": password,
        });
        // Each from an address of its own, so that no client's budget runs out.
        let number = name.bytes().fold(0_u8, u8::wrapping_add);
        let from = format!("X-Forwarded-For: 192.0.2.{number}");
        self.api
            .send("POST", "/api/auth/register/", &[from], &body)
            .await
    }

    /// Registers somebody; answers with the id of the mail.
    pub async fn mail_to(&self, name: &str, email: &str) -> String {
        let (status, body) = self.registers(name, email).await;
        assert_eq!(status, 201, "{body}");
        let mails = self.json(&["jobs", "list", "--to", email, "--json"]);
        mails[0]["id"].as_str().unwrap().to_owned()
    }

    /// What a command answers.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Answer {
        self.place.run(arguments)
    }

    /// What a command prints that must succeed.
    #[track_caller]
    pub fn prints(&self, arguments: &[&str]) -> String {
        self.run(arguments).ok().out
    }

    /// The same as JSON.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        self.run(arguments).ok().json()
    }

    /// One mail, as `jobs show` tells it.
    pub fn mail(&self, id: &str) -> Value {
        self.json(&["jobs", "show", id, "--json"])
    }

    /// Waits until a mail is in that state.
    pub async fn reaches(&self, id: &str, state: &str) -> Value {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let mail = self.mail(id);
            if mail["state"] == state {
                return mail;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "not {state}: {mail:#}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A command that must be refused with that exit code; what it says.
#[track_caller]
pub fn refused(answer: &Answer, code: i32) -> &str {
    assert_eq!(answer.code, code, "{answer:?}");
    assert_eq!(answer.out, "", "{answer:?}");
    &answer.err
}
