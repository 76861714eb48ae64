//! Three members as three processes: what one of them loses is still there, and the others go on.

mod members;
mod trio;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gomer_tests::process::{Start, run};
use gomer_tests::{Api, Dir, wait_for, wait_until};
use serde_json::{Value, json};

use trio::{NAMES, Trio, uuid};

/// From a member's death on, every request to the others must have succeeded after so long, refusals that may be
/// tried again included.
const BAR: Duration = Duration::from_secs(3);

/// Somebody with an account, who posts through one member after another.
#[derive(Debug, Clone)]
struct Author {
    token: String,
}

impl Author {
    fn sign_up(trio: &Trio, at: usize) -> Author {
        let id = uuid();
        let handle = format!("p_{}", &id[24..]);
        let body = json!({"id": id, "handle": handle, "password": "correct horse battery"});
        let made = succeed(&mut trio.api(at), "auth.createAccount", &body).0;
        let token = made["accessToken"].as_str().or_else(|| made["session"]["accessToken"].as_str());
        Author { token: token.unwrap_or_else(|| panic!("no token in {made}")).to_owned() }
    }
}

/// Calls until it succeeds, as a phone does: only what may be tried again is. Tells how long it took.
#[track_caller]
fn succeed(api: &mut Api, method: &str, body: &Value) -> (Value, Duration) {
    let begun = Instant::now();
    loop {
        let reply = api.call(method, body);
        if reply.status == 200 {
            return (reply.json(), begun.elapsed());
        }
        let retry = reply.json()["retry"].clone();
        assert!(retry == "same" || retry == "later", "{method}: {}", reply.told());
        assert!(begun.elapsed() < BAR * 4, "{method}: still {} after {:?}", reply.told(), begun.elapsed());
        thread::sleep(Duration::from_millis(50));
    }
}

/// What a load has done.
#[derive(Debug, Default)]
struct Done {
    posts: Vec<String>,
    slowest: Duration,
}

/// Posts through these members at once while `meanwhile` does something; then for `after` more. A request that was
/// sent before it counts for the bar from its own beginning.
fn load(trio: &Trio, authors: &[Author], through: &[usize], meanwhile: impl FnOnce()) -> Done {
    let stop = AtomicBool::new(false);
    let made = AtomicUsize::new(0);
    thread::scope(|scope| {
        let workers: Vec<_> = (authors.iter().enumerate())
            .map(|(number, author)| {
                let at = through[number % through.len()];
                let mut api = trio.api(at).with_token(&author.token);
                let (stop, made) = (&stop, &made);
                scope.spawn(move || {
                    let mut done = Done::default();
                    while !stop.load(Ordering::Relaxed) {
                        let id = uuid();
                        let post = json!({"id": id, "text": format!("through {}", NAMES[at])});
                        let (_, wrote) = succeed(&mut api, "post.create", &post);
                        let (read, took) = succeed(&mut api, "post.get", &json!({"id": id}));
                        assert_eq!(read["id"], id.as_str(), "who has written reads it");
                        done.slowest = done.slowest.max(wrote).max(took);
                        done.posts.push(id);
                        made.fetch_add(1, Ordering::Relaxed);
                    }
                    done
                })
            })
            .collect();
        wait_until("the load runs", || made.load(Ordering::Relaxed) >= 20);
        meanwhile();
        thread::sleep(BAR + Duration::from_secs(1));
        stop.store(true, Ordering::Relaxed);
        let all = workers.into_iter().map(|worker| worker.join().expect("a worker's request was refused"));
        all.fold(Done::default(), |mut sum, done| {
            sum.posts.extend(done.posts);
            sum.slowest = sum.slowest.max(done.slowest);
            sum
        })
    })
}

/// Every post is there, whoever is asked.
#[track_caller]
fn all_there(trio: &Trio, author: &Author, posts: &[String], through: &[usize]) {
    for &at in through {
        let mut api = trio.api(at).with_token(&author.token);
        for page in posts.chunks(50) {
            let (found, _) = succeed(&mut api, "post.getMany", &json!({"ids": page}));
            let found: Vec<&str> = found["items"]
                .as_array()
                .expect("items")
                .iter()
                .filter_map(|post| post["id"].as_str())
                .collect();
            for id in page {
                assert!(found.contains(&id.as_str()), "{id} is missing at {}", NAMES[at]);
            }
        }
    }
}

#[test]
fn what_was_acknowledged_survives_any_one_member_and_all_at_once() {
    let dir = Dir::new("cluster");
    let mut trio = Trio::start(&dir);
    trio.without_rates();
    let authors: Vec<Author> = (0..4).map(|number| Author::sign_up(&trio, number % 3)).collect();
    let mut posts = Vec::new();

    // The member that made the demo, and leads a third of everything.
    let victim = trio.take(0);
    let done = load(&trio, &authors, &[1, 2], || drop(victim.kill()));
    println!("killed: {} posts, slowest {:?}", done.posts.len(), done.slowest);
    assert!(done.slowest <= BAR, "a request took {:?} after a member's death", done.slowest);
    posts.extend(done.posts);
    all_there(&trio, &authors[0], &posts, &[1, 2]);

    trio.start_again(0);
    trio.until_ready(0);
    all_there(&trio, &authors[0], &posts, &[0, 1, 2]);
    // What it missed it has fetched.
    wait_for("the member has caught up", || {
        let status = trio.status(1);
        let members = status["members"].as_array().expect("members");
        members.iter().all(|member| member["lag"] == 0 && member["reachable"] == true).then_some(())
    });

    // Stopped, it closes no connection: the others must notice by themselves.
    let stopped = trio.at(1);
    let done = load(&trio, &authors, &[0, 2], || stopped.signal("STOP"));
    println!("stopped: {} posts, slowest {:?}", done.posts.len(), done.slowest);
    stopped.signal("CONT");
    assert!(done.slowest <= BAR, "a request took {:?} after a member was stopped", done.slowest);
    posts.extend(done.posts);
    trio.until_ready(1);
    all_there(&trio, &authors[0], &posts, &[1]);

    #[allow(clippy::needless_range_loop, reason = "the number names the member, too")]
    for at in 0..3 {
        trio.take(at).kill();
    }
    #[allow(clippy::needless_range_loop, reason = "the number names the member, too")]
    for at in 0..3 {
        trio.start_again(at);
    }
    (0..3).for_each(|at| trio.until_ready(at));
    all_there(&trio, &authors[0], &posts, &[0, 1, 2]);
    #[allow(clippy::needless_range_loop, reason = "the number names the member, too")]
    for at in 0..3 {
        assert_eq!(trio.take(at).stop().code(), Some(0), "{}", NAMES[at]);
    }
}

