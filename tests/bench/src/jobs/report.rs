//! The figures, put together: medians of the rounds, as a table for people and as JSON for programs.

use std::{collections::BTreeMap, fmt::Write};

use anyhow::Result;
use serde_json::{Value, json};

use crate::{
    figures::{median, readable},
    rows::Column,
};

/// What one line of the table is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name {
    /// What was measured, with its unit.
    pub(crate) what: &'static str,
    /// What it was meant to be, where that was said.
    pub(crate) goal: &'static str,
}

/// Every figure of every round.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<&'static [Name]>,
    brought: BTreeMap<(usize, usize, Column), Vec<f64>>,
    failures: Vec<anyhow::Error>,
}

impl Report {
    /// Takes the figures that one measurement brought, one for each name.
    pub(crate) fn add(&mut self, names: &'static [Name], column: Column, figures: Vec<f64>) {
        let known = self.rows.iter().position(|row| std::ptr::eq(*row, names));
        let row = known.unwrap_or_else(|| {
            self.rows.push(names);
            self.rows.len() - 1
        });
        for (line, figure) in figures.into_iter().enumerate() {
            self.brought.entry((row, line, column)).or_default().push(figure);
        }
    }

    /// A measurement brought no figures: the others count all the same.
    pub(crate) fn fail(&mut self, error: anyhow::Error) {
        eprintln!("{error:#}");
        self.failures.push(error);
    }

    /// The first failure, if there was one.
    ///
    /// # Errors
    /// That one.
    pub(crate) fn check(self) -> Result<()> {
        self.failures.into_iter().next().map_or(Ok(()), Err)
    }

    /// Every line, with the rounds of each column.
    fn lines(&self) -> impl Iterator<Item = (&Name, Vec<Option<&Vec<f64>>>)> {
        let columns = self.columns();
        self.rows.iter().enumerate().flat_map(move |(row, names)| {
            let columns = columns.clone();
            names.iter().enumerate().map(move |(line, name)| {
                let rounds = columns.iter().map(|column| self.brought.get(&(row, line, *column)));
                (name, rounds.collect())
            })
        })
    }

    fn columns(&self) -> Vec<Column> {
        let brought = |column: &Column| self.brought.keys().any(|(_, _, of)| of == column);
        Column::ALL.into_iter().filter(brought).collect()
    }

    /// A table in Markdown.
    pub(crate) fn table(&self) -> String {
        let columns = self.columns();
        let heads: String = columns.iter().map(|column| format!(" {} |", column.head())).collect();
        let rule = " --- |".repeat(columns.len());
        let mut table = format!("| |{heads} goal |\n| --- |{rule} --- |\n");
        for (name, rounds) in self.lines() {
            let _ = write!(table, "| {} |", name.what);
            for rounds in rounds {
                let figure =
                    rounds.cloned().map_or_else(|| "–".to_owned(), |all| readable(median(all)));
                let _ = write!(table, " {figure} |");
            }
            let _ = writeln!(table, " {} |", name.goal);
        }
        table
    }

    /// The same with every round's figures.
    pub(crate) fn json(&self) -> Result<String> {
        let columns = self.columns();
        let of_line = |(name, rounds): (&Name, Vec<Option<&Vec<f64>>>)| {
            let of_column = columns.iter().zip(rounds);
            let rounds: serde_json::Map<String, Value> = of_column
                .filter_map(|(column, rounds)| Some((column.head().to_owned(), json!(rounds?))))
                .collect();
            json!({"what": name.what, "goal": name.goal, "rounds": rounds})
        };
        Ok(serde_json::to_string_pretty(&self.lines().map(of_line).collect::<Vec<_>>())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[Name] = &[Name { what: "a, µs", goal: "≤ 2" }, Name { what: "b", goal: "" }];

    #[test]
    fn the_table_shows_medians_and_leaves_out_columns_without_figures() {
        let mut report = Report::default();
        for round in [1.0, 9.0, 2.0] {
            report.add(NAMES, Column::Disk, vec![round, 5.0]);
        }
        report.add(NAMES, Column::Slurm, vec![7.0]);
        let lines = [
            "| | state on disk | Slurm | goal |",
            "| --- | --- | --- | --- |",
            "| a, µs | 2.0 | 7.0 | ≤ 2 |",
            "| b | 5.0 | – |  |",
            "",
        ];
        assert_eq!(report.table(), lines.join("\n"));
    }
}
