//! Followers of partitions: their places, and that nothing is missed between two looks.

mod kit;

use std::collections::BTreeSet;
use std::time::Duration;

use gomer::followers::{Follower, changes};
use gomer_core::id::{AppId, Partition, RootKind};
use gomer_core::vnode::query::ChangesFrom;
use kit::{Kit, With};
use serde_json::json;

fn app(kit: &Kit, name: &str) -> AppId {
    kit.host.cluster.meta().apps[name].id
}

fn partitions(kit: &Kit) -> Vec<Partition> {
    kit.host.cluster.partitions().all().collect()
}

/// Posts that a follower is told of, until it has everything.
async fn posts(kit: &Kit, follower: &Follower, name: &str, limit: u32) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for partition in partitions(kit) {
        let mut place = follower.place(&kit.host, app(kit, name), partition).await.unwrap();
        loop {
            let page = place.next(&kit.host, limit).await.unwrap();
            let posts = page.items.iter().filter(|change| change.root.kind == RootKind::Post);
            seen.extend(posts.map(|change| change.root.id.to_string()));
            let end = page.end;
            assert!(place.keep(&kit.host, page.next).await.unwrap(), "nobody else moves it");
            if end {
                break;
            }
        }
    }
    seen
}

#[tokio::test]
async fn a_follower_is_told_of_everything_once_and_goes_on_after_a_restart() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let (search, backup) = (Follower::new("search"), Follower::new("backup"));
    let mut first = BTreeSet::new();
    for _ in 0..10 {
        first.insert(kit.publish(&ann, "Hello", "public").await);
    }
    assert_eq!(posts(&kit, &search, "one", 3).await, first);
    assert!(posts(&kit, &search, "two", 3).await.is_empty(), "another app's");
    let late = kit.publish(&ann, "Late", "public").await;
    let kit = kit.restart().await;
    assert_eq!(posts(&kit, &search, "one", 3).await, BTreeSet::from([late.clone()]));
    assert!(posts(&kit, &search, "one", 3).await.is_empty());
    first.insert(late);
    assert_eq!(posts(&kit, &backup, "one", 100).await, first, "each name has places of its own");
}

#[tokio::test]
async fn a_place_that_somebody_else_moved_is_not_moved_back() {
    let kit = Kit::start().await;
    let (one, partition) = (app(&kit, "one"), Partition(3));
    let follower = Follower::new("search");
    let mut mine = follower.place(&kit.host, one, partition).await.unwrap();
    let mut theirs = follower.place(&kit.host, one, partition).await.unwrap();
    assert_eq!(mine.from, ChangesFrom::START);
    let page = mine.next(&kit.host, 10).await.unwrap();
    assert!(mine.keep(&kit.host, page.next).await.unwrap());
    assert!(mine.keep(&kit.host, page.next).await.unwrap(), "the same again changes nothing");
    assert!(!theirs.keep(&kit.host, page.next).await.unwrap(), "it was made meanwhile");
    let mut theirs = follower.place(&kit.host, one, partition).await.unwrap();
    assert_eq!(theirs, mine);
    assert!(mine.pause(&kit.host, true).await.unwrap());
    assert!(!theirs.reset(&kit.host).await.unwrap(), "it was paused meanwhile");
    let mut paused = follower.place(&kit.host, one, partition).await.unwrap();
    assert!(paused.paused && paused.from == page.next);
    assert!(paused.pause(&kit.host, false).await.unwrap());
    assert!(paused.reset(&kit.host).await.unwrap());
    let begun = follower.place(&kit.host, one, partition).await.unwrap();
    assert!(begun.from == ChangesFrom::START && !begun.paused);
    follower.forget(&kit.host, one, partition).await.unwrap();
    Follower::new("never there").forget(&kit.host, one, partition).await.unwrap();
}

/// Waits until what was written has had all its effects elsewhere: no partition has moved for a while.
async fn settle(kit: &Kit, app: AppId) {
    let (mut before, mut quiet) = (Vec::new(), 0);
    while quiet < 5 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let mut heads = Vec::new();
        for partition in partitions(kit) {
            heads.push(changes(&kit.host, app, partition, ChangesFrom::START, 0).await.unwrap().head);
        }
        quiet = if heads == before { quiet + 1 } else { 0 };
        before = heads;
    }
}

#[tokio::test]
async fn lag_is_what_is_left_and_skipping_leaves_nothing() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    for _ in 0..20 {
        kit.publish(&ann, "Hello", "public").await;
    }
    let one = app(&kit, "one");
    let follower = Follower::new("search");
    settle(&kit, one).await;
    for partition in partitions(&kit) {
        let mut place = follower.place(&kit.host, one, partition).await.unwrap();
        let head = changes(&kit.host, one, partition, place.from, 0).await.unwrap().head;
        assert_eq!(place.lag(&kit.host).await.unwrap(), head.0);
        assert!(place.skip(&kit.host).await.unwrap());
        let page = place.next(&kit.host, 100).await.unwrap();
        assert!(page.items.is_empty() && page.end && !page.resync && page.lag() == 0);
        // Writing the place down is a write like others, and nobody is told of it.
        assert!(place.lag(&kit.host).await.unwrap() <= 1);
    }
    assert!(posts(&kit, &follower, "one", 10).await.is_empty());
    let with = With { token: Some(&ann.token), ..With::default() };
    let post = json!({ "id": kit.uuid(), "text": "After", "audience": "public" });
    kit.call_with("post.create", with, post).await.expect(200);
    assert_eq!(posts(&kit, &follower, "one", 10).await.len(), 1);
}
