//! Runs the commands of one step: output into the step's log, nothing on standard input, a time limit.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::site::Site;

/// The commands of one step and the log that they share.
pub struct Shell<'a> {
    /// Where the run takes place.
    pub site: &'a Site,
    log: File,
    path: PathBuf,
    end: Instant,
}

impl<'a> Shell<'a> {
    /// Begins a new log for that step. All commands together may take `limit`.
    pub fn open(site: &'a Site, step: &str, limit: Duration) -> io::Result<Shell<'a>> {
        let folder = site.target.join("verify");
        std::fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{step}.log"));
        // Appending, so that standard output and error share one end of file and stay in order.
        let _ = std::fs::remove_file(&path);
        let log = File::options().create(true).append(true).open(&path)?;
        Ok(Shell { site, log, path, end: Instant::now() + limit })
    }

    /// Where the output goes.
    pub fn log_path(&self) -> PathBuf {
        self.path.clone()
    }

    /// Writes a line of the step's own into the log.
    pub fn note(&mut self, text: &str) {
        let _ = writeln!(self.log, "{text}");
    }

    /// Runs one command to its end. The error is a sentence for the user.
    pub fn run(&mut self, mut command: Command) -> Result<(), String> {
        let shown = show(&command);
        self.note(&format!("$ {shown}"));
        let out = self.log.try_clone().map_err(|error| error.to_string())?;
        let err = self.log.try_clone().map_err(|error| error.to_string())?;
        if command.get_current_dir().is_none() {
            command.current_dir(&self.site.root);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(|error| format!("`{shown}` does not start: {error}"))?;
        loop {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(format!("`{shown}` ended with {status}")),
                Ok(None) if Instant::now() < self.end => std::thread::sleep(Duration::from_millis(50)),
                Ok(None) => {
                    stop_with_children(&mut child);
                    return Err(format!("`{shown}` took too long and was stopped"));
                }
                Err(error) => return Err(format!("`{shown}` cannot be waited for: {error}")),
            }
        }
    }
}

/// A log as text, whatever bytes the tests printed.
pub fn read_lossy(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// The command as one would type it.
fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program()).to_string_lossy();
    let args = command.get_args().map(|arg| format!(" {}", arg.to_string_lossy()));
    std::iter::once(name.into_owned()).chain(args).collect()
}

/// Stops cargo and the test processes below it. They stay in our process group, so that Ctrl-C reaches
/// them too; that is why they are found by their parents and not by a group of their own.
fn stop_with_children(child: &mut Child) {
    let mut doomed = vec![child.id()];
    let parents = parents();
    let mut at = 0;
    while at < doomed.len() {
        let above = doomed[at];
        doomed.extend(parents.iter().filter(|(_, parent)| **parent == above).map(|(pid, _)| *pid));
        at += 1;
    }
    let pids = doomed.iter().map(u32::to_string);
    let _ = Command::new("kill").arg("-9").args(pids).stdin(Stdio::null()).stderr(Stdio::null()).status();
    let _ = child.kill();
    let _ = child.wait();
}

/// Every process and its parent, from `/proc`; empty where there is none.
fn parents() -> BTreeMap<u32, u32> {
    let mut parents = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The name, in parentheses, may hold anything; the state and the parent follow its last one.
        let after_name = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or("");
        if let Some(parent) = after_name.split_whitespace().nth(1).and_then(|word| word.parse().ok()) {
            parents.insert(pid, parent);
        }
    }
    parents
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(name: &str) -> Site {
        let root = std::env::temp_dir().join(format!("verify-shell-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&root).unwrap();
        Site { target: root.join("target"), root }
    }

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_outputs_land_in_the_log_in_order() {
        let site = site("order");
        let mut shell = Shell::open(&site, "step", Duration::from_secs(20)).unwrap();
        shell.run(sh("echo one; echo two >&2; echo three; cat")).unwrap();
        let log = read_lossy(&shell.log_path());
        assert!(log.ends_with("one\ntwo\nthree\n"), "{log}");
        std::fs::remove_dir_all(&site.root).unwrap();
    }

    #[test]
    fn failure_is_told_with_the_command() {
        let site = site("failure");
        let mut shell = Shell::open(&site, "step", Duration::from_secs(20)).unwrap();
        let told = shell.run(sh("exit 3")).unwrap_err();
        assert!(told.contains("`sh -c exit 3`") && told.contains('3'), "{told}");
        let told = shell.run(Command::new("/nonexistent/tool")).unwrap_err();
        assert!(told.contains("`tool` does not start"), "{told}");
        std::fs::remove_dir_all(&site.root).unwrap();
    }

    #[test]
    fn too_long_is_stopped_with_everything_below_it() {
        let site = site("limit");
        let mut shell = Shell::open(&site, "step", Duration::from_millis(600)).unwrap();
        let begin = Instant::now();
        let told = shell.run(sh("sh -c 'echo $$ > below; sleep 60' & wait")).unwrap_err();
        assert!(told.contains("took too long"), "{told}");
        assert!(begin.elapsed() < Duration::from_secs(20));
        let below = std::fs::read_to_string(site.root.join("below")).unwrap();
        // Gone, or a zombie that waits for init. Who was killed is still seen running until it is next scheduled;
        // who was not sleeps for a minute.
        let is_over = || {
            let state = std::fs::read_to_string(format!("/proc/{}/stat", below.trim())).unwrap_or_default();
            state.is_empty() || state.contains(") Z")
        };
        while !is_over() {
            assert!(begin.elapsed() < Duration::from_secs(20), "what is below the command goes on");
            std::thread::sleep(Duration::from_millis(10));
        }
        std::fs::remove_dir_all(&site.root).unwrap();
    }
}
