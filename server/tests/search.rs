//! Search, as somebody with a phone sees it: what is found, what never is, and that an index that followed is one that was
//! made again.

mod kit;
mod pictures;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use gomer::blob::workers::Inline;
use gomer::host::{Edges, Host};
use gomer::methods::search::follow::{Followed, follow};
use gomer::search::Search;
use gomer::search::document::{Field, Mark, Shelf};
use gomer::search::index::{Batch, Hit, Index, IndexFault, Places};
use gomer::search::memory::MemoryIndex;
use gomer::search::question::{Clause, Question};
use gomer::search::stored::DiskIndex;
use gomer_core::id::Partition;
use gomer_core::rng::Rng;
use hyper::Method;
use kit::{Answer, Kit, Person, With, admin_key, server_key};
use pictures::{jpeg, sha256};
use serde_json::{Value, json};

/// Lets the index follow to the end.
async fn followed(kit: &Kit) -> Followed {
    let followed = follow(&kit.host, false).await.unwrap_or_else(|_| panic!("the index follows"));
    assert_eq!(followed.unread, 0);
    followed
}

/// Somebody who moderates.
async fn moderator(kit: &Kit) -> Person {
    let person = kit.person("moderator1").await;
    let grant = json!({ "profile": person.id, "role": "moderator" });
    kit.call("permission.grantRole", Some(&admin_key("one")), grant).await.expect(200);
    person
}

/// Ids of what was found.
fn found(answer: &Answer) -> Vec<String> {
    let items = answer.json["items"].as_array().unwrap_or_else(|| panic!("a list: {}", answer.text));
    items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

async fn posts(kit: &Kit, who: Option<&Person>, text: &str) -> Vec<String> {
    let token = who.map(|who| who.token.as_str());
    found(&kit.call("search.findPosts", token, json!({ "text": text })).await.expect(200))
}

async fn people(kit: &Kit, who: Option<&Person>, text: &str) -> Vec<String> {
    let token = who.map(|who| who.token.as_str());
    found(&kit.call("search.findProfiles", token, json!({ "text": text })).await.expect(200))
}

const NONE: [String; 0] = [];

#[tokio::test]
async fn own_and_others_posts_and_replies_are_found_newest_first() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let first = kit.publish(&ann, "The quick brown fox", "public").await;
    kit.skip(Duration::from_secs(1));
    let second = kit.publish(&bob, "A QUICK fox — crème brûlée", "public").await;
    kit.skip(Duration::from_secs(1));
    let reply = kit.uuid();
    let body = json!({ "id": reply, "to": { "kind": "post", "id": first }, "text": "quick indeed" });
    kit.call("reply.create", Some(&bob.token), body).await.expect(200);
    assert_eq!(posts(&kit, Some(&ann), "fox").await, NONE, "nothing was followed yet");
    let read = followed(&kit).await;
    assert!(read.put >= 5, "{read:?}");
    for who in [Some(&ann), Some(&bob), None] {
        assert_eq!(posts(&kit, who, "quick").await, [&reply, &second, &first].map(Clone::clone));
        assert_eq!(posts(&kit, who, "FOX quick").await, [&second, &first].map(Clone::clone));
        assert_eq!(posts(&kit, who, "creme brulee").await, std::slice::from_ref(&second));
        assert_eq!(posts(&kit, who, "brûlée").await, std::slice::from_ref(&second));
        assert_eq!(posts(&kit, who, "qui").await, NONE, "words are whole");
        assert_eq!(posts(&kit, who, "fox dog").await, NONE);
    }
    let answer = kit.call("search.findPosts", None, json!({ "text": "quick" })).await.expect(200);
    let types: Vec<&Value> =
        answer.json["items"].as_array().unwrap().iter().map(|item| &item["type"]).collect();
    assert_eq!(types, ["reply", "post", "post"]);
    assert_eq!(answer.json["end"], true);
    assert!(answer.json["lagMs"].is_u64(), "{}", answer.text);
    assert_eq!(followed(&kit).await.put, 0, "and there is nothing more to follow");
}

