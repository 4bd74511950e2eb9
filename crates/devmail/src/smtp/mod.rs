//! The SMTP server: the listener, and the state that its connections share.
//!
//! Separate from the web inbox because a catcher can run without that. Started by
//! [`crate::Catcher::start`]. A client's commands go from [`connection`] through [`command`] and
//! `mailin`'s state machine to [`handler`].

mod body;
mod command;
mod connection;
mod delay;
mod finish;
mod handler;

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::archive::Archive;
use crate::fault::{Faults, ListenerCommand};
use crate::inbox::Inbox;
use crate::stage::Stages;

/// The largest accepted mail, in bytes; advertised as SIZE.
const MAX_MAIL: usize = 25 * 1024 * 1024;
/// The longest accepted command line, in bytes; RFC 5321, section 4.5.3.1.4, requires 512.
const MAX_LINE: usize = 4096;
/// The number of invalid commands after which the connection is closed.
const MAX_ERRORS: usize = 50;
/// The number of connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// The state that all connections share.
pub(crate) struct Shared {
    pub inbox: Inbox,
    pub faults: Faults,
    pub stages: Stages,
    pub archive: Option<Archive>,
}

/// Whether the listener is open, or only reserves its port.
enum ListenerState {
    Open(TcpListener),
    Shut(Option<TcpSocket>),
}

/// Listens on the address, which a restart can reuse at once.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    bind(address)?.listen(BACKLOG)
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Binds the port of a listener that was just closed. Between fork and exec, a process that another
/// thread starts holds a copy of the socket, and no signal tells when exec has happened, so this
/// retries.
async fn reserve(address: SocketAddr) -> io::Result<TcpSocket> {
    const TRIES: u32 = 1000;
    for _ in 1..TRIES {
        match bind(address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            result => return result,
        }
    }
    bind(address)
}

/// Accepts connections until dropped, which also closes them.
pub(crate) async fn run(
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
    mut commands: mpsc::Receiver<ListenerCommand>,
) {
    let mut state = ListenerState::Open(listener);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            taken = state.accept() => match taken {
                Ok((stream, client)) => {
                    connections.spawn(connection::serve(stream, client.ip(), Arc::clone(&shared)));
                }
                Err(error) => {
                    tracing::warn!(%error, "mail catcher: could not accept a connection");
                    // Out of file descriptors: wait until some are closed.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(command) = commands.recv() => match command {
                ListenerCommand::Refuse(done) => { let _ = done.send(state.shut(address).await); }
                ListenerCommand::Accept(done) => { let _ = done.send(state.open(address)); }
                ListenerCommand::Cut(done) => {
                    connections.shutdown().await;
                    let _ = done.send(Ok(()));
                }
            },
            Some(_ended) = connections.join_next() => {}
        }
    }
}

impl ListenerState {
    async fn accept(&self) -> io::Result<(tokio::net::TcpStream, SocketAddr)> {
        match self {
            Self::Open(listener) => listener.accept().await,
            Self::Shut(_) => pending().await,
        }
    }

    async fn shut(&mut self, address: SocketAddr) -> io::Result<()> {
        if let Self::Open(_) = self {
            // The listener must be closed before its port can be reserved.
            *self = Self::Shut(None);
            *self = Self::Shut(Some(reserve(address).await?));
        }
        Ok(())
    }

    fn open(&mut self, address: SocketAddr) -> io::Result<()> {
        if let Self::Shut(reserved) = self {
            let socket = reserved.take().map_or_else(|| bind(address), Ok)?;
            *self = Self::Open(socket.listen(BACKLOG)?);
        }
        Ok(())
    }
}
