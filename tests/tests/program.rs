//! The program as an operator meets it: how it starts, says what is wrong, and ends.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use gomer_tests::{Api, Dir, Gomer, Http, Start, run, wait_for};
use serde_json::{Value, json};

/// The arguments of a start that is to fail, and what it says.
fn refused(args: &[&str], code: i32, said: &[&str]) {
    let (status, stdout, stderr) = run(args);
    assert_eq!(status.code(), Some(code), "{args:?}\n{stderr}");
    assert_eq!(stdout, "", "{args:?}");
    for text in said {
        assert!(stderr.contains(text), "{args:?} does not say {text:?}:\n{stderr}");
    }
}

#[test]
fn usage_and_configuration_errors_end_with_two() {
    let dir = Dir::new("usage");
    let file = dir.path().join("gomer.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:0\"\n\n[log]\nlevl = \"info\"\n").unwrap();
    let file = file.to_str().unwrap();
    refused(&["--nope"], 2, &["--nope"]);
    refused(&["serve", "--shards", "many"], 2, &["--shards", "many"]);
    refused(&["--config", file], 2, &[&format!("{file}:4"), "log.levl"]);
    refused(&["--config", "/nonexistent.toml"], 2, &["/nonexistent.toml"]);
    refused(&["--listen", "0.0.0.0:0"], 2, &["--insecure-listen"]);
}

#[test]
fn an_address_in_use_is_named_and_never_replaced() {
    let dir = Dir::new("address");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = dir.path().join("data");
    refused(
        &["--data", data.to_str().unwrap(), "--listen", &address, "--admin-listen", "127.0.0.1:0"],
        6,
        &[&format!("{address} is in use; try --listen 127.0.0.1:0")],
    );
    assert!(!data.exists(), "nothing was touched");
}

#[test]
fn a_data_directory_has_one_process_and_holds_a_store() {
    let dir = Dir::new("locked");
    let data = dir.path().join("data");
    let server = Gomer::start(&data);
    let (status, log) = Start::new(&data).attempt().expect_err("the directory is locked");
    assert_eq!(status.code(), Some(5));
    assert!(log.contains(&format!("process {}", server.pid())), "{log}");
    assert_eq!(server.stop().code(), Some(0));
    let foreign = dir.path().join("foreign");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(foreign.join("thesis.txt"), "years of work").unwrap();
    let (status, log) = Start::new(&foreign).attempt().expect_err("something else is there");
    assert_eq!((status.code(), log.contains("thesis.txt")), (Some(5), true), "{log}");
}

#[test]
fn the_first_start_writes_credentials_for_their_owner_and_later_ones_keep_them() {
    let dir = Dir::new("first");
    let data = dir.path().join("data");
    let server = Gomer::start(&data);
    let mode = |name: &str| std::fs::metadata(data.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("operator.json"), mode("demo.json")), (0o700, 0o600, 0o600));
    let demo = server.credentials("demo.json");
    assert_eq!((&server.ready["app"], &server.ready["version"]), (&json!("demo"), &json!(env!("CARGO_PKG_VERSION"))));
    assert_eq!(server.ready["credentials"], data.join("demo.json").to_str().unwrap());
    let app = |server: &Gomer| Api::new(server.http(), "demo", demo["clientKey"].as_str().unwrap());
    app(&server).call("app.getInfo", json!({})).expect(200);
    assert_eq!(server.stop().code(), Some(0));
    let again = Gomer::start(&data);
    assert_eq!(again.credentials("demo.json"), demo);
    app(&again).call("app.getInfo", json!({})).expect(200);
    assert_eq!(again.stop().code(), Some(0));
}

