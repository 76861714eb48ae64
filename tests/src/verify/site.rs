//! Where the run takes place: the workspace, its target directory, and an environment without surprises.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The places that steps need.
#[derive(Debug, Clone)]
pub struct Site {
    /// The root of the workspace; every step starts here.
    pub root: PathBuf,
    /// Cargo's target directory.
    pub target: PathBuf,
}

impl Site {
    /// Asks cargo. The error is a sentence for the user.
    pub fn find() -> Result<Site, String> {
        let manifest_dir =
            std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let answer = cargo()
            .current_dir(&manifest_dir)
            .args(["metadata", "--format-version", "1", "--no-deps"])
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| format!("cargo does not start: {error}"))?;
        let text = String::from_utf8_lossy(&answer.stdout);
        let metadata: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| format!("`cargo metadata` failed: {error}"))?;
        let place = |name: &str| -> Result<PathBuf, String> {
            metadata[name].as_str().map(PathBuf::from).ok_or(format!("`cargo metadata` names no {name}"))
        };
        Ok(Site { root: place("workspace_root")?, target: place("target_directory")? })
    }

    /// The release binary, as the step `release` leaves it.
    pub fn gomer(&self) -> PathBuf {
        self.target.join("release").join("gomer")
    }
}

/// Cargo, with what `cargo run` told this process about itself taken out again.
pub fn cargo() -> Command {
    clean(Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())))
}

/// Cargo of the nightly toolchain, through rustup.
pub fn cargo_nightly() -> Command {
    let mut command = clean(Command::new("cargo"));
    command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").env_remove("RUSTC").arg("+nightly");
    command
}

/// Takes the variables that describe the verify package itself out of a child's environment.
pub fn clean(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"].iter().any(|p| text.starts_with(p))
        {
            command.env_remove(&name);
        }
    }
    command
}

/// A variable that would make the run mean something else, as a sentence; `None` when all is well.
///
/// Flags from the environment replace the `--cfg madsim` of the simulator's alias, and a simulator
/// without it would "pass" without having simulated anything. Cargo does so even for an empty value.
pub fn surprise(var: impl Fn(&str) -> Option<OsString>) -> Option<String> {
    ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"].into_iter().find(|name| var(name).is_some()).map(|name| {
        format!("{name} is set in the environment: it hides the simulator's --cfg madsim. Run `unset {name}` first.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_in_the_environment_are_refused_even_when_empty() {
        assert_eq!(surprise(|_| None), None);
        assert_eq!(surprise(|name| (name == "CARGO_BUILD_JOBS").then(|| "2".into())), None);
        let told = surprise(|name| (name == "RUSTFLAGS").then(OsString::new)).unwrap();
        assert!(told.contains("unset RUSTFLAGS"), "{told}");
        assert!(surprise(|name| (name == "CARGO_ENCODED_RUSTFLAGS").then(|| "-O".into())).is_some());
    }

    #[test]
    fn the_site_is_this_workspace() {
        let site = Site::find().unwrap();
        assert!(site.root.join("tests/src/verify/main.rs").exists(), "{site:?}");
    }
}
