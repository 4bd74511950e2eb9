//! Units of work from closures, and one that holds the writer up.

use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use domain::store::{Store, StoreError, Tx, Write};
use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// A unit of work that does what the closure says.
pub struct Unit<T, F>(F, PhantomData<fn() -> T>);

/// A unit of work from a closure; it may be called twice, as the port says.
pub fn unit<T, F>(work: F) -> Unit<T, F>
where
    T: Send + 'static,
    F: for<'a> Fn(&'a mut (dyn Tx + 'a)) -> BoxFuture<'a, Result<T, StoreError>>
        + Send
        + Sync
        + 'static,
{
    Unit(work, PhantomData)
}

#[async_trait]
impl<T, F> Write for Unit<T, F>
where
    T: Send + 'static,
    F: for<'a> Fn(&'a mut (dyn Tx + 'a)) -> BoxFuture<'a, Result<T, StoreError>>
        + Send
        + Sync
        + 'static,
{
    type Out = T;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<T, StoreError> {
        (self.0)(tx).await
    }
}

/// An error that a unit of work fails with on purpose.
pub fn failure() -> StoreError {
    StoreError::Backend("on purpose".into())
}

/// A unit of work that stands still inside its transaction until it is told to go on.
struct Hold {
    begun: Arc<Notify>,
    go_on: Arc<Notify>,
}

#[async_trait]
impl Write for Hold {
    type Out = ();

    async fn apply(&self, _: &mut dyn Tx) -> Result<(), StoreError> {
        self.begun.notify_one();
        self.go_on.notified().await;
        // It may be run again, if one that has joined its transaction fails.
        self.go_on.notify_one();
        Ok(())
    }
}

/// The writer, held up: what is written meanwhile waits, and goes into one group.
pub struct HeldUp {
    go_on: Arc<Notify>,
    hold: JoinHandle<Result<(), StoreError>>,
}

impl HeldUp {
    /// Returns once the writer stands inside a transaction.
    pub async fn writer_of(store: &Store) -> Self {
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let hold = Hold {
            begun: Arc::clone(&begun),
            go_on: Arc::clone(&go_on),
        };
        let store = store.clone();
        let hold = tokio::spawn(async move { store.write(hold).await });
        begun.notified().await;
        Self { go_on, hold }
    }

    /// Lets the writer go on.
    pub async fn let_go(self) {
        self.go_on.notify_one();
        self.hold.await.unwrap().unwrap();
    }
}
