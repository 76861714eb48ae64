//! A member's disk: stores that outlive the process on them, and everything that a disk does to those who trust it.
//!
//! A handle belongs to one life of the process. Whoever comes back from the dead and still writes ends the run:
//! that would be two processes on one disk. Whoever writes on after a failed sync ends it too.
//!
//! Reading order: here (the disk and its lives), [`log`] and [`state`] (the two stores, where faults bite),
//! [`stall`] (what takes long).

mod log;
mod stall;
mod state;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use gomer_core::store::StoreFault;
use gomer_core::store::map::{Keep, MapLog, MapState};

pub use log::DiskLog;
#[cfg_attr(not(madsim), allow(unused_imports))]
pub use stall::Stalls;
pub use state::DiskState;

use crate::chance::Chance;
use crate::marks::Marks;
use crate::plan::{Effect, Loss};
use crate::trace::Trace;

/// A disk with some stores. Cheap to clone; all clones are one disk.
#[derive(Clone)]
pub struct Disk {
    /// Whose it is, as the trace names it.
    pub owner: String,
    trace: Trace,
    marks: Marks,
    chance: Chance,
    platters: Arc<Mutex<Platters>>,
    /// Read without the lock: every read asks.
    rot: Arc<AtomicU32>,
}

/// The process has died at an effect of its own. Told at once, before it takes another step.
pub type OnDeath = Arc<dyn Fn(Trap) + Send + Sync>;

/// Where a process is to die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trap {
    /// At which kind of effect.
    pub effect: Effect,
    /// At how many more of them.
    pub nth: u32,
    /// What becomes of what was not synced.
    pub loss: Loss,
    /// How long it stays down.
    pub down: Duration,
}

struct Platters {
    life: u64,
    stores: Vec<(MapLog, MapState)>,
    /// A copy of all stores, for the day on which somebody puts it back, and when it was made.
    copy: Option<(Duration, Vec<(MapLog, MapState)>)>,
    traps: Vec<Trap>,
    /// Syncs until one fails.
    fails: Option<u32>,
    /// Whether a sync has failed in this life: nothing may be written any more.
    failed: bool,
    /// No space at all.
    full: bool,
    /// Below the reserve.
    scarce: bool,
    stalls: stall::State,
    on_death: Option<OnDeath>,
    /// Whether this life may have read what was rotten.
    rotten: bool,
    syncs: u64,
}

impl Disk {
    /// An empty disk.
    pub fn new(owner: String, stores: usize, trace: Trace, marks: Marks, chance: Chance) -> Disk {
        let platters = Platters {
            life: 0,
            stores: (0..stores).map(|_| (MapLog::new(), MapState::new())).collect(),
            copy: None,
            traps: Vec::new(),
            fails: None,
            failed: false,
            full: false,
            scarce: false,
            stalls: stall::State::default(),
            on_death: None,
            rotten: false,
            syncs: 0,
        };
        Disk { owner, trace, marks, chance, platters: Arc::new(Mutex::new(platters)), rot: Arc::default() }
    }

    /// Begins a life: its number, and the stores as they are now.
    pub fn open(&self) -> (u64, Vec<(DiskLog, DiskState)>) {
        let mut platters = self.lock();
        platters.life += 1;
        platters.failed = false;
        platters.rotten = self.rot.load(Ordering::Relaxed) > 0;
        let life = platters.life;
        let part = |number| Part { disk: self.clone(), number, life };
        let stores = 0..platters.stores.len();
        (life, stores.map(|number| (DiskLog::new(part(number)), DiskState::new(part(number)))).collect())
    }

    /// Who is told when the process dies at a trap.
    pub fn on_death(&self, tell: OnDeath) {
        self.lock().on_death = Some(tell);
    }

    /// Ends the life of whoever uses it: of what was never synced, `loss` says what stays.
    pub fn crash(&self, loss: Loss) {
        self.crash_locked(&mut self.lock(), loss);
    }

    fn crash_locked(&self, platters: &mut Platters, loss: Loss) {
        platters.life += 1;
        for (number, (log, _)) in platters.stores.iter_mut().enumerate() {
            let unsynced = log.unsynced();
            let some = || self.chance.below(&format!("loss {}", self.owner), unsynced as u64 + 1) as usize;
            let kept = match loss {
                Loss::Nothing => unsynced,
                Loss::Everything => 0,
                // A store keeps the order of its records, so that a torn one is the end of what is read.
                Loss::Tail | Loss::Torn => some(),
            };
            log.crash(Keep::Prefix(kept));
            if unsynced > kept {
                self.marks.hit("records lost");
                let how = if loss == Loss::Torn { ", the next one torn" } else { "" };
                self.note("lose", format_args!("store {number}: {kept} of {unsynced} kept{how}"));
            }
        }
    }

