//! `graph`: the LinkBench mix through `graph.*`, each connection signed in as somebody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gomer_core::id::Id;
use gomer_core::rng::Rng;
use serde_json::json;

use super::graph_in_process;
use crate::bench::child::TempDir;
use crate::bench::load::Script;
use crate::bench::measure::{Target, compared, rows};
use crate::bench::mix::{self, Action, KINDS, Mix};
use crate::bench::report::Report;
use crate::bench::wire::{Requests, text};
use crate::bench::world::{APP, Person, World, nth_id};
use crate::bench::{Options, Scenario};
use crate::program::exit::End;

/// The scenario.
pub const SCENARIO: Scenario = Scenario {
    name: "graph",
    about: "LinkBench's mix of reads and writes of nodes and links",
    seconds: 10,
    connections: 64,
    in_process: true,
    run,
};

fn run(options: &Options) -> Result<Vec<Report>, End> {
    if options.in_process {
        return graph_in_process::run(options, nodes(options));
    }
    let dir = TempDir::new()?;
    let world = World::start(dir.path())?;
    declare(&world)?;
    let people = world.people(options.connections)?;
    let shared = Arc::new(Shared::new(nodes(options)));
    fill(&world, &people, &shared)?;
    let script = |(number, person): (usize, &Person)| {
        Graph::new(shared.clone(), world.as_person(person), number as u64 + 1)
    };
    let scripts = people.iter().enumerate().map(script).collect();
    let target = Target { address: world.address, pid: world.server.pid() };
    let before = world.quiet()?;
    let (mut report, scripts) = compared(options, "graph", &target, scripts, 1)?;
    let written = world.quiet()?.since(&before);
    // Rows are counted over all phases, so they are set against the requests of all phases.
    let asked: u64 = scripts.iter().map(|script: &Graph| script.asked).sum();
    let per_op = written.rows as f64 / asked.max(1) as f64;
    let in_closed = (per_op * report.ops as f64) as u64;
    report.rows = Some(rows(in_closed, report.ops, options.span()));
    Ok(vec![report])
}

/// Nodes at the start: fewer for a quick look.
fn nodes(options: &Options) -> usize {
    if options.seconds < 5 { 2_000 } else { 20_000 }
}

/// Declares types that everybody who is signed in may read and write.
pub fn declare(world: &World) -> Result<(), End> {
    let node = json!({ "name": NODE, "kind": "node", "read": "user", "write": "user" });
    world.call_as_server("graph.putType", &node)?;
    for link in LINKS {
        let link = json!({ "name": link, "kind": "link", "read": "user", "write": "user" });
        world.call_as_server("graph.putType", &link)?;
    }
    Ok(())
}

/// Makes the nodes and links that are there at the start.
fn fill(world: &World, people: &[Person], shared: &Arc<Shared>) -> Result<(), End> {
    let nodes = shared.deleted.len();
    let mut calls: Vec<Fill> = (0..nodes).map(Fill::Node).collect();
    for from in 0..nodes {
        calls.extend((0..mix::degree(nodes, from)).map(|nth| Fill::Link { from, nth }));
    }
    let calls = Arc::new(calls);
    let batches = calls.len().div_ceil(BATCH);
    let caller = |number: usize| world.as_person(&people[number % people.len()]);
    let pool = shared.pool.clone();
    let render = move |number: usize, requests: &mut Requests, out: &mut Vec<u8>| {
        requests.post(out, APP, "batch.run", |body| {
            body.extend_from_slice(b"{\"calls\":[");
            let part = &calls[number * BATCH..((number + 1) * BATCH).min(calls.len())];
            for (place, call) in part.iter().enumerate() {
                if place > 0 {
                    body.push(b',');
                }
                call.render(nodes, &pool, body);
            }
            body.extend_from_slice(b"]}");
        });
    };
    world.bulk(batches, caller, render, |_, body| memchr::memmem::find(body, b"\"code\":").is_none())
}

#[derive(Clone, Copy)]
enum Fill {
    Node(usize),
    Link { from: usize, nth: usize },
}

