//! The API as its clients use it.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{Answer, Person, Request};

/// A client of one server. Clones are the same client.
#[derive(Clone)]
pub struct Client {
    address: SocketAddr,
    headers: Vec<(String, String)>,
}

impl Client {
    /// A client of the server at that address.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            headers: Vec::new(),
        }
    }

    /// The same client of a server at another address.
    pub fn at(&self, address: SocketAddr) -> Self {
        Self {
            address,
            headers: self.headers.clone(),
        }
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same client with one more header in every request.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    /// Another network client. The server must trust 127.0.0.1 as a proxy.
    pub fn from(&self, address: &str) -> Self {
        self.with("X-Forwarded-For", address)
    }

    /// A request to be completed.
    pub fn request(&self, method: &str, path: &str) -> Request {
        let request = Request::new(self.address, method, path);
        self.headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        })
    }

    /// Sends a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_raw(path, "application/json", body.to_string())
            .await
    }

    /// Sends any body.
    pub async fn post_raw(&self, path: &str, media: &str, body: impl Into<bytes::Bytes>) -> Answer {
        let request = self.request("POST", path).header("Content-Type", media);
        request.body(body).send().await
    }

    /// Sends a request without a body.
    pub async fn get(&self, path: &str) -> Answer {
        self.request("GET", path).send().await
    }

    /// Registers somebody, whatever the answer.
    pub async fn register(&self, person: &Person) -> Answer {
        self.post("/api/auth/register/", &person.form()).await
    }

    /// Registers somebody and returns the challenge.
    #[track_caller]
    pub fn registered(&self, person: &Person) -> impl Future<Output = String> {
        let (client, person) = (self.clone(), person.clone());
        async move {
            let answer = client.register(&person).await;
            assert_eq!(answer.status, 201, "{}", answer.shown());
            answer.field("challenge")
        }
    }

    /// Presents a code without a challenge.
    pub async fn verify(&self, person: &Person, code: &str) -> Answer {
        let body = json!({"email": person.email, "otp": code});
        self.post("/api/auth/verify-otp/", &body).await
    }

    /// Presents a code with a challenge.
    pub async fn verify_with(&self, person: &Person, code: &str, challenge: &str) -> Answer {
        let body = json!({"email": person.email, "otp": code, "challenge": challenge});
        self.post("/api/auth/verify-otp/", &body).await
    }

    /// Asks for the code again.
    pub async fn resend(&self, email: &str) -> Answer {
        self.post("/api/auth/resend-otp/", &json!({"email": email}))
            .await
    }

    /// Asks for the code of one's own attempt again.
    pub async fn resend_with(&self, email: &str, challenge: &str) -> Answer {
        let body = json!({"email": email, "challenge": challenge});
        self.post("/api/auth/resend-otp/", &body).await
    }

    /// Logs in.
    pub async fn login(&self, login: &str, password: &str) -> Answer {
        let body = json!({"login": login, "password": password});
        self.post("/api/auth/login/", &body).await
    }
}
