//! The configuration of a catcher, and the errors of its start.
//!
//! Separate from the catcher itself so that a caller sees every option in one place. Read by
//! [`crate::Catcher::start`].

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Addresses to listen on, domains to refuse, and how many mails to keep.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address of the SMTP server. Port 0 selects any free port; see
    /// [`crate::Catcher::smtp_addr`].
    pub smtp: SocketAddr,
    /// The address of the web inbox and the JSON API; `None` starts neither.
    pub http: Option<SocketAddr>,
    /// How many mails to keep, newest first. 0 counts mails without storing them.
    pub keep: usize,
    /// Whether `*@tempfail.test` is answered 451 twice per recipient and
    /// `*@bounce.test` always 550, so that retries can be watched.
    pub refuse_test_domains: bool,
    /// A directory, created if missing, for one file per accepted mail, written before its 250. It
    /// outlives the process.
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

/// The reason why a catcher did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The SMTP address cannot be bound.
    #[error(
        "mail catcher: cannot listen for SMTP on {address}: {}",
        reason(source)
    )]
    Smtp {
        /// The configured address.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The address of the web inbox cannot be bound.
    #[error(
        "mail catcher: cannot listen for HTTP on {address}: {}",
        reason(source)
    )]
    Http {
        /// The configured address.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The archive directory cannot be created.
    #[error("mail catcher: cannot create the archive directory {}: {source}", path.display())]
    Archive {
        /// The configured directory.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// Suggests a fix for the two errors with a common cause.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "the port is in use; stop the other program, or choose another port".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
        _ => error.to_string(),
    }
}
