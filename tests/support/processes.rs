//! The real programs on one database: as many APIs as asked for, and a worker.

use std::net::SocketAddr;
use std::sync::Arc;

use devmail::{Catcher, Config, Faults, Inbox, Mail, Stage};
use tokio::process::Command;

use super::{API, Client, PATIENCE, Person, Place, Process, Rows, until, worker};

/// A running API.
pub struct Api {
    /// The program.
    pub process: Process,
    /// A client of it.
    pub client: Client,
}

/// The running programs. A test ends with [`Processes::finish`].
pub struct Processes {
    /// The APIs; most tests have one.
    pub apis: Vec<Api>,
    /// The worker.
    pub worker: Process,
    catcher: Catcher,
    place: Place,
}

/// What is not the default.
pub struct Builder {
    place: Place,
    apis: usize,
}

impl Builder {
    /// Sets a variable of the environment of all programs.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.place.set(name, value);
        self
    }

    /// Puts the limits in force, as they are by default.
    pub fn limited(self) -> Self {
        self.set("SMART_NOTES__LIMITS__ENABLED", "true")
    }

    /// Starts so many APIs.
    pub fn apis(mut self, apis: usize) -> Self {
        self.apis = apis;
        self
    }

    /// Starts everything and waits until it is ready.
    pub async fn start(mut self) -> Processes {
        let catcher = Catcher::start(Config::default()).await.unwrap();
        let relay = format!("smtp://{}?tls=none", catcher.smtp_addr());
        self.place.set("SMART_NOTES__SMTP__RELAYS", &relay);
        let settings = self.place.settings();
        runtime::database::migrate(&settings).await.unwrap();
        let mut apis = Vec::new();
        for n in 0..self.apis {
            apis.push(Api::start(&self.place, &format!("api{n}")).await);
        }
        let mut worker = Process::start(worker(), "worker", &self.place);
        worker.logged("the worker is running").await;
        Processes {
            apis,
            worker,
            catcher,
            place: self.place,
        }
    }
}

impl Api {
    /// Starts an API and waits until it is ready.
    pub async fn start(place: &Place, name: &str) -> Self {
        Self::start_command(Command::new(API), place, name).await
    }

    /// The same for a command that starts the API in its own way.
    pub async fn start_command(command: Command, place: &Place, name: &str) -> Self {
        let mut process = Process::start_command(command, name, place);
        let line = process.logged("API listening").await;
        let client = Client::new(address(&line));
        let ready = client.get("/health/ready").await;
        assert_eq!(ready.status, 200, "{}", ready.shown());
        Self { process, client }
    }
}

/// The address in a line of the log, as text or as JSON.
pub fn address(line: &str) -> SocketAddr {
    let (_, rest) = line.split_once("127.0.0.1:").expect("an address");
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()))
}

impl Processes {
    /// One API and one worker.
    pub async fn start() -> Self {
        Self::with().start().await
    }

    /// Programs with other settings.
    pub fn with() -> Builder {
        Builder {
            place: Place::new(),
            apis: 1,
        }
    }

    /// A client of the first API.
    pub fn client(&self) -> &Client {
        &self.apis[0].client
    }

    /// The place of the database and the logs.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The same, to change what programs started later are told.
    pub fn place_mut(&mut self) -> &mut Place {
        &mut self.place
    }

    /// The relay, as the worker names it.
    pub fn relay(&self) -> String {
        self.catcher.smtp_addr().to_string()
    }

    /// Waits for the next mail to come to a stage of its way into the relay.
    pub fn stage(&self, stage: Stage) -> impl Future<Output = ()> {
        self.catcher.stages().next(stage)
    }

    /// The caught mails.
    pub fn inbox(&self) -> &Inbox {
        self.catcher.inbox()
    }

    /// What the relay suffers from.
    pub fn faults(&self) -> &Faults {
        self.catcher.faults()
    }

    /// The n-th mail (from 1) to somebody.
    pub async fn mail(&self, person: &Person, n: usize) -> Arc<Mail> {
        let mail = self.inbox().wait_for(&person.email, n, PATIENCE).await;
        mail.unwrap_or_else(|error| panic!("{error}"))
    }

    /// The code in the n-th mail (from 1) to somebody.
    pub async fn code(&self, person: &Person, n: usize) -> String {
        self.mail(person, n).await.code().expect("a code")
    }

    /// Every row.
    pub async fn rows(&self) -> Rows {
        Rows::open(&self.place.database()).await
    }

    /// Waits until no mail is under way.
    pub async fn settled(&self) {
        let mut rows = self.rows().await;
        until("no mail is under way", async || {
            let under_way = "select count(*) from mails
                             where state in ('queued', 'sending', 'waiting')";
            (rows.number(under_way).await == 0).then_some(())
        })
        .await;
        rows.close().await;
    }

    /// Ends the test: no mail is left over, all programs end in good order, and the rows are sound.
    pub async fn finish(mut self) -> Place {
        self.settled().await;
        let apis = self.apis.iter_mut().map(|api| &mut api.process);
        for process in apis.chain([&mut self.worker]) {
            process.terminate();
            let status = process.ended().await;
            assert!(status.success(), "{status}: {}", process.log());
        }
        let mut rows = self.rows().await;
        rows.assert_sound().await;
        rows.close().await;
        self.place
    }
}
