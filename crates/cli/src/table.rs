//! Tables for people.

use comfy_table::{ContentArrangement, Table, presets};

/// A table without lines, as wide as its content or the terminal.
pub fn of<const N: usize>(header: [&str; N], rows: impl Iterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header)
        .add_rows(rows);
    table
}
