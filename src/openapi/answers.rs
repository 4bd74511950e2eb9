//! Bodies and headers that many answers share, and the answers that any request may get.

use serde::Serialize;
use serde_json::json;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{AdditionalProperties, AnyOfBuilder, ArrayBuilder};
use utoipa::openapi::{
    ComponentsBuilder, Content, Object, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder,
    Schema, Type,
};
use utoipa::{PartialSchema, ToSchema};

/// What was done, in words.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// For a person to read; the words are stable.
    pub message: &'static str,
}

/// A token, and whose it is.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoggedIn {
    /// 40 hexadecimal digits, for `Authorization`. It is told once.
    #[schema(pattern = "^[0-9a-f]{40}$")]
    pub token: String,
    /// The account's number.
    pub user_id: i64,
    /// Its mail address, as it was typed.
    pub email: String,
}

/// A refusal.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Error {
    /// For a person to read.
    #[schema(example = "Invalid OTP")]
    pub error: String,
    /// For a program: stable.
    #[schema(pattern = "^[a-z0-9_]+$", example = "invalid_otp")]
    pub code: String,
}

/// Something that comes before what was asked for: the token, a limit, the body's form.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Detail {
    /// For a person to read.
    #[schema(example = "Not found.")]
    pub detail: String,
    /// For a program: stable.
    #[schema(pattern = "^[a-z0-9_]+$", example = "not_found")]
    pub code: String,
}

/// The name of a schema that no type stands for.
const FIELDS: &str = "Fields";

/// What is wrong with which field; `non_field_errors` are about the body as a whole.
fn fields() -> Schema {
    let message = ArrayBuilder::new()
        .items(Object::with_type(Type::String))
        .min_items(Some(1));
    ObjectBuilder::new()
        .description(Some(
            "What is wrong with which field. `non_field_errors` are about the body as a whole.",
        ))
        .additional_properties(Some(AdditionalProperties::RefOr(message.into())))
        .examples([json!({"email": ["Enter a valid email address."]})])
        .build()
        .into()
}

/// The form of an answer's body.
#[derive(Clone, Copy)]
enum Body {
    /// [`Error`].
    Error,
    /// [`Detail`].
    Detail,
    /// Whichever fits: fields, [`Error`] or [`Detail`].
    Any,
}

impl Body {
    fn content(self) -> Content {
        let reference = |name: &str| RefOr::Ref(Ref::from_schema_name(name));
        let schema: RefOr<Schema> = match self {
            Self::Error => reference("Error"),
            Self::Detail => reference("Detail"),
            Self::Any => [FIELDS, "Error", "Detail"]
                .into_iter()
                .fold(AnyOfBuilder::new(), |any, name| any.item(reference(name)))
                .into(),
        };
        Content::new(Some(schema))
    }
}

/// An answer that many operations have.
struct Shared {
    status: &'static str,
    name: &'static str,
    about: &'static str,
    body: Body,
    /// Its headers beside those of every answer.
    headers: &'static [&'static str],
}

impl Shared {
    const fn new(
        status: &'static str,
        name: &'static str,
        body: Body,
        about: &'static str,
    ) -> Self {
        Self {
            status,
            name,
            about,
            body,
            headers: &[],
        }
    }

    const fn with(self, headers: &'static [&'static str]) -> Self {
        Self { headers, ..self }
    }

    fn response(&self) -> Response {
        let content = self.body.content();
        let mut response = ResponseBuilder::new()
            .description(self.about)
            .content(JSON, content)
            .build();
        add_headers(&mut response, self.headers);
        response
    }
}

const JSON: &str = "application/json";

/// The headers of every answer; that of no other path than a route's has `Allow`.
const ALWAYS: [&str; 4] = [
    "X-Request-Id",
    "Cache-Control",
    "X-Content-Type-Options",
    "Allow",
];

