//! Limits of wrong codes: by one client, and for one address.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    Charge, Decision, LONGEST_WINDOW, Limits, Refusal, counted, key_of, longest, note_refusal,
    reached,
};
use crate::audit::Actor;
use crate::client::ClientKey;
use crate::email::EmailKey;
use crate::id::UserId;
use crate::otp::{CodeForm, Purpose};
use crate::store::{Reader, StoreError, Tx};

/// Wrong codes of one client, or of one user who is logged in.
const WRONG_CODES: &str = "wrong-codes";

impl Limits {
    fn wrong_codes(&self, client: &ClientKey, user: Option<UserId>) -> Charge {
        match user {
            Some(user) => Charge::new(WRONG_CODES, format_args!("user:{user}"), self.wrong_codes),
            None => Charge::new(WRONG_CODES, client, self.wrong_codes),
        }
    }
}

/// Whether a client, or the user who is logged in there, may present a code: looked at before it is compared.
pub(crate) async fn may_guess(
    tx: &mut dyn Tx,
    limits: Option<&Limits>,
    actor: &Actor,
    user: Option<UserId>,
    now: Timestamp,
) -> Result<Decision, StoreError> {
    let Some(refusal) = guesses_refused(tx, limits, &actor.client, user, now).await? else {
        return Ok(Decision::Allowed);
    };
    note_refusal(tx, actor, None, refusal.limit, now).await?;
    Ok(Decision::Limited(refusal))
}

/// Why a client, or the user who is logged in there, may present no code now, if that is so. Counts nothing.
pub(crate) async fn guesses_refused(
    reader: &mut dyn Reader,
    limits: Option<&Limits>,
    client: &ClientKey,
    user: Option<UserId>,
    now: Timestamp,
) -> Result<Option<Refusal>, StoreError> {
    let Some(limits) = limits else {
        return Ok(None);
    };
    let refusals = reached(reader, &[limits.wrong_codes(client, user)], now).await?;
    Ok(longest(refusals))
}

/// Counts a wrong code.
pub(crate) async fn guessed_wrong(
    tx: &mut dyn Tx,
    limits: Option<&Limits>,
    actor: &Actor,
    user: Option<UserId>,
    now: Timestamp,
) -> Result<(), StoreError> {
    match limits {
        Some(limits) => {
            tx.hit(&limits.wrong_codes(&actor.client, user).key, now)
                .await
        }
        None => Ok(()),
    }
}

/// After so many wrong guesses at an address's codes in a day, six digits count only with their challenge: a million
/// possibilities are then too few, however few guesses each code allows.
const GUESSES_A_DAY: usize = 50;
const A_DAY: Duration = LONGEST_WINDOW;

/// After so many by holders of challenges, each of which has tries of its own, six digits count for nobody: the long code
/// is in every mail by then.
const HELD_GUESSES_A_DAY: usize = 100;

/// And after so many in a row of either kind, however slowly they came (NIST SP 800-63B-4 §3.2.2).
const GUESSES_IN_A_ROW: u32 = 100;

fn guesses(email: &EmailKey, purpose: Purpose) -> String {
    key_of(
        "guesses",
        format_args!("{}:{}", purpose.as_str(), email.as_str()),
    )
}

fn held_guesses(email: &EmailKey, purpose: Purpose) -> String {
    key_of(
        "held-guesses",
        format_args!("{}:{}", purpose.as_str(), email.as_str()),
    )
}

/// A code of that address and purpose was guessed wrong. Counted even where limits are lifted.
pub(crate) async fn guessed_at(
    tx: &mut dyn Tx,
    email: &EmailKey,
    purpose: Purpose,
    now: Timestamp,
) -> Result<(), StoreError> {
    wrong(tx, &guesses(email, purpose), now).await
}

/// A code was guessed where there is none. Counts for nothing, and takes as long as if there were one (OWASP ASVS 5.0
/// 6.3.8): of an address without an account no row is kept.
pub(crate) async fn guessed_nothing(
    tx: &mut dyn Tx,
    actor: &Actor,
    email: &EmailKey,
    purpose: Purpose,
    now: Timestamp,
) -> Result<(), StoreError> {
    code_form(tx, email, purpose, now).await?;
    wrong(tx, &key_of("no-guesses", &actor.client), now).await
}

async fn wrong(tx: &mut dyn Tx, key: &str, now: Timestamp) -> Result<(), StoreError> {
    tx.lengthen_run(key, now).await?;
    tx.hit(key, now).await
}

/// A code of that address and purpose was right, or all of the address is forgotten: wrong guesses are no longer
/// in a row with those to come. What the day has seen stays.
pub(crate) async fn guessed_right(
    tx: &mut dyn Tx,
    email: &EmailKey,
    purpose: Purpose,
) -> Result<(), StoreError> {
    tx.end_run(&guesses(email, purpose)).await?;
    tx.end_run(&held_guesses(email, purpose)).await
}

/// A code of that address and purpose was guessed wrong by the holder of a challenge: it counts among all as well.
pub(crate) async fn held_guess(
    tx: &mut dyn Tx,
    email: &EmailKey,
    purpose: Purpose,
    now: Timestamp,
) -> Result<(), StoreError> {
    wrong(tx, &held_guesses(email, purpose), now).await?;
    guessed_at(tx, email, purpose, now).await
}

/// The form that codes of that address and purpose must have now where their challenge comes with them.
pub(crate) async fn held_form(
    tx: &mut dyn Tx,
    email: &EmailKey,
    purpose: Purpose,
    now: Timestamp,
) -> Result<CodeForm, StoreError> {
    form_after(tx, &held_guesses(email, purpose), HELD_GUESSES_A_DAY, now).await
}

/// The form that codes of that address and purpose must have now where no challenge comes with them.
pub(crate) async fn code_form(
    tx: &mut dyn Tx,
    email: &EmailKey,
    purpose: Purpose,
    now: Timestamp,
) -> Result<CodeForm, StoreError> {
    form_after(tx, &guesses(email, purpose), GUESSES_A_DAY, now).await
}

/// The form after so many wrong guesses in a day, or [`GUESSES_IN_A_ROW`].
async fn form_after(
    tx: &mut dyn Tx,
    key: &str,
    a_day: usize,
    now: Timestamp,
) -> Result<CodeForm, StoreError> {
    let today = counted(tx, key, A_DAY, now).await?;
    let many = today.len() >= a_day || tx.run_length(key).await? >= GUESSES_IN_A_ROW;
    Ok(if many {
        CodeForm::Long
    } else {
        CodeForm::Short
    })
}
