//! A disk that is full, and one that refuses a write, under a real process.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use gomer_tests::process::Start;
use gomer_tests::{Api, Dir, Gomer, wait_until};
use serde_json::{Value, json};

/// A file system of its own in memory, where this process may make one. Gone on drop.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn new(at: &Path) -> Option<SmallDisk> {
        std::fs::create_dir_all(at).expect("a test can make a directory");
        let made =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=192m", "gomer-test"]).arg(at).output();
        made.is_ok_and(|output| output.status.success()).then(|| SmallDisk(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Free bytes for everybody, as `df` tells them.
fn free_bytes(at: &Path) -> u64 {
    let output = Command::new("df").args(["--output=avail", "-B1"]).arg(at).output().expect("df runs");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().last().and_then(|line| line.trim().parse().ok()).expect("df tells a number")
}

/// A file that takes so much space.
fn fill(at: &Path, bytes: u64) {
    let mut file = File::create(at).expect("a test can make a file");
    let block = vec![0x5a; 1 << 20];
    for _ in 0..bytes >> 20 {
        file.write_all(&block).expect("there is so much space");
    }
    file.sync_all().expect("a test's file is synced");
}

/// Somebody with an account, in an app without rate limits.
fn somebody(server: &Gomer) -> Api {
    let demo = server.credentials("demo.json");
    let text = |name: &str| demo[name].as_str().expect("the demo's keys are there").to_owned();
    let api = Api::new(server.http(), &text("app"), &text("clientKey"));
    let mut admin = api.with_token(&text("adminToken"));
    admin.call("admin.updateSettings", &json!({"settings": {"rates": {"enabled": false}}})).expect(200);
    let person = &demo["people"][0];
    let body = json!({"id": uuid(1), "handle": person["handle"], "password": person["password"]});
    let reply = api.clone().call("auth.createSession", &body).expect(200).json();
    let token =
        reply.get("accessToken").or_else(|| reply["session"].get("accessToken")).and_then(Value::as_str);
    api.with_token(token.expect("a session has its token"))
}

fn uuid(n: u32) -> String {
    format!("00000000-0000-4000-8000-{n:012x}")
}

fn post(n: u32) -> Value {
    json!({"id": uuid(n), "text": "There is room for this"})
}

/// A disk that runs full is met before it is: below the reserve, what grows is refused and the rest goes on. When there
/// is room again, so do writes, in the same process.
#[test]
fn a_disk_that_runs_full_refuses_writes_keeps_a_reserve_and_recovers_by_itself() {
    const MIB: u64 = 1 << 20;
    let dir = Dir::new("full");
    let disk = SmallDisk::new(&dir.path().join("disk"));
    let place = disk.as_ref().map_or_else(|| dir.path().to_owned(), |disk| disk.0.clone());
    // Without a disk of its own the reserve is moved to where the free space of the real one is.
    let reserve_mb = if disk.is_some() { 48 } else { (free_bytes(&place) / MIB).saturating_sub(512) };
    let reserve = reserve_mb.to_string();
    let server = Start::new(&place.join("data")).args(&["--shards", "1", "--reserve-mb", &reserve]).ready();
    let mut api = somebody(&server);
    for n in 10..14 {
        api.call("post.create", &post(n)).expect(200);
    }
    let pid = server.pid();
    let ballast = place.join("ballast");
    let left = if disk.is_some() { 24 * MIB } else { free_bytes(&place) - 1024 * MIB };
    fill(&ballast, free_bytes(&place) - left);

    let mut n = 100;
    wait_until("writes to be refused", || {
        n += 1;
        api.call("post.create", &post(n)).status == 507
    });
    let refused = api.call("post.create", &post(999)).expect(507).json();
    assert_eq!((&refused["code"], &refused["retry"]), (&json!("disk-full"), &json!("later")), "{refused}");
    // What makes room, and what only looks, goes on.
    api.call("post.delete", &json!({"id": uuid(10)})).expect(200);
    api.call("post.get", &json!({"id": uuid(11)})).expect(200);
    api.call("post.get", &json!({"id": uuid(10)})).expect(404);

    std::fs::remove_file(&ballast).expect("the ballast is a file of the test's");
    wait_until("writes to be taken again", || {
        n += 1;
        api.call("post.create", &post(n)).status == 200
    });
    assert_eq!(server.pid(), pid);
    api.call("post.get", &json!({"id": uuid(999)})).expect(404);
    assert_eq!(server.stop().code(), Some(0));
}

/// A write that the disk does not take is never answered, and never tried again: the process ends with 7. What was
/// answered is there when it is started again.
#[test]
fn a_write_that_the_disk_refuses_ends_the_process_with_7_and_loses_nothing() {
    let dir = Dir::new("refused");
    let data = dir.path().join("data");
    // A process that ignores the signal of its file-size limit is told by the write.
    let ignoring = ["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""];
    let mut server = Start::new(&data).args(&["--shards", "1"]).through(&ignoring).ready();
    let mut api = somebody(&server);
    for n in 10..20 {
        api.call("post.create", &post(n)).expect(200);
    }
    let pid = server.pid().to_string();
    let limited = Command::new("prlimit").args(["--pid", &pid, "--fsize=4096:"]).status();
    assert!(limited.is_ok_and(|status| status.success()), "prlimit (util-linux) sets the limit");
    let mut acknowledged: Vec<u32> = (10..20).collect();
    for n in 20..10_000 {
        match api.attempt("post.create", &[], &post(n)) {
            Ok(reply) if reply.status == 200 => acknowledged.push(n),
            Ok(reply) => assert!(reply.status >= 500, "{}", reply.status),
            Err(_) => break,
        }
    }
    assert_eq!(server.wait().code(), Some(7), "its log takes no line any more: it is a file too");
    assert!(acknowledged.len() < 1_000, "the limit was never met");
    drop(server);

    let server = Gomer::start(&data);
    let mut api = somebody(&server);
    for n in acknowledged {
        api.call("post.get", &json!({"id": uuid(n)})).expect(200);
    }
}
