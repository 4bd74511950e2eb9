//! How a world ends: people are through, the queue is empty, the programs are as before and stop in good order;
//! then everything is held against everything.

use std::time::Instant;

use jiff::Timestamp;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::{Duration, sleep, timeout};

use super::start::ARCHIVE;
use super::{EXIT, PATIENCE, World};
use crate::checker::Evidence;
use crate::database::Database;
use crate::ledger::{self, Kept};
use crate::load::Load;
use crate::support::{Process, binaries};
use crate::vitals::Vitals;

/// Between two looks at what nothing announces.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// After a fault all is as before within this time: a promised figure.
const RECOVERY: Duration = Duration::from_mins(1);

/// The states of mails with which nothing more happens.
const OVER: [&str; 6] = [
    "delivered",
    "undeliverable",
    "expired",
    "not_needed",
    "cancelled",
    "poison",
];

fn is_over(mail: &Value) -> bool {
    OVER.contains(&mail["state"].as_str().unwrap())
}

/// The one place where it is asked again and again, because nothing tells.
pub async fn until<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < limit, "waited in vain until {what}");
        sleep(LOOK_AGAIN).await;
    }
}

impl World {
    /// Waits until everybody is through and the queue is empty.
    pub async fn through(&self, load: Load) {
        let over = load.over(async || self.drained().await);
        timeout(PATIENCE * 2, over)
            .await
            .expect("people are through");
        self.drained().await;
    }

    /// Waits until no mail is under way.
    pub async fn drained(&self) {
        until("no mail is under way", PATIENCE, async || {
            let mails = self.listed().await;
            mails.iter().all(is_over).then_some(())
        })
        .await;
    }

    /// Waits until so many mails wait, none of them with a try that counts.
    pub async fn waiting_untried(&self, least: usize) {
        until("mails wait without a try", PATIENCE, async || {
            let mails = self.listed().await;
            let waiting = mails.iter().filter(|mail| !is_over(mail));
            let untried = waiting.filter(|mail| mail["attempts"] == 0);
            (untried.count() >= least).then_some(())
        })
        .await;
    }

    /// Waits until no mail is in a worker's hands.
    pub async fn none_sending(&self) {
        until("no mail is in hand", PATIENCE, async || {
            let mails = self.listed().await;
            let sending = mails.iter().any(|mail| mail["state"] == "sending");
            (!sending).then_some(())
        })
        .await;
    }

    /// How many mails are in that state without a try that counts.
    pub async fn untried(&self, state: &str) -> usize {
        let mails = self.listed().await;
        let such = mails.iter().filter(|mail| mail["state"] == state);
        such.filter(|mail| mail["attempts"] == 0).count()
    }

    /// Every mail, as `smart-notes jobs list` shows it.
    pub async fn listed(&self) -> Vec<Value> {
        let all = ["jobs", "list", "--json", "--limit", "10000"];
        self.operator(&all).await.as_array().unwrap().clone()
    }

    /// How the tries of the newest mail ended, as an operator sees them.
    pub async fn newest_tries(&self) -> Vec<String> {
        let newest = self
            .operator(&["jobs", "list", "--json", "--limit", "1"])
            .await;
        self.tries_of(newest[0]["id"].as_str().unwrap()).await
    }

    /// How the tries of a mail ended, as an operator sees them.
    pub async fn tries_of(&self, mail: &str) -> Vec<String> {
        let story = self.operator(&["jobs", "show", mail, "--json"]).await;
        let tries = story["tries"].as_array().unwrap().iter();
        tries
            .map(|one| one["outcome"].as_str().unwrap().to_owned())
            .collect()
    }

    /// What the command line answers.
    pub async fn operator(&self, arguments: &[&str]) -> Value {
        let program = binaries::fresh("smart-notes", "smart-notes-cli");
        let variables = self.place.variables().iter();
        let said = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(variables.map(|(name, value)| (name, value)))
            .current_dir(self.place.path())
            .output()
            .await
            .unwrap();
        serde_json::from_slice(&said.stdout).unwrap_or_else(|_| panic!("{arguments:?}: {said:?}"))
    }

    /// Ends the test: everybody is through, everything is as before, the programs end, and every invariant holds.
    pub async fn finish(mut self, load: Load) -> Evidence {
        load.stop();
        self.through(load).await;
        let vitals = self.recovered().await;
        let listed = self.listed().await;
        let listed = (listed.iter())
            .map(|mail| {
                (
                    mail["id"].as_str().unwrap().to_owned(),
                    mail["state"].as_str().unwrap().to_owned(),
                )
            })
            .collect();
        let kept = ledger::kept(&self.place.path().join(ARCHIVE));
        self.every_second_mail_is_explained(&kept).await;
        let api = self.terminate_api();
        ended(api).await;
        while !self.workers.is_empty() {
            let worker = self.terminate_worker();
            ended(worker).await;
        }
        let evidence = Evidence {
            requests: self.ledger.entries(),
            kept,
            database: Database::copied(&self.place.database(), &self.place.path().join("after.db"))
                .await,
            listed,
            vitals,
            at: Timestamp::now(),
            clock_moved: self.clock_moved,
            relay_only: self.relay_only,
        };
        let unanswered = evidence.requests.iter().filter(|one| one.answer.is_none());
        eprintln!(
            "{} requests, {} of them without an answer; {} mails, {} taken by the relay",
            evidence.requests.len(),
            unanswered.count(),
            evidence.database.mails.len(),
            evidence.kept.len()
        );
        let violations = evidence.violations();
        assert!(
            violations.is_empty(),
            "{} violations:\n{}",
            violations.len(),
            violations.join("\n")
        );
        evidence
    }

    /// Where the relay took a mail twice, its story names the try that was cut off. A few stand for all.
    async fn every_second_mail_is_explained(&self, kept: &[Kept]) {
        let ids: Vec<_> = kept.iter().map(|one| &one.id).collect();
        let twice = (0..ids.len()).filter(|n| ids[..*n].contains(&ids[*n]));
        for n in twice.take(5) {
            let tries = self.tries_of(ids[n]).await;
            assert!(
                tries.iter().any(|one| one == "uncertain"),
                "{}: {tries:?}",
                ids[n]
            );
        }
    }

    /// The programs' state, once it is as before the fault or the time for that is over.
    async fn recovered(&self) -> Vec<(String, Vitals, Vitals)> {
        let [api_before, worker_before] = self.before.expect("the world was warmed up");
        let begun = Instant::now();
        loop {
            let api = Vitals::of_api(self.api().pid(), &self.client()).await;
            let mut vitals = vec![("the API".to_owned(), api_before, api)];
            for worker in &self.workers {
                let worker = Vitals::of(worker.pid());
                vitals.push(("a worker".to_owned(), worker_before, worker));
            }
            let as_before = vitals.iter().all(|(_, before, after)| after.are_as(before));
            if as_before || begun.elapsed() > RECOVERY {
                return vitals;
            }
            sleep(LOOK_AGAIN).await;
        }
    }
}

/// Waits for the end of a process that was asked to end: in good order, and in time.
pub async fn ended(mut process: Process) {
    let status = timeout(EXIT, process.ended()).await;
    let status = status.unwrap_or_else(|_| panic!("SIGTERM was too long ago: {}", process.log()));
    assert_eq!(status.code(), Some(0), "{}", process.log());
}
