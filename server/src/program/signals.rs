//! SIGTERM and SIGINT: the first one drains, the second one ends at once.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::sync::oneshot;

use super::exit::{End, Exit, say};

/// Waits for signals on a thread of its own. The receiver is told of the first one.
pub fn listen() -> Result<oneshot::Receiver<&'static str>, End> {
    let failed =
        |error: std::io::Error| End::new(Exit::Failed, format!("signals cannot be watched: {error}"));
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(failed)?;
    let (first, told) = oneshot::channel();
    let watch = move || {
        let mut first = Some(first);
        for signal in signals.forever() {
            let name = if signal == SIGTERM { "SIGTERM" } else { "SIGINT" };
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
    Ok(told)
}
