//! Commands in messages, such as `smart-notes migrate`. When the operator copies one, it must use
//! the same settings as this program. Messages contain them without options; [`complete`] adds the
//! options when a message is printed.

use std::borrow::Cow;
use std::path::Path;
use std::sync::OnceLock;

const PROGRAM: &str = "smart-notes ";

/// The commands that read settings.
const COMMANDS: [&str; 9] = [
    "after-restore",
    "config",
    "doctor",
    "import-django",
    "jobs",
    "mail",
    "migrate",
    "openapi",
    "users",
];

/// The options of this program's command line, each followed by a space.
static OPTIONS: OnceLock<String> = OnceLock::new();

/// Stores the files that the command line names. `SMART_NOTES_CONFIG` needs no option, because the
/// next command reads it as well.
pub fn set_options(config: Option<&Path>, env_file: Option<&Path>) {
    let options = [("--config", config), ("--env-file", env_file)];
    let options = options
        .into_iter()
        .filter_map(|(name, file)| Some(format!("{name} {} ", typed(file?)?)));
    let _ = OPTIONS.set(options.collect());
}

/// A file name quoted for a shell. `None` if it needs escapes that JSON would escape again.
fn typed(file: &Path) -> Option<String> {
    let name = file.to_str()?;
    let plain = |c: char| c.is_alphanumeric() || "_-./+,:@%".contains(c);
    let quotable = |c: char| !c.is_control() && !"'\"\\".contains(c);
    if name.chars().all(plain) && !name.is_empty() {
        Some(name.to_owned())
    } else {
        name.chars().all(quotable).then(|| format!("'{name}'"))
    }
}

/// Adds the options of this program's command line to each command in a text.
#[must_use]
pub fn complete(text: &str) -> Cow<'_, str> {
    match OPTIONS.get() {
        Some(options) => with(options, text),
        None => Cow::Borrowed(text),
    }
}

fn with<'a>(options: &str, text: &'a str) -> Cow<'a, str> {
    let is_command = |rest: &str| {
        let word = rest
            .split(|c: char| c != '-' && !c.is_alphanumeric())
            .next();
        word.is_some_and(|word| COMMANDS.contains(&word))
    };
    if options.is_empty() || !text.contains(PROGRAM) {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split(PROGRAM);
    let mut complete = parts.next().unwrap_or_default().to_owned();
    for rest in parts {
        complete.push_str(PROGRAM);
        if is_command(rest) {
            complete.push_str(options);
        }
        complete.push_str(rest);
    }
    Cow::Owned(complete)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_get_the_options_and_nothing_else_does() {
        let text = "see `smart-notes jobs list`, or smart-notes users; smart-notes --config x doctor; the smart-notes jobsite";

        assert_eq!(
            with("--config a.toml ", text),
            "see `smart-notes --config a.toml jobs list`, or smart-notes --config a.toml users; \
             smart-notes --config x doctor; the smart-notes jobsite"
        );
        assert_eq!(with("", text), text);
    }

    #[test]
    fn a_files_name_is_quoted_where_a_shell_would_take_it_apart() {
        let typed = |name: &str| super::typed(Path::new(name));

        assert_eq!(
            typed("/etc/smart-notes/production.toml").as_deref(),
            Some("/etc/smart-notes/production.toml")
        );
        assert_eq!(
            typed("my settings.toml").as_deref(),
            Some("'my settings.toml'")
        );
        assert_eq!(typed("it's.toml"), None);
    }
}
