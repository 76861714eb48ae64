//! Whatever people do to each other at the same time: when all steps have arrived, both sides tell the same story.

mod kit;

use std::collections::BTreeSet;
use std::time::Duration;

use gomer::model::{BLOCKED_BY, BLOCKS, FOLLOWED_BY, FOLLOWS, REQUESTED, REQUESTED_BY};
use gomer_core::id::{AppId, Id, LinkType, Root};
use gomer_core::rng::Rng;
use gomer_core::vnode::query::{Answer, Query};
use kit::{Kit, Person};
use serde_json::json;

/// All links of one type among these people, as (from, to).
async fn links(kit: &Kit, app: AppId, people: &[Person], ty: LinkType) -> BTreeSet<(Id, Id)> {
    let mut all = BTreeSet::new();
    for person in people {
        let id: Id = person.id.parse().unwrap();
        let query = Query::LinkPage { ty, after: None, since: None, until: None, limit: 100 };
        let reading = kit.host.cluster.read(app, Root::profile(id), query).await.unwrap();
        let Answer::LinkPage(page, true) = reading.answer else { panic!("a short list is one page") };
        let count = kit.host.cluster.read(app, Root::profile(id), Query::LinkCounts(vec![ty])).await.unwrap();
        assert_eq!(count.answer, Answer::LinkCounts(vec![page.len() as u64]), "{ty:?} of {}", person.handle);
        all.extend(page.into_iter().map(|link| (id, link.to)));
    }
    all
}

fn turned(links: &BTreeSet<(Id, Id)>) -> BTreeSet<(Id, Id)> {
    links.iter().map(|&(from, to)| (to, from)).collect()
}

/// What is wrong, if anything.
async fn disagreement(kit: &Kit, app: AppId, people: &[Person]) -> Option<String> {
    let mut lists = Vec::new();
    for (ty, inverse) in [(FOLLOWS, FOLLOWED_BY), (REQUESTED, REQUESTED_BY), (BLOCKS, BLOCKED_BY)] {
        let (one, other) = (links(kit, app, people, ty).await, links(kit, app, people, inverse).await);
        if one != turned(&other) {
            return Some(format!("{ty:?} {one:?} but {inverse:?} {other:?}"));
        }
        lists.push(one);
    }
    let blocked: BTreeSet<_> = lists[2].union(&turned(&lists[2])).copied().collect();
    let over = lists[0].union(&lists[1]).find(|pair| blocked.contains(pair)).copied();
    over.map(|pair| format!("{pair:?} is blocked, and follows or asks"))
}

async fn act(kit: &Kit, people: &[Person], draw: (u64, u64, u64)) {
    let (who, whom) = (&people[draw.0 as usize], &people[draw.1 as usize]);
    let (method, body) = match draw.2 {
        0..=4 => ("follow.create", json!({ "id": whom.id })),
        5..=6 => ("follow.delete", json!({ "id": whom.id })),
        7..=9 => ("follow.accept", json!({ "id": whom.id })),
        10 => ("follow.reject", json!({ "id": whom.id })),
        11 => ("block.create", json!({ "id": whom.id })),
        12..=13 => ("block.delete", json!({ "id": whom.id })),
        14 => ("profile.update", json!({ "private": true })),
        _ => ("profile.update", json!({ "private": false })),
    };
    let answer = kit.call(method, Some(&who.token), body).await;
    assert!(matches!(answer.status, 200 | 404 | 422), "{method}: {}", answer.text);
}

#[tokio::test]
async fn both_sides_agree_when_all_has_arrived() {
    let kit = Kit::start().await;
    let app = kit.host.cluster.meta().apps["one"].id;
    for seed in 0..40 {
        let mut people = Vec::new();
        for name in ["ann", "bob", "cleo"] {
            people.push(kit.person(&format!("{name}_{seed}")).await);
        }
        let mut rng = Rng::new(seed);
        for _ in 0..40 {
            // Three at once, so that they cross each other on the way.
            let mut draw = || (rng.below(3), rng.below(3), rng.below(16));
            let (one, two, three) = (draw(), draw(), draw());
            tokio::join!(act(&kit, &people, one), act(&kit, &people, two), act(&kit, &people, three));
            kit.skip(Duration::from_secs(2));
        }
        let mut left = disagreement(&kit, app, &people).await;
        for _ in 0..100 {
            if left.is_none() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            left = disagreement(&kit, app, &people).await;
        }
        assert_eq!(left, None, "seed {seed}");
    }
}