const SHARED: [Shared; 14] = [
    Shared::new(
        "400",
        "BadRequest",
        Body::Any,
        "The body or a field of it is wrong. Nothing was changed.",
    ),
    Shared::new(
        "401",
        "Unauthorized",
        Body::Detail,
        "There is no token, or it is not good any more. This comes before all else that may be wrong.",
    )
    .with(&["WWW-Authenticate"]),
    Shared::new("403", "Forbidden", Body::Error, "The account may not do this yet."),
    Shared::new("404", "NotFound", Body::Detail, "There is no such thing."),
    Shared::new("405", "MethodNotAllowed", Body::Detail, "The path has no such method."),
    Shared::new("408", "BodyTimeout", Body::Detail, "The body did not arrive in time."),
    Shared::new("413", "BodyTooLarge", Body::Detail, "The body has more bytes than are read."),
    Shared::new(
        "414",
        "TargetTooLong",
        Body::Detail,
        "The path and query have more bytes than are read.",
    ),
    Shared::new(
        "415",
        "UnsupportedMediaType",
        Body::Detail,
        "The body is neither JSON, urlencoded nor multipart, or it is compressed.",
    ),
    Shared::new("429", "Throttled", Body::Detail, "A limit was reached. Nothing was changed.")
        .with(&["Retry-After", "RateLimit", "RateLimit-Policy"]),
    Shared::new(
        "431",
        "HeadersTooLarge",
        Body::Detail,
        "The headers are more, or have more bytes, than are read.",
    ),
    Shared::new("500", "Internal", Body::Error, "A mistake of the server."),
    Shared::new(
        "501",
        "UnsupportedTransferCoding",
        Body::Detail,
        "The body is in another transfer coding than `chunked`.",
    ),
    Shared::new("503", "Busy", Body::Error, "The server is busy. Nothing was changed.")
        .with(&["Retry-After"]),
];

/// Of the same form as 503, but waiting is not enough.
const FULL: Shared = Shared::new(
    "507",
    "Full",
    Body::Error,
    "The server has no room left. Nothing was changed.",
)
.with(&["Retry-After"]);

fn shared() -> impl Iterator<Item = &'static Shared> {
    SHARED.iter().chain([&FULL])
}

/// A reference to the answer that many operations have with this status.
#[must_use]
pub fn reference(status: &str) -> Option<RefOr<Response>> {
    let shared = shared().find(|shared| shared.status == status)?;
    Some(RefOr::Ref(Ref::from_response_name(shared.name)))
}

/// Completes an operation's own answer, which may have nothing but a description.
pub fn complete(status: &str, answer: &mut Response) {
    add_headers(answer, &[]);
    let Some(shared) = shared().find(|shared| shared.status == status) else {
        return;
    };
    add_headers(answer, shared.headers);
    if answer.content.is_empty() {
        let content = RefOr::T(shared.body.content());
        answer.content.insert(JSON.to_owned(), content);
    }
}

fn add_headers(answer: &mut Response, more: &[&str]) {
    for name in ALWAYS.iter().chain(more) {
        let header = RefOr::Ref(Ref::new(format!("#/components/headers/{name}")));
        answer.headers.entry((*name).to_owned()).or_insert(header);
    }
}

/// Headers: name, type, an example, and what it says.
const HEADERS: [(&str, Type, &str, &str); 8] = [
    (
        "X-Request-Id",
        Type::String,
        "01JD3M0Q5S8R7V9T2X4Y6Z8A0B",
        "Names the request in the server's records.",
    ),
    (
        "Cache-Control",
        Type::String,
        "no-store",
        "Whether the answer may be stored.",
    ),
    (
        "X-Content-Type-Options",
        Type::String,
        "nosniff",
        "Forbids guessing another type.",
    ),
    (
        "Allow",
        Type::String,
        "POST, OPTIONS",
        "The path's methods.",
    ),
    (
        "WWW-Authenticate",
        Type::String,
        "Token",
        "The scheme to authenticate with.",
    ),
    (
        "Retry-After",
        Type::Integer,
        "60",
        "In how many seconds the same may succeed.",
    ),
    (
        "RateLimit",
        Type::String,
        "\"code-requests\";r=0;t=60",
        "The limit that was reached, what is left of it, and in how many seconds it grants again \
         (draft-ietf-httpapi-ratelimit-headers).",
    ),
    (
        "RateLimit-Policy",
        Type::String,
        "\"code-requests\";q=3;w=60",
        "How much that limit grants in how many seconds.",
    ),
];

/// Adds all of it to the components of a description.
#[must_use]
pub fn components(mut components: ComponentsBuilder) -> ComponentsBuilder {
    for (name, kind, example, about) in HEADERS {
        let minimum = matches!(kind, Type::Integer).then_some(1);
        let schema = ObjectBuilder::new()
            .schema_type(kind)
            .minimum(minimum)
            .examples([example]);
        let header = HeaderBuilder::new()
            .schema(Some(schema))
            .description(Some(about));
        components = components.header(name, header.build());
    }
    for shared in shared() {
        components = components.response(shared.name, shared.response());
    }
    components
        .schema(FIELDS, fields())
        .schema("Error", Error::schema())
        .schema("Detail", Detail::schema())
}
