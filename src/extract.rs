//! Parses a request's body into fields: JSON, urlencoded or multipart. `crate::buffer` reads it
//! into memory.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{FromRequest, Request};
use axum::http::{Extensions, HeaderMap, header};
use bytes::Bytes;
use futures_util::FutureExt;
use percent_encoding::percent_decode;
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::json::{JsonObject, JsonValue, VALUES};
use crate::long::aside;

const JSON: &str = "application/json";

/// JSON with the members to change (RFC 7396).
const MERGE_PATCH: &str = "application/merge-patch+json";

/// The byte order mark that some clients write before a document (RFC 8259, section 8.1).
const BOM: &[u8] = "\u{feff}".as_bytes();

/// The body that `crate::buffer` read; it can be taken once.
#[derive(Clone)]
pub struct Body(Arc<Mutex<Option<Result<Bytes, ApiError>>>>);

impl Body {
    /// A body, or the error of reading it.
    #[must_use]
    pub fn new(read: Result<Bytes, ApiError>) -> Self {
        Self(Arc::new(Mutex::new(Some(read))))
    }

    fn take(&self) -> Option<Result<Bytes, ApiError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The length of a request's body that was not taken yet.
#[must_use]
pub fn length(extensions: &Extensions) -> usize {
    let Some(Body(body)) = extensions.get() else {
        return 0;
    };
    match &*body.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(Ok(body)) => body.len(),
        _ => 0,
    }
}

/// The fields of a body by name. In forms every value is text, except that of `LIST`. If a name
/// occurs several times, the last value wins, in JSON as well.
#[derive(Debug)]
pub struct Fields(pub JsonObject);

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        Self::of(request.extensions(), request.headers()).await
    }
}

impl Fields {
    /// Takes the body of a request with this head and parses its fields.
    pub async fn of(extensions: &Extensions, headers: &HeaderMap) -> Result<Self, ApiError> {
        let body = extensions.get::<Body>().and_then(Body::take);
        let body = body.unwrap_or_else(|| Ok(Bytes::new()))?;
        if body.is_empty() {
            return Ok(Self(JsonObject::new()));
        }
        if let Some(coding) = coding(headers) {
            return Err(ApiError::UnsupportedContentEncoding(coding));
        }
        let sent = content_type(headers);
        match media(&sent).as_str() {
            JSON | MERGE_PATCH => json(body).await,
            "application/x-www-form-urlencoded" => {
                aside(body.len(), move || urlencoded(&body)).await?
            }
            "multipart/form-data" => aside(body.len(), move || multipart(&sent, body)).await?,
            _ => Err(ApiError::UnsupportedMediaType(sent)),
        }
    }
}

/// The field that is a list. A form contains it once for each item, as `tags`, `tags[]` or
/// `tags[0]`.
const LIST: &str = "tags";

/// Adds a field of a form. An empty item means an empty list.
fn add(fields: &mut JsonObject, name: String, value: String) {
    let item_of = name
        .split_once('[')
        .filter(|(_, index)| {
            let index = index.strip_suffix(']');
            index.is_some_and(|index| index.bytes().all(|digit| digit.is_ascii_digit()))
        })
        .map_or(name.as_str(), |(list, _)| list);
    if item_of != LIST {
        fields.insert(name, JsonValue::Text(value));
        return;
    }
    let list = fields
        .entry(LIST.to_owned())
        .or_insert_with(|| JsonValue::List(Vec::new()));
    if let JsonValue::List(items) = list
        && !value.is_empty()
    {
        items.push(JsonValue::Text(value));
    }
}

/// A body byte for byte, whatever its type, for signed requests. The error is left to the handler,
/// which checks the signature first.
#[derive(Debug)]
pub struct Exact(pub Result<Bytes, ApiError>);

impl<S: Send + Sync> FromRequest<S> for Exact {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        let body = request.extensions().get::<Body>().and_then(Body::take);
        Ok(Self(body.unwrap_or_else(|| Ok(Bytes::new()))))
    }
}

/// Whether the body is declared as JSON, whose values have types; those of forms are all texts.
#[must_use]
pub fn is_json(headers: &HeaderMap) -> bool {
    [JSON, MERGE_PATCH].contains(&media(&content_type(headers)).as_str())
}

/// The media type without its parameters.
fn media(content_type: &str) -> String {
    let media = content_type.split(';').next().unwrap_or_default();
    media.trim().to_ascii_lowercase()
}

fn content_type(headers: &HeaderMap) -> String {
    headers
        .get(header::CONTENT_TYPE)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .unwrap_or_default()
}

/// The content coding of the body, if any (RFC 9110, section 8.4).
fn coding(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(header::CONTENT_ENCODING).iter();
    let codings: Vec<_> = lines
        .map(|line| {
            String::from_utf8_lossy(line.as_bytes())
                .trim()
                .to_ascii_lowercase()
        })
        .filter(|line| line != "identity" && !line.is_empty())
        .collect();
    (!codings.is_empty()).then(|| codings.join(", "))
}

async fn json(body: Bytes) -> Result<Fields, ApiError> {
    let length = body.len();
    let parse = move || JsonValue::parse(body.strip_prefix(BOM).unwrap_or(&body));
    let read = aside(length, parse).await?;
    let sent = read.map_err(|error| ApiError::UnreadableBody {
        detail: format!("JSON parse error - {error}"),
        code: "parse_error",
    })?;
    let kind = match sent {
        JsonValue::Object(fields) => return Ok(Fields(fields)),
        JsonValue::Null => return Err(not_an_object("No data provided")),
        JsonValue::List(_) => "list",
        JsonValue::Text(_) | JsonValue::LoneSurrogate(_) => "str",
        JsonValue::Bool(_) => "bool",
        JsonValue::Number(number) if number.is_f64() => "float",
        JsonValue::Number(_) => "int",
    };
    Err(not_an_object(&format!(
        "Invalid data. Expected a dictionary, but got {kind}."
    )))
}

