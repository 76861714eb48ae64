//! How the process ends.

use std::fmt;
use std::io::Write;
use std::process::ExitCode;

/// Exit codes of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Failed.
    Failed = 1,
    /// Usage or configuration.
    Usage = 2,
    /// The state does not allow it.
    Refused = 3,
    /// The server could not be reached, or did not answer in time.
    Unreachable = 4,
    /// The data directory is locked, damaged, rolled back or of a newer format.
    Data = 5,
    /// An address is in use.
    Address = 6,
    /// A write or sync to disk failed, or a thread that works on data panicked.
    Disk = 7,
}

/// Why the process ends, in words for its operator.
#[derive(Debug)]
pub struct End {
    /// The code.
    pub code: Exit,
    /// What happened, and what to do.
    pub why: String,
}

impl End {
    /// An end with this code.
    pub fn new(code: Exit, why: impl Into<String>) -> End {
        End { code, why: why.into() }
    }

    /// Says why on standard error, and gives the code.
    pub fn report(self) -> ExitCode {
        say(&self.why);
        ExitCode::from(self.code as u8)
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// Ends the process now: its data in memory is not trusted any more. What was answered is on disk.
pub fn end_at_once(why: &str) -> ! {
    say(&format!("{why}; the process ends, nothing that was answered is lost"));
    std::process::exit(Exit::Disk as i32)
}

/// Says it on standard error, if that takes it: it may be a file on the very disk that is full, and the exit code
/// must tell all the same.
pub fn say(what: &str) {
    let _ = writeln!(std::io::stderr(), "gomer: {what}");
}
