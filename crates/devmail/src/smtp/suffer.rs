//! Faults that take time: a connection waits, hangs or is cut.
//!
//! Apart from the rules that choose a fault because only this part awaits, and apart
//! from the conversation because it goes on at any stage. Called by
//! [`super::connection`] and [`super::finish`].

use std::future::pending;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::MAX_MAIL;
use super::connection::{Connection, Over, READ};
use crate::fault::{Act, Strike};

impl Connection {
    /// As [`Self::suffer`]; where the client awaits no reply, one also ends the conversation.
    pub(super) async fn suffer_or_close(&mut self, strike: Option<Strike>) -> Result<(), Over> {
        let Some(mut strike) = strike else {
            return Ok(());
        };
        self.suffer(&mut strike).await?;
        match &strike.act {
            Act::Reply(code, text) => {
                self.reply(&format!("{code} {text}"));
                self.close().await
            }
            _ => Ok(()),
        }
    }

    /// Goes through the parts of a fault that take time. Earlier replies leave first,
    /// as they would have without pipelining.
    pub(super) async fn suffer(&mut self, strike: &mut Strike) -> Result<(), Over> {
        self.flush().await?;
        if strike.delay > Duration::ZERO {
            tokio::select! {
                () = tokio::time::sleep(strike.delay) => {}
                () = gone(&mut self.stream, &mut self.input) => return Err(Over),
            }
        }
        match strike.act {
            Act::GoOn | Act::Reply(..) => Ok(()),
            Act::Cut => Err(Over),
            Act::Hang => tokio::select! {
                () = released(&mut strike.release) => Ok(()),
                () = gone(&mut self.stream, &mut self.input) => Err(Over),
            },
        }
    }
}

/// Resolves when a hanging connection may go on.
async fn released(release: &mut Option<watch::Receiver<u64>>) {
    match release {
        // An error says that the catcher is gone, and soon the connection with it.
        Some(release) => drop(release.changed().await),
        None => pending().await,
    }
}

/// Resolves when the client has closed its side. What it sends until then is kept.
async fn gone(stream: &mut TcpStream, input: &mut BytesMut) {
    while input.len() <= MAX_MAIL {
        input.reserve(READ);
        match stream.read_buf(input).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    pending::<()>().await;
}
