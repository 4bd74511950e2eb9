//! The challenge whose code a mail carries: whether it can still be used, and which of its codes the mail needs.

use jiff::Timestamp;

use crate::id::ChallengeId;
use crate::otp::{CodeForm, CodeSeed};

/// What a worker needs to know of a mail's challenge.
#[derive(Debug, Clone)]
pub struct MailChallenge {
    /// The challenge's id.
    pub id: ChallengeId,
    /// What its code is derived from.
    pub seed: CodeSeed,
    /// The name that the code will confirm.
    pub username: String,
    /// Wrong tries without a challenge token since the code was made. All codes of the address and purpose share them.
    pub open_tries: u32,
    /// The fewest tries made by a client that holds this challenge, or another live one of the same user and purpose
    /// and may use newer digits; `None` if no client holds one.
    pub held_tries: Option<u32>,
    /// Whether it can still be used.
    pub life: ChallengeLife,
}

impl MailChallenge {
    /// Whether its six digits count only for clients that hold the challenge. The worker can't know whether the client
    /// that waits for the mail is one of them, so such a mail carries the long code as well.
    #[must_use]
    pub fn needs_long_code(&self, max_tries: u32) -> bool {
        self.seed.form == CodeForm::Long || self.open_tries >= max_tries
    }

    /// Whether the tries of its digits are spent for every client.
    #[must_use]
    pub fn is_spent(&self, max_tries: u32) -> bool {
        let by_holders = self.held_tries.is_none_or(|tries| tries >= max_tries);
        self.seed.form == CodeForm::Short && self.open_tries >= max_tries && by_holders
    }
}

/// Whether a challenge can still be used by the reader of the mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChallengeLife {
    /// It can.
    Live,
    /// It never could: no code is due, and only the rows were to look alike.
    Decoy,
    /// Its code was used.
    Used,
    /// A newer code was made for the same registration or purpose.
    Replaced,
    /// It was ended before it was used: its user's password, address or state was changed.
    Ended,
    /// Its time is over.
    Expired,
}

impl ChallengeLife {
    /// Why the code can't be used, as a short clause; `None` for one that can.
    #[must_use]
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Live => None,
            Self::Decoy => Some("no code is due at this address"),
            Self::Used => Some("its code has been used"),
            Self::Replaced => Some("a newer code was made"),
            Self::Ended => Some("its code was ended"),
            Self::Expired => Some("its code has expired"),
        }
    }

    /// Why the code can't be used, as a mail's row says it.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Decoy => {
                "no code is due at this address: it has no account or registration that waits for one, or is another account's"
            }
            Self::Ended => {
                "it was ended: the password, the address or the state of its account was changed, or another code was used"
            }
            // A live code that can't be sent any more has no time left.
            Self::Live => "its code has expired",
            other => other.reason().unwrap_or_default(),
        }
    }
}

/// What the rows say of a challenge's life.
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent facts of a row"
)]
#[derive(Debug, Clone, Copy)]
pub struct ChallengeTimes {
    /// Whether it is a decoy.
    pub decoy: bool,
    /// Whether its code was used.
    pub used: bool,
    /// Whether it was ended.
    pub ended: bool,
    /// Whether a newer one was made.
    pub superseded: bool,
    /// When its time is over.
    pub expires: Timestamp,
}

impl ChallengeTimes {
    /// Whether the challenge can be used at that time, and if not, why. The first reason that holds is told: being used says
    /// more than being expired.
    #[must_use]
    pub fn life(self, now: Timestamp) -> ChallengeLife {
        if self.decoy {
            ChallengeLife::Decoy
        } else if self.used {
            ChallengeLife::Used
        } else if self.ended {
            ChallengeLife::Ended
        } else if self.expires <= now {
            ChallengeLife::Expired
        } else if self.superseded {
            ChallengeLife::Replaced
        } else {
            ChallengeLife::Live
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_says_why_it_can_not_be_used() {
        let (now, later) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(1).unwrap());
        let live = ChallengeTimes {
            decoy: false,
            used: false,
            ended: false,
            superseded: false,
            expires: later,
        };
        let (used, ended) = (true, true);

        for (times, life) in [
            (live, ChallengeLife::Live),
            (
                ChallengeTimes {
                    decoy: true,
                    used,
                    ..live
                },
                ChallengeLife::Decoy,
            ),
            (
                ChallengeTimes {
                    used,
                    ended,
                    ..live
                },
                ChallengeLife::Used,
            ),
            (
                ChallengeTimes {
                    used,
                    expires: now,
                    ..live
                },
                ChallengeLife::Used,
            ),
            (
                ChallengeTimes {
                    ended,
                    expires: now,
                    ..live
                },
                ChallengeLife::Ended,
            ),
            (
                ChallengeTimes {
                    expires: now,
                    superseded: true,
                    ..live
                },
                ChallengeLife::Expired,
            ),
            (
                ChallengeTimes {
                    superseded: true,
                    ..live
                },
                ChallengeLife::Replaced,
            ),
        ] {
            assert_eq!(times.life(now), life, "{times:?}");
        }
    }
}
