//! Disconnects clients that read their response too slowly.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Sleep, sleep};

use crate::forward::forward;

/// The window in which the pace of a client is measured.
const WINDOW: Duration = Duration::from_secs(10);

/// The minimum number of bytes that it must read in a window: less than 2 KiB/s is slower than any
/// network in use.
const LEAST: usize = 16 * 1024;

/// A stream whose writes fail with [`io::ErrorKind::TimedOut`] if the client reads too slowly. The
/// pace is only measured while a write is blocked.
pub struct Paced<S> {
    stream: S,
    window: Duration,
    /// The current window, while a write is blocked. Boxed, because that is rare.
    until: Option<Pin<Box<Sleep>>>,
    /// The bytes written in the window.
    taken: usize,
}

impl<S> Paced<S> {
    /// Over this stream.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            window: WINDOW,
            until: None,
            taken: 0,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    forward!(read);
}

impl<S: AsyncWrite + Unpin> Paced<S> {
    /// Writes so many bytes, by what writes to the stream.
    fn write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: usize,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = write(Pin::new(&mut self.stream), cx) {
            match &written {
                Ok(taken) if *taken < bytes => self.taken += taken,
                _ => self.until = None,
            }
            return Poll::Ready(written);
        }
        if self.until.is_none() {
            self.taken = 0;
        }
        let window = self.window;
        loop {
            let until = self.until.get_or_insert_with(|| Box::pin(sleep(window)));
            if until.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if self.taken < LEAST {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            (self.until, self.taken) = (None, 0);
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, buf.len(), |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bytes = bufs.iter().map(|buf| buf.len()).sum();
        self.write(cx, bytes, |stream, cx| stream.poll_write_vectored(cx, bufs))
    }

    forward!(flush, shutdown);
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const MIB: usize = 1024 * 1024;

    fn paced(window: Duration) -> (Paced<DuplexStream>, DuplexStream) {
        let (ours, theirs) = duplex(1024);
        let mut paced = Paced::new(ours);
        paced.window = window;
        (paced, theirs)
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_let_go() {
        let (mut ours, _theirs) = paced(Duration::ZERO);

        let written = ours.write_all(&vec![0; MIB]).await;

        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_client_that_takes_a_little_now_and_then_is_let_go() {
        let (mut ours, mut theirs) = paced(Duration::from_millis(1));
        let client = tokio::spawn(async move { while theirs.read_u8().await.is_ok() {} });

        let written = ours.write_all(&vec![0; MIB]).await;

        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
        client.abort();
    }

    #[tokio::test]
    async fn once_all_is_taken_nothing_is_looked_at() {
        let (mut ours, mut theirs) = paced(WINDOW);
        let client = tokio::spawn(async move { theirs.read_exact(&mut [0; 4096]).await });

        ours.write_all(&[0; 4096]).await.unwrap();

        assert!(ours.until.is_none());
        client.await.unwrap().unwrap();
    }
}
