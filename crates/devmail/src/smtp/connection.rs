//! One SMTP conversation, from the greeting to the last reply.
//!
//! Separate from the listener because each conversation runs in its own task. It passes lines to
//! `mailin`'s state machine and reads mails itself; [`super::finish`] stores them and
//! [`super::delay`] applies faults that take time.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use mailin::{Action, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::body::Body;
use super::command::{self, Command};
use super::handler::{self, SharedTransaction, SmtpHandler};
use super::{MAX_ERRORS, MAX_LINE, MAX_MAIL, Shared};
use crate::fault::Effect;
use crate::stage::Stage;

/// The size of one read, in bytes.
pub(super) const READ: usize = 16 * 1024;

/// The conversation has ended: the client disconnected, or the catcher closes the connection.
pub(super) struct Closed;

impl From<io::Error> for Closed {
    fn from(_: io::Error) -> Self {
        // A reset means the same as a close: the client has disconnected.
        Self
    }
}

/// The kind of input expected next.
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

/// One client and the state of its conversation.
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) input: BytesMut,
    /// Replies not written yet: the replies to pipelined commands are written together.
    output: Vec<u8>,
    /// How many of them reply to an end of data.
    answers: usize,
    errors: usize,
    expect: Expect,
    pub(super) session: Session<SmtpHandler>,
    pub(super) transaction: SharedTransaction,
    pub(super) shared: Arc<Shared>,
}

/// Serves one client until it disconnects.
pub(super) async fn serve(stream: TcpStream, client: IpAddr, shared: Arc<Shared>) {
    // Without TCP_NODELAY, small replies wait for the client's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let (session, transaction) = handler::open(&shared, client);
    let mut connection = Connection {
        stream,
        input: BytesMut::new(),
        output: Vec::new(),
        answers: 0,
        errors: 0,
        expect: Expect::Command,
        session,
        transaction,
        shared,
    };
    if connection.talk().await.is_err() {
        tracing::trace!("SMTP connection closed");
    }
}

impl Connection {
    async fn talk(&mut self) -> Result<(), Closed> {
        self.greet().await?;
        loop {
            self.flush().await?;
            self.input.reserve(READ);
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(Closed);
            }
            while self.advance().await? {}
        }
    }

    async fn greet(&mut self) -> Result<(), Closed> {
        let effect = self.effect(Stage::Connect);
        self.delay_or_close(effect).await?;
        let greeting = self.session.greeting();
        greeting.write_to(&mut self.output)?;
        Ok(())
    }

    /// Processes one line or mail of the input; false if the input holds no complete one.
    async fn advance(&mut self) -> Result<bool, Closed> {
        match &mut self.expect {
            Expect::Mail { begun: false, .. } if self.input.is_empty() => Ok(false),
            Expect::Mail { begun, .. } if !*begun => {
                *begun = true;
                let effect = self.effect(Stage::Body);
                self.delay_or_close(effect).await?;
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

    async fn line(&mut self) -> Result<bool, Closed> {
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
                self.execute(&line).await?;
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

    async fn execute(&mut self, line: &[u8]) -> Result<(), Closed> {
        let (line, ehlo) = match command::read(line) {
            Command::Pass { line, ehlo } => (line, ehlo),
            Command::Refuse(reply) => return self.refuse(reply).await,
        };
        let response = self.session.process(&line);
        let effect = self.transaction.open().effect.take();
        if let Some(mut effect) = effect {
            self.delay(&mut effect).await?;
        }
        if ehlo && response.code == 250 {
            self.reply_to_ehlo();
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

    /// Replies to EHLO in place of the state machine, which offers only 8BITMIME.
    fn reply_to_ehlo(&mut self) {
        let offer = format!(
            "250-devmail.test\r\n250-PIPELINING\r\n250-SIZE {MAX_MAIL}\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
        );
        self.output.extend_from_slice(offer.as_bytes());
    }

    /// Finds the effect of a fault at a stage, then counts the stage.
    pub(super) fn effect(&self, stage: Stage) -> Option<Effect> {
        let transaction = self.transaction.open();
        let recipients = transaction.to.iter().map(String::as_str);
        let effect = self.shared.faults.effect(stage, &recipients);
        self.shared.stages.reached(stage);
        effect
    }

    pub(super) fn reply(&mut self, line: &str) {
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    /// Replies to an end of data.
    pub(super) fn answer(&mut self, line: &str) {
        self.answers += 1;
        self.reply(line);
    }

    async fn refuse(&mut self, line: &str) -> Result<(), Closed> {
        self.reply(line);
        self.count_error().await
    }

    /// Closes the connection of a client that sends too many invalid commands.
    async fn count_error(&mut self) -> Result<(), Closed> {
        self.errors += 1;
        if self.errors < MAX_ERRORS {
            return Ok(());
        }
        self.reply("421 4.7.0 Too many errors");
        self.close().await
    }

    pub(super) async fn close(&mut self) -> Result<(), Closed> {
        self.flush().await?;
        Err(Closed)
    }

    pub(super) async fn flush(&mut self) -> Result<(), Closed> {
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
