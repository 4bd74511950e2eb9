//! Processes long texts outside the runtime's threads, so that other requests do not wait.

use crate::error::ApiError;

/// The maximum length of a text that is processed on a thread of the runtime, in bytes: for a usual
/// request, moving to another thread costs more than the work.
const AT_ONCE: usize = 64 * 1024;

/// Runs the work on a text of this length.
///
/// # Errors
///
/// [`ApiError::Panicked`] if the work panicked.
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
