//! Files with secrets: written once, whole or not at all, for the owner's eyes only. An edge: the simulator
//! starts without them.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Serialize;

/// Writes a new file, on disk when it returns: first under another name, so that a crash leaves nothing half
/// written under this one. Refuses to replace a file.
pub fn write_once(path: &Path, bytes: &[u8]) -> Result<()> {
    if path.exists() {
        bail!("{} is there already and is never rewritten", path.display());
    }
    let unfinished = path.with_extension("unfinished");
    let write = || -> std::io::Result<()> {
        // What a crash left under this name is of no use: it was never read.
        let _ = fs::remove_file(&unfinished);
        let mut file = private().open(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        sync_parent(path)
    };
    write().with_context(|| format!("{} could not be written", path.display()))
}

/// Reads a file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{} could not be read", path.display()))
}

/// Removes a file, if it is there.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_parent(path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => Err(error),
    }
    .with_context(|| format!("{} could not be removed", path.display()))
}

/// As people read it.
pub fn pretty(value: &impl Serialize) -> Vec<u8> {
    let mut json = serde_json::to_vec_pretty(value).expect("credentials are plain data, which JSON can hold");
    json.push(b'\n');
    json
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A new name in a directory is on disk once the directory is.
fn sync_parent(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_once_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret.json");
        fs::write(path.with_extension("unfinished"), "from a crash").unwrap();
        write_once(&path, b"first").unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(write_once(&path, b"second").is_err());
        assert_eq!(read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn removing_twice_is_once_and_what_is_not_there_cannot_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("seed");
        write_once(&path, b"x").unwrap();
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(read(&path).is_err());
        assert!(write_once(&dir.path().join("no/such/dir"), b"x").is_err());
    }
}
