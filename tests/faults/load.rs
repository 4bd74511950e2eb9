//! Clients: people who register, verify, log in, forget their passwords and leave, over real HTTP.
//!
//! A client whose answer was lost sends the same again, as docs/api.md tells it to, and one that was told 503
//! waits as long as it was told. Nobody asks twice in any other case, so that every answer can be judged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use devmail::Inbox;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::ledger::{Answered, Ledger, Step};
use crate::story::{Plan, Story};
use crate::support::{Answer, Client};
use crate::world::{Door, PATIENCE};

/// After a connection failed although the API seems to be there.
const PAUSE: Duration = Duration::from_millis(50);

/// How long to wait for people to go on before the queue is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What all people share.
pub struct Crowd {
    pub ledger: Arc<Ledger>,
    pub inbox: Inbox,
    /// Where the API is, while it is there.
    door: watch::Receiver<Door>,
    /// As many requests are under way at once.
    lanes: Semaphore,
    stop: AtomicBool,
    /// People who are not through with their stories yet.
    people: watch::Sender<usize>,
    /// How often a look at the queue was begun, and the last one that found it empty.
    begun: AtomicU64,
    empty: watch::Sender<u64>,
}

/// People at work. Each begins when there is a lane for the one before.
pub struct Load {
    crowd: Arc<Crowd>,
    endless: bool,
    tasks: JoinSet<()>,
}

/// What a request came to, after as many repetitions as it took.
pub struct Told {
    pub answer: Answer,
    /// Whether an earlier request of the same kind got no answer.
    pub lost: bool,
}

impl Load {
    /// Lets people come, one after the other, with so many requests at once.
    pub fn start(
        (ledger, inbox, door): (Arc<Ledger>, Inbox, watch::Receiver<Door>),
        lanes: usize,
        people: impl Iterator<Item = Plan> + Send + 'static,
    ) -> Self {
        let crowd = Arc::new(Crowd {
            ledger,
            inbox,
            door,
            lanes: Semaphore::new(lanes),
            stop: AtomicBool::new(false),
            people: watch::Sender::new(1),
            begun: AtomicU64::new(0),
            empty: watch::Sender::new(0),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(come(Arc::clone(&crowd), people));
        Self {
            crowd,
            endless: false,
            tasks,
        }
    }

    /// The same, where there is no end of people.
    pub fn endless(self) -> Self {
        Self {
            endless: true,
            ..self
        }
    }

    /// Lets nobody come any more where there is no end of people; who is there goes on.
    pub fn stop(&self) {
        self.crowd.stop.store(self.endless, Ordering::SeqCst);
    }

    /// Waits until everybody who comes has come and is through. `drained` returns when no mail is under way: who
    /// waits for a mail since before that waits in vain.
    pub async fn over(mut self, mut drained: impl AsyncFnMut()) {
        let mut people = self.crowd.people.subscribe();
        let mut moves = self.crowd.ledger.moves();
        while *people.borrow_and_update() > 0 {
            let look = self.crowd.begun.fetch_add(1, Ordering::SeqCst) + 1;
            moves.mark_unchanged();
            drained().await;
            self.crowd.empty.send_replace(look);
            // Whoever is told that nothing comes goes on or ends: either way something moves.
            tokio::select! {
                _ = moves.changed() => {}
                _ = people.changed() => {}
                () = sleep(LOOK_AGAIN) => {}
            }
        }
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
    }
}

async fn come(crowd: Arc<Crowd>, people: impl Iterator<Item = Plan>) {
    let mut stories = JoinSet::new();
    for plan in people {
        // Who comes waits for a lane like everybody else, but only one person at a time does.
        let lane = crowd.lanes.acquire().await.unwrap();
        if crowd.stop.load(Ordering::SeqCst) {
            break;
        }
        drop(lane);
        crowd.people.send_modify(|people| *people += 1);
        let mut story = Story::new(Arc::clone(&crowd), plan);
        story.begin().await;
        let crowd = Arc::clone(&crowd);
        stories.spawn(async move {
            story.go_on().await;
            crowd.people.send_modify(|people| *people -= 1);
        });
        while let Some(ended) = stories.try_join_next() {
            ended.unwrap();
        }
    }
    while let Some(ended) = stories.join_next().await {
        ended.unwrap();
    }
    crowd.people.send_modify(|people| *people -= 1);
}

impl Crowd {
    /// Sends a request until it is answered with something else than "try again".
    pub async fn ask(&self, step: Step, email: &str, token: Option<&str>, body: &Value) -> Told {
        let mut lost = false;
        loop {
            match self.ask_once(step, email, token, body).await {
                None => lost = true,
                Some(answer) if [503, 504, 507].contains(&answer.status) => {
                    let told: u64 = answer.header("retry-after").parse().unwrap_or(1);
                    sleep(Duration::from_secs(told.min(2))).await;
                }
                Some(answer) => return Told { answer, lost },
            }
        }
    }

    /// Sends a request once.
    pub async fn ask_once(
        &self,
        step: Step,
        email: &str,
        token: Option<&str>,
        body: &Value,
    ) -> Option<Answer> {
        let client = self.client().await;
        let _lane = self.lanes.acquire().await.unwrap();
        let (method, path) = route(step);
        let mut request = client
            .request(method, path)
            .header("Content-Type", "application/json");
        if let Some(token) = token {
            request = request.header("Authorization", format!("Token {token}"));
        }
        let sent = self.ledger.sent();
        let answer = request.body(body.to_string()).try_send().await.ok();
        self.ledger
            .over(step, email, sent, answer.as_ref().map(Answered::of));
        if answer.is_none() && self.door.borrow().is_open() {
            sleep(PAUSE).await;
        }
        answer
    }

    /// A client of the API, once that is there.
    async fn client(&self) -> Client {
        let mut door = self.door.clone();
        let open = timeout(PATIENCE, door.wait_for(Door::is_open)).await;
        let open = open.expect("the API comes back").unwrap();
        open.client()
    }

    /// The code in a mail to somebody with that subject, or none if no such mail will ever come.
    pub async fn code(&self, email: &str, subject: &str) -> Option<String> {
        let since = self.begun.load(Ordering::SeqCst);
        let mut empty = self.empty.subscribe();
        for n in 1.. {
            let mail = tokio::select! {
                mail = self.inbox.wait_for(email, n, PATIENCE) => mail.ok(),
                _ = empty.wait_for(|look| *look > since) => {
                    self.inbox.to(email).get(n - 1).cloned()
                }
            };
            let mail = mail?;
            if mail.subject() == Some(subject) {
                return mail.code();
            }
        }
        None
    }
}

fn route(step: Step) -> (&'static str, &'static str) {
    match step {
        Step::Register => ("POST", "/api/auth/register/"),
        Step::Resend => ("POST", "/api/auth/resend-otp/"),
        Step::Verify => ("POST", "/api/auth/verify-otp/"),
        Step::Login => ("POST", "/api/auth/login/"),
        Step::RequestReset => ("POST", "/api/auth/password-reset-request/"),
        Step::Reset => ("POST", "/api/auth/password-reset-confirm/"),
        Step::RequestDeletion => ("POST", "/api/auth/delete-account-request/"),
        Step::Delete => ("DELETE", "/api/auth/delete-account-confirm/"),
    }
}

/// A body without fields.
pub fn nothing() -> Value {
    json!({})
}
