//! Which recipients and domains relays hang or break off at.
//!
//! A relay that asks a recipient's own server, or looks up its domain, takes as long over every mail there. What one
//! mail has shown is used for the next. A mail to a recipient at which a relay failed is sent on the slow lane. A domain
//! fails once relays have failed at three of its recipients and answered about none since. Whether they fail at the
//! others as well is not known: a stranger may have registered the three for that. So a mail to a recipient that has
//! not failed never waits for its domain. Where relays hang it starts on the slow lane, before mails that have been
//! tried; where they break off at once it goes like any other. Of the mails to recipients that have failed one is tried
//! in a pause that grows. Any answer about a recipient, even a refusal, ends all that for the recipient and, for a minute
//! at least, for the domain: the recipients at which relays hang may be a few of a large provider's.
//!
//! Kept in memory: a worker that starts anew learns it within seconds. [`Delivery`](crate::deliver::Delivery) asks
//! before each attempt.

mod recipient_slots;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::id::MailId;
use domain::mail::Lane;
use tokio::time::Instant;

pub use recipient_slots::{RecipientSlot, RecipientSlots};

/// So many recipients at which relays failed since the last answer make a domain fail.
const RECIPIENTS: usize = 3;

/// The pause between attempts at recipients that have failed, of a domain that fails: doubled each time.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// An attempt that fails after this long hung: it kept a slot from other mails.
const HUNG: Duration = Duration::from_secs(1);

/// For so long after an answer a domain does not fail, whatever fails there.
const ANSWERS_FOR: Duration = Duration::from_mins(1);

/// After this long without another failure it is forgotten.
const FORGOTTEN: Duration = Duration::from_mins(10);

/// The most recipients, and the most domains, that are kept, and the most mails that wait for one domain.
const MOST: usize = 10_000;

/// Whether a mail may be tried now.
#[derive(Debug, PartialEq, Eq)]
pub enum AttemptTime {
    /// It may.
    Now,
    /// Not before this time has passed, and then on that lane. Why, after "it".
    Later(Duration, Lane, String),
}

/// What is known of recipients and domains.
#[derive(Default)]
pub struct Destinations(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// When relays failed last at each recipient.
    recipients: HashMap<String, Instant>,
    domains: HashMap<String, Trouble>,
}

#[derive(Default)]
struct Trouble {
    /// The first recipients at which relays failed since the last answer.
    recipients: Vec<String>,
    /// Whether they hung at one of them.
    hangs: bool,
    /// How often they failed.
    failures: u32,
    last: Option<Instant>,
    /// When a relay answered last.
    answered: Option<Instant>,
    /// Until when no recipient that has failed is tried.
    until: Option<Instant>,
    /// Mails that wait for the end of that.
    waiting: HashSet<MailId>,
}

impl Trouble {
    fn pause(&self) -> Duration {
        let doubled = 2_u32.saturating_pow(self.failures.saturating_sub(1).min(8));
        (PAUSE * doubled).min(LONGEST_PAUSE)
    }

    fn fails(&self, now: Instant) -> bool {
        let answers = (self.answered).is_some_and(|at| is_within(ANSWERS_FOR, at, now));
        self.recipients.len() >= RECIPIENTS && !self.is_over(now) && !answers
    }

    /// Whether a mail of the domain waits, and for what.
    fn puts_off(
        &mut self,
        domain: &str,
        failed: bool,
        slow: bool,
        now: Instant,
    ) -> Option<AttemptTime> {
        if !failed {
            let waits = self.hangs && !slow;
            return waits
                .then(|| AttemptTime::Later(Duration::ZERO, Lane::SlowFirst, hangs(domain)));
        }
        let pause = (self.until).map(|until| until.saturating_duration_since(now));
        if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
            return Some(AttemptTime::Later(pause, Lane::Slow, paused(domain)));
        }
        if slow {
            self.until = Some(now + self.pause());
        }
        None
    }

    fn notes(&mut self, mail: MailId, waits: bool) {
        if !waits {
            self.waiting.remove(&mail);
        } else if self.waiting.len() < MOST {
            self.waiting.insert(mail);
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        !self.last.is_some_and(|at| is_within(FORGOTTEN, at, now))
    }
}

