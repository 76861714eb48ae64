//! `profile`, `follow`, `block` and `device` as clients see them.

mod kit;

use std::time::Duration;

use gomer_core::id::{Id, Root, Section};
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::{Operation, Write};
use kit::{Answer, Kit, PASSWORD, Person, With};
use serde_json::{Value, json};

async fn three(kit: &Kit) -> (Person, Person, Person) {
    (kit.person("ann").await, kit.person("bob").await, kit.person("cleo").await)
}

async fn follow(kit: &Kit, who: &Person, whom: &Person) -> Answer {
    kit.call("follow.create", Some(&who.token), json!({ "id": whom.id })).await.expect(200)
}

async fn relation(kit: &Kit, who: &Person, whom: &str) -> Value {
    let answer =
        kit.call("follow.getRelations", Some(&who.token), json!({ "ids": [whom] })).await.expect(200);
    answer.json["items"][0].clone()
}

/// Waits until a relation has this field set, or not.
async fn related(kit: &Kit, who: &Person, whom: &Person, field: &str, value: bool) {
    let body = json!({ "ids": [whom.id] });
    kit.until("follow.getRelations", Some(&who.token), body, |answer| {
        answer.json["items"][0][field] == value
    })
    .await;
}

async fn make_private(kit: &Kit, who: &Person) {
    kit.call("profile.update", Some(&who.token), json!({ "private": true })).await.expect(200);
}

fn ids(answer: &Answer) -> Vec<String> {
    let items = answer.json["items"].as_array().expect("a page has items");
    items.iter().map(|item| item["id"].as_str().unwrap_or_default().to_owned()).collect()
}

// Profiles.

#[tokio::test]
async fn a_profile_is_found_by_id_and_by_handle() {
    let kit = Kit::start().await;
    let (ann, bob, _) = three(&kit).await;
    let by_id = kit.call("profile.get", None, json!({ "id": ann.id })).await.expect(200);
    let by_handle = kit.call("profile.get", None, json!({ "handle": "ANN" })).await.expect(200);
    assert_eq!(by_id.text, by_handle.text);
    assert_eq!(by_id.header("etag"), Some(format!("\"{}\"", by_id.str("/rev")).as_str()));
    assert!(by_id.json["relation"].is_null(), "nobody is related to somebody who is not signed in");
    let by_bob = kit.call("profile.get", Some(&bob.token), json!({ "id": ann.id })).await.expect(200);
    assert_eq!(by_bob.json["relation"]["following"], false);
    let own =
        kit.call("profile.get", Some(&ann.token), json!({ "id": ann.id.to_uppercase() })).await.expect(200);
    assert!(own.json["relation"].is_null());
    for body in [
        json!({}),
        json!({ "id": ann.id, "handle": "ann" }),
        json!({ "id": "7" }),
        json!({ "handle": "a b" }),
    ] {
        kit.call("profile.get", None, body).await.problem(422, "invalid");
    }
}

#[tokio::test]
async fn absent_and_another_apps_are_the_same() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let zed = kit.person_in("two", "zed").await;
    let nobody = kit.uuid();
    for (method, status) in [
        ("profile.get", 404),
        ("follow.create", 404),
        ("follow.accept", 404),
        ("follow.listFollowers", 404),
        ("follow.listFollowing", 404),
        ("block.create", 404),
        ("follow.delete", 200),
        ("follow.reject", 200),
        ("block.delete", 200),
    ] {
        let absent =
            kit.call(method, Some(&ann.token), json!({ "id": nobody })).await.expect(status).untraced();
        let foreign = kit.call(method, Some(&ann.token), json!({ "id": zed.id })).await.untraced();
        assert_eq!(absent.replace(&nobody, &zed.id), foreign, "{method}");
    }
    let found = kit.call("profile.get", None, json!({ "handle": "zed" })).await;
    found.problem(404, "not-found");
    let with = With { app: Some("two"), ..With::default() };
    kit.call_with("profile.get", with, json!({ "id": zed.id })).await.expect(200);
}

