//! What every measurement needs: a database in a temporary folder, a sink, the worker's binary, and
//! registrations as the API makes them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use devmail::{Catcher, Config};
use domain::accounts::register::{Register, RegisterPolicy};
use domain::accounts::{CodePolicy, NewUser};
use domain::audit::Actor;
use domain::client::ClientKey;
use domain::clock::{Clock, SystemClock};
use domain::email::EmailAddress;
use domain::id::UserId;
use domain::otp::KeyRing;
use domain::password::PasswordHash;
use domain::store::{StoreError, Tx, Write};
use domain::username::Username;
use runtime::database::{self, Database, Role};
use runtime::settings::{LoadOptions, Settings};
use runtime::shutdown::Shutdown;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::drain::most_memory;
use crate::http::Client;

/// The password of the one user there is.
pub const PASSWORD: &str = "an example passphrase";

const USERNAME: &str = "bench";

/// A database, a sink, and settings that name both.
pub struct Harness {
    /// Removed with everything in it when the harness is dropped.
    folder: TempDir,
    pub catcher: Catcher,
    pub settings: Settings,
    pub database: Database,
    keys: KeyRing,
}

impl Harness {
    /// A harness whose sink counts mails and keeps none. `variables` reach the worker too.
    pub async fn new() -> anyhow::Result<Self> {
        Self::with(false).await
    }

    /// The same with the limits in force.
    pub async fn limited() -> anyhow::Result<Self> {
        Self::with(true).await
    }

