//! `media`: uploads that break off and go on, what they become, who gets to see them, and that bytes go when nobody
//! needs them any more, and not before.

mod kit;
mod pictures;

use bytes::Bytes;
use gomer::blob::hex;
use gomer::methods::media::sweep::{Swept, sweep};
use hyper::Method;
use kit::{Answer, Fetched, Kit, Person, With};
use pictures::{jpeg, jpeg_with_place, sha256};
use serde_json::{Value, json};
use std::time::Duration;

fn announced(id: &str, bytes: &[u8]) -> Value {
    json!({ "id": id, "size": bytes.len(), "sha256": sha256(bytes) })
}

async fn open(kit: &Kit, who: &Person, bytes: &[u8]) -> Answer {
    let id = kit.uuid();
    kit.call("media.createUpload", Some(&who.token), announced(&id, bytes)).await.expect(200)
}

async fn put(kit: &Kit, upload: &Answer, offset: Option<usize>, bytes: &[u8]) -> Fetched {
    let offset = offset.map(|offset| offset.to_string());
    let headers: Vec<_> = offset.iter().map(|offset| ("upload-offset", offset.as_str())).collect();
    kit.fetch(Method::PUT, &upload.str("/url"), &headers, Bytes::copy_from_slice(bytes)).await
}

async fn finish(kit: &Kit, who: &Person, id: &str) -> Answer {
    kit.call("media.finishUpload", Some(&who.token), json!({ "id": id })).await
}

/// Uploads and finishes: the media.
async fn upload(kit: &Kit, who: &Person, bytes: &[u8]) -> Answer {
    let upload = open(kit, who, bytes).await;
    if upload.str("/state") == "open" {
        put(kit, &upload, None, bytes).await.expect(204);
    }
    finish(kit, who, &upload.str("/id")).await.expect(200)
}