#[tokio::test]
async fn posts_are_narrowed_by_author_tag_and_time() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let first = kit.publish(&ann, "fox #Über", "public").await;
    kit.skip(Duration::from_secs(60));
    let second = kit.publish(&bob, "fox #über #rust", "public").await;
    kit.skip(Duration::from_secs(60));
    let third = kit.publish(&ann, "dog #rust", "public").await;
    followed(&kit).await;
    let ask = async |body: Value| found(&kit.call("search.findPosts", None, body).await.expect(200));
    assert_eq!(ask(json!({ "author": ann.id })).await, [third.clone(), first.clone()]);
    assert_eq!(ask(json!({ "author": ann.id, "text": "fox" })).await, std::slice::from_ref(&first));
    assert_eq!(ask(json!({ "tag": "uber" })).await, [second.clone(), first.clone()]);
    assert_eq!(ask(json!({ "tag": "#RUST", "text": "fox" })).await, std::slice::from_ref(&second));
    assert_eq!(ask(json!({ "tag": "rus" })).await, NONE);
    let at = kit.call("post.get", None, json!({ "id": second })).await.expect(200).str("/createdAt");
    assert_eq!(ask(json!({ "text": "fox", "since": at })).await, std::slice::from_ref(&second));
    assert_eq!(ask(json!({ "text": "fox", "until": at })).await, [second.clone(), first.clone()]);
    assert_eq!(ask(json!({ "tag": "über", "since": at, "until": at })).await, [second]);
    assert_eq!(ask(json!({ "author": kit.uuid() })).await, NONE, "nobody");
}

#[tokio::test]
async fn edits_deletes_and_take_downs_are_followed_and_hold_before_that() {
    let kit = Kit::start().await;
    let (ann, bob, moderator) = (kit.person("ann").await, kit.person("bob").await, moderator(&kit).await);
    let edited = kit.publish(&ann, "fox one", "public").await;
    let deleted = kit.publish(&ann, "fox two", "public").await;
    let removed = kit.publish(&ann, "fox four", "public").await;
    followed(&kit).await;
    assert_eq!(posts(&kit, Some(&bob), "fox").await.len(), 3);
    let token = Some(ann.token.as_str());
    kit.call("post.update", token, json!({ "id": edited, "text": "wolf one" })).await.expect(200);
    kit.call("post.delete", token, json!({ "id": deleted })).await.expect(200);
    let body = json!({ "object": { "kind": "post", "id": removed }, "reason": "spam" });
    kit.call("moderation.removeContent", Some(&moderator.token), body).await.expect(200);
    // The index still says all three, and nobody is told of any.
    assert_eq!(posts(&kit, Some(&bob), "fox").await, NONE);
    assert_eq!(posts(&kit, None, "fox").await, NONE);
    assert_eq!(
        posts(&kit, Some(&moderator), "fox").await,
        std::slice::from_ref(&removed),
        "moderators see what was taken down"
    );
    assert_eq!(
        posts(&kit, Some(&ann), "fox").await,
        std::slice::from_ref(&removed),
        "and so does who wrote it"
    );
    assert_eq!(posts(&kit, Some(&bob), "wolf").await, NONE, "what is new is not found yet");
    followed(&kit).await;
    assert_eq!(posts(&kit, Some(&bob), "wolf").await, [edited]);
    assert_eq!(posts(&kit, Some(&bob), "fox").await, NONE);
    assert_eq!(posts(&kit, Some(&ann), "fox").await, [removed]);
}

#[tokio::test]
async fn what_the_visibility_function_hides_is_not_found() {
    let kit = Kit::start().await;
    let (ann, bob, carl) = (kit.person("ann").await, kit.person("bob").await, kit.person("carl").await);
    let moderator = moderator(&kit).await;
    let public = kit.publish(&ann, "fox public", "public").await;
    let followers = kit.publish(&ann, "fox followers", "followers").await;
    let mine = kit.publish(&ann, "fox mine", "onlyMe").await;
    kit.follow(&bob, &ann).await;
    followed(&kit).await;
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    let of = async |who: Option<&Person>| sorted(posts(&kit, who, "fox").await);
    assert_eq!(of(Some(&ann)).await, sorted(vec![public.clone(), followers.clone(), mine.clone()]));
    assert_eq!(of(Some(&bob)).await, sorted(vec![public.clone(), followers.clone()]));
    assert_eq!(of(Some(&carl)).await, std::slice::from_ref(&public));
    assert_eq!(of(None).await, std::slice::from_ref(&public));
    // The answer to the words of what is hidden is that of words that nobody wrote.
    let hidden =
        kit.call("search.findPosts", Some(&carl.token), json!({ "text": "fox mine followers" })).await;
    let nothing = kit.call("search.findPosts", Some(&carl.token), json!({ "text": "no such words" })).await;
    let strip = |answer: &Answer| {
        let mut json = answer.json.clone();
        json.as_object_mut().unwrap().remove("lagMs");
        json
    };
    assert_eq!(strip(&hidden), strip(&nothing));
    // The app's own server sees everything; acting for somebody, what that person sees.
    let all =
        kit.call("search.findPosts", Some(&server_key("one")), json!({ "text": "fox" })).await.expect(200);
    assert_eq!(found(&all).len(), 3);
    let with =
        With { token: Some(&server_key("one")), headers: &[("gomer-as", &carl.id)], ..With::default() };
    let as_carl = kit.call_with("search.findPosts", with, json!({ "text": "fox" })).await.expect(200);
    assert_eq!(found(&as_carl), std::slice::from_ref(&public));
    // A block hides both from each other, at once.
    kit.call("block.create", Some(&ann.token), json!({ "id": carl.id })).await.expect(200);
    assert_eq!(posts(&kit, Some(&carl), "fox").await, NONE);
    assert_eq!(people(&kit, Some(&carl), "ann").await, NONE);
    assert_eq!(people(&kit, Some(&ann), "carl").await, NONE);
    assert_eq!(posts(&kit, None, "fox").await, std::slice::from_ref(&public));
    // A ban hides from everybody, at once.
    let body = json!({ "target": { "profile": ann.id }, "reason": "spam" });
    kit.call("moderation.ban", Some(&moderator.token), body).await.expect(200);
    assert_eq!(posts(&kit, Some(&bob), "fox").await, NONE);
    assert_eq!(people(&kit, None, "ann").await, NONE);
}

