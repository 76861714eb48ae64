//! A member that takes part: the program's own runtime, front and methods on the simulated edges.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use gomer::host::{self, Host};
use gomer::http::{Api, Side};
use gomer::secrets;
use gomer_core::id::Id;
use gomer_core::meta::command::{KeyKind, MetaCommand};
use gomer_core::mutant::Mutants;
use gomer_core::ring::partition::PartitionCount;
use gomer_core::store::StoreFault;
use gomer_net::cluster::Cluster;
use gomer_net::http::{Drain, Front, Limits};
use gomer_net::peer::identity::ClusterId;
use gomer_net::peer::{self, Plain};
use gomer_net::ring::Ring;
use gomer_net::runtime::{Edges, JoinFault, Member, MemberConfig, Membership, Spawner};
use madsim::runtime::{Handle, NodeHandle};

use crate::clock::{self, SimClock, SimEntropy};
use crate::disk::{Disk, DiskLog, DiskState, Stalls};
use crate::mutants;
use crate::plan::Config;
use crate::trace::Trace;

/// How often a member looks at the space on its disk.
const SPACE: Duration = Duration::from_millis(100);

/// What outlives a member's process. Cheap to clone; all clones are one machine.
#[derive(Clone)]
pub struct Machine {
    /// Its name in the trace.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its disk.
    pub disk: Disk,
    /// Its clock.
    pub clock: SimClock,
    /// What is seen of it.
    pub trace: Trace,
    /// What its randomness comes from, together with the number of its life.
    pub seed: u64,
    /// How it is set up.
    pub config: Config,
    /// The cluster that it is of, if it is not alone.
    pub ring: Option<Ring>,
    /// How its process is doing.
    pub process: Arc<Mutex<Process>>,
    /// What runs in it, while it does.
    pub running: Arc<Mutex<Option<Cluster>>>,
    /// Told when the process ends by itself.
    pub ended: Arc<dyn Fn(&StoreFault) + Send + Sync>,
}

/// How a process is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Process {
    /// Whether it runs.
    pub up: bool,
    /// Whether it serves.
    pub serves: bool,
    /// How often it has ended.
    pub ends: u64,
}

impl Machine {
    /// Starts the member on a node of its own. When the node is restarted, so is the member.
    pub fn start(&self) -> NodeHandle {
        let machine = self.clone();
        let run = move || {
            let machine = machine.clone();
            async move { machine.run().await }
        };
        self.process.lock().expect(UNPOISONED).up = true;
        Handle::current().create_node().name(self.name.clone()).ip(self.address.ip()).init(run).build()
    }

    async fn run(self) {
        if let Err(fault) = self.serve().await {
            (self.ended)(&fault);
        }
    }

    async fn serve(&self) -> Result<(), StoreFault> {
        let (life, mut stores) = self.disk.open();
        self.trace.note(&self.name, "start", format_args!("life {life}"));
        let meta = stores.remove(0);
        let edges = Edges {
            clock: Arc::new(self.clock.clone()),
            entropy: Arc::new(SimEntropy::new(self.seed ^ life.rotate_right(16))),
            spawner: Arc::new(Tasks(self.disk.clone())),
            fatal: self.ended.clone(),
        };
        let config = MemberConfig {
            checkpoint_bytes: self.config.checkpoint_bytes,
            partitions: PartitionCount::new(self.config.partitions).expect("a plan was checked"),
            queue: self.config.queue,
            mutants: self
                .config
                .mutant
                .as_deref()
                .and_then(mutants::named)
                .map_or(Mutants::NONE, |known| Mutants::one(known.mutant)),
            ..MemberConfig::new(1)
        };
        // Ends its shards and its links when it is dropped.
        let member = Arc::new(match &self.ring {
            None => Member::start(config, edges, stores, meta).await?,
            Some(ring) => self.join(ring, config, edges, stores, meta).await?,
        });
        *self.running.lock().expect(UNPOISONED) = Some(member.cluster().clone());
        let (edges, _mail) = host::Edges::cheap();
        let host = Host::new(member.cluster().clone(), edges);
        let (watched, disk) = (member.clone(), self.disk.clone());
        tokio::spawn(async move {
            loop {
                watched.set_full(disk.is_scarce());
                tokio::time::sleep(SPACE).await;
            }
        });
        while !member.cluster().is_live() {
            tokio::time::sleep(SPACE).await;
        }
        // The first member makes what there is to make.
        let apps = if self.ring.as_ref().is_none_or(Ring::is_first) { self.config.apps } else { 0 };
        for app in 0..apps {
            while let Err(error) = make_app(&host, app).await {
                if self.ring.is_some() {
                    // There are others, and sooner or later enough of them.
                    tokio::time::sleep(SPACE).await;
                    continue;
                }
                // Refused for want of space, or while a shard is stuck: what was not made now is made by the next life.
                self.trace.note(&self.name, "no-app", format_args!("{error:#}"));
                return Err(StoreFault::Io(format!("{error:#}")));
            }
        }
        // Nobody asks the others before what there is has come to them too.
        while (0..self.config.apps).any(|app| host.cluster.meta().app_by_uuid(app_id(app)).is_none()) {
            tokio::time::sleep(SPACE).await;
        }
        let front = Front::bind(self.address, Limits::default()).await;
        let front = front.map_err(|error| StoreFault::Io(format!("cannot listen: {error}")))?;
        host.health.start();
        self.process.lock().expect(UNPOISONED).serves = true;
        self.trace.note(&self.name, "serve", self.address);
        front.serve(Arc::new(Api::new(host, Side::Public)), Drain::new()).await;
        drop(member);
        Ok(())
    }
}

