//! `graph --in-process`: the same mix on the cluster handle, in this process: without HTTP, JSON, sign-in or the rules of
//! types. Beside the figure over HTTP it tells what those cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gomer::store::dir::{DataDir, Format};
use gomer::store::log::LogSettings;
use gomer_core::fault::Fault;
use gomer_core::id::{AppId, Id, LinkType, NodeType, Root, Section};
use gomer_core::vnode::command::{Operation, Write};
use gomer_core::vnode::query::{Answer, Query};
use gomer_net::cluster::Cluster;
use gomer_net::runtime::{Member, MemberConfig};

use super::graph::Pool;
use crate::bench::child::TempDir;
use crate::bench::histogram::Histogram;
use crate::bench::load::Tally;
use crate::bench::measure::{Closed, Hello, complain, latencies, report, rows};
use crate::bench::mix::{self, Action, KINDS, Mix};
use crate::bench::report::Report;
use crate::bench::usage;
use crate::bench::world::nth_id;
use crate::bench::{Options, Scenario};
use crate::program::edges;
use crate::program::exit::{End, Exit};

/// Measures it over so many nodes.
pub fn run(options: &Options, nodes: usize) -> Result<Vec<Report>, End> {
    let dir = TempDir::new()?;
    let failed = |why: String| End::new(Exit::Failed, why);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(error.to_string()))?;
    let member = runtime.block_on(start(&dir))?;
    let shared = Arc::new(Shared {
        cluster: member.cluster().clone(),
        runtime: runtime.handle().clone(),
        pool: Pool::new(),
        nodes,
        added: AtomicUsize::new(nodes),
    });
    let mut connections: Vec<Connection> =
        (0..options.connections).map(|number| Connection::new(shared.clone(), number as u64 + 1)).collect();
    fill(&connections)?;
    let mut hello = Hello::start(options.connections)?;
    let span = options.span();
    all(&mut connections, None, (span / 4).min(Duration::from_secs(2)));
    hello.run(span / 2)?;
    let (pid, before) = (std::process::id(), written(&shared.cluster));
    let cpu_before = usage::cpu(pid);
    let tally = all(&mut connections, None, span);
    let cpu = usage::cpu(pid).zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
    let closed = Closed { tally, cpu, rss: usage::resident(pid) };
    std::thread::sleep(Duration::from_millis(200));
    let written = written(&shared.cluster).saturating_sub(before);
    hello.run(span / 2)?;
    let paced = all(&mut connections, Some(closed.tally.per_second() / 2.0), span);
    let mut report = report(options, SCENARIO.name, &closed, closed.tally.ops, &hello);
    report.errors += paced.errors;
    latencies(&mut report, &paced);
    report.rows = Some(rows(written, closed.tally.ops, closed.tally.elapsed));
    complain([&closed.tally, &paced]);
    drop((connections, shared));
    runtime.block_on(member.stop());
    Ok(vec![report])
}

async fn start(dir: &TempDir) -> Result<Member, End> {
    let shards = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32).min(64);
    let failed = |why: String| End::new(Exit::Failed, why);
    let data = DataDir::open(&dir.path().join("data"), Format { shards, incarnation: [1; 16] });
    let data = data.map_err(|fault| failed(fault.to_string()))?;
    let mut stores = Vec::new();
    for shard in 0..shards {
        let store = data.open_shard(shard, LogSettings::default(), CACHE_BYTES);
        stores.push(store.map_err(|fault| failed(fault.to_string()))?);
    }
    let meta = data.open_meta(LogSettings::default(), CACHE_BYTES);
    let meta = meta.map_err(|fault| failed(fault.to_string()))?;
    let started = Member::start(MemberConfig::new(1), edges::real(), stores, meta).await;
    started.map_err(|fault| End::new(Exit::Disk, fault.to_string()))
}

/// Rows written so far.
fn written(cluster: &Cluster) -> u64 {
    cluster.status().1.iter().map(|shard| shard.rows).sum()
}

