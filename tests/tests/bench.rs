//! `gomer bench` as scripts use it: keys, errors, exit codes. What it measures is not looked at: a test's machine is busy.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gomer_tests::process::{program, run};
use gomer_tests::{Dir, wait_for, wait_until};
use serde_json::Value;

const KEYS: &str = "bench seconds connections members inProcess ops errors opsPerSecond p50Us p99Us p999Us \
     serverCpuUsPerOp rssBytes helloOpsPerSecond ratioToHello cpuRatioToHello version";
const ROW_KEYS: &str = "rowsPerSecond rowsPerOp ratioToEngine";

/// Runs a scenario for a second, and gives its objects after a look at what all have.
fn measured(args: &[&str], keys: &str) -> Vec<Value> {
    let line = [&["bench"], args, &["--seconds", "1", "--json"]].concat();
    let (status, out, log) = run(&line);
    assert_eq!(status.code(), Some(0), "{args:?}: {log}");
    let reports: Vec<Value> =
        out.lines().map(|line| serde_json::from_str(line).expect("each line is an object")).collect();
    let wanted: BTreeSet<&str> = keys.split_whitespace().collect();
    for report in &reports {
        let found: BTreeSet<&str> =
            report.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(found, wanted, "{report}");
        assert_eq!((&report["errors"], &report["members"]), (&0.into(), &1.into()), "{report}");
        assert!(report["ops"].as_u64().is_some_and(|ops| ops > 0), "{report}");
        assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    }
    reports
}

/// All figures that need `/proc` are there where that is.
fn compared(report: &Value) {
    for key in ["opsPerSecond", "p50Us", "p99Us", "p999Us", "helloOpsPerSecond", "ratioToHello"] {
        assert!(report[key].as_f64().is_some_and(|figure| figure > 0.0), "{key}: {report}");
    }
    for key in ["serverCpuUsPerOp", "rssBytes", "cpuRatioToHello"] {
        let there = report[key].as_f64().is_some_and(|figure| figure > 0.0);
        assert!(there || !cfg!(target_os = "linux"), "{key}: {report}");
    }
}

/// A measurement that is broken off leaves neither a directory nor a server behind.
#[test]
fn a_signal_takes_the_directory_and_the_servers_with_it() {
    for signal in ["INT", "TERM"] {
        let dir = Dir::new("bench");
        let mut child = program()
            .args(["bench", "graph", "--seconds", "60", "--connections", "2"])
            .env("TMPDIR", dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let entries = |at: &Path| {
            let entries = std::fs::read_dir(at).into_iter().flatten().flatten();
            entries.map(|entry| entry.path()).collect::<Vec<_>>()
        };
        let pid: u32 = wait_for("a server under measurement", || {
            let files = entries(dir.path()).into_iter().flat_map(|measured| entries(&measured));
            let names = files.filter_map(|file| file.file_name()?.to_str().map(str::to_owned));
            names.filter_map(|name| name.strip_prefix("running-")?.parse().ok()).next()
        });
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(child.id().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()));
        let status = wait_for("the end", || child.try_wait().expect("a child can be asked"));
        assert_eq!(status.code(), Some(1), "{signal}");
        assert_eq!(entries(dir.path()), Vec::<PathBuf>::new(), "{signal}");
        wait_until("the server's end", || {
            // One that has ended and is not yet taken note of is a zombie.
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
        });
    }
}

#[test]
fn the_graph_is_measured_over_http_and_without() {
    for args in [&["graph", "--connections", "8"][..], &["graph", "--connections", "8", "--in-process"]] {
        let reports = measured(args, &format!("{KEYS} {ROW_KEYS}"));
        let [report] = &reports[..] else { panic!("one object, not {}", reports.len()) };
        assert_eq!((&report["bench"], &report["connections"]), (&"graph".into(), &8.into()));
        assert_eq!(report["inProcess"], args.contains(&"--in-process"));
        compared(report);
        assert!(report["rowsPerOp"].as_f64().is_some_and(|rows| rows > 0.5 && rows < 5.0), "{report}");
        assert!(report["ratioToEngine"].is_null());
    }
}

#[test]
fn sync_gives_an_object_for_nothing_new_and_one_for_twenty() {
    let reports = measured(&["sync", "--connections", "4"], KEYS);
    let names: Vec<&str> = reports.iter().filter_map(|report| report["bench"].as_str()).collect();
    assert_eq!(names, ["sync-0", "sync-20"]);
    reports.iter().for_each(compared);
}

#[test]
fn the_bare_server_is_measured_like_everything_else() {
    let reports = measured(&["hello"], KEYS);
    let [report] = &reports[..] else { panic!("one object, not {}", reports.len()) };
    assert_eq!(report["seconds"], 1);
    compared(report);
}

#[test]
fn a_wrong_name_ends_with_two_and_the_right_ones() {
    let (status, out, log) = run(&["bench", "nonsense", "--seconds", "1", "--json"]);
    assert_eq!((status.code(), out.as_str()), (Some(2), ""));
    let names =
        ["hello", "graph", "sync", "fanout", "batch", "engine", "idle", "hot", "like", "recovery", "search"];
    for name in names {
        assert!(log.contains(name), "{name} is not in: {log}");
    }
}

#[test]
fn what_cannot_be_measured_is_refused_before_anything_starts() {
    for args in [
        &["bench"][..],
        &["bench", "hello", "--seconds", "0"],
        &["bench", "hello", "--connections", "none"],
        &["bench", "sync", "--in-process"],
        &["bench", "graph", "--members", "3"],
    ] {
        let (status, out, log) = run(args);
        assert_eq!((status.code(), out.as_str()), (Some(2), ""), "{args:?}: {log}");
    }
}