#[tokio::test]
async fn a_private_profile_is_found_by_its_outline_only() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let body = json!({ "name": "Ännchen Müller", "about": "astronaut from Zürich", "private": true });
    kit.call("profile.update", Some(&ann.token), body).await.expect(200);
    kit.publish(&ann, "fox", "public").await;
    followed(&kit).await;
    for outline in ["ann", "MULLER", "annchen mül", "@ann"] {
        assert_eq!(people(&kit, Some(&bob), outline).await, std::slice::from_ref(&ann.id), "{outline}");
    }
    for hidden in ["astronaut", "zurich", "ann astronaut"] {
        assert_eq!(people(&kit, Some(&bob), hidden).await, NONE, "{hidden}");
        assert_eq!(people(&kit, Some(&ann), hidden).await, std::slice::from_ref(&ann.id), "{hidden}");
    }
    assert_eq!(posts(&kit, Some(&bob), "fox").await, NONE);
    kit.call("profile.update", Some(&ann.token), json!({ "private": false })).await.expect(200);
    assert_eq!(people(&kit, Some(&bob), "astronaut zurich").await, std::slice::from_ref(&ann.id));
    assert_eq!(posts(&kit, Some(&bob), "fox").await.len(), 1);
}

#[tokio::test]
async fn people_are_found_the_best_first() {
    let kit = Kit::start().await;
    let named = async |handle: &str, body: Value| {
        let person = kit.person(handle).await;
        kit.call("profile.update", Some(&person.token), body).await.expect(200);
        person.id
    };
    let about = named("zoe", json!({ "about": "friend of ann" })).await;
    let longer = named("annabelle", json!({})).await;
    let name = named("walter", json!({ "name": "Ann-Marie Walter" })).await;
    let exact = named("ann", json!({})).await;
    followed(&kit).await;
    assert_eq!(people(&kit, None, "ann").await, [exact.clone(), longer.clone(), name.clone(), about.clone()]);
    assert_eq!(people(&kit, None, "@ANN").await[0], exact);
    assert_eq!(people(&kit, None, "ann marie").await, std::slice::from_ref(&name));
    assert_eq!(people(&kit, None, "nabelle").await, NONE, "words are found by how they begin");
    // In pages, over the ends of the better and the worse ones.
    for limit in 1..=4 {
        let (mut all, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let mut body = json!({ "text": "ann", "limit": limit });
            if !cursor.is_null() {
                body["cursor"] = cursor;
            }
            let page = kit.call("search.findProfiles", None, body).await.expect(200);
            all.extend(found(&page));
            cursor = page.json["cursor"].clone();
            if page.json["end"] == true {
                break;
            }
            assert!(found(&page).len() == limit, "{}", page.text);
        }
        assert_eq!(all, [exact.clone(), longer.clone(), name.clone(), about.clone()], "by {limit}");
    }
}

