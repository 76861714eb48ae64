//! `photo`, `album`, pictures of profiles and media of posts: what each method does, each way in which it fails,
//! strangers, replays, and that bytes stay as long as something shows them.

mod kit;
mod pictures;

use std::time::Duration;

use bytes::Bytes;
use gomer::methods::media::sweep::{Swept, sweep};
use hyper::Method;
use kit::{Answer, Kit, Person, With};
use pictures::{jpeg, sha256};
use serde_json::{Value, json};

/// Uploads and finishes: the media's id.
async fn upload(kit: &Kit, who: &Person, bytes: &[u8]) -> String {
    let id = kit.uuid();
    let body = json!({ "id": id, "size": bytes.len(), "sha256": sha256(bytes) });
    let upload = kit.call("media.createUpload", Some(&who.token), body).await.expect(200);
    if upload.str("/state") == "open" {
        let bytes = Bytes::copy_from_slice(bytes);
        kit.fetch(Method::PUT, &upload.str("/url"), &[], bytes).await.expect(204);
    }
    kit.call("media.finishUpload", Some(&who.token), json!({ "id": id })).await.expect(200);
    id
}

/// Publishes a photo of that size.
async fn photo(kit: &Kit, who: &Person, side: u32, more: Value) -> Answer {
    let media = upload(kit, who, &jpeg(side, side)).await;
    let mut body = json!({ "id": kit.uuid(), "media": media });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    kit.call("photo.create", Some(&who.token), body).await.expect(200)
}

