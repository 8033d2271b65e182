//! What the tests share: real binaries on free ports, references, harnesses.
