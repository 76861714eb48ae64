//! Signals: what is so for a few seconds and is stored nowhere. Somebody types; somebody is there.
//!
//! They live in this process and end by themselves. Whoever listens to a root is woken and gets what is new; who comes
//! later gets what still holds; who was away has missed it, and misses nothing.
//!
//! Must never learn: who may hear what. That is asked when a signal is handed out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use gomer_core::id::{AppId, Id, Root};
use gomer_core::time::{Monotonic, Now, Time};
use tokio::sync::Notify;

/// Most signals that one root holds; the oldest make room.
const PER_ROOT_MAX: usize = 256;
/// One signal in this many sweeps away what has ended everywhere.
const SWEEP_EVERY: u64 = 256;

/// What a signal is about: of each kind, one person has one at a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Somebody is writing something.
    Typing,
    /// Somebody is there, or not.
    Presence,
}

/// A signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// What it is about.
    pub kind: Kind,
    /// Who.
    pub profile: Id,
    /// How it is now.
    pub state: &'static str,
    /// Until when it holds, by the server's clock.
    pub until: Time,
    ends: Monotonic,
    number: u64,
}

/// All signals of the process.
#[derive(Default)]
pub struct Signals {
    rooms: Arc<Mutex<Rooms>>,
}

#[derive(Default)]
struct Rooms {
    by_root: BTreeMap<(AppId, Root), Room>,
    /// Number of the last signal, and of the last who listens.
    last: u64,
}

#[derive(Default)]
struct Room {
    signals: BTreeMap<(Kind, Id), Signal>,
    listeners: Vec<(u64, Arc<Notify>)>,
}

impl Room {
    fn sweep(&mut self, now: Monotonic) {
        self.signals.retain(|_, signal| signal.ends > now);
    }

    fn is_idle(&self) -> bool {
        self.signals.is_empty() && self.listeners.is_empty()
    }
}

impl Signals {
    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        self.rooms.lock().expect(UNPOISONED)
    }

    /// Says how somebody is at a root, for that long.
    pub fn put(
        &self,
        app: AppId,
        root: Root,
        now: Now,
        (kind, profile): (Kind, Id),
        state: &'static str,
        life: Duration,
    ) {
        let mut rooms = self.rooms();
        rooms.last += 1;
        let number = rooms.last;
        if number.is_multiple_of(SWEEP_EVERY) {
            rooms.by_root.retain(|_, room| {
                room.sweep(now.mono);
                !room.is_idle()
            });
        }
        let room = rooms.by_root.entry((app, root)).or_default();
        room.sweep(now.mono);
        let signal = Signal { kind, profile, state, until: now.wall + life, ends: now.mono + life, number };
        room.signals.insert((kind, profile), signal);
        if room.signals.len() > PER_ROOT_MAX
            && let Some(oldest) =
                room.signals.iter().min_by_key(|(_, signal)| signal.number).map(|(&key, _)| key)
        {
            room.signals.remove(&oldest);
        }
        for (_, notify) in &room.listeners {
            notify.notify_one();
        }
    }

    /// What holds at these roots and is newer than signal `after`, in the order in which it was said; and the number
    /// to ask with next time.
    pub fn since(
        &self,
        app: AppId,
        roots: &[Root],
        now: Monotonic,
        after: u64,
    ) -> (Vec<(Root, Signal)>, u64) {
        let rooms = self.rooms();
        let mut new = Vec::new();
        for &root in roots {
            let signals = rooms.by_root.get(&(app, root)).into_iter().flat_map(|room| room.signals.values());
            let fresh = signals.filter(|signal| signal.number > after && signal.ends > now);
            new.extend(fresh.map(|signal| (root, signal.clone())));
        }
        new.sort_by_key(|(_, signal)| signal.number);
        (new, rooms.last)
    }

    /// How somebody is at a root, if that is said.
    pub fn of(&self, app: AppId, root: Root, now: Monotonic, kind: Kind, profile: Id) -> Option<Signal> {
        let rooms = self.rooms();
        let signal = rooms.by_root.get(&(app, root))?.signals.get(&(kind, profile))?;
        (signal.ends > now).then(|| signal.clone())
    }

    /// Starts to listen to roots. Ask [`Signals::since`] *after* this: nothing in between is missed.
    pub fn listen(&self, app: AppId, roots: Vec<Root>) -> Listening {
        let notify = Arc::new(Notify::new());
        let mut rooms = self.rooms();
        rooms.last += 1;
        let token = rooms.last;
        for &root in &roots {
            rooms.by_root.entry((app, root)).or_default().listeners.push((token, notify.clone()));
        }
        drop(rooms);
        Listening { rooms: self.rooms.clone(), app, roots, token, notify }
    }
}

