//! A relay's front: TLS and a login before the catcher, which has neither, and manners that change while it runs.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::world::{Builder, PATIENCE, World};

/// How the front treats who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// STARTTLS with the right certificate, any login.
    Good,
    /// That reply to this command, and all else as it should be.
    Answers(&'static str, &'static str),
    /// A certificate that nobody trusts.
    ForeignCertificate,
    /// STARTTLS is not offered, as if somebody in between had taken it out.
    Stripped,
    /// These bytes in place of a greeting, and then the end.
    Says(&'static [u8]),
    /// These bytes without end.
    SaysForEver(&'static [u8]),
    /// Takes connections and says nothing.
    Silent,
}

/// A running front.
pub struct Front {
    port: u16,
    /// The authority that its right certificate can be checked with, as PEM.
    authority: String,
    manner: watch::Sender<Manner>,
    connections: watch::Receiver<u64>,
    in_the_clear: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The conversation is over.
struct Over;

impl<E: std::error::Error> From<E> for Over {
    fn from(_: E) -> Self {
        // Whether the client left or was cut off is the same to the front.
        Self
    }
}

/// What each connection needs.
#[derive(Clone)]
struct Shared {
    relay: SocketAddr,
    right: TlsAcceptor,
    foreign: TlsAcceptor,
    in_the_clear: Arc<Mutex<Vec<String>>>,
}

impl Front {
    /// Starts a front before a relay, on IPv4 alone.
    async fn before(relay: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (right, authority) = certificate();
        let shared = Shared {
            relay,
            right,
            foreign: certificate().0,
            in_the_clear: Arc::default(),
        };
        let in_the_clear = Arc::clone(&shared.in_the_clear);
        let manner = watch::Sender::new(Manner::Good);
        let (counter, connections) = watch::channel(0);
        let manners = manner.subscribe();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let mut changed = manners.clone();
                let manner = *changed.borrow_and_update();
                let shared = shared.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = shared.serve(stream, manner) => {}
                        // Other manners are for everybody, also for who is connected.
                        _ = changed.changed() => {}
                    }
                });
                counter.send_modify(|connections| *connections += 1);
            }
        });
        Self {
            port,
            authority,
            manner,
            connections,
            in_the_clear,
            task,
        }
    }

    /// A world whose worker knows the relay only by such a front, logs in and trusts its certificate.
    pub async fn of(world: Builder) -> (World, Self) {
        let catcher = world.catcher().await;
        let front = Self::before(catcher.smtp_addr()).await;
        let authority = world.place().path().join("authority.pem");
        std::fs::write(&authority, &front.authority).unwrap();
        let url = format!("smtp://somebody:a%20secret%20word@localhost:{}", front.port);
        let world = world
            .relays(&url)
            .set("SMART_NOTES__SMTP__CA_FILE", authority.to_str().unwrap());
        (world.start_with(catcher).await, front)
    }

    /// Takes on other manners, and closes every connection.
    pub fn behave(&self, manner: Manner) {
        self.manner.send_replace(manner);
    }

    /// Waits until so many more have connected.
    pub async fn connections(&self, more: u64) {
        let mut connections = self.connections.clone();
        let wanted = *connections.borrow_and_update() + more;
        let came = connections.wait_for(|connections| *connections >= wanted);
        let came = tokio::time::timeout(PATIENCE, came).await;
        came.expect("somebody connects").unwrap();
    }

    /// The commands that came unprotected.
    pub fn in_the_clear(&self) -> Vec<String> {
        self.in_the_clear.lock().unwrap().clone()
    }
}

impl Shared {
    async fn serve(self, stream: TcpStream, manner: Manner) -> Result<(), Over> {
        stream.set_nodelay(true)?;
        let mut plain = BufReader::new(stream);
        match manner {
            Manner::Says(bytes) => {
                plain.write_all(bytes).await?;
                return Err(Over);
            }
            Manner::SaysForEver(bytes) => loop {
                plain.write_all(bytes).await?;
            },
            Manner::Silent => {
                plain.read_line(&mut String::new()).await?;
                return Err(Over);
            }
            _ => {}
        }
        say(&mut plain, "220 front.test").await?;
        loop {
            let line = line(&mut plain).await?;
            self.in_the_clear.lock().unwrap().push(line.clone());
            match (line.split(' ').next().unwrap(), manner) {
                (command, Manner::Answers(which, reply)) if command == which => {
                    say(&mut plain, reply).await?;
                }
                ("EHLO", Manner::Stripped) => say(&mut plain, "250 front.test").await?,
                ("EHLO", _) => say(&mut plain, "250-front.test\r\n250 STARTTLS").await?,
                ("STARTTLS", _) => break,
                ("QUIT", _) => return say(&mut plain, "221 bye").await,
                _ => say(&mut plain, "530 5.7.0 Must issue a STARTTLS command first").await?,
            }
        }
        say(&mut plain, "220 go on").await?;
        let acceptor = match manner {
            Manner::ForeignCertificate => &self.foreign,
            _ => &self.right,
        };
        let protected = acceptor.accept(plain.into_inner()).await?;
        self.log_in(BufReader::new(protected), manner).await
    }

    /// Asks for a login and hands over to the relay.
    async fn log_in(
        &self,
        mut client: impl AsyncBufRead + AsyncWrite + Unpin,
        manner: Manner,
    ) -> Result<(), Over> {
        loop {
            let line = line(&mut client).await?;
            match (line.split(' ').next().unwrap(), manner) {
                (command, Manner::Answers(which, reply)) if command == which => {
                    say(&mut client, reply).await?;
                }
                ("EHLO", _) => say(&mut client, "250-front.test\r\n250 AUTH PLAIN LOGIN").await?,
                ("AUTH", _) => break,
                ("QUIT", _) => return say(&mut client, "221 bye").await,
                _ => say(&mut client, "530 5.7.0 Authentication required").await?,
            }
        }
        let mut relay = BufReader::new(TcpStream::connect(self.relay).await?);
        reply(&mut relay).await?;
        say(&mut relay, "EHLO front.test").await?;
        reply(&mut relay).await?;
        say(&mut client, "235 2.7.0 welcome").await?;
        tokio::io::copy_bidirectional(&mut client, &mut relay).await?;
        Ok(())
    }
}

async fn say(io: &mut (impl AsyncWrite + Unpin), line: &str) -> Result<(), Over> {
    io.write_all(format!("{line}\r\n").as_bytes()).await?;
    io.flush().await?;
    Ok(())
}

async fn line(io: &mut (impl AsyncBufRead + Unpin)) -> Result<String, Over> {
    let mut line = String::new();
    match io.read_line(&mut line).await? {
        0 => Err(Over),
        _ => Ok(line.trim_end().to_owned()),
    }
}

/// Reads a reply of any number of lines.
async fn reply(relay: &mut (impl AsyncBufRead + Unpin)) -> Result<(), Over> {
    while line(relay).await?.as_bytes().get(3) == Some(&b'-') {}
    Ok(())
}

/// A certificate for this machine, signed by itself.
fn certificate() -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}
