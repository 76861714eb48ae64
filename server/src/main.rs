//! The `gomer` binary.

fn main() {}
