//! What somebody does with an account: the client's routes that need a token, and those for who forgot a password.

use devmail::Mail;
use serde_json::{Value, json};

use super::{Answer, Client, Person, TestApp};

impl Client {
    /// The same client with a token in every request.
    pub fn bearing(&self, token: &str) -> Self {
        self.with("Authorization", &format!("Token {token}"))
    }

    /// The token of a new session.
    pub async fn token(&self, person: &Person) -> String {
        let answer = self.login(&person.email, &person.password).await;
        assert_eq!(answer.status, 200, "{}", answer.shown());
        answer.field("token")
    }

    /// The same client with the token of a new session.
    pub async fn logged_in(&self, person: &Person) -> Self {
        let token = self.token(person).await;
        self.bearing(&token)
    }

    /// Sends a JSON body with any method.
    pub async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let request = self.request(method, path);
        let request = request.header("Content-Type", "application/json");
        request.body(body.to_string()).send().await
    }

    /// Sends a `POST` without a body.
    pub async fn post_empty(&self, path: &str) -> Answer {
        self.request("POST", path).send().await
    }

    /// The status of the profile: 200 while the token is good, 401 after.
    pub async fn me_status(&self) -> u16 {
        self.get("/api/auth/me/").await.status
    }

    /// Asks for a code to set a new password.
    pub async fn request_reset(&self, email: &str) -> Answer {
        let path = "/api/auth/password-reset-request/";
        self.post(path, &json!({"email": email})).await
    }

    /// Sets a new password with a code.
    pub async fn reset(&self, email: &str, code: &str, password: &str) -> Answer {
        let body = json!({"email": email, "otp": code, "new_password": password});
        self.post("/api/auth/password-reset-confirm/", &body).await
    }

    /// Asks for a code to set a new password, and returns the challenge.
    pub async fn reset_challenge(&self, email: &str) -> String {
        let answer = self.request_reset(email).await;
        assert_eq!(answer.status, 200, "{}", answer.shown());
        answer.field("challenge")
    }

    /// Sets a new password with a code and its challenge.
    pub async fn reset_with(
        &self,
        email: &str,
        code: &str,
        password: &str,
        challenge: &str,
    ) -> Answer {
        let body = json!({
            "email": email, "otp": code, "new_password": password, "challenge": challenge,
        });
        self.post("/api/auth/password-reset-confirm/", &body).await
    }

    /// Sets a new password with the old one.
    pub async fn change_password(&self, current: &str, new: &str) -> Answer {
        let body = json!({"current_password": current, "new_password": new});
        self.post("/api/auth/password-change/", &body).await
    }

    /// Asks for a code to delete the account.
    pub async fn request_deletion(&self) -> Answer {
        self.post_empty("/api/auth/delete-account-request/").await
    }

    /// Deletes the account with a code.
    pub async fn delete_account(&self, code: &str) -> Answer {
        let path = "/api/auth/delete-account-confirm/";
        self.send("DELETE", path, &json!({"otp": code})).await
    }

    /// Asks for another address.
    pub async fn request_email(&self, email: &str, password: &str) -> Answer {
        let body = json!({"new_email": email, "password": password});
        self.post("/api/auth/email-change-request/", &body).await
    }

    /// Confirms another address with a code.
    pub async fn confirm_email(&self, code: &str) -> Answer {
        let path = "/api/auth/email-change-confirm/";
        self.post(path, &json!({"otp": code})).await
    }

    /// Asks for a code to log in with.
    pub async fn request_code_login(&self, email: &str) -> Answer {
        let path = "/api/auth/otp-login-request/";
        self.post(path, &json!({"email": email})).await
    }

    /// Logs in with a code.
    pub async fn login_by_code(&self, email: &str, code: &str) -> Answer {
        let body = json!({"email": email, "otp": code});
        self.post("/api/auth/otp-login-confirm/", &body).await
    }

    /// The sessions, newest first.
    pub async fn sessions(&self) -> Vec<Value> {
        let answer = self.get("/api/auth/sessions/").await;
        assert_eq!(answer.status, 200, "{}", answer.shown());
        answer.json()["results"].as_array().unwrap().clone()
    }
}

impl TestApp {
    /// Registers somebody, confirms the address and logs in.
    pub async fn member(&self, person: &Person) -> Client {
        self.verified(person).await;
        self.client.logged_in(person).await
    }

    /// The code in the newest mail to an address, once nothing is under way any more.
    pub async fn newest_code(&self, email: &str) -> String {
        self.settled().await;
        let mails = self.inbox().to(email);
        let codes = mails.iter().rev().find_map(|mail| mail.code());
        codes.unwrap_or_else(|| panic!("no code was mailed to {email}"))
    }

    /// The long code in the newest mail to an address, if it has one beside its six digits.
    pub async fn newest_long_code(&self, email: &str) -> Option<String> {
        self.settled().await;
        let mails = self.inbox().to(email);
        mails.last().and_then(|mail| long_code(mail))
    }

    /// The subjects of all mails to an address, the oldest first.
    pub async fn subjects_to(&self, email: &str) -> Vec<String> {
        self.settled().await;
        let mails = self.inbox().to(email);
        mails
            .iter()
            .map(|mail| mail.subject().unwrap_or_default().to_owned())
            .collect()
    }
}

/// The long code in a mail, if it has one beside its six digits.
pub fn long_code(mail: &Mail) -> Option<String> {
    let capital = |sign: char| sign.is_ascii_digit() || sign.is_ascii_uppercase();
    let mut words = mail.text()?.split_whitespace();
    let long = words.find(|word| word.len() == 12 && word.chars().all(capital));
    long.map(str::to_owned)
}
