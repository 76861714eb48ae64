//! schemathesis against a running server: no 5xx, no undocumented status, no schema violation.
//!
//! Needs `st`, whose path is in `SCHEMATHESIS`; `cargo verify --full` installs it and runs this.

use std::process::Command;

use gomer_tests::{Dir, Gomer};

#[test]
fn the_server_does_what_its_openapi_document_says() {
    let st =
        std::env::var("SCHEMATHESIS").expect("`cargo verify --full --only schemathesis` says where `st` is");
    let dir = Dir::new("schemathesis");
    let server = Gomer::start(&dir.path().join("data"));
    let document = server.client().get("/v1/-/system.getOpenApi", &[]).unwrap().expect(200);
    let file = dir.path().join("openapi.json");
    std::fs::write(&file, &document.body).unwrap();
    let demo = server.credentials("demo.json");
    let header = |name: &str, value: &str| format!("{name}: {value}");
    let status = Command::new(st)
        .current_dir(dir.path())
        .args(["run", "openapi.json", "--url", server.http()])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "20", "--seed", "1"])
        .args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance"])
        .args(["--checks", "response_schema_conformance"])
        .args(["--header", &header("Gomer-Key", demo["clientKey"].as_str().unwrap())])
        .args([
            "--header",
            &header("Authorization", &format!("Bearer {}", demo["adminToken"].as_str().unwrap())),
        ])
        .status()
        .expect("st starts");
    assert!(status.success(), "schemathesis: {status}");
}
