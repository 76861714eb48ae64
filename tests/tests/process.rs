//! The process as scripts and operators know it: ready line, files, signals, exit codes, settings.

use std::io::{BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use gomer_tests::http;
use gomer_tests::json::{check, is, present, such, text, uuid};
use gomer_tests::process::{Start, run};
use gomer_tests::{Dir, Gomer, Http, wait_for, wait_until};
use serde_json::{Value, json};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_ready_line_tells_where_everything_is() {
    let dir = Dir::new("ready");
    let data = dir.path().join("data");
    let server = Gomer::start(&data);
    let address = || {
        such("http://127.0.0.1 with a real port", |found| {
            let port = found.as_str().and_then(|text| text.strip_prefix("http://127.0.0.1:"));
            port.and_then(|port| port.parse::<u16>().ok()).is_some_and(|port| port != 0)
        })
    };
    check(
        &server.ready,
        &[
            ("/event", is("ready")),
            ("/version", text()),
            ("/pid", is(server.pid())),
            ("/http", address()),
            ("/admin", address()),
            ("/data", text()),
            ("/app", is("demo")),
            (
                "/credentials",
                such("the path of demo.json", |found| {
                    found
                        .as_str()
                        .is_some_and(|path| path.ends_with("/demo.json") && Path::new(path).is_file())
                }),
            ),
        ],
    );
    assert_ne!(server.http(), server.admin());
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn health_is_on_both_listeners_and_metrics_on_one() {
    let dir = Dir::new("health");
    let server = Gomer::start(&dir.path().join("data"));
    let mut admin = Http::new(server.admin());
    let mut public = server.client();
    for http in [&mut public, &mut admin] {
        http.get("/healthz", &[]).unwrap().expect(200);
        let ready = http.get("/readyz", &[]).unwrap().expect(200).json();
        check(&ready, &[("/ready", is(true)), ("/reasons", is(json!([])))]);
    }
    let metrics = admin.get("/metrics", &[]).unwrap().expect(200);
    assert!(String::from_utf8_lossy(&metrics.body).contains("# TYPE "), "{}", metrics.told());
    assert_eq!(public.get("/metrics", &[]).unwrap().status, 404);
}

#[test]
fn credentials_are_written_once_and_for_the_owner_only() {
    let dir = Dir::new("credentials");
    let data = dir.path().join("data");
    let server = Gomer::start(&data);
    check(&server.credentials("operator.json"), &[("/operatorToken", text())]);
    check(
        &server.credentials("demo.json"),
        &[
            ("/app", is("demo")),
            ("/clientKey", text()),
            ("/serverKey", text()),
            ("/adminToken", text()),
            ("/people/0/id", uuid()),
            ("/people/0/handle", text()),
            ("/people/0/password", text()),
            ("/people/1", present()),
        ],
    );
    assert_eq!(mode(&data), 0o700);
    let read = |file: &str| std::fs::read(data.join(file)).unwrap();
    let before = ["operator.json", "demo.json"].map(read);
    for file in ["operator.json", "demo.json"] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
    server.stop();
    let server = Gomer::start(&data);
    assert_eq!(["operator.json", "demo.json"].map(read), before);
    assert_eq!(server.ready["app"], "demo", "a later start still says where the demo is");
}

#[test]
fn without_the_demo_there_is_no_app() {
    let dir = Dir::new("no-demo");
    let data = dir.path().join("data");
    let server = Start::new(&data).args(&["--no-demo"]).ready();
    assert!(!data.join("demo.json").exists());
    assert!(data.join("operator.json").exists());
    let reply = server.client().get("/v1/demo/app.getInfo", &[("gomer-key", "x")]).unwrap();
    assert!(matches!(reply.status, 401 | 404), "{}", reply.told());
}

#[test]
fn signals_end_it_in_order() {
    for signal in ["TERM", "INT"] {
        let dir = Dir::new("signal");
        let mut server = Gomer::start(&dir.path().join("data"));
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(0), "SIG{signal}");
    }
}

#[test]
fn a_drain_lets_the_request_under_way_finish_and_says_so_meanwhile() {
    let dir = Dir::new("drain");
    let mut server = Gomer::start(&dir.path().join("data"));
    let key = server.credentials("demo.json")["clientKey"].as_str().unwrap().to_owned();
    let authority = server.http().strip_prefix("http://").unwrap().to_owned();
    let mut slow = http::connect(&authority).unwrap();
    let headers = [("gomer-key", key.as_str()), ("content-type", "application/json")];
    slow.write_all(&http::head("POST", "/v1/demo/app.getInfo", &authority, &headers, Some(2))).unwrap();
    slow.write_all(b"{").unwrap();
    std::thread::sleep(Duration::from_millis(200));

    server.signal("TERM");
    let mut probe = Http::new(server.admin());
    wait_until("/readyz to be 503", || probe.get("/readyz", &[]).is_ok_and(|reply| reply.status == 503));
    slow.write_all(b"}").unwrap();
    let (reply, _) = http::read_head(&mut BufReader::new(&slow), "POST").unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_restart_after_kill_9_is_ready_again() {
    let dir = Dir::new("kill");
    let data = dir.path().join("data");
    for _ in 0..3 {
        Gomer::start(&data).kill();
    }
    let server = Gomer::start(&data);
    server.client().get("/readyz", &[]).unwrap().expect(200);
}

#[test]
fn a_port_in_use_is_refused_with_a_way_out() {
    let dir = Dir::new("in-use");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = dir.path().join("data");
    let (status, _, said) = run(&[
        "serve",
        "--data",
        data.to_str().unwrap(),
        "--listen",
        &address,
        "--admin-listen",
        "127.0.0.1:0",
    ]);
    assert_eq!(status.code(), Some(6), "{said}");
    assert!(said.contains(&format!("{address} is in use; try --listen 127.0.0.1:0")), "{said}");
}

#[test]
fn a_second_process_on_the_same_data_is_refused_and_told_who_has_it() {
    let dir = Dir::new("locked");
    let data = dir.path().join("data");
    let server = Gomer::start(&data);
    let (status, log) = Start::new(&data).attempt().unwrap_err();
    assert_eq!(status.code(), Some(5), "{log}");
    assert!(log.contains(&server.pid().to_string()), "{log}");
    server.client().get("/readyz", &[]).unwrap().expect(200);
    server.kill();
    // A lock that outlives its owner would need a human: this one does not.
    Gomer::start(&data);
}

#[test]
fn mistakes_on_the_command_line_are_usage_errors() {
    for args in [&["serve", "--no-such-flag"][..], &["no-such-command"], &["serve", "--listen", "nowhere"]] {
        let (status, said, told) = run(args);
        assert_eq!(status.code(), Some(2), "{args:?}: {told}");
        assert!(said.is_empty() && !told.is_empty(), "{args:?}: {said}");
    }
    let (status, said, _) = run(&["--version"]);
    assert_eq!(status.code(), Some(0));
    assert!(said.contains(env!("CARGO_PKG_VERSION")), "{said}");
}

#[test]
fn a_mistake_in_the_settings_is_told_with_file_and_line() {
    let dir = Dir::new("settings");
    let file = dir.path().join("gomer.toml");
    for (settings, line) in [("drain_s = 5\nlisten_on = \"x\"\n", 2), ("\n\ndrain_s = \"soon\"\n", 3)] {
        std::fs::write(&file, settings).unwrap();
        let (status, _, told) = run(&["serve", "--config", file.to_str().unwrap()]);
        assert_eq!(status.code(), Some(2), "{told}");
        assert!(told.contains(&format!("gomer.toml:{line}")), "{told}");
    }
}

#[test]
fn settings_come_from_flag_environment_file_and_default_in_this_order() {
    let dir = Dir::new("order");
    let file = dir.path().join("gomer.toml");
    std::fs::write(&file, "drain_s = 7\nlisten = \"127.0.0.1:7001\"\nadmin_listen = \"127.0.0.1:7002\"\n")
        .unwrap();
    let output = gomer_tests::process::program()
        .args(["config", "show", "--json", "--config", file.to_str().unwrap(), "--listen", "127.0.0.1:9001"])
        .env("GOMER_LISTEN", "127.0.0.1:8001")
        .env("GOMER_ADMIN_LISTEN", "127.0.0.1:8002")
        .output()
        .unwrap();
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let told = shown.to_string();
    for value in ["127.0.0.1:9001", "127.0.0.1:8002"] {
        assert!(told.contains(value), "{told}");
    }
    assert!(!told.contains(":8001") && !told.contains(":7001") && !told.contains(":7002"), "{told}");
}

#[test]
fn the_log_goes_to_standard_error_and_holds_no_secret() {
    let dir = Dir::new("log");
    let server = Start::new(&dir.path().join("data"))
        .args(&["--log-requests"])
        .env("GOMER_LOG__LEVEL", "debug")
        .ready();
    let demo = server.credentials("demo.json");
    let key = demo["clientKey"].as_str().unwrap();
    let token = demo["adminToken"].as_str().unwrap();
    let bearer = format!("Bearer {token}");
    let headers = [("gomer-key", key), ("authorization", bearer.as_str())];
    server.client().get("/v1/demo/app.getInfo", &headers).unwrap().expect(200);
    let line = wait_for("the request to be logged", || {
        let line = server.log().lines().find(|line| line.contains("app.getInfo"))?.to_owned();
        Some(serde_json::from_str::<Value>(&line).expect("a log that is no terminal is JSON lines"))
    });
    check(
        &line,
        &[
            ("/app", is("demo")),
            ("/method", is("app.getInfo")),
            ("/status", is(200)),
            ("/trace", text()),
            ("/us", present()),
        ],
    );
    for secret in [key, token, demo["people"][0]["password"].as_str().unwrap()] {
        assert!(!server.log().contains(secret), "a secret is in the log");
    }
}
