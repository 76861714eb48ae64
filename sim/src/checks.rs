//! What must hold when everything has come to rest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use gomer_core::client::{Key, Report, Verdict};
use gomer_core::id::{Id, Position};
use gomer_sim::history::Line;
use gomer_sim::invariants::folded::Hidden;
use serde_json::{Value, json};

use crate::people::{Person, until, until_within};
use crate::phone::results;
use crate::plan::{Call, What};
use crate::world::{Failed, World, broken};

/// What compares replicas with each other.
const REPLICAS: &str = "replicas have the same rows";

/// All of it. What clients were told is judged afterwards, from the history that is written here to its end.
pub async fn all(world: &mut World) -> Result<(), Failed> {
    replicas_agree(world).await.map_err(broken(REPLICAS))?;
    look_around(world).await.map_err(broken("what is there can be read"))?;
    // What a disk forgot that was put back from an older copy is lost, and nobody promised otherwise for a
    // cluster of one: what can be said of it, the history says. That phones and server agree again must hold all
    // the same.
    if world.crew.rolled_back().is_empty() {
        nothing_was_refused(world).map_err(broken("what is right is not refused"))?;
        nothing_is_lost_or_doubled(world).await.map_err(broken("nothing acknowledged is lost or doubled"))?;
        done_once(world).await.map_err(broken("an operation takes effect once"))?;
    }
    fresh_phones_see_the_same(world).await.map_err(broken("a new phone sees what an old one sees"))?;
    for person in &world.people {
        world.around.witness.add(Line::View(person.handset.view()));
    }
    Ok(())
}

/// How long replicas may take until they have the same, once all is whole.
const AGREE: Duration = Duration::from_secs(60);

/// Every member that holds a partition has come as far, has the same rows, and trusts them.
async fn replicas_agree(world: &World) -> Result<()> {
    if world.plan.config.members == 1 {
        return Ok(());
    }
    let mut why = String::new();
    let agree = until_within(AGREE, Duration::from_millis(500), "all replicas have the same", || {
        why = disagreement(world).unwrap_or_default();
        why.is_empty()
    });
    let agreed = agree.await;
    agreed.with_context(|| why)
}

/// What replicas do not have in common.
fn disagreement(world: &World) -> Option<String> {
    let mut known: BTreeMap<u16, Vec<(String, Position, u64)>> = BTreeMap::new();
    for machine in world.crew.machines() {
        let name = &machine.name;
        let Some(cluster) = machine.running.lock().expect(UNPOISONED).clone() else {
            return Some(format!("{name} does not run"));
        };
        let (meta, shards) = cluster.status();
        for shard in shards.iter().chain([&meta]) {
            if let Some(partition) = shard.suspect.iter().chain(&shard.receiving).next() {
                return Some(format!("{name} has no rows of partition {} that it trusts", partition.0));
            }
            for &(partition, _) in &shard.positions {
                let Some((position, digest)) = cluster.digest(partition) else {
                    return Some(format!("{name} cannot read partition {}", partition.0));
                };
                known.entry(partition.0).or_default().push((name.clone(), position, digest));
            }
        }
    }
    let of = |replica: &(String, Position, u64)| (replica.1, replica.2);
    let differs = known.iter().find(|(_, replicas)| replicas.iter().any(|one| of(one) != of(&replicas[0])));
    differs.map(|(partition, replicas)| {
        let of = |(name, position, digest): &(String, Position, u64)| {
            format!("{name} {digest:016x} at {position}")
        };
        format!("partition {partition}: {}", replicas.iter().map(of).collect::<Vec<_>>().join(", "))
    })
}

/// Posts that one call reads.
const POSTS_A_CALL: usize = 50;

/// Every post is read once more by its author, and by somebody else: what came of it all is part of the history.
async fn look_around(world: &World) -> Result<()> {
    for person in &world.people {
        // The session of weeks ago may have ended.
        person.sign_in().await?;
    }
    for app in 0..world.plan.config.apps {
        let people: Vec<&Person> = world.people.iter().filter(|person| person.app == app).collect();
        if people.is_empty() {
            continue;
        }
        let mut posts: Vec<(u32, Id)> = world.around.square.posts(app);
        posts.extend(world.told[app as usize].posts.iter().map(|(id, post)| (post.author, *id)));
        let other = |number: u32| {
            people.iter().position(|p| p.number == number).map_or(0, |at| at + 1) % people.len()
        };
        for (at, person) in people.iter().enumerate() {
            let read = |post: &&(u32, Id)| post.0 == person.number || other(post.0) == at;
            let ids: Vec<String> = posts.iter().filter(read).map(|(_, id)| id.to_string()).collect();
            for ids in ids.chunks(POSTS_A_CALL) {
                let (status, page) =
                    person.ask("post.getMany", Some(person.token()?), json!({ "ids": ids })).await?;
                ensure!(status == 200, "post.getMany: {status} {page}");
            }
            let (status, profile) = person
                .ask("profile.get", Some(person.token()?), json!({ "id": person.profile.to_string() }))
                .await?;
            ensure!(status == 200, "profile.get: {status} {profile}");
        }
    }
    Ok(())
}

