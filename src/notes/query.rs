//! Parses the query of a list or of the feed, with a message for each wrong value.

use serde_json::{Map, Value};
use url::form_urlencoded;

use super::cursor;
use crate::error::ApiError;
use crate::fields;

/// The default number of entries of a page.
const PAGE: u32 = 20;

/// The maximum number of entries of a page.
const LARGEST_PAGE: u32 = 100;

/// The maximum length of a search text, in characters.
pub const SEARCH_LENGTH: usize = 200;

/// A query being parsed, and its errors so far. If a name occurs several times, the last value
/// wins.
pub struct Query {
    pairs: Vec<(String, String)>,
    errors: Map<String, Value>,
}

impl Query {
    /// Parses the part of a URL after the question mark.
    pub fn new(query: Option<&str>) -> Self {
        let query = query.unwrap_or_default();
        Self {
            pairs: form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            errors: Map::new(),
        }
    }

    /// All parameters except the cursor, for links to other pages.
    pub fn without_cursor(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs
            .iter()
            .filter(|(name, _)| name != "cursor")
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The number of entries of a page.
    pub fn page_size(&mut self) -> u32 {
        let Some(text) = self.text("page_size", 20) else {
            return PAGE;
        };
        match text.parse() {
            Ok(size) if (1..=LARGEST_PAGE).contains(&size) => size,
            _ => {
                self.wrong(
                    "page_size",
                    &format!("Must be a number from 1 to {LARGEST_PAGE}."),
                );
                PAGE
            }
        }
    }

    /// A boolean filter, if present.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        let flag = fields::flag(&self.text(name, 20)?);
        if flag.is_none() {
            self.wrong(name, "Must be true or false.");
        }
        flag
    }

    /// A text, if present and not empty.
    pub fn text(&mut self, name: &'static str, most: usize) -> Option<String> {
        let value = self.pairs.iter().rev().find(|(key, _)| key == name)?;
        let value = value.1.clone();
        if value.contains('\0') {
            self.wrong(name, fields::NUL_CHARACTER);
            return None;
        }
        if value.chars().count() > most {
            self.wrong(name, &fields::at_most(most));
            return None;
        }
        Some(value).filter(|value| !value.is_empty())
    }

    /// The position of the cursor, if present; `read` checks its user and list. An empty cursor
    /// counts as missing.
    pub fn cursor<T>(&mut self, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let given = self.text("cursor", 4000)?;
        let place = read(&given);
        if place.is_none() {
            self.wrong("cursor", cursor::INVALID);
        }
        place
    }

    /// Records the error of a value.
    pub fn wrong(&mut self, name: &'static str, message: &str) {
        self.errors
            .insert(name.to_owned(), Value::from(vec![message]));
    }

    /// The error with all problems of the query, if any.
    pub fn check(&self) -> Result<(), ApiError> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(ApiError::Fields(self.errors.clone()))
        }
    }
}
