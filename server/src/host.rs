//! What lives as long as the process, and what every call can reach.
//!
//! Must never learn: how it was started. The binary, the test kit and the simulator each build one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gomer_core::id::{AppId, Id, Position};
use gomer_core::meta::command::AppState;
use gomer_core::meta::state::App;
use gomer_core::time::Time;
use gomer_net::cluster::Cluster;

use crate::auth::mail::{KeptMail, Mailer};
use crate::auth::password::{CheapHasher, PasswordHasher};
use crate::limits::Limits;
use crate::registry::Registry;

/// The process.
pub struct Host {
    /// The data.
    pub cluster: Cluster,
    /// All methods.
    pub registry: Registry,
    /// Rate limits.
    pub limits: Limits,
    /// What `/readyz` says.
    pub health: Health,
    /// Stands for the app in calls on `/v1/-/`.
    pub nowhere: Arc<App>,
    /// Hashes passwords.
    pub passwords: Arc<dyn PasswordHasher>,
    /// Takes mail.
    pub mailer: Arc<dyn Mailer>,
}

/// What the simulator and tests have a cheap one of.
pub struct Edges {
    /// Hashes passwords.
    pub passwords: Arc<dyn PasswordHasher>,
    /// Takes mail.
    pub mailer: Arc<dyn Mailer>,
}

impl Edges {
    /// Passwords cost nothing, and mail is kept in memory: never for people's passwords.
    pub fn cheap() -> (Edges, Arc<KeptMail>) {
        let mail = Arc::new(KeptMail::default());
        (Edges { passwords: Arc::new(CheapHasher), mailer: mail.clone() }, mail)
    }
}

impl Host {
    /// A host over this cluster, with every method of the program.
    pub fn new(cluster: Cluster, edges: Edges) -> Arc<Host> {
        Arc::new(Host {
            cluster,
            registry: Registry::new(crate::methods::all()),
            limits: Limits::default(),
            health: Health::default(),
            nowhere: Arc::new(nowhere()),
            passwords: edges.passwords,
            mailer: edges.mailer,
        })
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
