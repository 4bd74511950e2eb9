//! A folder with a database, what runs on it, and the doctor who looks at it.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use devmail::{Catcher, Config};
use domain::accounts::CodePolicy;
use domain::accounts::register::{Register, RegisterPolicy};
use domain::audit::Actor;
use domain::client::ClientKey;
use domain::clock::SystemClock;
use domain::email::EmailAddress;
use domain::otp::KeyRing;
use domain::password::PasswordHash;
use domain::processes::{Process, ProcessKind, RecordHeartbeat, RegisterProcess};
use domain::username::Username;
use jiff::Timestamp;
use runtime::database::{self, Database, Role};
use runtime::process_registration::ProcessRegistration;
use runtime::settings::{LoadOptions, Settings};
use runtime::shutdown::Shutdown;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub const KEY: &str = "an example key for tests only and long enough";

/// How long a test waits for what must happen.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A folder of its own for each test, with the variables that programs in it are told.
pub struct Place {
    folder: TempDir,
    variables: Vec<(String, String)>,
    pub catcher: Catcher,
}

/// What the doctor said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// The line that has these words, with the one below it, where the fix is.
    #[track_caller]
    pub fn about(&self, words: &str) -> String {
        let lines: Vec<&str> = self.out.lines().collect();
        let at = lines.iter().position(|line| line.contains(words));
        let at = at.unwrap_or_else(|| panic!("no `{words}` in\n{}{}", self.out, self.err));
        let below = lines.get(at + 1).filter(|line| line.contains('→'));
        format!("{}{}", lines[at], below.unwrap_or(&""))
    }

    /// Asserts that there is a problem with this fix.
    #[track_caller]
    pub fn is_a_problem(&self, words: &str, fix: &str) {
        assert_eq!(self.code, 1, "{}{}", self.out, self.err);
        let line = self.about(words);
        assert!(line.contains('✗') && line.contains(fix), "{line}");
    }

    /// Asserts that there is a warning with this fix, and no problem.
    #[track_caller]
    pub fn is_a_warning(&self, words: &str, fix: &str) {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        let line = self.about(words);
        assert!(line.contains('!') && line.contains(fix), "{line}");
    }

    /// Asserts that something is as it should be.
    #[track_caller]
    pub fn is_ok(&self, words: &str) {
        let line = self.about(words);
        assert!(line.contains('✓'), "{line}");
    }
}

impl Place {
    /// A folder with a migrated database, in development, and a relay that takes mail.
    pub async fn new() -> Self {
        let place = Self::empty().await;
        database::migrate(&place.settings()).await.unwrap();
        place
    }