impl Fill {
    fn render(self, nodes: usize, pool: &Pool, body: &mut Vec<u8>) {
        match self {
            Fill::Node(number) => {
                body.extend_from_slice(b"{\"method\":\"graph.putNode\",\"args\":");
                put_node(body, node_id(number), pool.take(number, mix::node_bytes(number)));
            }
            Fill::Link { from, nth } => {
                body.extend_from_slice(b"{\"method\":\"graph.putLink\",\"args\":");
                let to = mix::link_target(nodes, from, nth);
                put_link(body, nth % KINDS, from, to, pool.take(from + nth, 8));
            }
        }
        body.push(b'}');
    }
}

/// What the connections share.
struct Shared {
    /// Nodes of the start that somebody deletes.
    deleted: Vec<AtomicBool>,
    /// Nodes that were added.
    added: AtomicUsize,
    pool: Pool,
}

impl Shared {
    /// Over so many nodes.
    fn new(nodes: usize) -> Shared {
        let deleted = (0..nodes).map(|_| AtomicBool::new(false)).collect();
        Shared { deleted, added: AtomicUsize::new(nodes), pool: Pool::new() }
    }
}

/// Text to take data from, without making it anew each time.
#[derive(Clone)]
pub struct Pool(Arc<Vec<u8>>);

impl Pool {
    /// Always the same.
    pub fn new() -> Pool {
        let mut rng = Rng::new(0x9001);
        let letter = |_| b"abcdefghijklmnopqrstuvwxyz0123456789 "[rng.below(37) as usize];
        Pool(Arc::new((0..POOL_BYTES).map(letter).collect()))
    }

    /// Some of it.
    pub fn take(&self, place: usize, bytes: usize) -> &[u8] {
        let start = place.wrapping_mul(127) % (POOL_BYTES - bytes);
        &self.0[start..start + bytes]
    }
}

/// One connection: draws operations, and knows what a right reply begins with.
struct Graph {
    shared: Arc<Shared>,
    requests: Requests,
    mix: Mix,
    asked: u64,
    expected: Expected,
}

/// What makes a reply right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// It begins with this.
    Begins(&'static [u8]),
    /// It is this node; or nothing, if somebody has deleted it.
    Node { number: usize, deleted: bool, list: bool },
}

impl Graph {
    fn new(shared: Arc<Shared>, requests: Requests, seed: u64) -> Graph {
        let mix = Mix::new(shared.deleted.len(), seed);
        Graph { shared, requests, mix, asked: 0, expected: Expected::Begins(b"") }
    }

    fn node(&self, number: usize, list: bool) -> Expected {
        Expected::Node { number, deleted: self.shared.deleted[number].load(Ordering::Relaxed), list }
    }
}

impl Script for Graph {
    fn next(&mut self, out: &mut Vec<u8>) -> bool {
        self.asked += 1;
        let place = self.asked as usize;
        let Shared { pool, deleted, added } = &*self.shared;
        let requests = &mut self.requests;
        let id = |number| text(node_id(number));
        let action = self.mix.draw();
        self.expected = match action {
            Action::ListLinks { from, kind, older } => {
                let until: &[u8] = if older { OLDER } else { b"" };
                let kind = LINKS[kind].as_bytes();
                requests.get(out, APP, &[b"graph.listLinks?from=", &id(from), b"&type=", kind, until]);
                Expected::Begins(b"{\"items\":[")
            }
            Action::GetNode { id: number } => {
                requests.get(out, APP, &[b"graph.getNodes?ids=", &id(number)]);
                self.node(number, true)
            }
            Action::CountLinks { from, kind } => {
                let kind = LINKS[kind].as_bytes();
                requests.get(out, APP, &[b"graph.countLinks?from=", &id(from), b"&type=", kind]);
                Expected::Begins(b"{\"count\":")
            }
            Action::GetLinks { from, kind, to } => {
                let from = id(from);
                let to: Vec<[u8; 36]> = to.into_iter().map(id).collect();
                let mut address =
                    vec![b"graph.getLinks?from=".as_slice(), &from, b"&type=", LINKS[kind].as_bytes()];
                address.extend(to.iter().flat_map(|to| [b"&to=".as_slice(), to]));
                requests.get(out, APP, &address);
                Expected::Begins(b"{\"items\":[")
            }
            Action::AddLink { from, kind, to, bytes } | Action::UpdateLink { from, kind, to, bytes } => {
                let data = pool.take(place, bytes);
                requests.post(out, APP, "graph.putLink", |body| put_link(body, kind, from, to, data));
                Expected::Begins(b"{\"from\":")
            }
            Action::DeleteLink { from, kind, to } => {
                requests.post(out, APP, "graph.deleteLink", |body| {
                    link(body, kind, from, to);
                    body.push(b'}');
                });
                Expected::Begins(b"{\"from\":")
            }
            Action::AddNode { bytes } => {
                let node = node_id(added.fetch_add(1, Ordering::Relaxed));
                let data = pool.take(place, bytes);
                requests.post(out, APP, "graph.putNode", |body| put_node(body, node, data));
                Expected::Begins(b"{\"id\":")
            }
            Action::UpdateNode { id: number, bytes } => {
                let data = pool.take(place, bytes);
                requests.post(out, APP, "graph.patchNode", |body| {
                    body.extend_from_slice(b"{\"id\":\"");
                    body.extend_from_slice(&id(number));
                    attributes(body, data);
                });
                self.node(number, false)
            }
            Action::DeleteNode { id: number } => {
                let before = deleted[number].swap(true, Ordering::Relaxed);
                requests.post(out, APP, "graph.deleteNode", |body| {
                    body.extend_from_slice(b"{\"id\":\"");
                    body.extend_from_slice(&id(number));
                    body.extend_from_slice(b"\"}");
                });
                Expected::Node { number, deleted: before, list: false }
            }
        };
        true
    }

