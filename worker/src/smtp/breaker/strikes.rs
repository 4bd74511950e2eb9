//! What has failed since the relay worked, and whether that is the relay's fault.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use domain::id::MailId;

use super::Health;

/// So many attempts in trouble open the breaker.
const STRIKES: usize = 3;

/// If they are within this time, counted on the steady clock, or if no mail got through in between: with few mails
/// and a relay that is slow to fail there are never three within the time.
const WINDOW: Duration = Duration::from_secs(30);

/// The most failures that are kept.
pub(super) const MOST_STRIKES: usize = 256;

/// For so long after a mail got through a relay that fails at mails only is not out of order.
pub(super) const WORKS_FOR: Duration = Duration::from_mins(1);

/// What became of a mail at the relay.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// The mail.
    pub mail: MailId,
    /// Its recipient.
    pub to: &'a str,
    /// What that says of the relay.
    pub health: Health,
    /// The same for people.
    pub why: &'a str,
}

impl Report<'_> {
    fn to(&self) -> String {
        self.to.to_ascii_lowercase()
    }
}

/// An attempt that failed by trouble while the breaker was closed.
#[derive(Debug)]
pub(super) struct Strike {
    at: Instant,
    /// The mail and its recipient, if the relay failed at that.
    mail: Option<(MailId, String)>,
    health: Health,
}

impl Strike {
    fn recipient(&self) -> Option<&str> {
        self.mail.as_ref().map(|(_, to)| to.as_str())
    }

    fn domain(&self) -> Option<&str> {
        let domain = |to: &str| to.rfind('@').unwrap_or_default();
        self.recipient().map(|to| &to[domain(to)..])
    }
}

/// The failures of a closed breaker.
#[derive(Debug, Default)]
pub(super) struct Strikes {
    pub(super) list: Vec<Strike>,
    /// When the relay took a mail last, or refused a recipient.
    answered: Option<Instant>,
    /// When it took a mail last.
    healthy: Option<Instant>,
}

impl Strikes {
    /// Notes when the relay worked, whatever the breaker's state.
    pub(super) fn answered(&mut self, health: Health, now: Instant) {
        if health.gets_through() {
            self.answered = Some(now);
        }
        if health == Health::Healthy {
            self.healthy = Some(now);
        }
    }

    /// Whether the relay has failed at this mail, and no other has got through since.
    pub(super) fn has(&self, mail: MailId) -> bool {
        let of_mail = |strike: &Strike| strike.mail.as_ref().is_some_and(|(of, _)| *of == mail);
        self.list.iter().any(of_mail)
    }

    pub(super) fn clear(&mut self) {
        self.list.clear();
    }

    /// Counts an attempt of a closed breaker. When a mail gets through, what was about another is forgotten, and what
    /// is old. A recipient that is refused shows nothing of a relay that takes no mails because of us.
    pub(super) fn count(&mut self, report: Report<'_>, now: Instant) {
        let recent = |strike: &Strike| now.saturating_duration_since(strike.at) < WINDOW;
        let keeps = |strike: &Strike| strike.mail.is_none() && recent(strike);
        let (at, health) = (now, report.health);
        match health {
            Health::Healthy => self.list.retain(keeps),
            Health::Answers => {
                (self.list).retain(|strike| strike.health.is_about_us() || keeps(strike));
            }
            Health::Sick => self.list.push(Strike {
                at,
                mail: None,
                health,
            }),
            Health::Doubtful | Health::DoubtfulRefusal | Health::Throttling | Health::Slow => {
                self.list.retain(|strike| {
                    let mail = strike.mail.as_ref().map(|(mail, _)| *mail);
                    mail != Some(report.mail)
                });
                let mail = Some((report.mail, report.to()));
                self.list.push(Strike { at, mail, health });
            }
            Health::Refusing | Health::Unknown => {}
        }
        if self.list.len() > MOST_STRIKES {
            self.list.remove(0);
        }
    }

    /// Whether the relay is to blame: it refuses us, or there were so many failures of one kind. Many mails to recipients
    /// at which it fails may come at once: they prove nothing while others get through.
    pub(super) fn blame(&self, health: Health, now: Instant) -> bool {
        let works = |at: Option<Instant>| {
            at.is_some_and(|at| now.saturating_duration_since(at) < WORKS_FOR)
        };
        let of = |strike: &&Strike| {
            strike.health == health || (health.is_about_us() && strike.health.is_about_us())
        };
        let strikes = || self.list.iter().filter(of);
        let recipients = || {
            strikes()
                .filter_map(Strike::recipient)
                .collect::<HashSet<_>>()
        };
        let domains = || strikes().filter_map(Strike::domain).collect::<HashSet<_>>();
        match health {
            Health::Refusing => true,
            Health::Sick => strikes().count() >= STRIKES,
            Health::Doubtful => recipients().len() >= STRIKES && !works(self.answered),
            Health::DoubtfulRefusal | Health::Throttling => {
                domains().len() >= STRIKES
                    || (recipients().len() >= STRIKES && !works(self.healthy))
            }
            Health::Healthy | Health::Answers | Health::Slow | Health::Unknown => false,
        }
    }
}
