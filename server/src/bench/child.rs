//! The servers that are measured: processes of this same program, on a temporary directory.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::program::exit::{End, Exit};

/// A directory that goes away with this value, with all that is in it.
pub struct TempDir(PathBuf);

impl TempDir {
    /// A new one, where the system keeps temporary files (`TMPDIR`).
    pub fn new() -> Result<TempDir, End> {
        let mut random = [0; 8];
        getrandom::fill(&mut random)
            .map_err(|error| End::new(Exit::Failed, format!("no randomness from the system: {error}")))?;
        let name = format!("{}{:016x}", names_begin(), u64::from_le_bytes(random));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path)
            .map_err(|error| End::new(Exit::Failed, format!("{}: {error}", path.display())))?;
        Ok(TempDir(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// What the names of this process's directories begin with.
fn names_begin() -> String {
    format!("gomer-bench-{}-", std::process::id())
}

/// Has SIGINT and SIGTERM end the servers and remove the directories, as a good end does, and then the process.
pub fn clean_up_on_signals() -> Result<(), End> {
    let failed =
        |error: std::io::Error| End::new(Exit::Failed, format!("signals cannot be watched: {error}"));
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(failed)?;
    let watch = move || {
        if signals.forever().next().is_some() {
            let entries = std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
            let own = entries.filter(|it| it.file_name().to_string_lossy().starts_with(&names_begin()));
            for dir in own.map(|entry| entry.path()) {
                let files = std::fs::read_dir(&dir).into_iter().flatten().flatten().map(|it| it.file_name());
                let pids =
                    files.filter_map(|it| it.to_string_lossy().strip_prefix(RUNNING).map(str::to_owned));
                let _ = Command::new("kill").arg("-KILL").args(pids).stderr(Stdio::null()).status();
                let _ = std::fs::remove_dir_all(dir);
            }
            std::process::exit(Exit::Failed as i32);
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(watch).map_err(failed)?;
    Ok(())
}

/// What the name of the file begins with that stands for a server as long as it runs; its pid is the rest.
const RUNNING: &str = "running-";

impl Drop for TempDir {
    fn drop(&mut self) {
        // What cannot be removed is left to whoever cleans the system's temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running child. Killed when dropped.
pub struct Server {
    child: Child,
    log: PathBuf,
    /// There as long as it runs.
    running: PathBuf,
    /// What it said when it was ready.
    ready: Value,
    /// Held open: a bare server ends when it is closed.
    _stdin: Option<ChildStdin>,
}

impl Server {
    /// `gomer serve` on `dir/data`, with free ports and otherwise with its defaults, whatever the environment says.
    pub fn serve(dir: &Path) -> Result<Server, End> {
        let data = dir.join("data");
        let data = data.to_str().ok_or_else(|| End::new(Exit::Usage, "TMPDIR is not text"))?;
        let free = "127.0.0.1:0";
        let args = ["serve", "--data", data, "--listen", free, "--admin-listen", free, "--no-demo", "--json"];
        Server::start(dir, &[&args[..], &["--log-level", "warn"]].concat())
    }

    /// The bare HTTP server that everything is compared with.
    pub fn hello(dir: &Path) -> Result<Server, End> {
        Server::start(dir, &[super::HELLO_SERVER])
    }

    fn start(dir: &Path, args: &[&str]) -> Result<Server, End> {
        let failed = |what: &str, error: std::io::Error| End::new(Exit::Failed, format!("{what}: {error}"));
        let program = std::env::current_exe().map_err(|error| failed("this program is not found", error))?;
        let log = dir.join(format!("{}.log", args[0]));
        let stderr = File::options().create(true).append(true).open(&log);
        let stderr = stderr.map_err(|error| failed("a log for the server", error))?;
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GOMER_"))
        {
            command.env_remove(name);
        }
        // In that directory no `gomer.toml` lies about.
        command.args(args).current_dir(dir).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().map_err(|error| failed("the server cannot be started", error))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().expect("it was asked for"));
        let running = dir.join(format!("{RUNNING}{}", child.id()));
        let mut server = Server { child, log, running, ready: Value::Null, _stdin: stdin };
        File::create(&server.running).map_err(|error| failed("a file for the server", error))?;
        let (said, heard) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(stdout).read_line(&mut line);
            let _ = said.send(read.map(|_| line));
        });
        let line = heard.recv_timeout(READY).ok().and_then(Result::ok).unwrap_or_default();
        match serde_json::from_str(&line) {
            Ok(ready) => server.ready = ready,
            Err(_) => {
                let log = server.log_tail();
                return Err(End::new(Exit::Failed, format!("the server does not get ready: {}", log.trim())));
            }
        }
        Ok(server)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its address for apps, as text.
    pub fn http(&self) -> &str {
        self.ready["http"].as_str().unwrap_or_default()
    }

    /// Its address for operators, as text.
    pub fn admin(&self) -> &str {
        self.ready["admin"].as_str().unwrap_or_default()
    }

    /// Its address for apps.
    pub fn address(&self) -> Result<SocketAddr, End> {
        address(self.http())
    }

    /// Ends it as a power cut would, as far as its memory goes, and returns when it is gone.
    pub fn kill(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.running);
    }

    /// The end of its log.
    pub fn log_tail(&self) -> String {
        let read = || -> std::io::Result<String> {
            let mut file = File::open(&self.log)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(LOG_BYTES)))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        read().unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The address in `http://HOST:PORT`.
pub fn address(http: &str) -> Result<SocketAddr, End> {
    let address = http.strip_prefix("http://").and_then(|rest| rest.parse().ok());
    address.ok_or_else(|| End::new(Exit::Failed, format!("the server said no address but {http:?}")))
}

/// Longest start. Long, because a restart replays what was not in its last checkpoint, and the machine is busy.
const READY: Duration = Duration::from_secs(60);
const LOG_BYTES: u64 = 2_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_directories_differ_and_go_away() {
        let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        assert_ne!(one.path(), two.path());
        let path = one.path().to_owned();
        std::fs::write(path.join("x"), "x").unwrap();
        drop(one);
        assert!(!path.exists() && two.path().exists());
    }

    #[test]
    fn only_addresses_are_addresses() {
        assert_eq!(address("http://127.0.0.1:80").unwrap(), "127.0.0.1:80".parse().unwrap());
        for text in ["", "127.0.0.1:80", "http://127.0.0.1", "https://127.0.0.1:80"] {
            assert!(address(text).is_err(), "{text:?}");
        }
    }
}
