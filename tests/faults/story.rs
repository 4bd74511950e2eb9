//! One person's way through the API.

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::json;

use crate::ledger::Step;
use crate::load::{Crowd, nothing};
use crate::support::Person;

const CONFIRM: &str = "Confirm your Smart Notes account";
const RESET: &str = "Reset your Smart Notes password";
const DELETION: &str = "Confirm the deletion of your Smart Notes account";

/// So many present the right code at the same moment.
const RIVALS: usize = 3;

/// What somebody may do after the registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Will {
    AskAgain,
    Verify,
    /// Present the right code several times at once.
    HaveRivals,
    Forget,
    Leave,
}

/// A person, and what they are going to do once they have registered.
pub struct Plan {
    person: Person,
    wills: Vec<Will>,
}

impl Plan {
    /// The n-th of a crowd, whose plans follow from its seed.
    pub fn of(seed: u64, n: u64) -> Self {
        let mut chance = fastrand::Rng::with_seed(seed.wrapping_add(n));
        let mut wills = vec![
            (Will::AskAgain, 1, 6),
            (Will::Verify, 3, 4),
            (Will::HaveRivals, 1, 3),
            (Will::Forget, 1, 2),
            (Will::Leave, 1, 6),
        ];
        wills.retain(|(_, times, of)| chance.u32(0..*of) < *times);
        Self {
            person: Person::new(&format!("p{seed}x{n}")),
            wills: wills.into_iter().map(|(will, ..)| will).collect(),
        }
    }

    /// Somebody who registers, is mailed once, and does nothing more.
    pub fn only_to_register(name: &str) -> Self {
        Self {
            person: Person::new(name),
            wills: Vec::new(),
        }
    }

    fn has(&self, will: Will) -> bool {
        self.wills.contains(&will)
    }
}

/// A person on their way.
pub struct Story {
    crowd: Arc<Crowd>,
    plan: Plan,
    person: Person,
    /// What the registration was answered with; of use only if that was the only one.
    challenge: Option<String>,
}

impl Story {
    /// Somebody who comes.
    pub fn new(crowd: Arc<Crowd>, plan: Plan) -> Self {
        Self {
            crowd,
            person: plan.person.clone(),
            plan,
            challenge: None,
        }
    }

    /// Registers.
    pub async fn begin(&mut self) {
        let told = self
            .crowd
            .ask(
                Step::Register,
                &self.person.email,
                None,
                &self.person.form(),
            )
            .await;
        if told.answer.status == 201 && !told.lost {
            self.challenge = Some(told.answer.field("challenge"));
        }
    }

    /// All the rest. An answer that it does not expect, or a mail that does not come, ends it: why, is for the checker.
    pub async fn go_on(mut self) {
        let _ = self.rest().await;
    }

    async fn rest(&mut self) -> Option<()> {
        if self.plan.has(Will::AskAgain) {
            self.ask(Step::Resend, json!({"email": self.person.email}))
                .await?;
        }
        if !self.plan.has(Will::Verify) {
            return None;
        }
        let code = self.crowd.code(&self.person.email, CONFIRM).await?;
        self.verify(&code).await?;
        let mut token = self.log_in().await?;
        if self.plan.has(Will::Forget) {
            self.ask(Step::RequestReset, json!({"email": self.person.email}))
                .await?;
            let code = self.crowd.code(&self.person.email, RESET).await?;
            "another correct horse".clone_into(&mut self.person.password);
            self.once(
                Step::Reset,
                None,
                json!({"email": self.person.email, "otp": code, "new_password": self.person.password}),
            )
            .await?;
            token = self.log_in().await?;
        }
        if self.plan.has(Will::Leave) {
            let (email, token) = (&self.person.email, Some(token.as_str()));
            let told = (self.crowd)
                .ask(Step::RequestDeletion, email, token, &nothing())
                .await;
            (told.answer.status == 200).then_some(())?;
            let code = self.crowd.code(email, DELETION).await?;
            self.once(Step::Delete, token, json!({"otp": code})).await?;
        }
        Some(())
    }

    async fn ask(&self, step: Step, body: serde_json::Value) -> Option<()> {
        let told = self.crowd.ask(step, &self.person.email, None, &body).await;
        (told.answer.status == 200).then_some(())
    }

    /// Something that can be done only once. After a lost answer, "no" says that it is done.
    async fn once(&self, step: Step, token: Option<&str>, body: serde_json::Value) -> Option<()> {
        let told = self.crowd.ask(step, &self.person.email, token, &body).await;
        let done = [200, 204].contains(&told.answer.status);
        (done || (told.lost && [400, 401].contains(&told.answer.status))).then_some(())
    }

    async fn verify(&self, code: &str) -> Option<()> {
        let mut body = json!({"email": self.person.email, "otp": code});
        if let Some(challenge) = &self.challenge {
            body["challenge"] = json!(challenge);
        }
        if !self.plan.has(Will::HaveRivals) {
            return self.once(Step::Verify, None, body).await;
        }
        let email = &self.person.email;
        let rivals = (0..RIVALS).map(|_| self.crowd.ask_once(Step::Verify, email, None, &body));
        let answers = join_all(rivals).await;
        if (answers.iter().flatten()).any(|answer| answer.status == 200) {
            return Some(());
        }
        // Nobody was told that it went well: somebody's answer was lost, or nobody got so far.
        let told = self.crowd.ask(Step::Verify, email, None, &body).await;
        let lost = told.lost || answers.iter().any(Option::is_none);
        (told.answer.status == 200 || (lost && told.answer.status == 400)).then_some(())
    }

    async fn log_in(&self) -> Option<String> {
        let body = json!({"login": self.person.email, "password": self.person.password});
        let told = (self.crowd)
            .ask(Step::Login, &self.person.email, None, &body)
            .await;
        (told.answer.status == 200).then(|| told.answer.field("token"))
    }
}
