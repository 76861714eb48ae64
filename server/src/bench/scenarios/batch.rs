//! `batch`: `batch.run` with ten calls, half of them writes. An operation is one call.

use super::graph::{self, Pool};
use crate::bench::child::TempDir;
use crate::bench::load::Script;
use crate::bench::measure::{Target, compared, rows};
use crate::bench::report::Report;
use crate::bench::wire::{Requests, text};
use crate::bench::world::{APP, World, nth_id};
use crate::bench::{Options, Scenario};
use crate::program::exit::End;

/// The scenario.
pub const SCENARIO: Scenario = Scenario {
    name: "batch",
    about: "Ten calls in one request, half of them writes; an operation is one call",
    seconds: 10,
    connections: 64,
    in_process: false,
    run,
};

fn run(options: &Options) -> Result<Vec<Report>, End> {
    let dir = TempDir::new()?;
    let world = World::start(dir.path())?;
    graph::declare(&world)?;
    let people = world.people(options.connections)?;
    let pool = Pool::new();
    let script = |(number, person)| Batches {
        requests: world.as_person(person),
        pool: pool.clone(),
        number: number << 32,
    };
    let scripts = people.iter().enumerate().map(script).collect();
    let target = Target { address: world.address, pid: world.server.pid() };
    let before = world.quiet()?;
    let (mut report, scripts) = compared(options, "batch", &target, scripts, CALLS as u64)?;
    let written = world.quiet()?.since(&before);
    let asked: u64 = scripts.iter().map(|script: &Batches| (script.number & 0xffff_ffff) as u64 * 2).sum();
    let per_op = written.rows as f64 / asked.max(1) as f64;
    report.rows = Some(rows((per_op * report.ops as f64) as u64, report.ops, options.span()));
    Ok(vec![report])
}

/// One connection: makes five nodes, and reads each again.
struct Batches {
    requests: Requests,
    pool: Pool,
    number: usize,
}

impl Script for Batches {
    fn next(&mut self, out: &mut Vec<u8>) -> bool {
        let (pool, first) = (&self.pool, self.number);
        self.number += CALLS / 2;
        self.requests.post(out, APP, "batch.run", |body| {
            body.extend_from_slice(b"{\"calls\":[");
            for number in first..first + CALLS / 2 {
                if number > first {
                    body.push(b',');
                }
                let id = nth_id("batch", number);
                body.extend_from_slice(b"{\"method\":\"graph.putNode\",\"args\":");
                graph::put_node(body, id, pool.take(number, DATA_BYTES));
                body.extend_from_slice(b"},{\"method\":\"graph.getNodes\",\"args\":{\"ids\":[\"");
                body.extend_from_slice(&text(id));
                body.extend_from_slice(b"\"]}}");
            }
            body.extend_from_slice(b"]}");
        });
        true
    }

    fn check(&mut self, status: u16, body: &[u8]) -> bool {
        // Each node comes twice: made, and read.
        let done = memchr::memmem::find_iter(body, b"\"attributes\":{\"data\":").count();
        status == 200 && done == CALLS
    }
}

const CALLS: usize = 10;
const DATA_BYTES: usize = 128;