/// Somebody listens, until this is dropped.
pub struct Listening {
    rooms: Arc<Mutex<Rooms>>,
    app: AppId,
    roots: Vec<Root>,
    token: u64,
    notify: Arc<Notify>,
}

impl Listening {
    /// Returns when something was said since the last call (or since it began).
    pub async fn heard(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut rooms = self.rooms.lock().expect(UNPOISONED);
        for &root in &self.roots {
            if let Some(room) = rooms.by_root.get_mut(&(self.app, root)) {
                room.listeners.retain(|(token, _)| *token != self.token);
                if room.is_idle() {
                    rooms.by_root.remove(&(self.app, root));
                }
            }
        }
    }
}

const UNPOISONED: &str = "nothing panics under this lock";

#[cfg(test)]
mod tests {
    use super::*;

    const APP: AppId = AppId(1);
    const ANN: Id = Id::from_bytes([1; 16]);
    const ROOM: Root = Root::chat(Id::from_bytes([9; 16]));
    const LIFE: Duration = Duration::from_secs(5);

    fn at(millis: u64) -> Now {
        Now { mono: Monotonic(Duration::from_millis(millis)), wall: Time::from_millis(millis) }
    }

    fn who(n: u16) -> Id {
        Id::derived("who", &n.to_be_bytes())
    }

    #[test]
    fn a_signal_ends_by_itself_and_the_newest_counts() {
        let signals = Signals::default();
        signals.put(APP, ROOM, at(0), (Kind::Typing, ANN), "active", LIFE);
        signals.put(APP, ROOM, at(1_000), (Kind::Typing, ANN), "idle", LIFE);
        let (new, last) = signals.since(APP, &[ROOM], at(2_000).mono, 0);
        assert_eq!(new.iter().map(|(_, signal)| signal.state).collect::<Vec<_>>(), ["idle"]);
        assert!(signals.since(APP, &[ROOM], at(2_000).mono, last).0.is_empty(), "told once");
        assert!(signals.since(APP, &[ROOM], at(6_000).mono, 0).0.is_empty(), "over");
        assert!(signals.since(AppId(2), &[ROOM], at(2_000).mono, 0).0.is_empty(), "another app's");
        assert_eq!(signals.of(APP, ROOM, at(2_000).mono, Kind::Presence, ANN), None);
    }

    #[test]
    fn memory_is_bounded_and_given_back() {
        let signals = Signals::default();
        for n in 0..1_000 {
            signals.put(APP, ROOM, at(0), (Kind::Typing, who(n)), "active", LIFE);
        }
        let (held, _) = signals.since(APP, &[ROOM], at(0).mono, 0);
        assert_eq!(held.len(), PER_ROOT_MAX);
        assert_eq!(held.last().map(|(_, signal)| signal.profile), Some(who(999)), "the newest stay");
        for n in 0..1_000 {
            let elsewhere = Root::chat(who(n));
            signals.put(APP, elsewhere, at(u64::from(n) * 1_000), (Kind::Typing, ANN), "active", LIFE);
        }
        assert!(signals.rooms().by_root.len() <= 5 + SWEEP_EVERY as usize, "what has ended is swept");
    }

    #[tokio::test]
    async fn who_listens_is_woken_and_who_stops_leaves_nothing() {
        let signals = Signals::default();
        let listening = signals.listen(APP, vec![ROOM]);
        signals.put(APP, ROOM, at(0), (Kind::Presence, ANN), "online", LIFE);
        listening.heard().await;
        assert_eq!(signals.since(APP, &[ROOM], at(1).mono, 0).0.len(), 1);
        signals.put(APP, Root::profile(ANN), at(0), (Kind::Presence, ANN), "online", LIFE);
        let elsewhere = tokio::time::timeout(Duration::from_millis(20), listening.heard()).await;
        assert!(elsewhere.is_err(), "another root's");
        drop(listening);
        assert!(signals.rooms().by_root.values().all(|room| room.listeners.is_empty()));
    }
}
