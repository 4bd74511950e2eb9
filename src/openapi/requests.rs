//! Bodies of requests as they are described. [`crate::fields`] reads them, more kindly than is promised here.

use domain::otp::LONG_LENGTH;
use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

/// A new account.
#[derive(ToSchema)]
pub struct RegisterRequest {
    /// Letters of any script, digits and `@ . + - _`. Compared without regard to case and form.
    #[schema(min_length = 1, max_length = 150, example = "ann")]
    pub username: String,
    /// Where the code goes. Compared without regard to case.
    #[schema(format = Email, max_length = 254, example = "ann@example.com")]
    pub email: String,
    /// Eight characters or more, unless the server asks for more; neither common nor like the name or address.
    #[schema(format = Password, min_length = 1, example = "correct horse battery")]
    pub password: String,
    /// The password again.
    #[schema(format = Password, min_length = 1, example = "correct horse battery")]
    pub confirm_password: String,
}

/// A code that was mailed to an address that registers.
#[derive(ToSchema)]
pub struct VerifyRequest {
    /// The address.
    #[schema(format = Email, max_length = 254, example = "ann@example.com")]
    pub email: String,
    /// The code.
    #[schema(schema_with = otp)]
    pub otp: String,
    /// What `register` answered with. Who brings it has tries of their own.
    pub challenge: Option<String>,
}

/// An address that is to get its code again.
#[derive(ToSchema)]
pub struct ResendRequest {
    /// The address.
    #[schema(min_length = 1, example = "ann@example.com")]
    pub email: String,
    /// What `register` answered with, if more than one attempt may be under way.
    pub challenge: Option<String>,
}

/// A name or address and its password.
#[derive(ToSchema)]
pub struct LoginRequest {
    /// With `@` the address, else (or if there is none) the name.
    #[schema(min_length = 1, example = "ann@example.com")]
    pub login: String,
    /// The password.
    #[schema(format = Password, min_length = 1, example = "correct horse battery")]
    pub password: String,
}

/// An address that is to get a code.
#[derive(ToSchema)]
pub struct AddressRequest {
    /// The address.
    #[schema(min_length = 1, example = "ann@example.com")]
    pub email: String,
}

/// A code and the new password.
#[derive(ToSchema)]
pub struct ResetRequest {
    /// The address that the code was mailed to.
    #[schema(min_length = 1, example = "ann@example.com")]
    pub email: String,
    /// The code.
    #[schema(schema_with = otp)]
    pub otp: String,
    /// Under the rules of `register`.
    #[schema(format = Password, min_length = 1, example = "correct horse battery")]
    pub new_password: String,
}

/// A code that was mailed for logging in.
#[derive(ToSchema)]
pub struct CodeLoginRequest {
    /// The address.
    #[schema(format = Email, max_length = 254, example = "ann@example.com")]
    pub email: String,
    /// The code.
    #[schema(schema_with = otp)]
    pub otp: String,
}

/// A code that was mailed to the user.
#[derive(ToSchema)]
pub struct CodeRequest {
    /// The code.
    #[schema(schema_with = otp)]
    pub otp: String,
}

/// What of the profile is to change.
#[derive(ToSchema)]
pub struct ProfileRequest {
    /// The new name. One's own in another case is fine.
    #[schema(min_length = 1, max_length = 150, example = "anna")]
    pub username: Option<String>,
}

/// The present password and the next.
#[derive(ToSchema)]
pub struct PasswordRequest {
    /// The present one.
    #[schema(format = Password, min_length = 1, example = "correct horse battery")]
    pub current_password: String,
    /// The next one, under the rules of `register`.
    #[schema(format = Password, min_length = 1, example = "staple of the day")]
    pub new_password: String,
}

/// The next address and the password.
#[derive(ToSchema)]
pub struct EmailRequest {
    /// The next address. The code goes there.
    #[schema(format = Email, max_length = 254, example = "ann@example.org")]
    pub new_email: String,
    /// The password.
    #[schema(format = Password, min_length = 1, example = "correct horse battery")]
    pub password: String,
}

/// Six digits, or the longer code that follows many wrong ones; a number stands for its six digits.
fn otp() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Integer]))
        .description(Some(
            "Six digits, or twelve letters and digits (in any case) where too many wrong codes came before. A \
             number stands for its six digits, leading zeros included.",
        ))
        .max_length(Some(LONG_LENGTH))
        .minimum(Some(0))
        .maximum(Some(999_999))
        .examples([json!("472898")])
        .build()
}
