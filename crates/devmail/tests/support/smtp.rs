//! An SMTP client that sends exactly the bytes it is told to.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::soon;

/// One connection.
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects without reading the greeting.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Connects, reads the greeting and says EHLO.
    pub async fn hello(address: SocketAddr) -> Self {
        let mut client = Self::connect(address).await;
        assert!(client.reply().await.starts_with("220 "));
        assert!(client.say("EHLO client.test").await.starts_with("250"));
        client
    }

    /// Goes on until the body is expected.
    pub async fn up_to_data(address: SocketAddr, to: &str) -> Self {
        let mut client = Self::hello(address).await;
        client.say("MAIL FROM:<notes@example.com>").await;
        client.say(&format!("RCPT TO:<{to}>")).await;
        assert!(client.say("DATA").await.starts_with("354 "));
        client
    }

    /// Sends bytes; a server that has hung up is noticed at the next reply.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.get_mut().write_all(bytes.as_ref()).await;
    }

    /// Sends a line and reads the reply to it.
    pub async fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n")).await;
        self.reply().await
    }

    /// The next reply, all its lines; empty if the server has hung up.
    pub async fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let start = reply.len();
            let read = soon(self.stream.read_line(&mut reply)).await;
            let more = reply.get(start + 3..start + 4) == Some("-");
            if read.unwrap_or(0) == 0 || !more {
                return reply;
            }
        }
    }

    /// Sends a whole mail on this connection and returns the answer to its dot.
    pub async fn mail(&mut self, to: &str, content: &str) -> String {
        self.say("MAIL FROM:<notes@example.com>").await;
        let answer = self.say(&format!("RCPT TO:<{to}>")).await;
        if !answer.starts_with("250") {
            return answer;
        }
        let answer = self.say("DATA").await;
        if !answer.starts_with("354") {
            return answer;
        }
        self.send(format!("{content}\r\n.\r\n")).await;
        self.reply().await
    }
}

/// Sends one mail on a connection of its own and returns the answer to its dot.
pub async fn deliver(address: SocketAddr, to: &str, content: &str) -> String {
    Client::hello(address).await.mail(to, content).await
}
