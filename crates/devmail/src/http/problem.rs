//! The errors of a request, with their status codes and JSON.
//!
//! Separate from the handlers so that every error has Mailpit's format, `{"Error": …}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// The reason why a request failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("{0}")]
    Bad(String),
    #[error("{0}")]
    NotFound(&'static str),
    #[error("this page does not support that method")]
    Method,
    #[error("requests must name this machine as Host, such as localhost, not {0:?}")]
    Host(String),
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Bad(_) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Host(_) => StatusCode::FORBIDDEN,
        };
        (status, Json(json!({ "Error": self.to_string() }))).into_response()
    }
}
