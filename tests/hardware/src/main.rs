//! One command that measures a machine with a GPU; see `report.rs` for what it writes.
fn main() {}