impl Destinations {
    /// Whether a mail to that address may be tried now. `slow`: on the slow lane. Where a recipient that has failed
    /// may be, no other of its domain is until the pause is over.
    pub fn admit(&self, mail: MailId, to: &str, slow: bool) -> AttemptTime {
        let (now, mut known) = (Instant::now(), self.lock());
        let failed = (known.recipients.get(&*lower_case(to)))
            .is_some_and(|at| is_within(FORGOTTEN, *at, now));
        let domain = domain_of(to);
        let trouble = (known.domains.get_mut(&*domain)).filter(|trouble| trouble.fails(now));
        if let Some(trouble) = trouble {
            let later = trouble.puts_off(&domain, failed, slow, now);
            trouble.notes(mail, later.is_some());
            if let Some(later) = later {
                return later;
            }
        }
        if failed && !slow {
            let why = "waits for a place on the slow lane: a relay hung or broke off at its recipient in another mail";
            return AttemptTime::Later(Duration::ZERO, Lane::Slow, why.to_owned());
        }
        AttemptTime::Now
    }

    /// A relay hung or broke off at the recipient, after so long.
    pub fn failed(&self, to: &str, after: Duration) {
        let (now, mut known, to) = (Instant::now(), self.lock(), lower_case(to));
        known.make_room(now);
        let trouble = known
            .domains
            .entry(domain_of(&to).into_owned())
            .or_default();
        if trouble.is_over(now) {
            *trouble = Trouble {
                answered: trouble.answered,
                ..Trouble::default()
            };
        }
        if trouble.recipients.len() < RECIPIENTS
            && !trouble.recipients.iter().any(|known| *known == to)
        {
            trouble.recipients.push(to.clone().into_owned());
        }
        trouble.hangs |= after >= HUNG;
        trouble.last = Some(now);
        if trouble.recipients.len() >= RECIPIENTS {
            trouble.failures = trouble.failures.saturating_add(1);
            trouble.until = Some(now + trouble.pause());
        }
        known.recipients.insert(to.into_owned(), now);
    }

    /// A relay answered about the recipient. Returns the mails that waited for that.
    pub fn answered(&self, to: &str) -> Vec<MailId> {
        let (now, mut known) = (Instant::now(), self.lock());
        known.make_room(now);
        known.recipients.remove(&*lower_case(to));
        let answers = Trouble {
            answered: Some(now),
            ..Trouble::default()
        };
        let domain = domain_of(to);
        let before = match known.domains.get_mut(&*domain) {
            Some(known) => std::mem::replace(known, answers),
            None => (known.domains.insert(domain.into_owned(), answers)).unwrap_or_default(),
        };
        before.waiting.into_iter().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn make_room(&mut self, now: Instant) {
        if self.recipients.len() >= MOST {
            (self.recipients).retain(|_, at| is_within(FORGOTTEN, *at, now));
        }
        if self.domains.len() >= MOST {
            self.domains.retain(|_, trouble| !trouble.is_over(now));
        }
        if self.recipients.len() >= MOST || self.domains.len() >= MOST {
            *self = Self::default();
        }
    }
}

fn is_within(span: Duration, at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(at) < span
}

fn paused(domain: &str) -> String {
    format!(
        "waits on the slow lane for a pause to end: relays hang or break off at {RECIPIENTS} recipients of {} or more and \
         answer about none; in each pause they are tried with one mail of those that have failed",
        shown(domain)
    )
}

fn hangs(domain: &str) -> String {
    format!(
        "waits for a place on the slow lane: relays hang at {RECIPIENTS} recipients of {} or more and answer about none",
        shown(domain)
    )
}

/// A domain as its own word: what follows an `@` is masked as an address where it is shown.
fn shown(domain: &str) -> &str {
    domain.trim_start_matches('@')
}

/// With the `@`, so that no address equals it.
fn domain_of(to: &str) -> Cow<'_, str> {
    lower_case(to.rfind('@').map_or("", |at| &to[at..]))
}

