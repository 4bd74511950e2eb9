//! Closes a connection with unread input gracefully (RFC 9112, section 9.6).
//!
//! Closing a socket with unread input resets the connection, and the client loses the response. So
//! this side is closed for writing first, and further input is read and dropped for a while.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::forward::forward;

/// How long a client may keep sending after the response.
const LINGER_TIMEOUT: Duration = Duration::from_secs(5);

/// The number of bytes to drop at once, and how often before yielding to other tasks.
const DROPPED: usize = 16 * 1024;
const READS: usize = 4;

/// Whether input of the client may be left unread. Shared by the code that detects it and the end
/// of the connection.
#[derive(Clone, Default)]
pub struct Unread(Arc<AtomicBool>);

impl Unread {
    /// Records that input may be left unread.
    pub fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A stream that is closed only after the client has received the response.
pub struct Lingering<S> {
    stream: S,
    unread: Unread,
    timeout: Duration,
    /// The deadline, once this side is closed. Boxed, because it is rare.
    until: Option<Pin<Box<Sleep>>>,
}

impl<S> Lingering<S> {
    /// Wraps a stream, which lingers if unread input was recorded.
    pub fn new(stream: S, unread: Unread) -> Self {
        Self {
            stream,
            unread,
            timeout: LINGER_TIMEOUT,
            until: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    forward!(read);
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    forward!(write, flush);

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self {
            stream,
            unread,
            timeout,
            until,
        } = &mut *self;
        if until.is_none() {
            ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
            if !unread.0.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(()));
            }
        }
        let until = until.get_or_insert_with(|| Box::pin(sleep(*timeout)));
        let mut dropped = [0; DROPPED];
        for _ in 0..READS {
            if until.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut buf = ReadBuf::new(&mut dropped);
            let read = ready!(Pin::new(&mut *stream).poll_read(cx, &mut buf));
            if read.is_err() || buf.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn what_still_comes_is_read_until_the_client_has_ended() {
        let (ours, mut theirs) = duplex(16);
        let unread = Unread::default();
        unread.note();
        let mut stream = Lingering::new(ours, unread);
        let client = async {
            let mut answer = Vec::new();
            theirs.write_all(&[0; 1000]).await.unwrap();
            theirs.read_to_end(&mut answer).await.unwrap();
            theirs.shutdown().await.unwrap();
            answer
        };
        let server = async {
            stream.write_all(b"an answer").await.unwrap();
            stream.shutdown().await.unwrap();
        };

        let (answer, ()) = tokio::join!(client, server);

        assert_eq!(answer, b"an answer");
    }

    #[tokio::test]
    async fn a_client_that_does_not_end_is_left() {
        let (ours, _theirs) = duplex(16);
        let unread = Unread::default();
        unread.note();

        let mut stream = Lingering::new(ours, unread);
        stream.timeout = Duration::from_millis(1);

        stream.shutdown().await.unwrap();
    }

    #[tokio::test]
    async fn where_all_was_read_nothing_is_waited_for() {
        let (ours, _theirs) = duplex(16);
        let mut stream = Lingering::new(ours, Unread::default());

        let ended = futures_util::FutureExt::now_or_never(stream.shutdown());

        assert!(ended.is_some_and(|ended| ended.is_ok()));
    }
}
