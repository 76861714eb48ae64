//! What a process knows of push services, and loses with its end: accounts that are ready to use, servers that are left
//! alone for a while, how much is under way.
//!
//! A server that does not answer costs its app one request now and then, and other apps nothing: each app has few requests
//! under way at once ([`APP_MAX`]), all together have many ([`ALL_MAX`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gomer_core::id::AppId;
use gomer_core::time::Time;
use tokio::sync::Semaphore;

use super::apns::Apns;
use super::fcm::Fcm;
use super::web::Web;
use super::{Provider, Service};

/// Requests of one app that are under way at once.
pub const APP_MAX: usize = 8;
/// Requests of all apps that are under way at once: fewer than the way out takes, which feeds and hooks share.
pub const ALL_MAX: usize = 96;
/// How long a server is left alone when it failed once; twice as long each time more.
const REST: Duration = Duration::from_secs(30);
/// The longest.
const REST_MAX: Duration = Duration::from_secs(15 * 60);
/// Servers that are remembered.
const RESTS_MAX: usize = 10_000;

/// An app's accounts at push services.
pub struct Accounts {
    /// At Apple's.
    pub apns: Option<Apns>,
    /// At Google's.
    pub fcm: Option<Fcm>,
    /// Browsers, if there is a key, and distributors.
    pub web: Web,
}

impl Accounts {
    /// The one for this kind of service, if the app has it.
    pub fn of(&self, service: Service) -> Option<&dyn Provider> {
        match service {
            Service::Apns => self.apns.as_ref().map(|it| it as &dyn Provider),
            Service::Fcm => self.fcm.as_ref().map(|it| it as &dyn Provider),
            Service::WebPush | Service::UnifiedPush => Some(&self.web),
        }
    }
}

/// A server that failed.
struct Rest {
    failures: u32,
    until: Time,
}

/// The accounts of an app, and of which text of its credentials they were made.
type Ready = (String, Arc<Accounts>);

/// What a process knows.
pub struct Lanes {
    rests: Mutex<BTreeMap<(AppId, String), Rest>>,
    accounts: Mutex<BTreeMap<AppId, Ready>>,
    busy: Mutex<BTreeSet<AppId>>,
    /// One permit for each request that may be under way.
    pub under_way: Semaphore,
}

impl Default for Lanes {
    fn default() -> Lanes {
        Lanes {
            rests: Mutex::default(),
            accounts: Mutex::default(),
            busy: Mutex::default(),
            under_way: Semaphore::new(ALL_MAX),
        }
    }
}

impl Lanes {
    /// Until when a server is left alone; nothing if it may be asked.
    pub fn rests(&self, app: AppId, server: &str, now: Time) -> Option<Time> {
        let rests = self.rests.lock().expect(UNPOISONED);
        rests.get(&(app, server.to_owned())).map(|rest| rest.until).filter(|until| *until > now)
    }

    /// A server failed: it is left alone, at least as long as it said.
    pub fn failed(&self, app: AppId, server: &str, after: Option<Duration>, now: Time) {
        let mut rests = self.rests.lock().expect(UNPOISONED);
        if rests.len() >= RESTS_MAX {
            rests.retain(|_, rest| rest.until > now);
        }
        if rests.len() >= RESTS_MAX {
            return;
        }
        let rest = rests.entry((app, server.to_owned())).or_insert(Rest { failures: 0, until: now });
        // What several requests hear at once is one failure.
        if rest.until <= now {
            rest.failures += 1;
        }
        let span = REST.saturating_mul(1 << (rest.failures - 1).min(10)).min(REST_MAX);
        rest.until = rest.until.max(now + span.max(after.unwrap_or_default()));
    }

    /// A server answered as it should.
    pub fn answered(&self, app: AppId, server: &str) {
        self.rests.lock().expect(UNPOISONED).remove(&(app, server.to_owned()));
    }

    /// The app's credentials were changed: its services are asked again at once.
    pub fn renewed(&self, app: AppId) {
        self.rests.lock().expect(UNPOISONED).retain(|(of, _), _| *of != app);
    }

    /// The accounts that were made of this text, else those that `make` makes of it.
    pub fn accounts(&self, app: AppId, text: String, make: impl FnOnce() -> Accounts) -> Arc<Accounts> {
        let mut accounts = self.accounts.lock().expect(UNPOISONED);
        if let Some((of, ready)) = accounts.get(&app)
            && *of == text
        {
            return ready.clone();
        }
        let ready = Arc::new(make());
        accounts.insert(app, (text, ready.clone()));
        ready
    }

    /// Begins to work for an app, unless somebody does already.
    pub fn enter(self: &Arc<Lanes>, app: AppId) -> Option<Busy> {
        let entered = self.busy.lock().expect(UNPOISONED).insert(app);
        entered.then(|| Busy { lanes: self.clone(), app })
    }
}

/// As long as it lives, nobody else of this process works for the app.
pub struct Busy {
    lanes: Arc<Lanes>,
    app: AppId,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.lanes.busy.lock().expect(UNPOISONED).remove(&self.app);
    }
}

const UNPOISONED: &str = "nothing panics under this lock";

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: AppId = AppId(1);
    const NOW: Time = Time::from_millis(1_795_456_500_000);

    #[test]
    fn a_server_that_fails_rests_longer_each_time_and_others_do_not() {
        let lanes = Lanes::default();
        let rest = |now: Time| lanes.rests(ONE, "a", now).map(|until| until.since(now).as_secs());
        assert_eq!(rest(NOW), None);
        lanes.failed(ONE, "a", None, NOW);
        lanes.failed(ONE, "a", None, NOW);
        assert_eq!(rest(NOW), Some(30), "two at once are one failure");
        assert_eq!(lanes.rests(ONE, "b", NOW), None);
        assert_eq!(lanes.rests(AppId(2), "a", NOW), None);
        let later = NOW + Duration::from_secs(30);
        assert_eq!(rest(later), None);
        lanes.failed(ONE, "a", None, later);
        assert_eq!(rest(later), Some(60));
        lanes.failed(ONE, "a", Some(Duration::from_secs(500)), later);
        assert_eq!(rest(later), Some(500), "as long as it said");
        let mut at = later;
        for _ in 0..20 {
            at = at + Duration::from_secs(1_000);
            lanes.failed(ONE, "a", None, at);
        }
        assert_eq!(rest(at), Some(900), "never longer than a quarter of an hour by itself");
        lanes.answered(ONE, "a");
        lanes.failed(ONE, "a", None, at);
        assert_eq!(rest(at), Some(30), "forgotten");
        lanes.renewed(ONE);
        assert_eq!(rest(at), None);
    }

    #[test]
    fn one_works_for_an_app_at_a_time() {
        let lanes = Arc::new(Lanes::default());
        let busy = lanes.enter(ONE).unwrap();
        assert!(lanes.enter(ONE).is_none());
        assert!(lanes.enter(AppId(2)).is_some());
        drop(busy);
        assert!(lanes.enter(ONE).is_some());
    }
}
