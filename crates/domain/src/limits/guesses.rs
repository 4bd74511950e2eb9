//! How often codes may be guessed wrong: by one client, and at those of one address.

use std::time::Duration;

use jiff::Timestamp;

use super::{Limits, Passage, Refusal, Spend, counted, key_of, longest, note_refusal, reached};
use crate::audit::Actor;
use crate::client::ClientKey;
use crate::email::EmailKey;
use crate::otp::{CodeForm, Purpose};
use crate::store::{StoreError, Tx, View};

impl Limits {
    fn wrong_codes(&self, client: &ClientKey) -> Spend {
        Spend::new("wrong-codes", client, self.wrong_codes)
    }
}

/// Whether a client may present a code: looked at before it is compared.
pub(crate) async fn may_guess(
    tx: &mut dyn Tx,
    limits: Option<&Limits>,
    actor: &Actor,
    now: Timestamp,
) -> Result<Passage, StoreError> {
    let Some(refusal) = guesses_refused(tx, limits, &actor.client, now).await? else {
        return Ok(Passage::Granted);
    };
    note_refusal(tx, actor, None, refusal.limit, now).await?;
    Ok(Passage::Refused(refusal))
}

/// Why a client may present no code now, if it may not. Counts nothing.
pub(crate) async fn guesses_refused(
    view: &mut dyn View,
    limits: Option<&Limits>,
    client: &ClientKey,
    now: Timestamp,
) -> Result<Option<Refusal>, StoreError> {
    let Some(limits) = limits else {
        return Ok(None);
    };
    let refusals = reached(view, &[limits.wrong_codes(client)], now).await?;
    Ok(longest(refusals))
}

/// A code was wrong.
pub(crate) async fn guessed_wrong(
    tx: &mut dyn Tx,
    limits: Option<&Limits>,
    actor: &Actor,
    now: Timestamp,
) -> Result<(), StoreError> {
    match limits {
        Some(limits) => tx.hit(&limits.wrong_codes(&actor.client).key, now).await,
        None => Ok(()),
    }
}

/// After so many wrong guesses at an address's codes in a day, short codes stop for it: a million
/// possibilities are then too few, however few guesses each code allows.
const GUESSES_A_DAY: usize = 50;
const A_DAY: Duration = Duration::from_hours(24);

/// And after so many in a row, however slowly they came (NIST SP 800-63B-4 §3.2.2).
const GUESSES_IN_A_ROW: u32 = 100;

fn guesses(email: &EmailKey, purpose: Purpose) -> String {
    key_of(
        "guesses",
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
    let key = guesses(email, purpose);
    tx.lengthen_run(&key, now).await?;
    tx.hit(&key, now).await
}

/// A code of that address and purpose was right, or all of the address is forgotten: wrong guesses are no longer
/// in a row with those to come. What the day has seen stays.
pub(crate) async fn guessed_right(
    tx: &mut dyn Tx,
    email: &EmailKey,
    purpose: Purpose,
) -> Result<(), StoreError> {
    tx.end_run(&guesses(email, purpose)).await
}

/// The form that codes of that address and purpose must have now.
pub(crate) async fn code_form(
    tx: &mut dyn Tx,
    email: &EmailKey,
    purpose: Purpose,
    now: Timestamp,
) -> Result<CodeForm, StoreError> {
    let key = guesses(email, purpose);
    let today = counted(tx, &key, A_DAY, now).await?;
    let many = today.len() >= GUESSES_A_DAY || tx.run_length(&key).await? >= GUESSES_IN_A_ROW;
    Ok(if many {
        CodeForm::Long
    } else {
        CodeForm::Short
    })
}