/// Makes the nodes and links of the start, dealt out to the connections.
fn fill(connections: &[Connection]) -> Result<(), End> {
    let count = connections.len();
    let mut faults = Vec::new();
    std::thread::scope(|scope| {
        let mut running = Vec::with_capacity(count);
        for (place, connection) in connections.iter().enumerate() {
            let shared = connection.shared.clone();
            running.push(scope.spawn(move || -> Result<(), Fault> {
                for number in (place..shared.nodes).step_by(count) {
                    let data = shared.data(number, mix::node_bytes(number));
                    shared.write(node(number), put_node(number, data))?;
                    for nth in 0..mix::degree(shared.nodes, number) {
                        let to = mix::link_target(shared.nodes, number, nth);
                        shared.write(node(number), put_link(nth % KINDS, to, shared.data(nth, 8)))?;
                    }
                }
                Ok(())
            }));
        }
        for thread in running {
            faults.extend(thread.join().expect("the load does not panic").err());
        }
    });
    match faults.first() {
        None => Ok(()),
        Some(fault) => {
            Err(End::new(Exit::Failed, format!("what is to be measured cannot be set up: {fault:?}")))
        }
    }
}

/// Runs all connections for so long: closed, or so many operations per second together.
fn all(connections: &mut [Connection], per_second: Option<f64>, span: Duration) -> Tally {
    let gap = per_second.map(|rate| connections.len() as f64 / rate.max(0.01));
    let count = connections.len() as f64;
    let start = Instant::now();
    let mut tally = Tally::default();
    std::thread::scope(|scope| {
        let mut running = Vec::with_capacity(connections.len());
        for (place, connection) in connections.iter_mut().enumerate() {
            let offset = gap.map_or(0.0, |gap| gap * place as f64 / count);
            let pace = gap.map(|gap| (offset, gap));
            running.push(scope.spawn(move || connection.run(start, pace, span)));
        }
        for thread in running {
            tally.merge(thread.join().expect("the load does not panic"));
        }
    });
    tally
}

struct Shared {
    cluster: Cluster,
    runtime: tokio::runtime::Handle,
    pool: Pool,
    nodes: usize,
    added: AtomicUsize,
}

impl Shared {
    fn write(&self, root: Root, op: Operation) -> Result<(), Fault> {
        let write = Write::new(APP, root, Id::NIL).op(op);
        self.runtime.block_on(self.cluster.write(write)).map(drop)
    }

    fn read(&self, root: Root, query: Query) -> Result<Answer, Fault> {
        self.runtime.block_on(self.cluster.read(APP, root, query)).map(|reading| reading.answer)
    }

    /// A JSON text of so many letters.
    fn data(&self, place: usize, bytes: usize) -> String {
        format!("\"{}\"", String::from_utf8_lossy(self.pool.take(place, bytes)))
    }
}

/// One thread, which does one operation after another.
struct Connection {
    shared: Arc<Shared>,
    mix: Mix,
    asked: usize,
}

impl Connection {
    fn new(shared: Arc<Shared>, seed: u64) -> Connection {
        let mix = Mix::new(shared.nodes, seed);
        Connection { shared, mix, asked: 0 }
    }

    /// Closed, or with a first time and a gap in seconds.
    fn run(&mut self, start: Instant, pace: Option<(f64, f64)>, span: Duration) -> Tally {
        let (mut ops, mut errors, mut first_error) = (0, 0, None);
        let mut latencies = Histogram::default();
        for nth in 0.. {
            let now = Instant::now();
            let due =
                pace.map_or(now, |(offset, gap)| start + Duration::from_secs_f64(offset + gap * nth as f64));
            if due >= start + span {
                break;
            }
            std::thread::sleep(due.saturating_duration_since(now));
            match self.act() {
                Ok(true) => {
                    ops += 1;
                    latencies.add(due.elapsed());
                }
                Ok(false) => {
                    errors += 1;
                    first_error
                        .get_or_insert_with(|| "an answer of another kind than the question".to_owned());
                }
                Err(fault) => {
                    errors += 1;
                    first_error.get_or_insert_with(|| format!("an operation failed: {fault:?}"));
                }
            }
        }
        Tally { ops, errors, first_error, latencies, elapsed: start.elapsed() }
    }

