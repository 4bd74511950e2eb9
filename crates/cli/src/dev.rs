//! `smart-notes dev`: API, worker and mail catcher in one process, for development.
//!
//! In production, API and worker are separate processes; the same libraries run here.

use std::fs::{DirBuilder, File, TryLockError};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use devmail::{Catcher, Config};
use domain::clock::SystemClock;
use domain::processes::ProcessKind;
use runtime::database::{Database, Role};
use runtime::memory;
use runtime::metrics;
use runtime::process_registration::ProcessRegistration;
use runtime::rlimit;
use runtime::settings::{DatabaseUrl, Env, LoadOptions, Settings};
use runtime::shutdown::Shutdown;
use runtime::telemetry;
use tokio::net::TcpListener;

use crate::migrate;

/// The arguments of `dev`.
#[derive(clap::Args)]
pub struct Args {
    /// Where the API listens, instead of the setting `http.listen`
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Where the web inbox listens
    #[arg(long, value_name = "ADDRESS:PORT", default_value = INBOX)]
    inbox: SocketAddr,
    /// Where the mail catcher speaks SMTP
    #[arg(long, value_name = "ADDRESS:PORT", default_value = SMTP)]
    smtp: SocketAddr,
}

const INBOX: &str = "127.0.0.1:8025";
const SMTP: &str = "127.0.0.1:1025";

impl Default for Args {
    fn default() -> Self {
        Self {
            listen: None,
            inbox: INBOX.parse().expect("a constant of this file"),
            smtp: SMTP.parse().expect("a constant of this file"),
        }
    }
}

/// Runs everything until a signal.
pub async fn run(args: Args, options: LoadOptions) -> anyhow::Result<ExitCode> {
    let settings = settings(&args, options)?;
    telemetry::init(&settings.log)?;
    settings.log_warnings();
    if settings.http.metrics_listen.is_some() || settings.worker.metrics_listen.is_some() {
        metrics::install()?;
    }
    rlimit::raise(settings.http.max_connections);
    memory::trim_regularly();
    let shutdown = Shutdown::on_signals().context("signals can't be received")?;
    let _lock = lock(&settings)?;
    ports_must_be_free(&args, settings.http.listen).await?;
    let catcher = Catcher::start(Config {
        smtp: args.smtp,
        http: Some(args.inbox),
        ..Config::default()
    })
    .await?;
    migrate::with_progress(&settings).await?;
    let listener = smart_notes_api::bind(settings.http.listen)?;
    let address = listener.local_addr()?;
    let api = Database::open(&settings, Role::Api, &shutdown).await?;
    let worker = Database::open(&settings, Role::Worker, &shutdown).await?;
    welcome(address, &args);
    let clock = Arc::new(SystemClock);
    let announce =
        |database, kind| ProcessRegistration::register(database, kind, &settings, clock.clone());
    let api_registration = announce(&api, ProcessKind::Api);
    let worker_registration = announce(&worker, ProcessKind::Worker);
    let (api_end, worker_end) = tokio::join!(
        ending(
            &shutdown,
            smart_notes_api::serve(&settings, &api.store, clock.clone(), listener, &shutdown),
        ),
        ending(
            &shutdown,
            smart_notes_worker::run(&settings, &worker, clock.clone(), &shutdown),
        ),
    );
    api_registration.deregister(&api).await;
    worker_registration.deregister(&worker).await;
    api.close().await;
    worker.close().await;
    catcher.shutdown().await;
    api_end?;
    worker_end?;
    Ok(shutdown.exit_code())
}

/// Shuts everything down when one half ends.
async fn ending<T>(shutdown: &Shutdown, half: impl Future<Output = T>) -> T {
    let end = half.await;
    shutdown.trigger();
    end
}

/// The settings, with the catcher as the only relay: `dev` never sends mail elsewhere.
fn settings(args: &Args, options: LoadOptions) -> anyhow::Result<Settings> {
    let mut options =
        options.with_override("smtp.relays", format!("smtp://{}?tls=none", args.smtp));
    if let Some(listen) = &args.listen {
        options = options.with_override("http.listen", listen.clone());
    }
    let settings = Settings::load(&options)?;
    if settings.env == Env::Production {
        bail!(
            "`dev` catches all mail and is not for production. \
             Run smart-notes-api and smart-notes-worker, or set SMART_NOTES__ENV=development"
        );
    }
    Ok(settings)
}

/// Locks the database against a second `dev`, whose worker would send this one's mails to another inbox. The lock ends with
/// the process, also when it is killed.
fn lock(settings: &Settings) -> anyhow::Result<File> {
    let DatabaseUrl::Sqlite { path } = &settings.database.url;
    let folder = settings.database.url.directory();
    (DirBuilder::new().recursive(true).mode(0o700).create(folder))
        .and_then(|()| File::create(path.with_extension("dev.lock")))
        .map_err(anyhow::Error::from)
        .and_then(|lock| match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => bail!(
                "another `cargo run` or `smart-notes dev` is using it. \
                 Stop that one, or give this one another database and other ports: \
                 DATABASE_URL=sqlite://var/second.db cargo run -- dev --listen 127.0.0.1:8001 --inbox 127.0.0.1:8026 --smtp 127.0.0.1:1026"
            ),
            Err(TryLockError::Error(error)) => Err(error.into()),
        })
        .with_context(|| format!("the database {} can't be used", path.display()))
}

/// Checks all three ports, so that one message names all that are taken.
async fn ports_must_be_free(args: &Args, api: SocketAddr) -> anyhow::Result<()> {
    let wanted = [
        (api, "the API", "--listen 127.0.0.1:8001 or PORT=8001"),
        (args.smtp, "the mail catcher", "--smtp 127.0.0.1:1026"),
        (args.inbox, "the web inbox", "--inbox 127.0.0.1:8026"),
    ];
    let mut taken = Vec::new();
    for (address, what, change) in wanted {
        if let Err(error) = TcpListener::bind(address).await {
            taken.push(format!(
                "  {address} for {what}: {error}. For another port: cargo run -- dev {change}"
            ));
        }
    }
    if taken.is_empty() {
        return Ok(());
    }
    bail!("can't listen on\n{}", taken.join("\n"))
}

fn welcome(api: SocketAddr, args: &Args) {
    say!(
        "
  Smart Notes is running.

    API        http://{api}/api/
    Web inbox  http://{}/   all mail ends here; no mail leaves this machine
    SMTP       {}   mails to *@tempfail.test are refused twice, to *@bounce.test always

  Try it:

    curl -s http://{api}/api/auth/register/ -H 'Content-Type: application/json' \\
      -d '{{\"username\":\"alice\",\"email\":\"alice@example.com\",\"password\":\"correct horse battery\",\"confirm_password\":\"correct horse battery\"}}'

  Stop it with Ctrl-C.
",
        args.inbox, args.smtp
    );
}
