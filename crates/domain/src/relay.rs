//! How a worker stands with its relays, so that other processes can say why mails wait.
//!
//! Each worker judges its relays by itself and posts what it thinks through
//! [`PostRelays`](crate::processes::PostRelays). Commands and metrics read it
//! with [`posted_relays`](crate::processes::ReadProcesses::posted_relays).

use std::str::FromStr;

use jiff::Timestamp;

use crate::mail::UnknownWord;

/// Whether mails go to a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RelayState {
    /// They do.
    Closed,
    /// They don't: it failed, and is probed.
    Open,
    /// It answered a probe, and one mail may show whether it takes mails again.
    HalfOpen,
}

impl RelayState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// The state as it is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

impl FromStr for RelayState {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| UnknownWord(text.to_owned()))
    }
}

/// What a worker thinks of one of its relays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayStatus {
    /// The relay, as host and port.
    pub relay: String,
    /// Whether mails go to it.
    pub state: RelayState,
    /// Since when it works, or since when it does not: a probe that succeeds does not begin a new time.
    pub since: Timestamp,
    /// What is wrong with it, unless it is closed.
    pub reason: Option<String>,
    /// When it is probed next, while it is open or a mail tries it.
    pub next_probe_at: Option<Timestamp>,
}

/// A standing as it was posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostedRelayStatus {
    /// Whose it is.
    pub worker: String,
    /// The relay's place in that worker's order: 0 is preferred.
    pub position: u32,
    /// What the worker thinks.
    pub status: RelayStatus,
    /// When it said so.
    pub updated: Timestamp,
}

/// Why no worker claims a mail, if that is because of relays: the preferred relay of the worker whose
/// relays have been out of order for the shortest time. `None` while some worker has a relay that works.
///
/// `posted` as [`posted_relays`](crate::processes::ReadProcesses::posted_relays) gives it.
#[must_use]
pub fn held_by(posted: &[PostedRelayStatus]) -> Option<&PostedRelayStatus> {
    let works = |posted: &PostedRelayStatus| posted.status.state == RelayState::Closed;
    if posted.iter().any(works) {
        return None;
    }
    let preferred = posted.iter().filter(|posted| posted.position == 0);
    preferred.max_by_key(|posted| posted.status.since)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posted(worker: &str, position: u32, state: RelayState, since: i64) -> PostedRelayStatus {
        let since = Timestamp::from_second(since).unwrap();
        PostedRelayStatus {
            worker: worker.to_owned(),
            position,
            status: RelayStatus {
                relay: format!("relay{position}.example.com:25"),
                state,
                since,
                reason: None,
                next_probe_at: None,
            },
            updated: since,
        }
    }

    #[test]
    fn mails_wait_for_relays_only_when_no_worker_has_one_that_works() {
        use RelayState::{Closed, HalfOpen, Open};

        let first_out = posted("w1", 0, Open, 100);
        let second_works = posted("w1", 1, Closed, 0);
        let second_out = posted("w1", 1, HalfOpen, 200);
        let others_out = posted("w2", 0, Open, 300);

        assert_eq!(held_by(&[]), None, "no worker runs at all");
        assert_eq!(held_by(&[first_out.clone(), second_works.clone()]), None);
        assert_eq!(held_by(&[others_out.clone(), second_works]), None);
        assert_eq!(
            held_by(&[first_out.clone(), second_out.clone()]),
            Some(&first_out)
        );
        assert_eq!(
            held_by(&[first_out, second_out, others_out.clone()]),
            Some(&others_out),
            "held only since the last of them failed"
        );
    }

    #[test]
    fn states_are_read_back() {
        for state in RelayState::ALL {
            assert_eq!(state.as_str().parse::<RelayState>().unwrap(), state);
        }
    }
}
