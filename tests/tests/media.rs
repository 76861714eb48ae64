//! Uploads to a real process: a large one costs little memory, and one that is killed in the middle goes on.

use gomer_tests::{Api, Dir, Gomer, Http};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Most bytes of an upload.
const SIZE: usize = 100 * 1024 * 1024;

/// Bytes that are not all the same, and the same each time.
fn bytes(size: usize) -> Vec<u8> {
    let mut state = 7u64;
    let mut all = Vec::with_capacity(size + 8);
    while all.len() < size {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        all.extend_from_slice(&state.to_le_bytes());
    }
    all.truncate(size);
    all
}

/// The most memory that a process ever had, in KiB.
fn most_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its most memory is told");
    line.trim().trim_end_matches(" kB").trim().parse().expect("it is a number of KiB")
}

fn ann(server: &Gomer) -> Api {
    let demo = server.credentials("demo.json");
    let key = demo["clientKey"].as_str().expect("the demo has a key");
    let person = &demo["people"][0];
    let login = json!({ "handle": person["handle"], "password": person["password"] });
    let session = Api::new(server.http(), "demo", key).call("auth.createSession", &login).expect(200).json();
    Api::new(server.http(), "demo", key).with_token(session["accessToken"].as_str().expect("a token"))
}

fn text<'a>(json: &'a Value, name: &str) -> &'a str {
    json[name].as_str().unwrap_or_else(|| panic!("{name} in {json}"))
}

fn offset(server: &Gomer, url: &str) -> usize {
    let told = server.client().send("HEAD", url, &[], None).expect("the server answers").expect(200);
    told.header("upload-offset").expect("the offset is told").parse().expect("it is a number")
}

fn put(server: &Gomer, url: &str, offset: usize, part: &[u8]) -> u16 {
    let offset = offset.to_string();
    // A connection of its own: the reply has no body and the next call another shape.
    let mut http = Http::new(server.http());
    http.send("PUT", url, &[("upload-offset", &offset), ("connection", "close")], Some(part))
        .expect("the server answers")
        .status
}

#[test]
#[cfg(target_os = "linux")]
fn a_large_upload_costs_little_memory_and_survives_a_kill() {
    let dir = Dir::new("media-process");
    let data = dir.path().join("data");
    let server = Gomer::start(&data);
    let all = bytes(SIZE);
    let hash: String = Sha256::digest(&all).iter().map(|byte| format!("{byte:02x}")).collect();
    let id = "0190a6b2-5c1e-7a3b-8f00-0123456789ab";
    let body = json!({ "id": id, "size": SIZE, "sha256": hash });
    let upload = ann(&server).call("media.createUpload", &body).expect(200).json();
    let url = text(&upload, "url").to_owned();
    let before = most_memory(server.pid());
    assert_eq!(put(&server, &url, 0, &all[..60_000_000]), 204);
    let more = most_memory(server.pid()).saturating_sub(before);
    assert!(more < 16 * 1_024, "60 MB on their way took {more} KiB");
    let data = server.kill();
    let server = Gomer::start(&data);
    let have = offset(&server, &url);
    assert_eq!(have, 60_000_000, "what was answered is there");
    assert_eq!(put(&server, &url, have, &all[have..]), 204);
    let media = ann(&server).call("media.finishUpload", &json!({ "id": id })).expect(200).json();
    let data = server.kill();
    let server = Gomer::start(&data);
    let file = server.client().get(text(&media, "url"), &[]).expect("the server answers").expect(200);
    assert!(file.body == all, "{} bytes came back", file.body.len());
    let part = [("range", "bytes=104857590-")];
    let tail = server.client().get(text(&media, "url"), &part).expect("the server answers").expect(206);
    assert_eq!(tail.body, all[SIZE - 10..]);
    assert_eq!(server.stop().code(), Some(0));
}
