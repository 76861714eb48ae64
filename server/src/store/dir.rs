//! The data directory: whose it is, of which format, and what is in it.
//!
//! ```text
//! LOCK          held by the process that uses the directory; its number for people to read
//! FORMAT        what this is: format, number of shards, incarnation, checksum
//! shard-0/log/  the log of one shard        (one shard per core, fixed when the store is made)
//! shard-0/state.redb
//! shard-0/MADE  from here on, a missing log or state is damage and not a new store
//! meta/…        the same for the metadata
//! CLUSTER       of a cluster's member: see [`super::cluster`]
//! blobs/        uploads (`blob::disk`)
//! search/       the search index; it can be made again (`search::stored`)
//! ```
//!
//! A directory of a newer format, or one that is not ours, is left exactly as it is.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use gomer_core::store::StoreFault;

use super::log::{LogSettings, RaftLog};
use super::reserve::Space;
use super::state::RedbState;
use super::sync_dir;

/// The format that this program writes. It reads this one and older ones, of which there are none.
pub const FORMAT: u32 = 1;

/// Why a data directory cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirFault {
    /// Another process uses it.
    Locked {
        /// The directory.
        path: PathBuf,
        /// Number of that process, if it could be read.
        pid: Option<u32>,
    },
    /// It was written by a newer program.
    NewerFormat {
        /// The directory.
        path: PathBuf,
        /// Its format; ours is [`FORMAT`].
        found: u32,
    },
    /// It is not what was written.
    Damaged {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// It holds something else.
    Foreign {
        /// The directory.
        path: PathBuf,
        /// One of the things in it.
        found: String,
    },
    /// The operating system refused (permissions, a path that is a file, a full disk).
    Io {
        /// The directory.
        path: PathBuf,
        /// What it said.
        what: String,
    },
}

impl fmt::Display for DirFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DirFault::Locked { path, pid: Some(pid) } => {
                write!(f, "{} is in use by process {pid}; stop it, or use another --data", path.display())
            }
            DirFault::Locked { path, pid: None } => {
                write!(f, "{} is in use by another process; stop it, or use another --data", path.display())
            }
            DirFault::NewerFormat { path, found } => write!(
                f,
                "{} has store format {found} and this gomer knows {FORMAT}; nothing was touched; \
                 start it with the newer gomer",
                path.display()
            ),
            DirFault::Damaged { path, what } => write!(
                f,
                "{} is damaged: {what}; keep it for inspection, and start on an empty --data: restore a \
                 backup, or let this member join its cluster again",
                path.display()
            ),
            DirFault::Foreign { path, found } => write!(
                f,
                "{} is not a gomer store: it holds {found}; choose an empty or a new --data",
                path.display()
            ),
            DirFault::Io { path, what } => write!(f, "{}: {what}", path.display()),
        }
    }
}

impl std::error::Error for DirFault {}

impl DirFault {
    /// What `gomer` exits with: 5 for a directory that cannot be used as it is, 1 where the operating
    /// system refused.
    pub fn exit_code(&self) -> u8 {
        match self {
            DirFault::Locked { .. }
            | DirFault::NewerFormat { .. }
            | DirFault::Damaged { .. }
            | DirFault::Foreign { .. } => 5,
            DirFault::Io { .. } => 1,
        }
    }
}

/// What the file `FORMAT` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// How many shards the store has; fixed when it is made.
    pub shards: u32,
    /// Random identity of this disk: a wiped disk is a new one.
    pub incarnation: [u8; 16],
}

/// A data directory that this process holds. The lock ends with the value, or with the process.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    format: Format,
    is_new: bool,
    _lock: File,
}

