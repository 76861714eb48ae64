//! Logs on standard error: for people on a terminal, as JSON otherwise. Never a secret, never a body; texts
//! from outside are escaped.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::exit::{End, Exit};
use super::settings::{LogFormat, Settings};

/// Begins to log.
pub fn start(settings: &Settings) -> Result<(), End> {
    let requests = if settings.log_requests { "info" } else { "off" };
    // Who did what in another's name is said at every level.
    let filter = format!("{},gomer::audit=info,gomer::request={requests}", settings.log_level);
    let filter =
        EnvFilter::try_new(filter).map_err(|error| End::new(Exit::Usage, format!("log.level: {error}")))?;
    let json = match settings.log_format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    // A line that cannot be written is dropped: to complain of it on standard error would end the process.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    let started = if json {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).try_init()
    };
    started.map_err(|error| End::new(Exit::Failed, format!("logs: {error}")))
}
