//! What a check found.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// All is well.
    Ok,
    /// It was not looked at; the message says why.
    Skipped,
    /// It works, but is worth a look.
    Warning,
    /// It must be mended.
    Problem,
}

impl Level {
    /// The sign before a message.
    #[must_use]
    pub fn mark(self) -> char {
        match self {
            Self::Ok => '✓',
            Self::Skipped => '–',
            Self::Warning => '!',
            Self::Problem => '✗',
        }
    }
}

/// What one check found. Holds no secret.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What it is about: one of a few rooms.
    pub group: &'static str,
    /// The check, the same word in every version: for programs.
    pub check: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What was found, in a sentence.
    pub message: String,
    /// How it is mended; nothing where there is nothing to mend.
    pub mend: Option<String>,
}

/// A time span as a person says it, with one unit.
pub fn span(seconds: u64) -> String {
    let (n, unit) = match seconds {
        0..120 => (seconds, "s"),
        120..7200 => (seconds / 60, "min"),
        7200..172_800 => (seconds / 3600, "h"),
        _ => (seconds / 86_400, "days"),
    };
    format!("{n} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_one_unit() {
        let said = [0, 119, 120, 7199, 7200, 172_799, 172_800].map(span);

        assert_eq!(
            said,
            ["0 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 days"]
        );
    }
}
