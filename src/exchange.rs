//! What a connection is doing, as far as its stream has to know: how much of a head it may read, and whether a client that
//! ends its side is still answered.
//!
//! A connection may read [`SHORT`] bytes of a head in any case. Longer heads are rare. Where more of them than [`LONG`] are
//! incomplete at once, the connection of one more is closed: otherwise a client could fill the memory with heads that
//! never end.
//!
//! A client that ends its side before it is answered has hung up, or only says that it sends no more (RFC 9112, section
//! 9.6), as `nc -N` does; nothing tells which. One request at a time of each peer is answered all the same. Others are
//! given up at once, with what the database does for them: clients that send requests and hang up get no more done than
//! one that waits. Where the end comes together with a body, that body is taken in first.

use std::collections::HashSet;
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

/// The bytes that hyper has room for from the first read on.
const SHORT: usize = 8 * 1024;

/// How many longer heads may be incomplete at once: with what the allocator loses, they take 25 MiB.
const LONG: usize = 1_000;

/// How long a body that has come with the client's end may take to be taken in. One that is not complete by then will
/// never be.
const LATE: Duration = Duration::from_millis(200);

/// What all connections share. Cheap to clone.
#[derive(Clone)]
pub struct Exchanges {
    long_heads: Arc<Semaphore>,
    /// Peers that have ended their side and are answered.
    ended: Arc<Mutex<HashSet<IpAddr>>>,
}

impl Default for Exchanges {
    fn default() -> Self {
        Self::new(LONG)
    }
}

/// What one connection is doing. Shared by its stream and by what answers its requests.
#[derive(Clone)]
pub struct Exchange {
    state: Arc<Mutex<State>>,
    of: Exchanges,
    peer: IpAddr,
}

struct State {
    phase: Phase,
    /// The bytes of a head that have come: of this request, or of the next.
    head: usize,
    /// That it is a long one.
    long: Option<OwnedSemaphorePermit>,
    /// That the client has ended its side, and is answered.
    ended: Option<Ended>,
    /// Whom to wake once the body is complete.
    waits: Option<Waker>,
}

/// What becomes of a request whose client has ended its side.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// It is answered.
    Answered,
    /// It is given up.
    GivenUp,
    /// Its body may be complete: that is known soon.
    Open,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A head may come.
    Head,
    /// What comes is the request's body.
    Body,
    /// The request is complete, and not answered yet.
    Answer,
}

/// A peer whose end is not taken for a hang-up, until this is dropped.
struct Ended(Exchanges, IpAddr);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.ended().remove(&self.1);
    }
}

impl Exchanges {
    fn new(long: usize) -> Self {
        Self {
            long_heads: Arc::new(Semaphore::new(long)),
            ended: Arc::default(),
        }
    }

    /// A connection of that peer, on which nothing has come yet.
    #[must_use]
    pub fn with(&self, peer: IpAddr) -> Exchange {
        let state = State {
            phase: Phase::Head,
            head: 0,
            long: None,
            ended: None,
            waits: None,
        };
        Exchange {
            state: Arc::new(Mutex::new(state)),
            of: self.clone(),
            peer,
        }
    }

    fn ended(&self) -> MutexGuard<'_, HashSet<IpAddr>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Exchange {
    /// A request's head is complete.
    pub fn has_head(&self) {
        let mut state = self.state();
        (state.phase, state.head, state.long) = (Phase::Body, 0, None);
    }

    /// So is its body.
    pub fn has_body(&self) {
        let mut state = self.state();
        state.phase = Phase::Answer;
        if let Some(waits) = state.waits.take() {
            waits.wake();
        }
    }

    /// Its answer begins. Whether it is the last, since the client sends no more.
    #[must_use]
    pub fn answers(&self) -> bool {
        let mut state = self.state();
        state.phase = Phase::Head;
        state.ended.is_some()
    }

    /// So many bytes have come. Fails if that makes it a long head and there are too many.
    fn read(&self, bytes: usize) -> io::Result<()> {
        let mut state = self.state();
        if state.phase == Phase::Body {
            return Ok(());
        }
        state.head += bytes;
        if state.head > SHORT && state.long.is_none() {
            let permit = Arc::clone(&self.of.long_heads).try_acquire_owned();
            state.long = Some(permit.map_err(|_| io::Error::other("too many long heads"))?);
        }
        Ok(())
    }

