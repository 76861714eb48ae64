//! `hot`: everybody writes to one root. What can one root take, and what do writers to other roots feel of it?

use std::time::Duration;

use super::graph;
use crate::bench::child::TempDir;
use crate::bench::load::{Pace, Script, Tally, drive};
use crate::bench::measure::{Target, blank, compared, complain, latencies};
use crate::bench::report::{Report, rounded};
use crate::bench::wire::Requests;
use crate::bench::world::{APP, World};
use crate::bench::{Options, Scenario};
use crate::program::exit::End;

/// The scenario.
pub const SCENARIO: Scenario = Scenario {
    name: "hot",
    about: "Writes to one root, and what its neighbours feel of them",
    seconds: 10,
    connections: 64,
    in_process: false,
    run,
};

fn run(options: &Options) -> Result<Vec<Report>, End> {
    let dir = TempDir::new()?;
    let world = World::start(dir.path())?;
    graph::declare(&world)?;
    let people = world.people(options.connections + NEIGHBOURS)?;
    let (crowd, neighbours) = people.split_at(options.connections);
    let hot: Vec<Puts> = crowd
        .iter()
        .enumerate()
        .map(|(number, person)| Puts {
            requests: world.as_person(person),
            root: Some(0),
            next: (number + 1) << 32,
        })
        .collect();
    let near: Vec<Puts> = neighbours
        .iter()
        .enumerate()
        .map(|(number, person)| Puts {
            requests: world.as_person(person),
            root: None,
            next: (number + 1) << 24,
        })
        .collect();
    let target = Target { address: world.address, pid: world.server.pid() };
    let (ceiling, hot) = compared(options, "hot", &target, hot, 1)?;
    let pace = Pace::PerSecond(NEIGHBOURS_PER_SECOND);
    let (quiet, near) = drive(world.address, near, pace, options.span())?;
    let (loud, crowd) = std::thread::scope(|scope| {
        // A little longer than the neighbours, so that they never have it quiet.
        let span = options.span() + Duration::from_millis(500);
        let address = world.address;
        let crowd = scope.spawn(move || drive(address, hot, Pace::Closed, span));
        let loud = drive(world.address, near, pace, options.span());
        (loud, crowd.join().expect("the load does not panic"))
    });
    let ((loud, _), (crowd, _)) = (loud?, crowd?);
    complain([&quiet, &loud, &crowd]);
    let part = |bench: &str, tally: &Tally| {
        let (ops, errors) = (tally.ops, tally.errors);
        let rate = Some(rounded(tally.per_second()));
        let mut part =
            Report { ops, errors, connections: NEIGHBOURS, ops_per_second: rate, ..blank(options, bench) };
        latencies(&mut part, tally);
        part
    };
    let (quiet, mut loud) = (part("hot-neighbours-before", &quiet), part("hot-neighbours", &loud));
    loud.errors += crowd.errors;
    Ok(vec![ceiling, quiet, loud])
}

/// One connection that adds links: to one node, or each to another.
struct Puts {
    requests: Requests,
    root: Option<usize>,
    next: usize,
}

impl Script for Puts {
    fn next(&mut self, out: &mut Vec<u8>) -> bool {
        self.next += 1;
        let (from, to) = (self.root.unwrap_or(self.next), self.next);
        self.requests.post(out, APP, "graph.putLink", |body| graph::put_link(body, 0, from, to, b"12345678"));
        true
    }

    fn check(&mut self, status: u16, body: &[u8]) -> bool {
        status == 200 && body.starts_with(b"{\"from\":")
    }
}

/// Writers to other roots, and what they write together each second: little, so that they do not wait for each other.
const NEIGHBOURS: usize = 8;
const NEIGHBOURS_PER_SECOND: f64 = 400.0;