async fn get(kit: &Kit, address: &str, headers: &[(&'static str, &str)]) -> Fetched {
    kit.fetch(Method::GET, address, headers, Bytes::new()).await
}

/// A call for somebody whose token has expired meanwhile.
async fn later(kit: &Kit, who: &Person, method: &str, body: Value) -> Answer {
    let key = kit::server_key("one");
    let headers = [("gomer-as", who.id.as_str())];
    kit.call_with(method, With { token: Some(&key), headers: &headers, ..With::default() }, body).await
}

/// Every slice of the files, an hour and more later.
async fn sweep_all(kit: &Kit) -> Swept {
    let mut all = Swept::default();
    for slice in 0..=255 {
        let swept = sweep(&kit.host, slice).await.unwrap();
        all.references += swept.references;
        all.media += swept.media;
        all.objects += swept.objects;
        all.strays += swept.strays;
    }
    all
}

/// Sweeps until nothing more is found, with an hour between each.
async fn sweep_long(kit: &Kit) -> Swept {
    let mut all = Swept::default();
    for _ in 0..4 {
        kit.skip(Duration::from_secs(2 * 3_600));
        // Steps that were caused by the last one arrive.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let swept = sweep_all(kit).await;
        all.references += swept.references;
        all.media += swept.media;
        all.objects += swept.objects;
        all.strays += swept.strays;
    }
    all
}

#[tokio::test]
async fn a_photo_is_uploaded_in_one_go_and_shown_without_its_place() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let bytes = jpeg_with_place(900, 600);
    let upload = open(&kit, &ann, &bytes).await;
    assert_eq!((upload.str("/state").as_str(), upload.json["offset"].as_u64()), ("open", Some(0)));
    assert!(upload.str("/url").starts_with("/media/one/uploads/"));
    let put = put(&kit, &upload, None, &bytes).await.expect(204);
    assert_eq!(put.header("upload-offset").map(str::to_owned), Some(bytes.len().to_string()));
    let media = finish(&kit, &ann, &upload.str("/id")).await.expect(200);
    assert_eq!(media.str("/id"), upload.str("/id"));
    assert_eq!((media.str("/kind").as_str(), media.str("/type").as_str()), ("image", "image/jpeg"));
    assert_eq!(
        (media.json["width"].as_u64(), media.json["height"].as_u64()),
        (Some(600), Some(900)),
        "turned"
    );
    assert!(media.str("/blurHash").len() > 6);
    let names: Vec<_> =
        media.json["sizes"].as_array().unwrap().iter().map(|size| size["name"].clone()).collect();
    assert_eq!(names, ["medium", "small"]);
    for pointer in ["/url", "/sizes/0/url", "/sizes/1/url"] {
        let file = get(&kit, &media.str(pointer), &[]).await.expect(200);
        assert!(file.bytes.starts_with(b"\xff\xd8\xff"));
        assert!(!file.bytes.windows(6).any(|window| window == b"SECRET"), "{pointer} tells where it was");
        assert_eq!(file.header("content-type"), Some("image/jpeg"));
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(file.header("content-disposition"), None);
        assert_eq!(file.size, Some(file.bytes.len() as u64));
    }
    // Again: the same.
    assert_eq!(finish(&kit, &ann, &upload.str("/id")).await.expect(200).json, media.json);
    let again = kit.call("media.createUpload", Some(&ann.token), announced(&upload.str("/id"), &bytes)).await;
    assert_eq!(again.expect(200).json["media"], media.json);
    let seen =
        kit.call("media.getUpload", Some(&ann.token), json!({ "id": upload.str("/id") })).await.expect(200);
    assert_eq!((seen.str("/state").as_str(), &seen.json["media"]), ("ready", &media.json));
    assert_eq!(put_again(&kit, &upload, &bytes).await.status, 204, "the address takes it as done");
}

async fn put_again(kit: &Kit, upload: &Answer, bytes: &[u8]) -> Fetched {
    put(kit, upload, None, bytes).await
}

#[tokio::test]
async fn an_upload_breaks_off_and_goes_on_by_either_way() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let bytes: Vec<u8> = (0..700_000u32).map(|n| (n * 7 / 3) as u8).collect();
    let upload = open(&kit, &ann, &bytes).await;
    let id = upload.str("/id");
    let told = |fetched: &Fetched| fetched.header("upload-offset").unwrap().parse::<usize>().unwrap();
    put(&kit, &upload, None, &bytes[..300_001]).await.expect(204);
    let head = kit.fetch(Method::HEAD, &upload.str("/url"), &[], Bytes::new()).await.expect(200);
    assert_eq!((told(&head), head.header("upload-length")), (300_001, Some("700000")));
    // Too early, with a gap, and with what has come already.
    finish(&kit, &ann, &id).await.problem(422, "invalid");
    put(&kit, &upload, Some(300_002), b"x").await.expect(422);
    put(&kit, &upload, Some(123), &bytes[123..400_000]).await.expect(204);
    let part = |offset: usize| format!("media.putPart?id={id}&offset={offset}");
    let answer = kit.send(&part(400_000), Some(&ann.token), &bytes[400_000..500_000]).await.expect(200);
    assert_eq!(answer.json, json!({ "id": id, "offset": 500_000, "size": 700_000 }));
    let answer = kit.send(&part(400_000), Some(&ann.token), &bytes[400_000..450_000]).await.expect(200);
    assert_eq!(answer.json["offset"], 500_000, "a part that comes again changes nothing");
    let seen = kit.call("media.getUpload", Some(&ann.token), json!({ "id": id })).await.expect(200);
    assert_eq!(seen.json["offset"], 500_000);
    kit.send(&part(500_001), Some(&ann.token), b"x").await.problem(422, "invalid");
    kit.send(&part(700_000), Some(&ann.token), b"x").await.problem(422, "invalid");
    // Whole, and what has come is passed over.
    put(&kit, &upload, None, &bytes).await.expect(204);
    put(&kit, &upload, None, &[&bytes[..], b"x"].concat()).await.expect(413);
    kit.send(&part(699_999), Some(&ann.token), b"xx").await.problem(413, "too-large");
    let media = finish(&kit, &ann, &id).await.expect(200);
    assert_eq!((media.str("/kind").as_str(), media.json["bytes"].as_u64()), ("file", Some(700_000)));
    assert_eq!(get(&kit, &media.str("/url"), &[]).await.expect(200).bytes, bytes);
}

