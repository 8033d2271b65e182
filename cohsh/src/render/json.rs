//! JSON forms. Keys keep the order of the columns, so that two runs differ only where the values do.

use serde_json::Value;

use super::Table;

pub(super) fn document(table: &Table) -> String {
    if table.is_empty() {
        return "[]\n".to_owned();
    }
    let objects: Vec<String> = objects(table).map(|object| format!("  {object}")).collect();
    format!("[\n{}\n]\n", objects.join(",\n"))
}

pub(super) fn lines(table: &Table) -> String {
    objects(table).map(|object| object + "\n").collect()
}

fn objects(table: &Table) -> impl Iterator<Item = String> {
    table.rows.iter().map(|row| {
        let fields: Vec<String> = table
            .columns
            .iter()
            .zip(row)
            .map(|(name, value)| format!("{}:{value}", Value::from(*name)))
            .collect();
        format!("{{{}}}", fields.join(","))
    })
}
