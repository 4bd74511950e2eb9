//! Bodies of requests as they are described; [`super::values`] has the values in them.

use utoipa::ToSchema;

use super::values::{Address, Code, FirstPassword, NewAddress, NewPassword, Password, Username};

/// A new account.
#[derive(ToSchema)]
pub struct RegisterRequest {
    /// The name.
    pub username: Username,
    /// Where the code goes.
    pub email: NewAddress,
    /// Neither common nor like the name or address.
    pub password: FirstPassword,
    /// The password again.
    pub confirm_password: Password,
}

/// A code that was mailed to an address that registers.
#[derive(ToSchema)]
pub struct VerifyRequest {
    /// The address.
    pub email: Address,
    /// The code.
    pub otp: Code,
    /// What `register` answered with. Who brings it has tries of their own.
    pub challenge: Option<String>,
}

/// An address that is to get its code again.
#[derive(ToSchema)]
pub struct ResendRequest {
    /// The address.
    #[schema(min_length = 1, examples("ann@example.com"))]
    pub email: String,
    /// What `register` answered with, if more than one attempt may be under way.
    pub challenge: Option<String>,
}

/// A name or address and its password.
#[derive(ToSchema)]
pub struct LoginRequest {
    /// With `@` the address, else (or if there is none) the name.
    #[schema(min_length = 1, examples("ann@example.com"))]
    pub login: String,
    /// The password.
    #[schema(format = Password, min_length = 1, examples("correct horse battery"))]
    pub password: String,
}

/// An address that is to get a code.
#[derive(ToSchema)]
pub struct AddressRequest {
    /// The address.
    #[schema(min_length = 1, examples("ann@example.com"))]
    pub email: String,
}

/// A code and the new password.
#[derive(ToSchema)]
pub struct ResetRequest {
    /// The address that the code was mailed to.
    pub email: Address,
    /// The code.
    pub otp: Code,
    /// Under the rules of `register`.
    pub new_password: NewPassword,
    /// What `password-reset-request` answered with. Who brings it has tries of their own.
    pub challenge: Option<String>,
}

/// A code that was mailed for logging in.
#[derive(ToSchema)]
pub struct CodeLoginRequest {
    /// The address.
    pub email: Address,
    /// The code.
    pub otp: Code,
    /// What `otp-login-request` answered with. Who brings it has tries of their own.
    pub challenge: Option<String>,
}

/// A code that was mailed to the user.
#[derive(ToSchema)]
pub struct CodeRequest {
    /// The code.
    pub otp: Code,
}

/// What of the profile is to change.
#[derive(ToSchema)]
pub struct ProfileRequest {
    /// The new name. One's own in another case is fine.
    #[schema(required = false)]
    pub username: Username,
}

/// The present password and the next.
#[derive(ToSchema)]
pub struct PasswordRequest {
    /// The present one.
    pub current_password: Password,
    /// The next one, under the rules of `register`.
    pub new_password: NewPassword,
}

/// The next address and the password.
#[derive(ToSchema)]
pub struct EmailRequest {
    /// The next address. The code goes there.
    pub new_email: NewAddress,
    /// The password.
    pub password: Password,
}

/// An event of Stripe. Fields that are not named here are kept with it.
#[derive(ToSchema)]
pub struct StripeEvent {
    /// Stripe's name for it. What comes under a name that is known does nothing more.
    #[schema(examples("evt_1QxY2z"))]
    pub id: String,
    /// What kind of event it is.
    #[schema(examples("customer.subscription.updated"))]
    pub r#type: String,
    /// When it was made, in seconds since 1970.
    #[schema(minimum = 0, maximum = 253_402_207_200_i64, examples(1_800_000_000))]
    pub created: i64,
    /// Whether it is about real money; `false` in test mode.
    pub livemode: Option<bool>,
    /// What it is about.
    pub data: StripeData,
}

/// What an event of Stripe is about.
#[derive(ToSchema)]
pub struct StripeData {
    /// A checkout session, a subscription, or anything else.
    #[schema(value_type = Object)]
    pub object: serde_json::Map<String, serde_json::Value>,
}

/// An event of RevenueCat, in its envelope. Fields that are not named here are kept with it.
#[derive(ToSchema)]
pub struct RevenueCatEvent {
    /// The event.
    pub event: RevenueCatFacts,
}

/// An event of RevenueCat.
#[derive(ToSchema)]
pub struct RevenueCatFacts {
    /// The service's name for it. What comes under a name that is known does nothing more.
    #[schema(examples("12345678-1234-1234-1234-123456789012"))]
    pub id: String,
    /// What kind of event it is.
    #[schema(examples("RENEWAL"))]
    pub r#type: String,
    /// Where the purchase was made: `PRODUCTION`, or `SANDBOX`, where nobody pays.
    #[schema(examples("PRODUCTION"))]
    pub environment: Option<String>,
    /// Whom it is about: the user's number, or an anonymous name.
    #[schema(examples("1"))]
    pub app_user_id: Option<String>,
    /// The first name of the same customer.
    pub original_app_user_id: Option<String>,
    /// All names of the same customer.
    pub aliases: Option<Vec<String>>,
    /// Of a `TRANSFER`: the customer that loses what it owns.
    pub transferred_from: Option<Vec<String>>,
    /// Of a `TRANSFER`: the customer that receives it.
    pub transferred_to: Option<Vec<String>>,
    /// What the product gives.
    pub entitlement_ids: Option<Vec<String>>,
    /// When it was made, in milliseconds since 1970.
    #[schema(
        minimum = 0,
        maximum = 253_402_207_200_000_i64,
        examples(1_800_000_000_000_i64)
    )]
    pub event_timestamp_ms: Option<i64>,
    /// Until when it was paid, in milliseconds since 1970.
    #[schema(
        minimum = 0,
        maximum = 253_402_207_200_000_i64,
        examples(1_802_592_000_000_i64)
    )]
    pub expiration_at_ms: Option<i64>,
    /// Which transaction it is about.
    pub original_transaction_id: Option<String>,
}
