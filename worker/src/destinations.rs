//! Which recipients and domains relays hang or break off at.
//!
//! A relay that asks a recipient's own server, or looks up its domain, takes as long over every mail there. What one
//! mail has shown is used for the next: a mail to a recipient at which a relay failed, or to a domain at which it failed
//! for three mails in a row, starts on the slow lane; and while a domain fails, only one mail is tried there in
//! a pause that grows. Any answer of the relay about a recipient, even a refusal, ends that for the recipient and, for a
//! minute at least, for the domain: the recipients at which relays hang may be a few of a large provider's.
//!
//! Kept in memory: a worker that starts anew learns it within seconds. [`Delivery`](crate::deliver::Delivery) asks
//! before each attempt.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::id::MailId;
use tokio::time::Instant;

/// So many mails in a row that fail at a domain make it slow.
const MAILS: usize = 3;

/// The pause after a failure: doubled each time.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(40);

/// For so long after an answer a domain is not slow, whatever fails there.
const ANSWERS_FOR: Duration = Duration::from_mins(1);

/// After this long without another failure it is forgotten.
const FORGOTTEN: Duration = Duration::from_mins(10);

/// The most recipients and domains that are kept.
const MOST: usize = 20_000;

/// Whether a mail may be tried now.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Go,
    /// Not before this time has passed, on the slow lane; why.
    Later(Duration, &'static str),
}

/// What is known of recipients and domains.
#[derive(Default)]
pub struct Destinations(Mutex<HashMap<String, Trouble>>);

#[derive(Default)]
struct Trouble {
    /// The first mails that failed.
    mails: Vec<MailId>,
    /// How often any did.
    failures: u32,
    last: Option<Instant>,
    /// When the relay answered last.
    answered: Option<Instant>,
    /// Until when no mail is tried.
    until: Option<Instant>,
}

impl Trouble {
    fn pause(&self) -> Duration {
        let doubled = 2_u32.saturating_pow(self.failures.saturating_sub(1).min(8));
        (PAUSE * doubled).min(LONGEST_PAUSE)
    }

    fn answers(&self, now: Instant) -> bool {
        let recent = |at| now.saturating_duration_since(at) < ANSWERS_FOR;
        self.answered.is_some_and(recent)
    }

    fn is_over(&self, now: Instant) -> bool {
        self.last
            .is_none_or(|last| now.saturating_duration_since(last) >= FORGOTTEN)
    }
}

impl Destinations {
    /// Whether a mail to that address may be tried now. A `slow` one that may is the only one until the pause is over.
    pub fn admit(&self, to: &str, slow: bool) -> Admission {
        let (now, mut known) = (Instant::now(), self.lock());
        for (key, mails, why) in [
            (
                domain_of(to),
                MAILS,
                "relays hang or break off at its domain",
            ),
            (
                to.to_lowercase(),
                1,
                "relays hang or break off at its recipient",
            ),
        ] {
            let Some(trouble) = known.get_mut(&key) else {
                continue;
            };
            if trouble.mails.len() < mails || trouble.is_over(now) || trouble.answers(now) {
                continue;
            }
            let wait = trouble
                .until
                .map(|until| until.saturating_duration_since(now));
            let wait = wait.unwrap_or_default();
            if !slow || !wait.is_zero() {
                return Admission::Later(wait, why);
            }
            if mails > 1 {
                trouble.until = Some(now + trouble.pause());
            }
        }
        Admission::Go
    }

    /// The relay hung or broke off at the recipient.
    pub fn failed(&self, mail: MailId, to: &str) {
        let (now, mut known) = (Instant::now(), self.lock());
        make_room(&mut known, now);
        for key in [domain_of(to), to.to_lowercase()] {
            let trouble = known.entry(key).or_default();
            if trouble.mails.len() < MAILS && !trouble.mails.contains(&mail) {
                trouble.mails.push(mail);
            }
            if trouble.mails.len() >= MAILS {
                trouble.failures = trouble.failures.saturating_add(1);
                trouble.until = Some(now + trouble.pause());
            }
            trouble.last = Some(now);
        }
    }

