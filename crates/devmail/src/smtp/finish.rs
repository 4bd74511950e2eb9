//! The end of one mail: the steps between its end of data and the reply.
//!
//! Separate from the rest of the conversation because it keeps SMTP's guarantee: a mail answered
//! 250 is in the archive and in the inbox. Called by [`super::connection`].

use super::body::{self, Content};
use super::connection::{Closed, Connection};
use crate::fault::Act;
use crate::mail::Mail;
use crate::stage::Stage;

impl Connection {
    /// Handles the end of data: faults, the archive, the inbox, the reply.
    pub(super) async fn finish(&mut self, content: &Content) -> Result<(), Closed> {
        // Returns to the state after EHLO. The reply is written here, because the state machine
        // stays inside DATA when its handler refuses a mail.
        self.session.process(b".\r\n");
        let effect = self.effect(Stage::EndOfData);
        let Content::Stuffed(content) = content else {
            self.answer("552 5.3.4 Message too large");
            return Ok(());
        };
        let Some(mut effect) = effect else {
            let answer = self.store(content).await;
            self.answer(&answer);
            return Ok(());
        };
        let stored = if effect.storing {
            Some(self.store(content).await)
        } else {
            None
        };
        self.delay(&mut effect).await?;
        if let Act::Reply(code, text) = &effect.act {
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

    /// Archives and stores the mail, and returns the reply.
    async fn store(&mut self, content: &[u8]) -> String {
        let (from, to) = {
            let mut transaction = self.transaction.open();
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
            tracing::error!(mail.id, %error, "mail refused: cannot write the archive");
            return "451 4.3.0 Cannot write the archive".to_owned();
        }
        let answer = format!("250 2.0.0 Stored as {}", mail.id);
        shared.inbox.insert(mail);
        shared.stages.reached(Stage::Stored);
        answer
    }
}
