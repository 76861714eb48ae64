//! The stores on a real disk: raft-engine for the log, redb for the state, and the directory they
//! are in.
//!
//! Reading order: [`dir`] (lock, format, shards), [`cluster`] (whose member it is), [`log`] with its files ([`files`]) and what is done
//! to them before they are opened ([`segments`]), [`state`], [`reserve`] (how full the disk is).
//! [`faulty`] is a disk that loses, tears, rots and fills; tests run the stores on it.
//!
//! Must never learn: what a row or an entry means, and what a client is told.

pub mod cluster;
pub mod dir;
#[doc(hidden)]
pub mod faulty;
pub mod files;
pub mod log;
pub mod reserve;
pub mod segments;
pub mod state;

use std::io;
use std::path::Path;

use gomer_core::store::StoreFault;

/// The fault that an error of the operating system is.
pub fn io_fault(error: io::Error) -> StoreFault {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreFault::Full,
        _ => StoreFault::Io(error.to_string()),
    }
}

fn corrupt(what: String) -> StoreFault {
    StoreFault::Corrupt(what)
}

/// Makes the creations, renames and removals in a directory durable.
fn sync_dir(dir: &Path) -> io::Result<()> {
    std::fs::File::open(dir)?.sync_all()
}

/// What a caught panic said.
fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panic")
}
