//! The byte stream under lettre's SMTP connection, with the guards that lettre leaves to it.
//!
//! lettre reads a line of any length before it looks at it, rejects a reply for one byte that is
//! not UTF-8, keeps what it has buffered when TLS starts, and cannot tell afterwards whether
//! the end of data was written. All of that is settled here, below it; the connection is the only
//! user.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

/// The most a relay may say before we speak again. An EHLO answer has some hundred bytes.
const MOST_UNASKED: usize = 8 * 1024;

/// What lettre writes, in one piece, to end a message. Its dot-stuffing keeps every other
/// write from being equal to it.
const END_OF_DATA: &[u8] = b"\r\n.\r\n";

/// A handle on the stream; the connection keeps one and gives lettre the other.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    inner: Arc<Mutex<Inner>>,
    end_of_data_written: Arc<AtomicBool>,
    peer: SocketAddr,
}

#[derive(Debug)]
struct Inner {
    stream: Option<Stream>,
    /// What lettre is to read before anything the relay sends.
    greeting: &'static [u8],
    /// Bytes since we last spoke.
    said: usize,
    /// Until EHLO is answered.
    opening: bool,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    pub(super) fn plain(stream: TcpStream, peer: SocketAddr) -> Self {
        Self::over(Stream::Plain(stream), peer, b"")
    }

    /// TLS from the first byte: the relay greets us.
    pub(super) fn tls(stream: TlsStream<TcpStream>, peer: SocketAddr) -> Self {
        Self::over(Stream::Tls(Box::new(stream)), peer, b"")
    }

    /// TLS after STARTTLS: the relay does not greet us again (RFC 3207 §4.2), though lettre
    /// waits for it.
    pub(super) fn upgraded(stream: TlsStream<TcpStream>, peer: SocketAddr) -> Self {
        Self::over(Stream::Tls(Box::new(stream)), peer, b"220 upgraded\r\n")
    }

    fn over(stream: Stream, peer: SocketAddr, greeting: &'static [u8]) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                stream: Some(stream),
                greeting,
                said: 0,
                opening: true,
            })),
            end_of_data_written: Arc::default(),
            peer,
        }
    }

    /// Takes the TCP stream back to start TLS on it. Whatever lettre has read ahead stays behind
    /// with its connection, so nothing sent before TLS can pass for an answer given under it.
    pub(super) fn take_plain(&self) -> Option<TcpStream> {
        match self.lock().stream.take()? {
            Stream::Plain(stream) => Some(stream),
            Stream::Tls(_) => None,
        }
    }

    /// Set from the moment the end of data is handed to the system. Shared, so that
    /// it can be asked when the connection is gone.
    pub(super) fn end_of_data_written(&self) -> &Arc<AtomicBool> {
        &self.end_of_data_written
    }

    /// EHLO was answered well.
    pub(super) fn opened(&self) {
        self.lock().opening = false;
    }

    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self.lock().stream, Some(Stream::Tls(_)))
    }

    /// The certificate that the other side showed for itself.
    pub(super) fn certificate(&self) -> Option<Vec<u8>> {
        match &self.lock().stream {
            Some(Stream::Tls(stream)) => {
                let shown = stream.get_ref().1.peer_certificates()?;
                Some(shown.first()?.to_vec())
            }
            _ => None,
        }
    }

    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn stream(&mut self) -> io::Result<&mut Stream> {
        self.stream
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.lock();
        if !inner.greeting.is_empty() {
            let (now, later) = inner
                .greeting
                .split_at(inner.greeting.len().min(buf.remaining()));
            buf.put_slice(now);
            inner.greeting = later;
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(match inner.stream()? {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        })?;
        let new = &mut buf.filled_mut()[before..];
        inner.said += new.len();
        if inner.said > MOST_UNASKED {
            return Poll::Ready(Err(io::Error::other("the relay talks without end")));
        }
        // Replies are ASCII (RFC 5321 §4.2) unless asked otherwise. A Latin-1 letter in the text
        // must not cost us the code in front of it.
        if !new.is_ascii() {
            for byte in new.iter_mut().filter(|byte| !byte.is_ascii()) {
                *byte = b'?';
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.lock();
        inner.said = 0;
        // When EHLO is refused, lettre says QUIT and waits for the goodbye before it tells. The
        // refusal is what we want to know, and at once.
        if inner.opening && buf.starts_with(b"QUIT") {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let written = ready!(match inner.stream()? {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        })?;
        // Only what the system has taken can have left: a write that failed sent no end of data.
        if buf == END_OF_DATA && written > 0 {
            self.end_of_data_written.store(true, Ordering::Release);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.lock().stream()? {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.lock().stream()? {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}
