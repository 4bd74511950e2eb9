//! What the tests of the command line share: a folder with a database, the real program run in it, and the API
//! on the same database, to see what a client gets.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use domain::clock::SystemClock;
use runtime::database::{Database, Role};
use runtime::settings::{LoadOptions, Settings};
use runtime::shutdown::Shutdown;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Long enough for a key, and obviously not one.
const KEY: &str = "an-example-key-of-at-least-32-bytes!";

/// A folder of its own for each test.
pub struct Place(TempDir);

/// What the program answered.
#[derive(Debug)]
pub struct Answer {
    /// Its exit code.
    pub code: i32,
    /// What it printed.
    pub out: String,
    /// What it complained of.
    pub err: String,
}

impl Answer {
    /// Asserts that all is well.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// Asserts that it failed, and with these words.
    #[track_caller]
    pub fn failed(self, words: &str) {
        self.ended(1, words);
    }

    /// Asserts that it ended with this exit code and with these words.
    #[track_caller]
    pub fn ended(self, code: i32, words: &str) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.err.contains(words), "no `{words}` in {self:?}");
    }

    /// What it printed, as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

impl Place {
    /// A folder with an empty database of this schema.
    pub fn new() -> Self {
        let place = Self(TempDir::with_prefix("smart-notes-cli-").unwrap());
        place.run(&["migrate"]).ok();
        place
    }

    /// A file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn variables(&self) -> [(&'static str, String); 5] {
        let database = self.path("notes.db");
        [
            ("DATABASE_URL", format!("sqlite://{}", database.display())),
            ("SECRET_KEY", KEY.to_owned()),
            ("SMART_NOTES__HTTP__LISTEN", "127.0.0.1:0".to_owned()),
            (
                "SMART_NOTES__HTTP__TRUSTED_PROXIES",
                "127.0.0.1/32".to_owned(),
            ),
            // Checking an imported hash without optimisation on a busy machine takes seconds.
            (
                "SMART_NOTES__HTTP__REQUEST_TIMEOUT_SECONDS",
                "60".to_owned(),
            ),
        ]
    }

    /// The settings as the program loads them.
    pub fn settings(&self) -> Settings {
        self.settings_with(&[])
    }

    /// The same, with other variables on top.
    pub fn settings_with(&self, changes: &[(&str, &str)]) -> Settings {
        let mut options = LoadOptions::default();
        for (name, value) in self.variables() {
            options = options.with_variable(name, value);
        }
        for (name, value) in changes {
            options = options.with_variable(*name, *value);
        }
        Settings::load(&options).unwrap()
    }

    /// Runs the program.
    pub fn run(&self, arguments: &[&str]) -> Answer {
        self.run_with(arguments, "")
    }

    /// Starts the program, with all its streams in our hands.
    pub fn start(&self, arguments: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_smart-notes"))
            .args(arguments)
            .env_clear()
            .envs(self.variables())
            .env("USER", "an-operator")
            .current_dir(self.0.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Runs the program with something on its standard input.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Answer {
        let mut child = self.start(arguments);
        // A program that reads no input may have ended already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Answer {
            code: output.status.code().expect("no signal ended it"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts the API on the same database.
    pub async fn api(&self) -> Api {
        let settings = self.settings();
        let shutdown = Shutdown::new();
        let database = Database::open(&settings, Role::Api, &shutdown)
            .await
            .unwrap();
        let listener = smart_notes_api::bind(settings.http.listen).unwrap();
        let address = listener.local_addr().unwrap();
        let (store, end) = (database.store.clone(), shutdown.clone());
        let server = tokio::spawn(async move {
            let clock = Arc::new(SystemClock);
            smart_notes_api::serve(&settings, &store, clock, listener, &end)
                .await
                .unwrap();
        });
        Api {
            address,
            shutdown,
            server,
        }
    }
}

/// A running API. It stops with the test.
pub struct Api {
    address: SocketAddr,
    shutdown: Shutdown,
    server: JoinHandle<()>,
}

impl Drop for Api {
    fn drop(&mut self) {
        self.shutdown.trigger();
        self.server.abort();
    }
}

impl Api {
    /// Sends a request, and returns status and body. `headers`: whole lines.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[String],
        body: &Value,
    ) -> (u16, Value) {
        let body = body.to_string();
        let headers: String = headers.iter().map(|line| line.clone() + "\r\n").collect();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let status = answer[9..12].parse().unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// Logs in.
    pub async fn login(&self, login: &str, password: &str) -> (u16, Value) {
        let body = json!({"login": login, "password": password});
        self.send("POST", "/api/auth/login/", &[], &body).await
    }

    /// Asks who one is, with a token.
    pub async fn me(&self, token: &str) -> (u16, Value) {
        let header = format!("Authorization: Token {token}");
        self.send("GET", "/api/auth/me/", &[header], &Value::Null)
            .await
    }
}