#[tokio::test]
async fn another_app_is_never_found() {
    let kit = Kit::start().await;
    let (ann, other) = (kit.person("ann").await, kit.person_in("two", "ann").await);
    let mine = kit.publish(&ann, "fox #tag", "public").await;
    let theirs = kit.uuid();
    let with = || With { app: Some("two"), token: Some(&other.token), ..With::default() };
    let body = json!({ "id": theirs, "text": "fox #tag #tagtwo", "audience": "public" });
    kit.call_with("post.create", with(), body).await.expect(200);
    followed(&kit).await;
    assert_eq!(posts(&kit, Some(&ann), "fox").await, std::slice::from_ref(&mine));
    assert_eq!(posts(&kit, None, "tagtwo").await, NONE);
    assert_eq!(people(&kit, None, "ann").await, std::slice::from_ref(&ann.id));
    let two = kit.call_with("search.findPosts", with(), json!({ "text": "fox" })).await.expect(200);
    assert_eq!(found(&two), [theirs]);
    // Not even for who has all rights in their own.
    let admin =
        kit.call("search.findPosts", Some(&admin_key("one")), json!({ "text": "fox" })).await.expect(200);
    assert_eq!(found(&admin), [mine]);
    let tags = kit.call("search.suggest", None, json!({ "text": "#tag" })).await.expect(200);
    assert_eq!(tags.json["items"].as_array().unwrap().len(), 1, "{}", tags.text);
    // A cursor of one app is none of the other.
    let page = kit.call("search.findPosts", None, json!({ "text": "fox" })).await.expect(200);
    let body = json!({ "text": "fox", "cursor": page.str("/cursor") });
    let with = With { app: Some("two"), ..With::default() };
    kit.call_with("search.findPosts", with, body).await.problem(400, "cursor-invalid");
}

#[tokio::test]
async fn pages_are_stable_and_cursors_are_of_one_question_and_caller() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let mut wanted = Vec::new();
    for number in 0..12 {
        wanted.push(kit.publish(&ann, &format!("fox {number}"), "public").await);
        kit.publish(&ann, "fox hidden", "onlyMe").await;
        kit.skip(Duration::from_secs(10));
    }
    wanted.reverse();
    followed(&kit).await;
    let page = async |cursor: Option<&str>| {
        let mut body = json!({ "text": "fox", "limit": 5 });
        if let Some(cursor) = cursor {
            body["cursor"] = cursor.into();
        }
        kit.call("search.findPosts", Some(&bob.token), body).await.expect(200)
    };
    let first = page(None).await;
    assert_eq!((found(&first), &first.json["end"]), (wanted[..5].to_vec(), &json!(false)));
    // What comes meanwhile does not move what comes after.
    kit.publish(&ann, "fox newest", "public").await;
    followed(&kit).await;
    let second = page(Some(&first.str("/cursor"))).await;
    assert_eq!(found(&second), wanted[5..10]);
    let third = page(Some(&second.str("/cursor"))).await;
    assert_eq!((found(&third), &third.json["end"]), (wanted[10..].to_vec(), &json!(true)));
    let fourth = page(Some(&third.str("/cursor"))).await;
    assert_eq!((found(&fourth), &fourth.json["end"]), (NONE.to_vec(), &json!(true)));
    let cursor = first.str("/cursor");
    for body in [
        json!({ "text": "fox 1", "cursor": cursor }),
        json!({ "text": "fox", "author": ann.id, "cursor": cursor }),
        json!({ "text": "fox", "tag": "fox", "cursor": cursor }),
        json!({ "text": "fox", "since": "2026-01-01T00:00:00Z", "cursor": cursor }),
        json!({ "text": "fox", "cursor": "AA" }),
    ] {
        kit.call("search.findPosts", Some(&bob.token), body).await.problem(400, "cursor-invalid");
    }
    let same = json!({ "text": "FOX", "cursor": cursor });
    kit.call("search.findPosts", Some(&bob.token), same.clone()).await.expect(200);
    kit.call("search.findPosts", Some(&ann.token), same.clone()).await.problem(400, "cursor-invalid");
    kit.call("search.findProfiles", Some(&bob.token), same).await.problem(400, "cursor-invalid");
}

#[tokio::test]
async fn bad_questions_are_refused_with_the_place() {
    let kit = Kit::start().await;
    let many = (0..17).map(|n| format!("w{n} ")).collect::<String>();
    let long = "x".repeat(201);
    for method in ["search.findPosts", "search.findProfiles", "search.findAll", "search.suggest"] {
        for (text, code) in [("", "length"), (long.as_str(), "length"), (" ?! ", "value")] {
            let answer = kit.call(method, None, json!({ "text": text })).await.problem(422, "invalid");
            assert_eq!(answer.str("/errors/0/pointer"), "/text", "{method} {text:?}");
            assert_eq!(answer.str("/errors/0/code"), code, "{method} {text:?}");
        }
        kit.call(method, None, json!({ "text": "a\u{7}" })).await.problem(400, "bad-request");
        kit.call(method, None, json!({ "text": 7 })).await.problem(422, "invalid");
        kit.call(method, None, json!({ "text": "a", "limit": 0 })).await.problem(422, "invalid");
        kit.call(method, None, json!({ "text": "a", "nope": 0 })).await.problem(400, "unknown-field");
        let answer = kit.call(method, None, json!({ "text": "a AND -b \"c\" title:* ~" })).await;
        answer.expect(200);
    }
    for method in ["search.findPosts", "search.findProfiles", "search.findAll"] {
        let answer = kit.call(method, None, json!({ "text": many })).await.problem(422, "invalid");
        assert_eq!(answer.str("/errors/0/code"), "length");
        assert!(!answer.text.contains("w16"), "what was sent is not repeated");
    }
    for (body, pointer) in [
        (json!({}), "/text"),
        (json!({ "since": "2026-01-01T00:00:00Z" }), "/text"),
        (json!({ "author": "ann" }), "/author"),
        (json!({ "tag": "a b" }), "/tag"),
        (json!({ "text": "a", "until": "yesterday" }), "/until"),
    ] {
        let answer = kit.call("search.findPosts", None, body).await.problem(422, "invalid");
        assert_eq!(answer.str("/errors/0/pointer"), pointer);
    }
    kit.call("search.suggest", None, json!({ "text": "a", "kinds": [] })).await.problem(422, "invalid");
    kit.call("search.suggest", None, json!({ "text": "a", "kinds": ["post"] })).await.problem(422, "invalid");
    kit.call("search.findProfiles", None, json!({})).await.problem(422, "invalid");
}

