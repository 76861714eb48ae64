//! `fanout`: somebody whom ten thousand follow posts, again and again, so that there is always something to deliver. An
//! operation is one entry in one follower's home timeline.

use std::time::{Duration, Instant};

use serde_json::json;

use super::engine::{Shape, bare_rows_per_second};
use crate::bench::child::TempDir;
use crate::bench::load::{Pace, Script, Tally, drive};
use crate::bench::measure::{Closed, Hello, complain, latencies, report, rows};
use crate::bench::report::{Report, rounded};
use crate::bench::usage;
use crate::bench::wire::Requests;
use crate::bench::world::{APP, Person, World, nth_id};
use crate::bench::{Options, Scenario};
use crate::program::exit::End;

/// The scenario.
pub const SCENARIO: Scenario = Scenario {
    name: "fanout",
    about: "Posts of somebody whom 10,000 follow; an operation is one entry at one follower",
    seconds: 20,
    connections: 64,
    in_process: false,
    run,
};

fn run(options: &Options) -> Result<Vec<Report>, End> {
    let dir = TempDir::new()?;
    let world = World::start(dir.path())?;
    let mut people = world.people(FOLLOWERS + 1)?;
    let author = people.pop().expect("one more than followers was made");
    follow(&world, &people, &author)?;
    let start = world.quiet()?;
    let mut posts = Posts { requests: world.as_person(&author), next: 0, asked: 0 };
    let mut hello = Hello::start(options.connections)?;
    hello.run(options.span() / 2)?;

    let cpu_before = usage::cpu(world.server.pid());
    let begun = Instant::now();
    let mut tally = Tally::default();
    let before = world.counters()?;
    while begun.elapsed() < options.span() {
        // The counters are renewed every 100 ms.
        let under_way = world.counters()?.fanouts as usize;
        posts.asked = AT_ONCE.saturating_sub(under_way);
        let (more, mut back) = drive(world.address, vec![posts], Pace::Closed, Duration::MAX)?;
        tally.merge(more);
        posts = back.pop().expect("the script that was given");
        std::thread::sleep(Duration::from_millis(100));
    }
    tally.elapsed = begun.elapsed();
    let window = world.counters()?.since(&before);
    let cpu =
        usage::cpu(world.server.pid()).zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
    let rss = usage::resident(world.server.pid());
    let total = world.quiet()?.since(&start);
    hello.run(options.span() / 2)?;

    // The writes of the post itself are in it too: they are part of what an entry costs.
    let rows_per_entry = total.rows as f64 / (posts.next * FOLLOWERS).max(1) as f64;
    let entries = (window.rows as f64 / rows_per_entry.max(1e-9)) as u64;
    let post_rate = entries as f64 / FOLLOWERS as f64 / tally.elapsed.as_secs_f64();
    posts.asked = usize::MAX;
    let (paced, mut back) =
        drive(world.address, vec![posts], Pace::PerSecond(post_rate / 2.0), options.span())?;
    let posts = back.pop().expect("the script that was given");
    world.quiet()?;
    let missing = missing(&world, &people, posts.next)?;

    let elapsed = tally.elapsed;
    let closed = Closed { tally, cpu, rss };
    let mut report = report(options, "fanout", &closed, entries, &hello);
    latencies(&mut report, &paced);
    report.errors += paced.errors + missing;
    complain([&closed.tally, &paced]);
    let mut written = rows(window.rows, entries, elapsed);
    let bare = bare_rows_per_second(&Shape::of(&total), options.span() / 2)?;
    written.ratio_to_engine = written.rows_per_second.map(|rate| rounded(rate / bare));
    report.rows = Some(written);
    Ok(vec![report])
}

fn follow(world: &World, people: &[Person], author: &Person) -> Result<(), End> {
    let callers: Vec<Requests> = people.iter().map(|person| world.as_person(person)).collect();
    let body = json!({ "id": author.id.to_string() }).to_string();
    let render = move |number: usize, requests: &mut Requests, out: &mut Vec<u8>| {
        requests.clone_from(&callers[number]);
        requests.post(out, APP, "follow.create", |out| out.extend_from_slice(body.as_bytes()));
    };
    world.bulk(people.len(), |_| world.as_server(), render, |_, _| true)
}

/// How many of some followers' newest entries are not the newest posts.
fn missing(world: &World, people: &[Person], posts: usize) -> Result<u64, End> {
    let shown = posts.min(SHOWN);
    let mut missing = 0;
    for person in people.iter().step_by(people.len() / SAMPLE) {
        let page = world.call("timeline.getHome", Some(&person.token), &json!({ "limit": SHOWN }))?;
        let text = page["items"].to_string();
        let there = |number: &usize| text.contains(&nth_id("post", *number).to_string());
        missing += (posts - shown..posts).filter(|number| !there(number)).count() as u64;
    }
    if missing > 0 {
        eprintln!("gomer: {missing} of {} entries did not reach their timelines", shown * SAMPLE);
    }
    Ok(missing)
}

/// The author's connection.
struct Posts {
    requests: Requests,
    /// The next post's number.
    next: usize,
    /// How many to send now.
    asked: usize,
}

impl Script for Posts {
    fn next(&mut self, out: &mut Vec<u8>) -> bool {
        if self.asked == 0 {
            return false;
        }
        self.asked -= 1;
        let id = nth_id("post", self.next);
        self.next += 1;
        self.requests.post(out, APP, "post.create", |body| {
            body.extend_from_slice(format!("{{\"id\":\"{id}\",\"text\":\"Hello, all of you\"}}").as_bytes());
        });
        true
    }

    fn check(&mut self, status: u16, body: &[u8]) -> bool {
        status == 200 && body.starts_with(b"{\"id\":")
    }
}

const FOLLOWERS: usize = 10_000;
/// Fan-outs under way at once: enough that there is always one.
const AT_ONCE: usize = 8;
/// Followers who are looked at in the end, and how many of their entries.
const SAMPLE: usize = 50;
const SHOWN: usize = 50;
