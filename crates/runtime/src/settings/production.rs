//! What production refuses: everything whose default is only fit for a laptop.
//!
//! Apart from the sections' own rules because these hold in one environment only, and an
//! operator wants to see them in one place. The generated key is refused in
//! `secret_keys.rs`, where it would be made.

use super::Settings;
use super::check::Checks;

/// Reports every development setting.
pub(super) fn check(settings: &Settings, sender_is_set: bool, checks: &mut Checks<'_>) {
    let smtp = &settings.smtp;
    checks.need(
        !checks.is_default("smtp.relays") || checks.is_reported("smtp.relays"),
        "smtp.relays",
        "production has no mail catcher. Write a relay, like \
         smtp://user:password@mail.example.com:587",
    );
    for relay in smtp.plaintext_elsewhere().filter(|_| smtp.allow_plaintext) {
        checks.refuse(
            "smtp.relays",
            format!(
                "`{relay}` is clear text to another machine, which production refuses whatever \
                 smtp.allow_plaintext says. Use STARTTLS (smtp.ca_file trusts your own \
                 authority) or a relay on this machine"
            ),
        );
    }
    checks.require(
        smtp.verify,
        "smtp.verify",
        "production checks certificates. Take it out; smtp.ca_file trusts your own authority",
    );
    checks.need(
        sender_is_set,
        "smtp.from",
        "production has no sender of its own. Write one, like \
         \"Smart Notes <no-reply@your.domain>\"",
    );
    checks.require(
        !sender_is_set || checks.is_reported("smtp.from") || !smtp.from.is_example(),
        "smtp.from",
        format!(
            "`{}` is an example. Write an address of your own domain",
            smtp.from
        ),
    );
    checks.require(
        settings.limits.enabled,
        "limits.enabled",
        "production never runs without limits. Take it out",
    );
}