#[tokio::test]
async fn what_is_being_written_is_completed() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("anders").await);
    kit.call("profile.update", Some(&bob.token), json!({ "about": "ant keeper" })).await.expect(200);
    for (text, audience) in [
        ("#antics", "public"),
        ("#antics #Äntology", "public"),
        ("#antimatter", "onlyMe"),
        ("#beach", "public"),
    ] {
        kit.publish(&ann, text, audience).await;
    }
    let place = json!({ "id": kit.uuid(), "name": "Café Antón", "latitude": 1.0, "longitude": 2.0 });
    kit.call("checkin.createPlace", Some(&ann.token), place).await.expect(200);
    followed(&kit).await;
    let ask = async |who: &Person, body: Value| {
        let answer = kit.call("search.suggest", Some(&who.token), body).await.expect(200);
        let items = answer.json["items"].as_array().unwrap().clone();
        let name = |item: &Value| match item["type"].as_str().unwrap() {
            "profile" => format!("@{}", item["handle"].as_str().unwrap()),
            "tag" => format!("#{} {}", item["tag"].as_str().unwrap(), item["posts"]),
            "place" => item["name"].as_str().unwrap().to_owned(),
            other => panic!("{other}"),
        };
        items.iter().map(name).collect::<Vec<String>>()
    };
    assert_eq!(
        ask(&bob, json!({ "text": "an" })).await,
        ["@anders", "@ann", "#antics 2", "#äntology 1", "Café Antón"]
    );
    assert_eq!(ask(&bob, json!({ "text": "@an" })).await, ["@anders", "@ann"]);
    assert_eq!(ask(&bob, json!({ "text": "#an", "limit": 1 })).await, ["#antics 2"]);
    assert_eq!(ask(&bob, json!({ "text": "anto", "kinds": ["place"] })).await, ["Café Antón"]);
    assert_eq!(ask(&bob, json!({ "text": "#an", "kinds": ["place"] })).await, NONE, "no place begins with #");
    assert_eq!(ask(&bob, json!({ "text": "antim" })).await, NONE, "a tag that only hidden posts carry");
    assert_eq!(ask(&ann, json!({ "text": "antim" })).await, ["#antimatter 1"]);
    assert_eq!(
        ask(&bob, json!({ "text": "ant keeper" })).await,
        NONE,
        "what people say about themselves is no name"
    );
    // Who mutes somebody is not told of their tags, and gets their posts if they are asked for by name.
    let mute = json!({ "subject": { "profile": ann.id } });
    kit.call("block.createMute", Some(&bob.token), mute).await.expect(200);
    assert_eq!(ask(&bob, json!({ "text": "#an" })).await, NONE);
    assert_eq!(posts(&kit, Some(&bob), "antics").await, NONE);
    let asked = json!({ "text": "antics", "author": ann.id });
    assert_eq!(found(&kit.call("search.findPosts", Some(&bob.token), asked).await.expect(200)).len(), 2);
}

#[tokio::test]
async fn everything_at_once_is_grouped_by_kind() {
    let kit = Kit::start().await;
    let (ann, fox) = (kit.person("ann").await, kit.person("fox").await);
    let post = kit.publish(&ann, "a fox", "public").await;
    kit.publish(&ann, "fox for me", "onlyMe").await;
    let place = kit.uuid();
    let body = json!({ "id": place, "name": "Fox Inn", "latitude": 1.0, "longitude": 2.0 });
    kit.call("checkin.createPlace", Some(&ann.token), body).await.expect(200);
    followed(&kit).await;
    let answer = kit.call("search.findAll", Some(&fox.token), json!({ "text": "fox" })).await.expect(200);
    assert_eq!(answer.str("/profiles/0/id"), fox.id);
    assert_eq!(answer.str("/posts/0/id"), post);
    assert_eq!(answer.str("/places/0/id"), place);
    for group in ["profiles", "posts", "places"] {
        assert_eq!(answer.json[group].as_array().unwrap().len(), 1, "{group}");
    }
    let nothing = kit.call("search.findAll", None, json!({ "text": "wolf" })).await.expect(200);
    for group in ["profiles", "posts", "places"] {
        assert_eq!(nothing.json[group], json!([]), "{group}");
    }
}

