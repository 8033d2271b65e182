//! Aligned columns for people: numbers to the right, states in colour, a dash where there is nothing.

use serde_json::Value;

use super::{Table, cell_text};
use crate::colour::{Colour, painted};
use crate::printable::printable;

pub(super) fn render(table: &Table, header: bool, colour: bool) -> String {
    let cells: Vec<Vec<String>> =
        table.rows.iter().map(|row| row.iter().map(shown).collect()).collect();
    let widths = widths(table, &cells, header);
    let mut text = String::new();
    if header {
        let names: Vec<String> =
            table.columns.iter().map(|name| name.to_ascii_uppercase()).collect();
        line(&mut text, table, &names, &widths, false);
    }
    for row in &cells {
        line(&mut text, table, row, &widths, colour);
    }
    text
}

fn shown(value: &Value) -> String {
    match cell_text(value) {
        empty if empty.is_empty() => "-".to_owned(),
        text => printable(&text).into_owned(),
    }
}

fn widths(table: &Table, cells: &[Vec<String>], header: bool) -> Vec<usize> {
    let width = |text: &String| text.chars().count();
    (0..table.columns.len())
        .map(|column| {
            let name = if header { table.columns[column].len() } else { 0 };
            cells.iter().map(|row| width(&row[column])).max().unwrap_or(0).max(name)
        })
        .collect()
}

fn line(text: &mut String, table: &Table, cells: &[String], widths: &[usize], colour: bool) {
    let mut padded = String::new();
    for (column, cell) in cells.iter().enumerate() {
        let space = " ".repeat(widths[column].saturating_sub(cell.chars().count()));
        let cell = painted(cell, Colour::of_state(cell).filter(|_| colour));
        if is_numeric(table, column) {
            padded.push_str(&format!("{space}{cell}  "));
        } else {
            padded.push_str(&format!("{cell}{space}  "));
        }
    }
    text.push_str(padded.trim_end());
    text.push('\n');
}

/// A column is numeric when it has a number and nothing but numbers and gaps.
fn is_numeric(table: &Table, column: usize) -> bool {
    let values = || table.rows.iter().map(|row| &row[column]);
    values().any(Value::is_number) && values().all(|value| value.is_number() || value.is_null())
}
