//! `recovery`: the server is killed under full load, with a gigabyte of state, and started again. How long is it from the
//! kill to the first right answer, and is everything there that was acknowledged?

use std::time::{Duration, Instant};

use serde_json::json;

use super::graph::{self, Pool};
use crate::bench::child::{Server, TempDir};
use crate::bench::histogram::Histogram;
use crate::bench::load::{Pace, Script, Tally, drive};
use crate::bench::measure::{blank, latencies};
use crate::bench::report::Report;
use crate::bench::wire::Requests;
use crate::bench::world::{APP, World, nth_id};
use crate::bench::{Options, Scenario};
use crate::program::exit::{End, Exit};

/// The scenario.
pub const SCENARIO: Scenario = Scenario {
    name: "recovery",
    about: "From kill -9 under load, with 1 GiB of state, to the first right answer",
    seconds: 5,
    connections: 64,
    in_process: false,
    run,
};

fn run(options: &Options) -> Result<Vec<Report>, End> {
    // A quick look has less of everything.
    let (state_bytes, rounds) =
        if options.seconds < 5 { (STATE_BYTES / 16, 1) } else { (STATE_BYTES, ROUNDS) };
    let dir = TempDir::new()?;
    let mut world = World::start(dir.path())?;
    graph::declare(&world)?;
    let people = world.people(options.connections)?;
    let pool = Pool::new();
    load(&world, state_bytes / ROW_BYTES, &pool)?;
    let mut scripts: Vec<Puts> = people
        .iter()
        .enumerate()
        .map(|(number, person)| Puts {
            requests: world.as_person(person),
            pool: pool.clone(),
            first: (number + 1) << 32,
            sent: 0,
            acknowledged: 0,
        })
        .collect();
    let (mut times, mut report) = (Histogram::default(), blank(options, "recovery"));
    for _ in 0..rounds {
        let address = world.address;
        let (back, killed) = std::thread::scope(|scope| {
            let load = scope.spawn(move || drive(address, scripts, Pace::Closed, Duration::MAX));
            std::thread::sleep(options.span());
            let killed = Instant::now();
            world.server.kill();
            // The load ends when its connections do.
            (load.join().expect("the load does not panic"), killed)
        });
        scripts = back?.1;
        world.restarted(Server::serve(dir.path())?)?;
        let last = scripts.iter().find(|script| script.acknowledged > 0);
        let last = last.ok_or_else(|| End::new(Exit::Failed, "nothing was acknowledged before the kill"))?;
        let right = there(&world, last.first + last.acknowledged - 1, &pool)?;
        times.add(killed.elapsed());
        report.errors += u64::from(!right);
        for script in &mut scripts {
            for number in script.acknowledged.saturating_sub(CHECKED)..script.acknowledged {
                report.ops += 1;
                report.errors += u64::from(!there(&world, script.first + number, &pool)?);
            }
            // What was in flight may be there or not; it is written again, which changes nothing.
            script.sent = script.acknowledged;
        }
    }
    latencies(&mut report, &Tally { latencies: times, ..Tally::default() });
    Ok(vec![report])
}

/// Fills the state.
fn load(world: &World, nodes: usize, pool: &Pool) -> Result<(), End> {
    let pool = pool.clone();
    let render = move |number: usize, requests: &mut Requests, out: &mut Vec<u8>| {
        requests.post(out, APP, "batch.run", |body| {
            body.extend_from_slice(b"{\"calls\":[");
            for node in number * BATCH..(number + 1) * BATCH {
                if node > number * BATCH {
                    body.push(b',');
                }
                body.extend_from_slice(b"{\"method\":\"graph.putNode\",\"args\":");
                graph::put_node(body, nth_id("state", node), pool.take(node, ROW_BYTES));
                body.push(b'}');
            }
            body.extend_from_slice(b"]}");
        });
    };
    let good = |_: usize, body: &[u8]| memchr::memmem::find(body, b"\"code\":").is_none();
    world.bulk(nodes.div_ceil(BATCH), |_| world.as_server(), render, good)
}

/// Whether a node that was acknowledged is there, as it was written.
fn there(world: &World, number: usize, pool: &Pool) -> Result<bool, End> {
    let ids = json!({ "ids": [nth_id("kept", number).to_string()] });
    let found = world.call_as_server("graph.getNodes", &ids)?;
    let data = found["items"][0]["attributes"]["data"].as_str().unwrap_or_default();
    Ok(data.as_bytes() == pool.take(number, DATA_BYTES))
}

/// One connection, which makes nodes, and knows how many it was told are there.
struct Puts {
    requests: Requests,
    pool: Pool,
    first: usize,
    sent: usize,
    acknowledged: usize,
}

impl Script for Puts {
    fn next(&mut self, out: &mut Vec<u8>) -> bool {
        let number = self.first + self.sent;
        self.sent += 1;
        let data = self.pool.take(number, DATA_BYTES);
        self.requests
            .post(out, APP, "graph.putNode", |body| graph::put_node(body, nth_id("kept", number), data));
        true
    }

    fn check(&mut self, status: u16, _: &[u8]) -> bool {
        if status == 200 {
            self.acknowledged = self.sent;
        }
        status == 200
    }
}

const STATE_BYTES: usize = 1 << 30;
/// Kills.
const ROUNDS: usize = 3;
/// Data of a node of the state, and of those that are written under load.
const ROW_BYTES: usize = 4_096;
const DATA_BYTES: usize = 128;
const BATCH: usize = 50;
/// Of each connection, how many of the last acknowledged writes are looked for.
const CHECKED: usize = 20;