/// Most addresses are in lower case: they are not copied for every mail.
fn lower_case(to: &str) -> Cow<'_, str> {
    if to
        .bytes()
        .all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
    {
        Cow::Borrowed(to)
    } else {
        Cow::Owned(to.to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(5);

    fn later(destinations: &Destinations, to: &str, slow: bool) -> Option<(Duration, Lane)> {
        match destinations.admit(MailId::generate(), to, slow) {
            AttemptTime::Now => None,
            AttemptTime::Later(wait, lane, _) => Some((wait, lane)),
        }
    }

    /// Destinations with a domain that fails after that time.
    fn failing(after: Duration) -> Destinations {
        let destinations = Destinations::default();
        for to in ["a@slow.test", "b@slow.test", "c@Slow.test"] {
            destinations.failed(to, after);
        }
        destinations
    }

    #[tokio::test(start_paused = true)]
    async fn a_recipient_fails_after_one_mail_and_a_domain_after_three_recipients() {
        let destinations = Destinations::default();

        destinations.failed("a@slow.test", LONG);
        for _ in 0..10 {
            destinations.failed("b@slow.test", LONG);
        }
        let after_two = later(&destinations, "new@slow.test", false);
        let same_recipient = later(&destinations, "A@slow.test", false);
        destinations.failed("c@Slow.test", LONG);

        assert_eq!(after_two, None, "however often");
        assert_eq!(same_recipient, Some((Duration::ZERO, Lane::Slow)));
        let first = Some((Duration::ZERO, Lane::SlowFirst));
        assert_eq!(later(&destinations, "new@slow.test", false), first);
        assert_eq!(later(&destinations, "new@quick.test", false), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_recipient_that_has_not_failed_waits_for_no_pause() {
        let (hangs, breaks_off) = (failing(LONG), failing(QUICK));

        for n in 0..100 {
            let to = format!("new{n}@slow.test");
            assert_eq!(later(&hangs, &to, true), None, "on the slow lane");
            assert_eq!(later(&breaks_off, &to, false), None, "like any other");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_recipients_that_have_failed_one_is_tried_in_each_pause_and_pauses_grow() {
        let destinations = failing(QUICK);

        let mut pauses = Vec::new();
        for _ in 0..4 {
            let (pause, lane) = later(&destinations, "a@slow.test", true).unwrap();
            assert_eq!(lane, Lane::Slow);
            tokio::time::advance(pause).await;
            assert_eq!(later(&destinations, "a@slow.test", true), None);
            assert!(later(&destinations, "b@slow.test", true).is_some(), "one");
            destinations.failed("a@slow.test", QUICK);
            pauses.push(pause.as_secs());
        }

        assert_eq!(pauses, [5, 10, 20, 20]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_ends_it_for_a_minute_and_a_long_time_for_good() {
        let destinations = failing(LONG);
        let first = Some((Duration::ZERO, Lane::SlowFirst));

        destinations.answered("z@slow.test");
        let opened = ["a@slow.test", "d@slow.test"].map(|to| later(&destinations, to, true));
        for to in ["a@slow.test", "b@slow.test", "c@slow.test"] {
            destinations.failed(to, LONG);
        }
        let answered = later(&destinations, "d@slow.test", false);
        tokio::time::advance(ANSWERS_FOR).await;
        let after_a_minute = later(&destinations, "d@slow.test", false);
        tokio::time::advance(FORGOTTEN).await;

        assert_eq!(opened, [None, None], "at once");
        assert_eq!((answered, after_a_minute), (None, first));
        assert_eq!(later(&destinations, "d@slow.test", false), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_tells_which_mails_waited_for_it_but_none_that_went() {
        let destinations = failing(LONG);
        let [untried, tried, went] = [0; 3].map(|_| MailId::generate());

        destinations.admit(untried, "new@slow.test", false);
        destinations.admit(tried, "a@slow.test", true);
        destinations.admit(went, "other@slow.test", false);
        destinations.admit(went, "other@slow.test", true);
        let waited = HashSet::from_iter(destinations.answered("other@slow.test"));

        assert_eq!(waited, HashSet::from([untried, tried]));
        assert!(destinations.answered("other@slow.test").is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_mail_that_is_put_off_says_for_what_it_waits_without_an_address() {
        let destinations = failing(LONG);

        for to in ["a@slow.test", "new@slow.test"] {
            let AttemptTime::Later(_, _, why) = destinations.admit(MailId::generate(), to, false)
            else {
                panic!("it may go");
            };
            assert!(
                why.starts_with("waits ") && why.contains("slow lane"),
                "{why}"
            );
            assert!(why.contains(" slow.test ") && !why.contains('@'), "{why}");
        }
    }
}
