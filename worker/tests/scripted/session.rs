//! One connection of the scripted server: reads commands, does what the script says.

use std::{collections::VecDeque, sync::Arc};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::watch,
};

use super::{Act, Heard, Script, Tls, say};

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

pub struct Session {
    pub number: usize,
    pub script: Script,
    pub heard: Arc<watch::Sender<Heard>>,
}

/// The connection is over.
struct Over;

impl Session {
    pub async fn run(mut self, stream: TcpStream, tls: Tls) {
        let _ = self.converse(stream, tls).await;
        self.note("EOF");
    }

    async fn converse(&mut self, stream: TcpStream, tls: Tls) -> Result<(), Over> {
        stream.set_nodelay(true).unwrap();
        // RST on close is asked for now, as the socket may be under TLS by then.
        if self
            .script
            .0
            .values()
            .flatten()
            .any(|act| matches!(act, Act::Reset))
        {
            stream.set_zero_linger().unwrap();
        }
        let (mut io, acceptor): (BufReader<Box<dyn Duplex>>, _) = match tls {
            Tls::None => (BufReader::new(Box::new(stream)), None),
            Tls::FromTheStart(acceptor) => {
                let stream = acceptor.accept(stream).await.map_err(|_| Over)?;
                self.note("TLS");
                (BufReader::new(Box::new(stream)), None)
            }
            Tls::Offered(acceptor) => {
                let mut plain = BufReader::new(stream);
                self.act("GREETING", "220 relay.example.com", &mut plain)
                    .await?;
                loop {
                    let line = self.line(&mut plain).await?;
                    match line.split(' ').next().unwrap() {
                        "EHLO" => {
                            let hello = "250-relay.example.com\r\n250 STARTTLS";
                            self.act("EHLO", hello, &mut plain).await?;
                        }
                        "STARTTLS" => {
                            self.act("STARTTLS", "220 go", &mut plain).await?;
                            break;
                        }
                        _ => plain
                            .write_all(b"530 STARTTLS first\r\n")
                            .await
                            .map_err(|_| Over)?,
                    }
                }
                let stream = acceptor
                    .accept(plain.into_inner())
                    .await
                    .map_err(|_| Over)?;
                self.note("TLS");
                (BufReader::new(Box::new(stream)), Some(()))
            }
        };
        if acceptor.is_none() {
            self.act("GREETING", "220 relay.example.com", &mut io)
                .await?;
        }
        loop {
            let line = self.line(&mut io).await?;
            let (verb, default) = match line.split([' ', ':']).next().unwrap() {
                "EHLO" => ("EHLO", "250-relay.example.com\r\n250 AUTH PLAIN LOGIN"),
                "AUTH" => ("AUTH", "235 2.7.0 welcome"),
                "MAIL" => ("MAIL", "250 2.1.0 ok"),
                "RCPT" => ("RCPT", "250 2.1.5 ok"),
                "RSET" => ("RSET", "250 2.0.0 ok"),
                "DATA" => ("DATA", "354 go on"),
                "QUIT" => {
                    self.act("QUIT", "221 bye", &mut io).await?;
                    return Ok(());
                }
                _ => ("OTHER", "500 what?"),
            };
            let said = self.act(verb, default, &mut io).await?;
            if verb == "DATA" && said.starts_with(b"354") {
                self.message(&mut io).await?;
            }
        }
    }

    async fn message(&mut self, io: &mut (impl Duplex + AsyncBufReadExt)) -> Result<(), Over> {
        let mut message = String::new();
        loop {
            let mut line = String::new();
            if io.read_line(&mut line).await.map_err(|_| Over)? == 0 {
                return Err(Over);
            }
            if line == ".\r\n" {
                break;
            }
            message.push_str(line.strip_prefix('.').unwrap_or(&line));
        }
        self.note("DOT");
        let said = self.act("DOT", "250 2.0.0 queued", io).await?;
        if said.starts_with(b"250") {
            self.heard.send_modify(|heard| heard.mails.push(message));
        }
        Ok(())
    }

    async fn line(&mut self, io: &mut (impl AsyncBufReadExt + Unpin)) -> Result<String, Over> {
        let mut line = String::new();
        match io.read_line(&mut line).await {
            Ok(1..) if line.ends_with("\r\n") => {}
            _ => return Err(Over),
        }
        let line = line.trim_end().to_owned();
        self.note(&line);
        Ok(line)
    }

    /// What the script says for this stage, or else the default; gives back what was said.
    async fn act(
        &mut self,
        stage: &'static str,
        default: &str,
        io: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ) -> Result<Vec<u8>, Over> {
        let scripted = self.script.0.get_mut(stage).and_then(VecDeque::pop_front);
        match scripted.unwrap_or_else(|| say(default)) {
            Act::Say(bytes) => {
                io.write_all(&bytes).await.map_err(|_| Over)?;
                io.flush().await.map_err(|_| Over)?;
                Ok(bytes)
            }
            Act::SayAndClose(bytes) => {
                let _ = io.write_all(&bytes).await;
                let _ = io.shutdown().await;
                Err(Over)
            }
            Act::SayWithoutEnd(bytes) => loop {
                io.write_all(&bytes).await.map_err(|_| Over)?;
            },
            Act::Hang => {
                let _ = io.read_to_end(&mut Vec::new()).await;
                Err(Over)
            }
            Act::SayLater(now, bytes) => {
                now.notified().await;
                let _ = io.write_all(&bytes).await;
                Ok(bytes)
            }
            Act::Reset => Err(Over),
        }
    }

    fn note(&self, what: &str) {
        let entry = (self.number, what.to_owned());
        self.heard.send_modify(|heard| heard.commands.push(entry));
    }
}
