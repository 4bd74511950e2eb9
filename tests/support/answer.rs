//! An answer, and the shape in which tests show it.

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName};
use serde_json::{Value, json};

/// A complete answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// A text in the body.
    #[track_caller]
    pub fn field(&self, name: &str) -> String {
        let value = self.json()[name].as_str().map(str::to_owned);
        value.unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    /// Asserts that one field is refused, with exactly this message.
    #[track_caller]
    pub fn assert_refused(&self, field: &str, message: &str) {
        assert_eq!(self.status, 400, "{}", self.shown());
        assert_eq!(self.json(), json!({ field: [message] }));
    }

    /// A header's value; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(|value| value.to_str().unwrap());
        value.unwrap_or_default()
    }

    /// The names of all headers, sorted.
    pub fn header_names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    /// Status and body in one line, with secrets as dots: for snapshots.
    pub fn shown(&self) -> String {
        let body = serde_json::from_slice::<Value>(&self.body).map(|mut body| {
            for secret in ["challenge", "token"] {
                if let Some(value) = body.get_mut(secret).filter(|value| value.is_string()) {
                    *value = Value::from("…");
                }
            }
            body.to_string()
        });
        let body = body.unwrap_or_else(|_| String::from_utf8_lossy(&self.body).into_owned());
        format!("{} {body}", self.status)
    }

    /// Everything but what is different in every answer (id, date) or, being secret, must be: status, header
    /// names, and the body with its secrets replaced. Two answers that tell nothing apart are equal here.
    pub fn outside(&self) -> (u16, Vec<&str>, usize, String) {
        (
            self.status,
            self.header_names(),
            self.body.len(),
            self.shown(),
        )
    }
}
