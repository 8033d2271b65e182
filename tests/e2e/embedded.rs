//! The shell alone: a hive inside of its process, with the software GPU.

use std::fs;
use std::process::Command;

use tempfile::TempDir;
use tests_support::program::command;
use tests_support::said::Said;

use crate::{example, reference, word};

fn shell() -> Command {
    command("cohsh")
}

/// Proves EX-3.
#[test]
fn the_first_command_of_the_readme_shows_the_whole_way_of_a_job() {
    let said = Said::by(shell().args(["run", word(&example("vadd.json"))])).well();
    said.in_order(&[
        "staged   /bundles/vadd.ptx",
        "staged   /bundles/vadd.a.f32, 131072 bytes",
        "lease    lease-1 on GPU-0",
        "QUEUED",
        "RUNNING",
        "OK       queue ",
        "h2d ",
        "kernel ",
        "d2h ",
        "output   sum.f32, 131072 bytes: 0, 3, 6, 9, 12, 15, 18, 21, …",
    ]);
}

/// Proves EX-3, SH-10.
#[test]
fn outputs_that_are_saved_are_right_to_the_last_bit() {
    let out = TempDir::new().unwrap();
    for (job, file, wanted) in [
        ("vadd.json", "sum.f32", reference::vadd()),
        ("matmul.json", "product.f32", reference::matmul()),
    ] {
        let job = example(job);
        let said = Said::by(shell().args(["run", word(&job), "--out", word(out.path())]));
        let _ = said.well();
        assert!(fs::read(out.path().join(file)).unwrap() == wanted, "{file} is wrong");
    }
}

/// Proves EX-3, SH-10.
#[test]
fn the_mandelbrot_set_is_saved_as_a_picture() {
    let out = TempDir::new().unwrap();
    let job = example("mandelbrot.json");
    let said = Said::by(shell().args(["run", word(&job), "--out", word(out.path())])).well();
    said.in_order(&[
        "output   escape.u32, 1572864 bytes: ",
        "saved",
        "escape.u32",
        "saved",
        "escape.png",
    ]);

    let escape = fs::read(out.path().join("escape.u32")).unwrap();
    let at = |column: u16, row: u16| {
        let at = 4 * (usize::from(row) * 768 + usize::from(column));
        u32::from_le_bytes(escape[at..at + 4].try_into().unwrap())
    };
    for row in (0..512).step_by(5) {
        for column in (0..768).step_by(7) {
            let wanted = reference::escape_time(column, row);
            assert_eq!(at(column, row), wanted, "column {column}, row {row}");
        }
    }
    let picture = fs::read(out.path().join("escape.png")).unwrap();
    assert_eq!(picture[..8], *b"\x89PNG\r\n\x1a\n");
    assert_eq!(picture[16..24], [0, 0, 3, 0, 0, 0, 2, 0], "768 by 512");
}

/// Proves SH-5.
#[test]
fn programs_get_the_records_themselves() {
    let said = Said::by(shell().args(["run", word(&example("vadd.json")), "-o", "jsonl"])).well();
    let records: Vec<serde_json::Value> =
        said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let states: Vec<&str> = records.iter().filter_map(|record| record["state"].as_str()).collect();
    assert_eq!(states.first(), Some(&"QUEUED"), "{said}");
    assert_eq!(states.last(), Some(&"OK"), "{said}");
    let ok = records.iter().find(|record| record["state"] == "OK").unwrap();
    assert_eq!(ok["outputs"][0]["path"], "/worker/vadd/sum.f32");
    assert_eq!(ok["outputs"][0]["bytes"], 131_072);
}

/// Proves SH-3.
#[test]
fn a_hive_that_is_not_there_is_unreachable() {
    let said = Said::by(shell().args(["--connect", "tcp://127.0.0.1:1", "ls"])).with_code(5);
    assert!(said.err.starts_with("ERR LS reason=cut"), "{said}");
}