fn not_an_object(message: &str) -> ApiError {
    let mut errors = Map::new();
    errors.insert("non_field_errors".to_owned(), Value::from(vec![message]));
    ApiError::Fields(errors)
}

/// Parses an urlencoded form. Invalid UTF-8 is refused: with a replacement character, two different
/// passwords could become equal.
fn urlencoded(body: &[u8]) -> Result<Fields, ApiError> {
    let mut fields = JsonObject::new();
    let pairs = body.split(|byte| *byte == b'&');
    for (n, pair) in pairs.filter(|pair| !pair.is_empty()).enumerate() {
        not_too_many(n)?;
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = form_text(halves.next().unwrap_or_default())?;
        let value = form_text(halves.next().unwrap_or_default())?;
        add(&mut fields, name, value);
    }
    Ok(Fields(fields))
}

/// Limits the fields of a form to the number of values of a JSON document.
fn not_too_many(before: usize) -> Result<(), ApiError> {
    if before < VALUES {
        return Ok(());
    }
    Err(ApiError::UnreadableBody {
        detail: format!("The form has more than {VALUES} fields."),
        code: "parse_error",
    })
}

/// A name or value of an urlencoded form (WHATWG URL, section 5.1).
fn form_text(encoded: &[u8]) -> Result<String, ApiError> {
    let spaced: Vec<u8> = encoded
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    text(percent_decode(&spaced).collect())
}

fn text(bytes: Vec<u8>) -> Result<String, ApiError> {
    String::from_utf8(bytes).map_err(|_| ApiError::UnreadableBody {
        detail: "The form is not UTF-8.".to_owned(),
        code: "parse_error",
    })
}

fn unreadable(why: &str) -> ApiError {
    ApiError::UnreadableBody {
        detail: format!("Multipart form parse error - {why}"),
        code: "parse_error",
    }
}

/// The text parts; files are ignored, because no route uses them.
///
/// An incomplete body is refused. The service that this one replaces treated it as empty: with only
/// optional fields, it would change nothing and still report success.
fn multipart(content_type: &str, body: Bytes) -> Result<Fields, ApiError> {
    // The whole body is in memory, so nothing has to be awaited.
    let read = parts_of(content_type, body).now_or_never();
    read.unwrap_or_else(|| Err(unreadable("it never ends")))
}

async fn parts_of(content_type: &str, body: Bytes) -> Result<Fields, ApiError> {
    let boundary = multer::parse_boundary(content_type)
        .map_err(|_| unreadable("Invalid boundary in multipart: None"))?;
    let broken = |error: multer::Error| unreadable(&error.to_string());
    let stream = futures_util::stream::once(async { Ok::<_, std::io::Error>(body) });
    let mut parts = multer::Multipart::new(stream, boundary);
    let mut fields = JsonObject::new();
    let mut n = 0;
    while let Some(part) = parts.next_field().await.map_err(broken)? {
        not_too_many(n)?;
        n += 1;
        let Some(name) = part.name().map(str::to_owned) else {
            continue;
        };
        if part.file_name().is_some() {
            continue;
        }
        let value = part.bytes().await.map_err(broken)?;
        add(&mut fields, name, text(value.to_vec())?);
    }
    Ok(Fields(fields))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use axum::http::HeaderValue;

    use super::*;

    /// Whether another task of the same thread had its turn while a body was read. The one thread beside it has something
    /// to do until then.
    fn others_go_on_while_reading(media: &'static str, body: String) -> bool {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.max_blocking_threads(1).build().unwrap();
        let (turn, had) = std::sync::mpsc::channel();
        let went_on = Arc::new(AtomicBool::new(false));
        let other = Arc::clone(&went_on);
        let mut extensions = Extensions::new();
        extensions.insert(Body::new(Ok(body.into())));
        let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(media))];

        runtime.block_on(async move {
            tokio::task::spawn_blocking(move || had.recv());
            let other = tokio::spawn(async move {
                other.store(true, Ordering::Relaxed);
                turn.send(()).unwrap();
            });
            let read = Fields::of(&extensions, &HeaderMap::from_iter(headers)).await;
            let went_on = went_on.load(Ordering::Relaxed);
            other.await.unwrap();
            assert_eq!(read.unwrap().0.len(), 1);
            went_on
        })
    }

    #[test]
    fn the_other_tasks_of_a_thread_do_not_wait_for_a_long_body_in_whatever_form() {
        const PARTS: &str = "multipart/form-data; boundary=x";
        const FORM: &str = "application/x-www-form-urlencoded";
        let part = |value| {
            format!("--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n{value}\r\n--x--")
        };
        let long = "y".repeat(200_000);

        for (media, body, short) in [
            (
                JSON,
                format!("{{\"a\":\"{long}\"}}"),
                "{\"a\":1}".to_owned(),
            ),
            (FORM, format!("a={long}"), "a=1".to_owned()),
            (PARTS, part(long.as_str()), part("1")),
        ] {
            assert!(others_go_on_while_reading(media, body), "{media}");
            assert!(!others_go_on_while_reading(media, short), "{media}");
        }
    }
}