    async fn with(limited: bool) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("a temporary folder is needed")?;
        let catcher = Catcher::start(Config {
            keep: 0,
            ..Config::default()
        })
        .await?;
        let options = variables(&folder, &catcher, limited)
            .into_iter()
            .fold(LoadOptions::default(), |options, (name, value)| {
                options.with_variable(name, value)
            });
        let settings = Settings::load(&options)?;
        database::migrate(&settings).await?;
        let database = Database::open(&settings, Role::Api, &Shutdown::new()).await?;
        let keys = KeyRing::new(&settings.secret_keys.current, &[]);
        Ok(Self {
            folder,
            catcher,
            settings,
            database,
            keys,
        })
    }

    /// Starts the worker's binary. It is killed when dropped.
    pub fn start_worker(&self) -> anyhow::Result<Child> {
        self.start("smart-notes-worker", &[])
    }

    /// Starts the API's binary on a free port and waits until it is ready. It is killed when dropped.
    pub async fn start_api(&self) -> anyhow::Result<Api> {
        let address = free_address()?;
        let process = self.start("smart-notes-api", &["--listen", &address.to_string()])?;
        let client = Client::new(address);
        for _ in 0..200 {
            if matches!(client.get("/health/ready", None).await, Ok((200, _))) {
                return Ok(Api { address, process });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("the API did not become ready within 10 s")
    }

    fn start(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Child> {
        let program = sibling(name)?;
        Command::new(&program)
            .args(arguments)
            .env_clear()
            .envs(variables(
                &self.folder,
                &self.catcher,
                self.settings.limits.enabled,
            ))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} can't be started", program.display()))
    }

    /// Adds the one user there is, whose [`PASSWORD`] has that hash, and logs in: the token.
    pub async fn logged_in(&self, api: &Api, hash: &PasswordHash) -> anyhow::Result<String> {
        self.user(USERNAME, hash).await?;
        log_in(&Client::new(api.address)).await
    }

    /// The folder of the database.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Adds a user whose [`PASSWORD`] has that hash.
    pub async fn user(&self, name: &str, hash: &PasswordHash) -> anyhow::Result<UserId> {
        let username = Username::parse(name)?;
        let email = EmailAddress::parse(&format!("{name}@example.com"))?;
        let user = NewUser {
            username: username.as_str().to_owned(),
            username_key: username.key().clone(),
            email: email.as_typed().to_owned(),
            email_key: email.key().clone(),
            password: hash.clone(),
            now: SystemClock.now(),
        };
        Ok(self.database.store.write(AddUser(user)).await?)
    }

    /// Registers the `n`-th address, but for the password's hash, which would be most of the time.
    pub async fn register(&self, n: u64) -> anyhow::Result<()> {
        self.register_at(n, "example.com").await
    }

    /// The same at another domain.
    pub async fn register_at(&self, n: u64, domain: &str) -> anyhow::Result<()> {
        let registration = Register::new(
            Username::parse(&format!("bench{n}"))?,
            EmailAddress::parse(&format!("bench{n}@{domain}"))?,
            PasswordHash::from("$none$".to_owned()),
            Actor {
                request_id: format!("bench-{n}"),
                client: ClientKey::of(Ipv4Addr::LOCALHOST.into()),
                user_agent: String::new(),
            },
            self.keys.current().clone(),
            policy(&self.settings),
            SystemClock.now(),
        );
        self.database.store.write(registration).await?;
        Ok(())
    }
}

/// Logs in as the one user there is: the token.
pub async fn log_in(client: &Client) -> anyhow::Result<String> {
    log_in_as(client, USERNAME).await
}

/// Logs in: the token.
pub async fn log_in_as(client: &Client, name: &str) -> anyhow::Result<String> {
    let body = serde_json::json!({"login": name, "password": PASSWORD});
    let (status, answer) = client.post("/api/auth/login/", &body).await?;
    anyhow::ensure!(status == 200, "a login was answered {status}: {answer}");
    let token = answer["token"]
        .as_str()
        .context("a login without a token")?;
    Ok(token.to_owned())
}

/// A running API.
pub struct Api {
    pub address: SocketAddr,
    /// Killed when dropped.
    pub process: Child,
}

impl Api {
    /// The most memory it has had since [`Self::forget_most_memory`].
    pub fn most_memory(&self) -> anyhow::Result<String> {
        most_memory(self.id()?)
    }

    /// Counts the most memory from what it has now (proc(5), `clear_refs`).
    pub fn forget_most_memory(&self) -> anyhow::Result<()> {
        std::fs::write(format!("/proc/{}/clear_refs", self.id()?), "5")?;
        Ok(())
    }

    fn id(&self) -> anyhow::Result<u32> {
        self.process.id().context("the API has ended")
    }
}

/// A program of this harness that is another process of this one.
pub fn own_program() -> anyhow::Result<Command> {
    let own = std::env::current_exe().context("this program's own path is unknown")?;
    Ok(Command::new(own))
}

/// An address of this machine that nobody listens on.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

struct AddUser(NewUser);

#[async_trait]
impl Write for AddUser {
    type Out = UserId;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<UserId, StoreError> {
        tx.insert_user(&self.0).await
    }
}

fn policy(settings: &Settings) -> RegisterPolicy {
    RegisterPolicy {
        codes: CodePolicy {
            life: Duration::from_hours(1),
            max_tries: settings.otp.max_tries,
        },
        lapse: settings.accounts.registration_lapse,
        live_registrations: None,
        limits: None,
        reveal_registered: false,
    }
}

fn variables(folder: &TempDir, catcher: &Catcher, limited: bool) -> [(String, String); 6] {
    let database = folder.path().join("bench.db");
    [
        (
            "SMART_NOTES__DATABASE__URL",
            format!("sqlite://{}", database.display()),
        ),
        (
            "SMART_NOTES__SMTP__RELAYS",
            format!("smtp://{}?tls=none", catcher.smtp_addr()),
        ),
        ("SMART_NOTES__LIMITS__ENABLED", limited.to_string()),
        ("SMART_NOTES__NOTES__FREE_LIMIT", "1000000000".to_owned()),
        ("SMART_NOTES__LOG__LEVEL", "warn".to_owned()),
        (
            "SECRET_KEY",
            "an example key for measurements only".to_owned(),
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}

/// Another program of ours, which stands beside this one.
fn sibling(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("this program's own path is unknown")?;
    let program = own.with_file_name(name);
    anyhow::ensure!(
        program.exists(),
        "{} is missing: build it with `cargo build --release --workspace`",
        program.display()
    );
    Ok(program)
}