    /// Sets a trap.
    pub fn arm(&self, trap: Trap) {
        self.lock().traps.push(trap);
    }

    /// The n-th sync from now on fails.
    pub fn fail_sync(&self, nth: u32) {
        self.lock().fails = Some(nth);
    }

    /// Whether there is no space at all.
    pub fn set_full(&self, full: bool) {
        self.lock().full = full;
    }

    /// Whether space is below the reserve.
    pub fn set_scarce(&self, scarce: bool) {
        self.lock().scarce = scarce;
    }

    /// Whether the member should refuse what grows.
    pub fn is_scarce(&self) -> bool {
        let platters = self.lock();
        platters.scarce || platters.full
    }

    /// How often, in a million, what is read is not what was written.
    pub fn set_rot(&self, per_million: u32) {
        self.lock().rotten |= per_million > 0;
        self.rot.store(per_million, Ordering::Relaxed);
    }

    /// Whether who uses it may have read what was rotten, and may not trust its rows any more.
    pub fn was_rotten(&self) -> bool {
        self.lock().rotten
    }

    /// Copies all stores, at this time.
    pub fn copy(&self, now: Duration) {
        let mut platters = self.lock();
        let mut copy = platters.stores.clone();
        // A copy of the files has what the system shows, synced or not.
        copy.iter_mut().for_each(|(log, _)| log.crash(Keep::All));
        platters.copy = Some((now, copy));
    }

    /// Puts the copy back, and says when it was made. Nobody may be using the disk.
    pub fn put_copy_back(&self) -> Option<Duration> {
        let mut platters = self.lock();
        let (copied, copy) = platters.copy.take()?;
        platters.life += 1;
        platters.stores = copy;
        Some(copied)
    }

    /// Ends everything that is wrong with it.
    pub fn heal(&self) {
        let mut platters = self.lock();
        platters.traps.clear();
        platters.fails = None;
        (platters.full, platters.scarce) = (false, false);
        platters.copy = None;
        platters.stalls.heal();
        drop(platters);
        self.set_rot(0);
    }

    /// Syncs since the run began.
    pub fn syncs(&self) -> u64 {
        self.lock().syncs
    }

    /// Whether the process on it has died by a failed write, and not yet been started again.
    pub fn has_failed(&self) -> bool {
        self.lock().failed
    }

    fn lock(&self) -> MutexGuard<'_, Platters> {
        self.platters.lock().expect(UNPOISONED)
    }

    fn note(&self, kind: &'static str, what: impl std::fmt::Display) {
        self.trace.note(&self.owner, kind, what);
    }
}

/// One store, in one life.
struct Part {
    disk: Disk,
    number: usize,
    life: u64,
}

impl Part {
    fn platters(&self) -> MutexGuard<'_, Platters> {
        let platters = self.disk.lock();
        assert_eq!(platters.life, self.life, "a process that has ended uses its disk");
        platters
    }

    fn log<T>(&self, what: impl FnOnce(&mut MapLog) -> T) -> T {
        what(&mut self.platters().stores[self.number].0)
    }

    fn note(&self, kind: &'static str, what: impl std::fmt::Display) {
        self.disk.note(kind, format_args!("store {}: {what}", self.number));
    }

    /// Dies here, if a trap says so.
    fn step(&self, effect: Effect) -> Result<(), StoreFault> {
        let mut platters = self.platters();
        let mut sprung = None;
        for (at, trap) in platters.traps.iter_mut().enumerate() {
            if trap.effect == effect {
                trap.nth = trap.nth.saturating_sub(1);
                if trap.nth == 0 && sprung.is_none() {
                    sprung = Some(at);
                }
            }
        }
        let Some(at) = sprung else { return Ok(()) };
        let trap = platters.traps.remove(at);
        self.disk.marks.hit(match effect {
            Effect::Append => "killed at append",
            Effect::Sync => "killed at sync",
            Effect::Send => "killed at send",
            Effect::Commit => "killed at commit",
        });
        let tell = platters.on_death.clone();
        self.disk.crash_locked(&mut platters, trap.loss);
        drop(platters);
        if let Some(tell) = tell {
            tell(trap);
        }
        Err(StoreFault::Io(format!("the process was killed at {effect:?}")))
    }
}

const UNPOISONED: &str = "a run ends with the first panic";

#[cfg(test)]
#[path = "disk_test.rs"]
mod tests;