    /// One operation, and whether its answer was of the right kind.
    fn act(&mut self) -> Result<bool, Fault> {
        self.asked += 1;
        let shared = &self.shared;
        let ids = |numbers: Vec<usize>| numbers.into_iter().map(id).collect();
        Ok(match self.mix.draw() {
            Action::ListLinks { from, kind, older } => {
                let until = older.then_some(gomer_core::time::Time::ZERO);
                let query = Query::LinkPage { ty: link(kind), after: None, since: None, until, limit: PAGE };
                matches!(shared.read(node(from), query)?, Answer::LinkPage(..))
            }
            Action::GetNode { id: number } => {
                matches!(shared.read(node(number), Query::Node(id(number)))?, Answer::Node(_))
            }
            Action::CountLinks { from, kind } => {
                let query = Query::LinkCounts(vec![link(kind)]);
                matches!(shared.read(node(from), query)?, Answer::LinkCounts(_))
            }
            Action::GetLinks { from, kind, to } => {
                let query = Query::Links { ty: link(kind), to: ids(to) };
                matches!(shared.read(node(from), query)?, Answer::Links(_))
            }
            Action::AddLink { from, kind, to, bytes } | Action::UpdateLink { from, kind, to, bytes } => {
                shared.write(node(from), put_link(kind, to, shared.data(self.asked, bytes)))?;
                true
            }
            Action::DeleteLink { from, kind, to } => {
                shared.write(node(from), Operation::DeleteLink { ty: link(kind), to: id(to) })?;
                true
            }
            Action::AddNode { bytes } => {
                let number = shared.added.fetch_add(1, Ordering::Relaxed);
                shared.write(node(number), put_node(number, shared.data(self.asked, bytes)))?;
                true
            }
            Action::UpdateNode { id: number, bytes } => {
                let attrs = vec![("data".to_owned(), Some(shared.data(self.asked, bytes)))];
                let patch = Operation::PatchNode { id: id(number), attrs, edited: None };
                done(shared.write(node(number), patch))?
            }
            Action::DeleteNode { id: number } => {
                done(shared.write(node(number), Operation::DeleteNode { id: id(number) }))?
            }
        })
    }
}

/// A node that was deleted before is a right answer too: the mix does not remember what it has deleted.
fn done(result: Result<(), Fault>) -> Result<bool, Fault> {
    match result {
        Ok(()) | Err(Fault::Absent) => Ok(true),
        Err(fault) => Err(fault),
    }
}

fn id(number: usize) -> Id {
    nth_id("node", number)
}

fn node(number: usize) -> Root {
    Root::node(id(number))
}

fn link(kind: usize) -> LinkType {
    LinkType(FIRST_TYPE + kind as u16)
}

fn put_node(number: usize, data: String) -> Operation {
    let attrs = vec![("data".to_owned(), data)];
    let (ty, section) = (NodeType(FIRST_TYPE + KINDS as u16), Section::PUBLIC);
    Operation::PutNode { id: id(number), ty, section, author: Id::NIL, attrs }
}

fn put_link(kind: usize, to: usize, data: String) -> Operation {
    Operation::PutLink { ty: link(kind), to: id(to), section: Section::PUBLIC, time: None, data }
}

const SCENARIO: Scenario = super::graph::SCENARIO;
const APP: AppId = AppId(1);
/// Numbers of types, beyond those of Gomer's own.
const FIRST_TYPE: u16 = 1_024;
/// What a list gives unless somebody says.
const PAGE: u32 = 50;
const CACHE_BYTES: usize = 64 << 20;
