//! What was found, as a page, and whether it is as wanted.

use std::fmt::Write as _;

use serde_json::Value;

/// From a kill to the next result, at most (p99).
const KILL_TO_USABLE_US_MAX: f64 = 2e6;

/// Whether everything is as wanted. Times of a fake driver are not looked at.
pub(crate) fn is_well(report: &Value) -> bool {
    let all = |list: &Value, key: &str| {
        list.as_array()
            .is_some_and(|list| !list.is_empty() && list.iter().all(|entry| entry[key] == true))
    };
    let daemon = &report["daemon"];
    let soon =
        daemon["kill_to_usable_us"]["p99"].as_f64().is_some_and(|p99| p99 <= KILL_TO_USABLE_US_MAX);
    all(&report["contract"]["clauses"], "kept")
        && report["launches"]["ours_us"]["p50"].is_f64()
        && all(&daemon["examples"], "well")
        && all(&daemon["cases"], "well")
        && (soon || report["fake"] == true)
}

/// As Markdown.
pub(crate) fn page(report: &Value) -> String {
    let mut page = String::from("# GPU results\n\n");
    if report["fake"] == true {
        page.push_str(
            "**FAKE: this was run on a fake driver, not on a GPU. It shows that the command works. No time in it means anything.**\n\n",
        );
    }
    for gpu in report["gpus"].as_array().into_iter().flatten() {
        let _ = writeln!(
            page,
            "- {} ({}), {} MiB, compute capability {}, driver {}, CUDA {}, memory bounded by {}",
            word(&gpu["name"]),
            word(&gpu["uuid"]),
            gpu["memory_mb"],
            word(&gpu["compute_capability"]),
            word(&gpu["driver"]),
            word(&gpu["cuda"]),
            word(&gpu["memory_enforcement"]),
        );
    }
    table(&mut page, "Contract", &report["contract"]["clauses"], "clause", "kept");
    table(&mut page, "Examples, on a real daemon", &report["daemon"]["examples"], "name", "well");
    table(
        &mut page,
        "Jobs that go wrong, on a real daemon",
        &report["daemon"]["cases"],
        "name",
        "well",
    );
    page.push_str("\n## Times\n\n| what | count | p50 us | p99 us | max us |\n| --- | --- | --- | --- | --- |\n");
    for (name, times) in [
        ("a launch and its end, ours", &report["launches"]["ours_us"]),
        ("the same, bare cuLaunchKernel and cuStreamSynchronize", &report["launches"]["bare_us"]),
        ("from a kill to the next result", &report["daemon"]["kill_to_usable_us"]),
    ] {
        let figure = |key: &str| {
            times[key].as_f64().map_or_else(|| "-".to_owned(), |time| format!("{time:.1}"))
        };
        let _ = writeln!(
            page,
            "| {name} | {} | {} | {} | {} |",
            times["count"],
            figure("p50"),
            figure("p99"),
            figure("max")
        );
    }
    for place in ["contract", "launches", "daemon"] {
        if let Some(why) = report[place]["failed"].as_str() {
            let _ = writeln!(page, "\n{place}: FAILED: {why}");
        }
    }
    let _ =
        writeln!(page, "\nAll as wanted: {}", if report["well"] == true { "yes" } else { "NO" });
    page
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

fn table(page: &mut String, heading: &str, rows: &Value, name: &str, well: &str) {
    let _ = writeln!(page, "\n## {heading}\n\n| what | |\n| --- | --- |");
    for row in rows.as_array().into_iter().flatten() {
        let outcome = if row[well] == true { "yes" } else { row["why"].as_str().unwrap_or("NO") };
        let _ = writeln!(page, "| {} | {outcome} |", word(&row[name]));
    }
}
