//! A small HTTP client that keeps its connection.

use std::net::SocketAddr;

use anyhow::Context;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// A client of one API.
pub struct Client {
    api: SocketAddr,
    hyper: Hyper<HttpConnector, Full<Bytes>>,
}

impl Client {
    pub fn new(api: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self {
            api,
            hyper: Hyper::builder(TokioExecutor::new()).build(connector),
        }
    }

    /// Gets a path: the status and the body, `null` if it is no JSON.
    pub async fn get(&self, path: &str, token: Option<&str>) -> anyhow::Result<(u16, Value)> {
        let mut request = Request::builder().uri(self.uri(path));
        if let Some(token) = token {
            request = request.header("authorization", format!("Token {token}"));
        }
        self.send(request.body(Full::default())?).await
    }

    /// Posts JSON to a path.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.uri(path))
            .header("content-type", "application/json")
            .body(Full::from(body.to_string()))?;
        self.send(request).await
    }

    /// The same with a token.
    pub async fn post_as(
        &self,
        token: &str,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<(u16, Value)> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.uri(path))
            .header("authorization", format!("Token {token}"))
            .header("content-type", "application/json")
            .body(Full::from(body.to_string()))?;
        self.send(request).await
    }

    fn uri(&self, path: &str) -> String {
        format!("http://{}{path}", self.api)
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> anyhow::Result<(u16, Value)> {
        let answer = self
            .hyper
            .request(request)
            .await
            .context("the API does not answer")?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }
}
