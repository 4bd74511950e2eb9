//! The handler behind `mailin`'s state machine: keeps the envelope and asks the faults.
//!
//! Apart from the connection because the state machine calls it without `await`:
//! whatever must wait is left in the [`Transaction`] for the connection to go through.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailin::{Handler, Response, Session, SessionBuilder, response};

use super::Shared;
use super::command::NULL_SENDER;
use crate::fault::{Act, Strike};
use crate::stage::Stage;

/// RFC 5321, section 4.5.3.1.8, asks for 100 at least; the bound keeps memory bounded.
const MAX_RECIPIENTS: usize = 1000;

/// What one session has agreed on since the last MAIL.
#[derive(Default)]
pub(super) struct Transaction {
    pub from: String,
    pub to: Vec<String>,
    /// A fault that struck during the last command and takes time.
    pub strike: Option<Strike>,
}

/// Reads and changes the transaction; shared with the state machine's handler.
#[derive(Clone, Default)]
pub(super) struct Desk(Arc<Mutex<Transaction>>);

/// Makes the calls of the state machine on behalf of one connection.
pub(super) struct Clerk {
    shared: Arc<Shared>,
    desk: Desk,
}

/// A new session for a client, and the desk on which its envelope lies.
pub(super) fn open(shared: &Arc<Shared>, client: IpAddr) -> (Session<Clerk>, Desk) {
    let desk = Desk::default();
    let clerk = Clerk {
        shared: Arc::clone(shared),
        desk: desk.clone(),
    };
    (
        SessionBuilder::new("devmail.test").build(client, clerk),
        desk,
    )
}

impl Desk {
    pub(super) fn open(&self) -> MutexGuard<'_, Transaction> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clerk {
    /// Counts the stage, and turns the fault that strikes there, if any, into a reply
    /// now or a wait later.
    fn reach<'a>(&self, stage: Stage, whom: &(impl Iterator<Item = &'a str> + Clone)) -> Response {
        let strike = self.shared.faults.strike(stage, whom);
        self.shared.stages.reached(stage);
        let Some(strike) = strike else {
            return response::OK;
        };
        let answer = match &strike.act {
            Act::Reply(code, text) => Response::custom(*code, text.clone()),
            _ => response::OK,
        };
        if strike.delay > Duration::ZERO || !matches!(strike.act, Act::Reply(..)) {
            self.desk.open().strike = Some(strike);
        }
        answer
    }
}

impl Handler for Clerk {
    fn helo(&mut self, _client: IpAddr, _domain: &str) -> Response {
        self.reach(Stage::Hello, &std::iter::empty())
    }

    fn mail(&mut self, _client: IpAddr, _domain: &str, from: &str) -> Response {
        let from = if from == NULL_SENDER { "" } else { from };
        let answer = self.reach(Stage::Mail, &std::iter::once(from));
        let mut transaction = self.desk.open();
        from.clone_into(&mut transaction.from);
        transaction.to.clear();
        answer
    }

    fn rcpt(&mut self, to: &str) -> Response {
        if self.desk.open().to.len() >= MAX_RECIPIENTS {
            return Response::custom(452, "4.5.3 Too many recipients".to_owned());
        }
        let answer = self.reach(Stage::Rcpt, &std::iter::once(to));
        if !answer.is_error {
            self.desk.open().to.push(to.to_owned());
        }
        answer
    }

    fn data_start(&mut self, _: &str, _: &str, _: bool, to: &[String]) -> Response {
        self.reach(Stage::Data, &to.iter().map(String::as_str))
    }
}