#[tokio::test]
async fn bytes_that_are_there_already_finish_at_once_within_their_app_only() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let eve = kit.person_in("two", "eve").await;
    let bytes = jpeg(80, 60);
    let first = upload(&kit, &ann, &bytes).await;
    let second = open(&kit, &bob, &bytes).await;
    assert_eq!(second.str("/state"), "ready");
    assert_eq!(second.json.get("url"), None);
    assert_eq!(second.str("/media/url"), first.str("/url"), "the same file");
    assert_ne!(second.str("/media/id"), first.str("/id"));
    // With another size it cannot be the same.
    let lie = json!({ "id": kit.uuid(), "size": bytes.len() + 1, "sha256": sha256(&bytes) });
    let lie = kit.call("media.createUpload", Some(&bob.token), lie).await.expect(200);
    assert_eq!(lie.str("/state"), "open");
    // Another type than it is.
    let body =
        json!({ "id": kit.uuid(), "size": bytes.len(), "sha256": sha256(&bytes), "type": "image/png" });
    kit.call("media.createUpload", Some(&bob.token), body).await.problem(422, "invalid");
    let with = With { app: Some("two"), token: Some(&eve.token), ..With::default() };
    let other = kit.call_with("media.createUpload", with, announced(&kit.uuid(), &bytes)).await.expect(200);
    assert_eq!(other.str("/state"), "open", "another app knows nothing of it");
    assert!(other.str("/url").starts_with("/media/two/"));
}

#[tokio::test]
async fn what_is_not_what_was_announced_is_refused() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let bytes = jpeg(80, 60);
    // Another hash: thrown away, and the upload begins anew.
    let mut wrong = bytes.clone();
    *wrong.last_mut().unwrap() ^= 1;
    let upload = open(&kit, &ann, &bytes).await;
    put(&kit, &upload, None, &wrong).await.expect(204);
    let refused = finish(&kit, &ann, &upload.str("/id")).await.problem(422, "invalid");
    assert_eq!(refused.str("/errors/0/pointer"), "/sha256");
    let seen =
        kit.call("media.getUpload", Some(&ann.token), json!({ "id": upload.str("/id") })).await.expect(200);
    assert_eq!(seen.json["offset"], 0);
    put(&kit, &upload, None, &bytes).await.expect(204);
    finish(&kit, &ann, &upload.str("/id")).await.expect(200);
    // Another type, a picture that is none, a picture that is too much.
    let other = jpeg(81, 60);
    let cases: [(Vec<u8>, &str, u16, &str); 4] = [
        (other, "image/png", 422, "/type"),
        (b"<svg onload='alert(1)'/>".to_vec(), "image/png", 422, "/type"),
        (b"\xff\xd8\xff\xe0 no picture at all".to_vec(), "image/jpeg", 422, "/id"),
        (pictures::png_head(60_000, 60_000), "image/png", 413, "/id"),
    ];
    for (bytes, said, status, pointer) in cases {
        let mut body = announced(&kit.uuid(), &bytes);
        body["type"] = json!(said);
        let upload = kit.call("media.createUpload", Some(&ann.token), body).await.expect(200);
        put(&kit, &upload, None, &bytes).await.expect(204);
        let refused = finish(&kit, &ann, &upload.str("/id")).await.expect(status);
        assert_eq!(refused.str("/errors/0/pointer"), pointer, "{}", refused.text);
    }
    // What cannot be announced at all.
    for (patch, code, pointer) in [
        (json!({ "size": 0 }), 422, "/size"),
        (json!({ "size": 104_857_601 }), 422, "/size"),
        (json!({ "sha256": "abc" }), 422, "/sha256"),
        (json!({ "type": "" }), 422, "/type"),
        (json!({ "name": "x" }), 400, "/name"),
    ] {
        let mut body = announced(&kit.uuid(), &bytes);
        body.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        let answer = kit.call("media.createUpload", Some(&ann.token), body).await.expect(code);
        assert_eq!(answer.str("/errors/0/pointer"), pointer, "{}", answer.text);
    }
}