    /// The client has ended its side. `waits`: whom to wake when more is known.
    fn ends(&self, waits: &Waker) -> End {
        let mut state = self.state();
        if state.phase == Phase::Body {
            state.waits = Some(waits.clone());
            return End::Open;
        }
        let asks = state.phase == Phase::Answer && state.ended.is_none();
        if asks && self.of.ended().insert(self.peer) {
            state.ended = Some(Ended(self.of.clone(), self.peer));
        }
        if state.ended.is_some() {
            End::Answered
        } else {
            End::GivenUp
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream whose reads fail where a head would be one too many, and do not end where the client is still answered.
pub struct Exchanging<S> {
    stream: S,
    exchange: Exchange,
    /// Until when a body may be complete that came with the client's end. In a box, since few do.
    late: Option<Pin<Box<Sleep>>>,
}

impl<S> Exchanging<S> {
    /// Over this stream of that connection.
    pub fn new(stream: S, exchange: Exchange) -> Self {
        Self {
            stream,
            exchange,
            late: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Exchanging<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let bytes = buf.filled().len() - before;
        if bytes > 0 {
            return Poll::Ready(self.exchange.read(bytes));
        }
        match self.exchange.ends(cx.waker()) {
            // Nothing more will come. Its answer closes the connection.
            End::Answered => Poll::Pending,
            End::GivenUp => Poll::Ready(Ok(())),
            End::Open => (self.late)
                .get_or_insert_with(|| Box::pin(sleep(LATE)))
                .as_mut()
                .poll(cx)
                .map(Ok),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Exchanging<S> {
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
    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, Empty, Repeat};

    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// A connection on which endless bytes come.
    fn connection(all: &Exchanges) -> (Exchange, Exchanging<Repeat>) {
        let exchange = all.with(PEER);
        let stream = Exchanging::new(tokio::io::repeat(b'x'), exchange.clone());
        (exchange, stream)
    }

    /// Whether so many bytes can be read.
    async fn reads(stream: &mut Exchanging<Repeat>, bytes: usize) -> bool {
        stream.read_exact(&mut vec![0; bytes]).await.is_ok()
    }

    #[tokio::test]
    async fn short_heads_are_read_however_many_long_ones_there_are() {
        let (_exchange, mut stream) = connection(&Exchanges::new(0));

        assert!(reads(&mut stream, SHORT).await);
        assert!(!reads(&mut stream, 1).await);
    }

    #[tokio::test]
    async fn a_head_that_is_complete_or_gone_makes_room_for_another() {
        let all = Exchanges::new(1);
        let (exchange, mut first) = connection(&all);
        let (_, mut second) = connection(&all);
        let (_, mut third) = connection(&all);
        let (_, mut fourth) = connection(&all);

        assert!(reads(&mut first, 2 * SHORT).await);
        assert!(!reads(&mut second, 2 * SHORT).await);
        exchange.has_head();
        assert!(reads(&mut third, 2 * SHORT).await);
        drop(third);
        assert!(reads(&mut fourth, 2 * SHORT).await);
    }

    #[tokio::test]
    async fn what_comes_of_a_body_is_no_head() {
        let (exchange, mut stream) = connection(&Exchanges::new(0));

        exchange.has_head();
        assert!(reads(&mut stream, 10 * SHORT).await);
        exchange.has_body();
        assert!(!exchange.answers());
        assert!(reads(&mut stream, SHORT).await);
        assert!(!reads(&mut stream, SHORT).await);
    }

    /// A connection whose client has ended its side.
    fn ended(all: &Exchanges, peer: IpAddr) -> (Exchange, Exchanging<Empty>) {
        let exchange = all.with(peer);
        let stream = Exchanging::new(tokio::io::empty(), exchange.clone());
        (exchange, stream)
    }

    /// Whether the end is told.
    fn is_told(stream: &mut Exchanging<Empty>) -> bool {
        stream.read_u8().now_or_never().is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_before_a_request_is_complete_or_after_its_answer_is_told() {
        let (exchange, mut stream) = ended(&Exchanges::default(), PEER);

        assert!(is_told(&mut stream));
        exchange.has_head();
        assert!(!is_told(&mut stream), "its body may be there");
        tokio::time::advance(LATE).await;
        assert!(is_told(&mut stream));
        exchange.has_body();
        assert!(!exchange.answers());
        assert!(is_told(&mut stream));
    }

    #[tokio::test]
    async fn a_body_that_came_with_the_end_is_answered() {
        let (exchange, mut stream) = ended(&Exchanges::default(), PEER);
        exchange.has_head();

        assert!(!is_told(&mut stream));
        exchange.has_body();

        assert!(!is_told(&mut stream));
        assert!(exchange.answers());
    }

    #[test]
    fn one_request_of_each_peer_outlasts_its_clients_end() {
        let all = Exchanges::default();
        let other = IpAddr::from([192, 0, 2, 1]);
        let mut connections = [PEER, PEER, other].map(|peer| ended(&all, peer));
        for (exchange, _) in &connections {
            exchange.has_head();
            exchange.has_body();
        }

        let told = connections.each_mut().map(|(_, stream)| is_told(stream));
        let [first, mut second, _third] = connections;
        assert_eq!(told, [false, true, false]);
        assert!(first.0.answers(), "its answer is the last");
        drop(first);
        assert!(!is_told(&mut second.1));
    }
}
