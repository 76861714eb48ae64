//! The README's tour, and the guides, as a newcomer would paste them: their `sh` blocks, one after another, in one
//! shell.
//!
//! Needs `sh` and `curl`, so it does not run with the other tests but as a step of its own in `cargo verify`.

use std::ffi::OsStr;
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

/// The `sh` blocks of a page of this repository.
fn shell(page: &str) -> Vec<String> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page);
    let text = std::fs::read_to_string(place).unwrap_or_else(|error| panic!("{page}: {error}"));
    let blocks = blocks(&text, "sh");
    assert!(blocks.len() >= 3, "{page} has {} blocks", blocks.len());
    blocks
}

/// Runs the script in a new shell. A line that waits for something for ever is stopped by the time limit.
fn run(script: &str, env: &[(&str, &OsStr)], dir: &Dir, name: &str) -> String {
    let place = |ending: &str| dir.path().join(format!("{name}.{ending}"));
    std::fs::write(place("sh"), script).expect("a test can write a script");
    let output = File::create(place("out")).expect("a test can write a log");
    let mut shell = Command::new("sh")
        .arg(place("sh"))
        .envs(env.iter().copied())
        .current_dir(dir.path())
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

/// Runs the script twice against one new server, and looks at what each run said.
fn run_twice(script: &str, name: &str, look: impl Fn(&str)) {
    let dir = Dir::new(name);
    let server = Gomer::start(&dir.path().join("data"));
    let env = [("GOMER", server.http().as_ref()), ("DATA", server.data().as_os_str())];
    let said = ["first", "second"].map(|run_name| run(script, &env, &dir, run_name));
    said.iter().for_each(|said| look(said));
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn the_tour_runs_twice_on_the_same_server() {
    run_twice(&shell("README.md").concat(), "tour", |said| {
        assert!(said.contains("Good morning"), "{said}");
        // Queued offline, sent twice, and there once.
        let last = said.lines().last().unwrap_or_default();
        assert_eq!(last.matches("In a tunnel").count(), 1, "{last}");
    });
}

#[test]
fn the_guide_to_chats_runs_twice_on_the_same_server() {
    // It goes on from the two blocks of the tour in which somebody signs up.
    let script: String = shell("README.md").into_iter().take(2).chain(shell("docs/guides/chat.md")).collect();
    run_twice(&script, "chat", |said| {
        assert!(said.contains("Are you there?") && said.contains("\"left\":true"), "{said}");
    });
}

#[test]
fn the_guide_to_live_updates_runs_twice_on_the_same_server() {
    let script: String = shell("README.md").into_iter().take(2).chain(shell("docs/guides/live.md")).collect();
    run_twice(&script, "live", |said| {
        assert!(said.contains("event: ready\nid: ") && said.contains("\"token\":\""), "{said}");
        assert!(said.contains("data: {\"op\":\"put\""), "{said}");
    });
}

#[test]
fn the_guide_to_photos_runs_twice_on_the_same_server() {
    run_twice(&shell("docs/guides/media.md").concat(), "media", |said| {
        assert!(said.contains("200 image/png") && said.ends_with("206\n"), "{said}");
        assert!(said.to_lowercase().contains("upload-offset: 20"), "{said}");
    });
}

#[test]
fn the_guide_to_notes_check_ins_and_shares_runs_twice_on_the_same_server() {
    run_twice(&shell("docs/guides/notes-and-check-ins.md").concat(), "notes", |said| {
        assert!(said.contains("Ask Kim for prices and dates"), "{said}");
        assert!(said.trim_end().ends_with("\"deleted\":true}"), "{said}");
    });
}

#[test]
fn the_guide_to_hooks_runs_twice_on_the_same_server() {
    run_twice(&shell("docs/guides/hooks.md").concat(), "hooks", |said| {
        assert!(said.contains("profile.created") && said.contains("whsec_"), "{said}");
        assert!(said.contains("\"state\":\"working\""), "{said}");
    });
}

#[test]
fn the_guide_to_search_runs_twice_on_the_same_server() {
    run_twice(&shell("docs/guides/search.md").concat(), "search", |said| {
        assert!(said.contains("\"lagMs\":") && said.contains("\"tag\":\"dessert\""), "{said}");
    });
}

#[test]
fn the_guide_to_three_members_does_what_it_says() {
    let dir = Dir::new("three-members");
    let _members = Members(&dir);
    let binary = gomer_tests::process::binary().canonicalize().expect("it was found");
    let folder = binary.parent().expect("a file has a folder").as_os_str().to_owned();
    let mut path = folder;
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let said = run(&shell("docs/guides/three-members.md").concat(), &[("PATH", &path)], &dir, "guide");
    for text in ["written at bob", "written without ada"] {
        assert!(said.contains(text), "{said}");
    }
    let ada = said.lines().filter(|line| line.starts_with("ada "));
    let answers: Vec<&str> =
        ada.filter_map(|line| line.split_whitespace().find(|word| ["yes", "no"].contains(word))).collect();
    assert_eq!(answers, ["yes", "no", "yes"], "{said}");
}

/// The members that the guide has started and, if it did not come to its end, not stopped.
struct Members<'a>(&'a Dir);

impl Drop for Members<'_> {
    fn drop(&mut self) {
        for name in ["ada", "bob", "eve"] {
            let place = self.0.path().join("three");
            if std::thread::panicking() {
                let log = std::fs::read_to_string(place.join(format!("{name}.log"))).unwrap_or_default();
                eprintln!("--- {name} ---\n{log}");
                if let Ok(pid) = std::fs::read_to_string(place.join(format!("{name}.pid"))) {
                    let _ = Command::new("kill").args(["-9", pid.trim()]).status();
                }
            }
        }
    }
}

#[test]
fn only_whole_blocks_of_the_language_are_taken() {
    let text = "a\n```sh\none\n```\n```console\n$ two\n```\n```sh\nthree\nfour\n```\n";
    assert_eq!(blocks(text, "sh"), ["one\n", "three\nfour\n"]);
    assert!(blocks("```shell\nx\n```\n", "sh").is_empty());
}

/// Longest that the whole tour may take, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