/// Every operation was confirmed: nothing that these people do on their phones is wrong. Two things may be told:
/// where a clock is wrong, that an edit was made before another one that came first; and where people block each
/// other, that a post cannot be liked.
fn nothing_was_refused(world: &World) -> Result<()> {
    let clocks = world.has(|fault| {
        matches!(fault, What::Step { .. } | What::Skew { .. } | What::Drift { .. } | What::PhoneSkew { .. })
    });
    let blocks = world.calls(Call::Block);
    let may_be = |report: &&Report| match &report.verdict {
        Verdict::Overruled { .. } => clocks,
        Verdict::Refused { status: 404, .. } => blocks && report.operation.method == "like.put",
        _ => false,
    };
    for person in &world.people {
        let reports = person.handset.look(|_, kept| kept.reports.clone());
        let wrong: Vec<&Report> = reports.iter().filter(|report| !may_be(report)).collect();
        ensure!(wrong.is_empty(), "{} was told that something failed: {wrong:#?}", person.name);
    }
    Ok(())
}

/// The server has the posts that were written, each once and with its last text, and counts each like once.
async fn nothing_is_lost_or_doubled(world: &World) -> Result<()> {
    let mut refused = BTreeSet::new();
    for person in &world.people {
        let reports = person.handset.look(|_, kept| kept.reports.clone());
        let likes = reports.iter().filter(|report| report.operation.method == "like.put");
        let post = |report: &Report| report.operation.args["id"].as_str().unwrap_or_default().to_owned();
        refused.extend(likes.map(|report| (person.number, post(report))));
    }
    for person in &world.people {
        let told = &world.told[person.app as usize];
        let token = person.token()?;
        let mut listed = Vec::new();
        let mut cursor = Value::Null;
        loop {
            let mut args = json!({ "id": person.profile.to_string() });
            if !cursor.is_null() {
                args["cursor"] = cursor;
            }
            let (status, page) = person.ask("post.listByProfile", Some(token.clone()), args).await?;
            ensure!(status == 200, "post.listByProfile: {status} {page}");
            listed.extend(page["items"].as_array().context("a page has items")?.iter().cloned());
            cursor = page["cursor"].clone();
            if page["end"] == json!(true) {
                break;
            }
        }
        // An edit that another overruled was reported to its author: only what was not is held against the server.
        let overruled = person.handset.look(|_, kept| !kept.reports.is_empty());
        let text = |text: Value| if overruled { Value::Null } else { text };
        let name =
            |post: &Value| (post["id"].as_str().unwrap_or_default().to_owned(), text(post["text"].clone()));
        // What was posted by calls is the history's affair.
        let called: BTreeSet<String> =
            world.around.square.posts(person.app).iter().map(|(_, id)| id.to_string()).collect();
        let mut listed: Vec<_> = listed.iter().map(name).filter(|(id, _)| !called.contains(id)).collect();
        listed.sort_by(|a, b| a.0.cmp(&b.0));
        let wrote = told.posts.iter().filter(|(_, post)| post.author == person.number);
        let mut wrote: Vec<_> = wrote.map(|(id, post)| (id.to_string(), text(json!(post.text)))).collect();
        wrote.sort_by(|a, b| a.0.cmp(&b.0));
        let (missing, more): (Vec<_>, Vec<_>) = (
            wrote.iter().filter(|post| !listed.contains(post)).collect(),
            listed.iter().filter(|post| !wrote.contains(post)).collect(),
        );
        ensure!(
            listed == wrote,
            "posts of {}: {} written, {} listed; not as written {missing:#?}, listed {more:#?}",
            person.name,
            wrote.len(),
            listed.len()
        );
        let likes_of = |id: &Id| {
            let likes = told.likes.iter().filter(|(_, post)| post == id);
            likes.filter(|(who, post)| !refused.contains(&(*who, post.to_string()))).count()
        };
        let ids: Vec<&Id> = told.posts.keys().collect();
        for ids in ids.chunks(50) {
            let named: Vec<String> = ids.iter().map(|id| id.to_string()).collect();
            let (status, counts) =
                person.ask("like.getCounts", Some(token.clone()), json!({ "ids": named })).await?;
            ensure!(status == 200, "like.getCounts: {status} {counts}");
            let counts = counts["items"].as_array().context("counts are a list")?;
            for id in ids {
                // What hides its author from this person is left out.
                let Some(item) = counts.iter().find(|item| item["id"] == json!(id.to_string())) else {
                    ensure!(told.posts[*id].author != person.number, "{id} is not counted for its author");
                    continue;
                };
                let likes = likes_of(id);
                ensure!(item["count"] == json!(likes), "{id} has {likes} likes, counted are {item}");
            }
        }
    }
    Ok(())
}

