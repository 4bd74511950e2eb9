//! The handler of `mailin`'s state machine: keeps the envelope and looks up faults.
//!
//! Separate from the connection because the state machine calls it without `await`: an effect that
//! must wait is left in the [`Transaction`] for the connection.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailin::{Handler, Response, Session, SessionBuilder, response};

use super::Shared;
use super::command::NULL_SENDER;
use crate::fault::{Act, Effect};
use crate::stage::Stage;

/// RFC 5321, section 4.5.3.1.8, requires at least 100; the limit bounds memory.
const MAX_RECIPIENTS: usize = 1000;

/// The envelope of one session since its last MAIL.
#[derive(Default)]
pub(super) struct Transaction {
    pub from: String,
    pub to: Vec<String>,
    /// The effect of a fault during the last command that takes time.
    pub effect: Option<Effect>,
}

/// The transaction, shared by the connection and the handler.
#[derive(Clone, Default)]
pub(super) struct SharedTransaction(Arc<Mutex<Transaction>>);

/// Receives the calls of the state machine for one connection.
pub(super) struct SmtpHandler {
    shared: Arc<Shared>,
    transaction: SharedTransaction,
}

/// A new session for a client, and its transaction.
pub(super) fn open(
    shared: &Arc<Shared>,
    client: IpAddr,
) -> (Session<SmtpHandler>, SharedTransaction) {
    let transaction = SharedTransaction::default();
    let handler = SmtpHandler {
        shared: Arc::clone(shared),
        transaction: transaction.clone(),
    };
    (
        SessionBuilder::new("devmail.test").build(client, handler),
        transaction,
    )
}

impl SharedTransaction {
    pub(super) fn open(&self) -> MutexGuard<'_, Transaction> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SmtpHandler {
    /// Counts the stage, and turns the effect of a fault there, if any, into a reply now or a wait
    /// later.
    fn reach<'a>(
        &self,
        stage: Stage,
        target: &(impl Iterator<Item = &'a str> + Clone),
    ) -> Response {
        let effect = self.shared.faults.effect(stage, target);
        self.shared.stages.reached(stage);
        let Some(effect) = effect else {
            return response::OK;
        };
        let answer = match &effect.act {
            Act::Reply(code, text) => Response::custom(*code, text.clone()),
            _ => response::OK,
        };
        if effect.delay > Duration::ZERO || !matches!(effect.act, Act::Reply(..)) {
            self.transaction.open().effect = Some(effect);
        }
        answer
    }
}

impl Handler for SmtpHandler {
    fn helo(&mut self, _client: IpAddr, _domain: &str) -> Response {
        self.reach(Stage::Hello, &std::iter::empty())
    }

    fn mail(&mut self, _client: IpAddr, _domain: &str, from: &str) -> Response {
        let from = if from == NULL_SENDER { "" } else { from };
        let answer = self.reach(Stage::Mail, &std::iter::once(from));
        let mut transaction = self.transaction.open();
        from.clone_into(&mut transaction.from);
        transaction.to.clear();
        answer
    }

    fn rcpt(&mut self, to: &str) -> Response {
        if self.transaction.open().to.len() >= MAX_RECIPIENTS {
            return Response::custom(452, "4.5.3 Too many recipients".to_owned());
        }
        let answer = self.reach(Stage::Rcpt, &std::iter::once(to));
        if !answer.is_error {
            self.transaction.open().to.push(to.to_owned());
        }
        answer
    }

    fn data_start(&mut self, _: &str, _: &str, _: bool, to: &[String]) -> Response {
        self.reach(Stage::Data, &to.iter().map(String::as_str))
    }
}
