//! SIGTERM and SIGINT: the first one drains, the second one ends at once. SIGHUP: look at files again.

use std::sync::Arc;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::sync::{Notify, oneshot};

use super::exit::{End, Exit, say};

/// What comes of signals.
pub struct Listened {
    /// Told of the first signal that ends the process.
    pub end: oneshot::Receiver<&'static str>,
    /// Notified of each SIGHUP. Who has no file to look at again does nothing: a terminal that closes, or a manager that
    /// knows no better, ends no server.
    pub look_again: Arc<Notify>,
}

/// Waits for signals on a thread of its own.
pub fn listen() -> Result<Listened, End> {
    let failed =
        |error: std::io::Error| End::new(Exit::Failed, format!("signals cannot be watched: {error}"));
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(failed)?;
    let (first, end) = oneshot::channel();
    let look_again = Arc::new(Notify::new());
    let again = look_again.clone();
    let watch = move || {
        let mut first = Some(first);
        for signal in signals.forever() {
            let name = match signal {
                SIGHUP => {
                    again.notify_one();
                    continue;
                }
                SIGTERM => "SIGTERM",
                _ => "SIGINT",
            };
            match first.take() {
                Some(first) => {
                    let _ = first.send(name);
                }
                None => {
                    say(&format!("{name} once more: ending at once; nothing that was answered is lost"));
                    std::process::exit(0);
                }
            }
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(watch).map_err(failed)?;
    Ok(Listened { end, look_again })
}
