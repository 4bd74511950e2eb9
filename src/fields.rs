//! Converts fields of a body to values of the domain, with the messages that clients know.
//!
//! A [`Form`] collects the errors of all fields, so that one response names all of them.

use domain::email::{self, EmailAddress, EmailError, EmailKey};
use domain::otp::{self, DIGITS, LONG_LENGTH};
use domain::password::{Attribute, LengthRule, Password, PasswordError};
use domain::token::SecretHash;
use domain::username::{self, Username, UsernameError};
use serde_json::{Map, Number, Value};

use crate::error::ApiError;
use crate::extract::Fields;
use crate::json::{JsonObject, JsonValue};

const REQUIRED: &str = "This field is required.";
const NULL: &str = "This field may not be null.";
const BLANK: &str = "This field may not be blank.";
const NOT_TEXT: &str = "Not a valid string.";
/// The message for a text with a NUL character.
pub const NUL_CHARACTER: &str = "Null characters are not allowed.";
const BAD_EMAIL: &str = "Enter a valid email address.";
const BAD_USERNAME: &str = "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.";

const ANOTHERS_ADDRESS: &str = "A username that is a mail address must be your own address.";

/// Names of fields in messages.
const NO_FIELD: &str = "non_field_errors";

/// A boolean as written in forms and queries, case-insensitive.
#[must_use]
pub fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "on" | "yes" => Some(true),
        "false" | "0" | "off" | "no" => Some(false),
        _ => None,
    }
}

/// A body being read, and its errors so far.
pub struct Form {
    fields: JsonObject,
    errors: Map<String, Value>,
}

impl From<Fields> for Form {
    fn from(Fields(fields): Fields) -> Self {
        Self {
            fields,
            errors: Map::new(),
        }
    }
}

