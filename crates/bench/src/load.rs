//! Load: many connections that each send one request after the other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// The request that is sent again and again.
#[derive(Clone)]
pub struct Call {
    pub server: SocketAddr,
    pub method: Method,
    pub path: String,
    pub token: Option<String>,
    /// A JSON body.
    pub body: Bytes,
    /// The status that it must have.
    pub status: u16,
}

impl Call {
    fn request(&self) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(&self.method)
            .uri(&self.path)
            .header("host", self.server.to_string());
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Token {token}"));
        }
        if !self.body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        Ok(request.body(Full::new(self.body.clone()))?)
    }

    async fn connect(&self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.server).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn once(&self, sender: &mut SendRequest<Full<Bytes>>) -> anyhow::Result<()> {
        sender.ready().await?;
        let answer = sender
            .send_request(self.request()?)
            .await
            .context("the server does not answer")?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await?.to_bytes();
        ensure!(
            status == self.status,
            "{} {} was answered {status}: {}",
            self.method,
            self.path,
            String::from_utf8_lossy(&body)
        );
        Ok(())
    }
}

/// How many answers come in so much time over so many connections.
pub async fn flat_out(call: &Call, connections: usize, time: Duration) -> anyhow::Result<u64> {
    let end = Instant::now() + time;
    let mut lanes = JoinSet::new();
    for _ in 0..connections {
        let call = call.clone();
        lanes.spawn(async move {
            let mut sender = call.connect().await?;
            let mut answers = 0;
            while Instant::now() < end {
                call.once(&mut sender).await?;
                answers += 1;
            }
            anyhow::Ok(answers)
        });
    }
    let mut answers = 0;
    while let Some(lane) = lanes.join_next().await {
        answers += lane??;
    }
    Ok(answers)
}

/// Milliseconds from when each request was due to its answer, at so many a second, whatever the answers take: a
/// request that waits for one before it is late, and counts as that.
pub async fn steady(
    calls: &[Call],
    a_second: u32,
    connections: usize,
    time: Duration,
) -> anyhow::Result<Vec<f64>> {
    let pace = Duration::from_secs(1) / a_second;
    let begun = Instant::now() + pace;
    let next = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let mut lanes = JoinSet::new();
    for _ in 0..connections {
        let (calls, next) = (calls.to_vec(), Arc::clone(&next));
        lanes.spawn(async move {
            let mut senders = Vec::new();
            for call in &calls {
                senders.push(call.connect().await?);
            }
            let mut times = Vec::new();
            loop {
                let n = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let due = begun + pace * n;
                if due > begun + time {
                    return anyhow::Ok(times);
                }
                tokio::time::sleep_until(due.into()).await;
                // The timer's own grain of a millisecond is not the server's.
                let started = Instant::now();
                let kind = n as usize % calls.len();
                calls[kind].once(&mut senders[kind]).await?;
                times.push(started.elapsed().as_secs_f64() * 1000.0);
            }
        });
    }
    let mut times = Vec::new();
    while let Some(lane) = lanes.join_next().await {
        times.extend(lane??);
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

impl Call {
    /// Sends it once, on a connection of its own.
    pub async fn send(&self) -> anyhow::Result<()> {
        let mut sender = self.connect().await?;
        self.once(&mut sender).await
    }

    /// Sends it until a server that is starting answers.
    pub async fn until_answered(&self) -> anyhow::Result<()> {
        for _ in 0..200 {
            if self.send().await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.send().await
    }
}
