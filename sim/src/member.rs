//! A member that takes part: the program's own runtime, front and methods on the simulated edges.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use gomer::host::{self, Host};
use gomer::http::{Api, Side};
use gomer::secrets;
use gomer_core::id::Id;
use gomer_core::meta::command::{KeyKind, MetaCommand};
use gomer_net::http::{Drain, Front, Limits};
use gomer_net::runtime::{Edges, Member, MemberConfig, Spawner};
use madsim::runtime::{Handle, NodeHandle};

use crate::clock::{SimClock, SimEntropy};
use crate::disk::Disk;
use crate::trace::Trace;

/// The app of every run.
pub const APP: &str = "smoke";

/// Data shards of a member, beside the one of the metadata.
const SHARDS: usize = 2;

/// Small, so that a run has checkpoints, and restarts both from them and from the log behind them.
const CHECKPOINT_BYTES: usize = 16 * 1024;

/// What outlives a member's process.
#[derive(Clone)]
pub struct Machine {
    /// Its name in the trace.
    pub name: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    /// What its randomness comes from, together with the number of its life.
    pub seed: u64,
    /// Its disk.
    pub disk: Disk,
    /// What is seen of it.
    pub trace: Trace,
}

impl Machine {
    /// A machine with an empty disk.
    pub fn new(name: &'static str, address: SocketAddr, seed: u64, trace: Trace) -> Machine {
        let disk = Disk::new(name, SHARDS + 1, trace.clone());
        Machine { name, address, seed, disk, trace }
    }

    /// Starts the member on a node of its own. When the node is restarted, so is the member.
    pub fn start(&self) -> NodeHandle {
        let machine = self.clone();
        let run = move || {
            let machine = machine.clone();
            async move { machine.run().await.expect("a member starts on its disk") }
        };
        Handle::current().create_node().name(self.name).ip(self.address.ip()).init(run).build()
    }

    async fn run(self) -> Result<()> {
        let (life, mut stores) = self.disk.open();
        self.trace.note(self.name, "start", format_args!("life {life}"));
        let meta = stores.remove(0);
        let edges = Edges {
            clock: Arc::new(SimClock),
            entropy: Arc::new(SimEntropy::new(self.seed ^ life.rotate_right(16))),
            spawner: Arc::new(Tasks),
            fatal: Arc::new(|fault| panic!("a store of the simulator failed: {fault}")),
        };
        // Ends its shards when it is dropped.
        let config = MemberConfig { checkpoint_bytes: CHECKPOINT_BYTES, ..MemberConfig::new(1) };
        let member = Member::start(config, edges, stores, meta)
            .await
            .map_err(|fault| anyhow!("the stores do not open: {fault}"))?;
        let (edges, _mail) = host::Edges::cheap();
        let host = Host::new(member.cluster().clone(), edges);
        make_app(&host).await?;
        let front = Front::bind(self.address, Limits::default()).await?;
        host.health.start();
        self.trace.note(self.name, "serve", self.address);
        front.serve(Arc::new(Api::new(host, Side::Public)), Drain::new()).await;
        drop(member);
        Ok(())
    }
}

/// The client key of the app.
pub fn client_key() -> String {
    secrets::key_text(KeyKind::Client, &[7; 32])
}

/// Makes the app and its client key, if they are not there.
async fn make_app(host: &Host) -> Result<()> {
    let id = Id::derived("sim", APP.as_bytes());
    let (name, title) = (APP.to_owned(), "Smoke".to_owned());
    let secret = secrets::hash("the secret of the app");
    let done = host.cluster.change_meta(MetaCommand::CreateApp { id, name, title, secret }).await;
    done.map_err(|fault| anyhow!("the app: {fault}"))?;
    let app = host.cluster.meta().app_by_uuid(id).context("the app is not there")?.id;
    let (key, hash) = (Id::derived("sim", b"client key"), secrets::hash(&client_key()));
    let put = MetaCommand::PutKey { app, id: key, kind: KeyKind::Client, name: "Phones".to_owned(), hash };
    host.cluster.change_meta(put).await.map_err(|fault| anyhow!("the key: {fault}"))?;
    Ok(())
}

/// Shards are tasks of the member's node.
struct Tasks;

impl Spawner for Tasks {
    fn spawn(&self, _: String, run: Pin<Box<dyn Future<Output = ()> + Send>>) {
        tokio::spawn(run);
    }
}
