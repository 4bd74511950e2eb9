//! The verdict on an attempt: for the mail, and for the relay.
//!
//! The whole table stands here. The outcome and the breakers use it; neither looks at a reply code itself. The guiding
//! rule where servers differ: a permanent answer to one recipient must never hold up the queue, and only a 250 to the end
//! of data counts as delivered.

use domain::delivery::{AttemptOutcome, Stage};

use super::{Attempt, End, Reply};

/// Enhanced codes by which *our* mail is refused, whoever it is for: it lacks authentication by
/// SPF, DKIM or DMARC (5.7.26 of RFC 7372 §3.3, Outlook's 5.7.515), the sender's address is no
/// good (5.1.7 and 5.1.8 of RFC 3463 §3.2; Postfix says so only after RCPT) or not the account's
/// (Exchange's 5.7.60), or the account has sent enough for today (Gmail's 5.4.5).
const OUR_MAIL_REFUSED: [&str; 6] = ["5.7.26", "5.7.515", "5.7.60", "5.1.7", "5.1.8", "5.4.5"];

/// How servers say that they do not relay for us, for good or (454) for now: Postfix, sendmail,
/// Exim, qmail, Exchange, hMailServer; then Amazon SES with an unconfirmed sender and with an account that it has
/// stopped, `SendGrid` and `SparkPost`, all of them at the end of the message only.
const RELAY_DENIED: [&str; 13] = [
    "relay access denied",
    "relay denied",
    "relaying denied",
    "relay not permitted",
    "relaying not permitted",
    "relaying not allowed",
    "unable to relay",
    "not permitted to relay",
    "email address is not verified",
    "sending paused for this account",
    "sending suspended for this account",
    "not match a verified sender identity",
    "unconfigured sending domain",
];

/// How servers say that we send more than they take from us: Amazon SES, Exchange, and Postfix, which speaks of
/// recipients only after RCPT; then providers with a quota for each account.
const TOO_FAST: [&str; 6] = [
    "throttl",
    "too many recipients from",
    "sending quota",
    "sending limit",
    "sending rate",
    "message quota",
];

/// Congestion of the relay itself (RFC 3463 §3.5), as a code for now.
const CONGESTED: &str = "4.4.5";

/// What Postfix has against us, which it says after RCPT unless told otherwise. For good only:
/// greylisting uses the same words with a 450.
const POSTFIX_REFUSES_US: [&str; 3] = [
    "client host rejected",
    "helo command rejected",
    "sender address rejected",
];

/// The verdict on an attempt. Its reason in words is the attempt's own `Display`.
#[must_use]
pub fn classify(attempt: &Attempt) -> AttemptOutcome {
    match &attempt.end {
        End::Accepted(reply) | End::Refused(reply) => by_reply(attempt.stage, reply),
        End::Stopped(_) => AttemptOutcome::Stopped,
        End::Unfit(_) => AttemptOutcome::RelayRefusesUs,
        End::Failed(_) | End::Cut(_) if attempt.end_of_data_written => AttemptOutcome::Uncertain,
        End::Cut(_) if attempt.stage >= Stage::Rcpt => AttemptOutcome::PutOff,
        End::Failed(_) | End::Cut(_) => AttemptOutcome::RelayTrouble,
    }
}

fn by_reply(stage: Stage, reply: &Reply) -> AttemptOutcome {
    let code = reply.code;
    // "Service not available, closing channel" may answer any command (RFC 5321 §3.8).
    if code == 421 {
        return AttemptOutcome::RelayTrouble;
    }
    // A positive reply where it does not belong says that replies and commands are out of step.
    // After the end of data the mail may have been accepted, so attempts must be bounded; before it, nothing was sent.
    if !(400..600).contains(&code) {
        return match stage {
            Stage::EndOfData if code == 250 => AttemptOutcome::Delivered,
            Stage::EndOfData => AttemptOutcome::Uncertain,
            _ => AttemptOutcome::RelayTrouble,
        };
    }
    // A reply about the mailbox may quote the mailbox's own server, that is, a stranger: its
    // words must not hold up the queue for everybody.
    let text = if about_the_mailbox(reply) {
        String::new()
    } else {
        reply.text.to_ascii_lowercase()
    };
    let congested = reply.enhanced.as_deref() == Some(CONGESTED);
    // What is for good is a refusal below, where its code or its words say so.
    let for_good = code >= 500 && stage >= Stage::Rcpt && refuses_us(reply, &text);
    if congested || (!for_good && TOO_FAST.iter().any(|words| text.contains(words))) {
        return AttemptOutcome::RelayTrouble;
    }
    match stage {
        Stage::Unknown | Stage::Resolve | Stage::Connect | Stage::Greeting => {
            AttemptOutcome::RelayTrouble
        }
        Stage::Tls | Stage::Auth | Stage::Mail if code < 500 => AttemptOutcome::RelayTrouble,
        Stage::Tls | Stage::Auth | Stage::Mail => AttemptOutcome::RelayRefusesUs,
        Stage::Rcpt | Stage::Data | Stage::EndOfData => about_the_mail(reply, &text),
    }
}

