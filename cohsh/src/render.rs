//! One table, four forms: aligned columns, JSON, JSON lines, CSV.
//!
//! Knows no verb: a verb fills a [`Table`] with named columns, the operator's `-o` chooses the form.

mod csv;
mod json;
mod plain;

use serde_json::Value;

/// `-o FORM`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// Aligned columns, for people.
    #[default]
    Table,
    /// One JSON document: an array of objects.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// RFC 4180, with a header line.
    Csv,
}

/// Rows under named columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<Value>>,
}

impl Table {
    /// An empty table. Column names are `lower_case`, units last: `mem_mb`.
    #[must_use]
    pub fn new(columns: &[&'static str]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row: one value a column; `null` where there is none.
    pub fn row<const COLUMNS: usize>(&mut self, values: [Value; COLUMNS]) {
        assert_eq!(COLUMNS, self.columns.len(), "a row has one value for each column");
        self.rows.push(values.into());
    }

    /// How many rows there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text, each line ended. `colour` and `header` matter to people's forms only.
    #[must_use]
    pub fn render(&self, form: Form, header: bool, colour: bool) -> String {
        match form {
            Form::Table => plain::render(self, header, colour),
            Form::Json => json::document(self),
            Form::Jsonl => json::lines(self),
            Form::Csv => csv::render(self, header),
        }
    }
}

/// What a cell shows to people and in CSV: text as it is, nothing for `null`.
fn cell_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leases() -> Table {
        let mut table = Table::new(&["lease", "state", "mem_mb", "worker"]);
        table.row(["lease-1".into(), "ACTIVE".into(), 64.into(), Value::Null]);
        table.row(["lease-12".into(), "EXPIRED".into(), 4096.into(), "a, \"b\"".into()]);
        table
    }

    /// Proves SH-5.
    #[test]
    fn one_table_has_four_forms() {
        let table = leases();
        assert_eq!(
            table.render(Form::Table, true, false),
            "LEASE     STATE    MEM_MB  WORKER\n\
             lease-1   ACTIVE       64  -\n\
             lease-12  EXPIRED    4096  a, \"b\"\n"
        );
        assert_eq!(
            table.render(Form::Jsonl, true, false),
            "{\"lease\":\"lease-1\",\"state\":\"ACTIVE\",\"mem_mb\":64,\"worker\":null}\n\
             {\"lease\":\"lease-12\",\"state\":\"EXPIRED\",\"mem_mb\":4096,\"worker\":\"a, \\\"b\\\"\"}\n"
        );
        assert_eq!(
            table.render(Form::Csv, true, false),
            "lease,state,mem_mb,worker\n\
             lease-1,ACTIVE,64,\n\
             lease-12,EXPIRED,4096,\"a, \"\"b\"\"\"\n"
        );
        let document: Value = serde_json::from_str(&table.render(Form::Json, true, false)).unwrap();
        assert_eq!(document[1]["mem_mb"], 4096);
    }

    #[test]
    fn an_empty_table_is_still_a_document() {
        let table = Table::new(&["job", "state"]);
        assert_eq!(table.render(Form::Json, true, false), "[]\n");
        assert_eq!(table.render(Form::Jsonl, true, false), "");
        assert_eq!(table.render(Form::Csv, true, false), "job,state\n");
        assert_eq!(table.render(Form::Table, true, false), "JOB  STATE\n");
    }

    /// Proves SH-5.
    #[test]
    fn a_header_can_be_left_out_and_colour_is_asked_for() {
        let table = leases();
        assert!(table.render(Form::Table, false, false).starts_with("lease-1 "));
        assert!(table.render(Form::Csv, false, false).starts_with("lease-1,"));
        assert!(!table.render(Form::Table, true, false).contains('\x1b'));
        let coloured = table.render(Form::Table, true, true);
        assert!(coloured.contains("\x1b[32mACTIVE\x1b[0m"), "{coloured:?}");
    }
}