#[test]
fn without_a_demo_there_is_none() {
    let dir = Dir::new("plain");
    let server = Start::new(&dir.path().join("data")).args(&["--no-demo"]).ready();
    assert!(server.ready.get("app").is_none() && !server.data().join("demo.json").exists());
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn a_signal_drains_and_the_admin_listener_says_so_to_the_end() {
    let dir = Dir::new("drain");
    let mut server = Gomer::start(&dir.path().join("data"));
    let ready = |base: &str| Http::new(base).get("/readyz").status;
    assert_eq!((ready(server.http()), ready(server.admin())), (200, 200));
    // A request that was begun and is not whole yet keeps it from ending.
    let mut slow = TcpStream::connect(server.http().trim_start_matches("http://")).unwrap();
    let head = "POST /v1/-/system.getHealth HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{";
    slow.write_all(head.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    server.signal("TERM");
    wait_for("the admin listener to say that it drains", || (ready(server.admin()) == 503).then_some(()));
    slow.write_all(b"}").unwrap();
    let mut reply = String::new();
    slow.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_second_signal_ends_at_once() {
    let dir = Dir::new("second");
    let mut server = Gomer::start(&dir.path().join("data"));
    let mut slow = TcpStream::connect(server.http().trim_start_matches("http://")).unwrap();
    slow.write_all(b"POST /v1/-/system.getHealth HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{").unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let begun = std::time::Instant::now();
    server.signal("INT");
    std::thread::sleep(Duration::from_millis(300));
    server.signal("INT");
    server.wait();
    assert!(begun.elapsed() < Duration::from_secs(4), "it waited for the request");
}

#[test]
fn the_configuration_is_shown_with_its_sources() {
    let dir = Dir::new("config");
    let file = dir.path().join("gomer.toml");
    std::fs::write(&file, "drain_s = 5\n").unwrap();
    let (status, stdout, stderr) = run(&["config", "show", "--json", "--config", file.to_str().unwrap(), "--data", "elsewhere"]);
    assert_eq!(status.code(), Some(0), "{stderr}");
    let shown: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(shown["data"], json!({ "value": "elsewhere", "source": "flag" }));
    assert_eq!(shown["drain_s"], json!({ "value": "5", "source": format!("{}:1", file.display()) }));
    assert_eq!(shown["listen"]["source"], "default");
}

#[test]
fn what_is_generated_is_the_same_from_the_command_line_and_the_server() {
    let dir = Dir::new("generated");
    let server = Start::new(&dir.path().join("data")).args(&["--no-demo"]).ready();
    let (_, printed, _) = run(&["openapi"]);
    let served = server.client().get("/v1/-/system.getOpenApi");
    assert_eq!(String::from_utf8_lossy(&served.body), printed);
    let (status, chapter, _) = run(&["docs", "reference"]);
    assert!(status.success() && chapter.contains("### post.create"));
    let file = dir.path().join("methods.md");
    std::fs::write(&file, chapter + "\n").unwrap();
    let (status, _, stderr) = run(&["docs", "check", file.to_str().unwrap()]);
    assert!(status.code() == Some(1) && stderr.contains("gomer docs reference"), "{stderr}");
}

#[test]
fn logs_hold_no_secrets_and_no_bodies() {
    let dir = Dir::new("logs");
    let server = Start::new(&dir.path().join("data")).args(&["--log-level", "trace", "--log-requests"]).ready();
    let demo = server.credentials("demo.json");
    let operator = server.credentials("operator.json");
    let api = Api::new(server.http(), "demo", demo["clientKey"].as_str().unwrap());
    let person = &demo["people"][0];
    let sign_in = json!({ "handle": person["handle"], "password": person["password"], "id": "0190a6b2-5c1e-7a3b-8f00-0123456789ab" });
    let session = api.call("auth.createSession", sign_in).expect(200).json();
    let token = session["accessToken"].as_str().unwrap();
    let post = json!({ "id": "0190a6b2-5c1e-7a3b-8f00-0123456789ac", "text": "nobody else's business" });
    api.with_token(token).call("post.create", post).expect(200);
    let data = server.data().to_owned();
    assert_eq!(server.stop().code(), Some(0));
    let log = std::fs::read_to_string(data.with_extension("log")).unwrap();
    assert!(log.contains("post.create"), "requests are logged");
    let texts = |value: &Value, names: &[&str]| -> Vec<String> {
        names.iter().map(|name| value[*name].as_str().unwrap().to_owned()).collect()
    };
    let mut secrets = texts(&demo, &["clientKey", "serverKey", "adminToken"]);
    secrets.extend(texts(&operator, &["operatorToken"]));
    secrets.extend(texts(&session, &["accessToken", "refreshToken"]));
    secrets.extend(texts(person, &["password"]));
    secrets.push("nobody else's business".to_owned());
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret} is in the log");
    }
}