#[tokio::test]
async fn uploads_are_their_owners_and_an_id_is_used_once() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let eve = kit.person_in("two", "eve").await;
    let bytes = jpeg(80, 60);
    let upload = open(&kit, &ann, &bytes).await;
    let id = upload.str("/id");
    kit.call("media.createUpload", Some(&bob.token), announced(&id, &bytes)).await.problem(409, "id-taken");
    kit.call("media.createUpload", Some(&ann.token), announced(&id, b"other")).await.problem(409, "id-taken");
    let absent = kit.uuid();
    for method in ["media.getUpload", "media.finishUpload"] {
        let nothing =
            kit.call(method, Some(&bob.token), json!({ "id": absent })).await.problem(404, "not-found");
        let theirs = kit.call(method, Some(&bob.token), json!({ "id": id })).await;
        assert_eq!(theirs.untraced(), nothing.untraced(), "{method}");
        let with = With { app: Some("two"), token: Some(&eve.token), ..With::default() };
        let other = kit.call_with(method, with, json!({ "id": id })).await;
        assert_eq!(other.untraced(), nothing.untraced(), "{method}");
        kit.call(method, None, json!({ "id": id })).await.problem(401, "unauthenticated");
    }
    kit.send(&format!("media.putPart?id={id}&offset=0"), Some(&bob.token), b"x")
        .await
        .problem(404, "not-found");
    kit.send(&format!("media.putPart?id={id}&offset=0"), None, b"x").await.problem(401, "unauthenticated");
    kit.send("media.putPart?offset=0", Some(&ann.token), b"x").await.problem(422, "invalid");
    kit.send(&format!("media.putPart?id={id}&offset=0&x=1"), Some(&ann.token), b"x")
        .await
        .problem(400, "unknown-field");
    kit.call("media.createUpload", None, announced(&kit.uuid(), &bytes))
        .await
        .problem(401, "unauthenticated");
    // A retry gets the first reply, another body is refused.
    let key = kit.uuid();
    let headers = [("idempotency-key", key.as_str())];
    let with = || With { token: Some(&ann.token), headers: &headers, ..With::default() };
    let body = announced(&kit.uuid(), &jpeg(10, 10));
    let first = kit.call_with("media.createUpload", with(), body.clone()).await.expect(200);
    let again = kit.call_with("media.createUpload", with(), body).await.expect(200);
    assert_eq!((again.text.as_str(), again.header("gomer-replayed")), (first.text.as_str(), Some("true")));
    let other = announced(&first.str("/id"), &bytes);
    kit.call_with("media.createUpload", with(), other).await.problem(422, "key-reused");
    put(&kit, &first, None, &jpeg(10, 10)).await.expect(204);
    let key = kit.uuid();
    let headers = [("idempotency-key", key.as_str())];
    let with = || With { token: Some(&ann.token), headers: &headers, ..With::default() };
    let body = json!({ "id": first.str("/id") });
    let done = kit.call_with("media.finishUpload", with(), body.clone()).await.expect(200);
    let again = kit.call_with("media.finishUpload", with(), body).await.expect(200);
    assert_eq!((again.text, again.headers.contains_key("gomer-replayed")), (done.text, true));
}

#[tokio::test]
async fn addresses_are_good_for_what_they_are_and_parts_of_files_can_be_asked_for() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let bytes: Vec<u8> =
        [b"\0\0\0\x18ftypisom".to_vec(), (0..600_000u32).map(|n| n as u8).collect()].concat();
    let media = upload(&kit, &ann, &bytes).await;
    assert_eq!((media.str("/kind").as_str(), media.str("/type").as_str()), ("video", "video/mp4"));
    let address = media.str("/url");
    let whole = get(&kit, &address, &[]).await.expect(200);
    assert_eq!((whole.header("accept-ranges"), whole.bytes == bytes), (Some("bytes"), true));
    assert!(whole.header("cache-control").unwrap().starts_with("private"));
    let tag = whole.header("etag").unwrap().to_owned();
    let size = bytes.len();
    let part = get(&kit, &address, &[("range", "bytes=10-400000")]).await.expect(206);
    assert_eq!(part.header("content-range").map(str::to_owned), Some(format!("bytes 10-400000/{size}")));
    assert_eq!(part.bytes, bytes[10..=400_000]);
    let tail = get(&kit, &address, &[("range", "bytes=-5")]).await.expect(206);
    assert_eq!(tail.bytes, bytes[size - 5..]);
    let beyond = get(&kit, &address, &[("range", "bytes=700000-")]).await.expect(416);
    assert_eq!(beyond.header("content-range").map(str::to_owned), Some(format!("bytes */{size}")));
    let same = get(&kit, &address, &[("range", "bytes=0-0"), ("if-range", &tag)]).await.expect(206);
    assert_eq!(same.bytes, bytes[..1]);
    let other = get(&kit, &address, &[("range", "bytes=0-0"), ("if-range", "\"other\"")]).await.expect(200);
    assert_eq!(other.bytes.len(), size);
    assert_eq!(get(&kit, &address, &[("if-none-match", &tag)]).await.expect(304).bytes, b"");
    let head = kit.fetch(Method::HEAD, &address, &[("range", "bytes=0-0")], Bytes::new()).await.expect(200);
    assert_eq!((head.size, head.bytes.len()), (Some(size as u64), 0));
    // Whatever is wrong with it, it is nothing.
    let nothing = get(&kit, "/media/one/blobs/x?e=0&s=x", &[]).await.expect(404);
    let problem = |fetched: &Fetched| {
        let mut json: Value = serde_json::from_slice(&fetched.bytes).unwrap();
        json.as_object_mut().unwrap().remove("instance");
        json
    };
    let upload = open(&kit, &ann, b"more").await;
    for wrong in [
        address.replace("/one/", "/two/"),
        address.replace("/one/", "/three/"),
        address.replace("original", "small"),
        address.replace(".mp4", ".jpg"),
        address.replace("?e=", "?e=9"),
        address.replace("&s=", "&s=A"),
        address.split_once('?').unwrap().0.to_owned(),
        address.replace("/blobs/", "/uploads/"),
        format!("{address}&x=1"),
        upload.str("/url").replace("/uploads/", "/blobs/"),
    ] {
        let answer = get(&kit, &wrong, &[]).await;
        assert_eq!((answer.status, problem(&answer)), (404, problem(&nothing)), "{wrong}");
    }
    for (verb, address) in
        [(Method::POST, &address), (Method::PUT, &address), (Method::GET, &upload.str("/url"))]
    {
        let answer = kit.fetch(verb, address, &[], Bytes::new()).await;
        assert_eq!(answer.status, 400, "{}", String::from_utf8_lossy(&answer.bytes));
    }
    put(&kit, &upload, None, b"mo").await.expect(204);
    let bad = kit.fetch(Method::PUT, &upload.str("/url"), &[("upload-offset", "two")], Bytes::new()).await;
    assert_eq!(bad.status, 400);
    // A day later.
    kit.skip(Duration::from_secs(25 * 3_600 + 1));
    get(&kit, &address, &[]).await.expect(404);
    put(&kit, &upload, Some(2), b"re").await.expect(404);
}