#[tokio::test]
async fn many_come_in_the_order_asked_with_the_missing_marked() {
    let kit = Kit::start().await;
    let (ann, bob, _) = three(&kit).await;
    let nobody = kit.uuid();
    let body = json!({ "ids": [bob.id, nobody, ann.id, bob.id] });
    let many = kit.call("profile.getMany", None, body).await.expect(200);
    assert_eq!(ids(&many), [&bob.id, &nobody, &ann.id, &bob.id].map(String::as_str));
    let missing: Vec<_> =
        many.json["items"].as_array().unwrap().iter().map(|item| item["missing"] == true).collect();
    assert_eq!(missing, [false, true, false, false]);
    kit.call("profile.getMany", None, json!({ "ids": [] })).await.problem(422, "invalid");
    let many: Vec<_> = (0..101).map(|_| kit.uuid()).collect();
    kit.call("profile.getMany", None, json!({ "ids": many })).await.problem(422, "invalid");
}

#[tokio::test]
async fn each_attribute_changes_by_itself() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let update = |body: Value| kit.call("profile.update", Some(&ann.token), body);
    let first = update(json!({
        "name": "Ann", "about": "Hello", "links": [{ "label": "Home", "url": "https://example.org" }],
        "fields": { "team": "red", "size": { "cm": 170 } },
    }));
    let first = first.await.expect(200);
    assert_eq!(first.header("etag"), Some(format!("\"{}\"", first.str("/rev")).as_str()));
    let second = update(json!({ "about": null, "fields": { "team": null, "age": 30 } })).await.expect(200);
    assert_eq!(second.str("/name"), "Ann");
    assert_eq!(second.json["fields"], json!({ "size": { "cm": 170 }, "age": 30 }));
    assert!(second.json["about"].is_null());
    let read = kit.call("profile.get", Some(&ann.token), json!({ "id": ann.id })).await.expect(200);
    assert_eq!(read.text, second.text, "the reply is what is stored");
    let same = update(json!({ "name": "Ann" })).await.expect(200);
    assert_eq!(same.str("/rev"), second.str("/rev"), "nothing changed");
    let private = update(json!({ "private": true })).await.expect(200);
    assert_ne!(private.str("/rev"), second.str("/rev"));
    let read = kit.call("profile.get", Some(&ann.token), json!({ "id": ann.id })).await.expect(200);
    assert_eq!(read.text, private.text);
    for (body, status, code) in [
        (json!({ "name": "" }), 422, "invalid"),
        (json!({ "name": "a".repeat(65) }), 422, "invalid"),
        (json!({ "handle": "x" }), 400, "unknown-field"),
        (json!({ "links": [{ "label": "x", "url": "javascript:alert(1)" }] }), 422, "invalid"),
        (json!({ "fields": { "a b": 1 } }), 422, "invalid"),
        (json!({ "fields": { "a": "x".repeat(2_000) } }), 422, "invalid"),
        (json!({ "private": 1 }), 422, "invalid"),
        (
            json!({ "fields": (0..40).map(|n| (format!("f{n}"), json!(n))).collect::<serde_json::Map<_, _>>() }),
            422,
            "invalid",
        ),
    ] {
        let answer = update(body.clone()).await;
        assert_eq!((answer.status, answer.json["code"].as_str()), (status, Some(code)), "{body}");
    }
    kit.call("profile.update", None, json!({ "name": "x" })).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_revision_guards_an_update() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let old = kit.call("profile.get", None, json!({ "id": ann.id })).await.str("/rev");
    let new = kit
        .call("profile.update", Some(&ann.token), json!({ "name": "Ann", "ifRev": old }))
        .await
        .expect(200);
    let stale = kit.call("profile.update", Some(&ann.token), json!({ "name": "Eve", "ifRev": old })).await;
    let stale = stale.problem(412, "stale-revision");
    assert_eq!((stale.str("/rev"), stale.str("/current/name")), (new.str("/rev"), "Ann".into()));
    let tag = format!("\"{old}\"");
    let with = With { token: Some(&ann.token), headers: &[("if-match", tag.as_str())], ..With::default() };
    kit.call_with("profile.update", with.clone(), json!({ "name": "Eve" }))
        .await
        .problem(412, "stale-revision");
    kit.call_with("profile.setHandle", with, json!({ "handle": "eve" })).await.problem(412, "stale-revision");
    let rev = new.str("/rev");
    kit.call("profile.update", Some(&ann.token), json!({ "name": "Eve", "ifRev": rev })).await.expect(200);
}

