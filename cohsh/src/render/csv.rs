//! RFC 4180, with line feeds.

use super::{Table, cell_text};

pub(super) fn render(table: &Table, header: bool) -> String {
    let header = header.then(|| table.columns.join(",") + "\n");
    let rows = table.rows.iter().map(|row| {
        let cells: Vec<String> = row.iter().map(|value| quoted(cell_text(value))).collect();
        cells.join(",") + "\n"
    });
    header.into_iter().chain(rows).collect()
}

fn quoted(cell: String) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell
    }
}