async fn album(kit: &Kit, who: &Person, more: Value) -> String {
    let mut body = json!({ "id": kit.uuid(), "title": "Holidays" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    kit.call("album.create", Some(&who.token), body).await.expect(200).str("/id")
}

/// A call for somebody whose token may have expired.
async fn later(kit: &Kit, who: &Person, method: &str, body: Value) -> Answer {
    let key = kit::server_key("one");
    let headers = [("gomer-as", who.id.as_str())];
    kit.call_with(method, With { token: Some(&key), headers: &headers, ..With::default() }, body).await
}

async fn in_two(kit: &Kit, who: &Person, method: &str, body: Value) -> Answer {
    kit.call_with(method, With { app: Some("two"), token: Some(&who.token), ..With::default() }, body).await
}

/// Sweeps until nothing more is found, with two hours between each.
async fn sweep_long(kit: &Kit) -> Swept {
    let mut all = Swept::default();
    for _ in 0..4 {
        kit.skip(Duration::from_secs(2 * 3_600));
        tokio::time::sleep(Duration::from_millis(100)).await;
        for slice in 0..=255 {
            let swept = sweep(&kit.host, slice).await.unwrap();
            all.references += swept.references;
            all.media += swept.media;
            all.objects += swept.objects;
            all.strays += swept.strays;
        }
    }
    all
}

async fn fetch(kit: &Kit, address: &str) -> u16 {
    kit.fetch(Method::GET, address, &[], Bytes::new()).await.status
}

fn ids(answer: &Answer) -> Vec<String> {
    answer.json["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_photo_is_made_once_and_reads_as_it_was_answered() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let media = upload(&kit, &ann, &jpeg(400, 300)).await;
    let id = kit.uuid();
    let body = json!({
        "id": id, "media": media, "caption": "At the lake", "alt": "A lake in the morning",
        "place": { "latitude": 47.5, "longitude": 8.5 },
        "people": [{ "profile": bob.id, "x": 0.25, "y": 1 }, { "profile": ann.id }, { "profile": bob.id }],
    });
    let first = kit.call("photo.create", Some(&ann.token), body.clone()).await.expect(200);
    assert_eq!(first.json["people"].as_array().unwrap().len(), 2, "each once");
    assert_eq!(
        (first.json["media"]["width"].as_u64(), first.str("/caption").as_str()),
        (Some(400), "At the lake")
    );
    assert!(first.str("/media/url").contains("?e=0&"), "for everybody, so for good");
    let again = kit.call("photo.create", Some(&ann.token), json!({ "id": id, "media": kit.uuid() })).await;
    assert_eq!(again.expect(200).json, first.json);
    let read = kit.call("photo.get", None, json!({ "id": id })).await.expect(200);
    assert_eq!(read.json, first.json);
    assert_eq!(fetch(&kit, &read.str("/media/sizes/0/url")).await, 200);
    kit.call("media.get", None, json!({ "id": media })).await.expect(200);
    kit.call("photo.create", Some(&bob.token), body).await.problem(409, "id-taken");
    let listed = |answer: &Answer| ids(answer) == [id.clone()];
    kit.until("photo.listByProfile", None, json!({ "id": ann.id }), listed).await;
    // A retry, and another body under the same key.
    let key = kit.uuid();
    let headers = [("idempotency-key", key.as_str())];
    let with = || With { token: Some(&ann.token), headers: &headers, ..With::default() };
    let body = json!({ "id": kit.uuid(), "media": media });
    let once = kit.call_with("photo.create", with(), body.clone()).await.expect(200);
    let twice = kit.call_with("photo.create", with(), body.clone()).await.expect(200);
    assert_eq!(
        (twice.text.as_str(), twice.headers.contains_key("gomer-replayed")),
        (once.text.as_str(), true)
    );
    let other = json!({ "id": body["id"], "media": media, "caption": "x" });
    kit.call_with("photo.create", with(), other).await.problem(422, "key-reused");
}

#[tokio::test]
async fn bad_photos_are_refused_with_a_pointer() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let media = upload(&kit, &ann, &jpeg(40, 30)).await;
    let theirs = upload(&kit, &bob, &jpeg(41, 30)).await;
    let text = upload(&kit, &ann, b"no picture").await;
    for (patch, code, pointer) in [
        (json!({ "media": theirs }), 422, "/media"),
        (json!({ "media": text }), 422, "/media"),
        (json!({ "media": kit.uuid() }), 422, "/media"),
        (json!({ "media": null }), 422, "/media"),
        (json!({ "caption": "x".repeat(2_001) }), 422, "/caption"),
        (json!({ "audience": "neighbours" }), 422, "/audience"),
        (json!({ "people": [{ "profile": kit.uuid() }] }), 422, "/people/0/profile"),
        (json!({ "people": [{ "profile": bob.id, "x": 1.5 }] }), 422, "/people/0/x"),
        (json!({ "album": kit.uuid() }), 400, "/album"),
    ] {
        let mut body = json!({ "id": kit.uuid(), "media": media });
        body.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        let answer = kit.call("photo.create", Some(&ann.token), body).await.expect(code);
        assert_eq!(answer.str("/errors/0/pointer"), pointer, "{}", answer.text);
    }
    let body = json!({ "id": kit.uuid(), "media": media });
    kit.call("photo.create", None, body).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn an_audience_holds_for_the_photo_its_bytes_and_its_lists() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let eve = kit.person_in("two", "eve").await;
    let mine = photo(&kit, &ann, 50, json!({ "audience": "onlyMe" })).await;
    let (id, media) = (mine.str("/id"), mine.str("/media/id"));
    assert!(!mine.str("/media/url").contains("?e=0&"), "an address for a day");
    let nothing = kit.call("photo.get", None, json!({ "id": kit.uuid() })).await.problem(404, "not-found");
    for token in [None, Some(bob.token.as_str())] {
        assert_eq!(kit.call("photo.get", token, json!({ "id": id })).await.untraced(), nothing.untraced());
        kit.call("media.get", token, json!({ "id": media })).await.problem(404, "not-found");
    }
    assert_eq!(in_two(&kit, &eve, "photo.get", json!({ "id": id })).await.untraced(), nothing.untraced());
    for (method, body) in [
        ("photo.update", json!({ "id": id, "caption": "x" })),
        ("photo.delete", json!({ "id": id })),
        ("photo.tagProfile", json!({ "id": id, "profile": bob.id })),
        ("photo.untagProfile", json!({ "id": id, "profile": ann.id })),
    ] {
        let theirs = kit.call(method, Some(&bob.token), body.clone()).await;
        assert_eq!(theirs.untraced(), nothing.untraced(), "{method}");
        assert_eq!(in_two(&kit, &eve, method, body.clone()).await.untraced(), nothing.untraced(), "{method}");
        kit.call(method, None, body).await.problem(401, "unauthenticated");
    }
    // For all now: everywhere, and then others may see it and still not change it.
    let body = json!({ "id": id, "audience": "public", "caption": "Now", "ifRev": mine.str("/rev") });
    let wider = kit.call("photo.update", Some(&ann.token), body.clone()).await.expect(200);
    assert!(wider.str("/media/url").contains("?e=0&"));
    assert_eq!(
        kit.call("photo.get", Some(&bob.token), json!({ "id": id })).await.expect(200).json,
        wider.json
    );
    kit.call("media.get", None, json!({ "id": media })).await.expect(200);
    let stale = kit.call("photo.update", Some(&ann.token), body).await.problem(412, "stale-revision");
    assert_eq!(stale.str("/current/caption"), "Now");
    let body = json!({ "id": id, "caption": "x" });
    kit.call("photo.update", Some(&bob.token), body).await.problem(403, "forbidden");
    kit.call("photo.delete", Some(&bob.token), json!({ "id": id })).await.problem(403, "forbidden");
    let cleared =
        kit.call("photo.update", Some(&ann.token), json!({ "id": id, "caption": null })).await.expect(200);
    assert_eq!(cleared.json.get("caption"), None);
    // A block hides it, bytes' address and all.
    kit.call("block.create", Some(&ann.token), json!({ "id": bob.id })).await.expect(200);
    kit.call("photo.get", Some(&bob.token), json!({ "id": id })).await.problem(404, "not-found");
    kit.call("media.get", Some(&bob.token), json!({ "id": media })).await.problem(404, "not-found");
    kit.call("photo.listByProfile", Some(&bob.token), json!({ "id": ann.id }))
        .await
        .problem(404, "not-found");
}

#[tokio::test]
async fn people_are_said_to_be_on_a_photo_are_told_and_may_take_it_back() {
    let kit = Kit::start().await;
    let (ann, bob, cat) = (kit.person("ann").await, kit.person("bob").await, kit.person("cat").await);
    let made = photo(&kit, &ann, 50, json!({})).await;
    let id = made.str("/id");
    let tag = |who: &Person| json!({ "id": id, "profile": who.id, "x": 0.5, "y": 0.5 });
    kit.call("photo.tagProfile", Some(&bob.token), tag(&bob)).await.problem(403, "forbidden");
    let tagged = kit.call("photo.tagProfile", Some(&ann.token), tag(&bob)).await.expect(200);
    assert_eq!(tagged.json["tagged"], true);
    kit.call("photo.tagProfile", Some(&ann.token), tag(&bob)).await.expect(200);
    kit.call("photo.tagProfile", Some(&ann.token), tag(&cat)).await.expect(200);
    let body = json!({ "id": id, "profile": kit.uuid() });
    kit.call("photo.tagProfile", Some(&ann.token), body).await.problem(422, "invalid");
    let people = kit.call("photo.get", None, json!({ "id": id })).await.expect(200).json["people"].clone();
    assert_eq!(people[0], json!({ "profile": bob.id, "x": 0.5, "y": 0.5 }));
    // Bob's phone hears of it.
    let told = |answer: &Answer| answer.text.contains("shownIn") && answer.text.contains(&id);
    kit.until("sync.pull", Some(&bob.token), json!({}), told).await;
    // Cat may not speak for Bob; Bob may for himself, and the author for all.
    let untag = |who: &Person| json!({ "id": id, "profile": who.id });
    kit.call("photo.untagProfile", Some(&cat.token), untag(&bob)).await.problem(403, "forbidden");
    let gone = kit.call("photo.untagProfile", Some(&bob.token), untag(&bob)).await.expect(200);
    assert_eq!(gone.json["tagged"], false);
    kit.call("photo.untagProfile", Some(&ann.token), untag(&cat)).await.expect(200);
    kit.call("photo.untagProfile", Some(&ann.token), untag(&cat)).await.expect(200);
    let people = kit.call("photo.get", None, json!({ "id": id })).await.expect(200).json["people"].clone();
    assert_eq!(people, json!([]));
}

#[tokio::test]
async fn an_album_has_its_owners_and_contributors_photos_as_each_may_see_them() {
    let kit = Kit::start().await;
    let (ann, bob, cat) = (kit.person("ann").await, kit.person("bob").await, kit.person("cat").await);
    let eve = kit.person_in("two", "eve").await;
    let id = album(&kit, &ann, json!({ "about": "At the lake", "contributors": [bob.id, bob.id] })).await;
    let again =
        kit.call("album.create", Some(&ann.token), json!({ "id": id, "title": "Other" })).await.expect(200);
    assert_eq!(
        (again.str("/title").as_str(), again.json["contributors"].clone()),
        ("Holidays", json!([bob.id]))
    );
    kit.call("album.create", Some(&bob.token), json!({ "id": id, "title": "x" }))
        .await
        .problem(409, "id-taken");
    let (public, private) = (
        photo(&kit, &ann, 50, json!({})).await,
        photo(&kit, &ann, 51, json!({ "audience": "onlyMe" })).await,
    );
    let theirs = photo(&kit, &bob, 52, json!({})).await;
    let photos = |list: &[&Answer]| json!({ "id": id, "photos": list.iter().map(|photo| photo.str("/id")).collect::<Vec<_>>() });
    kit.call("album.addPhotos", Some(&ann.token), photos(&[&public, &private])).await.expect(200);
    kit.call("album.addPhotos", Some(&ann.token), photos(&[&public])).await.expect(200);
    kit.call("album.addPhotos", Some(&ann.token), photos(&[&theirs])).await.problem(422, "invalid");
    kit.call("album.addPhotos", Some(&bob.token), photos(&[&theirs])).await.expect(200);
    kit.call("album.addPhotos", Some(&cat.token), photos(&[&theirs])).await.problem(403, "forbidden");
    kit.call("album.addPhotos", Some(&ann.token), json!({ "id": id, "photos": [] }))
        .await
        .problem(422, "invalid");
    for (token, count) in [(Some(&ann.token), 3), (Some(&cat.token), 2), (None, 2)] {
        let token = token.map(String::as_str);
        let list = kit.call("album.listPhotos", token, json!({ "id": id })).await.expect(200);
        assert_eq!(list.json["items"].as_array().unwrap().len(), count);
        assert_eq!(ids(&list)[0], theirs.str("/id"), "the latest first");
    }
    let seen = kit.call("album.get", None, json!({ "id": id })).await.expect(200);
    assert_eq!(
        (seen.json["counts"]["photos"].as_u64(), seen.str("/cover/id")),
        (Some(3), theirs.str("/media/id"))
    );
    // Page by page.
    let page = kit.call("album.listPhotos", None, json!({ "id": id, "limit": 1 })).await.expect(200);
    let cursor = page.str("/cursor");
    let next = kit
        .call("album.listPhotos", None, json!({ "id": id, "limit": 2, "cursor": cursor }))
        .await
        .expect(200);
    assert_eq!(next.json["end"], true);
    let body = json!({ "id": kit.uuid(), "cursor": cursor });
    kit.call("album.listPhotos", None, body).await.problem(400, "cursor-invalid");
    // Out again: contributors their own, the owner any.
    kit.call("album.removePhotos", Some(&bob.token), photos(&[&public])).await.problem(422, "invalid");
    kit.call("album.removePhotos", Some(&cat.token), photos(&[&public])).await.problem(403, "forbidden");
    kit.call("album.removePhotos", Some(&bob.token), photos(&[&theirs])).await.expect(200);
    kit.call("album.removePhotos", Some(&ann.token), photos(&[&theirs, &public])).await.expect(200);
    let seen = kit.call("album.get", Some(&ann.token), json!({ "id": id })).await.expect(200);
    assert_eq!(
        (seen.json["counts"]["photos"].as_u64(), seen.str("/cover/id")),
        (Some(1), private.str("/media/id"))
    );
    // For me alone: nobody else finds it, but who contributes.
    let rev = kit
        .call("album.update", Some(&ann.token), json!({ "id": id, "audience": "onlyMe", "title": "Mine" }))
        .await;
    let rev = rev.expect(200).str("/rev");
    let nothing = kit.call("album.get", None, json!({ "id": kit.uuid() })).await.problem(404, "not-found");
    for (method, body) in [
        ("album.get", json!({ "id": id })),
        ("album.listPhotos", json!({ "id": id })),
        ("album.update", json!({ "id": id, "title": "x" })),
        ("album.delete", json!({ "id": id })),
        ("album.addPhotos", photos(&[&theirs])),
        ("album.removePhotos", photos(&[&theirs])),
    ] {
        let refused = kit.call(method, Some(&cat.token), body.clone()).await;
        assert_eq!(refused.untraced(), nothing.untraced(), "{method}");
        assert_eq!(in_two(&kit, &eve, method, body).await.untraced(), nothing.untraced(), "{method}");
    }
    kit.call("album.get", Some(&bob.token), json!({ "id": id })).await.expect(200);
    kit.call("album.update", Some(&bob.token), json!({ "id": id, "title": "x" }))
        .await
        .problem(403, "forbidden");
    let body = json!({ "id": id, "title": "y", "ifRev": "1.00000000" });
    let stale = kit.call("album.update", Some(&ann.token), body).await.problem(412, "stale-revision");
    assert_eq!((stale.str("/rev"), stale.str("/current/title").as_str()), (rev, "Mine"));
    let listed = |answer: &Answer| ids(answer) == [id.clone()];
    kit.until("album.listByProfile", Some(&ann.token), json!({ "id": ann.id }), listed).await;
    assert_eq!(
        ids(&kit.call("album.listByProfile", Some(&cat.token), json!({ "id": ann.id })).await.expect(200))
            .len(),
        0
    );
    for method in ["album.create", "album.update", "album.delete", "album.addPhotos", "album.removePhotos"] {
        let body = json!({ "id": id, "title": "x", "photos": [public.str("/id")] });
        let answer = kit.call(method, None, body).await;
        assert_eq!(answer.status, 401, "{method} {}", answer.text);
    }
}

#[tokio::test]
async fn an_album_goes_with_its_photos_or_without_and_bytes_follow_the_last_of_all() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let (stays, goes) = (photo(&kit, &ann, 60, json!({})).await, photo(&kit, &ann, 61, json!({})).await);
    let (one, two) = (album(&kit, &ann, json!({})).await, album(&kit, &ann, json!({})).await);
    let put = |album: &str, photo: &Answer| json!({ "id": album, "photos": [photo.str("/id")] });
    kit.call("album.addPhotos", Some(&ann.token), put(&one, &stays)).await.expect(200);
    kit.call("album.addPhotos", Some(&ann.token), put(&two, &goes)).await.expect(200);
    kit.call("album.delete", Some(&ann.token), json!({ "id": one })).await.expect(200);
    kit.call("album.delete", Some(&ann.token), json!({ "id": one })).await.expect(200);
    let body = json!({ "id": two, "photos": "delete" });
    kit.call("album.delete", Some(&ann.token), body).await.expect(200);
    kit.call("album.get", Some(&ann.token), json!({ "id": two })).await.problem(404, "not-found");
    kit.call("photo.get", None, json!({ "id": stays.str("/id") })).await.expect(200);
    kit.call("photo.get", None, json!({ "id": goes.str("/id") })).await.problem(404, "not-found");
    let swept = sweep_long(&kit).await;
    assert_eq!((swept.media, swept.objects), (1, 1), "{swept:?}");
    assert_eq!(fetch(&kit, &stays.str("/media/url")).await, 200);
    assert_eq!(fetch(&kit, &goes.str("/media/url")).await, 404);
}

#[tokio::test]
async fn a_profile_has_pictures_and_bytes_stay_while_one_place_shows_them() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let (one, two) = (upload(&kit, &ann, &jpeg(70, 70)).await, upload(&kit, &ann, &jpeg(71, 70)).await);
    let text = upload(&kit, &ann, b"no picture").await;
    let theirs = upload(&kit, &bob, &jpeg(72, 70)).await;
    for (body, pointer) in [
        (json!({}), "/media"),
        (json!({ "media": text }), "/media"),
        (json!({ "media": theirs }), "/media"),
        (json!({ "media": one, "slot": "banner" }), "/slot"),
    ] {
        let refused = kit.call("profile.setAvatar", Some(&ann.token), body).await.problem(422, "invalid");
        assert_eq!(refused.str("/errors/0/pointer"), pointer);
    }
    kit.call("profile.setAvatar", None, json!({ "media": one })).await.problem(401, "unauthenticated");
    let set = kit.call("profile.setAvatar", Some(&ann.token), json!({ "media": one })).await.expect(200);
    assert_eq!(set.str("/avatar/id"), one);
    let again = kit.call("profile.setAvatar", Some(&ann.token), json!({ "media": one })).await.expect(200);
    assert_eq!(again.json, set.json);
    let seen = kit.call("profile.get", None, json!({ "id": ann.id })).await.expect(200);
    assert_eq!(seen.json["avatar"], set.json["avatar"]);
    assert_eq!(fetch(&kit, &seen.str("/avatar/url")).await, 200);
    let body = json!({ "media": two, "ifRev": "1.00000000" });
    kit.call("profile.setAvatar", Some(&ann.token), body).await.problem(412, "stale-revision");
    // The same picture at both places; then each is changed, there and back.
    kit.call("profile.setAvatar", Some(&ann.token), json!({ "media": one, "slot": "cover" }))
        .await
        .expect(200);
    kit.call("profile.setAvatar", Some(&ann.token), json!({ "media": two })).await.expect(200);
    kit.call("profile.setAvatar", Some(&ann.token), json!({ "media": one })).await.expect(200);
    kit.call("profile.setAvatar", Some(&ann.token), json!({ "media": null, "slot": "cover" }))
        .await
        .expect(200);
    let swept = sweep_long(&kit).await;
    assert_eq!(swept.media, 3, "the other, the text, and Bob's: {swept:?}");
    let seen = kit.call("profile.get", None, json!({ "id": ann.id })).await.expect(200);
    assert_eq!((seen.str("/avatar/id"), seen.json.get("cover")), (one, None));
    assert_eq!(fetch(&kit, &seen.str("/avatar/url")).await, 200, "it is still shown");
    later(&kit, &ann, "profile.setAvatar", json!({ "media": null })).await.expect(200);
    assert_eq!(sweep_long(&kit).await.objects, 1);
    assert_eq!(fetch(&kit, &seen.str("/avatar/url")).await, 404);
}

