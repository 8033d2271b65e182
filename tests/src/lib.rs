//! The tests live beside this file, one folder a kind; see docs/TESTING.md.
