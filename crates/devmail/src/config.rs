//! What a catcher is told before it starts, and why it may not start.
//!
//! Apart from the catcher itself so that a caller sees every choice in one
//! place. Read by [`crate::Catcher::start`].

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Where to listen and what to refuse.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where SMTP listens. Port 0 takes any free port; see [`crate::Catcher::smtp_addr`].
    pub smtp: SocketAddr,
    /// Where the web inbox and the JSON API listen; `None` starts neither.
    pub http: Option<SocketAddr>,
    /// How many mails are kept: the newest ones. 0 only counts and stores nothing.
    pub keep: usize,
    /// Whether `*@tempfail.test` is answered 451 twice per recipient and
    /// `*@bounce.test` always 550, so that retries can be watched.
    pub refuse_test_domains: bool,
    /// A directory, created if missing, that gets one file per accepted mail
    /// before its 250 is written: a ledger that outlives the process.
    pub archive: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            smtp: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            http: None,
            keep: 500,
            refuse_test_domains: true,
            archive: None,
        }
    }
}

/// Why a catcher did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The SMTP address can not be listened on.
    #[error(
        "mail catcher: cannot listen for SMTP on {address}: {}",
        reason(source)
    )]
    Smtp {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The address of the web inbox can not be listened on.
    #[error(
        "mail catcher: cannot listen for HTTP on {address}: {}",
        reason(source)
    )]
    Http {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The archive directory can not be created.
    #[error("mail catcher: cannot create the archive directory {}: {source}", path.display())]
    Archive {
        /// The directory asked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Says what to do about the two errors that have a usual cause.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "the port is taken; stop the program that has it, or choose another port".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
        _ => error.to_string(),
    }
}