#[tokio::test]
async fn an_operation_id_is_good_for_one_body() {
    let kit = Kit::start().await;
    let (ann, bob, _) = three(&kit).await;
    for (method, body, other) in [
        ("profile.update", json!({ "name": "A" }), json!({ "name": "B" })),
        ("profile.setHandle", json!({ "handle": "anna" }), json!({ "handle": "annb" })),
        ("follow.create", json!({ "id": bob.id }), json!({ "id": kit.uuid() })),
        ("follow.delete", json!({ "id": bob.id }), json!({ "id": kit.uuid() })),
        ("block.create", json!({ "id": bob.id }), json!({ "id": kit.uuid() })),
        ("block.delete", json!({ "id": bob.id }), json!({ "id": kit.uuid() })),
        ("block.createMute", json!({ "subject": { "word": "x" } }), json!({ "subject": { "word": "y" } })),
        ("block.deleteMute", json!({ "subject": { "word": "x" } }), json!({ "subject": { "word": "y" } })),
        ("device.register", json!({ "id": bob.id, "model": "x" }), json!({ "id": bob.id, "model": "y" })),
        ("device.delete", json!({ "id": bob.id }), json!({ "id": kit.uuid() })),
    ] {
        let key = kit.uuid();
        let with = With {
            token: Some(&ann.token),
            headers: &[("idempotency-key", key.as_str())],
            ..With::default()
        };
        let first = kit.call_with(method, with.clone(), body.clone()).await.expect(200);
        assert_eq!(first.header("gomer-replayed"), None, "{method}");
        let again = kit.call_with(method, with.clone(), body).await.expect(200);
        assert_eq!((again.header("gomer-replayed"), &again.text), (Some("true"), &first.text), "{method}");
        kit.call_with(method, with, other).await.problem(422, "key-reused");
    }
}

#[tokio::test]
async fn a_handle_moves_and_the_old_one_is_free() {
    let kit = Kit::start().await;
    let (ann, bob, _) = three(&kit).await;
    let set = |who: &Person, handle: &str| {
        let (token, body) = (who.token.clone(), json!({ "handle": handle }));
        let kit = &kit;
        async move { kit.call("profile.setHandle", Some(&token), body).await }
    };
    set(&ann, "bob").await.problem(409, "name-taken");
    assert_eq!(set(&ann, "Anna").await.expect(200).str("/handle"), "Anna");
    assert_eq!(
        kit.call("profile.get", None, json!({ "handle": "anna" })).await.expect(200).str("/id"),
        ann.id
    );
    // Another spelling of the same handle.
    assert_eq!(set(&ann, "ANNA").await.expect(200).str("/handle"), "ANNA");
    kit.until("profile.checkHandle", None, json!({ "handle": "ann" }), |answer| answer.json["free"] == true)
        .await;
    kit.call("profile.get", None, json!({ "handle": "ann" })).await.problem(404, "not-found");
    set(&bob, "ann").await.expect(200);
    // There and back at once: what is on its way for the first taking does not free the second.
    for handle in ["x_one", "x_two", "x_one", "x_two", "x_one"] {
        set(&ann, handle).await.expect(200);
    }
    kit.until("profile.checkHandle", None, json!({ "handle": "x_two" }), |answer| {
        answer.json["free"] == true
    })
    .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let held = kit.call("profile.checkHandle", None, json!({ "handle": "x_one" })).await.expect(200);
    assert_eq!(held.json["free"], false);
    set(&bob, "x_one").await.problem(409, "name-taken");
    // It signs in under its new name only.
    kit.skip(Duration::from_secs(60));
    let body = |handle: &str| json!({ "handle": handle, "password": PASSWORD });
    kit.call("auth.createSession", None, body("x_one")).await.expect(200);
    kit.call("auth.createSession", None, body("anna")).await.problem(401, "unauthenticated");
    set(&bob, "a b").await.problem(422, "invalid");
}

#[tokio::test]
async fn a_handle_is_checked_without_taking_it() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    for (handle, well_formed, free) in
        [("new_one", true, true), ("ANN", true, false), ("a b", false, false), ("", false, false)]
    {
        let state = kit.call("profile.checkHandle", None, json!({ "handle": handle })).await.expect(200);
        assert_eq!(
            (&state.json["wellFormed"], &state.json["free"]),
            (&json!(well_formed), &json!(free)),
            "{handle}"
        );
    }
    let own = kit.call("profile.checkHandle", Some(&ann.token), json!({ "handle": "ann" })).await.expect(200);
    assert_eq!(own.json["free"], true, "whoever has it could keep it");
}