#[tokio::test]
async fn scripts_without_spaces_are_found_inside_a_text() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let post = kit.publish(&ann, "今日は東京都に行きました。ＦＵＬＬ　ｗｉｄｔｈ", "public").await;
    followed(&kit).await;
    for text in ["東京", "京都に", "都", "full width", "行きました"] {
        assert_eq!(posts(&kit, None, text).await, std::slice::from_ref(&post), "{text}");
    }
    assert_eq!(posts(&kit, None, "大阪").await, NONE);
}

/// Another process over the same data, with this index.
fn beside(kit: &Kit, index: Arc<dyn Index>) -> Arc<Host> {
    let search = Search::new(index, Arc::new(Inline));
    Host::new(kit.host.cluster.clone(), Edges { search, ..Edges::cheap().0 })
}

/// One thing that people do, at random.
async fn act(kit: &Kit, rng: &mut Rng, people: &[Person], posts: &mut Vec<(usize, String)>) {
    const WORDS: [&str; 6] = ["fox", "Wölf", "#tag", "#Tág", "東京都", "dog"];
    let mut pick = |n: usize| (rng.next_u64() % n as u64) as usize;
    let (who, text) = (pick(people.len()), format!("{} {}", WORDS[pick(6)], WORDS[pick(6)]));
    let audience = ["public", "followers", "onlyMe"][pick(3)];
    let token = Some(people[who].token.as_str());
    match (pick(8), posts.is_empty()) {
        (0..=2, _) | (_, true) => posts.push((who, kit.publish(&people[who], &text, audience).await)),
        (3, _) => {
            let at = pick(posts.len());
            let (author, id) = &posts[at];
            let body = json!({ "id": id, "text": text });
            kit.call("post.update", Some(&people[*author].token), body).await.expect(200);
        }
        (4, _) => {
            let (author, id) = posts.swap_remove(pick(posts.len()));
            kit.call("post.delete", Some(&people[author].token), json!({ "id": id })).await.expect(200);
        }
        (5, _) => {
            let body = json!({ "name": text, "about": text, "private": pick(2) == 0 });
            kit.call("profile.update", token, body).await.expect(200);
        }
        (6, _) => {
            let body = json!({ "id": kit.uuid(), "name": text, "latitude": 1.0, "longitude": 2.0 });
            kit.call("checkin.createPlace", token, body).await.expect(200);
        }
        _ => {
            let to = json!({ "kind": "post", "id": posts[pick(posts.len())].1 });
            let answer =
                kit.call("reply.create", token, json!({ "id": kit.uuid(), "to": to, "text": text })).await;
            assert!([200, 404].contains(&answer.status), "{}", answer.text);
        }
    }
    kit.skip(Duration::from_secs(5));
}

#[tokio::test]
async fn an_index_that_followed_is_one_that_was_made_again() {
    for seed in 0..4 {
        let kit = Kit::start().await;
        let mut rng = Rng::new(seed);
        let people = [kit.person("ann").await, kit.person("bob").await];
        let (mut posts, disk) = (Vec::new(), tempfile::tempdir().expect("a directory"));
        let follower = Arc::new(MemoryIndex::default());
        let followed_by = beside(&kit, follower.clone());
        for step in 0..80 {
            act(&kit, &mut rng, &people, &mut posts).await;
            if rng.next_u64().is_multiple_of(7) {
                follow(&followed_by, step % 2 == 0).await.expect("it follows");
            }
            if rng.next_u64().is_multiple_of(20) {
                // One that is ended each time, and opened again.
                let index = DiskIndex::open(disk.path()).expect("an index opens");
                follow(&beside(&kit, Arc::new(index)), false).await.expect("it follows");
            }
        }
        follow(&followed_by, false).await.expect("it follows");
        let again = Arc::new(MemoryIndex::default());
        follow(&beside(&kit, again.clone()), false).await.expect("it follows");
        let kept = follower.documents();
        assert!(kept.len() > 10, "seed {seed}");
        assert_eq!(kept, again.documents(), "seed {seed}");
        let index = Arc::new(DiskIndex::open(disk.path()).expect("an index opens"));
        follow(&beside(&kit, index.clone()), false).await.expect("it follows");
        assert_eq!(index.len(), kept.len() as u64, "seed {seed}");
        for word in ["fox", "wolf", "tag", "東京", "dog"] {
            for shelf in [Shelf::Posts, Shelf::People, Shelf::Places] {
                let is = |field| Clause::Is(field, word.to_owned());
                let having = Clause::Any(vec![is(Field::Name), is(Field::Text), is(Field::Tag)]);
                let question = Question::new(kit.host.cluster.meta().apps["one"].id, shelf, having);
                let of = |index: &dyn Index| index.find(&question, None, 1_000).expect("an index answers");
                assert_eq!(of(&*index), of(&*follower), "seed {seed}: {word}");
            }
        }
    }
}

