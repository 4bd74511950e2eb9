//! A minimal HTTP client: one request a connection, bodies as text.

use std::net::SocketAddr;

use smart_notes_devmail::Catcher;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::soon;

/// An answer.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }

    /// The value of a header field, in lower case.
    pub fn field(&self, name: &str) -> Option<String> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_lowercase())
    }
}

/// Gets a page as a browser on this machine would.
pub async fn get(catcher: &Catcher, path: &str) -> Answer {
    request(catcher, "GET", path, "localhost", "").await
}

/// Sends a request with any method, Host and body.
pub async fn request(
    catcher: &Catcher,
    method: &str,
    path: &str,
    host: &str,
    body: &str,
) -> Answer {
    let length = body.len();
    let bytes = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    send(catcher.http_addr().unwrap(), &bytes).await
}

/// Sends bytes and reads the answer to its end.
pub async fn send(address: SocketAddr, bytes: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    soon(stream.read_to_end(&mut answer)).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    Answer {
        status: head[9..12].parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

/// A stream of server-sent events.
pub struct Events {
    stream: BufReader<TcpStream>,
}

impl Events {
    pub async fn open(catcher: &Catcher) -> Self {
        let mut stream = TcpStream::connect(catcher.http_addr().unwrap())
            .await
            .unwrap();
        let request = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.write_all(request).await.unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// The next event: its name and its data; `None` once the stream has ended.
    pub async fn next(&mut self) -> Option<(String, serde_json::Value)> {
        let mut name = String::new();
        loop {
            let mut line = String::new();
            let read = soon(self.stream.read_line(&mut line)).await;
            if read.unwrap_or(0) == 0 {
                return None;
            }
            if let Some(event) = line.strip_prefix("event: ") {
                event.trim().clone_into(&mut name);
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return Some((name, serde_json::from_str(data).unwrap()));
            }
        }
    }
}