    fn check(&mut self, status: u16, body: &[u8]) -> bool {
        match self.expected {
            Expected::Begins(head) => status == 200 && body.starts_with(head),
            Expected::Node { number, deleted, list } => {
                let head: &[u8] = if list { b"{\"items\":[{\"id\":\"" } else { b"{\"id\":\"" };
                let found =
                    body.strip_prefix(head).is_some_and(|rest| rest.starts_with(&text(node_id(number))));
                // Somebody may have deleted it since, or be about to.
                let gone = deleted || self.shared.deleted[number].load(Ordering::Relaxed);
                let missing = if list { status == 200 && body == b"{\"items\":[]}" } else { status == 404 };
                (status == 200 && found) || (gone && missing)
            }
        }
    }
}

fn node_id(number: usize) -> Id {
    nth_id("node", number)
}

/// A node with this data.
pub fn put_node(body: &mut Vec<u8>, id: Id, data: &[u8]) {
    body.extend_from_slice(b"{\"type\":\"");
    body.extend_from_slice(NODE.as_bytes());
    body.extend_from_slice(b"\",\"id\":\"");
    body.extend_from_slice(&text(id));
    attributes(body, data);
}

fn attributes(body: &mut Vec<u8>, data: &[u8]) {
    body.extend_from_slice(b"\",\"attributes\":{\"data\":\"");
    body.extend_from_slice(data);
    body.extend_from_slice(b"\"}}");
}

/// A link without data, and without its end.
fn link(body: &mut Vec<u8>, kind: usize, from: usize, to: usize) {
    body.extend_from_slice(b"{\"from\":\"");
    body.extend_from_slice(&text(node_id(from)));
    body.extend_from_slice(b"\",\"type\":\"");
    body.extend_from_slice(LINKS[kind].as_bytes());
    body.extend_from_slice(b"\",\"to\":\"");
    body.extend_from_slice(&text(node_id(to)));
    body.push(b'"');
}

/// A link between two nodes by number.
pub fn put_link(body: &mut Vec<u8>, kind: usize, from: usize, to: usize, data: &[u8]) {
    link(body, kind, from, to);
    body.extend_from_slice(b",\"data\":\"");
    body.extend_from_slice(data);
    body.extend_from_slice(b"\"}");
}

const NODE: &str = "thing";
const LINKS: [&str; KINDS] = ["first", "second"];
/// Older than all: such a list is read from its end on.
const OLDER: &[u8] = b"&until=2020-01-01T00:00:00.000Z";
/// Calls of a batch.
const BATCH: usize = 50;
const POOL_BYTES: usize = 1 << 16;
