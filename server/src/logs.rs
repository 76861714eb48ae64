//! Logs on stderr: readable on a terminal, one JSON object a line otherwise.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::settings::Settings;

/// Starts logging. Fails if the level is not a filter.
pub fn start(settings: &Settings) -> Result<(), String> {
    let level = settings.text("log.level");
    let filter = EnvFilter::try_new(level).map_err(|e| format!("log.level = `{level}`: {e}"))?;
    let json = match settings.text("log.format") {
        "json" => true,
        "text" => false,
        _ => !std::io::stderr().is_terminal(),
    };
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_span_events(FmtSpan::NONE);
    // A second start in one process (tests) keeps the first one's logs.
    let _ = if json {
        logs.json().flatten_event(true).with_current_span(false).try_init()
    } else {
        logs.with_target(false).try_init()
    };
    Ok(())
}
