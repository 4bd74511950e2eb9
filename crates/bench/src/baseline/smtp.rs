//! What lettre's own connections do over sockets without Nagle's algorithm, and nothing else: no queue, no database, no
//! record.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use lettre::Address;
use lettre::address::Envelope;
use lettre::message::Mailbox;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use smart_notes_worker::mail::{Content, Outgoing, build};

/// Why a mail was not sent; it ends the measurement.
type Failure = Box<dyn Error + Send + Sync>;

/// Sends that many mails over that many connections to a sink that accepts them all. Returns how long it took.
/// Each mail is composed as the worker does.
pub async fn send(sink: SocketAddr, mails: u64, connections: usize) -> Result<Duration, Failure> {
    let (started, next) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let mut lanes = JoinSet::new();
    for _ in 0..connections {
        let next = Arc::clone(&next);
        lanes.spawn(async move {
            let mut connection = connect(sink).await?;
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= mails {
                    connection.quit().await?;
                    return Ok::<_, Failure>(());
                }
                let (envelope, message) = compose(n)?;
                let envelope = Envelope::new(Some(envelope.from), vec![envelope.to])?;
                connection.send(&envelope, &message).await?;
            }
        });
    }
    while let Some(done) = lanes.join_next().await {
        done??;
    }
    Ok(started.elapsed())
}

async fn connect(sink: SocketAddr) -> Result<AsyncSmtpConnection, Failure> {
    let stream = TcpStream::connect(sink).await?;
    stream.set_nodelay(true)?;
    let hello = ClientId::Domain("bench.test".to_owned());
    Ok(AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await?)
}

/// The `n`-th mail: the first kind's sample, as the worker would send it.
fn compose(n: u64) -> Result<(smart_notes_worker::smtp::Envelope, Vec<u8>), Failure> {
    let from: Address = "no-reply@example.com".parse()?;
    Ok(build(&Outgoing {
        message_id: format!("<{n}@example.com>"),
        from: Mailbox::new(None, from),
        to: format!("bench{n}@example.com").parse()?,
        date: SystemTime::now(),
        content: Content::samples().swap_remove(0),
    })?)
}
