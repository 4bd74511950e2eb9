//! What must hold after every fault, read off three witnesses: what the API answered, what the relay
//! kept, and the database.
//!
//! One function for each invariant; it returns every place where it is broken, in words. Each has a
//! test in [`tests`] that feeds it a broken world, to show that it can fail.

mod answers;
mod mails;
mod rows;
mod tests;

use jiff::Timestamp;

use crate::database::{Database, Mail};
use crate::ledger::{Entry, Kept, Step};
use crate::vitals::Vitals;

/// Everything that is known of a run once it is over and drained.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    pub requests: Vec<Entry>,
    /// The mails that the relay kept.
    pub kept: Vec<Kept>,
    pub database: Database,
    /// Id and state of each mail, as `smart-notes jobs list` shows them.
    pub listed: Vec<(String, String)>,
    /// Each process, before the faults and after.
    pub vitals: Vec<(String, Vitals, Vitals)>,
    /// When it was collected.
    pub at: Timestamp,
    /// The processes' clock was moved: when a code died can't be compared with this one's.
    pub clock_moved: bool,
    /// Only the relay was sick: no reason for any 5xx.
    pub relay_only: bool,
}

type Invariant = (&'static str, fn(&Evidence) -> Vec<String>);

/// Every invariant with its name.
pub const INVARIANTS: [Invariant; 10] = [
    (
        "1: a registration answered 201 is whole",
        answers::registrations_are_whole,
    ),
    (
        "2: no row lacks its partner",
        rows::rows_have_their_partners,
    ),
    (
        "3: a mail is accepted once, or twice with a mark",
        mails::mails_are_accepted_once,
    ),
    (
        "4: after the drain nothing is pending",
        rows::nothing_is_pending,
    ),
    (
        "5: only known mails of living codes are sent",
        mails::only_living_mails_are_sent,
    ),
    (
        "6: a right code succeeds once",
        answers::right_codes_succeed_once,
    ),
    (
        "7: an answer says what happened",
        answers::answers_say_what_happened,
    ),
    (
        "8: a sick relay costs no tries",
        mails::sick_relays_cost_no_attempts,
    ),
    ("9: all is as before", all_is_as_before),
    (
        "a mail that was not delivered has its reason",
        mails::undelivered_mails_have_reasons,
    ),
];

impl Evidence {
    /// Every broken place of every invariant.
    pub fn violations(&self) -> Vec<String> {
        let each = INVARIANTS.iter().flat_map(|(name, broken)| {
            let places = broken(self).into_iter();
            places.map(move |place| format!("[{name}] {place}"))
        });
        each.collect()
    }

    fn mails_of(&self, request: &str) -> Vec<&Mail> {
        let mails = self.database.mails.iter();
        mails.filter(|mail| mail.request_id == request).collect()
    }

    fn tries_of(&self, mail: &str, outcome: &str) -> usize {
        let tries = self.database.tries.iter();
        let such = tries.filter(|one| one.mail_id == mail && one.outcome == outcome);
        such.count()
    }

    fn accepted(&self, mail: &str) -> usize {
        self.kept.iter().filter(|kept| kept.id == mail).count()
    }

    fn requests(&self, step: Step, email: &str) -> impl Iterator<Item = &Entry> {
        let all = self.requests.iter();
        all.filter(move |one| one.step == step && one.email == email)
    }

    /// Whether it happened, or may have happened without the client's knowing.
    fn may_have(&self, step: Step, email: &str) -> bool {
        self.requests(step, email)
            .any(|one| one.answer.is_none() || one.granted().is_some())
    }
}

fn all_is_as_before(all: &Evidence) -> Vec<String> {
    let worse = all
        .vitals
        .iter()
        .filter(|(_, before, after)| !after.are_as(before));
    worse
        .map(|(process, before, after)| format!("{process} was {before:?} and is {after:?}"))
        .collect()
}
