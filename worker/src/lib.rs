//! The mail worker: drains the queue and delivers over SMTP.
//!
//! The sole owner of apalis workers, of lettre and of the mails' texts. The API only puts mails
//! into the queue. One mail's way:
//!
//! 1. [`queue::dispatcher`] claims it when a slot is free;
//! 2. apalis hands it to the handler, which [`queue::run_layer`] runs as a task;
//! 3. [`deliver`] asks whether it is still needed and derives its code;
//! 4. [`mail`] renders it;
//! 5. [`smtp`] hands it to the first relay that works, stage by stage, and classifies the answer;
//! 6. [`outcome`] turns that into a state, which the dispatcher settles together with others.

pub mod deliver;
pub mod destinations;
mod jitter;
pub mod mail;
pub mod metrics;
pub mod outcome;
pub mod purge;
pub mod queue;
pub mod refold;
pub mod smtp;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use apalis_core::task::Task;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_core::worker::context::WorkerContext;
use domain::clock::Clock;
use domain::otp::KeyRing;
use domain::processes::RemoveWorker;
use domain::queue::{Claimed, Keys, Retention};
use lettre::Address;
use lettre::message::Mailbox;
use runtime::database::Database;
use runtime::metrics::Listening;
use runtime::settings::{Settings, Smtp};
use runtime::shutdown::Shutdown;
use runtime::systemd::{self, Liveness};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tower::service_fn;

use crate::metrics::Lookup;
use deliver::Delivery;
use destinations::{Destinations, RecipientSlots};
use queue::dispatcher::{Claimant, Dispatcher, DispatcherHandle};
use queue::gate::Gate;
use queue::heartbeat::{self, Lease};
use queue::run_layer::RunLayer;
use queue::{HandlerResult, MailBackend, relay_status, worker_name};
use smtp::{Attempt, Inspected, Relay, RelayError, RelayOptions, RelayUrl, Relays};

/// How long ended challenges, sessions and registrations are kept, so that they can still be explained.
const KEEP_ENDED: Duration = Duration::from_hours(24);

