//! What a check found, and the report that findings are gathered in.

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;

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
    fn mark(self) -> char {
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

/// Gathers findings, and prints each group as soon as it is complete unless a program reads it.
pub struct Report {
    findings: Vec<Finding>,
    group: &'static str,
    printed: usize,
    as_json: bool,
    progress: ProgressBar,
}

impl Report {
    /// An empty report.
    pub fn new(as_json: bool) -> Self {
        // Drawn on the standard error, and only if that is a terminal.
        let progress = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            progress.set_style(style);
        }
        progress.enable_steady_tick(Duration::from_millis(100));
        Self {
            findings: Vec::new(),
            group: "",
            printed: 0,
            as_json,
            progress,
        }
    }

    /// Begins a group; what follows belongs to it.
    pub fn group(&mut self, group: &'static str) {
        self.print_new();
        self.group = group;
        self.working_on(group);
    }

    /// Says what takes a while.
    pub fn working_on(&self, what: impl Into<String>) {
        self.progress.set_message(what.into());
    }

    /// All is well.
    pub fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Level::Ok, message.into(), None);
    }

    /// It was not looked at.
    pub fn skipped(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Level::Skipped, message.into(), None);
    }

    /// It works, but.
    pub fn warning(
        &mut self,
        check: &'static str,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.add(check, Level::Warning, message.into(), Some(mend.into()));
    }

    /// It must be mended.
    pub fn problem(
        &mut self,
        check: &'static str,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.add(check, Level::Problem, message.into(), Some(mend.into()));
    }

    /// A problem, or something worth a look, as the caller decides.
    pub fn fault(
        &mut self,
        level: Level,
        check: &'static str,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.add(check, level, message.into(), Some(mend.into()));
    }

    fn add(&mut self, check: &'static str, level: Level, message: String, mend: Option<String>) {
        self.findings.push(Finding {
            group: self.group,
            check,
            level,
            message,
            mend: mend.filter(|mend| !mend.is_empty()),
        });
    }

    /// How many findings are of a level.
    pub fn count(&self, level: Level) -> usize {
        let of = |finding: &&Finding| finding.level == level;
        self.findings.iter().filter(of).count()
    }

    /// Prints what has not been printed yet, and the end.
    pub fn finish(&mut self) {
        self.print_new();
        self.progress.finish_and_clear();
        if self.as_json {
            print(&format!("{:#}", self.json()));
        } else {
            print(&self.summary());
        }
    }

    fn json(&self) -> Value {
        json!({
            "healthy": self.count(Level::Problem) == 0,
            "problems": self.count(Level::Problem),
            "warnings": self.count(Level::Warning),
            "findings": self.findings,
        })
    }

    fn summary(&self) -> String {
        let many = |n: usize, one: &str, more: &str| match n {
            1 => format!("1 {one}"),
            n => format!("{n} {more}"),
        };
        let problems = self.count(Level::Problem);
        let warnings = self.count(Level::Warning);
        let looks = many(warnings, "thing is worth a look", "things are worth a look");
        match (problems, warnings) {
            (0, 0) => "\nAll is well.".to_owned(),
            (0, _) => format!("\nNothing must be mended; {looks}."),
            (_, 0) => format!(
                "\n{}.",
                many(problems, "thing must be mended", "things must be mended")
            ),
            _ => format!(
                "\n{}, {looks}.",
                many(problems, "thing must be mended", "things must be mended")
            ),
        }
    }

    /// The findings of a group under its name.
    fn print_new(&mut self) {
        let new = &self.findings[self.printed..];
        if !self.as_json && !new.is_empty() {
            let mut lines = vec![self.group.to_owned()];
            for finding in new {
                lines.push(format!("  {} {}", finding.level.mark(), finding.message));
                let mend = finding.mend.iter();
                lines.extend(mend.map(|mend| format!("      → {mend}")));
            }
            self.progress.suspend(|| print(&lines.join("\n")));
        }
        self.printed = self.findings.len();
    }
}

fn print(text: &str) {
    say!("{text}");
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

    #[test]
    fn warnings_alone_are_healthy() {
        let mut report = Report::new(true);
        report.group("a room");
        report.warning("one", "it creaks", "oil it");

        assert_eq!(report.json()["healthy"], true);
        assert_eq!(
            report.summary(),
            "\nNothing must be mended; 1 thing is worth a look."
        );
        report.problem("two", "it broke", "");
        assert_eq!(report.json()["healthy"], false);
        assert_eq!(report.json()["findings"][1]["mend"], Value::Null);
        assert_eq!(
            report.summary(),
            "\n1 thing must be mended, 1 thing is worth a look."
        );
    }
}