#[tokio::test]
async fn an_index_of_another_history_begins_again() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    kit.publish(&ann, "fox", "public").await;
    let index = Arc::new(MemoryIndex::default());
    let host = beside(&kit, index.clone());
    follow(&host, false).await.expect("it follows");
    let right = index.documents();
    // Places in somebody else's log, and a document that was never there.
    let strange = |place: &String| {
        let mut place: Value = serde_json::from_str(place).expect("a place is JSON");
        place["history"] = 7.into();
        place.to_string()
    };
    let places = index.places().iter().map(|(spot, place)| (*spot, strange(place))).collect();
    let mut ghost = right.values().next().expect("somebody").clone();
    ghost.key.id = ann.id.replace(&ann.id[..4], "0000").parse().expect("an id");
    index.apply(Batch { put: vec![ghost], places, ..Batch::default() }).expect("it takes all");
    assert_ne!(index.documents(), right);
    let host = beside(&kit, index.clone());
    let read = follow(&host, false).await.expect("it follows");
    assert!(read.again);
    assert_eq!(index.documents(), right);
    assert!(!follow(&host, true).await.expect("it follows").again, "once");
    // And places that cannot be read.
    let (app, garbled) = (kit.host.cluster.meta().apps["one"].id, "{".to_owned());
    let places = Places::from([((app, Partition(3)), garbled)]);
    index.apply(Batch { places, ..Batch::default() }).expect("it takes places");
    let read = follow(&beside(&kit, index.clone()), false).await.expect("it follows");
    assert!(read.again);
    assert_eq!(index.documents(), right);
}

#[tokio::test]
async fn an_index_that_cannot_be_written_stays_where_it_is_and_goes_on() {
    /// Refuses while it is told to.
    struct Failing(MemoryIndex, AtomicBool);
    impl Index for Failing {
        fn places(&self) -> Places {
            self.0.places()
        }
        fn apply(&self, batch: Batch) -> Result<(), IndexFault> {
            match self.1.load(Ordering::Relaxed) {
                true => Err(IndexFault("no space".to_owned())),
                false => self.0.apply(batch),
            }
        }
        fn find(
            &self,
            question: &Question,
            after: Option<Mark>,
            limit: usize,
        ) -> Result<Vec<Hit>, IndexFault> {
            match self.1.load(Ordering::Relaxed) {
                true => Err(IndexFault("no file".to_owned())),
                false => self.0.find(question, after, limit),
            }
        }
        fn clear(&self) -> Result<(), IndexFault> {
            self.0.clear()
        }
        fn len(&self) -> u64 {
            self.0.len()
        }
    }
    let index = Arc::new(Failing(MemoryIndex::default(), AtomicBool::new(true)));
    let (edges, mail) = Edges::cheap();
    let search = Search::new(index.clone(), Arc::new(Inline));
    let kit = Kit::start_with(Edges { search, ..edges }, mail).await;
    let ann = kit.person("ann").await;
    kit.publish(&ann, "fox", "public").await;
    assert!(follow(&kit.host, false).await.is_err());
    assert!(follow(&kit.host, false).await.is_err(), "it does not believe that it was there");
    kit.call("search.findPosts", None, json!({ "text": "fox" })).await.problem(500, "internal");
    index.1.store(false, Ordering::Relaxed);
    let answer = kit.call("search.findPosts", None, json!({ "text": "fox" })).await.expect(200);
    assert_eq!(
        (found(&answer), &answer.json["lagMs"]),
        (NONE.to_vec(), &Value::Null),
        "it was never there yet"
    );
    followed(&kit).await;
    assert_eq!(posts(&kit, None, "fox").await.len(), 1);
}

