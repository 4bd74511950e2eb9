//! The settings that production refuses: those that are only safe in development.
//!
//! Separate from the rules of the sections because these apply to one environment only, and belong
//! in one place. The generated key is refused in `secret_keys.rs`, which would generate it.

use super::Settings;
use super::check::Checks;

/// Reports every setting that is only for development.
pub(super) fn check(settings: &Settings, sender_is_set: bool, checks: &mut Checks<'_>) {
    let smtp = &settings.smtp;
    checks.need(
        !checks.is_default("smtp.relays") || checks.is_reported("smtp.relays"),
        "smtp.relays",
        "production has no mail catcher. Set a relay, like \
         smtp://user:password@mail.example.com:587",
    );
    for relay in smtp.plaintext_elsewhere().filter(|_| smtp.allow_plaintext) {
        checks.refuse(
            "smtp.relays",
            format!(
                "`{relay}` would send mail unencrypted to another machine, which production refuses whatever \
                 smtp.allow_plaintext says. Use STARTTLS (smtp.ca_file trusts your own \
                 authority) or a relay on this machine"
            ),
        );
    }
    checks.require(
        smtp.verify,
        "smtp.verify",
        "production always checks certificates. Remove it; smtp.ca_file trusts your own authority",
    );
    checks.need(
        sender_is_set,
        "smtp.from",
        "production has no default sender. Set one, like \
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
        "production never runs without limits. Remove it",
    );
}
