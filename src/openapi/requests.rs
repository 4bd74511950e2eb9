//! The schemas of request bodies; [`super::values`] has the schemas of their values.

use utoipa::ToSchema;

use super::values::{Address, Code, FirstPassword, NewAddress, NewPassword, Password, Username};

/// A new account.
#[derive(ToSchema)]
pub struct RegisterRequest {
    /// The username.
    pub username: Username,
    /// The address that gets the code.
    pub email: NewAddress,
    /// The password: not a common one, and not similar to the name or address.
    pub password: FirstPassword,
    /// The password, repeated.
    pub confirm_password: Password,
}

/// A code that was mailed to an address that registers.
#[derive(ToSchema)]
pub struct VerifyRequest {
    /// The mail address.
    pub email: Address,
    /// The mailed code.
    pub otp: Code,
    /// The `challenge` from `register`. With it, the code has a separate count of tries.
    pub challenge: Option<String>,
}

/// An address that requests its code again.
#[derive(ToSchema)]
pub struct ResendRequest {
    /// The mail address.
    #[schema(min_length = 1, examples("ann@example.com"))]
    pub email: String,
    /// The `challenge` from `register`, if the address may have several pending registrations.
    pub challenge: Option<String>,
}

/// A name or address and its password.
#[derive(ToSchema)]
pub struct LoginRequest {
    /// A mail address or a username. A text with `@` is looked up as an address first.
    #[schema(min_length = 1, examples("ann@example.com"))]
    pub login: String,
    /// The current password.
    #[schema(format = Password, min_length = 1, examples("correct horse battery"))]
    pub password: String,
}

/// An address that requests a code.
#[derive(ToSchema)]
pub struct AddressRequest {
    /// The mail address.
    #[schema(min_length = 1, examples("ann@example.com"))]
    pub email: String,
}

/// A code and the new password.
#[derive(ToSchema)]
pub struct ResetRequest {
    /// The address that the code was mailed to.
    pub email: Address,
    /// The mailed code.
    pub otp: Code,
    /// The new password, with the rules of `register`.
    pub new_password: NewPassword,
    /// The `challenge` from `password-reset-request`. With it, the code has a separate count of
    /// tries.
    pub challenge: Option<String>,
}

/// A code that was mailed for logging in.
#[derive(ToSchema)]
pub struct CodeLoginRequest {
    /// The mail address.
    pub email: Address,
    /// The mailed code.
    pub otp: Code,
    /// The `challenge` from `otp-login-request`. With it, the code has a separate count of tries.
    pub challenge: Option<String>,
}

/// A code that was mailed to the user.
#[derive(ToSchema)]
pub struct CodeRequest {
    /// The mailed code.
    pub otp: Code,
}

/// The fields of the profile to change.
#[derive(ToSchema)]
pub struct ProfileRequest {
    /// The new name. One's own in another case is fine.
    #[schema(required = false)]
    pub username: Username,
}

/// The current and the new password.
#[derive(ToSchema)]
pub struct PasswordRequest {
    /// The current password.
    pub current_password: Password,
    /// The new password, with the rules of `register`.
    pub new_password: NewPassword,
}

/// The new address and the password.
#[derive(ToSchema)]
pub struct EmailRequest {
    /// The new address, which gets the code.
    pub new_email: NewAddress,
    /// The current password.
    pub password: Password,
}

/// An event of Stripe. Other fields are stored with it.
#[derive(ToSchema)]
pub struct StripeEvent {
    /// Stripe's id of the event. A repeated id has no further effect.
    #[schema(examples("evt_1QxY2z"))]
    pub id: String,
    /// The type of the event.
    #[schema(examples("customer.subscription.updated"))]
    pub r#type: String,
    /// When it was created, in seconds since 1970.
    #[schema(minimum = 0, maximum = 253_402_207_200_i64, examples(1_800_000_000))]
    pub created: i64,
    /// Whether it is about real money; `false` in test mode.
    pub livemode: Option<bool>,
    /// The object of the event.
    pub data: StripeData,
}

/// The object of an event of Stripe.
#[derive(ToSchema)]
pub struct StripeData {
    /// A checkout session, a subscription, or anything else.
    #[schema(value_type = Object)]
    pub object: serde_json::Map<String, serde_json::Value>,
}

/// An event of RevenueCat, in its envelope. Other fields are stored with it.
#[derive(ToSchema)]
pub struct RevenueCatEvent {
    /// The event.
    pub event: RevenueCatFacts,
}

/// An event of RevenueCat.
#[derive(ToSchema)]
pub struct RevenueCatFacts {
    /// The service's id of the event. A repeated id has no further effect.
    #[schema(examples("12345678-1234-1234-1234-123456789012"))]
    pub id: String,
    /// The type of the event.
    #[schema(examples("RENEWAL"))]
    pub r#type: String,
    /// The environment of the purchase: `PRODUCTION` or `SANDBOX` (unpaid).
    #[schema(examples("PRODUCTION"))]
    pub environment: Option<String>,
    /// The customer: the user's number, or an anonymous id.
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
    /// The entitlements of the product.
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
    /// The transaction of the event.
    pub original_transaction_id: Option<String>,
}
