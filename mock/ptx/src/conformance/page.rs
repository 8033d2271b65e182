//! `docs/PTX.md`, made from the table.

use core::fmt::Write;

use super::{Group, INSTRUCTIONS, REFUSED, expand};

const HEAD: &str = "\
# PTX on the software GPU: instruction by instruction

This page is made from `mock/ptx/src/conformance` and checked by a test that lowers every form on it
(`COHESIX_BLESS=1 cargo test -p mock-ptx` writes it anew).

The device says it is sm_80. Texts of any `.version` and any `.target` from any toolchain are read; what
counts is whether each instruction is one of these. Everything else is refused when the module is loaded, with line and
instruction. Modifiers are never ignored unless this page says that they change nothing.

How to read a form: `{a,b}` is one of these, `{a,b}?` is one of these or nothing. Registers: `%p` predicates, `%b` 8 bits, `%h` 16, `%r` and
`%f` 32, `%d` and `%fd` 64, `%q` 128. Integer constants may stand for any source.

What changes nothing here: cache operators (`.ca .cg .cs .lu .cv .wb .wt .nc`), eviction priorities and prefetch
sizes (`.L1::… .L2::…`), cache policies, `.unified`, `.noftz`, `.aligned`, `.uni` (a hint). A cluster is one block: `.cluster` scope is `.cta`,
`.shared::cluster` is `.shared::cta`.

";

/// The page.
#[must_use]
pub fn page() -> String {
    let mut text = String::from(HEAD);
    for group in Group::ALL {
        // a String takes everything
        let _ = writeln!(text, "## {}\n", group.title());
        for instruction in INSTRUCTIONS.iter().filter(|entry| entry.group == group) {
            let forms: usize = instruction.forms.iter().map(|form| expand(form).len()).sum();
            let _ =
                writeln!(text, "**{}** ({forms}){}\n", instruction.name, note(instruction.note));
            let _ = writeln!(text, "```");
            for form in instruction.forms {
                let _ = writeln!(text, "{form}");
            }
            let _ = writeln!(text, "```\n");
        }
    }
    let _ =
        writeln!(text, "## Refused\n\nOne statement for each kind, with what the error says.\n");
    let _ = writeln!(text, "| statement | refused because |\n| --- | --- |");
    for form in REFUSED {
        let _ = writeln!(text, "| `{}` | {} |", form.statement.replace('|', "\\|"), form.reason);
    }
    text
}

fn note(note: &str) -> String {
    if note.is_empty() { String::new() } else { format!(": {note}") }
}
