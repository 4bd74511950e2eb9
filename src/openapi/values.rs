//! The schemas of values in request bodies, as [`crate::fields`] accepts them.
//!
//! They also allow a JSON number where it is accepted for a text. Rules that no schema can express
//! are described in words, such as a taken name or a common password.

use domain::otp::{DIGITS, LONG_LENGTH};
use domain::password::LengthRule;
use domain::{email, username};
use serde_json::json;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{OpenApi, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// The name of an account.
pub struct Username;

/// A mail address.
pub struct Address;

/// The new mail address of an account.
pub struct NewAddress;

/// An existing password, or the repetition of a new one.
pub struct Password;

/// A new password.
pub struct NewPassword;

/// The first password of an account, which may also be a number.
pub struct FirstPassword;

/// A code that was mailed.
pub struct Code;

impl PartialSchema for Username {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(text_or(Type::Number))
            .description(Some(
                "Letters of any script with their signs, digits and `@ . + - _`. Compared without regard to case and form. One that is a mail address must be the user's own.",
            ))
            .min_length(Some(1))
            .max_length(Some(username::MAX_LENGTH))
            .examples([json!("ann")])
            .into()
    }
}

impl PartialSchema for Address {
    fn schema() -> RefOr<Schema> {
        address("A mail address. Compared without regard to case.").into()
    }
}

impl PartialSchema for NewAddress {
    fn schema() -> RefOr<Schema> {
        address(
            "A mail address. Compared without regard to case. One that names a route through another host, by `%` or \
             `!`, is refused.",
        )
        .pattern(Some("^[^%!]*$"))
        .into()
    }
}

impl PartialSchema for Password {
    fn schema() -> RefOr<Schema> {
        password(text_or(Type::Number), "A password as it was chosen.")
            .min_length(Some(1))
            .into()
    }
}

impl PartialSchema for NewPassword {
    fn schema() -> RefOr<Schema> {
        new_password(Type::String.into())
    }
}

impl PartialSchema for FirstPassword {
    fn schema() -> RefOr<Schema> {
        new_password(text_or(Type::Number))
    }
}

impl PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(text_or(Type::Integer))
            .description(Some(
                "Six digits, or the twelve letters and digits (in any case) below them in the mail, where too many wrong codes \
                 came before. A number stands for its six digits, leading zeros included. Spaces, dashes, invisible marks and digits of \
                 other scripts are read as what they mean.",
            ))
            .pattern(Some(format!(
                "^([0-9]{{{DIGITS}}}|[0-9A-Za-z]{{{LONG_LENGTH}}})$"
            )))
            .minimum(Some(0))
            .maximum(Some(999_999))
            .examples([json!("472898")])
            .into()
    }
}

impl ToSchema for Username {}
impl ToSchema for Address {}
impl ToSchema for NewAddress {}
impl ToSchema for Password {}
impl ToSchema for NewPassword {}
impl ToSchema for FirstPassword {}
impl ToSchema for Code {}

/// A text with at least one non-space character and without NUL.
const WORDS: &str = r"^[^\u0000]*[^\s\u0000][^\u0000]*$";

fn text_or(other: Type) -> SchemaType {
    SchemaType::from_iter([Type::String, other])
}

fn address(about: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(about))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Email)))
        .max_length(Some(email::MAX_LENGTH))
        .examples([json!("ann@example.com")])
}

fn password(kind: SchemaType, about: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(kind)
        .description(Some(about))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
        .pattern(Some(WORDS))
        .examples([json!("correct horse battery")])
}

fn new_password(kind: SchemaType) -> RefOr<Schema> {
    let about = "Any characters. Refused if it is among the commonest, or like the account's name or address.";
    password(kind, about).into()
}

/// Sets the lengths of passwords on this server.
pub fn set_lengths(openapi: &mut OpenApi, lengths: LengthRule) {
    let Some(components) = &mut openapi.components else {
        return;
    };
    for name in [NewPassword::name(), FirstPassword::name()] {
        if let Some(RefOr::T(Schema::Object(schema))) = components.schemas.get_mut(name.as_ref()) {
            schema.min_length = Some(lengths.min);
            schema.max_length = Some(lengths.max);
        }
    }
}