#[tokio::test]
async fn the_directory_lists_the_newest_first_and_no_guests() {
    let kit = Kit::start().await;
    let (ann, bob, cleo) = three(&kit).await;
    kit.call("auth.createGuest", None, json!({})).await.expect(200);
    kit.until("profile.list", Some(&ann.token), json!({}), |answer| ids(answer).len() == 3).await;
    let first = kit.call("profile.list", Some(&ann.token), json!({ "limit": 2 })).await.expect(200);
    let cursor = first.str("/cursor");
    let second =
        kit.call("profile.list", Some(&ann.token), json!({ "limit": 2, "cursor": cursor })).await.expect(200);
    let mut all = ids(&first);
    all.extend(ids(&second));
    let mut expected = [cleo.id, bob.id.clone(), ann.id].to_vec();
    // Joined through steps of different partitions: nearly at once, they may change places.
    all.sort();
    expected.sort();
    assert_eq!((all, &second.json["end"]), (expected, &json!(true)));
    let foreign = json!({ "cursor": cursor });
    kit.call("profile.list", Some(&bob.token), foreign).await.problem(400, "cursor-invalid");
    kit.call("profile.list", None, json!({})).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn the_banned_are_not_shown() {
    let kit = Kit::start().await;
    let (ann, bob, _) = three(&kit).await;
    follow(&kit, &bob, &ann).await;
    related(&kit, &ann, &bob, "followedBy", true).await;
    let id: Id = bob.id.parse().unwrap();
    let app = kit.host.cluster.meta().apps["one"].id;
    let ban = Operation::FlagNode { id, set: Flags::BANNED, clear: Flags::default() };
    kit.host.cluster.write(Write::new(app, Root::profile(id), Id::NIL).op(ban)).await.unwrap();
    let ann_token = ann.token.clone();
    let banned = kit.call("profile.get", Some(&ann.token), json!({ "id": bob.id })).await;
    let absent = kit.call("profile.get", Some(&ann.token), json!({ "id": kit.uuid() })).await;
    assert_eq!(banned.untraced(), absent.untraced());
    let followers = kit.call("follow.listFollowers", None, json!({ "id": ann.id })).await.expect(200);
    assert!(ids(&followers).is_empty());
    // Moderators see the person; an ordinary role is no such thing.
    for (role, status) in [("editor", 404), ("moderator", 200)] {
        let ann: Id = ann.id.parse().unwrap();
        let grant = Operation::PutNode {
            id: gomer::model::grant_id(ann, role),
            ty: gomer::model::GRANT,
            section: Section::PRIVATE,
            author: Id::NIL,
            attrs: vec![("role".into(), format!("\"{role}\""))],
        };
        kit.host.cluster.write(Write::new(app, Root::profile(ann), Id::NIL).op(grant)).await.unwrap();
        kit.call("profile.get", Some(&ann_token), json!({ "id": bob.id })).await.expect(status);
    }
    let me = kit.call("auth.getSession", Some(&ann_token), json!({})).await.expect(200);
    assert_eq!(me.json["roles"], json!(["moderator"]));
    // The app's own server sees everything.
    let key = kit::server_key("one");
    let seen = kit.call("profile.get", Some(&key), json!({ "id": bob.id })).await.expect(200);
    assert_eq!(seen.json["banned"], true);
}

// Follows.

#[tokio::test]
async fn a_follow_reaches_both_roots_and_is_counted() {
    let kit = Kit::start().await;
    let (ann, bob, cleo) = three(&kit).await;
    let first = follow(&kit, &bob, &ann).await;
    assert_eq!((&first.json["following"], &first.json["requested"]), (&json!(true), &json!(false)));
    let again = follow(&kit, &bob, &ann).await;
    assert_eq!(first.text, again.text);
    follow(&kit, &cleo, &ann).await;
    let counts = json!({ "followers": 2, "following": 0 });
    kit.until("profile.get", None, json!({ "id": ann.id }), |answer| answer.json["counts"] == counts).await;
    assert_eq!(relation(&kit, &ann, &bob.id).await["followedBy"], true);
    let page = kit.call("follow.listFollowers", None, json!({ "id": ann.id, "limit": 1 })).await.expect(200);
    let rest = json!({ "id": ann.id, "limit": 1, "cursor": page.str("/cursor") });
    let rest = kit.call("follow.listFollowers", None, rest).await.expect(200);
    let mut followers = [ids(&page), ids(&rest)].concat();
    followers.sort();
    let mut expected = [bob.id.clone(), cleo.id.clone()];
    expected.sort();
    assert_eq!(followers, expected);
    let following = kit.call("follow.listFollowing", None, json!({ "id": bob.id })).await.expect(200);
    assert_eq!((ids(&following), &following.json["end"]), (vec![ann.id.clone()], &json!(true)));
    // A cursor of one list is none of another.
    let body = json!({ "id": bob.id, "cursor": page.str("/cursor") });
    kit.call("follow.listFollowers", None, body).await.problem(400, "cursor-invalid");

    let body = json!({ "id": ann.id });
    let gone = kit.call("follow.delete", Some(&bob.token), body.clone()).await.expect(200);
    assert_eq!(gone.json["following"], false);
    kit.call("follow.delete", Some(&bob.token), body).await.expect(200);
    related(&kit, &ann, &bob, "followedBy", false).await;
    let counts = json!({ "followers": 1, "following": 0 });
    kit.until("profile.get", None, json!({ "id": ann.id }), |answer| answer.json["counts"] == counts).await;
    kit.call("follow.create", Some(&ann.token), json!({ "id": ann.id })).await.problem(422, "invalid");
}

#[tokio::test]
async fn a_private_profile_is_asked() {
    let kit = Kit::start().await;
    let (ann, bob, cleo) = three(&kit).await;
    kit.call("profile.update", Some(&ann.token), json!({ "about": "Only for friends" })).await.expect(200);
    make_private(&kit, &ann).await;
    let outline = kit.call("profile.get", Some(&bob.token), json!({ "id": ann.id })).await.expect(200);
    assert!(outline.json["about"].is_null() && outline.str("/handle") == "ann");
    kit.call("follow.listFollowers", Some(&bob.token), json!({ "id": ann.id }))
        .await
        .problem(403, "forbidden");
    kit.call("follow.listFollowing", None, json!({ "id": ann.id })).await.problem(403, "forbidden");

    let asked = follow(&kit, &bob, &ann).await;
    assert_eq!((&asked.json["following"], &asked.json["requested"]), (&json!(false), &json!(true)));
    assert_eq!(follow(&kit, &bob, &ann).await.text, asked.text);
    follow(&kit, &cleo, &ann).await;
    let waiting = |answer: &Answer| answer.json["items"].as_array().is_some_and(|items| items.len() == 2);
    kit.until("follow.listRequests", Some(&ann.token), json!({}), waiting).await;
    let mine = kit
        .call("follow.listRequests", Some(&bob.token), json!({ "direction": "outgoing" }))
        .await
        .expect(200);
    assert_eq!(mine.str("/items/0/profile/id"), ann.id);
    assert!(mine.json["items"][0]["profile"]["about"].is_null(), "an outline, still");

    let accepted = kit.call("follow.accept", Some(&ann.token), json!({ "id": bob.id })).await.expect(200);
    assert_eq!((&accepted.json["followedBy"], &accepted.json["requestedBy"]), (&json!(true), &json!(false)));
    kit.call("follow.accept", Some(&ann.token), json!({ "id": bob.id })).await.expect(200);
    related(&kit, &bob, &ann, "following", true).await;
    related(&kit, &bob, &ann, "requested", false).await;
    let whole = kit.call("profile.get", Some(&bob.token), json!({ "id": ann.id })).await.expect(200);
    assert_eq!(whole.str("/about"), "Only for friends");
    kit.call("follow.listFollowers", Some(&bob.token), json!({ "id": ann.id })).await.expect(200);

    kit.call("follow.reject", Some(&ann.token), json!({ "id": cleo.id })).await.expect(200);
    kit.call("follow.reject", Some(&ann.token), json!({ "id": cleo.id })).await.expect(200);
    related(&kit, &cleo, &ann, "requested", false).await;
    kit.call("follow.accept", Some(&ann.token), json!({ "id": cleo.id })).await.problem(404, "not-found");
    // Nobody accepts for somebody else.
    follow(&kit, &cleo, &ann).await;
    kit.call("follow.accept", Some(&bob.token), json!({ "id": cleo.id })).await.problem(404, "not-found");
    kit.call("follow.accept", Some(&cleo.token), json!({ "id": ann.id })).await.problem(404, "not-found");
}

#[tokio::test]
async fn what_is_accepted_is_the_request_that_was_made() {
    let kit = Kit::start().await;
    let (ann, bob, _) = three(&kit).await;
    make_private(&kit, &ann).await;
    for round in 0..10 {
        follow(&kit, &bob, &ann).await;
        related(&kit, &ann, &bob, "requestedBy", true).await;
        let body = json!({ "id": ann.id });
        let accept = kit.call("follow.accept", Some(&ann.token), json!({ "id": bob.id }));
        let (_, _) = tokio::join!(accept, kit.call("follow.delete", Some(&bob.token), body));
        // Whoever was first, both sides end up with the same story.
        let mut same = 0;
        for _ in 0..200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            kit.skip(Duration::from_millis(200));
            let (mine, hers) = (relation(&kit, &bob, &ann.id).await, relation(&kit, &ann, &bob.id).await);
            let agree = mine["following"] == hers["followedBy"] && mine["requested"] == hers["requestedBy"];
            same = if agree { same + 1 } else { 0 };
            if same == 5 {
                break;
            }
        }
        assert_eq!(same, 5, "round {round}");
        kit.call("follow.delete", Some(&bob.token), json!({ "id": ann.id })).await.expect(200);
        related(&kit, &ann, &bob, "followedBy", false).await;
        related(&kit, &ann, &bob, "requestedBy", false).await;
    }
}

