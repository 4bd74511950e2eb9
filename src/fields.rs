//! Fields of a body as values of the domain, with the messages that clients know.
//!
//! A [`Form`] collects what is wrong with every field before it answers, so that a client hears
//! of all of it at once.

use domain::email::{self, EmailAddress, EmailError};
use domain::otp::{DIGITS, LONG_LENGTH};
use domain::password::{Attribute, LengthRule, Password, PasswordError};
use domain::token::SecretHash;
use domain::username::{self, Username, UsernameError};
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::extract::Fields;

const REQUIRED: &str = "This field is required.";
const NULL: &str = "This field may not be null.";
const BLANK: &str = "This field may not be blank.";
const NOT_TEXT: &str = "Not a valid string.";
const NUL_CHARACTER: &str = "Null characters are not allowed.";
const BAD_EMAIL: &str = "Enter a valid email address.";
const BAD_USERNAME: &str = "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.";

/// The names of fields that a message may stand under.
const NO_FIELD: &str = "non_field_errors";

/// A body being read, and what was found wrong with it so far.
pub struct Form {
    fields: Map<String, Value>,
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
    /// A new user's name.
    pub fn username(&mut self, field: &'static str) -> Option<Username> {
        let text = self.text(field)?;
        let parsed = Username::parse(&text).map_err(|error| match error {
            UsernameError::Invalid => BAD_USERNAME.to_owned(),
            UsernameError::TooLong => at_most(username::MAX_LENGTH),
        });
        self.noted(field, parsed)
    }

    /// A mail address. A value of another type is no address either.
    pub fn email(&mut self, field: &'static str) -> Option<EmailAddress> {
        if matches!(
            self.fields.get(field),
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_))
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

    /// A new password and its repetition. Nothing is trimmed; white space alone is blank.
    /// `account`: what it may not be close to.
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
        if self.errors.is_empty() && repetition != password {
            return self.noted(NO_FIELD, Err("Passwords do not match.".to_owned()));
        }
        Some(chosen)
    }

    /// A new password that is not repeated. Nothing is trimmed; white space alone is blank.
    /// `account`: what it may not be close to.
    pub fn password(
        &mut self,
        field: &'static str,
        rule: LengthRule,
        account: &[(Attribute, &str)],
    ) -> Option<Password> {
        if matches!(self.fields.get(field), Some(Value::Number(_))) {
            return self.noted(field, Err(NOT_TEXT.to_owned()));
        }
        let text = self.raw_text(field)?;
        self.chosen(field, &text, rule, account)
    }

    /// A new password is refused, for each of these reasons.
    #[must_use]
    pub fn refused_password(field: &'static str, reasons: &[PasswordError]) -> ApiError {
        let mut errors = Map::new();
        add_all(&mut errors, field, reasons);
        ApiError::Fields(errors)
    }

    /// A password that is to be checked: any text.
    pub fn existing_password(&mut self, field: &'static str) -> Option<Password> {
        self.raw_text(field).map(|text| Password::new(&text))
    }

    /// Whether the body names the field at all.
    #[must_use]
    pub fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// One field is wrong.
    #[must_use]
    pub fn wrong(field: &'static str, message: &str) -> ApiError {
        let mut errors = Map::new();
        add(&mut errors, field, message.to_owned());
        ApiError::Fields(errors)
    }

    /// A code of whatever shape: one that can't be right is only wrong.
    pub fn code(&mut self, field: &'static str) -> Option<String> {
        match self.fields.get(field)? {
            Value::Number(number) => Some(format!("{:0>DIGITS$}", number.to_string())),
            Value::String(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// A code: up to six digits, or a long one. A JSON number stands for its six digits.
    pub fn otp(&mut self, field: &'static str) -> Option<String> {
        if let Some(Value::Number(number)) = self.fields.get(field) {
            let padded = format!("{:0>DIGITS$}", number.to_string());
            self.fields.insert(field.to_owned(), Value::String(padded));
        }
        let text = self.text(field)?;
        let length = text.chars().count();
        if length > DIGITS && length != LONG_LENGTH {
            return self.noted(field, Err(at_most(DIGITS)));
        }
        Some(text)
    }

    /// The handle that `register` answered with. It is optional; something that can't be one is nobody's.
    #[must_use]
    pub fn challenge(&self) -> Option<SecretHash> {
        match self.fields.get("challenge")? {
            Value::Null => None,
            Value::String(text) if text.trim().is_empty() => None,
            Value::String(text) => Some(SecretHash::of(text.trim())),
            other => Some(SecretHash::of(&other.to_string())),
        }
    }

    /// A value that counts as given: not missing, null, empty, zero or false.
    #[must_use]
    pub fn given(&self, field: &str) -> Option<&Value> {
        self.fields.get(field).filter(|value| match value {
            Value::Null => false,
            Value::Bool(given) => *given,
            Value::Number(number) => number.as_f64() != Some(0.0),
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Object(fields) => !fields.is_empty(),
        })
    }

    /// Whether a code was given: as any other value, and the number 0 stands for six zeros.
    #[must_use]
    pub fn code_given(&self, field: &str) -> bool {
        matches!(self.fields.get(field), Some(Value::Number(_))) || self.given(field).is_some()
    }

    /// The name is taken, or the address, or both.
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

    /// The answer that names everything that was found wrong.
    #[must_use]
    pub fn into_error(self) -> ApiError {
        ApiError::Fields(self.errors)
    }

    /// Text without surrounding white space.
    fn text(&mut self, field: &'static str) -> Option<String> {
        Some(self.raw_text(field)?.trim().to_owned())
    }

    /// Text as it came. Numbers are taken as text.
    fn raw_text(&mut self, field: &'static str) -> Option<String> {
        let text = match self.fields.get(field) {
            None => Err(REQUIRED),
            Some(Value::Null) => Err(NULL),
            Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => Err(NOT_TEXT),
            Some(Value::Number(number)) => Ok(number.to_string()),
            Some(Value::String(text)) if text.trim().is_empty() => Err(BLANK),
            Some(Value::String(text)) if text.contains('\0') => Err(NUL_CHARACTER),
            Some(Value::String(text)) => Ok(text.clone()),
        };
        self.noted(field, text.map_err(str::to_owned))
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

fn at_most(characters: usize) -> String {
    format!("Ensure this field has no more than {characters} characters.")
}
