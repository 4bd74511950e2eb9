//! A scripted SMTP server over real sockets: it does what each test tells it to, at each stage,
//! and remembers what it heard.
//!
//! By default it is a well-behaved relay. A [`Script`] replaces single answers, in the order in
//! which a connection asks; connections beyond the scripts given use the last one.

pub mod certificate;
mod session;

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use smart_notes_worker::smtp::{
    Attempt, Envelope, Relay, RelayOptions, RelaySecurity, RelayUrl, Secrets, Timeouts,
};
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
};
use tokio_rustls::TlsAcceptor;

use session::Session;

/// What the server does when its turn comes.
#[derive(Clone)]
pub enum Act {
    /// Writes these bytes.
    Say(Vec<u8>),
    /// Writes these bytes and closes the connection.
    SayAndClose(Vec<u8>),
    /// Writes these bytes without end.
    SayWithoutEnd(Vec<u8>),
    /// Says nothing, but keeps the connection until the client closes it.
    Hang,
    /// Says nothing until notified, then writes these bytes.
    SayLater(Arc<Notify>, Vec<u8>),
    /// Closes the connection by RST.
    Reset,
}

pub fn say(line: &str) -> Act {
    Act::Say(format!("{line}\r\n").into_bytes())
}

pub fn say_and_close(line: &str) -> Act {
    Act::SayAndClose(format!("{line}\r\n").into_bytes())
}

pub fn close() -> Act {
    Act::SayAndClose(Vec::new())
}

/// What one connection is answered. Stages are the verbs, and `GREETING` and `DOT`.
#[derive(Clone, Default)]
pub struct Script(HashMap<&'static str, VecDeque<Act>>);

pub fn good() -> Script {
    Script::default()
}

pub fn on(stage: &'static str, act: Act) -> Script {
    good().on(stage, act)
}

impl Script {
    /// The next time this stage comes, and only then, does this.
    #[must_use]
    pub fn on(mut self, stage: &'static str, act: Act) -> Self {
        self.0.entry(stage).or_default().push_back(act);
        self
    }
}

/// What the server heard.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Every command with the number of its connection (from 0); `DOT` when a message ended,
    /// `EOF` when the client had gone, `TLS` after a handshake.
    pub commands: Vec<(usize, String)>,
    /// Every message that was answered with 250, dots unstuffed.
    pub mails: Vec<String>,
    /// Connections so far.
    pub connections: usize,
    /// Connections open now, and the most there were.
    pub open: usize,
    pub most_open: usize,
}

impl Heard {
    /// The commands of one connection.
    pub fn on_connection(&self, number: usize) -> Vec<&str> {
        let of = self.commands.iter().filter(|(n, _)| *n == number);
        of.map(|(_, command)| command.as_str()).collect()
    }

    pub fn count(&self, verb: &str) -> usize {
        let of = self.commands.iter();
        of.filter(|(_, command)| command.starts_with(verb)).count()
    }
}

/// Whether and how the server does TLS.
#[derive(Clone)]
pub enum Tls {
    None,
    Offered(TlsAcceptor),
    FromTheStart(TlsAcceptor),
}

pub struct Scripted {
    pub address: SocketAddr,
    heard: watch::Receiver<Heard>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Scripted {
    pub async fn start(scripts: impl Into<Vec<Script>>) -> Self {
        Self::start_with(scripts, Tls::None).await
    }

    pub async fn start_with(scripts: impl Into<Vec<Script>>, tls: Tls) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, heard) = watch::channel(Heard::default());
        let mut scripts: VecDeque<Script> = scripts.into().into();
        let task = tokio::spawn(async move {
            let sender = Arc::new(sender);
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let script = match scripts.len() {
                    0 => good(),
                    1 => scripts[0].clone(),
                    _ => scripts.pop_front().unwrap(),
                };
                let mut number = 0;
                sender.send_modify(|heard| {
                    number = heard.connections;
                    heard.connections += 1;
                    heard.open += 1;
                    heard.most_open = heard.most_open.max(heard.open);
                });
                let sender = Arc::clone(&sender);
                let tls = tls.clone();
                tokio::spawn(async move {
                    Session {
                        number,
                        script,
                        heard: Arc::clone(&sender),
                    }
                    .run(stream, tls)
                    .await;
                    sender.send_modify(|heard| heard.open -= 1);
                });
            }
        });
        Self {
            address,
            heard,
            task,
        }
    }

    pub fn heard(&self) -> Heard {
        self.heard.borrow().clone()
    }

    /// Waits until the server has heard this command so many times.
    pub async fn hears(&self, verb: &str, times: usize) {
        let mut heard = self.heard.clone();
        let waiting = heard.wait_for(|heard| heard.count(verb) >= times);
        let patience = Duration::from_secs(20);
        let came = tokio::time::timeout(patience, waiting).await;
        assert!(
            came.is_ok(),
            "never heard {verb}: {:?}",
            self.heard().commands
        );
    }

    /// Waits until so many connections have come.
    pub async fn connected(&self, times: usize) {
        let mut heard = self.heard.clone();
        let waiting = heard.wait_for(|heard| heard.connections >= times);
        let came = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        assert!(came.is_ok(), "never connected {times} times");
    }

    /// A relay for this server with these settings, in the clear.
    pub fn relay(&self, options: RelayOptions) -> Relay {
        Relay::new(self.url(RelaySecurity::Plaintext), options).unwrap()
    }

    pub fn url(&self, security: RelaySecurity) -> RelayUrl {
        RelayUrl {
            host: self.address.ip().to_string(),
            port: self.address.port(),
            security,
            credentials: None,
        }
    }
}

/// Half a second a stage: much for a machine under load, little for a test that waits it out.
pub fn hasty() -> RelayOptions {
    let stage = Duration::from_millis(500);
    RelayOptions {
        timeouts: Timeouts {
            connect: stage,
            tls_and_auth: stage,
            greeting: stage,
            reset: stage,
            envelope: stage,
            data: stage,
            end_of_data: stage,
            slot: stage,
            whole_try: Duration::from_secs(20),
            probe: Duration::from_secs(20),
        },
        ..RelayOptions::default()
    }
}

pub fn envelope() -> Envelope {
    Envelope {
        secrets: Secrets::default(),
        from: "no-reply@example.com".parse().unwrap(),
        to: "someone@example.test".parse().unwrap(),
    }
}

pub const MESSAGE: &[u8] = b"Subject: hello\r\n\r\nHello\r\n.dot\r\n";

pub async fn send(relay: &Relay) -> Attempt {
    relay.send(&envelope(), MESSAGE, async { Ok(()) }).await
}

/// One mail to a server with this script.
pub async fn attempt_with(script: Script) -> (Attempt, Heard) {
    let server = Scripted::start([script]).await;
    let attempt = send(&server.relay(RelayOptions::default())).await;
    (attempt, server.heard())
}

/// One mail to a server with this script, not waiting long.
pub async fn hasty_try_with(script: Script) -> (Attempt, Heard) {
    let server = Scripted::start([script]).await;
    let attempt = send(&server.relay(hasty())).await;
    (attempt, server.heard())
}

/// Counts how often it was awaited.
#[derive(Clone, Default)]
pub struct PermitRequests(Arc<Mutex<usize>>);

impl PermitRequests {
    pub fn go(self) -> impl Future<Output = Result<(), String>> + Send {
        std::future::poll_fn(move |_| {
            *self.0.lock().unwrap() += 1;
            Poll::Ready(Ok(()))
        })
    }

    pub fn count(&self) -> usize {
        *self.0.lock().unwrap()
    }
}
