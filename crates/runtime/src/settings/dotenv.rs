//! The `.env` file: variables of a working directory, read without changing the environment of the
//! process.
//!
//! Separate from the layers because its syntax can silently change a secret: dotenvy replaces
//! `$name` in values and ends a value at ` #`. dotenvy's errors quote the line, which may be the
//! password, so this module writes its own messages.

use std::path::Path;

use super::error::Problem;
use super::source::Source;

/// Variables whose value contains a secret, where a replaced `$` would go unnoticed.
const SECRET: [&str; 6] = [
    "SECRET_KEY",
    "SECRET_KEY_FALLBACKS",
    "EMAIL_HOST_PASSWORD",
    "SMART_NOTES__SECRET_KEY",
    "SMART_NOTES__SECRET_KEY_FALLBACKS",
    "SMART_NOTES__SMTP__RELAYS",
];

/// Reads the variables of the file in order. A missing file has no variables, unless it must exist.
pub(super) fn read(
    file: &Path,
    must_exist: bool,
    problems: &mut Vec<Problem>,
) -> Vec<(String, String)> {
    let key = if must_exist { "--env-file" } else { ".env" };
    let mut report = |key: String, message: String| {
        problems.push(Problem {
            key,
            source: Some(Source::File(file.to_owned())),
            message,
        });
    };

    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_exist => {
            return Vec::new();
        }
        Err(error) => {
            report(
                key.into(),
                format!("can't be read: {error}. Fix the file, or pass another one"),
            );
            return Vec::new();
        }
    };
    for (line, name) in substituted_secrets(&text) {
        report(
            name.to_owned(),
            format!("line {line}: `$` starts a variable name here. Put the value in single quotes"),
        );
    }

    let mut variables = Vec::new();
    let Ok(items) = dotenvy::from_path_iter(file) else {
        return Vec::new(); // it was read a moment ago; if it is gone, it is gone
    };
    for item in items {
        match item {
            Ok(variable) => variables.push(variable),
            Err(dotenvy::Error::LineParse(broken, _)) => {
                // A value with an unclosed quote extends to the end of the file.
                let begins = broken.trim().lines().next().unwrap_or_default().trim_end();
                let line = text
                    .lines()
                    .position(|line| !line.starts_with('#') && line.trim_end().ends_with(begins));
                let place = line.map_or("a line".to_owned(), |n| format!("line {}", n + 1));
                report(
                    key.into(),
                    format!("{place} can't be read. Write NAME='value', with quotes around spaces"),
                );
            }
            Err(error) => report(key.into(), format!("can't be read: {error}. Fix the file")),
        }
    }
    variables
}

/// Adds the line number to each problem with a variable of this file.
pub(super) fn name_lines(problems: &mut [Problem]) {
    for problem in problems {
        let Some(Source::Dotenv { file, variable }) = &problem.source else {
            continue;
        };
        let text = std::fs::read_to_string(file).unwrap_or_default();
        // If a name occurs twice, the last one wins.
        let line = text.lines().enumerate().filter(|(_, line)| {
            let line = line.trim_start();
            let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
            let value = line.strip_prefix(variable.as_str());
            value.is_some_and(|value| value.trim_start().starts_with('='))
        });
        if let Some((index, _)) = line.last() {
            problem.message = format!("line {}: {}", index + 1, problem.message);
        }
    }
}

/// Secrets with a `$` that are not in single quotes: line number and name.
fn substituted_secrets(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter_map(|(index, line)| {
        let line = line.trim_start();
        let (name, value) = line
            .strip_prefix("export ")
            .unwrap_or(line)
            .split_once('=')?;
        let replaced = value.contains('$') && !value.trim_start().starts_with('\'');
        (replaced && SECRET.contains(&name.trim())).then(|| (index + 1, name.trim()))
    })
}
