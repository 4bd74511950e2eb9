//! The state of a connection's current request, for its stream: how much of a head may be read, and
//! whether a client that closes its sending side still gets a response.
//!
//! A connection may always read [`SHORT`] bytes of a head. Longer heads are rare. If more than
//! [`LONG`] of them are incomplete at the same time, the connection of one more is closed, because
//! otherwise a client could fill the memory with incomplete heads.
//!
//! A client that closes its sending side before the response has either disconnected or only
//! finished sending (RFC 9112, section 9.6), as `nc -N` does; the two are indistinguishable. One
//! such request at a time of each peer still gets a response. Others are cancelled at once, with
//! their database work, so that clients that send requests and disconnect cause no more load than
//! one that waits. If the close arrives together with a body, the body is read first.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

use crate::forward::forward;

/// The size of hyper's first read buffer, in bytes.
const SHORT: usize = 8 * 1024;

/// The maximum number of longer heads that are incomplete at the same time; with the allocator's
/// overhead, they take 25 MiB.
const LONG: usize = 1_000;

/// The time to read a body that arrived with the client's close. If it is not complete by then, it
/// never will be.
const LATE: Duration = Duration::from_millis(200);

/// The state shared by all connections. Cheap to clone.
#[derive(Clone)]
pub struct Exchanges {
    long_heads: Arc<Semaphore>,
    /// Peers that have closed their side and still get a response.
    ended: Arc<Mutex<HashSet<IpAddr>>>,
}

impl Default for Exchanges {
    fn default() -> Self {
        Self::new(LONG)
    }
}

/// The state of one connection, shared by its stream and its service.
#[derive(Clone)]
pub struct Exchange {
    state: Arc<Mutex<State>>,
    of: Exchanges,
    peer: IpAddr,
}

struct State {
    phase: Phase,
    /// The number of bytes received of the head of this or the next request.
    head: usize,
    /// The permit of a long head.
    long: Option<OwnedSemaphorePermit>,
    /// Set if the client has closed its side and still gets a response.
    ended: Option<Ended>,
    /// The task to wake when the body is complete.
    waits: Option<Waker>,
}

/// The outcome of a request whose client has closed its side.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// It gets a response.
    Answered,
    /// It is cancelled.
    GivenUp,
    /// Its body may still be complete; that is known soon.
    Open,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waiting for a head.
    Head,
    /// Receiving the request's body.
    Body,
    /// The request is complete and not answered yet.
    Answer,
}

/// A peer whose close does not count as a disconnect, until this is dropped.
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

    /// A new connection of that peer.
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
    /// Records that the request's head is complete.
    pub fn has_head(&self) {
        let mut state = self.state();
        (state.phase, state.head, state.long) = (Phase::Body, 0, None);
    }

    /// Records that the request's body is complete.
    pub fn has_body(&self) {
        let mut state = self.state();
        state.phase = Phase::Answer;
        if let Some(waits) = state.waits.take() {
            waits.wake();
        }
    }

    /// Records that the response starts. Returns whether it is the last, because the client sends
    /// no more.
    #[must_use]
    pub fn answers(&self) -> bool {
        let mut state = self.state();
        state.phase = Phase::Head;
        state.ended.is_some()
    }

    /// Records received bytes. Fails if the head becomes long and there are too many long heads.
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

    /// Records that the client has closed its side. `waits` is woken when the outcome is known.
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

/// A stream whose reads fail if there are too many long heads, and do not end while the client
/// still gets a response.
pub struct Exchanging<S> {
    stream: S,
    exchange: Exchange,
    /// The deadline for a body that arrived with the client's close. Boxed, because it is rare.
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
            // Nothing more will arrive. The response closes the connection.
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
    forward!(write, flush, shutdown);
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
