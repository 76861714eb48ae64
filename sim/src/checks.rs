//! What must hold when everything has come to rest.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gomer_core::client::Event;
use serde_json::{Value, json};

use crate::phone::results;
use crate::smoke::{Person, World, until};

/// All of it.
pub async fn all(world: &mut World) -> Result<()> {
    nothing_was_refused(world)?;
    nothing_is_lost_or_doubled(world).await?;
    done_once(world).await?;
    fresh_phones_see_the_same(world).await
}

/// Every operation was confirmed: nothing that these people do is wrong.
fn nothing_was_refused(world: &World) -> Result<()> {
    for person in &world.people {
        let reports = person.handset.look(|_, kept| kept.reports.clone());
        ensure!(reports.is_empty(), "{} was told that something failed: {reports:#?}", person.name);
    }
    Ok(())
}

/// The server has the posts that were written, each once and with its last text, and counts each like once.
async fn nothing_is_lost_or_doubled(world: &World) -> Result<()> {
    for (who, person) in world.people.iter().enumerate() {
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
        let name = |post: &Value| (post["id"].as_str().unwrap_or_default().to_owned(), post["text"].clone());
        let mut listed: Vec<_> = listed.iter().map(name).collect();
        listed.sort_by(|a, b| a.0.cmp(&b.0));
        let wrote = world.told.posts.iter().filter(|(_, (author, _))| *author == who);
        let mut wrote: Vec<_> = wrote.map(|(id, (_, text))| (id.to_string(), json!(text))).collect();
        wrote.sort_by(|a, b| a.0.cmp(&b.0));
        ensure!(listed == wrote, "posts of {}: wrote {wrote:#?}, listed {listed:#?}", person.name);
    }
    let person = &world.people[0];
    let ids: Vec<String> = world.told.posts.keys().map(|id| id.to_string()).collect();
    let (status, counts) = person.ask("like.getCounts", Some(person.token()?), json!({ "ids": ids })).await?;
    ensure!(status == 200, "like.getCounts: {status} {counts}");
    for item in counts["items"].as_array().context("counts are a list")? {
        let id = item["id"].as_str().unwrap_or_default();
        let likes = world.told.likes.iter().filter(|(_, post)| post.to_string() == id).count();
        ensure!(item["count"] == json!(likes), "{id} has {likes} likes, counted are {item}");
    }
    Ok(())
}

/// Everything that was ever pushed is pushed again: the same replies come, and nothing changes.
async fn done_once(world: &World) -> Result<()> {
    let before: Vec<_> = world.people.iter().map(|person| person.handset.rows()).collect();
    for person in &world.people {
        let (pushes, told) = person.handset.look(|_, kept| (kept.pushes.clone(), kept.results.clone()));
        for push in pushes {
            let push: Value = serde_json::from_str(&push).context("a push is JSON")?;
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

/// Pushes until nothing of it is refused for its rate.
async fn push_again(person: &Person, push: Value) -> Result<Vec<(String, Value)>> {
    loop {
        let (status, reply) = person.ask("sync.push", Some(person.token()?), push.clone()).await?;
        ensure!(status == 200, "sync.push again: {status} {reply}");
        let results = results(&reply.to_string());
        if results.iter().all(|(_, result)| result["status"] != json!(429)) {
            return Ok(results);
        }
        madsim::time::sleep(Duration::from_secs(2)).await;
    }
}

/// A new phone that starts from nothing comes to the same cache as the old one.
async fn fresh_phones_see_the_same(world: &mut World) -> Result<()> {
    for (who, (name, host)) in [("ada-new", 11), ("bruno-new", 12)].into_iter().enumerate() {
        let roots = world.roots(who);
        let fresh = {
            let (profile, handle) = (world.people[who].profile, world.people[who].name);
            let fresh = Person::fresh(name, host, profile, world);
            fresh.sign_in(handle).await?;
            fresh
        };
        fresh.handset.tell(Event::AppFollows(roots));
        let old = &world.people[who].handset;
        until(&format!("{name} has seen everything"), || fresh.handset.is_settled()).await?;
        let what = format!("both phones of {} have the same", world.people[who].name);
        let same = until(&what, || fresh.handset.rows() == old.rows()).await;
        same.with_context(|| diff(&old.rows(), &fresh.handset.rows()))?;
        ensure!(!old.rows().is_empty(), "the phones have nothing to compare");
    }
    Ok(())
}

type Rows = BTreeMap<String, String>;

/// What is different, `-` on the left only, `+` on the right only.
fn diff(left: &Rows, right: &Rows) -> String {
    let only = |sign: char, of: &Rows, other: &Rows| {
        let rows = of.iter().filter(|(key, value)| other.get(*key) != Some(value));
        rows.map(|(key, value)| format!("\n{sign} {key}: {value}")).collect::<String>()
    };
    only('-', left, right) + &only('+', right, left)
}
