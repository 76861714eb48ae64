//! The main job on real input: two people's phones and a crowd, over HTTP, against the release binary that is
//! killed in the middle. What was acknowledged is there afterwards; the phones' sync is complete, exact, and
//! repeats nothing.

mod crowd;
mod device;

use std::collections::{BTreeMap, BTreeSet};

use gomer_tests::{Api, Dir, Gomer, wait_until};
use serde_json::{Value, json};

use crowd::{Crowd, Person};
use device::Device;

/// An app without rate limits, so that a test may be a crowd behind one address.
fn open(server: &Gomer) -> Api {
    let demo = server.credentials("demo.json");
    let text = |name: &str| demo[name].as_str().expect("the demo's keys are there").to_owned();
    let api = Api::new(server.http(), &text("app"), &text("clientKey"));
    let mut admin = api.with_token(&text("adminToken"));
    admin.call("admin.updateSettings", &json!({"settings": {"rates": {"enabled": false}}})).expect(200);
    api
}

fn device(server: &Gomer, person: &Person, seed: u64) -> Device {
    let demo = server.credentials("demo.json");
    let mut device = Device::new(server.http(), "demo", demo["clientKey"].as_str().unwrap(), seed);
    let session = person.sign_in(server);
    device.sign_in(&person.id, &session.access, &session.refresh);
    device
}

/// Ids of the posts in the person's home timeline, as the phone holds them.
fn home_posts(device: &Device) -> Vec<String> {
    let object = |value: &Value| value["object"].as_str()?.strip_prefix("post:").map(str::to_owned);
    let mut posts: Vec<String> = device.rows_of_type("home").iter().filter_map(object).collect();
    posts.sort();
    posts
}

/// Rows in which two devices of one person differ; the first few are enough.
fn differences(one: &Device, other: &Device) -> Vec<String> {
    let rows = |device: &Device| -> BTreeMap<String, Value> { device.contents().into_iter().collect() };
    let (one, other) = (rows(one), rows(other));
    let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let differ = keys.into_iter().filter(|key| one.get(*key) != other.get(*key));
    differ.take(5).map(|key| format!("{key}: {:?} and {:?}", one.get(key), other.get(key))).collect()
}

#[test]
fn what_is_queued_offline_counts_once_and_reaches_the_other_phone() {
    let dir = Dir::new("phones");
    let server = Gomer::start(&dir.path().join("data"));
    let api = open(&server);
    let (ann, bob) = (Person::sign_up(&api, "ann"), Person::sign_up(&api, "bob"));
    bob.api(&api).call("follow.create", &json!({"id": ann.id})).expect(200);

    let mut phone = device(&server, &ann, 1);
    phone.sync();
    let posts: Vec<String> = (0..3).map(|_| crowd::uuid()).collect();
    for post in &posts {
        phone.write("post.create", json!({"id": post, "text": "written in a tunnel"}), None);
    }
    phone.push_and_lose_the_reply();
    phone.restart();
    phone.sync();
    assert!(phone.reports.is_empty(), "{:?}", phone.reports);
    phone.sync();

    let mut listed = ann.api(&api);
    let listed = listed.query("post.listByProfile", &[("id", &ann.id)]).expect(200).json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(3), "{listed}");

    let mut other = device(&server, &bob, 2);
    wait_until("Ann's posts on Bob's phone", || {
        other.sync();
        home_posts(&other).len() == posts.len()
    });
    let mut expected = posts;
    expected.sort();
    assert_eq!(home_posts(&other), expected);
}

#[test]
fn a_crowd_a_kill_and_nothing_acknowledged_is_missing() {
    let dir = Dir::new("crowd");
    let data = dir.path().join("data");
    let server = Gomer::start(&data);
    let api = open(&server);
    let crowd = Crowd::sign_up(&api, 8);

    // Two phones keep up through it all; their twins come fresh at the end.
    let mut phones: Vec<Device> =
        crowd.people.iter().take(2).zip(10..).map(|(person, seed)| device(&server, person, seed)).collect();
    for phone in &mut phones {
        phone.sync();
    }
    // With the half of the next that is sent before the kill: 10,000 requests.
    let before = crowd.work(&api, 7_500, None);
    for phone in &mut phones {
        phone.sync();
    }
    // Killed under load: whatever is under way then is unknown, whatever was answered is not.
    let during = crowd.work(&api, 5_000, Some(server));
    let server = Gomer::start(&data);
    let api = open(&server);
    let acknowledged = before.and(during);
    assert!(acknowledged.posts.len() > 500, "{} posts", acknowledged.posts.len());
    acknowledged.check(&api, &crowd);

    for (phone, person) in phones.iter_mut().zip(&crowd.people) {
        phone.moved_to(server.http());
        let mut twin = device(&server, person, 99);
        wait_until("all that follows from it", || {
            phone.sync();
            twin.sync();
            acknowledged.are_in(&home_posts(phone), person, &crowd)
        });
        phone.sync();
        twin.sync();
        let differ = differences(phone, &twin);
        assert!(differ.is_empty(), "a phone that was there, and one that came later: {differ:#?}");
        let home = home_posts(phone);
        assert!(home.windows(2).all(|pair| pair[0] != pair[1]), "a post twice in a timeline");
    }
}
