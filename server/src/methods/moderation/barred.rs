//! Banned devices and addresses, as the door asks for them: at each call, so they are kept for a few seconds.
//!
//! A ban that is made through this member counts there at once; on others within [`KEPT`].

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gomer_core::id::AppId;
use gomer_core::meta::state::App;
use gomer_core::time::{Monotonic, Now};
use gomer_core::vnode::query::{Answer, PAGE_MAX, Query};
use gomer_net::cluster::Cluster;

use super::bans::{Ban, BanTarget};
use super::root;
use crate::model::BARRED;
use crate::problem::{Code, Problem};
use crate::registry::{Caller, Stop};

/// How long what was read is good.
pub const KEPT: Duration = Duration::from_secs(5);
/// Apps whose bans are kept.
const APPS_MAX: usize = 10_000;

/// What is kept, by app.
#[derive(Default)]
pub struct Barred(Mutex<BTreeMap<AppId, Kept>>);

/// The bans of an app, and when they were read.
type Kept = (Monotonic, Arc<[Ban]>);

impl Barred {
    /// Forgets what is kept of an app: it was changed.
    pub fn forget(&self, app: AppId) {
        self.0.lock().expect(UNPOISONED).remove(&app);
    }

    /// 403 for whoever asks from a banned device or address. The app's own server and its administrators are not held
    /// against it: their keys are.
    pub async fn admit(
        &self,
        cluster: &Cluster,
        app: &App,
        caller: &Caller,
        client: IpAddr,
        now: Now,
    ) -> Result<(), Stop> {
        let device = match caller {
            Caller::Anonymous => None,
            Caller::User { device, .. } => Some(*device),
            Caller::Server { .. } | Caller::Admin | Caller::Operator => return Ok(()),
        };
        let bans = self.of(cluster, app, now.mono).await?;
        let bars = |ban: &&Ban| {
            !ban.has_ended(now.wall)
                && match ban.target {
                    BanTarget::Profile(_) => false,
                    BanTarget::Device(id) => device == Some(id.0),
                    BanTarget::Address(range) => range.holds(client),
                }
        };
        match bans.iter().find(bars).map(|ban| ban.target) {
            None => Ok(()),
            Some(BanTarget::Device(_)) => refused("This device is banned from the app."),
            Some(_) => refused("This address is banned from the app."),
        }
    }

    async fn of(&self, cluster: &Cluster, app: &App, now: Monotonic) -> Result<Arc<[Ban]>, Stop> {
        if let Some((read, bans)) = self.0.lock().expect(UNPOISONED).get(&app.id)
            && now.since(*read) < KEPT
        {
            return Ok(bans.clone());
        }
        let page = Query::LinkPage { ty: BARRED, after: None, since: None, until: None, limit: PAGE_MAX };
        let Answer::LinkPage(links, _) = cluster.read(app.id, root(), page).await?.answer else {
            return Err(Code::Internal.into());
        };
        let bans: Arc<[Ban]> = links.iter().filter_map(|link| Ban::read(&link.link.data)).collect();
        let mut kept = self.0.lock().expect(UNPOISONED);
        if kept.len() >= APPS_MAX {
            kept.retain(|_, (read, _)| now.since(*read) < KEPT);
        }
        if kept.len() < APPS_MAX {
            kept.insert(app.id, (now, bans.clone()));
        }
        Ok(bans)
    }
}

fn refused(detail: &'static str) -> Result<(), Stop> {
    Err(Stop::from(Problem::new(Code::Forbidden).detail(detail)))
}

const UNPOISONED: &str = "nobody panics while holding this";
