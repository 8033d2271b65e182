//! The page of instructions is what the code does.

use std::{env, fs, path::Path};

use mock_ptx::conformance::{INSTRUCTIONS, REFUSED, expand, kernel_around, page};

/// Proves PTX-1.
#[test]
fn every_form_of_the_table_lowers() {
    for instruction in INSTRUCTIONS {
        let statements: Vec<String> =
            instruction.forms.iter().flat_map(|form| expand(form)).collect();
        // all in one kernel; the error names the statement
        let text = kernel_around(&statements.join(";\n\t"));
        let module = mock_ptx::compile(&text).unwrap_or_else(|error| panic!("{error}"));
        for kernel in &module.kernels {
            kernel.check().unwrap_or_else(|broken| panic!("{}: {broken}", instruction.name));
        }
    }
}

/// Proves PTX-2.
#[test]
fn every_refusal_names_line_statement_and_reason() {
    for form in REFUSED {
        let text = kernel_around(form.statement);
        let line = 1 + text.lines().position(|line| line.contains(form.statement)).unwrap_or(0);
        let error = mock_ptx::compile(&text).expect_err(form.statement);
        assert!(error.reason.contains(form.reason), "{}: {error}", form.statement);
        assert_eq!(error.line as usize, line, "{error}");
        let shown = error.statement.as_deref().unwrap_or_default();
        let start: String = form.statement.chars().take(40).collect();
        assert!(shown.starts_with(&start), "{error}");
    }
}

#[test]
fn the_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/PTX.md");
    if env::var_os("COHESIX_BLESS").is_some() {
        fs::write(&path, page()).expect("docs/PTX.md can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page(),
        "docs/PTX.md is not what the code does: run COHESIX_BLESS=1 cargo test -p mock-ptx"
    );
}