// Blocks.

#[tokio::test]
async fn a_block_hides_both_from_each_other() {
    let kit = Kit::start().await;
    let (ann, bob, cleo) = three(&kit).await;
    for (who, whom) in [(&ann, &bob), (&bob, &ann), (&cleo, &ann), (&cleo, &bob), (&ann, &cleo)] {
        follow(&kit, who, whom).await;
    }
    for (who, whom) in [(&ann, &bob), (&bob, &ann), (&ann, &cleo), (&bob, &cleo), (&cleo, &ann)] {
        related(&kit, who, whom, "followedBy", true).await;
    }
    let blocked = kit.call("block.create", Some(&ann.token), json!({ "id": bob.id })).await.expect(200);
    assert_eq!((&blocked.json["blocking"], &blocked.json["following"]), (&json!(true), &json!(false)));
    let again = kit.call("block.create", Some(&ann.token), json!({ "id": bob.id })).await.expect(200);
    assert_eq!(again.text, blocked.text);
    let absent = kit.call("profile.get", Some(&bob.token), json!({ "id": kit.uuid() })).await.untraced();
    // From the very moment, also where the step has not arrived.
    for (who, whom) in [(&ann, &bob), (&bob, &ann)] {
        for method in ["profile.get", "follow.create", "follow.listFollowers", "follow.listFollowing"] {
            let answer = kit.call(method, Some(&who.token), json!({ "id": whom.id })).await;
            assert_eq!(answer.untraced(), absent, "{method}");
        }
        let handle = json!({ "handle": whom.handle });
        assert_eq!(kit.call("profile.get", Some(&who.token), handle).await.untraced(), absent);
    }
    let back = kit.call("block.create", Some(&bob.token), json!({ "id": ann.id })).await;
    assert_eq!(back.untraced(), absent);
    related(&kit, &bob, &ann, "following", false).await;
    let none = json!({
        "id": ann.id, "following": false, "followedBy": false, "requested": false, "requestedBy": false,
        "muted": false, "blocking": false,
    });
    assert_eq!(relation(&kit, &bob, &ann.id).await, none, "who is blocked is told nothing");
    assert_eq!(relation(&kit, &ann, &bob.id).await["blocking"], true);

    // No list mentions them to each other; a third one sees both.
    let list = |who: &Person, method: &'static str, of: &Person| {
        let (token, body, kit) = (who.token.clone(), json!({ "id": of.id }), &kit);
        async move { ids(&kit.call(method, Some(&token), body).await.expect(200)) }
    };
    assert_eq!(list(&bob, "follow.listFollowing", &cleo).await, [bob.id.as_str()]);
    assert_eq!(list(&ann, "follow.listFollowing", &cleo).await, [ann.id.as_str()]);
    assert_eq!(list(&cleo, "follow.listFollowing", &cleo).await.len(), 2);
    assert!(list(&cleo, "follow.listFollowers", &ann).await.contains(&cleo.id));
    assert!(!list(&cleo, "follow.listFollowers", &ann).await.contains(&bob.id), "the follow has ended");
    for who in [&ann, &bob] {
        let many = kit
            .call("profile.getMany", Some(&who.token), json!({ "ids": [ann.id, bob.id] }))
            .await
            .expect(200);
        let shown: Vec<_> =
            many.json["items"].as_array().unwrap().iter().filter(|item| item["missing"] == false).collect();
        assert_eq!((shown.len(), shown[0]["id"].as_str()), (1, Some(who.id.as_str())));
        let directory = kit.call("profile.list", Some(&who.token), json!({})).await.expect(200);
        assert_eq!(ids(&directory).len(), 2);
    }
    let listed = kit.call("block.list", Some(&ann.token), json!({})).await.expect(200);
    assert_eq!((ids(&listed), listed.str("/items/0/handle")), (vec![bob.id.clone()], "bob".into()));
    assert!(ids(&kit.call("block.list", Some(&bob.token), json!({})).await.expect(200)).is_empty());

    // Lifted: both are there again, the follows are not.
    kit.call("block.delete", Some(&bob.token), json!({ "id": ann.id })).await.expect(200);
    kit.call("profile.get", Some(&bob.token), json!({ "id": ann.id })).await.problem(404, "not-found");
    kit.call("block.delete", Some(&ann.token), json!({ "id": bob.id })).await.expect(200);
    kit.until("profile.get", Some(&bob.token), json!({ "id": ann.id }), |answer| answer.status == 200).await;
    assert_eq!(relation(&kit, &bob, &ann.id).await, none);
    follow(&kit, &bob, &ann).await;
    kit.call("block.create", Some(&ann.token), json!({ "id": ann.id })).await.problem(422, "invalid");
}

