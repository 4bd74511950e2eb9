//! Shared bodies and headers of responses, and the responses that any request may get.

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::codes::{CODES, Key, named, schema_of};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{AdditionalProperties, AnyOfBuilder, ArrayBuilder};
use utoipa::openapi::{
    ComponentsBuilder, Content, Object, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder,
    Schema, Type,
};

/// A message about what was done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// A message for people; the text is stable.
    pub message: &'static str,
}

/// A session token and its user.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoggedIn {
    /// 40 hexadecimal digits, for `Authorization`. It is sent only once.
    #[schema(pattern = "^[0-9a-f]{40}$")]
    pub token: String,
    /// The account's number.
    pub user_id: i64,
    /// The mail address as typed.
    pub email: String,
}

/// The name of a schema without a Rust type.
const FIELDS: &str = "Fields";

/// The errors of each field; `non_field_errors` are about the body as a whole.
fn fields() -> Schema {
    let message = ArrayBuilder::new()
        .items(Object::with_type(Type::String))
        .min_items(Some(1));
    ObjectBuilder::new()
        .description(Some(
            "The errors of each field. `non_field_errors` are about the body as a whole.",
        ))
        .additional_properties(Some(AdditionalProperties::RefOr(message.into())))
        .examples([json!({"email": ["Enter a valid email address."]})])
        .build()
        .into()
}

/// The schemas of shared refusals, by name, with their codes.
fn schemas() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    let whole = SHARED.iter().filter(|shared| shared.status != "400");
    whole
        .map(|shared| (shared.name, shared.codes))
        .chain([("Unreadable", UNREADABLE), ("InvalidHost", INVALID_HOST)])
}

/// A refusal with one of these codes, all under the same key; by its name, if it has one, else under this title, of which
/// generators of clients make the name of a type, with the operation's before it.
fn refusal(codes: &[&'static str], title: &str) -> Option<RefOr<Schema>> {
    match schemas().find(|(_, named)| *named == codes) {
        Some((name, _)) => Some(RefOr::Ref(Ref::from_schema_name(name))),
        None => schema_of(codes, Some(title)).map(RefOr::T),
    }
}

/// The body of an answer with one of these codes, or `fields`: those with `error`, those with `detail`, and last the
/// fields, since any object of lists would pass for them.
fn refusals(codes: &[&'static str], fields: bool, title: &str) -> Content {
    let of = |wanted: Key| {
        let of_key = CODES.iter().filter(|(_, key, _)| *key == wanted);
        let named = of_key
            .map(|(code, ..)| *code)
            .filter(|code| codes.contains(code));
        refusal(&named.collect::<Vec<_>>(), title)
    };
    let fields = fields.then(|| RefOr::Ref(Ref::from_schema_name(FIELDS)));
    let refusals = [Key::Error, Key::Detail].into_iter().filter_map(of);
    let mut schemas: Vec<RefOr<Schema>> = refusals.chain(fields).collect();
    let schema = if schemas.len() == 1 {
        schemas.remove(0)
    } else {
        let any = schemas
            .into_iter()
            .fold(AnyOfBuilder::new(), AnyOfBuilder::item);
        any.into()
    };
    Content::new(Some(schema))
}

/// A response that many operations share.
struct Shared {
    status: &'static str,
    name: &'static str,
    about: &'static str,
    codes: &'static [&'static str],
    /// Its headers, in addition to those of every response.
    headers: &'static [&'static str],
}

impl Shared {
    const fn new(
        status: &'static str,
        name: &'static str,
        codes: &'static [&'static str],
        about: &'static str,
    ) -> Self {
        Self {
            status,
            name,
            about,
            codes,
            headers: &[],
        }
    }

    const fn with(self, headers: &'static [&'static str]) -> Self {
        Self { headers, ..self }
    }

    fn response(&self) -> Response {
        let content = refusals(self.codes, self.status == "400", self.name);
        let mut response = ResponseBuilder::new()
            .description(self.about)
            .content(JSON, content)
            .build();
        add_headers(&mut response, self.headers);
        response
    }
}

const JSON: &str = "application/json";