#[tokio::test]
async fn what_a_browser_could_run_is_handed_out_to_be_saved() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    for (bytes, said, kind, served) in [
        (&b"<!DOCTYPE html><script>alert(1)</script>"[..], "text/html", "file", "application/octet-stream"),
        (
            b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
            "image/svg+xml",
            "file",
            "application/octet-stream",
        ),
        (b"alert(1)", "text/javascript", "file", "application/octet-stream"),
        (b"%PDF-1.7 ...", "application/pdf", "file", "application/pdf"),
        (b"OggS more", "audio/ogg", "audio", "audio/ogg"),
    ] {
        let mut body = announced(&kit.uuid(), bytes);
        body["type"] = json!(said);
        let upload = kit.call("media.createUpload", Some(&ann.token), body).await.expect(200);
        put(&kit, &upload, None, bytes).await.expect(204);
        let media = finish(&kit, &ann, &upload.str("/id")).await.expect(200);
        assert_eq!((media.str("/kind").as_str(), media.str("/type").as_str()), (kind, served), "{said}");
        let file = get(&kit, &media.str("/url"), &[]).await.expect(200);
        assert_eq!((file.header("content-type"), file.bytes == bytes), (Some(served), true));
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(file.header("content-security-policy"), Some("default-src 'none'; sandbox"));
        let disposition = file.header("content-disposition").unwrap_or_default();
        assert_eq!(disposition.starts_with("attachment"), kind == "file", "{said}");
    }
}

#[tokio::test]
async fn a_media_that_nothing_shows_is_its_owners_alone() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let media = upload(&kit, &ann, &jpeg(30, 30)).await;
    let id = json!({ "id": media.str("/id") });
    assert_eq!(kit.call("media.get", Some(&ann.token), id.clone()).await.expect(200).json, media.json);
    let nothing = kit.call("media.get", None, json!({ "id": kit.uuid() })).await.problem(404, "not-found");
    for token in [None, Some(bob.token.as_str())] {
        assert_eq!(kit.call("media.get", token, id.clone()).await.untraced(), nothing.untraced());
    }
    let open = open(&kit, &ann, b"not finished").await;
    let answer = kit.call("media.get", Some(&ann.token), json!({ "id": open.str("/id") })).await;
    assert_eq!(answer.untraced(), nothing.untraced());
}