impl DataDir {
    /// Takes the directory, and makes it if it is not there or empty: then with so many shards and
    /// that incarnation. Of a store that is there, its own are kept ([`DataDir::format`]).
    pub fn open(path: &Path, new: Format) -> Result<DataDir, DirFault> {
        let io = |error: io::Error| DirFault::Io { path: path.to_owned(), what: error.to_string() };
        // Read before the lock is taken, so that a newer store is not even locked.
        read_format(path)?;
        if !path.exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io)?;
        }
        refuse_foreign(path)?;
        let lock = lock(path)?;
        let (format, is_new) = match read_format(path)? {
            Some(format) => (format, false),
            None => {
                fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(io)?;
                make(path, &new).map_err(io)?;
                (new, true)
            }
        };
        let dir = DataDir { path: path.to_owned(), format, is_new, _lock: lock };
        for part in dir.parts() {
            if !path.join(&part).is_dir() {
                return Err(dir.damaged(format!("{part} is missing")));
            }
        }
        Ok(dir)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was fixed when the store was made.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// Whether this very opening made the store.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether stores were made in it.
    pub fn holds_data(&self) -> bool {
        self.parts().iter().any(|part| self.path.join(part).join("MADE").exists())
    }

    /// Space on its file system.
    pub fn space(&self) -> Result<Space, StoreFault> {
        Space::of(&self.path).map_err(super::io_fault)
    }

    /// Opens the log and the state of a shard, below [`Format::shards`].
    pub fn open_shard(
        &self,
        shard: u32,
        log: LogSettings,
        cache_bytes: usize,
    ) -> Result<(RaftLog, RedbState), DirFault> {
        assert!(shard < self.format.shards, "shard {shard} of {}", self.format.shards);
        self.open_part(&shard_name(shard), log, cache_bytes)
    }

    /// Opens the log and the state of the metadata.
    pub fn open_meta(&self, log: LogSettings, cache_bytes: usize) -> Result<(RaftLog, RedbState), DirFault> {
        self.open_part(META, log, cache_bytes)
    }

    fn open_part(
        &self,
        part: &str,
        settings: LogSettings,
        cache_bytes: usize,
    ) -> Result<(RaftLog, RedbState), DirFault> {
        let dir = self.path.join(part);
        let (log, state, made) = (dir.join("log"), dir.join("state.redb"), dir.join("MADE"));
        let is_made = made.exists();
        if is_made && !has_segments(&log) {
            return Err(self.damaged(format!("{part}/log is missing or empty")));
        }
        if is_made && !state.exists() {
            return Err(self.damaged(format!("{part}/state.redb is missing")));
        }
        let fault = |what: &str, fault: StoreFault| match fault {
            StoreFault::Corrupt(why) => self.damaged(format!("{part}/{what}: {why}")),
            other => self.io(format!("{part}/{what}: {other}")),
        };
        let log = RaftLog::open(&log, settings).map_err(|it| fault("log", it))?;
        let state = RedbState::open(&state, cache_bytes).map_err(|it| fault("state.redb", it))?;
        if !is_made {
            write_durably(&made, b"").map_err(|error| self.io(error.to_string()))?;
        }
        Ok((log, state))
    }

    fn parts(&self) -> Vec<String> {
        parts(self.format.shards)
    }

    fn damaged(&self, what: String) -> DirFault {
        DirFault::Damaged { path: self.path.clone(), what }
    }

    fn io(&self, what: String) -> DirFault {
        DirFault::Io { path: self.path.clone(), what }
    }
}

/// What `FORMAT` says, or nothing if there is none.
fn read_format(path: &Path) -> Result<Option<Format>, DirFault> {
    let damaged = |what: &str| DirFault::Damaged { path: path.to_owned(), what: what.to_owned() };
    let text = match fs::read(path.join("FORMAT")) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| damaged("FORMAT is not text"))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DirFault::Io { path: path.to_owned(), what: format!("FORMAT: {error}") }),
    };
    // The first line is for all versions; what follows is for this one.
    let number = text.lines().next().and_then(|line| line.strip_prefix("gomer-store ")).map(str::parse);
    match number {
        Some(Ok(found)) if found > FORMAT => Err(DirFault::NewerFormat { path: path.to_owned(), found }),
        Some(Ok(FORMAT)) => parse_format(&text).map(Some).ok_or_else(|| damaged("FORMAT is garbled")),
        _ => Err(damaged("FORMAT is garbled")),
    }
}

