//! Bytes on a socket, for what no HTTP library would send.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::PATIENCE;

/// A connection.
pub struct Raw(TcpStream);

impl Raw {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// Connects with room for so little that the server has to wait until an answer is read.
    pub async fn connect_to_read_little(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self(socket.connect(address).await.unwrap())
    }

    /// Writes these bytes. A server that has had enough may be gone by then.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.0.write_all(bytes.as_ref()).await;
    }

    /// Says that nothing more will be written.
    pub async fn end(&mut self) {
        let _ = self.0.shutdown().await;
    }

    /// Reads until the server closes the connection, and no longer than a test waits.
    pub async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let read = self.0.read_to_end(&mut bytes);
        let _ = tokio::time::timeout(PATIENCE, read)
            .await
            .expect("the server closes the connection");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Reads until a text has come.
    pub async fn until(&mut self, text: &str) -> String {
        let mut seen = Vec::new();
        let read = async {
            loop {
                let mut buffer = [0; 4096];
                let n = self.0.read(&mut buffer).await.unwrap_or(0);
                seen.extend_from_slice(&buffer[..n]);
                if n == 0 || String::from_utf8_lossy(&seen).contains(text) {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, read)
            .await
            .expect("an answer");
        String::from_utf8_lossy(&seen).into_owned()
    }
}
