//! The deliberate bugs that the simulator looks for are in the simulator's build only: not in the program that people
//! run.

use std::path::Path;

/// What every program says that can have one; see `core/src/mutant.rs`.
const MARKER: &[u8] = b"this program has deliberate bugs in it";

fn has_marker(path: &Path) -> bool {
    let program = std::fs::read(path).unwrap();
    program.windows(MARKER.len()).any(|bytes| bytes == MARKER)
}

#[test]
fn no_deliberate_bug_is_in_the_release_binary() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = root.join(std::env::var_os("GOMER_BIN").unwrap_or_else(|| "target/release/gomer".into()));
    if !path.exists() {
        eprintln!("{} is not there: build it with `cargo build --release -p gomer`", path.display());
        return;
    }
    assert!(!has_marker(&path), "{} was built with the feature `mutants`", path.display());
}

#[test]
fn the_marker_is_what_the_source_says() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src/mutant.rs");
    assert!(has_marker(&source));
}

/// Only the simulator turns the feature on, and only where it is built as one.
#[test]
fn nothing_else_turns_the_feature_on() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for member in ["core", "net", "server", "tests", "fuzz", "sim"] {
        let manifest = std::fs::read_to_string(root.join(member).join("Cargo.toml")).unwrap();
        let on = manifest.match_indices("[\"mutants\"]").map(|(at, _)| at);
        let simulator = manifest.find("[target.'cfg(madsim)'.dependencies]");
        for at in on {
            assert!(member == "sim" && simulator.is_some_and(|from| at > from), "{member}/Cargo.toml");
        }
        assert!(
            !manifest.contains("default = [\"mutants\"") && !manifest.contains("gomer-net/mutants"),
            "{member}"
        );
    }
}
