//! schemathesis against a running server: no 5xx, no undocumented status, no schema violation, nothing accepted
//! that the document forbids. Once for each kind of caller, from a fixed seed.
//!
//! Needs `st`, whose path is in `SCHEMATHESIS`; `cargo verify --full` installs it and runs this.

use std::process::Command;

use gomer_tests::{Api, Dir, Gomer};
use serde_json::{Value, json};

/// What is held against each answer. Left out are: `unsupported_method` and `allow_header_conformance` (the contract has no
/// 405: other verbs are 400 with `Allow`), `positive_data_acceptance` (a made-up id is rightly 404, a made-up
/// cursor 400), and `use_after_free` and its like, which follow links that the document does not have.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,negative_data_rejection";

/// Only where a call without the token is one by nobody: `Gomer-As` without its key is rightly 403.
const TOKEN_CHECKS: &str = ",missing_required_header,ignored_auth";

/// An address that is too long or headers that are too many are refused by the front, rightly so.
const CONFIG: &str = "[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 408, 409, 412, 413, 414, 415, 422, 429, 431]
";

#[test]
fn the_server_does_what_its_openapi_document_says() {
    let st =
        std::env::var("SCHEMATHESIS").expect("`cargo verify --full --only schemathesis` says where `st` is");
    let dir = Dir::new("schemathesis");
    let server = Gomer::start(&dir.path().join("data"));
    let demo = server.credentials("demo.json");
    let key = |name: &str| demo[name].as_str().expect("demo.json has the demo's keys").to_owned();
    let api = Api::new(server.http(), "demo", &key("clientKey"));
    // Without rate limits, or most answers would be 429.
    let settings = json!({ "settings": { "rates": { "enabled": false } } });
    api.with_token(&key("adminToken")).call("admin.updateSettings", &settings).expect(200);
    let person = &demo["people"][0];
    let login = json!({ "handle": person["handle"], "password": person["password"] });
    let session = api.clone().call("auth.createSession", &login).expect(200).json();
    let token = session["accessToken"].as_str().expect("a session has a token").to_owned();
    let operator = server.credentials("operator.json")["operatorToken"].as_str().expect("a token").to_owned();

    let document = server.client().get("/v1/-/system.getOpenApi", &[]).unwrap().expect(200);
    let mut document: Value = document.json();
    // The one app that there is to talk about.
    document["components"]["parameters"]["app"]["schema"] = json!({ "const": "demo" });
    std::fs::write(dir.path().join("openapi.json"), document.to_string()).unwrap();
    std::fs::write(dir.path().join("schemathesis.toml"), CONFIG).unwrap();

    let client = ("Gomer-Key", key("clientKey"));
    let bearer = |token: &str| ("Authorization", format!("Bearer {token}"));
    let acting = ("Gomer-As", demo["people"][1]["id"].as_str().expect("people have ids").to_owned());
    let strict = format!("{CHECKS}{TOKEN_CHECKS}");
    let (public, admin) = (server.http(), server.admin());
    let run = |url: &str, part: &str, checks: &str, headers: &[(&str, String)]| {
        let mut command = Command::new(&st);
        command.current_dir(dir.path()).args(["run", "openapi.json", "--url", url, part, "cluster"]);
        command.args(["--phases", "examples,coverage,fuzzing", "--max-examples", "15", "--seed", "1"]);
        command.args(["--request-timeout", "15", "--continue-on-failure", "--checks", checks]);
        // A stream does not end by itself; `server/tests/realtime.rs` reads it.
        command.args(["--exclude-operation-id", "realtime.subscribe"]);
        for (name, value) in headers {
            command.args(["--header", &format!("{name}: {value}")]);
        }
        let status = command.status().expect("st starts");
        assert!(status.success(), "schemathesis against {url}, {} headers: {status}", headers.len());
    };
    run(public, "--exclude-tag", &strict, &[client.clone(), bearer(&token)]);
    run(public, "--exclude-tag", &strict, &[client.clone(), bearer(&key("serverKey"))]);
    run(public, "--exclude-tag", CHECKS, &[client.clone(), bearer(&key("serverKey")), acting]);
    run(admin, "--include-tag", &strict, &[bearer(&operator)]);
    // Last, because an administrator changes the settings.
    run(public, "--exclude-tag", &strict, &[client, bearer(&key("adminToken"))]);
    let log = server.log();
    assert!(!log.contains("panicked"), "a handler panicked");
    assert_eq!(server.stop().code(), Some(0));
}