/// Why the worker could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// A relay can't be set up.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// The sender's address is not valid.
    #[error("smtp.from is not a valid address: {0}")]
    Sender(lettre::address::AddressError),
    /// Metrics can't be served where the settings say.
    #[error(transparent)]
    Metrics(#[from] runtime::metrics::BindError),
    /// apalis ended the worker.
    #[error("the queue's worker ended")]
    Apalis(#[source] apalis_core::error::WorkerError),
}

/// Delivers mails until `shutdown`; then finishes those in flight, for at most `worker.shutdown_grace`.
pub async fn run(
    settings: &Settings,
    database: &Database,
    clock: Arc<dyn Clock>,
    shutdown: &Shutdown,
) -> Result<(), WorkerError> {
    let delivery = Arc::new(delivery(settings, Arc::clone(&clock))?);
    let relays = delivery.relays.clone();
    let keys = Keys::Only(delivery.keys.ids().into());
    let _metrics = serve_metrics(settings, database, &relays, &clock).await?;
    let name = worker_name(&settings.smtp.hello_name);
    let abandon = abandon_after_grace(settings, shutdown);
    let (dispatcher, handle, mails) = Dispatcher::new(
        database.store.clone(),
        Arc::clone(&clock),
        Claimant {
            worker: name.clone(),
            slots: slots(settings),
            keys: keys.clone(),
            lane: relays.lane().clone(),
        },
        Gate::of(relays.changes()),
        shutdown.clone(),
        abandon.clone(),
    );
    let parts = vec![dispatcher.liveness(), Liveness::of("the heartbeat")];
    let beating = tokio::spawn(heartbeat::run(
        database.store.clone(),
        Arc::clone(&clock),
        name.clone(),
        Lease {
            heartbeat: settings.worker.heartbeat,
            lease: settings.worker.lease,
        },
        keys,
        parts[1].clone(),
    ));
    let probing = tokio::spawn(relays.clone().probe());
    let posting = tokio::spawn(relay_status::run(
        database.store.clone(),
        relays.clone(),
        name.clone(),
        Arc::clone(&clock),
    ));
    let purging = tokio::spawn(purge::run(
        database.store.clone(),
        Arc::clone(&clock),
        retention(settings),
    ));
    let folding = tokio::spawn(refold::run(database.store.clone()));
    let backend = MailBackend::new(
        mails,
        handle.clone(),
        tokio::spawn(dispatcher.run()),
        RunLayer::new(handle.clone(), abandon.clone()),
    );
    let _watched = systemd::watchdog(parts.clone(), shutdown.token());
    let names: Vec<String> = settings
        .smtp
        .relays
        .iter()
        .map(ToString::to_string)
        .collect();
    let starting = tokio::spawn(say_ready(parts, names.join(" ")));
    tracing::info!(
        worker = name,
        smtp.relays = names.join(" "),
        "the worker is running"
    );

    let worker = WorkerBuilder::new(WorkerContext::new(&name))
        .backend(backend)
        .build(service_fn(move |task| {
            handle_mail(Arc::clone(&delivery), handle.clone(), task)
        }));
    let stop = shutdown.clone();
    let ended = worker
        .run_until(async move {
            stop.cancelled().await;
            Ok::<(), std::io::Error>(())
        })
        .await;

    starting.abort();
    purging.abort();
    folding.abort();
    probing.abort();
    // Heartbeats end before the worker's row is removed: a late one would write the row again.
    for speaks in [beating, posting] {
        speaks.abort();
        let _ = speaks.await;
    }
    if let Err(error) = database.store.write(RemoveWorker(name.clone())).await {
        tracing::warn!(%error, "could not deregister this worker; its row will expire");
    }
    abandon.cancel();
    relays.close().await;
    tracing::info!(worker = name, "the worker has stopped");
    ended.map_err(WorkerError::Apalis)
}

/// The handler, as apalis calls it.
async fn handle_mail(
    delivery: Arc<Delivery>,
    dispatcher: DispatcherHandle,
    task: Task<Claimed>,
) -> Result<HandlerResult, Infallible> {
    let mail = &task.args;
    Ok(delivery.deliver(mail, dispatcher.permit(mail.claim)).await)
}

/// Tells systemd that the worker is ready, once every part answers.
async fn say_ready(parts: Vec<Liveness>, relays: String) {
    for part in &parts {
        part.ping().await;
    }
    systemd::ready(&format!("delivering through {relays}"));
}

async fn serve_metrics(
    settings: &Settings,
    database: &Database,
    relays: &Relays,
    clock: &Arc<dyn Clock>,
) -> Result<Option<Listening>, WorkerError> {
    let Some(address) = settings.worker.metrics_listen else {
        return Ok(None);
    };
    let store = database.store.clone();
    let lookup = Lookup::new(store, relays.clone(), Arc::clone(clock));
    let listening =
        runtime::metrics::serve(address, "worker.metrics_listen", Arc::new(lookup)).await?;
    Ok(Some(listening))
}

fn retention(settings: &Settings) -> Retention {
    Retention {
        ended: KEEP_ENDED,
        mails: settings.worker.keep_mails,
        audit: settings.accounts.keep_audit,
        session_idle: settings.accounts.session_idle,
        trash: settings.notes.trash,
        tombstones: settings.notes.tombstones,
    }
}

/// How many mails are in flight at once. One without a connection could only hold a mail back.
fn slots(settings: &Settings) -> usize {
    (settings.worker.concurrency).min(settings.smtp.max_connections)
}

fn delivery(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Delivery, WorkerError> {
    let keys = &settings.secret_keys;
    let relays = (settings.smtp.relays.iter())
        .map(|url| relay(url, &settings.smtp))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Delivery {
        relays: Relays::new(relays, slots(settings), Arc::clone(&clock)),
        from: sender(&settings.smtp)?,
        keys: Arc::new(KeyRing::new(&keys.current, &keys.fallbacks)),
        max_tries: settings.otp.max_tries,
        suppress: settings.worker.suppress_refused,
        destinations: Destinations::default(),
        recipient_slots: RecipientSlots::default(),
        clock,
    })
}

/// A relay of the settings. Opens no connection yet.
pub fn relay(url: &RelayUrl, smtp: &Smtp) -> Result<Relay, RelayError> {
    Relay::new(url.clone(), relay_options(smtp))
}

fn relay_options(smtp: &Smtp) -> RelayOptions {
    RelayOptions {
        hello_name: smtp.hello_name.clone(),
        ca_file: smtp.ca_file.clone(),
        verify: smtp.verify,
        max_connections: smtp.max_connections,
        ..RelayOptions::default()
    }
}

/// Whether a relay would take mails from the sender of the settings; nothing is sent. The error is the attempt that failed.
pub async fn inspect(relay: &Relay, smtp: &Smtp) -> Result<Inspected, Box<Attempt>> {
    let from = sender(smtp).ok();
    relay.inspect(from.as_ref().map(|from| &from.email)).await
}

fn sender(smtp: &Smtp) -> Result<Mailbox, WorkerError> {
    let address: Address = smtp.from.address.parse().map_err(WorkerError::Sender)?;
    Ok(Mailbox::new(smtp.from.name.clone(), address))
}

/// A token that is cancelled when handlers have had their time to finish after `shutdown`.
fn abandon_after_grace(settings: &Settings, shutdown: &Shutdown) -> CancellationToken {
    let abandon = CancellationToken::new();
    let (token, shutdown) = (abandon.clone(), shutdown.clone());
    let grace = settings.worker.shutdown_grace;
    tokio::spawn(async move {
        shutdown.cancelled().await;
        sleep(grace).await;
        token.cancel();
    });
    abandon
}
