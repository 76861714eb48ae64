//! What `--full` adds beyond single commands: fuzzing on nightly, and schemathesis against a running server.

use std::process::Command;

use crate::shell::Shell;
use crate::site;

/// Runs each target of `fuzz/` for [`FUZZ_SECONDS`]. A crash leaves its input under `fuzz/artifacts/`.
pub fn fuzz(shell: &mut Shell) -> Result<(), String> {
    let fuzz = shell.site.root.join("fuzz");
    let manifest = fuzz.join("Cargo.toml");
    let mut metadata = site::cargo();
    metadata.args(["metadata", "--format-version", "1", "--no-deps", "--manifest-path"]).arg(&manifest);
    let answer = metadata.output().map_err(|error| format!("`cargo metadata` does not start: {error}"))?;
    let metadata: serde_json::Value = serde_json::from_slice(&answer.stdout)
        .map_err(|error| format!("`cargo metadata` on {}: {error}", manifest.display()))?;
    let targets = bins(&metadata);
    if targets.is_empty() {
        return Err("fuzz/ has no targets".to_owned());
    }
    for target in targets {
        // What it finds by itself grows in `corpus`, which git ignores; `seeds` stays as it is.
        let (corpus, seeds) = (fuzz.join("corpus").join(&target), fuzz.join("seeds").join(&target));
        std::fs::create_dir_all(&corpus).map_err(|error| format!("{}: {error}", corpus.display()))?;
        let mut command = site::cargo_nightly();
        command.args(["fuzz", "run", &target]).args([&corpus, &seeds]);
        command.args(["--", &format!("-max_total_time={FUZZ_SECONDS}")]);
        shell.run(command)?;
    }
    Ok(())
}

/// Installs the pinned schemathesis under the target directory and lets it loose on a new server.
pub fn schemathesis(shell: &mut Shell) -> Result<(), String> {
    let pins = shell.site.root.join("tests").join("schemathesis.txt");
    let home = shell.site.target.join("verify").join("schemathesis");
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv"]).arg(&home);
    shell.run(venv)?;
    let mut pip = Command::new(home.join("bin").join("pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "-r"])
        .arg(&pins);
    shell.run(pip)?;
    let mut test = site::cargo();
    test.args(["test", "-p", "gomer-tests", "--test", "schemathesis", "--", "--nocapture"]);
    test.env("GOMER_BIN", shell.site.gomer()).env("SCHEMATHESIS", home.join("bin").join("st"));
    shell.run(test)
}

/// The names of the binary targets in cargo's metadata, sorted.
fn bins(metadata: &serde_json::Value) -> Vec<String> {
    let mut names = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        for target in package["targets"].as_array().into_iter().flatten() {
            let is_bin =
                target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "bin"));
            names.extend(target["name"].as_str().filter(|_| is_bin).map(str::to_owned));
        }
    }
    names.sort();
    names
}

/// How long each fuzz target runs.
const FUZZ_SECONDS: u32 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_binaries_are_fuzz_targets() {
        let metadata = serde_json::json!({"packages": [{"targets": [
            {"name": "row", "kind": ["bin"]}, {"name": "fuzz", "kind": ["lib"]}, {"name": "cursor", "kind": ["bin"]},
        ]}]});
        assert_eq!(bins(&metadata), ["cursor", "row"]);
        assert!(bins(&serde_json::json!({})).is_empty());
    }
}
