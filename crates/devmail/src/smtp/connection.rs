//! One SMTP conversation, from the greeting to the last reply.
//!
//! Apart from the listener because each runs in its own task. Drives `mailin`'s state
//! machine with lines and takes mails itself; [`super::finish`] stores them and
//! [`super::suffer`] goes through faults.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use mailin::{Action, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::body::Body;
use super::command::{self, Command};
use super::session::{self, Clerk, Desk};
use super::{MAX_ERRORS, MAX_LINE, MAX_MAIL, Shared};
use crate::fault::Strike;
use crate::stage::Stage;

/// How many bytes are asked for at once.
pub(super) const READ: usize = 16 * 1024;

/// The conversation has ended: the client left, or is to be cut off.
pub(super) struct Over;

impl From<io::Error> for Over {
    fn from(_: io::Error) -> Self {
        // A client that resets is as gone as one that closes.
        Self
    }
}

/// What the next bytes are.
enum Expect {
    Command,
    /// The rest of a line that was refused for its length.
    RestOfLine,
    /// A mail; `begun` once its first bytes have arrived.
    Mail {
        body: Body,
        begun: bool,
    },
}

/// One client and how far the talk with it has come.
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) input: BytesMut,
    /// Replies not written yet: those to pipelined commands leave in one write.
    output: Vec<u8>,
    /// How many of them answer a final dot.
    answers: usize,
    errors: usize,
    expect: Expect,
    pub(super) session: Session<Clerk>,
    pub(super) desk: Desk,
    pub(super) shared: Arc<Shared>,
}

/// Talks with one client until it leaves.
pub(super) async fn serve(stream: TcpStream, client: IpAddr, shared: Arc<Shared>) {
    // Without it, small replies wait for the client's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let (session, desk) = session::open(&shared, client);
    let mut connection = Connection {
        stream,
        input: BytesMut::new(),
        output: Vec::new(),
        answers: 0,
        errors: 0,
        expect: Expect::Command,
        session,
        desk,
        shared,
    };
    if connection.talk().await.is_err() {
        tracing::trace!("SMTP conversation over");
    }
}

impl Connection {
    async fn talk(&mut self) -> Result<(), Over> {
        self.greet().await?;
        loop {
            self.flush().await?;
            self.input.reserve(READ);
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(Over);
            }
            while self.digest().await? {}
        }
    }

    async fn greet(&mut self) -> Result<(), Over> {
        let strike = self.strike(Stage::Connect);
        self.suffer_or_close(strike).await?;
        let greeting = self.session.greeting();
        greeting.write_to(&mut self.output)?;
        Ok(())
    }

    /// Takes one line or mail from the input; false if it holds no whole one.
    async fn digest(&mut self) -> Result<bool, Over> {
        match &mut self.expect {
            Expect::Mail { begun: false, .. } if self.input.is_empty() => Ok(false),
            Expect::Mail { begun, .. } if !*begun => {
                *begun = true;
                let strike = self.strike(Stage::Body);
                self.suffer_or_close(strike).await?;
                Ok(true)
            }
            Expect::Mail { body, .. } => {
                let Some(content) = body.take(&mut self.input) else {
                    return Ok(false);
                };
                self.expect = Expect::Command;
                self.finish(&content).await?;
                Ok(true)
            }
            Expect::Command | Expect::RestOfLine => self.line().await,
        }
    }

    async fn line(&mut self) -> Result<bool, Over> {
        let rest = matches!(self.expect, Expect::RestOfLine);
        let end = memchr::memchr(b'\n', &self.input);
        if end.unwrap_or(self.input.len()) >= MAX_LINE && !rest {
            self.expect = Expect::RestOfLine;
            self.refuse("500 5.5.2 Line too long").await?;
            return Ok(true);
        }
        match end {
            Some(end) if rest => {
                self.input.advance(end + 1);
                self.expect = Expect::Command;
                Ok(true)
            }
            Some(end) => {
                let line = self.input.split_to(end + 1);
                self.obey(&line).await?;
                Ok(true)
            }
            None => {
                if rest {
                    self.input.clear();
                }
                Ok(false)
            }
        }
    }

    async fn obey(&mut self, line: &[u8]) -> Result<(), Over> {
        let (line, ehlo) = match command::read(line) {
            Command::Pass { line, ehlo } => (line, ehlo),
            Command::Refuse(reply) => return self.refuse(reply).await,
        };
        let response = self.session.process(&line);
        let strike = self.desk.open().strike.take();
        if let Some(mut strike) = strike {
            self.suffer(&mut strike).await?;
        }
        if ehlo && response.code == 250 {
            self.offer();
        } else {
            response.write_to(&mut self.output)?;
        }
        match response.code {
            354 => {
                let (body, begun) = (Body::new(), false);
                self.expect = Expect::Mail { body, begun };
            }
            500..=503 => self.count_error().await?,
            _ => {}
        }
        match response.action {
            Action::Close => self.close().await,
            _ => Ok(()),
        }
    }

    /// Answers EHLO in place of the state machine, which offers 8BITMIME only.
    fn offer(&mut self) {
        let offer = format!(
            "250-devmail.test\r\n250-PIPELINING\r\n250-SIZE {MAX_MAIL}\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
        );
        self.output.extend_from_slice(offer.as_bytes());
    }

    /// Finds the fault that strikes at a stage, then counts the stage.
    pub(super) fn strike(&self, stage: Stage) -> Option<Strike> {
        let transaction = self.desk.open();
        let recipients = transaction.to.iter().map(String::as_str);
        let strike = self.shared.faults.strike(stage, &recipients);
        self.shared.stages.reached(stage);
        strike
    }

    pub(super) fn reply(&mut self, line: &str) {
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    /// Replies to a final dot.
    pub(super) fn answer(&mut self, line: &str) {
        self.answers += 1;
        self.reply(line);
    }

    async fn refuse(&mut self, line: &str) -> Result<(), Over> {
        self.reply(line);
        self.count_error().await
    }

    /// Bounds how long a client that speaks no SMTP is listened to.
    async fn count_error(&mut self) -> Result<(), Over> {
        self.errors += 1;
        if self.errors < MAX_ERRORS {
            return Ok(());
        }
        self.reply("421 4.7.0 Too many errors");
        self.close().await
    }

    pub(super) async fn close(&mut self) -> Result<(), Over> {
        self.flush().await?;
        Err(Over)
    }

    pub(super) async fn flush(&mut self) -> Result<(), Over> {
        if !self.output.is_empty() {
            self.stream.write_all(&self.output).await?;
            self.output.clear();
        }
        for _ in 0..std::mem::take(&mut self.answers) {
            self.shared.stages.reached(Stage::Answered);
        }
        Ok(())
    }
}
