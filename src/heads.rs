//! How much of requests' heads is held in memory before they are complete.
//!
//! Each connection may read [`SHORT`] bytes of a head, for which it has room in any case. Longer heads are rare. Where
//! more of them than [`LONG`] are incomplete at once, the connection of one more is closed: otherwise a client could
//! fill the memory with heads that never end.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The bytes that hyper has room for from the first read on.
const SHORT: usize = 8 * 1024;

/// How many longer heads may be incomplete at once: with what the allocator loses, they take 25 MiB.
const LONG: usize = 1_000;

/// The long heads of all connections. Cheap to clone.
#[derive(Clone)]
pub struct LongHeads(Arc<Semaphore>);

impl Default for LongHeads {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LONG)))
    }
}

/// The head that a connection reads, if it reads one. Shared by its stream and by what answers its requests.
#[derive(Clone)]
pub struct Head {
    progress: Arc<Mutex<Progress>>,
    long: LongHeads,
}

enum Progress {
    /// So many bytes have come.
    Arriving(usize, Option<OwnedSemaphorePermit>),
    /// What comes is the request's body.
    Complete,
}

impl Head {
    /// The first of a connection.
    #[must_use]
    pub fn new(long: &LongHeads) -> Self {
        Self {
            progress: Arc::new(Mutex::new(Progress::Arriving(0, None))),
            long: long.clone(),
        }
    }

    /// All of it has come.
    pub fn complete(&self) {
        *self.progress() = Progress::Complete;
    }

    /// Its request is answered: what comes is the next one's.
    pub fn next(&self) {
        *self.progress() = Progress::Arriving(0, None);
    }

    /// So many bytes have come. Fails if that makes it a long head and there are too many.
    fn read(&self, bytes: usize) -> io::Result<()> {
        let Progress::Arriving(read, long) = &mut *self.progress() else {
            return Ok(());
        };
        *read += bytes;
        if *read > SHORT && long.is_none() {
            let permit = Arc::clone(&self.long.0).try_acquire_owned();
            *long = Some(permit.map_err(|_| io::Error::other("too many long heads"))?);
        }
        Ok(())
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream whose reads fail where a head would be one too many.
pub struct Bounded<S> {
    stream: S,
    head: Head,
}

impl<S> Bounded<S> {
    /// Over this stream, on which this head comes.
    pub fn new(stream: S, head: Head) -> Self {
        Self { stream, head }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        Poll::Ready(self.head.read(buf.filled().len() - before))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
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
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    /// A connection on which endless bytes come.
    fn connection(long: &LongHeads) -> (Head, Bounded<tokio::io::Repeat>) {
        let head = Head::new(long);
        (head.clone(), Bounded::new(tokio::io::repeat(b'x'), head))
    }

    /// Whether so many bytes can be read.
    async fn reads(stream: &mut Bounded<tokio::io::Repeat>, bytes: usize) -> bool {
        stream.read_exact(&mut vec![0; bytes]).await.is_ok()
    }

    #[tokio::test]
    async fn short_heads_are_read_however_many_long_ones_there_are() {
        let long = LongHeads(Arc::new(Semaphore::new(0)));
        let (_head, mut stream) = connection(&long);

        assert!(reads(&mut stream, SHORT).await);
        assert!(!reads(&mut stream, 1).await);
    }

    #[tokio::test]
    async fn a_head_that_is_complete_or_gone_makes_room_for_another() {
        let long = LongHeads(Arc::new(Semaphore::new(1)));
        let (head, mut first) = connection(&long);
        let (_, mut second) = connection(&long);
        let (_, mut third) = connection(&long);
        let (_, mut fourth) = connection(&long);

        assert!(reads(&mut first, 2 * SHORT).await);
        assert!(!reads(&mut second, 2 * SHORT).await);
        head.complete();
        assert!(reads(&mut third, 2 * SHORT).await);
        drop(third);
        assert!(reads(&mut fourth, 2 * SHORT).await);
    }

    #[tokio::test]
    async fn what_comes_of_a_body_is_no_head() {
        let long = LongHeads(Arc::new(Semaphore::new(0)));
        let (head, mut stream) = connection(&long);

        head.complete();
        assert!(reads(&mut stream, 10 * SHORT).await);
        head.next();
        assert!(reads(&mut stream, SHORT).await);
        assert!(!reads(&mut stream, SHORT).await);
    }
}