/// The headers of every response; only those of routes have `Allow`.
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
        UNREADABLE,
        "The body or a field of it is wrong. Nothing was changed.",
    ),
    Shared::new(
        "401",
        "Unauthorized",
        &[
            "not_authenticated",
            "invalid_token_header",
            "invalid_token",
            "user_inactive",
        ],
        "The token is missing or not valid. This is checked before everything else.",
    )
    .with(&["WWW-Authenticate"]),
    Shared::new(
        "403",
        "Forbidden",
        &["email_not_verified"],
        "The account is not allowed to do this yet.",
    ),
    Shared::new(
        "404",
        "NotFound",
        &["not_found"],
        "The resource does not exist.",
    ),
    Shared::new(
        "405",
        "MethodNotAllowed",
        &["method_not_allowed"],
        "The path does not support this method.",
    ),
    Shared::new(
        "408",
        "BodyTimeout",
        &["body_timeout"],
        "The body did not arrive in time.",
    ),
    Shared::new(
        "413",
        "BodyTooLarge",
        &["body_too_large"],
        "The body is too large.",
    ),
    Shared::new(
        "414",
        "TargetTooLong",
        &["target_too_long"],
        "The path and query are too long.",
    ),
    Shared::new(
        "415",
        "UnsupportedMediaType",
        &["unsupported_media_type", "unsupported_content_encoding"],
        "The body is neither JSON, urlencoded nor multipart, or it is compressed.",
    ),
    Shared::new(
        "429",
        "Throttled",
        &["throttled"],
        "A limit was reached. Nothing was changed.",
    )
    .with(&["Retry-After", "RateLimit", "RateLimit-Policy"]),
    Shared::new(
        "431",
        "HeadersTooLarge",
        &["headers_too_large"],
        "The headers are too many or too large.",
    ),
    Shared::new(
        "500",
        "Internal",
        &["internal"],
        "An internal error of the server.",
    ),
    Shared::new(
        "501",
        "UnsupportedTransferCoding",
        &["unsupported_transfer_coding"],
        "The transfer coding of the body is not `chunked`.",
    ),
    Shared::new(
        "503",
        "Busy",
        &["busy"],
        "The server is busy. Nothing was changed.",
    )
    .with(&["Retry-After"]),
];

/// The codes for a request whose body can't be read.
const UNREADABLE: &[&str] = &["parse_error", "body_incomplete", "invalid_host"];

/// The codes for a request without a body that can't be read.
const INVALID_HOST: &[&str] = &["invalid_host"];

/// Like 503, but waiting alone does not help.
const FULL: Shared = Shared::new(
    "507",
    "Full",
    &["busy"],
    "The server has no disk space left. Nothing was changed.",
)
.with(&["Retry-After"]);

fn shared() -> impl Iterator<Item = &'static Shared> {
    SHARED.iter().chain([&FULL])
}

/// A reference to the shared response with this status.
#[must_use]
pub fn reference(status: &str) -> Option<RefOr<Response>> {
    let shared = shared().find(|shared| shared.status == status)?;
    Some(RefOr::Ref(Ref::from_response_name(shared.name)))
}

/// Completes a response of an operation, which may have only a description that names its codes and
/// `Fields`.
pub fn complete(status: &str, answer: &mut Response, has_body: bool) {
    add_headers(answer, &[]);
    let shared = shared().find(|shared| shared.status == status);
    add_headers(answer, shared.map_or(&[], |shared| shared.headers));
    if !answer.content.is_empty() || !status.starts_with(['4', '5']) {
        return;
    }
    let mut codes = named(&answer.description);
    let is_bad = status == "400";
    if is_bad {
        codes.extend(if has_body {
            UNREADABLE
        } else {
            &["invalid_host"]
        });
    } else if codes.is_empty() {
        codes.extend(shared.map_or(&[][..], |shared| shared.codes));
    }
    if !codes.is_empty() {
        let title = if is_bad {
            "Refused".to_owned()
        } else {
            format!("Refused{status}")
        };
        let fields = is_bad && (has_body || answer.description.contains("`Fields`"));
        let content = RefOr::T(refusals(&codes, fields, &title));
        answer.content.insert(JSON.to_owned(), content);
    }
}

fn add_headers(answer: &mut Response, more: &[&str]) {
    for name in ALWAYS.iter().chain(more) {
        let header = RefOr::Ref(Ref::new(format!("#/components/headers/{name}")));
        answer.headers.entry((*name).to_owned()).or_insert(header);
    }
}

/// Headers: name, type, example and description.
const HEADERS: [(&str, Type, &str, &str); 8] = [
    (
        "X-Request-Id",
        Type::String,
        "01JD3M0Q5S8R7V9T2X4Y6Z8A0B",
        "The id of the request in the server's logs.",
    ),
    (
        "Cache-Control",
        Type::String,
        "no-store",
        "Whether the response may be stored.",
    ),
    (
        "X-Content-Type-Options",
        Type::String,
        "nosniff",
        "Forbids content type sniffing.",
    ),
    (
        "Allow",
        Type::String,
        "POST, OPTIONS",
        "The methods of the path.",
    ),
    (
        "WWW-Authenticate",
        Type::String,
        "Token",
        "The authentication scheme.",
    ),
    (
        "Retry-After",
        Type::Integer,
        "60",
        "The seconds after which a retry may succeed.",
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
        "The quota and window of that limit.",
    ),
];

/// Adds these to the components of a description.
#[must_use]
pub fn components(mut components: ComponentsBuilder) -> ComponentsBuilder {
    for (name, kind, example, about) in HEADERS {
        let minimum = matches!(kind, Type::Integer).then_some(1);
        let example = match example.parse::<u64>() {
            Ok(number) if minimum.is_some() => json!(number),
            _ => json!(example),
        };
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
    for (name, codes) in schemas() {
        if let Some(schema) = schema_of(codes, None) {
            components = components.schema(name, schema);
        }
    }
    components.schema(FIELDS, fields())
}