fn parse_format(text: &str) -> Option<Format> {
    let (content, sum) = text.trim_end().rsplit_once('\n')?;
    if sum != checksum_line(content) {
        return None;
    }
    let mut lines = content.lines().skip(1);
    let shards = lines.next()?.strip_prefix("shards ")?.parse().ok().filter(|&shards| shards > 0)?;
    let hex = lines.next()?.strip_prefix("incarnation ").filter(|hex| hex.len() == 32)?;
    let incarnation = u128::from_str_radix(hex, 16).ok()?.to_be_bytes();
    Some(Format { shards, incarnation })
}

fn render_format(format: &Format) -> String {
    let Format { shards, incarnation } = format;
    let incarnation = u128::from_be_bytes(*incarnation);
    let content = format!("gomer-store {FORMAT}\nshards {shards}\nincarnation {incarnation:032x}");
    let sum = checksum_line(&content);
    format!("{content}\n{sum}\n")
}

pub(super) fn checksum_line(content: &str) -> String {
    format!("crc32 {:08x}", crc32fast::hash(content.as_bytes()))
}

/// Refuses a directory without `FORMAT` that holds more than what a first start may have left.
fn refuse_foreign(path: &Path) -> Result<(), DirFault> {
    let io = |error: io::Error| DirFault::Io { path: path.to_owned(), what: error.to_string() };
    if path.join("FORMAT").exists() {
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let unfinished = ["LOCK", "FORMAT.new", "lost+found"].contains(&name.as_str());
        if unfinished {
            continue;
        }
        let is_part = name == META || name.starts_with("shard-");
        let is_empty = fs::read_dir(entry.path()).is_ok_and(|mut inside| inside.next().is_none());
        match (is_part, is_empty) {
            (true, true) => {}
            (true, false) => {
                let what = format!("FORMAT is missing, but {name} holds data");
                return Err(DirFault::Damaged { path: path.to_owned(), what });
            }
            (false, _) => return Err(DirFault::Foreign { path: path.to_owned(), found: name }),
        }
    }
    Ok(())
}

fn lock(path: &Path) -> Result<File, DirFault> {
    let io = |error: io::Error| DirFault::Io { path: path.to_owned(), what: error.to_string() };
    let mut options = OpenOptions::new();
    let name = path.join("LOCK");
    let mut file = options.read(true).write(true).create(true).mode(0o600).open(name).map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // Only for the message; the holder may be writing it right now.
            let _ = file.read_to_string(&mut text);
            return Err(DirFault::Locked { path: path.to_owned(), pid: text.trim().parse().ok() });
        }
        Err(TryLockError::Error(error)) => return Err(io(error)),
    }
    file.set_len(0).and_then(|()| file.rewind()).map_err(io)?;
    writeln!(file, "{}", std::process::id()).map_err(io)?;
    Ok(file)
}

/// Makes the parts first and `FORMAT` last: whoever finds it finds all.
fn make(path: &Path, format: &Format) -> io::Result<()> {
    for part in parts(format.shards) {
        DirBuilder::new().recursive(true).mode(0o700).create(path.join(part))?;
    }
    write_durably(&path.join("FORMAT"), render_format(format).as_bytes())
}

pub(super) fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    sync_dir(path.parent().unwrap_or(Path::new(".")))
}

fn has_segments(log: &Path) -> bool {
    let is_segment = |entry: &fs::DirEntry| entry.path().extension().is_some_and(|it| it == "raftlog");
    fs::read_dir(log).is_ok_and(|entries| entries.flatten().any(|entry| is_segment(&entry)))
}

fn parts(shards: u32) -> Vec<String> {
    (0..shards).map(shard_name).chain([META.to_owned()]).collect()
}

fn shard_name(shard: u32) -> String {
    format!("shard-{shard}")
}

const META: &str = "meta";

#[cfg(test)]
#[path = "dir_test.rs"]
mod tests;
