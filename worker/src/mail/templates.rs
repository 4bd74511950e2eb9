//! The templates, embedded and parsed once.
//!
//! Apart from the messages so that what a template may do (nothing undefined, HTML escaped by
//! its file's ending) is settled in one place.

use std::sync::LazyLock;

use minijinja::{Environment, Error, UndefinedBehavior};
use serde::Serialize;

/// Names every template `<kind>/<part>` and embeds it.
macro_rules! embedded {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../templates/", $name)))),+]
    };
}

const TEMPLATES: &[(&str, &str)] = embedded![
    "layout.html",
    "code.html",
    "code.txt",
    "verify_email/subject.txt",
    "verify_email/body.txt",
    "verify_email/body.html",
    "already_registered/subject.txt",
    "already_registered/body.txt",
    "already_registered/body.html",
    "reset_password/subject.txt",
    "reset_password/body.txt",
    "reset_password/body.html",
    "delete_account/subject.txt",
    "delete_account/body.txt",
    "delete_account/body.html",
    "change_email/subject.txt",
    "change_email/body.txt",
    "change_email/body.html",
    "log_in/subject.txt",
    "log_in/body.txt",
    "log_in/body.html",
    "password_changed/subject.txt",
    "password_changed/body.txt",
    "password_changed/body.html",
    "email_changed/subject.txt",
    "email_changed/body.txt",
    "email_changed/body.html",
    "account_deleted/subject.txt",
    "account_deleted/body.txt",
    "account_deleted/body.html",
];

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // Otherwise an error's Debug shows the variables, and with them the code.
    environment.set_debug(false);
    for (name, source) in TEMPLATES {
        environment
            .add_template(name, source)
            .expect("embedded templates parse: every_kind_renders_from_its_sample");
    }
    environment
});

/// Fills the template `<kind>/<part>`.
pub(super) fn render(kind: &str, part: &str, context: impl Serialize) -> Result<String, Error> {
    ENVIRONMENT
        .get_template(&format!("{kind}/{part}"))?
        .render(context)
}

#[cfg(test)]
mod tests {
    use minijinja::{ErrorKind, context};

    use super::*;

    #[test]
    fn an_undefined_variable_is_an_error() {
        let error = render("verify_email", "body.txt", context! { code => "123456" }).unwrap_err();

        assert_eq!(error.kind(), ErrorKind::UndefinedError);
    }

    #[test]
    fn an_error_does_not_show_what_the_template_was_filled_with() {
        let error = render("verify_email", "body.txt", context! { code => "123456" }).unwrap_err();

        let shown = format!("{error} {error:#} {error:?} {error:#?}");

        assert!(!shown.contains("123456"), "{shown}");
    }
}
