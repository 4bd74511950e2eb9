//! Limits the memory of long responses that are being sent.
//!
//! A long response (more than 16 KiB) is passed to its connection in pieces, so that no connection
//! holds a copy of the whole. Until it is sent, its request is in flight ([`crate::in_flight`]).
//! The total memory is bounded: if one more does not fit, the oldest response of the user who holds
//! the most is aborted. The client sees an incomplete response and retries; the request is already
//! done and can't be refused any more. Long responses to anonymous requests are shared documents.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use domain::id::UserId;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

/// The size of a piece, in bytes.
const PIECE: usize = 16 * 1024;

/// The maximum size of all long responses together: those of two users with the maximum of unread
/// responses in flight.
const ALL: usize = 80 * 1024 * 1024;

/// The user of the request, once known, and the guard that ends with it.
pub type Holder = Arc<OnceLock<(UserId, Arc<dyn Any + Send + Sync>)>>;

/// The long responses of users that are not sent yet. Cheap to clone.
#[derive(Clone)]
pub struct Unsent(Arc<Mutex<Answers>>);

struct Answers {
    most: usize,
    held: usize,
    /// The responses of each user, oldest first. Users without any have no entry.
    by_user: HashMap<UserId, VecDeque<Arc<Rest>>>,
}

/// The rest of a response; `None` once it is aborted.
struct Rest {
    length: usize,
    bytes: Mutex<Option<Bytes>>,
}

impl Default for Unsent {
    fn default() -> Self {
        Self::new(ALL)
    }
}

impl Unsent {
    fn new(most: usize) -> Self {
        Self(Arc::new(Mutex::new(Answers {
            most,
            held: 0,
            by_user: HashMap::new(),
        })))
    }

    /// The same response, in pieces if it is long.
    pub fn keep(&self, response: Response, holder: &Holder) -> Response {
        let length = response.body().size_hint().exact().unwrap_or(0);
        if length <= PIECE as u64 {
            return response;
        }
        let (head, mut body) = response.into_parts();
        let body = match body.frame().now_or_never() {
            Some(Some(Ok(frame))) if body.is_end_stream() => match frame.into_data() {
                Ok(bytes) => Body::new(self.pieces(bytes, holder)),
                Err(_) => Body::empty(),
            },
            _ => body,
        };
        Response::from_parts(head, body)
    }