    /// The same without a database.
    pub async fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let catcher = Catcher::start(Config::default()).await.unwrap();
        let url = format!("sqlite://{}", folder.path().join("notes.db").display());
        let relay = format!("smtp://{}?tls=none", catcher.smtp_addr());
        let place = Self {
            folder,
            catcher,
            variables: Vec::new(),
        };
        place
            .with("SMART_NOTES__DATABASE__URL", &url)
            .with("SMART_NOTES__SMTP__RELAYS", &relay)
            .with("SECRET_KEY", KEY)
    }

    /// Sets a variable.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(other, _)| other != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Takes a variable away.
    pub fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(other, _)| other != name);
        self
    }

    /// Production, with a sender of its own.
    pub fn in_production(self) -> Self {
        self.with("SMART_NOTES__ENV", "production")
            .with("SMART_NOTES__SMTP__FROM", "Notes <no-reply@notes.test>")
    }

    /// A file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The names of all files in the folder.
    pub fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// What a process of this place reads.
    pub fn settings(&self) -> Settings {
        let options = self
            .variables
            .iter()
            .fold(LoadOptions::default(), |options, (name, value)| {
                options.with_variable(name, value)
            });
        Settings::load(&options).unwrap()
    }

    /// Opens the database, as a process that serves has it.
    pub async fn database(&self) -> Database {
        Database::open(&self.settings(), Role::Api, &Shutdown::new())
            .await
            .unwrap()
    }

    /// Somebody registers at that time.
    pub async fn register(&self, at: Timestamp) {
        let database = self.database().await;
        let settings = self.settings();
        let keys = KeyRing::new(&settings.secret_keys.current, &[]);
        let registration = Register::new(
            Username::parse("ada").unwrap(),
            EmailAddress::parse("ada@example.com").unwrap(),
            PasswordHash::from("$none$".to_owned()),
            Actor {
                request_id: "request".to_owned(),
                client: ClientKey::of([192, 0, 2, 1].into()),
                user_agent: String::new(),
            },
            keys.current().clone(),
            RegisterPolicy {
                codes: CodePolicy {
                    life: Duration::from_mins(10),
                    max_tries: 5,
                },
                lapse: Duration::from_hours(24),
                live_registrations: None,
                limits: None,
                reveal_registered: false,
            },
            at,
        );
        database.store.write(registration).await.unwrap();
        database.close().await;
    }

    /// A process says that it is there, with the keys of these secrets, and was last seen at that time.
    pub async fn announces(&self, kind: ProcessKind, secrets: &[&str], seen: Timestamp) {
        self.remarks(kind, secrets, seen, None).await;
    }

    /// The same, and says what it has seen.
    pub async fn remarks(
        &self,
        kind: ProcessKind,
        secrets: &[&str],
        seen: Timestamp,
        remark: Option<&str>,
    ) {
        let id = format!("{}-of-a-test", kind.as_str());
        self.announces_as(&id, kind, secrets, seen, remark).await;
    }

    /// The same, under a name of its own.
    pub async fn announces_as(
        &self,
        id: &str,
        kind: ProcessKind,
        secrets: &[&str],
        seen: Timestamp,
        remark: Option<&str>,
    ) {
        let keys = secrets.iter().flat_map(|secret| {
            let secret = secret.as_bytes().to_vec().into();
            KeyRing::new(&secret, &[]).ids()
        });
        let process = Process {
            id: id.to_owned(),
            kind,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            keys: keys.collect(),
            started: seen,
            remark: remark.map(str::to_owned),
        };
        let database = self.database().await;
        let register = RegisterProcess {
            process: process.clone(),
            now: seen,
            forget_before: Timestamp::MIN,
        };
        database.store.write(register).await.unwrap();
        if kind == ProcessKind::Worker {
            let heartbeat = RecordHeartbeat {
                worker: process.id,
                now: seen,
            };
            database.store.write(heartbeat).await.unwrap();
        }
        database.close().await;
    }

    /// Asks the doctor.
    pub async fn doctor(&self, arguments: &str) -> Said {
        let command = Command::new(env!("CARGO_BIN_EXE_smart-notes"))
            .arg("doctor")
            .args(arguments.split_whitespace())
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = timeout(PATIENCE, command).await.expect("it ends").unwrap();
        Said {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Asks the doctor for JSON.
    pub async fn json(&self, arguments: &str) -> (i32, Value) {
        let said = self.doctor(&format!("--json {arguments}")).await;
        assert_eq!(said.err, "");
        (said.code, serde_json::from_str(&said.out).unwrap())
    }
}

/// API and worker, running in the test's process, each announced as its program announces itself.
pub struct Services {
    shutdown: Shutdown,
    halves: Vec<(Database, ProcessRegistration)>,
    tasks: Vec<JoinHandle<()>>,
}

impl Services {
    pub async fn start(place: &Place) -> Self {
        let (shutdown, clock) = (Shutdown::new(), Arc::new(SystemClock));
        let settings = place.with_any_port();
        let mut services = Self {
            shutdown: shutdown.clone(),
            halves: Vec::new(),
            tasks: Vec::new(),
        };
        for (kind, role) in [
            (ProcessKind::Api, Role::Api),
            (ProcessKind::Worker, Role::Worker),
        ] {
            let database = Database::open(&settings, role, &shutdown).await.unwrap();
            let registration =
                ProcessRegistration::register(&database, kind, &settings, clock.clone());
            let (settings, handle) = (settings.clone(), database.clone());
            let (clock, shutdown) = (clock.clone(), shutdown.clone());
            services.tasks.push(tokio::spawn(async move {
                if kind == ProcessKind::Worker {
                    let run = smart_notes_worker::run(&settings, &handle, clock, &shutdown);
                    return run.await.unwrap();
                }
                let listener = smart_notes_api::bind(settings.http.listen).unwrap();
                let serve =
                    smart_notes_api::serve(&settings, &handle.store, clock, listener, &shutdown);
                serve.await.unwrap();
            }));
            services.halves.push((database, registration));
        }
        services.are_seen().await;
        services
    }

    /// Waits until both are announced and the worker has said that it lives.
    async fn are_seen(&self) {
        let (database, _) = &self.halves[0];
        let start = std::time::Instant::now();
        loop {
            let processes = database
                .store
                .reader()
                .await
                .unwrap()
                .processes()
                .await
                .unwrap()
                .len();
            let beats = database
                .store
                .reader()
                .await
                .unwrap()
                .heartbeats()
                .await
                .unwrap()
                .len();
            if (processes, beats) == (2, 1) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "{processes} {beats}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub async fn stop(self) {
        self.shutdown.trigger();
        for task in self.tasks {
            task.await.unwrap();
        }
        for (database, registration) in self.halves {
            registration.deregister(&database).await;
            database.close().await;
        }
    }
}

impl Place {
    fn with_any_port(&self) -> Settings {
        let mut settings = self.settings();
        settings.http.listen = "127.0.0.1:0".parse().unwrap();
        settings
    }
}
