//! The archive: one file for each accepted mail, complete before its 250 is written.
//!
//! Separate from the inbox because the archive must outlive the process: a fault test compares the
//! archived mails with the mails that the sender reports as sent. Called by `smtp::connection`.

use std::io;
use std::path::{Path, PathBuf};

use crate::mail::Mail;

/// A directory of `<mail id>.eml` files.
#[derive(Clone, Debug)]
pub(crate) struct Archive {
    dir: PathBuf,
}

impl Archive {
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
        })
    }

    /// Writes the mail under a hidden name first, so that a reader never sees a partial file.
    pub(crate) async fn write(&self, mail: &Mail) -> io::Result<()> {
        let hidden = self.dir.join(format!(".{}.part", mail.id));
        tokio::fs::write(&hidden, with_envelope(mail)).await?;
        tokio::fs::rename(&hidden, self.dir.join(format!("{}.eml", mail.id))).await
    }
}

/// The envelope as two header fields in front of the mail.
fn with_envelope(mail: &Mail) -> Vec<u8> {
    let mut file = format!(
        "X-Envelope-From: {}\r\nX-Envelope-To: {}\r\n",
        mail.envelope_from,
        mail.envelope_to.join(", "),
    )
    .into_bytes();
    file.extend_from_slice(&mail.raw);
    file
}
