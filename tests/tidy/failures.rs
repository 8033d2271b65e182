//! Every row of `docs/FAILURE_MODES.md` names the test that provokes its fault, and that test is there.

use crate::{assert_none, quoted, root};

/// The tables that the page must have.
const TABLES_MIN: usize = 4;

/// Proves HOUSE-15.
#[test]
fn every_failure_mode_has_a_test_that_is_there() {
    let page = crate::read("docs/FAILURE_MODES.md");
    let rows: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---")).collect();
    let heads = rows.iter().filter(|row| row.starts_with("| fault |")).count();
    let mut complaints = Vec::new();
    for row in rows.iter().filter(|row| !row.starts_with("| fault |")) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let fault = cells.first().copied().unwrap_or_default();
        match (cells.as_slice(), quoted(cells.last().copied().unwrap_or_default()).as_slice()) {
            ([_, signal, impact, recovery, _], [path, name]) => {
                if [signal, impact, recovery].iter().any(|cell| cell.is_empty()) {
                    complaints.push(format!("{fault}: signal, impact and recovery are wanted"));
                }
                let text = std::fs::read_to_string(root().join(path)).unwrap_or_default();
                if !text.contains(&format!("fn {name}(")) {
                    complaints.push(format!("{fault}: {path} has no test {name}"));
                }
            }
            _ => {
                complaints.push(format!("{fault}: five cells are wanted, the last `file`: `test`"))
            }
        }
    }
    assert_none(&complaints, "docs/FAILURE_MODES.md and the tests disagree");
    assert!(heads >= TABLES_MIN, "{heads} tables found: has the form of the page changed?");
}
