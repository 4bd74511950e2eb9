//! The bytes between 354 and the end of data.
//!
//! Separate from the state machine, which would process them line by line: searching for the end in
//! whole reads is several times faster, and lines may have any length. Used by `smtp::connection`.

use bytes::{Buf, BytesMut};
use memchr::memmem;

use super::MAX_MAIL;

/// The end of a mail, with the line break before the dot. RFC 5321, section 4.1.1.4, allows no
/// other. A bare LF must not end a mail, or mails could be smuggled.
const END: &[u8] = b"\r\n.\r\n";

/// Searches for the end of the mail in the input received so far.
#[derive(Debug)]
pub(super) struct Body {
    /// The length of the input that is known to hold no end.
    searched: usize,
    /// Whether the input still starts at the start of the mail.
    whole: bool,
}

/// A mail that was received to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// The mail as sent, with dot-stuffing.
    Stuffed(BytesMut),
    TooLarge,
}

impl Body {
    pub(super) fn new() -> Self {
        Self {
            searched: 0,
            whole: true,
        }
    }

    /// Takes the mail and its end of data from the input once both have arrived.
    pub(super) fn take(&mut self, input: &mut BytesMut) -> Option<Content> {
        if self.whole && input.starts_with(&END[2..]) {
            input.advance(END.len() - 2);
            return Some(Content::Stuffed(BytesMut::new()));
        }
        // The end may have arrived in two reads.
        let from = self.searched.saturating_sub(END.len() - 1);
        let Some(at) = memmem::find(&input[from..], END) else {
            self.searched = input.len();
            if input.len() > MAX_MAIL {
                self.discard(input);
            }
            return None;
        };
        let content = input.split_to(from + at + 2);
        input.advance(END.len() - 2);
        Some(if self.whole && content.len() <= MAX_MAIL {
            Content::Stuffed(content)
        } else {
            Content::TooLarge
        })
    }

    /// Drops the received part of a mail that will be refused at its end.
    fn discard(&mut self, input: &mut BytesMut) {
        let keep = END.len() - 1;
        input.advance(input.len() - keep);
        self.searched = keep;
        self.whole = false;
    }
}

/// Undoes dot-stuffing: drops the first dot of each line that starts with one.
pub(super) fn unstuff(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len());
    let mut start = usize::from(content.starts_with(b"."));
    for line_break in memmem::find_iter(content, b"\r\n.") {
        out.extend_from_slice(&content[start..line_break + 2]);
        start = line_break + 3;
    }
    out.extend_from_slice(&content[start..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the bytes in reads of the given size and returns what came out.
    fn fed(bytes: &[u8], read: usize) -> (Option<Vec<u8>>, usize) {
        let (mut body, mut input) = (Body::new(), BytesMut::new());
        let mut taken = None;
        for chunk in bytes.chunks(read) {
            input.extend_from_slice(chunk);
            if taken.is_none() {
                taken = body.take(&mut input);
            }
        }
        let content = taken.map(|content| match content {
            Content::Stuffed(content) => unstuff(&content),
            Content::TooLarge => panic!("too large"),
        });
        (content, input.len())
    }

    #[test]
    fn a_mail_is_the_same_however_its_bytes_arrive() {
        let sent = b"..one\r\n.two\r\nthree.\r\n...\r\n\r\n.\r\nQUIT\r\n";

        for read in 1..=sent.len() {
            let (content, left) = fed(sent, read);

            assert_eq!(
                content.as_deref(),
                Some(&b".one\r\ntwo\r\nthree.\r\n..\r\n\r\n"[..])
            );
            assert_eq!(left, "QUIT\r\n".len());
        }
    }

    #[test]
    fn a_mail_may_be_empty() {
        assert_eq!(fed(b".\r\n", 1), (Some(Vec::new()), 0));
    }

    #[test]
    fn a_bare_line_feed_does_not_end_a_mail() {
        assert_eq!(fed(b"a\n.\nb\n.\r\nc\r\n.\n", 3).0, None);
    }

    #[test]
    fn a_mail_over_the_limit_is_dropped_while_it_arrives() {
        let (mut body, mut input) = (Body::new(), BytesMut::new());
        let mut largest = 0;
        for _ in 0..(MAX_MAIL / 1_000_000 + 2) {
            input.extend_from_slice(&vec![b'x'; 1_000_000]);
            assert_eq!(body.take(&mut input), None);
            largest = largest.max(input.len());
        }

        input.extend_from_slice(END);

        assert_eq!(body.take(&mut input), Some(Content::TooLarge));
        assert!(input.is_empty());
        assert!(largest <= MAX_MAIL);
    }
}