    fn pieces(&self, bytes: Bytes, holder: &Holder) -> Pieces {
        let rest = Arc::new(Rest {
            length: bytes.len(),
            bytes: Mutex::new(Some(bytes)),
        });
        let held = holder.get().map(|(user, slot)| {
            self.answers().add(*user, &rest);
            Held {
                user: *user,
                rest: Arc::clone(&rest),
                of: self.clone(),
                _slot: Arc::clone(slot),
            }
        });
        Pieces {
            left: rest.length,
            rest,
            held,
        }
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers {
    fn add(&mut self, user: UserId, rest: &Arc<Rest>) {
        self.held += rest.length;
        self.by_user
            .entry(user)
            .or_default()
            .push_back(Arc::clone(rest));
        while self.held > self.most && self.break_off(rest) {}
    }

    /// Aborts the oldest response of the user who holds the most, except `but`.
    fn break_off(&mut self, but: &Arc<Rest>) -> bool {
        let bytes =
            |rests: &VecDeque<Arc<Rest>>| rests.iter().map(|rest| rest.length).sum::<usize>();
        let most = self.by_user.iter().max_by_key(|(_, rests)| bytes(rests));
        let Some((user, oldest)) = most.and_then(|(user, rests)| Some((*user, rests.front()?)))
        else {
            return false;
        };
        if Arc::ptr_eq(oldest, but) {
            return false;
        }
        let oldest = Arc::clone(oldest);
        *oldest.bytes() = None;
        self.remove(user, &oldest);
        tracing::warn!(
            user.id = user.0,
            "aborted a long response that the client did not read"
        );
        true
    }

    fn remove(&mut self, user: UserId, rest: &Arc<Rest>) {
        let Some(rests) = self.by_user.get_mut(&user) else {
            return;
        };
        let before = rests.len();
        rests.retain(|other| !Arc::ptr_eq(other, rest));
        if rests.len() < before {
            self.held -= rest.length;
        }
        if rests.is_empty() {
            self.by_user.remove(&user);
        }
    }
}

impl Rest {
    fn bytes(&self) -> MutexGuard<'_, Option<Bytes>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The registration of a user's unsent response, until dropped.
struct Held {
    user: UserId,
    rest: Arc<Rest>,
    of: Unsent,
    _slot: Arc<dyn Any + Send + Sync>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.of.answers().remove(self.user, &self.rest);
    }
}

/// A body in pieces.
struct Pieces {
    left: usize,
    rest: Arc<Rest>,
    held: Option<Held>,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let piece = self.rest.bytes().as_mut().map(|bytes| {
            let piece = bytes.split_to(PIECE.min(bytes.len()));
            // Copied, so that the piece does not keep an aborted response in memory.
            match self.held {
                Some(_) => Bytes::copy_from_slice(&piece),
                None => piece,
            }
        });
        let Some(piece) = piece else {
            return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())));
        };
        self.left -= piece.len();
        if self.left == 0 {
            *self.rest.bytes() = None;
            self.held = None;
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;

    use super::*;

    const LONG: usize = 100 * 1024;

    fn of(user: i64) -> Holder {
        let holder = Holder::default();
        let _ = holder.set((UserId(user), Arc::new(())));
        holder
    }

    fn answer(unsent: &Unsent, holder: &Holder) -> Body {
        let response = Response::new(Body::from(vec![b'x'; LONG]));
        unsent.keep(response, holder).into_body()
    }

    #[tokio::test]
    async fn a_long_answer_is_sent_whole_and_its_request_is_in_flight_until_then() {
        let unsent = Unsent::new(LONG);
        let slot = Arc::new(());
        let holder = Holder::default();
        let _ = holder.set((UserId(1), slot.clone()));

        let mut body = answer(&unsent, &holder);
        drop(holder);
        let announced = body.size_hint().exact();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        let in_flight = Arc::strong_count(&slot) == 2;
        let rest = body.collect().await.unwrap().to_bytes();

        assert_eq!(announced, Some(LONG as u64));
        assert!(in_flight);
        assert_eq!(first.len() + rest.len(), LONG);
        assert_eq!(Arc::strong_count(&slot), 1);
        assert!(unsent.answers().by_user.is_empty(), "nothing is kept");
        assert_eq!(unsent.answers().held, 0);
    }

    #[tokio::test]
    async fn a_document_that_strangers_share_is_not_copied() {
        let document = Bytes::from(vec![b'x'; LONG]);
        let response = Response::new(Body::from(document.clone()));

        let body = Unsent::default().keep(response, &Holder::default());
        let pieces: Vec<Bytes> = body
            .into_body()
            .into_data_stream()
            .try_collect()
            .await
            .unwrap();

        let begin = document.as_ptr_range();
        assert!(pieces.len() > 1);
        assert!(pieces.iter().all(|piece| begin.contains(&piece.as_ptr())));
    }

    #[tokio::test]
    async fn where_one_more_does_not_fit_the_oldest_of_who_holds_the_most_is_broken_off() {
        let unsent = Unsent::new(3 * LONG);
        let of_other = answer(&unsent, &of(1));
        let oldest = answer(&unsent, &of(2));
        let younger = answer(&unsent, &of(2));

        let newest = answer(&unsent, &of(3));

        assert!(oldest.collect().await.is_err());
        for body in [of_other, younger, newest] {
            assert_eq!(body.collect().await.unwrap().to_bytes().len(), LONG);
        }
        assert_eq!(unsent.answers().held, 0);
    }

    #[tokio::test]
    async fn an_answer_that_alone_is_too_much_is_sent() {
        let unsent = Unsent::new(1);

        let body = answer(&unsent, &of(1));

        assert_eq!(body.collect().await.unwrap().to_bytes().len(), LONG);
    }
}