    /// The relay answered about the recipient.
    pub fn answered(&self, to: &str) {
        let (now, mut known) = (Instant::now(), self.lock());
        make_room(&mut known, now);
        known.remove(&to.to_lowercase());
        let answers = Trouble {
            answered: Some(now),
            ..Trouble::default()
        };
        known.insert(domain_of(to), answers);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Trouble>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_room(known: &mut HashMap<String, Trouble>, now: Instant) {
    if known.len() >= MOST {
        known.retain(|_, trouble| !trouble.is_over(now));
    }
    if known.len() >= MOST {
        known.clear();
    }
}

/// With the `@`, so that no address equals it.
fn domain_of(to: &str) -> String {
    to.rfind('@').map_or("", |at| &to[at..]).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(destinations: &Destinations, to: &str) {
        destinations.failed(MailId::generate(), to);
    }

    fn later(destinations: &Destinations, to: &str, slow: bool) -> Option<Duration> {
        match destinations.admit(to, slow) {
            Admission::Go => None,
            Admission::Later(wait, _) => Some(wait),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_domain_is_slow_after_three_mails_in_a_row_and_a_recipient_after_one() {
        let destinations = Destinations::default();

        fail(&destinations, "a@slow.test");
        fail(&destinations, "b@slow.test");
        let after_two = later(&destinations, "new@slow.test", false);
        let same_recipient = later(&destinations, "A@slow.test", false);
        fail(&destinations, "c@Slow.test");

        assert_eq!(after_two, None);
        assert_eq!(
            same_recipient,
            Some(Duration::ZERO),
            "at once, as a slow one"
        );
        assert_eq!(later(&destinations, "new@slow.test", false), Some(PAUSE));
        assert_eq!(later(&destinations, "new@quick.test", false), None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_mail_alone_makes_no_domain_slow_however_often_it_fails() {
        let (destinations, mail) = (Destinations::default(), MailId::generate());

        for _ in 0..10 {
            destinations.failed(mail, "a@slow.test");
        }

        assert_eq!(later(&destinations, "b@slow.test", false), None);
        assert_eq!(later(&destinations, "a@slow.test", true), None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_mail_is_tried_at_a_slow_domain_in_each_pause_and_pauses_grow() {
        let destinations = Destinations::default();
        for to in ["a@slow.test", "b@slow.test", "c@slow.test"] {
            fail(&destinations, to);
        }

        let mut pauses = Vec::new();
        for _ in 0..5 {
            let pause = later(&destinations, "d@slow.test", true).unwrap();
            tokio::time::advance(pause).await;
            assert_eq!(later(&destinations, "d@slow.test", true), None);
            assert!(
                later(&destinations, "e@slow.test", true).is_some(),
                "one only"
            );
            fail(&destinations, "d@slow.test");
            pauses.push(pause.as_secs());
        }

        assert_eq!(pauses, [5, 10, 20, 40, 40]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_ends_it_for_a_minute_and_a_long_time_for_good() {
        let destinations = Destinations::default();
        let slow = || {
            for to in ["a@slow.test", "b@slow.test", "c@slow.test"] {
                fail(&destinations, to);
            }
        };

        slow();
        destinations.answered("z@slow.test");
        slow();
        let answered = later(&destinations, "d@slow.test", false);
        tokio::time::advance(ANSWERS_FOR).await;
        let after_a_minute = later(&destinations, "d@slow.test", false);
        tokio::time::advance(FORGOTTEN).await;

        assert_eq!(answered, None);
        assert_eq!(after_a_minute, Some(Duration::ZERO), "on the slow lane");
        assert_eq!(later(&destinations, "d@slow.test", false), None);
    }
}
