//! Printing what is generated, and telling whether a file still is that.

use std::io::Write;
use std::path::Path;

use super::exit::{End, Exit};

/// Prints to standard output.
pub fn print(text: &str) -> Result<(), End> {
    let mut out = std::io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // A reader such as `head` may have seen enough.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(End::new(Exit::Failed, format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Fails if the file is not what `gomer docs reference` prints (`gomer docs typescript`, if its name ends in `.ts`), with
/// the command that renews it.
pub fn check(path: &Path) -> Result<(), End> {
    let (what, expected) = if path.extension().is_some_and(|ending| ending == "ts") {
        ("typescript", gomer::openapi::typescript())
    } else {
        ("reference", gomer::openapi::reference())
    };
    let renew = format!("gomer docs {what} > {}", path.display());
    let found = std::fs::read_to_string(path)
        .map_err(|error| End::new(Exit::Failed, format!("{}: {error}; make it: {renew}", path.display())))?;
    if found == expected {
        return Ok(());
    }
    let line =
        found.lines().zip(expected.lines()).take_while(|(found, expected)| found == expected).count() + 1;
    Err(End::new(Exit::Failed, format!("{}:{line} is out of date; renew it: {renew}", path.display())))
}
