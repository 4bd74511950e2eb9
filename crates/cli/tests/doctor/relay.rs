//! A relay that says what a test tells it to, in clear text or under TLS from the first byte.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// A running relay. It ends with the test.
pub struct Relay {
    pub address: SocketAddr,
    /// The file to trust its certificate by.
    pub ca_file: PathBuf,
    _folder: TempDir,
    task: JoinHandle<()>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Relay {
    /// In clear text; AUTH is answered with this line.
    pub async fn plain(auth: &'static str) -> Self {
        Self::start(None, auth, TempDir::new().unwrap()).await
    }

    /// Under TLS, with a certificate that is good for so many days and that it signed itself.
    pub async fn tls(days: i64) -> Self {
        let folder = TempDir::new().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        // An hour more, so that the day is a whole one when it is looked at.
        params.not_after = OffsetDateTime::now_utc() + Duration::days(days) + Duration::hours(1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let tls = TlsAcceptor::from(Arc::new(config));
        Self::start(Some(tls), "235 2.7.0 welcome", folder).await
    }

    async fn start(tls: Option<TlsAcceptor>, auth: &'static str, folder: TempDir) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let tls = tls.clone();
                tokio::spawn(async move {
                    match tls {
                        // Who only knocks, or does not trust us, is gone again.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                converse(stream, auth).await;
                            }
                        }
                        None => converse(stream, auth).await,
                    }
                });
            }
        });
        Self {
            address,
            ca_file: folder.path().join("ca.pem"),
            _folder: folder,
            task,
        }
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, auth: &str) {
    let mut stream = BufReader::new(stream);
    let mut say = "220 relay.test".to_owned();
    loop {
        if stream
            .write_all(format!("{say}\r\n").as_bytes())
            .await
            .is_err()
        {
            return;
        }
        let mut line = String::new();
        if !matches!(stream.read_line(&mut line).await, Ok(1..)) {
            return;
        }
        let word: String = line.chars().take(4).collect();
        say = match word.as_str() {
            "EHLO" => "250-relay.test\r\n250 AUTH PLAIN LOGIN".to_owned(),
            "AUTH" => auth.to_owned(),
            "MAIL" if line.contains("stranger@") => "553 5.7.1 sender rejected".to_owned(),
            "MAIL" => "250 2.1.0 ok".to_owned(),
            "QUIT" => "221 bye".to_owned(),
            // Nobody is to be mailed to.
            _ => "554 5.0.0 not here".to_owned(),
        };
    }
}
