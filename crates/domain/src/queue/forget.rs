//! The mails of an account that is gone: withdrawn if they are open, and their address forgotten.

use jiff::Timestamp;

use super::port::{MailChange, OpenMail};
use crate::email::EmailKey;
use crate::id::UserId;
use crate::mail::{MailState, undelivered};
use crate::store::{StoreError, Tx};

/// Why a mail of an account that is gone has ended.
const WITHDRAWN: &str = "the account was deleted";

/// Withdraws every open mail about the user or to the address, also one that is in flight, and puts `forget_as` in the
/// place of the address in all of them. A mail with a permit to send may have left: it is not withdrawn, but ends as its
/// worker says, and forgets the address then.
pub async fn forget_mails(
    tx: &mut dyn Tx,
    user: UserId,
    to: &EmailKey,
    forget_as: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let open = tx.open_mails(user, to).await?;
    let withdrawn: Vec<MailChange> = open.iter().filter_map(withdrawn).collect();
    if !withdrawn.is_empty() {
        tx.change_mails(&withdrawn, now).await?;
    }
    tx.forget_mails(user, to, forget_as).await
}

/// What becomes of an open mail; `None`: it may have left.
fn withdrawn(mail: &OpenMail) -> Option<MailChange> {
    (!mail.permitted).then(|| MailChange {
        reason: Some(undelivered(WITHDRAWN, mail.uncertain_attempts)),
        voids_claim: true,
        ..MailChange::to(mail.id, MailState::Cancelled)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::MailId;

    #[test]
    fn an_open_mail_is_withdrawn_unless_it_may_have_left() {
        for (permitted, uncertain_attempts, reason) in [
            (false, 0, Some("the account was deleted")),
            (false, 1, Some("may have been delivered")),
            (true, 0, None),
            (true, 1, None),
        ] {
            let change = withdrawn(&OpenMail {
                id: MailId::generate(),
                kind: "verify_email".into(),
                reason: None,
                uncertain_attempts,
                permitted,
                to_be_forgotten: true,
            });

            assert_eq!(change.is_some(), reason.is_some());
            if let (Some(change), Some(reason)) = (change, reason) {
                assert_eq!(change.state, MailState::Cancelled);
                assert!(change.voids_claim);
                assert!(change.reason.unwrap().contains(reason));
            }
        }
    }
}
