//! One connection to a relay, driven command by command, each with its time limit.
//!
//! Not lettre's transports: those time out the TCP connect only and put half-used connections
//! back into their pool. A `Connection` is owned by the task that uses it; a future that is
//! dropped half-way drops it too, and with it the socket, so no later mail can read an answer
//! meant for this one.

use std::net::SocketAddr;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::{
    authentication::{Credentials, DEFAULT_MECHANISMS},
    client::AsyncSmtpConnection,
    commands::{Auth, Data, Mail, Quit, Rcpt, Rset, Starttls},
    extension::{ClientId, Extension},
    response::Response,
};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream, rustls::pki_types::ServerName};

use super::{
    End, Envelope, RelaySecurity, Reply, Stage, Timeouts,
    connection_limit::ConnectionPermit,
    dial::{Addresses, dial},
    progress::{Progress, answer, no_answer, reply_of},
    tls,
    wire::Wire,
};

/// How many challenges an AUTH may bring; LOGIN has two.
const MOST_CHALLENGES: usize = 4;

/// Where a relay is and how it is approached.
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: RelaySecurity,
    pub(super) credentials: Option<Credentials>,
    pub(super) hello: ClientId,
    pub(super) connector: TlsConnector,
    pub(super) server_name: ServerName<'static>,
    pub(super) timeouts: Timeouts,
    pub(super) addresses: Addresses,
}

/// A connection that is ready for a mail.
pub(super) struct Connection {
    smtp: AsyncSmtpConnection,
    wire: Wire,
    opened: Instant,
    mails: u32,
    refusals: u32,
    permit: Option<ConnectionPermit>,
}

impl Connection {
    /// Connects, starts TLS, says hello and authenticates, as the target demands.
    pub(super) async fn open(target: &Target, progress: &mut Progress) -> Result<Self, End> {
        let (stream, peer) = dial(target, progress).await?;
        let opened = Self::begin(target, stream, peer, progress).await;
        match &opened {
            Ok(_) => target.addresses.served(peer),
            Err(_) => target.addresses.failed(peer),
        }
        opened
    }

    async fn begin(
        target: &Target,
        stream: TcpStream,
        peer: SocketAddr,
        progress: &mut Progress,
    ) -> Result<Self, End> {
        let mut connection = match target.security {
            RelaySecurity::Plaintext => greet(target, Wire::plain(stream, peer), progress).await?,
            RelaySecurity::ImplicitTls => {
                progress.reach(Stage::Tls);
                let limit = target.timeouts.tls_and_auth;
                let stream = timeout(limit, start_tls(target, stream))
                    .await
                    .map_err(|_| no_answer(limit))??;
                greet(target, Wire::tls(stream, peer), progress).await?
            }
            RelaySecurity::StartTls => {
                let plain = greet(target, Wire::plain(stream, peer), progress).await?;
                progress.reach(Stage::Tls);
                let limit = target.timeouts.tls_and_auth;
                let wire = timeout(limit, plain.upgrade(target))
                    .await
                    .map_err(|_| no_answer(limit))??;
                greet(target, wire, progress).await?
            }
        };
        if let Some(credentials) = &target.credentials {
            progress.reach(Stage::Auth);
            let limit = target.timeouts.tls_and_auth;
            timeout(limit, connection.authenticate(credentials, limit))
                .await
                .map_err(|_| no_answer(limit))??;
        }
        Ok(connection)
    }

    /// STARTTLS. EHLO must follow: what was offered before counts no more (RFC 3207 §4.2).
    async fn upgrade(mut self, target: &Target) -> Result<Wire, End> {
        let offered = self.smtp.server_info();
        if !offered.supports_feature(Extension::StartTls) {
            return Err(End::Unfit(String::from("it does not offer STARTTLS")));
        }
        let limit = target.timeouts.tls_and_auth;
        expect(&self.command(limit, Starttls).await?, |code| code == 220)?;
        let stream = self.wire.take_plain().ok_or_else(gone)?;
        let peer = self.wire.peer();
        drop(self);
        Ok(Wire::upgraded(start_tls(target, stream).await?, peer))
    }

    /// AUTH PLAIN or LOGIN (RFC 4954), never in the open.
    async fn authenticate(
        &mut self,
        credentials: &Credentials,
        limit: Duration,
    ) -> Result<(), End> {
        if !self.wire.is_encrypted() && !self.wire.peer().ip().is_loopback() {
            let why = "a password is only sent over TLS or to this machine itself";
            return Err(End::Unfit(String::from(why)));
        }
        let Some(mechanism) = self
            .smtp
            .server_info()
            .get_auth_mechanism(DEFAULT_MECHANISMS)
        else {
            let why = "it does not offer AUTH with PLAIN or LOGIN";
            return Err(End::Unfit(String::from(why)));
        };
        let failed = |_| End::Failed(String::from("its AUTH challenge could not be answered"));
        let first = Auth::new(mechanism, credentials.clone(), None).map_err(failed)?;
        let mut response = self.command(limit, first).await?;
        for _ in 0..MOST_CHALLENGES {
            if !response.has_code(334) {
                break;
            }
            let next = Auth::new_from_response(mechanism, credentials.clone(), &response)
                .map_err(failed)?;
            response = self.command(limit, next).await?;
        }
        expect(&response, |code| code == 235)
    }