/// Whether the enhanced code speaks of the recipient's address or mailbox (x.1.x, x.2.x; RFC 3463 §2).
fn about_the_mailbox(reply: &Reply) -> bool {
    let subject = reply
        .enhanced
        .as_deref()
        .and_then(|code| code.split('.').nth(1));
    matches!(subject, Some("1" | "2")) && !about_the_sender(reply)
}

/// Whether it is about the sender all the same. Postfix says of a mailbox that it does not know as ours 5.1.0, "other
/// address status", after RCPT; of recipients it says 5.1.1, also where it quotes another server. Exchange says 5.2.0
/// or 5.2.252 of an account that may not send with our address.
fn about_the_sender(reply: &Reply) -> bool {
    let (code, words) = (reply.enhanced.as_deref(), reply.text.to_ascii_lowercase());
    match code {
        Some("5.1.0") => words.contains("sender address rejected"),
        Some("5.2.0" | "5.2.252") => words.contains("sendasdenied"),
        _ => false,
    }
}

/// Whether a negative reply to RCPT, DATA or the message is about us.
fn refuses_us(reply: &Reply, text: &str) -> bool {
    let says = |words: &[&str]| words.iter().any(|words| text.contains(words));
    matches!(reply.code, 530 | 535)
        || about_the_sender(reply)
        || reply
            .enhanced
            .as_deref()
            .is_some_and(|code| OUR_MAIL_REFUSED.contains(&code))
        || says(&RELAY_DENIED)
        || (reply.code >= 500 && says(&POSTFIX_REFUSES_US))
}

/// A negative reply to RCPT, DATA or the message itself.
fn about_the_mail(reply: &Reply, text: &str) -> AttemptOutcome {
    match reply.code {
        _ if refuses_us(reply, text) => AttemptOutcome::RelayRefusesUs,
        // Exchange: so many connections at once, or so many mails a minute, are too many for this account. Then: not
        // implemented, bad sequence, which is about the conversation, not about the recipient. A 504 is about
        // a parameter, and the only one is the address (Postfix: "need fully-qualified address").
        432 | 502 | 503 => AttemptOutcome::RelayTrouble,
        ..500 => AttemptOutcome::RecipientLater,
        _ => AttemptOutcome::RecipientRefused,
    }
}

/// Whether the relay hung, broke off or said 421 once it knew the recipient, and before it had the message: another
/// mail may fare well meanwhile.
#[must_use]
pub fn fails_at_recipient(attempt: &Attempt) -> bool {
    match classify(attempt) {
        AttemptOutcome::PutOff => true,
        AttemptOutcome::RelayTrouble => {
            let says_so = attempt.reply().is_none_or(|reply| reply.code == 421);
            says_so && matches!(attempt.stage, Stage::Rcpt | Stage::Data)
        }
        _ => false,
    }
}

/// Whether the relay said that there is no such address, so that another mail would fare alike: at RCPT, where
/// the address is all it has seen, and with a code about the address (RFC 3463 §3.2: x.1.x; of the mailbox only
/// 5.2.1, "disabled") or, if that says nothing of what is wrong, with 550, 551 or 553 (RFC 5321 §4.2.3). Policy, a
/// full mailbox and trouble on the way are no lasting property of an address.
#[must_use]
pub fn refuses_the_address(attempt: &Attempt) -> bool {
    let End::Refused(reply) = &attempt.end else {
        return false;
    };
    if attempt.stage != Stage::Rcpt || classify(attempt) != AttemptOutcome::RecipientRefused {
        return false;
    }
    let enhanced = reply.enhanced.as_deref();
    match enhanced.and_then(|code| code.split('.').nth(1)) {
        Some("1") => true,
        Some("2") => enhanced == Some("5.2.1"),
        // "Other" (0) and "protocol" (5): Outlook's 5.5.0 is a mailbox that it does not have.
        None | Some("0" | "5") => matches!(reply.code, 550 | 551 | 553),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests;
