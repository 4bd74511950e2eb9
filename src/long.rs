//! Long texts are worked on beside the threads of the runtime, on which other requests wait.

use crate::error::ApiError;

/// The most bytes of text that are worked on at once on a thread of the runtime: the usual request is not handed to
/// another thread, which costs it more than the work.
const AT_ONCE: usize = 64 * 1024;

/// Does work on so many bytes of text.
///
/// # Errors
///
/// [`ApiError::Panicked`], if the other thread did.
pub async fn aside<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    if bytes <= AT_ONCE {
        return Ok(work());
    }
    let working = tokio::task::spawn_blocking(work);
    working.await.map_err(|_| ApiError::Panicked)
}
