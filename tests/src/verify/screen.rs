//! What the user sees while it runs: one moving line on a terminal, plain lines anywhere else.

use std::io::{IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Standard output, written so that a closed pipe never stops a run.
pub struct Screen {
    terminal: bool,
}

impl Screen {
    /// Looks once whether there is a terminal that understands cursor movements.
    pub fn new() -> Screen {
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        Screen { terminal: std::io::stdout().is_terminal() && !dumb }
    }

    /// Prints one line.
    pub fn line(&self, text: &str) {
        print(&format!("{text}\n"));
    }

    /// Prints a log as it is, with a newline at its end.
    pub fn block(&self, text: &str) {
        print(text);
        if !text.is_empty() && !text.ends_with('\n') {
            print("\n");
        }
    }

    /// Runs `work`, meanwhile telling how long it has taken and the last line of its log.
    pub fn watch<T>(&self, label: &str, log: &Path, work: impl FnOnce() -> T) -> (T, Duration) {
        let begin = Instant::now();
        if !self.terminal {
            self.line(label);
            return (work(), begin.elapsed());
        }
        std::thread::scope(|scope| {
            let (done, is_done) = mpsc::channel::<()>();
            scope.spawn(move || {
                // Wakes up when `done` is dropped.
                while let Err(mpsc::RecvTimeoutError::Timeout) =
                    is_done.recv_timeout(Duration::from_millis(250))
                {
                    status(&format!("{label}  {} s  {}", begin.elapsed().as_secs(), last_line(log)));
                }
                status("");
            });
            let result = work();
            drop(done);
            (result, begin.elapsed())
        })
    }
}

/// Rewrites the current line. Wrapping is off for its length: a long one is cut, not folded.
fn status(text: &str) {
    print(&format!("\r\x1b[2K\x1b[?7l{text}\x1b[?7h"));
    if text.is_empty() {
        print("\r");
    }
}

fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    // A reader that went away (`| head`) is no reason to stop verifying.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// The last line that says something, without control characters; empty when there is none.
fn last_line(log: &Path) -> String {
    let mut tail = Vec::new();
    if let Ok(mut file) = std::fs::File::open(log) {
        let length = file.metadata().map(|meta| meta.len()).unwrap_or(0);
        let _ = file.seek(SeekFrom::Start(length.saturating_sub(1024)));
        let _ = file.read_to_end(&mut tail);
    }
    let text = String::from_utf8_lossy(&tail);
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("");
    line.trim().chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_clean_and_never_fails() {
        let file = std::env::temp_dir().join(format!("verify-last-line-{}", std::process::id()));
        std::fs::write(&file, format!("{}\nfirst\n  Compi\x1bling x\n\n", "y".repeat(5000))).unwrap();
        assert_eq!(last_line(&file), "Compiling x");
        std::fs::remove_file(&file).unwrap();
        assert_eq!(last_line(&file), "");
    }
}
