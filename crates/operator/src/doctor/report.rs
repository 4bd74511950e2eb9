//! The report that findings are gathered in.

use serde_json::{Value, json};

use super::finding::{Finding, Level};

/// Hears of an examination while it goes on.
pub trait Progress: Send {
    /// Something begins that may take a while.
    fn step(&mut self, what: &str);
    /// A group of checks is complete; it has a finding at least.
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

    /// How many problems and warnings there are, in a sentence.
    #[must_use]
    pub fn summary(&self) -> String {
        let many = |n: usize, one: &str, more: &str| match n {
            1 => format!("1 {one}"),
            n => format!("{n} {more}"),
        };
        let problems = self.count(Level::Problem);
        let warnings = self.count(Level::Warning);
        let looks = many(warnings, "thing is worth a look", "things are worth a look");
        match (problems, warnings) {
            (0, 0) => "All is well.".to_owned(),
            (0, _) => format!("Nothing must be mended; {looks}."),
            (_, 0) => format!(
                "{}.",
                many(problems, "thing must be mended", "things must be mended")
            ),
            _ => format!(
                "{}, {looks}.",
                many(problems, "thing must be mended", "things must be mended")
            ),
        }
    }
}

/// Gathers findings, and hands each group on as soon as it is complete.
pub struct Report<'a> {
    findings: Findings,
    group: &'static str,
    handed_on: usize,
    progress: &'a mut dyn Progress,
}

impl<'a> Report<'a> {
    /// An empty report.
    pub fn new(progress: &'a mut dyn Progress) -> Self {
        Self {
            findings: Findings::default(),
            group: "",
            handed_on: 0,
            progress,
        }
    }

    /// Begins a group; what follows belongs to it.
    pub fn group(&mut self, group: &'static str) {
        self.hand_on();
        self.group = group;
        self.working_on(group);
    }

    /// Says what takes a while.
    pub fn working_on(&mut self, what: impl AsRef<str>) {
        self.progress.step(what.as_ref());
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
        self.findings.0.push(Finding {
            group: self.group,
            check,
            level,
            message,
            mend: mend.filter(|mend| !mend.is_empty()),
        });
    }

    /// How many findings are of a level.
    pub fn count(&self, level: Level) -> usize {
        self.findings.count(level)
    }

    /// Hands on what has not been yet, and ends.
    pub fn finish(mut self) -> Findings {
        self.hand_on();
        self.findings
    }

    fn hand_on(&mut self) {
        let new = &self.findings.0[self.handed_on..];
        if !new.is_empty() {
            self.progress.group(self.group, new);
        }
        self.handed_on = self.findings.0.len();
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
        report.group("a room");
        report.warning("one", "it creaks", "oil it");
        let creaks = report.findings.clone();
        report.problem("two", "it broke", "");
        let broke = report.finish();

        assert_eq!(creaks.json()["healthy"], true);
        assert_eq!(
            creaks.summary(),
            "Nothing must be mended; 1 thing is worth a look."
        );
        assert_eq!(broke.json()["healthy"], false);
        assert_eq!(broke.json()["findings"][1]["mend"], Value::Null);
        assert_eq!(
            broke.summary(),
            "1 thing must be mended, 1 thing is worth a look."
        );
    }
}