#[test]
fn without_a_majority_requests_are_refused_and_may_be_tried_again() {
    let dir = Dir::new("minority");
    let mut trio = Trio::start(&dir);
    let author = Author::sign_up(&trio, 0);
    trio.take(1).kill();
    trio.take(2).kill();
    let mut api = trio.api(0).with_token(&author.token);
    let reply = api.call("post.create", &json!({"id": uuid(), "text": "to nobody"}));
    assert!(matches!(reply.status, 503 | 504), "{}", reply.told());
    let retry = &reply.json()["retry"];
    assert!(retry == "later" || retry == "same", "{}", reply.told());
    wait_until("it says that nobody leads", || {
        let ready = trio.at(0).client().get("/readyz", &[]).expect("it lives");
        ready.status == 503 && ready.json()["reasons"] == json!(["no-leader"])
    });
    trio.start_again(1);
    trio.until_ready(0);
    succeed(&mut api, "post.create", &json!({"id": uuid(), "text": "to two of three"}));
}

#[test]
fn operators_see_members_and_partitions() {
    let dir = Dir::new("operators");
    let trio = Trio::start(&dir);
    wait_until("every partition has a leader", || {
        let status = trio.status(2);
        status["partitions"]
            .as_array()
            .expect("partitions")
            .iter()
            .all(|partition| partition["leader"] != Value::Null)
    });
    let asked = |what: &str, more: &[&str]| {
        let data = trio.data(0);
        let mut args = vec!["cluster", what, "--server", trio.at(1).admin(), "--data"];
        args.push(data.to_str().expect("a path that is text"));
        args.extend(more);
        let (status, out, err) = run(&args);
        assert!(status.success(), "{err}");
        out
    };
    let json: Value = serde_json::from_str(&asked("status", &["--json"])).expect("one object");
    assert_eq!(json["generation"], 1);
    assert!(json["cluster"].is_string() && json["asOfMs"].is_u64(), "{json}");
    let members = json["members"].as_array().expect("members");
    assert_eq!(members.iter().map(|member| member["name"].as_str().unwrap()).collect::<Vec<_>>(), NAMES[..3]);
    let leaders: u64 = members.iter().map(|member| member["leaders"].as_u64().expect("a number")).sum();
    assert_eq!(leaders, 64, "{json}");
    assert!(members.iter().all(|m| m["partitions"] == 64 && m["state"] == "valid" && m["reachable"] == true));
    let json: Value = serde_json::from_str(&asked("partitions", &["--json"])).expect("one object");
    let partitions = json["partitions"].as_array().expect("partitions");
    assert_eq!(partitions.len(), 64);
    for partition in partitions {
        let replicas = partition["replicas"].as_array().expect("replicas");
        assert_eq!(replicas.len(), 3);
        assert!(replicas.contains(&partition["leader"]) && partition["learners"] == json!([]), "{partition}");
    }
    let table = asked("status", &[]);
    assert!(table.starts_with("NAME") && NAMES[..3].iter().all(|name| table.contains(name)), "{table}");
    assert_eq!(asked("partitions", &[]).lines().count(), 65);
}

#[test]
fn a_wiped_directory_is_refused_by_the_others() {
    let dir = Dir::new("wiped");
    let mut trio = Trio::start(&dir);
    let data = trio.take(2).kill();
    std::fs::remove_dir_all(&data).expect("a test can remove its data");
    // It may end before it says that it is ready, or soon after.
    let (status, log) = match trio.starter(2, &data).attempt() {
        Err(ended) => ended,
        Ok(server) => {
            trio.put_back(2, server);
            (wait_for("it ends", || trio.ended(2)), trio.log(2))
        }
    };
    assert_eq!(status.code(), Some(5));
    assert!(log.contains("wiped, rolled back or copied"), "{log}");
    succeed(&mut trio.api(0), "app.getInfo", &json!({}));
}

#[test]
fn a_directory_belongs_to_its_member_and_its_ring() {
    let dir = Dir::new("belongs");
    let mut trio = Trio::start(&dir);
    let data = trio.take(2).kill();
    let (status, log) = Start::new(&data).attempt().expect_err("it is of a cluster");
    assert!(status.code() == Some(3) && log.contains("cluster.members"), "{log}");
    let (status, log) = trio.starter(1, &data).attempt().expect_err("it is another member's");
    assert!(status.code() == Some(3) && log.contains("was made for eve"), "{log}");
    let alone = dir.path().join("alone");
    Start::new(&alone).args(&["--no-demo"]).ready().stop();
    let (status, log) = trio.starter(2, &alone).attempt().expect_err("it has data of its own");
    assert!(status.code() == Some(3) && log.contains("was alone"), "{log}");
}