/// Everything that was ever pushed and done is pushed again: the same replies come, and nothing changes.
async fn done_once(world: &World) -> Result<()> {
    let before: Vec<_> = world.people.iter().map(|person| person.handset.rows()).collect();
    for person in &world.people {
        let (pushes, told) = person.handset.look(|_, kept| (kept.pushes.clone(), kept.results.clone()));
        for push in pushes {
            let mut push: Value = serde_json::from_str(&push).context("a push is JSON")?;
            let operations = push["operations"].as_array_mut().context("a push has operations")?;
            // What was refused may be done now: the world has moved on.
            operations.retain(|operation| operation["op"].as_str().is_some_and(|op| told.contains_key(op)));
            for (op, result) in push_again(person, push).await? {
                let first = told.get(&op);
                ensure!(
                    first == Some(&result),
                    "{op} of {}: first {first:#?}, again {result:#?}",
                    person.name
                );
            }
        }
    }
    madsim::time::sleep(Duration::from_secs(5)).await;
    world.settle().await?;
    for (person, before) in world.people.iter().zip(before) {
        let after = person.handset.rows();
        ensure!(
            before == after,
            "the same pushes again changed what {} has: {}",
            person.name,
            diff(&before, &after)
        );
    }
    Ok(())
}

/// Pushes until nothing of it is refused for its rate. A whole push and its operations together are more than the
/// rate allows at once, so what was refused is pushed again alone.
async fn push_again(person: &Person, mut push: Value) -> Result<Vec<(String, Value)>> {
    let mut told = Vec::new();
    for _ in 0..TRIES {
        let (status, reply) = person.ask("sync.push", Some(person.token()?), push.clone()).await?;
        ensure!(status == 200, "sync.push again: {status} {reply}");
        let is_later = |result: &Value| matches!(result["status"].as_u64(), Some(429 | 503));
        let results = results(&reply.to_string());
        told.extend(results.into_iter().filter(|(_, result)| !is_later(result)));
        let operations = push["operations"].as_array_mut().context("a push has operations")?;
        operations.retain(|operation| told.iter().all(|(op, _)| operation["op"] != json!(op)));
        if operations.is_empty() {
            return Ok(told);
        }
        madsim::time::sleep(Duration::from_secs(2)).await;
    }
    bail!("a push of {} is refused again and again: {push}", person.name)
}

const TRIES: usize = 100;

/// A new phone that starts from nothing comes to the same cache as the old one. But for two things: a link of somebody
/// else's list that leads to a person with whom there is a block, or was; and a notification of what such a person did,
/// or about a post that was deleted. What hides them is written elsewhere and does not change what is synced, so the old
/// phone keeps what it had; the new one is not sent it, and where a block was lifted, only the next change of the link
/// shows it to the old one again.
async fn fresh_phones_see_the_same(world: &mut World) -> Result<()> {
    // Nobody writes any more.
    let evidence = world.around.witness.evidence();
    let hidden = Hidden::of(&evidence);
    for who in 0..world.people.len() {
        let fresh = world.people[who].fresh(&mut world.rng, &world.around);
        fresh.sign_in().await?;
        let old = &world.people[who];
        fresh.open(world.others(old), &world.told[old.app as usize])?;
        until(&format!("{} has seen everything", fresh.name), || fresh.handset.is_settled()).await?;
        let what = format!("both phones of {} have the same", old.name);
        let me = old.profile.to_string();
        let left_out =
            |key: &Key, value: &Value| hidden.may_differ(&me, &key.scope.root, &key.of_type, &key.id, value);
        let shown = |person: &Person| person.handset.rows_but(&left_out);
        // All is at rest: what is not the same by then never will be.
        let (patience, look) = (Duration::from_secs(60), Duration::from_secs(1));
        let same = until_within(patience, look, &what, || shown(&fresh) == shown(old)).await;
        same.with_context(|| diff(&shown(old), &shown(&fresh)))?;
        ensure!(!old.handset.rows().is_empty(), "the phones have nothing to compare");
    }
    Ok(())
}

const UNPOISONED: &str = "a run ends with the first panic";

type Rows = BTreeMap<String, String>;

/// What is different, `-` on the left only, `+` on the right only.
fn diff(left: &Rows, right: &Rows) -> String {
    let only = |sign: char, of: &Rows, other: &Rows| {
        let rows = of.iter().filter(|(key, value)| other.get(*key) != Some(value));
        rows.map(|(key, value)| format!("\n{sign} {key}: {value}")).collect::<String>()
    };
    only('-', left, right) + &only('+', right, left)
}