impl Machine {
    /// Starts the member of a cluster. Its links have no TLS; the simulated network has no strangers.
    async fn join(
        &self,
        ring: &Ring,
        config: MemberConfig,
        edges: Edges,
        stores: Vec<(DiskLog, DiskState)>,
        meta: (DiskLog, DiskState),
    ) -> Result<Member, StoreFault> {
        let listen = SocketAddr::new(self.address.ip(), PEER_PORT);
        let io = |error: std::io::Error| StoreFault::Io(error.to_string());
        let disk = peer::identity::Disk { incarnation: ring.own().id.0, tide: 1 };
        let trace = (self.trace.clone(), self.name.clone());
        let membership = Membership {
            ring: ring.clone(),
            listen,
            secure: Plain::new(listen).map_err(io)?,
            disk: Arc::new(move || disk),
            admit: Arc::new(|_, _| Ok(())),
            superseded: Arc::new(move |why: &str| trace.0.note(&trace.1, "superseded", why)),
        };
        Member::join(config, edges, stores, meta, membership).await.map_err(|fault| match fault {
            JoinFault::Store(fault) => fault,
            JoinFault::Listen(error) => io(error),
        })
    }
}

/// The ring of a cluster with more than one member, as one of them sees it.
pub fn ring(config: &Config, own: u32, address: impl Fn(u32) -> SocketAddr) -> Option<Ring> {
    let member = |at| (member_name(at), SocketAddr::new(address(at).ip(), PEER_PORT).to_string());
    let members: Vec<_> = (0..config.members).map(member).collect();
    if members.len() < 2 {
        return None;
    }
    let cluster = ClusterId(Id::derived("sim", b"cluster"));
    let partitions = PartitionCount::new(config.partitions).expect("a plan was checked");
    let replicas = members.len().min(3);
    Some(Ring::new(cluster, &member_name(own), &members, partitions, replicas).expect("a plan was checked"))
}

/// The name of a member, in the trace too.
pub fn member_name(member: u32) -> String {
    format!("m{member}")
}

/// Where members listen for each other.
const PEER_PORT: u16 = 9_000;

/// The name of an app.
pub fn app_name(app: u32) -> String {
    format!("app{app}")
}

fn app_id(app: u32) -> Id {
    Id::derived("sim", app_name(app).as_bytes())
}

/// The client key of an app.
pub fn client_key(app: u32) -> String {
    secrets::key_text(KeyKind::Client, &[7 + app as u8; 32])
}

/// Makes an app and its client key, if they are not there.
async fn make_app(host: &Host, number: u32) -> Result<()> {
    let name = app_name(number);
    let id = app_id(number);
    let secret = secrets::hash(&format!("the secret of {name}"));
    let title = name.clone();
    if host.cluster.meta().app_by_uuid(id).is_none() {
        let done = host.cluster.change_meta(MetaCommand::CreateApp { id, name, title, secret }).await;
        done.map_err(|fault| anyhow!("the app: {fault}"))?;
    }
    let app = host.cluster.meta().app_by_uuid(id).context("the app is not there")?.id;
    let (key, hash) = (Id::derived("sim key", &number.to_le_bytes()), secrets::hash(&client_key(number)));
    let put = MetaCommand::PutKey { app, id: key, kind: KeyKind::Client, name: "Phones".to_owned(), hash };
    host.cluster.change_meta(put).await.map_err(|fault| anyhow!("the key: {fault}"))?;
    Ok(())
}

/// Shards are tasks of the member's node, as slow as their disk.
struct Tasks(Disk);

impl Spawner for Tasks {
    fn spawn(&self, _: String, run: Pin<Box<dyn Future<Output = ()> + Send>>) {
        tokio::spawn(Stalls::new(run, self.0.clone(), clock::elapsed, tokio::time::sleep));
    }
}

const UNPOISONED: &str = "a run ends with the first panic";
