//! What every measurement needs: a database in a temporary folder, a sink, the worker's binary, and
//! registrations as the API makes them.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use devmail::{Catcher, Config};
use domain::accounts::CodePolicy;
use domain::accounts::register::{Register, RegisterPolicy};
use domain::client::ClientKey;
use domain::clock::{Clock, SystemClock};
use domain::email::EmailAddress;
use domain::otp::KeyRing;
use domain::password::PasswordHash;
use domain::username::Username;
use runtime::database::{self, Database, Role};
use runtime::settings::{LoadOptions, Settings};
use runtime::shutdown::Shutdown;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// A database, a sink, and settings that name both.
pub struct Rig {
    /// Removed with everything in it when the rig is dropped.
    folder: TempDir,
    pub catcher: Catcher,
    pub settings: Settings,
    pub database: Database,
    keys: KeyRing,
}

impl Rig {
    /// A rig whose sink counts mails and keeps none. `variables` reach the worker too.
    pub async fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("a temporary folder is needed")?;
        let catcher = Catcher::start(Config {
            keep: 0,
            ..Config::default()
        })
        .await?;
        let options = variables(&folder, &catcher)
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

    /// Starts the worker's binary, which stands beside this one. It is killed when dropped.
    pub fn start_worker(&self) -> anyhow::Result<Child> {
        let worker = worker_binary()?;
        Command::new(&worker)
            .env_clear()
            .envs(variables(&self.folder, &self.catcher))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} can't be started", worker.display()))
    }

    /// Registers the `n`-th address, but for the password's hash, which would be most of the time.
    pub async fn register(&self, n: u64) -> anyhow::Result<()> {
        let registration = Register::new(
            Username::parse(&format!("bench{n}"))?,
            EmailAddress::parse(&format!("bench{n}@example.com"))?,
            PasswordHash::from("$none$".to_owned()),
            ClientKey::of(Ipv4Addr::LOCALHOST.into()),
            format!("bench-{n}"),
            self.keys.current().clone(),
            policy(&self.settings),
            SystemClock.now(),
        );
        self.database.store.write(registration).await?;
        Ok(())
    }
}

fn policy(settings: &Settings) -> RegisterPolicy {
    RegisterPolicy {
        codes: CodePolicy {
            life: Duration::from_hours(1),
            max_tries: settings.otp.max_tries,
        },
        lapse: settings.accounts.registration_lapse,
        live_attempts: None,
        reveal_registered: false,
    }
}

fn variables(folder: &TempDir, catcher: &Catcher) -> [(String, String); 4] {
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
        ("SMART_NOTES__LOG__LEVEL", "warn".to_owned()),
        (
            "SECRET_KEY",
            "an example key for measurements only".to_owned(),
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}

fn worker_binary() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("this program's own path is unknown")?;
    let worker = own.with_file_name("smart-notes-worker");
    anyhow::ensure!(
        worker.exists(),
        "{} is missing: build it with `cargo build --release --workspace`",
        worker.display()
    );
    Ok(worker)
}