/// Publishes a photo.
async fn photo(kit: &Kit, who: &Person, more: Value) -> String {
    let (id, bytes) = (kit.uuid(), jpeg(8, 8));
    let body = json!({ "id": id, "size": bytes.len(), "sha256": sha256(&bytes) });
    let upload = kit.call("media.createUpload", Some(&who.token), body).await.expect(200);
    if upload.str("/state") == "open" {
        kit.fetch(Method::PUT, &upload.str("/url"), &[], Bytes::from(bytes)).await.expect(204);
    }
    kit.call("media.finishUpload", Some(&who.token), json!({ "id": id })).await.expect(200);
    let mut body = json!({ "id": kit.uuid(), "media": id });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    kit.skip(Duration::from_secs(10));
    kit.call("photo.create", Some(&who.token), body).await.expect(200).str("/id")
}

#[tokio::test]
async fn photos_and_albums_are_found_by_words_place_and_person() {
    let kit = Kit::start().await;
    let (ann, bob, carl) = (kit.person("ann").await, kit.person("bob").await, kit.person("carl").await);
    let place = json!({ "latitude": 1.0, "longitude": 2.0, "name": "Café Müller" });
    let sea = photo(&kit, &ann, json!({ "caption": "By the sea", "place": place })).await;
    let hidden = photo(&kit, &ann, json!({ "caption": "sea, for me", "audience": "onlyMe" })).await;
    let tagged = photo(&kit, &ann, json!({ "alt": "two people", "people": [{ "profile": bob.id }] })).await;
    kit.skip(Duration::from_secs(10));
    let album = kit.uuid();
    let body = json!({ "id": album, "title": "Sea and sky", "audience": "onlyMe", "contributors": [bob.id] });
    kit.call("album.create", Some(&ann.token), body).await.expect(200);
    followed(&kit).await;
    let ask = async |who: &Person, body: Value| {
        found(&kit.call("search.findPhotos", Some(&who.token), body).await.expect(200))
    };
    assert_eq!(ask(&ann, json!({ "text": "sea" })).await, [album.clone(), hidden.clone(), sea.clone()]);
    assert_eq!(
        ask(&bob, json!({ "text": "SEA" })).await,
        [album.clone(), sea.clone()],
        "who contributes may"
    );
    assert_eq!(ask(&carl, json!({ "text": "sea" })).await, std::slice::from_ref(&sea));
    assert_eq!(ask(&carl, json!({ "text": "cafe muller" })).await, std::slice::from_ref(&sea));
    assert_eq!(ask(&carl, json!({ "author": ann.id })).await, [tagged.clone(), sea.clone()]);
    assert_eq!(ask(&carl, json!({ "person": bob.id })).await, std::slice::from_ref(&tagged));
    assert_eq!(ask(&carl, json!({ "person": ann.id })).await, NONE);
    // Who is not on it any more, at once; and who is, as soon as it was followed.
    kit.call("photo.untagProfile", Some(&bob.token), json!({ "id": tagged, "profile": bob.id }))
        .await
        .expect(200);
    assert_eq!(ask(&carl, json!({ "person": bob.id })).await, NONE);
    let body = json!({ "id": sea, "profile": carl.id });
    kit.call("photo.tagProfile", Some(&ann.token), body).await.expect(200);
    followed(&kit).await;
    assert_eq!(ask(&bob, json!({ "person": carl.id })).await, std::slice::from_ref(&sea));
    assert_eq!(ask(&carl, json!({ "person": bob.id })).await, NONE);
    // For whom it is changed, which holds at once too.
    let only_me = json!({ "id": tagged, "audience": "onlyMe" });
    kit.call("photo.update", Some(&ann.token), only_me).await.expect(200);
    assert_eq!(ask(&carl, json!({ "author": ann.id })).await, std::slice::from_ref(&sea));
    assert_eq!(ask(&ann, json!({ "author": ann.id })).await.len(), 4);
    let all = kit.call("search.findAll", Some(&carl.token), json!({ "text": "sea" })).await.expect(200);
    assert_eq!((all.str("/photos/0/id"), all.str("/photos/0/type")), (sea.clone(), "photo".to_owned()));
    kit.call("photo.delete", Some(&ann.token), json!({ "id": sea })).await.expect(200);
    assert_eq!(ask(&carl, json!({ "text": "sea" })).await, NONE);
    followed(&kit).await;
    assert_eq!(ask(&ann, json!({ "text": "sea" })).await, [album, hidden]);
    kit.call("search.findPhotos", None, json!({})).await.problem(422, "invalid");
    kit.call("search.findPhotos", None, json!({ "text": "a", "tag": "b" }))
        .await
        .problem(400, "unknown-field");
    kit.call("search.findPhotos", None, json!({ "person": "bob" })).await.problem(422, "invalid");
    let with = With { app: Some("two"), ..With::default() };
    let two = kit.call_with("search.findPhotos", with, json!({ "author": ann.id })).await.expect(200);
    assert_eq!(found(&two), NONE);
}