#[tokio::test]
async fn a_block_ends_requests_and_crosses_them_on_the_way() {
    let kit = Kit::start().await;
    let (ann, bob, _) = three(&kit).await;
    make_private(&kit, &ann).await;
    for round in 0..5 {
        let body = json!({ "id": ann.id });
        let (asked, blocked) = tokio::join!(
            kit.call("follow.create", Some(&bob.token), body),
            kit.call("block.create", Some(&ann.token), json!({ "id": bob.id })),
        );
        assert!(matches!(asked.status, 200 | 404), "{}", asked.text);
        blocked.expect(200);
        related(&kit, &bob, &ann, "requested", false).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        kit.skip(Duration::from_secs(2));
        let hers = relation(&kit, &ann, &bob.id).await;
        assert_eq!(
            (&hers["requestedBy"], &hers["followedBy"]),
            (&json!(false), &json!(false)),
            "round {round}"
        );
        kit.call("block.delete", Some(&ann.token), json!({ "id": bob.id })).await.expect(200);
        kit.until("profile.get", Some(&bob.token), json!({ "id": ann.id }), |answer| answer.status == 200)
            .await;
    }
}

#[tokio::test]
async fn mutes_are_ones_own_business() {
    let kit = Kit::start().await;
    let (ann, bob, _) = three(&kit).await;
    let mute = |body: Value| {
        // Lists are in order of time, to the millisecond.
        kit.skip(Duration::from_millis(5));
        kit.call("block.createMute", Some(&ann.token), body)
    };
    mute(json!({ "subject": { "profile": bob.id } })).await.expect(200);
    mute(json!({ "subject": { "tag": "#Spoiler" } })).await.expect(200);
    mute(json!({ "subject": { "tag": "spoiler" } })).await.expect(200);
    let until = (kit.host.cluster.now().wall + Duration::from_secs(60)).to_string();
    mute(json!({ "subject": { "word": " Final " }, "until": until })).await.expect(200);
    let listed = kit.call("block.listMutes", Some(&ann.token), json!({})).await.expect(200);
    assert_eq!(listed.json["items"].as_array().unwrap().len(), 3);
    assert_eq!(listed.json["items"][0]["subject"], json!({ "word": "final" }));
    assert_eq!(relation(&kit, &ann, &bob.id).await["muted"], true);
    assert_eq!(relation(&kit, &bob, &ann.id).await["muted"], false);
    kit.call("profile.get", Some(&bob.token), json!({ "id": ann.id })).await.expect(200);
    kit.skip(Duration::from_secs(61));
    let listed = kit.call("block.listMutes", Some(&ann.token), json!({})).await.expect(200);
    assert_eq!(listed.json["items"].as_array().unwrap().len(), 2, "one has ended");
    let body = json!({ "subject": { "profile": bob.id } });
    kit.call("block.deleteMute", Some(&ann.token), body.clone()).await.expect(200);
    kit.call("block.deleteMute", Some(&ann.token), body).await.expect(200);
    assert_eq!(relation(&kit, &ann, &bob.id).await["muted"], false);
    mute(json!({ "subject": { "profile": bob.id } })).await.expect(200);
    for body in [
        json!({}),
        json!({ "subject": {} }),
        json!({ "subject": { "profile": ann.id } }),
        json!({ "subject": { "word": "  " } }),
        json!({ "subject": { "tag": "#" } }),
        json!({ "subject": { "word": "x" }, "until": "2020-01-01T00:00:00Z" }),
        json!({ "subject": { "word": "x".repeat(65) } }),
    ] {
        mute(body.clone()).await.problem(422, "invalid");
    }
}

