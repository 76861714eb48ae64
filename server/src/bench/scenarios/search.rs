//! `search`: how fast an index that was lost is made again, and how fast it answers.

use std::time::{Duration, Instant};

use gomer_core::rng::Rng;
use serde_json::json;

use crate::bench::child::{Server, TempDir};
use crate::bench::load::Script;
use crate::bench::measure::{Target, blank, compared};
use crate::bench::report::{Report, rounded};
use crate::bench::wire::Requests;
use crate::bench::world::{APP, World, nth_id};
use crate::bench::{Options, Scenario};
use crate::program::exit::{End, Exit};
use crate::program::search::SEARCH_DIR;

/// The scenario.
pub const SCENARIO: Scenario = Scenario {
    name: "search",
    about: "Posts indexed per second from nothing, and questions of two words",
    seconds: 10,
    connections: 64,
    in_process: false,
    run,
};

fn run(options: &Options) -> Result<Vec<Report>, End> {
    let dir = TempDir::new()?;
    let mut world = World::start(dir.path())?;
    let people = world.people(options.connections)?;
    let authors: Vec<Requests> = people.iter().map(|person| world.as_person(person)).collect();
    let render = move |number: usize, requests: &mut Requests, out: &mut Vec<u8>| {
        requests.clone_from(&authors[number % authors.len()]);
        let text = text(&mut Rng::new(number as u64), POST_WORDS);
        let post = json!({ "id": nth_id("post", number).to_string(), "text": text }).to_string();
        requests.post(out, APP, "post.create", |body| body.extend_from_slice(post.as_bytes()));
    };
    let posts = POSTS_PER_SECOND * options.seconds as usize;
    world.bulk(posts, |_| world.as_server(), render, |_, _| true)?;
    world.quiet()?;
    world.server.kill();
    let index = dir.path().join("data").join(SEARCH_DIR);
    std::fs::remove_dir_all(&index)
        .map_err(|error| End::new(Exit::Failed, format!("{}: {error}", index.display())))?;
    let started = Instant::now();
    world.restarted(Server::serve(dir.path())?)?;
    let until = started + FOLLOW_MAX;
    while (world.counters()?.documents as usize) < posts {
        if Instant::now() > until {
            return Err(End::new(Exit::Failed, "the index was not made again"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let rate = posts as f64 / started.elapsed().as_secs_f64();
    let made =
        Report { ops: posts as u64, ops_per_second: Some(rounded(rate)), ..blank(options, "search-index") };
    let asker =
        |number: usize| Asker { requests: world.as_person(&people[number]), rng: Rng::new(number as u64) };
    let scripts = (0..people.len()).map(asker).collect();
    let target = Target { address: world.address, pid: world.server.pid() };
    let (asked, _) = compared(options, "search-posts", &target, scripts, 1)?;
    Ok(vec![made, asked])
}

/// Words as people use them: few of them often.
fn text(rng: &mut Rng, words: usize) -> String {
    let mut text = String::new();
    for _ in 0..words {
        // The square of a draw leans to the small numbers.
        let draw = rng.below(SPREAD);
        text.push_str(&format!("w{} ", draw * draw / (SPREAD * SPREAD / VOCABULARY)));
    }
    text
}

/// Somebody who asks for one thing after another.
struct Asker {
    requests: Requests,
    rng: Rng,
}

impl Script for Asker {
    fn next(&mut self, out: &mut Vec<u8>) -> bool {
        let question = json!({ "text": text(&mut self.rng, 2), "limit": 10 }).to_string();
        self.requests.post(out, APP, "search.findPosts", |body| body.extend_from_slice(question.as_bytes()));
        true
    }

    fn check(&mut self, status: u16, body: &[u8]) -> bool {
        status == 200 && body.starts_with(b"{\"items\":[")
    }
}

/// Posts to find.
const POSTS_PER_SECOND: usize = 2_000;
/// Words of a post.
const POST_WORDS: usize = 20;
/// Different words.
const VOCABULARY: u64 = 20_000;
const SPREAD: u64 = 1 << 20;
/// How long making the index may take.
const FOLLOW_MAX: Duration = Duration::from_secs(300);