#[tokio::test]
async fn bytes_go_when_nobody_needs_them_and_uploads_when_their_time_is_over() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let bytes = jpeg(400, 300);
    let media = upload(&kit, &ann, &bytes).await;
    let same = open(&kit, &bob, &bytes).await;
    assert_eq!(same.str("/state"), "ready");
    let half = open(&kit, &ann, b"never finished").await;
    put(&kit, &half, None, b"never").await.expect(204);
    assert_eq!(sweep_all(&kit).await, Swept::default(), "what is new is left alone");
    kit.skip(Duration::from_secs(2 * 3_600));
    // Nothing shows either; the upload has a day.
    let swept = sweep_all(&kit).await;
    assert_eq!((swept.media, swept.strays), (2, 0), "{swept:?}");
    let address = media.str("/url");
    // The bytes follow, now or when the note about them has lain for as long.
    let objects = swept.objects;
    let swept = sweep_long(&kit).await;
    assert_eq!((objects + swept.objects, swept.media), (1, 0), "{swept:?}");
    assert_eq!(get(&kit, &address, &[]).await.status, 404);
    let id = json!({ "id": media.str("/id") });
    later(&kit, &ann, "media.get", id).await.problem(404, "not-found");
    // Gone for good: the id, not the bytes.
    let again = later(&kit, &ann, "media.createUpload", announced(&media.str("/id"), &bytes)).await;
    again.problem(409, "id-taken");
    let anew = later(&kit, &ann, "media.createUpload", announced(&kit.uuid(), &bytes)).await.expect(200);
    assert_eq!(anew.str("/state"), "open", "they have to come again");
    // The half one.
    kit.skip(Duration::from_secs(24 * 3_600));
    let swept = sweep_long(&kit).await;
    assert!(swept.media >= 1 && swept.strays >= 1, "{swept:?}");
    assert!(kit.host.blobs.io(|store| store.scratches()).await.unwrap().is_empty());
    assert_eq!(sweep_long(&kit).await, Swept::default(), "and then there is rest");
}

#[tokio::test]
async fn files_that_no_row_names_go_and_no_others() {
    use gomer::blob::{Key, Object, Variant};
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let media = upload(&kit, &ann, &jpeg(400, 300)).await;
    let id = media.str("/id");
    kit.call("profile.setAvatar", Some(&ann.token), json!({ "media": id })).await.expect(200);
    // As a process leaves them that was ended between the files and the row.
    let app = kit.host.cluster.meta().apps["one"].id;
    let object = Object { app, hash: [7; 32], id: kit.host.cluster.mint() };
    let key = Key { object, variant: Variant::Original };
    kit.host.blobs.io(move |store| store.put(key, b"stray")).await.unwrap();
    assert_eq!(sweep_all(&kit).await, Swept::default(), "it may yet be named");
    kit.skip(Duration::from_secs(2 * 3_600));
    let swept = sweep_all(&kit).await;
    assert_eq!((swept.strays, swept.media, swept.objects), (1, 0, 0), "{swept:?}");
    assert_eq!(kit.host.blobs.bytes(key).await, Ok(None));
    kit.call("media.get", None, json!({ "id": id })).await.expect(200);
    assert_eq!(hex(&[7; 32]).len(), 64);
}

#[tokio::test]
async fn a_page_of_the_app_may_send_and_fetch_and_no_other() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let settings = json!({ "settings": { "cors": { "origins": ["https://app.example"] } } });
    let admin = kit::admin_key("one");
    kit.call("admin.updateSettings", Some(&admin), settings).await.expect(200);
    let upload = open(&kit, &ann, b"bytes").await;
    let ask = |origin: &'static str| {
        let headers = [("origin", origin), ("access-control-request-method", "PUT")];
        let (kit, url) = (&kit, upload.str("/url"));
        async move { kit.fetch(Method::OPTIONS, &url, &headers, Bytes::new()).await }
    };
    let leave = ask("https://app.example").await.expect(204);
    assert_eq!(leave.header("access-control-allow-methods"), Some("GET, HEAD, PUT"));
    assert!(leave.header("access-control-allow-headers").unwrap().contains("Upload-Offset"));
    assert_eq!(ask("https://other.example").await.status, 404);
    let headers = [("origin", "https://app.example")];
    let put = kit.fetch(Method::PUT, &upload.str("/url"), &headers, Bytes::from_static(b"bytes")).await;
    assert_eq!(put.header("access-control-allow-origin"), Some("https://app.example"));
    let headers = [("origin", "https://other.example")];
    let head = kit.fetch(Method::HEAD, &upload.str("/url"), &headers, Bytes::new()).await;
    assert_eq!((head.status, head.header("access-control-allow-origin")), (200, None));
}
