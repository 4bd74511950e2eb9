//! Who registers in tests.

use serde_json::{Value, json};

/// The password of everybody who has no other.
pub const PASSWORD: &str = "correct horse battery";

/// Somebody who registers.
#[derive(Clone, Debug)]
pub struct Person {
    /// The username.
    pub name: String,
    /// The address.
    pub email: String,
    /// The password.
    pub password: String,
}

impl Person {
    /// Somebody of that name, at example.com.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            email: format!("{name}@example.com"),
            password: PASSWORD.to_owned(),
        }
    }

    /// With another address.
    pub fn at(mut self, email: &str) -> Self {
        email.clone_into(&mut self.email);
        self
    }

    /// With another password.
    pub fn password(mut self, password: &str) -> Self {
        password.clone_into(&mut self.password);
        self
    }

    /// What is sent to register.
    pub fn form(&self) -> Value {
        json!({
            "username": self.name,
            "email": self.email,
            "password": self.password,
            "confirm_password": self.password,
        })
    }
}

/// A code that is not this one: the next number.
pub fn wrong(code: &str) -> String {
    let number: u32 = code.parse().unwrap();
    format!("{:06}", (number + 1) % 1_000_000)
}
