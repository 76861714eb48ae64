//! Four members as processes: one gives away what it holds and takes it back, while people post, by the commands that operators have.

use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use gomer_tests::process::run;
use gomer_tests::{Dir, wait_until};
use serde_json::Value;

use crate::trio::{NAMES, Trio};
use crate::{Author, BAR, all_there, load};

/// `gomer cluster …` by the operator, told to one member.
fn cluster(trio: &Trio, at: usize, line: &[&str]) -> (ExitStatus, String, String) {
    let data = trio.data(0);
    let data = data.to_str().expect("a path that is text");
    let mut args = vec!["cluster"];
    args.extend(line);
    args.extend(["--server", trio.at(at).admin(), "--data", data]);
    run(&args)
}

#[track_caller]
fn done(trio: &Trio, at: usize, line: &[&str]) -> Value {
    let (status, out, err) = cluster(trio, at, &[line, &["--json"]].concat());
    assert!(status.success(), "{line:?}: {err}");
    serde_json::from_str(&out).expect("one object")
}

/// What is refused by the state, with what was said.
#[track_caller]
fn refused(trio: &Trio, at: usize, line: &[&str]) -> String {
    let (status, _, err) = cluster(trio, at, line);
    assert_eq!(status.code(), Some(3), "{line:?}: {err}");
    err
}

fn plan(trio: &Trio, at: usize) -> Value {
    done(trio, at, &["plan"])
}

/// The name of the plan there is.
fn plan_id(trio: &Trio, at: usize) -> String {
    plan(trio, at)["planId"].as_str().expect("something is staged").to_owned()
}

/// Partitions that a member says it holds.
fn held(trio: &Trio, at: usize) -> u64 {
    let status = trio.status(at);
    let members = status["members"].as_array().expect("members").iter();
    let own =
        members.filter(|member| member["name"] == NAMES[at]).map(|member| member["partitions"].as_u64());
    own.flatten().sum()
}

/// Waits for what takes long: a replica moves in three steps, so many at once as is set.
#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(180);
    while !holds() {
        assert!(Instant::now() < end, "waited three minutes, and {what} has not come");
        thread::sleep(Duration::from_millis(200));
    }
}

fn nothing_moves(trio: &Trio, at: usize) -> bool {
    states(trio, at).is_empty()
}

/// The states of the replicas that are left to move.
fn states(trio: &Trio, at: usize) -> Vec<String> {
    let list = done(trio, at, &["transfers"]);
    let all = list["transfers"].as_array().expect("transfers").iter();
    all.map(|one| one["state"].as_str().expect("a state").to_owned()).collect()
}

#[test]
fn four_become_three_and_four_again_while_people_post() {
    let dir = Dir::new("four");
    let trio = Trio::start_of(&dir, 4, &["--cluster-partitions", "8"]);
    trio.without_rates();
    wait_until("the members are in the metadata", || cluster(&trio, 1, &["ring"]).0.success());
    let authors: Vec<Author> = (0..3).map(|number| Author::sign_up(&trio, number)).collect();
    assert_eq!(plan(&trio, 2)["planId"], Value::Null);
    assert_eq!(held(&trio, 3), 6);

    done(&trio, 1, &["leave", "kim"]);
    let staged = refused(&trio, 2, &["force-remove", "kim"]);
    assert!(staged.contains("alreadyStaged") && staged.contains("`leave kim`"), "{staged}");
    let old = plan_id(&trio, 2);
    done(&trio, 1, &["weight", "eve", "90"]);
    let changed = refused(&trio, 2, &["commit", &old]);
    assert!(changed.contains("planChanged") && changed.contains("`weight eve 90` was staged"), "{changed}");
    done(&trio, 1, &["clear"]);
    done(&trio, 1, &["leave", "kim"]);
    let leave = plan_id(&trio, 2);
    let shown = plan(&trio, 2);
    assert_eq!(shown["moves"].as_array().expect("moves").len(), 6, "{shown}");
    let gone = load(&trio, &authors, &[0, 1, 2, 3], || {
        done(&trio, 1, &["handoff", "pause"]);
        done(&trio, 3, &["commit", &leave]);
        thread::sleep(Duration::from_secs(3));
        assert_eq!(states(&trio, 2), ["paused"; 6]);
        assert_eq!(held(&trio, 3), 6, "nothing moves while all is paused");
        assert_eq!(done(&trio, 2, &["transfer-limit", "6"])["movesPaused"], true);
        done(&trio, 0, &["handoff", "resume"]);
        until("kim holds nothing", || nothing_moves(&trio, 0) && held(&trio, 3) == 0);
    });
    println!("left: {} posts, slowest {:?}", gone.posts.len(), gone.slowest);
    assert!(gone.slowest <= BAR, "a request took {:?}", gone.slowest);
    all_there(&trio, &authors[0], &gone.posts, &[0, 1, 2, 3]);
    assert_eq!((0..3).map(|at| held(&trio, at)).collect::<Vec<_>>(), [8, 8, 8]);
    // The same plan again is the same commit.
    done(&trio, 1, &["commit", &leave]);

    done(&trio, 2, &["join", "kim"]);
    let join = plan_id(&trio, 2);
    let back = load(&trio, &authors, &[0, 1, 2, 3], || {
        done(&trio, 0, &["commit", &join]);
        until("kim holds its share", || nothing_moves(&trio, 0) && held(&trio, 3) == 6);
    });
    println!("joined: {} posts, slowest {:?}", back.posts.len(), back.slowest);
    assert!(back.slowest <= BAR, "a request took {:?}", back.slowest);
    let all = [gone.posts, back.posts].concat();
    all_there(&trio, &authors[0], &all, &[0, 1, 2, 3]);
    // A stranger is planned and not let in.
    done(&trio, 1, &["join", "zoe"]);
    let (_, table, _) = cluster(&trio, 1, &["plan"]);
    assert!(table.contains("join zoe") && table.contains("cannot be committed"), "{table}");
    let stranger = refused(&trio, 1, &["commit", &plan_id(&trio, 1)]);
    assert!(stranger.contains("zoe is not in the configuration"), "{stranger}");
}
