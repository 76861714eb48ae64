//! What lives as long as the process, and what every call can reach.
//!
//! Must never learn: how it was started. The binary, the test kit and the simulator each build one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use gomer_core::id::{AppId, Id, Position};
use gomer_core::meta::command::AppState;
use gomer_core::meta::state::App;
use gomer_core::time::Time;
use gomer_net::cluster::Cluster;
use gomer_net::http::Counts;

use crate::app_settings::SettingsCache;
use crate::auth::mail::{KeptMail, Mailer};
use crate::auth::password::{CheapHasher, PasswordHasher};
use crate::auth::provider_keys::ProviderKeys;
use crate::blob::Blobs;
use crate::limits::Limits;
use crate::methods::graph::types::TypesCache;
use crate::methods::hook::Deliveries;
use crate::methods::moderation::barred::Barred;
use crate::methods::share::page::Previews;
use crate::methods::tweet::quota::Quotas;
use crate::outside::{Outside, Scripted};
use crate::push::lanes::Lanes;
use crate::registry::Registry;
use crate::search::Search;
use crate::signals::Signals;
use crate::usage::{Usage, Used};

/// The process.
pub struct Host {
    /// The data.
    pub cluster: Cluster,
    /// All methods.
    pub registry: Registry,
    /// Rate limits.
    pub limits: Limits,
    /// Apps' settings, parsed.
    pub settings: Arc<SettingsCache>,
    /// Apps' declared types, parsed.
    pub types: TypesCache,
    /// What `/readyz` says.
    pub health: Health,
    /// Stands for the app in calls on `/v1/-/`.
    pub nowhere: Arc<App>,
    /// What is so for a few seconds: who types, who is there.
    pub signals: Signals,
    /// Hashes passwords.
    pub passwords: Arc<dyn PasswordHasher>,
    /// Takes mail.
    pub mailer: Arc<dyn Mailer>,
    /// Keeps uploads.
    pub blobs: Blobs,
    /// Asks servers of others.
    pub outside: Arc<dyn Outside>,
    /// What is known of push services.
    pub push: Arc<Lanes>,
    /// Previews of pages outside that were asked for lately.
    pub previews: Previews,
    /// Services of short messages that want to be left alone for a while.
    pub quotas: Quotas,
    /// What this server shows X; nothing: it reads nothing there. Set once, at the start.
    pub x_token: OnceLock<String>,
    /// Finds things by words.
    pub search: Search,
    /// Banned devices and addresses.
    pub barred: Barred,
    /// Deliveries to hooks under way.
    pub hooks: Deliveries,
    fronts: Mutex<Vec<(&'static str, Arc<Counts>)>>,
    /// Keys of identity providers.
    pub provider_keys: ProviderKeys,
    /// What each app uses.
    pub usage: Usage,
    open_api: OnceLock<Bytes>,
}

/// What the simulator and tests have a cheap one of.
pub struct Edges {
    /// Hashes passwords.
    pub passwords: Arc<dyn PasswordHasher>,
    /// Takes mail.
    pub mailer: Arc<dyn Mailer>,
    /// Keeps uploads.
    pub blobs: Blobs,
    /// Asks servers of others.
    pub outside: Arc<dyn Outside>,
    /// Finds things by words.
    pub search: Search,
}

impl Edges {
    /// Passwords cost nothing, mail, uploads and the search index are kept in memory, nobody outside can be reached: never for people's
    /// passwords.
    pub fn cheap() -> (Edges, Arc<KeptMail>) {
        let mail = Arc::new(KeptMail::default());
        let edges = Edges {
            passwords: Arc::new(CheapHasher),
            mailer: mail.clone(),
            blobs: Blobs::in_memory(),
            outside: Arc::new(Scripted::default()),
            search: Search::in_memory(),
        };
        (edges, mail)
    }
}

impl Host {
    /// A host over this cluster, with every method of the program.
    pub fn new(cluster: Cluster, edges: Edges) -> Arc<Host> {
        let settings = Arc::new(SettingsCache::default());
        Arc::new(Host {
            cluster,
            registry: Registry::new(crate::methods::all()),
            limits: Limits::new(settings.clone()),
            settings,
            types: TypesCache::default(),
            health: Health::default(),
            nowhere: Arc::new(nowhere()),
            signals: Signals::default(),
            passwords: edges.passwords,
            mailer: edges.mailer,
            blobs: edges.blobs,
            outside: edges.outside,
            push: Arc::default(),
            previews: Previews::default(),
            quotas: Quotas::default(),
            x_token: OnceLock::new(),
            search: edges.search,
            barred: Barred::default(),
            hooks: Deliveries::default(),
            fronts: Mutex::default(),
            provider_keys: ProviderKeys::default(),
            usage: Usage::default(),
            open_api: OnceLock::new(),
        })
    }

    /// Why requests should not come here; empty when they should.
    pub fn reasons(&self) -> Vec<&'static str> {
        let mut reasons = self.health.reasons();
        if !self.cluster.is_live() {
            reasons.push("no-majority-yet");
        } else if self.cluster.leaderless() > 0 {
            reasons.push("no-leader");
        }
        reasons
    }

    /// The OpenAPI document, made when it is first asked for.
    pub fn open_api(&self) -> Bytes {
        self.open_api.get_or_init(|| crate::openapi::document_of(&self.registry).into()).clone()
    }

    /// Calls of every app by its name.
    pub fn calls_by_app(&self) -> Vec<(String, u64)> {
        let meta = self.cluster.meta();
        let named = |(id, used): (AppId, Used)| {
            let name = meta.app(id).map_or_else(|| "-".to_owned(), |app| app.name.clone());
            (name, used.calls)
        };
        self.usage.all().into_iter().map(named).collect()
    }

    /// Shows a listener's counters on the metrics page.
    pub fn show_front(&self, name: &'static str, counts: Arc<Counts>) {
        self.fronts.lock().expect(UNPOISONED).push((name, counts));
    }

    /// The listeners' counters.
    pub fn front_counts(&self) -> Vec<(&'static str, Arc<Counts>)> {
        self.fronts.lock().expect(UNPOISONED).clone()
    }
}

/// Whether requests should come here.
#[derive(Debug, Default)]
pub struct Health {
    started: AtomicBool,
    draining: AtomicBool,
}

impl Health {
    /// Every listener accepts and every store is open.
    pub fn start(&self) {
        self.started.store(true, Ordering::Release);
    }

    /// The process is shutting down.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Why requests should not come here; empty when they should.
    pub fn reasons(&self) -> Vec<&'static str> {
        let mut reasons = Vec::new();
        if !self.started.load(Ordering::Acquire) {
            reasons.push("starting");
        }
        if self.draining.load(Ordering::Acquire) {
            reasons.push("draining");
        }
        reasons
    }
}

/// The app of calls that belong to none. Metadata gives out numbers from 1, so nothing is stored under it.
pub fn nowhere() -> App {
    App {
        id: AppId(0),
        uuid: Id::NIL,
        name: "-".to_owned(),
        title: String::new(),
        state: AppState::Active,
        created: Time::ZERO,
        rev: Position::ZERO,
        secret: [0; 32],
        settings: "{}".to_owned(),
        settings_rev: Position::ZERO,
        settings_kept: BTreeMap::new(),
        keys: BTreeMap::new(),
        roles: BTreeMap::new(),
        types: BTreeMap::new(),
    }
}

const UNPOISONED: &str = "nothing panics under this lock";
