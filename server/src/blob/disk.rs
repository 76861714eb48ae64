//! Blobs on the local disk.
//!
//! ```text
//! scratch/APP-UPLOAD     an upload on its way
//! tmp/NAME               a blob that is being written; what is here at a start is thrown away
//! APP/HH/NAME            a blob; HH is the first byte of its hash
//! ```
//!
//! A blob is written under `tmp/`, synced, and renamed to its place, and the directory is synced: it is there as a
//! whole or not at all. Every name is made here from numbers and hashes; no text of a client is part of a path.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use gomer_core::id::AppId;

use super::{BlobFault, BlobStore, Key, Scratch, Source};

/// Locks by which appends to one scratch wait for each other.
const STRIPES: usize = 16;

/// A directory of blobs.
pub struct DiskStore {
    path: PathBuf,
    stripes: [Mutex<()>; STRIPES],
}

impl DiskStore {
    /// Opens the directory, or makes it, and clears what was half written when the process ended.
    pub fn open(path: &Path) -> io::Result<DiskStore> {
        let tmp = path.join("tmp");
        for dir in [path, &path.join("scratch"), &tmp] {
            make_dir(dir)?;
        }
        for entry in fs::read_dir(&tmp)? {
            fs::remove_file(entry?.path())?;
        }
        sync_dir(path)?;
        Ok(DiskStore { path: path.to_owned(), stripes: Default::default() })
    }

    fn scratch(&self, scratch: Scratch) -> PathBuf {
        self.path.join("scratch").join(format!("{}-{}", scratch.app.0, scratch.id))
    }

    fn blob(&self, key: Key) -> PathBuf {
        self.folder(key).join(key.to_string())
    }

    fn folder(&self, key: Key) -> PathBuf {
        self.path.join(key.object.app.0.to_string()).join(format!("{:02x}", key.object.hash[0]))
    }

    fn stripe(&self, scratch: Scratch) -> MutexGuard<'_, ()> {
        let stripe = &self.stripes[scratch.id.as_bytes()[15] as usize % STRIPES];
        stripe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves a synced file to a blob's place.
    fn place(&self, from: &Path, key: Key) -> io::Result<()> {
        let folder = self.folder(key);
        if !folder.is_dir() {
            let app = folder.parent().expect("a folder stands in its app's");
            make_dir(app)?;
            make_dir(&folder)?;
            sync_dir(&self.path)?;
            sync_dir(app)?;
        }
        fs::rename(from, self.blob(key))?;
        sync_dir(&folder)
    }
}

impl BlobStore for DiskStore {
    fn append(&self, scratch: Scratch, at: u64, bytes: &[u8]) -> Result<(), BlobFault> {
        let _alone = self.stripe(scratch);
        let mut file =
            OpenOptions::new().append(true).create(true).mode(0o600).open(self.scratch(scratch))?;
        let end = file.metadata()?.len();
        if at != end {
            return Err(BlobFault::Moved(end));
        }
        if let Err(error) = file.write_all(bytes) {
            // What was written of it goes; a disk that is full has room for that.
            file.set_len(end)?;
            return Err(error.into());
        }
        Ok(())
    }

    fn scratch_bytes(&self, scratch: Scratch) -> Result<u64, BlobFault> {
        match fs::metadata(self.scratch(scratch)) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    fn open_scratch(&self, scratch: Scratch) -> Result<Box<dyn Source>, BlobFault> {
        Ok(Box::new(File::open(self.scratch(scratch))?))
    }

    fn discard(&self, scratch: Scratch) -> Result<(), BlobFault> {
        removed(fs::remove_file(self.scratch(scratch)))
    }

    fn scratches(&self) -> Result<Vec<Scratch>, BlobFault> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.path.join("scratch"))? {
            let name = entry?.file_name();
            let parts = name.to_str().and_then(|name| name.split_once('-'));
            let parsed = parts.and_then(|(app, id)| Some((app.parse().ok()?, id.parse().ok()?)));
            found.extend(parsed.map(|(app, id)| Scratch { app: AppId(app), id }));
        }
        Ok(found)
    }

    fn keep(&self, scratch: Scratch, key: Key) -> Result<(), BlobFault> {
        let _alone = self.stripe(scratch);
        let path = self.scratch(scratch);
        File::open(&path)?.sync_all()?;
        Ok(self.place(&path, key)?)
    }

    fn put(&self, key: Key, bytes: &[u8]) -> Result<(), BlobFault> {
        let path = self.path.join("tmp").join(key.to_string());
        let written = (|| {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            self.place(&path, key)
        })();
        if written.is_err() {
            // A start clears it too.
            let _ = fs::remove_file(&path);
        }
        Ok(written?)
    }

    fn bytes(&self, key: Key) -> Result<Option<u64>, BlobFault> {
        match fs::metadata(self.blob(key)) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn read(&self, key: Key, at: u64, max: usize) -> Result<Bytes, BlobFault> {
        let file = File::open(self.blob(key))?;
        let mut bytes = vec![0; max];
        let mut filled = 0;
        while filled < max {
            match file.read_at(&mut bytes[filled..], at + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        bytes.truncate(filled);
        Ok(bytes.into())
    }

    fn delete(&self, key: Key) -> Result<(), BlobFault> {
        removed(fs::remove_file(self.blob(key)))
    }

    fn list(&self, first: u8) -> Result<Vec<Key>, BlobFault> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let Some(app) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let folder = match fs::read_dir(entry.path().join(format!("{first:02x}"))) {
                Ok(folder) => folder,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error.into()),
            };
            for file in folder {
                let name = file?.file_name();
                found.extend(name.to_str().and_then(|name| Key::parse(AppId(app), name)));
            }
        }
        Ok(found)
    }
}

fn make_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn removed(result: io::Result<()>) -> Result<(), BlobFault> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
