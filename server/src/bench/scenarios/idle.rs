//! `idle`: what a connection costs the server in memory: one that has asked something and rests, and one on which a
//! phone waits for news. `rssBytes` is what each one adds.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::bench::child::TempDir;
use crate::bench::load::connect;
use crate::bench::measure::blank;
use crate::bench::report::Report;
use crate::bench::usage;
use crate::bench::wire::{self, Reply};
use crate::bench::world::{APP, World};
use crate::bench::{Options, Scenario};
use crate::program::exit::{End, Exit};

/// The scenario.
pub const SCENARIO: Scenario = Scenario {
    name: "idle",
    about: "Memory of the server per resting and per waiting connection",
    seconds: 2,
    connections: 10_000,
    in_process: false,
    run,
};

fn run(options: &Options) -> Result<Vec<Report>, End> {
    let spare = 100;
    if let Some(max) = usage::files_max()
        && max < options.connections + WARM + spare
    {
        let why = format!(
            "this process may open {max} files: raise that with `ulimit -n`, or ask for --connections {}",
            max.saturating_sub(WARM + spare)
        );
        return Err(End::new(Exit::Usage, why));
    }
    let dir = TempDir::new()?;
    let world = World::start(dir.path())?;
    let person = world.people(1)?.remove(0);
    let resident = || {
        std::thread::sleep(options.span());
        usage::resident(world.server.pid())
    };
    let mut errors = 0;
    // The first ones make room that later ones share.
    let warm = open(&world, WARM, &mut errors)?;
    let before = resident();
    let open = open(&world, options.connections, &mut errors)?;
    let resting = resident();
    let waiting_count = options.connections.min(WAITING_MAX);
    let status = world.call("sync.getStatus", Some(&person.token), &json!({}))?;
    let wait = json!({ "cursor": status["cursor"], "waitS": 30 }).to_string();
    let mut pull = Vec::new();
    let mut requests = world.as_person(&person);
    requests.post(&mut pull, APP, "sync.pull", |body| body.extend_from_slice(wait.as_bytes()));
    for mut stream in open.iter().take(waiting_count) {
        if stream.write_all(&pull).is_err() {
            errors += 1;
        }
    }
    let waiting = resident();
    // Whoever was answered at once does not wait.
    for mut stream in open.iter().take(waiting_count) {
        let nothing =
            matches!(stream.read(&mut [0; 1]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
        errors += u64::from(!nothing);
    }
    let each = |after: Option<u64>, before: Option<u64>, count: usize| {
        after.zip(before).map(|(after, before)| after.saturating_sub(before) / count.max(1) as u64)
    };
    let idle = each(resting, before, open.len());
    let extra = each(waiting, resting, waiting_count);
    drop(warm);
    let report = |bench: &str, ops: usize, rss: Option<u64>| Report {
        ops: ops as u64,
        rss_bytes: rss,
        connections: ops,
        ..blank(options, bench)
    };
    let mut resting = report("idle", open.len(), idle);
    resting.errors = errors;
    let waiting = report("idle-waiting", waiting_count, idle.zip(extra).map(|(idle, extra)| idle + extra));
    Ok(vec![resting, waiting])
}

/// Connections that have each asked something once.
fn open(world: &World, count: usize, errors: &mut u64) -> Result<Vec<TcpStream>, End> {
    let mut open = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = connect(world.address).map_err(|error| {
            End::new(Exit::Unreachable, format!("after {} connections: {error}", open.len()))
        })?;
        *errors += u64::from(ask(&mut stream).is_none());
        open.push(stream);
    }
    Ok(open)
}

/// One request, answered with 200.
fn ask(stream: &mut TcpStream) -> Option<()> {
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: gomer\r\n\r\n").ok()?;
    let (mut input, mut filled) = ([0; 4096], 0);
    loop {
        filled += stream.read(&mut input[filled..]).ok().filter(|&count| count > 0)?;
        match wire::parse(&input[..filled]) {
            Reply::Partial => {}
            Reply::Whole { status: 200, .. } => break,
            Reply::Whole { .. } | Reply::Bad => return None,
        }
    }
    stream.set_nonblocking(true).ok()
}

/// Connections before anything counts.
const WARM: usize = 200;
/// Fewer than the requests that a server takes at once by default.
const WAITING_MAX: usize = 2_000;
