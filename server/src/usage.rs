//! What each app uses, as this process counts it: calls, and bytes of bodies in and out.
//!
//! Counting is in memory, because it happens with every call. A job adds what is new to the app's rows now and then
//! (`methods/admin/usage`): so the numbers of all members come together and outlive them, and a crash costs what was
//! counted since the last time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, RwLock};

use gomer_core::id::AppId;

/// How much was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    /// Calls of methods, and requests for uploads and files.
    pub calls: u64,
    /// Bytes of bodies that came.
    pub bytes_in: u64,
    /// Bytes of bodies that went. Of a file, as many as were announced; live streams are not counted.
    pub bytes_out: u64,
}

/// What all apps used since the process began.
#[derive(Default)]
pub struct Usage {
    apps: RwLock<BTreeMap<AppId, Counters>>,
}

#[derive(Default)]
struct Counters {
    calls: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    /// What of it stands in rows.
    kept: Mutex<Used>,
}

impl Counters {
    fn add(&self, used: Used) {
        self.calls.fetch_add(used.calls, Ordering::Relaxed);
        self.bytes_in.fetch_add(used.bytes_in, Ordering::Relaxed);
        self.bytes_out.fetch_add(used.bytes_out, Ordering::Relaxed);
    }

    fn all(&self) -> Used {
        Used {
            calls: self.calls.load(Ordering::Relaxed),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
        }
    }
}

impl Usage {
    /// Counts.
    pub fn add(&self, app: AppId, used: Used) {
        if let Some(counters) = self.apps.read().expect(UNPOISONED).get(&app) {
            counters.add(used);
            return;
        }
        self.apps.write().expect(UNPOISONED).entry(app).or_default().add(used);
    }

    /// What each app used since the process began.
    pub fn all(&self) -> Vec<(AppId, Used)> {
        let apps = self.apps.read().expect(UNPOISONED);
        apps.iter().map(|(app, counters)| (*app, counters.all())).collect()
    }

    /// What an app used since the process began.
    pub fn of(&self, app: AppId) -> Used {
        self.apps.read().expect(UNPOISONED).get(&app).map_or(Used::default(), Counters::all)
    }

    /// What of it stands in no row yet.
    pub fn unkept(&self, app: AppId) -> Used {
        let apps = self.apps.read().expect(UNPOISONED);
        let Some(counters) = apps.get(&app) else { return Used::default() };
        let (all, kept) = (counters.all(), *counters.kept.lock().expect(UNPOISONED));
        Used {
            calls: all.calls - kept.calls,
            bytes_in: all.bytes_in - kept.bytes_in,
            bytes_out: all.bytes_out - kept.bytes_out,
        }
    }

    /// That much more of it stands in rows.
    pub fn keep(&self, app: AppId, used: Used) {
        let apps = self.apps.read().expect(UNPOISONED);
        let Some(counters) = apps.get(&app) else { return };
        let mut kept = counters.kept.lock().expect(UNPOISONED);
        kept.calls += used.calls;
        kept.bytes_in += used.bytes_in;
        kept.bytes_out += used.bytes_out;
    }
}

const UNPOISONED: &str = "nothing panics under this lock";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_not_kept_again_and_what_is_counted_meanwhile_is_not_lost() {
        let usage = Usage::default();
        let (one, two) = (AppId(1), AppId(2));
        let used = |calls| Used { calls, bytes_in: 10 * calls, bytes_out: 100 * calls };
        assert_eq!((usage.of(one), usage.unkept(one)), (Used::default(), Used::default()));
        usage.add(one, used(3));
        usage.add(two, used(1));
        let first = usage.unkept(one);
        usage.add(one, used(2));
        usage.keep(one, first);
        assert_eq!((usage.of(one), usage.unkept(one), usage.unkept(two)), (used(5), used(2), used(1)));
        usage.keep(one, used(2));
        assert_eq!(usage.unkept(one), Used::default());
        assert_eq!(usage.all(), [(one, used(5)), (two, used(1))]);
    }
}
