//! How many mails are sent to one recipient at once: two. Otherwise a recipient whose server hangs after the message
//! could hold all connections, since an account can have many mails sent to its own address within seconds. The others
//! wait until one has ended. Kept in memory, as long as there is something to keep.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::id::MailId;

use super::lower_case;

/// The most mails that are sent to one recipient at once.
const AT_ONCE: usize = 2;

/// When others are tried again that no end of a mail to their recipient has woken: the worker that knew of them is gone.
const AT_ONCE_PAUSE: Duration = Duration::from_secs(20);

/// The most mails that are known to wait for one recipient.
const MOST_WAITING: usize = 10_000;

/// The mails that are being sent to each recipient.
#[derive(Default)]
pub struct RecipientSlots(Mutex<HashMap<String, Mailbox>>);

/// The mails to one recipient.
#[derive(Default)]
struct Mailbox {
    /// How many are being sent.
    sent: usize,
    /// Those that wait for others to end, the first comes first.
    waiting: VecDeque<MailId>,
}

/// A mail that is being sent to a recipient, until this is dropped.
pub struct RecipientSlot<'a> {
    of: &'a RecipientSlots,
    to: String,
}

impl Drop for RecipientSlot<'_> {
    fn drop(&mut self) {
        let mut mailboxes = self.of.lock();
        if let Some(mailbox) = mailboxes.get_mut(&self.to) {
            mailbox.sent -= 1;
            if mailbox.is_empty() {
                mailboxes.remove(&self.to);
            }
        }
    }
}

impl RecipientSlots {
    /// Takes one of the slots for mails to that recipient.
    ///
    /// # Errors
    ///
    /// How long the mail waits if it is not [`woken`](Self::woken) before, and why, after "it".
    pub fn begin(
        &self,
        mail: MailId,
        to: &str,
    ) -> Result<RecipientSlot<'_>, (Duration, &'static str)> {
        let (mut mailboxes, to) = (self.lock(), lower_case(to).into_owned());
        let mailbox = mailboxes.entry(to.clone()).or_default();
        mailbox.waiting.retain(|waiting| *waiting != mail);
        if mailbox.sent >= AT_ONCE {
            if mailbox.waiting.len() < MOST_WAITING {
                mailbox.waiting.push_back(mail);
            }
            let why = "waits for the other mails that are being sent to its recipient";
            return Err((AT_ONCE_PAUSE, why));
        }
        mailbox.sent += 1;
        Ok(RecipientSlot { of: self, to })
    }

    /// The mails that waited for a slot of that recipient and have one now. To be asked whenever a mail to it has ended,
    /// sent or not.
    pub fn woken(&self, to: &str) -> Vec<MailId> {
        let mut mailboxes = self.lock();
        let to = lower_case(to);
        let Some(mailbox) = mailboxes.get_mut(&*to) else {
            return Vec::new();
        };
        let free = (AT_ONCE.saturating_sub(mailbox.sent)).min(mailbox.waiting.len());
        let woken = mailbox.waiting.drain(..free).collect();
        if mailbox.is_empty() {
            mailboxes.remove(&*to);
        }
        woken
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Mailbox>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mailbox {
    fn is_empty(&self) -> bool {
        self.sent == 0 && self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_recipient_gets_two_mails_at_once_and_another_has_its_own() {
        let slots = RecipientSlots::default();
        let begin = |to| slots.begin(MailId::generate(), to);

        let first = begin("ada@a.test");
        let second = begin("Ada@A.test");
        let third = begin("ada@a.test").err();
        let other = begin("eve@a.test");
        drop(first);
        let after_one = begin("ada@a.test");

        assert!(second.is_ok() && other.is_ok() && after_one.is_ok());
        assert_eq!(third.map(|(wait, _)| wait), Some(AT_ONCE_PAUSE));
    }

    #[tokio::test]
    async fn the_end_of_a_mail_wakes_one_that_waits_for_its_recipient() {
        let slots = RecipientSlots::default();
        let [first, second, third, fourth] = [0; 4].map(|_| MailId::generate());
        let both = [first, second].map(|mail| slots.begin(mail, "ada@a.test"));
        for mail in [third, fourth, third] {
            assert!(slots.begin(mail, "ada@a.test").is_err());
        }

        let before = slots.woken("ada@a.test");
        let [first, second] = both;
        drop(first);
        let after_one = slots.woken("Ada@a.test");
        drop(second);
        let after_both = slots.woken("ada@a.test");

        assert_eq!(
            (before, after_one, after_both),
            (vec![], vec![fourth], vec![third])
        );
        assert!(slots.lock().is_empty(), "nothing is kept");
    }
}
