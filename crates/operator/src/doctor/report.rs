//! Collects findings.

use serde_json::{Value, json};

use super::finding::{Finding, Level};

/// Follows an examination while it runs.
pub trait Progress: Send {
    /// A step begins that may take some seconds.
    fn step(&mut self, what: &str);
    /// A group of checks is complete; it has at least one finding.
    fn group(&mut self, name: &str, findings: &[Finding]);
}

/// Everything that was found.
#[derive(Clone, Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// How many are of a level.
    #[must_use]
    pub fn count(&self, level: Level) -> usize {
        let of = |finding: &&Finding| finding.level == level;
        self.0.iter().filter(of).count()
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "healthy": self.count(Level::Problem) == 0,
            "problems": self.count(Level::Problem),
            "warnings": self.count(Level::Warning),
            "findings": self.0,
        })
    }

    /// The number of problems and warnings, in a sentence.
    #[must_use]
    pub fn summary(&self) -> String {
        let problems = match self.count(Level::Problem) {
            0 => "No problems".to_owned(),
            1 => "1 problem".to_owned(),
            n => format!("{n} problems"),
        };
        match self.count(Level::Warning) {
            0 => format!("{problems}."),
            1 => format!("{problems}, 1 warning."),
            n => format!("{problems}, {n} warnings."),
        }
    }
}

/// Collects findings, and passes each group on as soon as it is complete.
pub struct Report<'a> {
    findings: Findings,
    group: &'static str,
    passed_on: usize,
    progress: &'a mut dyn Progress,
}

impl<'a> Report<'a> {
    /// An empty report.
    pub fn new(progress: &'a mut dyn Progress) -> Self {
        Self {
            findings: Findings::default(),
            group: "",
            passed_on: 0,
            progress,
        }
    }

    /// Begins a group: the findings that follow belong to it.
    pub fn group(&mut self, group: &'static str) {
        self.pass_on();
        self.group = group;
        self.step(group);
    }

    /// Names a step that may take some seconds.
    pub fn step(&mut self, what: impl AsRef<str>) {
        self.progress.step(what.as_ref());
    }

    /// Adds what is as it should be.
    pub fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Level::Ok, message.into(), None);
    }

    /// Adds what was not checked, and why.
    pub fn skipped(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Level::Skipped, message.into(), None);
    }

    /// Adds a warning.
    pub fn warning(
        &mut self,
        check: &'static str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(check, Level::Warning, message.into(), Some(fix.into()));
    }

    /// Adds a problem.
    pub fn problem(
        &mut self,
        check: &'static str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(check, Level::Problem, message.into(), Some(fix.into()));
    }

    /// Adds a problem or a warning.
    pub fn finding(
        &mut self,
        level: Level,
        check: &'static str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(check, level, message.into(), Some(fix.into()));
    }

    fn add(&mut self, check: &'static str, level: Level, message: String, fix: Option<String>) {
        self.findings.0.push(Finding {
            group: self.group,
            check,
            level,
            message,
            fix: fix.filter(|fix| !fix.is_empty()),
        });
    }

    /// How many findings are of a level so far.
    pub fn count(&self, level: Level) -> usize {
        self.findings.count(level)
    }

    /// Passes on the last group, and ends.
    pub fn finish(mut self) -> Findings {
        self.pass_on();
        self.findings
    }

    fn pass_on(&mut self) {
        let new = &self.findings.0[self.passed_on..];
        if !new.is_empty() {
            self.progress.group(self.group, new);
        }
        self.passed_on = self.findings.0.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Silent;

    impl Progress for Silent {
        fn step(&mut self, _: &str) {}
        fn group(&mut self, _: &str, _: &[Finding]) {}
    }

    #[test]
    fn warnings_alone_are_healthy() {
        let mut silent = Silent;
        let mut report = Report::new(&mut silent);
        report.group("a group");
        let nothing = report.findings.clone();
        report.warning("one", "it creaks", "oil it");
        let creaks = report.findings.clone();
        report.problem("two", "it broke", "");
        report.problem("three", "it broke, too", "");
        let broke = report.finish();

        assert_eq!(nothing.summary(), "No problems.");
        assert_eq!(creaks.json()["healthy"], true);
        assert_eq!(creaks.json()["findings"][0]["fix"], "oil it");
        assert_eq!(creaks.summary(), "No problems, 1 warning.");
        assert_eq!(broke.json()["healthy"], false);
        assert_eq!(broke.json()["findings"][1]["fix"], Value::Null);
        assert_eq!(broke.summary(), "2 problems, 1 warning.");
    }
}