// Devices.

#[tokio::test]
async fn a_device_is_known_by_its_installation() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let id = kit.uuid();
    let register = |body: Value| kit.call("device.register", Some(&ann.token), body);
    let first = register(json!({ "id": id, "platform": "ios", "model": "Phone 9", "locale": "de-AT" }))
        .await
        .expect(200);
    let same = register(json!({ "id": id, "platform": "ios" })).await.expect(200);
    assert_eq!((first.str("/rev"), same.str("/model")), (same.str("/rev"), "Phone 9".into()));
    let changed = register(json!({ "id": id, "appBuild": "2.0" })).await.expect(200);
    assert_ne!(changed.str("/rev"), first.str("/rev"));
    let body = json!({ "handle": "ann", "password": PASSWORD, "device": { "id": id, "name": "Mine" } });
    let token = kit.call("auth.createSession", None, body).await.expect(200).str("/accessToken");
    let list = kit.call("device.list", Some(&token), json!({})).await.expect(200);
    assert_eq!(ids(&list), [id.as_str()]);
    let device = &list.json["items"][0];
    assert_eq!(
        (&device["name"], &device["locale"], &device["current"]),
        (&json!("Mine"), &json!("de-AT"), &json!(true))
    );
    assert!(device["seenAt"].is_string());

    kit.call("device.delete", Some(&ann.token), json!({ "id": id })).await.expect(200);
    kit.call("auth.getSession", Some(&token), json!({})).await.problem(401, "unauthenticated");
    assert!(ids(&kit.call("device.list", Some(&ann.token), json!({})).await.expect(200)).is_empty());
    kit.call("device.delete", Some(&ann.token), json!({ "id": id })).await.expect(200);
    kit.call("device.delete", Some(&ann.token), json!({ "id": kit.uuid() })).await.expect(200);
    // The same installation comes back, with nothing of before.
    let back = register(json!({ "id": id, "platform": "ios" })).await.expect(200);
    assert!(back.json["model"].is_null());
    assert_eq!(ids(&kit.call("device.list", Some(&ann.token), json!({})).await.expect(200)), [id.as_str()]);
    register(json!({ "id": ann.id })).await.problem(409, "id-taken");
    register(json!({ "platform": "ios" })).await.problem(422, "invalid");
}

