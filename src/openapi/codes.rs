//! The codes of refusals, and the schema of a refusal: a text for people and a code for programs.

use serde_json::json;
use utoipa::openapi::schema::AdditionalProperties;
use utoipa::openapi::{ObjectBuilder, Schema, Type};

/// The key of a refusal's text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// The request itself is refused.
    Error,
    /// A precondition failed: the token, a limit, the format of the body.
    Detail,
}

use Key::{Detail, Error};

/// Every code of a refusal that has only a text and a code, with an example of the text.
pub(super) const CODES: [(&str, Key, &str); 31] = [
    ("email_required", Error, "Email is required"),
    (
        "login_fields_required",
        Error,
        "Please provide both login and password",
    ),
    (
        "reset_fields_required",
        Error,
        "Email, OTP and new password are required",
    ),
    ("otp_required", Error, "OTP is required"),
    ("invalid_otp", Error, "Invalid OTP"),
    ("invalid_credentials", Error, "Invalid Credentials"),
    (
        "invalid_signature",
        Error,
        "The signature is missing or wrong.",
    ),
    (
        "email_not_verified",
        Error,
        "Email is not verified. Please verify OTP first.",
    ),
    ("taken", Error, "Another note has this id."),
    (
        "cursor_expired",
        Error,
        "The cursor is too old: what was deleted since may be forgotten. Start over without a cursor.",
    ),
    (
        "busy",
        Error,
        "The service is busy. Nothing was changed. Please try again.",
    ),
    (
        "disk_full",
        Error,
        "The disk of the database is full. Notes can be read, and nothing can be written.",
    ),
    (
        "not_writable",
        Error,
        "The database can't be written. Notes can be read.",
    ),
    ("internal", Error, "Internal Server Error"),
    (
        "parse_error",
        Detail,
        "JSON parse error - expected value at line 1 column 1",
    ),
    (
        "body_incomplete",
        Detail,
        "The request's body ended early or is not well formed.",
    ),
    (
        "invalid_host",
        Detail,
        "A request in HTTP/1.1 needs one header Host with a host and no more than a port.",
    ),
    (
        "not_authenticated",
        Detail,
        "Authentication credentials were not provided.",
    ),
    (
        "invalid_token_header",
        Detail,
        "Invalid token header. No credentials provided.",
    ),
    ("invalid_token", Detail, "Invalid token."),
    ("user_inactive", Detail, "User inactive or deleted."),
    ("not_found", Detail, "Not found."),
    ("method_not_allowed", Detail, "Method \"GET\" not allowed."),
    (
        "body_timeout",
        Detail,
        "The request's body did not arrive in time.",
    ),
    (
        "body_too_large",
        Detail,
        "The request's body is too large: at most 65536 bytes are read.",
    ),
    (
        "target_too_long",
        Detail,
        "The request's path and query are too long.",
    ),
    (
        "unsupported_media_type",
        Detail,
        "Unsupported media type \"text/plain\" in request.",
    ),
    (
        "unsupported_content_encoding",
        Detail,
        "Unsupported content encoding \"gzip\" in request. Send the body uncompressed.",
    ),
    (
        "throttled",
        Detail,
        "Request was throttled. Expected available in 60 seconds.",
    ),
    (
        "headers_too_large",
        Detail,
        "The request's headers are too many or too large.",
    ),
    (
        "unsupported_transfer_coding",
        Detail,
        "The only transfer coding that is read is chunked.",
    ),
];

/// The codes in backticks of a description.
pub(super) fn named(about: &str) -> Vec<&'static str> {
    let words: Vec<_> = about.split('`').skip(1).step_by(2).collect();
    let codes = CODES.iter().map(|(code, ..)| *code);
    codes.filter(|code| words.contains(code)).collect()
}

/// The schema of a refusal with one of these codes, all under the same key.
pub(super) fn schema_of(codes: &[&'static str], title: Option<&str>) -> Option<Schema> {
    let (first, key, text) = CODES.iter().find(|(code, ..)| codes.contains(code))?;
    let key = match key {
        Error => "error",
        Detail => "detail",
    };
    let words = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("A message for people."));
    let code = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(codes.iter().copied()))
        .description(Some(
            "A stable code for programs. Later versions may add codes.",
        ));
    let refusal = ObjectBuilder::new()
        .title(title)
        .property(key, words)
        .required(key)
        .property("code", code)
        .required("code")
        .additional_properties(Some(AdditionalProperties::FreeForm(false)))
        .examples([json!({key: text, "code": first})]);
    Some(refusal.build().into())
}