    /// Hands one mail over, as [`Self::converse`] says.
    pub(super) async fn hand_over(
        &mut self,
        timeouts: &Timeouts,
        envelope: &Envelope,
        message: &[u8],
        permit: impl Future<Output = Result<(), String>> + Send,
        progress: &mut Progress,
    ) -> Result<Reply, End> {
        self.mails += 1;
        let end = self
            .converse(timeouts, envelope, message, permit, progress)
            .await;
        self.refusals += u32::from(matches!(end, Err(End::Refused(_))));
        end
    }

    /// Whether mails from that sender are taken: MAIL alone, so that nothing is sent. QUIT ends it.
    pub(super) async fn takes_from(
        &mut self,
        timeouts: &Timeouts,
        from: &Address,
        progress: &mut Progress,
    ) -> Result<(), End> {
        progress.reach(Stage::Mail);
        let mail = Mail::new(Some(from.clone()), Vec::new());
        let answer = self.command(timeouts.envelope, mail).await?;
        expect(&answer, |code| (200..300).contains(&code)).map(drop)
    }

    /// MAIL, RCPT, DATA and the message. `permit` is awaited after the 354 and before the first byte of the
    /// message; the reply is what the end of data was answered with.
    async fn converse(
        &mut self,
        timeouts: &Timeouts,
        envelope: &Envelope,
        message: &[u8],
        permit: impl Future<Output = Result<(), String>> + Send,
        progress: &mut Progress,
    ) -> Result<Reply, End> {
        progress.watch(self.wire.end_of_data_written());
        let positive = |code| (200..300).contains(&code);

        progress.reach(Stage::Mail);
        let mail = Mail::new(Some(envelope.from.clone()), Vec::new());
        expect(&self.command(timeouts.envelope, mail).await?, positive)?;

        progress.reach(Stage::Rcpt);
        let rcpt = Rcpt::new(envelope.to.clone(), Vec::new());
        expect(&self.command(timeouts.envelope, rcpt).await?, positive)?;

        progress.reach(Stage::Data);
        let response = self.command(timeouts.data, Data).await?;
        expect(&response, |code| code == 354)?;
        progress.waits();
        if let Err(why) = permit.await {
            return Err(End::Stopped(why));
        }

        progress.reach(Stage::EndOfData);
        let response = answer(timeouts.end_of_data, self.smtp.message(message)).await?;
        expect(&response, |code| code == 250)?;
        Ok(reply_of(&response))
    }

    /// RSET: whether the relay is still there and in step. Anything but a 250 says no.
    pub(super) async fn reset(&mut self, limit: Duration) -> bool {
        matches!(self.command(limit, Rset).await, Ok(response) if response.has_code(250))
    }

    /// Takes leave, waiting for the relay's goodbye at most this long.
    pub(super) async fn quit(mut self, limit: Duration) {
        let _ = self.command(limit, Quit).await;
    }

    /// Keeps its place for as long as it lives.
    pub(super) fn keep(&mut self, permit: ConnectionPermit) {
        self.permit = Some(permit);
    }

    /// The address at the other end.
    pub(super) fn peer(&self) -> SocketAddr {
        self.wire.peer()
    }

    /// The relay's own certificate (DER), if the connection is encrypted.
    pub(super) fn certificate(&self) -> Option<Vec<u8>> {
        self.wire.certificate()
    }

    /// When it was opened.
    pub(super) fn opened(&self) -> Instant {
        self.opened
    }

    /// How many mails were begun on it.
    pub(super) fn mails(&self) -> u32 {
        self.mails
    }

    /// How many of them were refused.
    pub(super) fn refusals(&self) -> u32 {
        self.refusals
    }

    async fn command(
        &mut self,
        limit: Duration,
        command: impl std::fmt::Display,
    ) -> Result<Response, End> {
        answer(limit, self.smtp.command(command)).await
    }
}

async fn start_tls(target: &Target, stream: TcpStream) -> Result<TlsStream<TcpStream>, End> {
    tls::handshake(&target.connector, target.server_name.clone(), stream).await
}

/// Waits for the greeting and says EHLO.
async fn greet(target: &Target, wire: Wire, progress: &mut Progress) -> Result<Connection, End> {
    progress.reach(Stage::Greeting);
    let stream = Box::new(wire.clone());
    let opened = AsyncSmtpConnection::connect_with_transport(stream, &target.hello);
    let smtp = answer(target.timeouts.greeting, opened).await?;
    wire.opened();
    Ok(Connection {
        smtp,
        wire,
        opened: Instant::now(),
        mails: 0,
        refusals: 0,
        permit: None,
    })
}

fn expect(response: &Response, right: impl Fn(u16) -> bool) -> Result<(), End> {
    if right(response.code().into()) {
        Ok(())
    } else {
        Err(End::Refused(reply_of(response)))
    }
}

fn gone() -> End {
    End::Failed(String::from("the connection is gone"))
}
