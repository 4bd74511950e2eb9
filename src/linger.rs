//! The end of a connection on which not all was read (RFC 9112, section 9.6).
//!
//! To close a socket with bytes in it that nobody has read resets the connection, and the client loses the answer that
//! says why. So our side is closed first, and what still comes is read and dropped for a while.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// For how long a client may go on sending after its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// So much is read and dropped at once, and so often before others have their turn.
const DROPPED: usize = 16 * 1024;
const READS: usize = 4;

/// Whether bytes of the client may be left that nobody reads. Shared by who finds out and by the connection's end.
#[derive(Clone, Default)]
pub struct Unread(Arc<AtomicBool>);

impl Unread {
    /// Notes that there may be.
    pub fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A stream that is not closed before its client has taken the answer.
pub struct Lingering<S> {
    stream: S,
    unread: Unread,
    patience: Duration,
    /// Until when, once our side is closed. In a box, since few connections end like this.
    until: Option<Pin<Box<Sleep>>>,
}

impl<S> Lingering<S> {
    /// Over this stream; it lingers if bytes are noted to be left.
    pub fn new(stream: S, unread: Unread) -> Self {
        Self {
            stream,
            unread,
            patience: PATIENCE,
            until: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self {
            stream,
            unread,
            patience,
            until,
        } = &mut *self;
        if until.is_none() {
            ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
            if !unread.0.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(()));
            }
        }
        let until = until.get_or_insert_with(|| Box::pin(sleep(*patience)));
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
        stream.patience = Duration::from_millis(1);

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
