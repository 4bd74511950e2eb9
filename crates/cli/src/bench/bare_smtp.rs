//! The floor beside which `bench drain` stands: lettre's own connections over sockets that don't wait to
//! fill a packet, and nothing else. No queue, no database, no record; each mail is composed as the worker does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use lettre::Address;
use lettre::address::Envelope;
use lettre::message::Mailbox;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;
use smart_notes_worker::mail::{Content, Outgoing, build};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Sends so many mails over so many connections and answers with how long it took.
pub async fn send(sink: SocketAddr, mails: u64, connections: usize) -> anyhow::Result<Duration> {
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
                    return anyhow::Ok(());
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

async fn connect(sink: SocketAddr) -> anyhow::Result<AsyncSmtpConnection> {
    let stream = TcpStream::connect(sink).await?;
    stream.set_nodelay(true)?;
    let hello = ClientId::Domain("bench.test".to_owned());
    Ok(AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await?)
}

/// The `n`-th mail: the first kind's sample, as the worker would send it.
fn compose(n: u64) -> anyhow::Result<(smart_notes_worker::smtp::Envelope, Vec<u8>)> {
    let from: Address = "no-reply@example.com".parse()?;
    Ok(build(&Outgoing {
        message_id: format!("<{n}@example.com>"),
        from: Mailbox::new(None, from),
        to: format!("bench{n}@example.com").parse()?,
        date: SystemTime::now(),
        content: Content::samples().swap_remove(0),
    })?)
}