#[tokio::test]
async fn two_people_share_a_phone_and_see_their_own_devices() {
    let kit = Kit::start().await;
    let (ann, bob, _) = three(&kit).await;
    let id = kit.uuid();
    for who in [&ann, &bob] {
        kit.call("device.register", Some(&who.token), json!({ "id": id, "name": who.handle }))
            .await
            .expect(200);
    }
    kit.call("device.delete", Some(&bob.token), json!({ "id": id })).await.expect(200);
    let list = kit.call("device.list", Some(&ann.token), json!({})).await.expect(200);
    assert_eq!(list.str("/items/0/name"), "ann");
}

// Roles.

#[tokio::test]
async fn who_is_not_signed_in_is_asked_to_be() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    for method in [
        "block.create",
        "block.createMute",
        "block.delete",
        "block.deleteMute",
        "block.list",
        "block.listMutes",
        "device.delete",
        "device.list",
        "device.register",
        "follow.accept",
        "follow.create",
        "follow.delete",
        "follow.getRelations",
        "follow.listRequests",
        "follow.reject",
        "profile.list",
        "profile.setHandle",
        "profile.update",
    ] {
        kit.call(method, None, json!({ "id": ann.id })).await.problem(401, "unauthenticated");
    }
    // A server key says for whom, or is nobody.
    let key = kit::server_key("one");
    kit.call("follow.create", Some(&key), json!({ "id": ann.id })).await.problem(401, "unauthenticated");
    let bob = kit.person("bob").await;
    let with = With { token: Some(&key), headers: &[("gomer-as", bob.id.as_str())], ..With::default() };
    kit.call_with("follow.create", with, json!({ "id": ann.id })).await.expect(200);
    related(&kit, &ann, &bob, "followedBy", true).await;
}