#[tokio::test]
async fn a_post_shows_media_and_lets_go_of_them() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let (one, two) = (upload(&kit, &ann, &jpeg(80, 70)).await, upload(&kit, &ann, b"a file").await);
    let theirs = upload(&kit, &bob, &jpeg(81, 70)).await;
    let id = kit.uuid();
    let body = json!({ "id": id, "text": "", "media": [one, two, one] });
    let post = kit.call("post.create", Some(&ann.token), body).await.expect(200);
    assert_eq!(post.json["media"].as_array().unwrap().len(), 2);
    assert_eq!((post.str("/media/0/kind").as_str(), post.str("/media/1/kind").as_str()), ("image", "file"));
    let read = kit.call("post.get", None, json!({ "id": id })).await.expect(200);
    assert_eq!(read.json["media"], post.json["media"]);
    let edited =
        kit.call("post.update", Some(&ann.token), json!({ "id": id, "text": "Look" })).await.expect(200);
    assert_eq!(edited.json["media"], post.json["media"]);
    for (media, pointer) in
        [(json!([theirs]), "/media/0"), (json!([one, kit.uuid()]), "/media/1"), (json!(["x"]), "/media/0")]
    {
        let body = json!({ "id": kit.uuid(), "text": "x", "media": media });
        let refused = kit.call("post.create", Some(&ann.token), body).await.problem(422, "invalid");
        assert_eq!(refused.str("/errors/0/pointer"), pointer, "{}", refused.text);
    }
    let hidden = json!({ "id": kit.uuid(), "text": "x", "audience": "onlyMe", "media": [one] });
    let hidden = kit.call("post.create", Some(&ann.token), hidden).await.expect(200);
    assert!(!hidden.str("/media/0/url").contains("?e=0&"));
    kit.call("post.delete", Some(&ann.token), json!({ "id": id })).await.expect(200);
    let swept = sweep_long(&kit).await;
    // The claim of the refused post found nothing behind it.
    assert_eq!((swept.media, swept.objects), (2, 2), "the file and Bob's: {swept:?}");
    assert_eq!(fetch(&kit, &post.str("/media/0/url")).await, 200, "the other post shows it");
    assert_eq!(fetch(&kit, &post.str("/media/1/url")).await, 404);
}
