//! Metrics of a running program, fetched and read as Prometheus does.

use std::collections::BTreeMap;

use super::{Client, Process, address};

/// One look at a program's metrics.
#[derive(Debug)]
pub struct Scrape {
    /// The text as it came.
    pub text: String,
    series: BTreeMap<String, f64>,
}

impl Scrape {
    /// Fetches the metrics of a program that was told to serve them.
    pub async fn of(process: &mut Process) -> Self {
        let line = process.logged("serving metrics").await;
        let answer = Client::new(address(&line)).get("/metrics").await;
        assert_eq!(answer.status, 200);
        let text = answer.text().to_owned();
        let lines = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty());
        let series = lines.map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        });
        Self {
            series: series.collect(),
            text,
        }
    }

    /// The value of a series, with its labels as Prometheus writes them; `None`: there is none.
    pub fn value(&self, series: &str) -> Option<f64> {
        self.series.get(series).copied()
    }

    /// Asserts the value of a series.
    #[track_caller]
    pub fn shows(&self, series: &str, value: f64) {
        assert_eq!(
            self.value(series),
            Some(value),
            "{series} in\n{}",
            self.text
        );
    }

    /// Asserts that a series is above a value.
    #[track_caller]
    pub fn exceeds(&self, series: &str, value: f64) {
        assert!(
            self.value(series).is_some_and(|found| found > value),
            "{series} in\n{}",
            self.text
        );
    }

    /// The series whose name, with labels, begins so.
    pub fn beginning(&self, with: &str) -> Vec<&str> {
        let names = self.series.keys().map(String::as_str);
        names.filter(|name| name.starts_with(with)).collect()
    }
}
