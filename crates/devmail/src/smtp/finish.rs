//! The end of one mail: what happens between its final dot and the answer to it.
//!
//! Apart from the rest of the conversation because the promise of SMTP is made here:
//! a mail answered 250 is in the archive and in the inbox. Called by
//! [`super::connection`].

use super::body::{self, Content};
use super::connection::{Connection, Over};
use crate::fault::Act;
use crate::mail::Mail;
use crate::stage::Stage;

impl Connection {
    /// What happens at the final dot: faults, the archive, the inbox, the answer.
    pub(super) async fn finish(&mut self, content: &Content) -> Result<(), Over> {
        // Back to the state after EHLO. The answer is ours, because the state machine
        // stays inside DATA when its handler refuses a mail.
        self.session.process(b".\r\n");
        let strike = self.strike(Stage::Dot);
        let Content::Stuffed(content) = content else {
            self.answer("552 5.3.4 Message too large");
            return Ok(());
        };
        let Some(mut strike) = strike else {
            let answer = self.store(content).await;
            self.answer(&answer);
            return Ok(());
        };
        let stored = if strike.storing {
            Some(self.store(content).await)
        } else {
            None
        };
        self.suffer(&mut strike).await?;
        if let Act::Reply(code, text) = &strike.act {
            self.answer(&format!("{code} {text}"));
            return if *code == 421 {
                self.close().await
            } else {
                Ok(())
            };
        }
        let answer = match stored {
            Some(answer) => answer,
            None => self.store(content).await,
        };
        self.answer(&answer);
        Ok(())
    }

    /// Archives and keeps the mail, and says how that went.
    async fn store(&mut self, content: &[u8]) -> String {
        let (from, to) = {
            let mut transaction = self.desk.open();
            (
                std::mem::take(&mut transaction.from),
                std::mem::take(&mut transaction.to),
            )
        };
        let shared = &self.shared;
        if shared.inbox.only_counts() && shared.archive.is_none() {
            shared.inbox.count();
            shared.stages.reached(Stage::Stored);
            return "250 2.0.0 Counted".to_owned();
        }
        let mail = Mail::new(shared.inbox.next_id(), from, to, body::unstuff(content));
        if let Some(archive) = &shared.archive
            && let Err(error) = archive.write(&mail).await
        {
            tracing::error!(mail.id, %error, "mail refused: the archive cannot be written");
            return "451 4.3.0 The archive cannot be written".to_owned();
        }
        let answer = format!("250 2.0.0 Stored as {}", mail.id);
        shared.inbox.insert(mail);
        shared.stages.reached(Stage::Stored);
        answer
    }
}
