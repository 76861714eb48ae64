//! Who waits for which root: long polls and live streams.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use std::time::Duration;

use gomer_core::id::{AppId, Root};
use tokio::sync::Notify;

type Waiting = Mutex<BTreeMap<(AppId, Root), Vec<(u64, Arc<Notify>)>>>;

/// Locks are split by this many, so that waking one app's readers does not hold up another's.
const STRIPES: usize = 64;

/// All who wait, by root.
#[derive(Clone)]
pub struct Watchers {
    stripes: Arc<[Waiting]>,
}

impl Default for Watchers {
    fn default() -> Watchers {
        Watchers { stripes: (0..STRIPES).map(|_| Waiting::default()).collect() }
    }
}

impl Watchers {
    fn stripe(&self, root: Root) -> &Waiting {
        &self.stripes[root.id.as_bytes()[15] as usize % STRIPES]
    }

    /// Wakes everybody who watches this root.
    pub fn wake(&self, app: AppId, root: Root) {
        let stripe = self.stripe(root).lock().expect(UNPOISONED);
        for (_, notify) in stripe.get(&(app, root)).into_iter().flatten() {
            notify.notify_one();
        }
    }

    /// Starts to watch roots. Read *after* this: a change in between is not missed. `far`: some of them are not
    /// held here, so that it is looked again now and then.
    pub fn watch(&self, app: AppId, roots: Vec<Root>, token: u64, far: bool) -> Watch {
        let notify = Arc::new(Notify::new());
        for &root in &roots {
            let mut stripe = self.stripe(root).lock().expect(UNPOISONED);
            stripe.entry((app, root)).or_default().push((token, notify.clone()));
        }
        Watch { watchers: self.clone(), app, roots, token, notify, far }
    }

    /// How many registrations there are.
    pub fn len(&self) -> usize {
        self.stripes.iter().map(|s| s.lock().expect(UNPOISONED).values().map(Vec::len).sum::<usize>()).sum()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

const UNPOISONED: &str = "nothing panics under this lock";

/// A registration, until it is dropped.
pub struct Watch {
    watchers: Watchers,
    app: AppId,
    roots: Vec<Root>,
    token: u64,
    notify: Arc<Notify>,
    far: bool,
}

/// How soon roots that are not held here are looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Watch {
    /// Returns when one of the roots has changed since the last call (or since the registration), or may have.
    pub async fn changed(&self) {
        if self.far {
            let _ = tokio::time::timeout(LOOK_AGAIN, self.notify.notified()).await;
        } else {
            self.notify.notified().await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for &root in &self.roots {
            let mut stripe = self.watchers.stripe(root).lock().expect(UNPOISONED);
            if let Some(waiting) = stripe.get_mut(&(self.app, root)) {
                waiting.retain(|(token, _)| *token != self.token);
                if waiting.is_empty() {
                    stripe.remove(&(self.app, root));
                }
            }
        }
    }
}
