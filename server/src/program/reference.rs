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

/// Fails if the file is not what `gomer docs reference` prints, with the command that renews it.
pub fn check(path: &Path) -> Result<(), End> {
    let renew = format!("gomer docs reference > {}", path.display());
    let found = std::fs::read_to_string(path)
        .map_err(|error| End::new(Exit::Failed, format!("{}: {error}; make it: {renew}", path.display())))?;
    let expected = gomer::openapi::reference();
    if found == expected {
        return Ok(());
    }
    let line =
        found.lines().zip(expected.lines()).take_while(|(found, expected)| found == expected).count() + 1;
    Err(End::new(Exit::Failed, format!("{}:{line} is out of date; renew it: {renew}", path.display())))
}
