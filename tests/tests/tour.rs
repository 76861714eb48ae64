//! The README's tour, as a newcomer would paste it: its `sh` blocks, one after another, in one shell.
//!
//! Needs `sh` and `curl`, so it does not run with the other tests but as a step of its own in `cargo verify`.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gomer_tests::{Dir, Gomer};

/// The blocks of that language in a Markdown text, in order.
fn blocks(markdown: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}");
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in markdown.lines() {
        match &mut open {
            Some(block) if line == "```" => {
                blocks.push(std::mem::take(block));
                open = None;
            }
            Some(block) => *block += &format!("{line}\n"),
            None if line == opening => open = Some(String::new()),
            None => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

fn tour() -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = std::fs::read_to_string(readme).expect("the README is there");
    let blocks = blocks(&text, "sh");
    assert!(blocks.len() >= 5, "the tour has {} blocks", blocks.len());
    blocks.concat()
}

/// Runs the script in a new shell. A line that waits for something for ever is stopped by the time limit.
fn run(script: &str, server: &Gomer, dir: &Dir, name: &str) -> String {
    let place = |ending: &str| dir.path().join(format!("{name}.{ending}"));
    std::fs::write(place("sh"), script).expect("a test can write a script");
    let output = File::create(place("out")).expect("a test can write a log");
    let mut shell = Command::new("sh")
        .arg(place("sh"))
        .env("GOMER", server.http())
        .env("DATA", server.data())
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("a file can be shared"))
        .stderr(output)
        .spawn()
        .expect("a shell starts");
    let end = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = shell.try_wait().expect("a shell can be asked") {
            break Some(status);
        }
        if Instant::now() > end {
            let _ = shell.kill();
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let said = String::from_utf8_lossy(&std::fs::read(place("out")).expect("the log is there")).into_owned();
    assert!(status.is_some_and(|status| status.success()), "{status:?} (none: too long) after\n{said}");
    said
}

#[test]
fn the_tour_runs_twice_on_the_same_server() {
    let dir = Dir::new("tour");
    let server = Gomer::start(&dir.path().join("data"));
    let script = tour();
    let first = run(&script, &server, &dir, "first");
    let second = run(&script, &server, &dir, "second");
    for said in [&first, &second] {
        assert!(said.contains("Good morning"), "{said}");
        // Queued offline, sent twice, and there once.
        let last = said.lines().last().unwrap_or_default();
        assert_eq!(last.matches("In a tunnel").count(), 1, "{last}");
    }
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn only_whole_blocks_of_the_language_are_taken() {
    let text = "a\n```sh\none\n```\n```console\n$ two\n```\n```sh\nthree\nfour\n```\n";
    assert_eq!(blocks(text, "sh"), ["one\n", "three\nfour\n"]);
    assert!(blocks("```shell\nx\n```\n", "sh").is_empty());
}

/// Longest that the whole tour may take, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
