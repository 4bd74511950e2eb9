//! The SMTP side: the listener, and what all its connections share.
//!
//! Apart from the web inbox because a catcher can run without that. Started by
//! [`crate::Catcher::start`]; a client's commands go from [`connection`] through
//! [`command`] and `mailin`'s state machine to [`session`].

mod body;
mod command;
mod connection;
mod finish;
mod session;
mod suffer;

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::archive::Archive;
use crate::fault::{Faults, Order};
use crate::inbox::Inbox;
use crate::stage::Stages;

/// The largest mail taken, in bytes; announced as SIZE.
const MAX_MAIL: usize = 25 * 1024 * 1024;
/// The longest command line taken, in bytes; RFC 5321, section 4.5.3.1.4, asks for 512.
const MAX_LINE: usize = 4096;
/// After so many commands that are no SMTP, a client is cut off.
const MAX_ERRORS: usize = 50;
/// How many connections may wait to be taken.
const BACKLOG: u32 = 1024;

/// What all connections work with.
pub(crate) struct Shared {
    pub inbox: Inbox,
    pub faults: Faults,
    pub stages: Stages,
    pub archive: Option<Archive>,
}

/// Either listening, or keeping the port reserved without listening.
enum Door {
    Open(TcpListener),
    Shut(Option<TcpSocket>),
}

/// Listens on the address, at once reusable after a restart.
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

/// Binds the port of a listener that was just closed. A process that another thread is about to start has a copy
/// of it until it runs its own program, and nothing tells when that is.
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

/// Takes connections until dropped; dropping it ends them too.
pub(crate) async fn run(
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
    mut orders: mpsc::Receiver<Order>,
) {
    let mut door = Door::Open(listener);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            taken = door.accept() => match taken {
                Ok((stream, client)) => {
                    connections.spawn(connection::serve(stream, client.ip(), Arc::clone(&shared)));
                }
                Err(error) => {
                    tracing::warn!(%error, "mail catcher: a connection could not be taken");
                    // Out of file descriptors: some need time to be closed.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(order) = orders.recv() => match order {
                Order::Refuse(done) => { let _ = done.send(door.shut(address).await); }
                Order::Accept(done) => { let _ = done.send(door.open(address)); }
                Order::Cut(done) => {
                    connections.shutdown().await;
                    let _ = done.send(Ok(()));
                }
            },
            Some(_ended) = connections.join_next() => {}
        }
    }
}

impl Door {
    async fn accept(&self) -> io::Result<(tokio::net::TcpStream, SocketAddr)> {
        match self {
            Self::Open(listener) => listener.accept().await,
            Self::Shut(_) => pending().await,
        }
    }

    async fn shut(&mut self, address: SocketAddr) -> io::Result<()> {
        if let Self::Open(_) = self {
            // The listener must be gone before its port can be reserved.
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
