//! How full the disk is, and when to refuse writes of clients.
//!
//! Raft, deletes and compaction need space to free space. So clients are refused (507) while there is
//! still a reserve, and the stores themselves should never see a full disk.

use std::io;
use std::path::Path;

/// Space of the file system that holds a path, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Size of the file system.
    pub total: u64,
    /// What an unprivileged process may still write.
    pub free: u64,
}

impl Space {
    /// Asks the operating system.
    pub fn of(path: &Path) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(path)?;
        let unit = stat.f_frsize.max(1);
        Ok(Space { total: stat.f_blocks.saturating_mul(unit), free: stat.f_bavail.saturating_mul(unit) })
    }
}

/// Decides from the free space whether clients may write.
///
/// Once full, it takes a tenth more than the reserve to be no longer full: a disk at the brink does
/// not flicker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserve {
    reserve_bytes: u64,
    full: bool,
}

impl Reserve {
    /// Not full yet. `reserve_bytes` of 0 switches it off.
    pub fn new(reserve_bytes: u64) -> Reserve {
        Reserve { reserve_bytes, full: false }
    }

    /// The reserve, in bytes.
    pub fn bytes(&self) -> u64 {
        self.reserve_bytes
    }

    /// Whether writes of clients are to be refused.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Takes note of the free space, and says whether that changed the answer of [`Reserve::is_full`].
    pub fn observe(&mut self, free_bytes: u64) -> bool {
        let was = self.full;
        let enough = self.reserve_bytes.saturating_add(if was { self.reserve_bytes / 10 } else { 0 });
        self.full = free_bytes < enough;
        self.full != was
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_full_below_the_reserve_and_again_free_only_clearly_above_it() {
        let mut reserve = Reserve::new(1_000);
        assert!(!reserve.observe(1_000) && !reserve.is_full());
        assert!(reserve.observe(999) && reserve.is_full());
        assert!(!reserve.observe(1_099) && reserve.is_full(), "one byte back is not enough");
        assert!(reserve.observe(1_100) && !reserve.is_full());
    }

    #[test]
    fn a_reserve_of_nothing_is_never_full() {
        let mut reserve = Reserve::new(0);
        assert!(!reserve.observe(0) && !reserve.is_full());
    }

    #[test]
    fn the_space_of_a_path_that_is_not_there_is_an_error() {
        assert!(Space::of(Path::new("/does/not/exist")).is_err());
        let space = Space::of(Path::new(".")).unwrap();
        assert!(space.free <= space.total && space.total > 0);
    }
}
