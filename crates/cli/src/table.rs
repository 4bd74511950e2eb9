//! Tables for the terminal.

use comfy_table::{ContentArrangement, Table, presets};
use runtime::printable::printable_line;

/// A table without borders, as wide as its content or the terminal. No line ends in spaces, which
/// would be pasted along with it. Line breaks in a cell are escaped.
pub fn of<const N: usize>(header: [&str; N], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header)
        .add_rows(rows.map(|row| {
            row.into_iter()
                .map(|cell| printable_line(&cell).into_owned())
                .collect::<Vec<_>>()
        }));
    let lines: Vec<String> = table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_line_ends_in_spaces() {
        let rows = [vec!["a".to_owned(), "a long value".to_owned()]];

        let table = super::of(["A LONG KEY", "VALUE"], rows.into_iter());

        assert_eq!(table, " A LONG KEY  VALUE\n a           a long value");
    }
}
