//! Faults that take time: a connection waits, hangs or is closed.
//!
//! Separate from the rules that select a fault because only this part awaits, and from the
//! conversation because it applies at any stage. Called by [`super::connection`] and
//! [`super::finish`].

use std::future::pending;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::MAX_MAIL;
use super::connection::{Closed, Connection, READ};
use crate::fault::{Act, Effect};

impl Connection {
    /// Like [`Self::delay`], for stages where the client awaits no reply: a reply there also closes
    /// the connection.
    pub(super) async fn delay_or_close(&mut self, effect: Option<Effect>) -> Result<(), Closed> {
        let Some(mut effect) = effect else {
            return Ok(());
        };
        self.delay(&mut effect).await?;
        match &effect.act {
            Act::Reply(code, text) => {
                self.reply(&format!("{code} {text}"));
                self.close().await
            }
            _ => Ok(()),
        }
    }

    /// Applies the parts of a fault that take time. Earlier replies are written first, as without
    /// pipelining.
    pub(super) async fn delay(&mut self, effect: &mut Effect) -> Result<(), Closed> {
        self.flush().await?;
        if effect.delay > Duration::ZERO {
            tokio::select! {
                () = tokio::time::sleep(effect.delay) => {}
                () = gone(&mut self.stream, &mut self.input) => return Err(Closed),
            }
        }
        match effect.act {
            Act::GoOn | Act::Reply(..) => Ok(()),
            Act::Cut => Err(Closed),
            Act::Hang => tokio::select! {
                () = released(&mut effect.release) => Ok(()),
                () = gone(&mut self.stream, &mut self.input) => Err(Closed),
            },
        }
    }
}

/// Resolves when a hanging connection may continue.
async fn released(release: &mut Option<watch::Receiver<u64>>) {
    match release {
        // An error means that the catcher has stopped, so the connection will close soon.
        Some(release) => drop(release.changed().await),
        None => pending().await,
    }
}

/// Resolves when the client has closed its side. Input until then is kept.
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