impl Form {
    /// A body whose texts of these names contain no lone surrogates; all that do are refused
    /// together. For routes that begin with [`Form::given`]; the other methods check it themselves.
    pub fn readable(fields: Fields, names: &[&'static str]) -> Result<Self, ApiError> {
        let mut form = Self::from(fields);
        for name in names {
            if let Some(JsonValue::LoneSurrogate(half)) = form.fields.get(*name) {
                add(&mut form.errors, name, lone_surrogate(*half));
            }
        }
        if form.errors.is_empty() {
            Ok(form)
        } else {
            Err(form.into_error())
        }
    }

    /// The username of a new user.
    pub fn username(&mut self, field: &'static str) -> Option<Username> {
        let text = self.text(field)?;
        let parsed = Username::parse(&text).map_err(|error| match error {
            UsernameError::Invalid => BAD_USERNAME.to_owned(),
            UsernameError::TooLong => at_most(username::MAX_LENGTH),
        });
        self.noted(field, parsed)
    }

    /// The username of a new user with an address: a name that is an address must be this one.
    pub fn beside_address(
        &mut self,
        field: &'static str,
        username: Username,
        own: &EmailKey,
    ) -> Option<Username> {
        let own = if username.is_address_but(own) {
            Err(ANOTHERS_ADDRESS.to_owned())
        } else {
            Ok(username)
        };
        self.noted(field, own)
    }

    /// A mail address. A value of another type is not an address.
    pub fn email(&mut self, field: &'static str) -> Option<EmailAddress> {
        if matches!(
            self.fields.get(field),
            Some(
                JsonValue::Bool(_)
                    | JsonValue::Number(_)
                    | JsonValue::List(_)
                    | JsonValue::Object(_)
            )
        ) {
            return self.noted(field, Err(BAD_EMAIL.to_owned()));
        }
        let text = self.text(field)?;
        let parsed = EmailAddress::parse(&text).map_err(|error| match error {
            EmailError::Invalid => BAD_EMAIL.to_owned(),
            EmailError::TooLong => at_most(email::MAX_LENGTH),
        });
        self.noted(field, parsed)
    }

    /// The new address of an account. An address with a route through another host is refused.
    pub fn new_email(&mut self, field: &'static str) -> Option<EmailAddress> {
        let email = self.email(field)?;
        let direct = if email.names_a_route() {
            Err(BAD_EMAIL.to_owned())
        } else {
            Ok(email)
        };
        self.noted(field, direct)
    }

    /// A new password and its repetition. Nothing is trimmed; white space alone is blank. `account`
    /// holds the attributes that it must not resemble.
    pub fn new_password(
        &mut self,
        field: &'static str,
        repeated: &'static str,
        rule: LengthRule,
        account: &[(Attribute, &str)],
    ) -> Option<Password> {
        let password = self.raw_text(field);
        let repetition = self.raw_text(repeated);
        let password = password?;
        let chosen = self.chosen(field, &password, rule, account)?;
        let repetition = repetition?;
        if self.errors.is_empty() && !Password::new(&repetition).is(&chosen) {
            return self.noted(NO_FIELD, Err("Passwords do not match.".to_owned()));
        }
        Some(chosen)
    }

    /// A new password without repetition. Nothing is trimmed; white space alone is blank. `account`
    /// holds the attributes that it must not resemble.
    pub fn password(
        &mut self,
        field: &'static str,
        rule: LengthRule,
        account: &[(Attribute, &str)],
    ) -> Option<Password> {
        if matches!(self.fields.get(field), Some(JsonValue::Number(_))) {
            return self.noted(field, Err(NOT_TEXT.to_owned()));
        }
        let text = self.raw_text(field)?;
        self.chosen(field, &text, rule, account)
    }

    /// Refuses a new password for each of these reasons.
    #[must_use]
    pub fn refused_password(field: &'static str, reasons: &[PasswordError]) -> ApiError {
        let mut errors = Map::new();
        add_all(&mut errors, field, reasons);
        ApiError::Fields(errors)
    }

    /// A password to be checked: any text.
    pub fn existing_password(&mut self, field: &'static str) -> Option<Password> {
        self.raw_text(field).map(|text| Password::new(&text))
    }

    /// Whether the body contains the field.
    #[must_use]
    pub fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// The response to one wrong field.
    #[must_use]
    pub fn wrong(field: &'static str, message: &str) -> ApiError {
        let mut errors = Map::new();
        add(&mut errors, field, message.to_owned());
        ApiError::Fields(errors)
    }

    /// A code in any form: one with an invalid form is just a wrong code.
    pub fn code(&mut self, field: &'static str) -> Option<String> {
        match self.fields.get(field)? {
            JsonValue::Number(number) => Some(padded(number)),
            JsonValue::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// A code: up to six digits, or a long one, in any spelling ([`otp::cleaned`]). A JSON number
    /// means its six digits.
    pub fn otp(&mut self, field: &'static str) -> Option<String> {
        if let Some(JsonValue::Number(number)) = self.fields.get(field) {
            let padded = JsonValue::Text(padded(number));
            self.fields.insert(field.to_owned(), padded);
        }
        let code = otp::cleaned(&self.text(field)?);
        if code.is_empty() {
            return self.noted(field, Err(BLANK.to_owned()));
        }
        let length = code.chars().count();
        if length > DIGITS && length != LONG_LENGTH {
            return self.noted(field, Err(at_most(DIGITS)));
        }
        Some(code)
    }

    /// The hash of the challenge token from `register`. It is optional; an invalid one matches no
    /// registration.
    #[must_use]
    pub fn challenge(&self) -> Option<SecretHash> {
        match self.fields.get("challenge")? {
            JsonValue::Null => None,
            JsonValue::Text(text) if text.trim().is_empty() => None,
            JsonValue::Text(text) => Some(SecretHash::of(text.trim())),
            _ => Some(SecretHash::of("")),
        }
    }

    /// A value that counts as present: not missing, null, empty, zero or false.
    #[must_use]
    pub fn given(&self, field: &str) -> Option<&JsonValue> {
        self.fields.get(field).filter(|value| match value {
            JsonValue::Null => false,
            JsonValue::Bool(given) => *given,
            JsonValue::Number(number) => number.as_f64() != Some(0.0),
            JsonValue::Text(text) => !text.is_empty(),
            JsonValue::LoneSurrogate(_) => true,
            JsonValue::List(items) => !items.is_empty(),
            JsonValue::Object(members) => !members.is_empty(),
        })
    }

    /// Whether a code is present, like any other value, except that the number 0 means six zeros.
    #[must_use]
    pub fn code_given(&self, field: &str) -> bool {
        matches!(self.fields.get(field), Some(JsonValue::Number(_))) || self.given(field).is_some()
    }

    /// The response if the name, the address or both are taken.
    #[must_use]
    pub fn taken(username: bool, email: bool) -> ApiError {
        let mut errors = Map::new();
        if username {
            add(
                &mut errors,
                "username",
                "A user with that username already exists.".to_owned(),
            );
        }
        if email {
            add(
                &mut errors,
                "email",
                "user with this email already exists.".to_owned(),
            );
        }
        ApiError::Fields(errors)
    }

    /// The response that names all errors.
    #[must_use]
    pub fn into_error(self) -> ApiError {
        ApiError::Fields(self.errors)
    }

    /// A text without surrounding white space.
    fn text(&mut self, field: &'static str) -> Option<String> {
        Some(self.raw_text(field)?.trim().to_owned())
    }

    /// A text unchanged. Numbers are converted to text.
    fn raw_text(&mut self, field: &'static str) -> Option<String> {
        let text = match self.fields.get(field) {
            None => Err(REQUIRED.to_owned()),
            Some(JsonValue::Null) => Err(NULL.to_owned()),
            Some(JsonValue::Bool(_) | JsonValue::List(_) | JsonValue::Object(_)) => {
                Err(NOT_TEXT.to_owned())
            }
            Some(JsonValue::Number(number)) => Ok(number.to_string()),
            Some(JsonValue::LoneSurrogate(half)) => Err(lone_surrogate(*half)),
            Some(JsonValue::Text(text)) if text.trim().is_empty() => Err(BLANK.to_owned()),
            Some(JsonValue::Text(text)) if text.contains('\0') => Err(NUL_CHARACTER.to_owned()),
            Some(JsonValue::Text(text)) => Ok(text.clone()),
        };
        self.noted(field, text)
    }

    fn chosen(
        &mut self,
        field: &'static str,
        text: &str,
        rule: LengthRule,
        account: &[(Attribute, &str)],
    ) -> Option<Password> {
        Password::choose(text, rule, account)
            .map_err(|reasons| add_all(&mut self.errors, field, &reasons))
            .ok()
    }

    fn noted<T>(&mut self, field: &'static str, result: Result<T, String>) -> Option<T> {
        result
            .map_err(|message| add(&mut self.errors, field, message))
            .ok()
    }
}

fn add(errors: &mut Map<String, Value>, field: &str, message: String) {
    errors.insert(field.to_owned(), Value::from(vec![message]));
}

fn add_all(errors: &mut Map<String, Value>, field: &str, reasons: &[PasswordError]) {
    let messages: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    errors.insert(field.to_owned(), Value::from(messages));
}

/// A number as the digits of a code. In JSON, 1234.0 is the same number as 1234.
fn padded(number: &Number) -> String {
    let written = number.to_string();
    let whole = written.strip_suffix(".0").unwrap_or(&written);
    format!("{whole:0>DIGITS$}")
}

/// The message for a text with a lone surrogate.
#[must_use]
pub fn lone_surrogate(half: u16) -> String {
    format!("Surrogate characters are not allowed: U+{half:X}.")
}

/// The message for a text that is too long.
#[must_use]
pub fn at_most(characters: usize) -> String {
    format!("Ensure this field has no more than {characters} characters.")
}
