//! The release binary as a process: started, stopped, killed, started again on the same data.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use crate::http::Http;
use crate::wait::wait_for;

/// The binary under test: `GOMER_BIN`, else `target/release/gomer`. Panics, with what to do, when there is none.
pub fn binary() -> PathBuf {
    // Tests run in their package's folder; a path from the command line is meant from the workspace's.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ stands in the workspace");
    let path = root.join(std::env::var_os("GOMER_BIN").unwrap_or_else(|| "target/release/gomer".into()));
    assert!(path.is_file(), "{} is not there: run `cargo build --release -p gomer` first", path.display());
    path
}

/// The binary under test as a command, without settings from the environment: only what the test says.
pub fn program() -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GOMER_") {
            command.env_remove(name);
        }
    }
    command
}

/// How to start a server.
#[derive(Debug)]
pub struct Start {
    data: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
    /// What the program is started by: it and its first arguments, before `gomer` itself.
    through: Vec<String>,
}

impl Start {
    /// On that data directory, with free ports.
    pub fn new(data: &Path) -> Start {
        let free = "127.0.0.1:0".to_owned();
        let args = vec!["--listen".to_owned(), free.clone(), "--admin-listen".to_owned(), free];
        Start { data: data.to_owned(), args, env: Vec::new(), through: Vec::new() }
    }

    /// Started by a program that replaces itself with what its last arguments name, like `env` or `sh -c 'exec "$0" "$@"'`.
    pub fn through(mut self, words: &[&str]) -> Start {
        self.through.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// More arguments of `gomer serve`.
    pub fn args(mut self, args: &[&str]) -> Start {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// One more environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Start {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it and waits until it is ready. Panics with its log when it is not.
    pub fn ready(self) -> Gomer {
        self.attempt().unwrap_or_else(|(status, log)| panic!("gomer ended with {status}\n{log}"))
    }

    fn command(&self) -> Command {
        let program = program();
        let Some((first, rest)) = self.through.split_first() else { return program };
        let mut command = Command::new(first);
        command.args(rest).arg(program.get_program());
        for (name, _) in program.get_envs() {
            command.env_remove(name);
        }
        command
    }

    /// Starts it and waits until it is ready or has ended; then its status and its log.
    pub fn attempt(self) -> Result<Gomer, (ExitStatus, String)> {
        std::fs::create_dir_all(&self.data).expect("a test can make its data directory");
        let log = self.data.with_extension("log");
        let stderr = File::options().create(true).append(true).open(&log).expect("a test can write a log");
        let mut child = self
            .command()
            .arg("serve")
            .arg("--data")
            .arg(&self.data)
            .args(&self.args)
            .envs(self.env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("the binary starts");
        let stdout = child.stdout.take().expect("standard output was asked for");
        let (line, first_line) = mpsc::channel();
        std::thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            let mut text = String::new();
            let _ = stdout.read_line(&mut text);
            let _ = line.send(text);
            // Keep the pipe open and empty: a full one would stop the server.
            let _ = stdout.read_to_end(&mut Vec::new());
        });
        let text = first_line.recv_timeout(READY).unwrap_or_default();
        match serde_json::from_str::<Value>(&text) {
            Ok(ready) if ready["event"] == "ready" => Ok(Gomer { child, ready, data: self.data, log }),
            _ => {
                // An empty line is the end of its output: it is ending, or it hangs.
                let ended = text.is_empty().then(|| wait_for_end(&mut child, READY)).flatten();
                let _ = child.kill();
                let status = ended.or_else(|| child.wait().ok()).expect("a child can be waited for");
                Err((status, format!("{text}{}", read(&log))))
            }
        }
    }
}

/// A running server. Killed on drop; the end of its log is printed when the test failed.
#[derive(Debug)]
pub struct Gomer {
    child: Child,
    /// The ready line.
    pub ready: Value,
    data: PathBuf,
    log: PathBuf,
}

impl Gomer {
    /// Starts a server on that data directory with free ports.
    pub fn start(data: &Path) -> Gomer {
        Start::new(data).ready()
    }

    /// `http://127.0.0.1:PORT` of the public listener.
    pub fn http(&self) -> &str {
        self.ready["http"].as_str().expect("the ready line names the address")
    }

    /// The same for the admin listener.
    pub fn admin(&self) -> &str {
        self.ready["admin"].as_str().expect("the ready line names the admin address")
    }

    /// A new client of the public listener.
    pub fn client(&self) -> Http {
        Http::new(self.http())
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// What it has logged up to now, over all starts on this data directory.
    pub fn log(&self) -> String {
        read(&self.log)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A file of the data directory as JSON: `demo.json`, `operator.json`.
    pub fn credentials(&self, file: &str) -> Value {
        let text =
            std::fs::read_to_string(self.data.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// Sends a signal, by its name: `TERM`, `INT`, `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        let done = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status();
        assert!(done.is_ok_and(|status| status.success()), "kill -{name} {}", self.pid());
    }

    /// SIGTERM, and waits for the end.
    pub fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    /// How it ended by itself, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked")
    }

    /// Waits until it ends by itself.
    pub fn wait(&mut self) -> ExitStatus {
        let child = &mut self.child;
        wait_for("the server to end", || child.try_wait().expect("a child can be asked"))
    }

    /// `kill -9`: what the machine does to it when the power goes, but for the disk's cache.
    pub fn kill(mut self) -> PathBuf {
        self.child.kill().expect("a running child can be killed");
        self.child.wait().expect("a killed child can be waited for");
        self.data.clone()
    }
}

impl Drop for Gomer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let from = log.char_indices().rev().nth(8_000).map_or(0, |(at, _)| at);
            eprintln!("--- end of {} ---\n{}", self.log.display(), &log[from..]);
        }
    }
}

/// Runs the binary to its end with these arguments: status, standard output, standard error.
pub fn run(args: &[&str]) -> (ExitStatus, String, String) {
    let output = program().args(args).stdin(Stdio::null()).output().expect("the binary starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status, text(&output.stdout), text(&output.stderr))
}

fn wait_for_end(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let end = std::time::Instant::now() + patience;
    while std::time::Instant::now() < end {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    None
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// Longest that a start may take, replay of the log included, on a busy machine.
const READY: Duration = Duration::from_secs(30);
