//! `sync`: phones that pull. Once each is up to date, so that nothing is new; once each is twenty entries behind.

use serde_json::{Value, json};

use crate::bench::child::TempDir;
use crate::bench::load::Script;
use crate::bench::measure::{Target, compared};
use crate::bench::report::Report;
use crate::bench::wire::Requests;
use crate::bench::world::{APP, World, nth_id};
use crate::bench::{Options, Scenario};
use crate::program::exit::{End, Exit};

/// The scenario.
pub const SCENARIO: Scenario = Scenario {
    name: "sync",
    about: "Phones that pull what is new: nothing, and twenty entries",
    seconds: 10,
    connections: 64,
    in_process: false,
    run,
};

fn run(options: &Options) -> Result<Vec<Report>, End> {
    let dir = TempDir::new()?;
    let world = World::start(dir.path())?;
    let mut people = world.people(PHONES + 1)?;
    let author = people.pop().expect("one more than phones was made");
    let callers: Vec<Requests> = people.iter().map(|person| world.as_person(person)).collect();
    let follow = json!({ "id": author.id.to_string() }).to_string();
    let each = callers.clone();
    let render = move |number: usize, requests: &mut Requests, out: &mut Vec<u8>| {
        requests.clone_from(&each[number]);
        requests.post(out, APP, "follow.create", |body| body.extend_from_slice(follow.as_bytes()));
    };
    world.bulk(PHONES, |_| world.as_server(), render, |_, _| true)?;
    world.quiet()?;
    let behind = cursors(&world, &callers)?;
    for number in 0..NEW {
        let post = json!({ "id": nth_id("post", number).to_string(), "text": format!("Post number {number} of somebody whom many follow") });
        world.call("post.create", Some(&author.token), &post)?;
    }
    world.quiet()?;
    let up_to_date = cursors(&world, &callers)?;
    let target = Target { address: world.address, pid: world.server.pid() };
    let mut reports = Vec::new();
    for (bench, cursors, items) in [("sync-0", up_to_date, 0), ("sync-20", behind, NEW)] {
        let scripts = scripts(options.connections, &callers, &cursors, items);
        reports.push(compared(options, bench, &target, scripts, 1)?.0);
    }
    Ok(reports)
}

/// A cursor that is up to date, for each.
fn cursors(world: &World, callers: &[Requests]) -> Result<Vec<String>, End> {
    let cursors = std::sync::Arc::new(std::sync::Mutex::new(vec![String::new(); callers.len()]));
    let (each, into) = (callers.to_vec(), cursors.clone());
    let render = move |number: usize, requests: &mut Requests, out: &mut Vec<u8>| {
        requests.clone_from(&each[number]);
        requests.get(out, APP, &[b"sync.getStatus"]);
    };
    world.bulk(
        callers.len(),
        |_| world.as_server(),
        render,
        move |number, body| {
            let json: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
            let Some(cursor) = json["cursor"].as_str() else { return false };
            cursor.clone_into(&mut into.lock().expect("nothing panics under this lock")[number]);
            true
        },
    )?;
    let cursors = std::mem::take(&mut *cursors.lock().expect("nothing panics under this lock"));
    if cursors.iter().any(String::is_empty) {
        return Err(End::new(Exit::Failed, "a phone has no cursor"));
    }
    Ok(cursors)
}

/// Deals the phones out to the connections.
fn scripts(connections: usize, callers: &[Requests], cursors: &[String], items: usize) -> Vec<Pull> {
    let mut scripts: Vec<Pull> =
        (0..connections).map(|_| Pull { pulls: Vec::new(), next: 0, items }).collect();
    for (number, (caller, cursor)) in callers.iter().zip(cursors).enumerate() {
        let mut request = Vec::new();
        let body = json!({ "cursor": cursor }).to_string();
        caller.clone().post(&mut request, APP, "sync.pull", |out| out.extend_from_slice(body.as_bytes()));
        scripts[number % connections].pulls.push(request);
    }
    // With more connections than phones some share one.
    for number in callers.len()..connections {
        scripts[number].pulls = scripts[number % callers.len()].pulls.clone();
    }
    scripts
}

/// One connection, on which some phones take turns. Each always shows the same cursor, and so gets the same.
struct Pull {
    pulls: Vec<Vec<u8>>,
    next: usize,
    items: usize,
}

impl Script for Pull {
    fn next(&mut self, out: &mut Vec<u8>) -> bool {
        out.extend_from_slice(&self.pulls[self.next]);
        self.next = (self.next + 1) % self.pulls.len();
        true
    }

    fn check(&mut self, status: u16, body: &[u8]) -> bool {
        let items = memchr::memmem::find_iter(body, b"{\"op\":\"put\"").count();
        status == 200 && items == self.items && body.ends_with(b",\"end\":true}")
    }
}

/// Phones, dealt out to the connections.
const PHONES: usize = 1_024;
/// Entries that a phone is behind.
const NEW: usize = 20;
