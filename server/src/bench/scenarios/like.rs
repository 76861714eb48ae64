//! `like`: one like with all that it causes: the liker's links, the post's inverse link and count, the author's
//! notification. Beside the like itself it tells how often the log was written and synced for it.

use std::sync::Arc;

use serde_json::json;

use crate::bench::child::TempDir;
use crate::bench::load::Script;
use crate::bench::measure::{Target, compared, rows};
use crate::bench::report::{Report, rounded};
use crate::bench::wire::{Requests, text};
use crate::bench::world::{APP, World, nth_id};
use crate::bench::{Options, Scenario};
use crate::program::exit::End;

/// The scenario.
pub const SCENARIO: Scenario = Scenario {
    name: "like",
    about: "A like with all that it causes: rows, log writes and syncs",
    seconds: 10,
    connections: 64,
    in_process: false,
    run,
};

fn run(options: &Options) -> Result<Vec<Report>, End> {
    let dir = TempDir::new()?;
    let world = World::start(dir.path())?;
    let people = world.people(options.connections)?;
    let callers: Arc<Vec<Requests>> = Arc::new(people.iter().map(|person| world.as_person(person)).collect());
    let authors = callers.clone();
    let render = move |number: usize, requests: &mut Requests, out: &mut Vec<u8>| {
        requests.clone_from(&authors[number % authors.len()]);
        let post = json!({ "id": nth_id("post", number).to_string(), "text": "Like me" }).to_string();
        requests.post(out, APP, "post.create", |body| body.extend_from_slice(post.as_bytes()));
    };
    let posts = POSTS_PER_SECOND * options.seconds as usize;
    world.bulk(posts, |_| world.as_server(), render, |_, _| true)?;
    let before = world.quiet()?;
    let scripts = (0..people.len())
        .map(|number| Likes { requests: callers[number].clone(), place: number, asked: 0, posts })
        .collect();
    let target = Target { address: world.address, pid: world.server.pid() };
    let (mut like, scripts) = compared(options, "like", &target, scripts, 1)?;
    let written = world.quiet()?.since(&before);
    let asked: u64 = scripts.iter().map(|script: &Likes| script.asked as u64).sum();
    // All phases are counted together; the closed one gets its share.
    let share = |count: u64| (count as f64 / asked.max(1) as f64 * like.ops as f64) as u64;
    let (all_rows, entries, syncs) = (share(written.rows), share(written.entries), share(written.syncs));
    like.rows = Some(rows(all_rows, like.ops, options.span()));
    let part = |bench: &str, ops: u64| Report {
        ops,
        ops_per_second: Some(rounded(ops as f64 / options.span().as_secs_f64())),
        ..crate::bench::measure::blank(options, bench)
    };
    let (entries, syncs) = (part("like-log-writes", entries), part("like-syncs", syncs));
    Ok(vec![like, entries, syncs])
}

/// One person, who likes one post after another.
struct Likes {
    requests: Requests,
    place: usize,
    asked: usize,
    posts: usize,
}

impl Script for Likes {
    fn next(&mut self, out: &mut Vec<u8>) -> bool {
        // Everybody begins elsewhere, so that no post is hot. Whoever has liked all begins again with another kind.
        let post = text(nth_id("post", (self.place * 61 + self.asked) % self.posts));
        let kind: &[u8] = if (self.asked / self.posts).is_multiple_of(2) { b"like" } else { b"love" };
        self.asked += 1;
        self.requests.post(out, APP, "like.put", |body| {
            body.extend_from_slice(b"{\"id\":\"");
            body.extend_from_slice(&post);
            body.extend_from_slice(b"\",\"kind\":\"");
            body.extend_from_slice(kind);
            body.extend_from_slice(b"\"}");
        });
        true
    }

    fn check(&mut self, status: u16, body: &[u8]) -> bool {
        status == 200 && body.starts_with(b"{\"id\":")
    }
}

/// Posts to like: enough that nobody likes one twice, at 64 connections and some 20,000 likes a second.
const POSTS_PER_SECOND: usize = 1_000;
