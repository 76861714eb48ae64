//! `gomer bench`: scenarios that start a server of their own, load it and say what it did and what that cost.
//!
//! Each is measured beside a bare HTTP server in the same minutes on the same machine, and told as a ratio to it. So a
//! figure can be compared with the same figure of another machine, and a busy machine does not make it worse.
//!
//! Reading order: [`measure`] (how), [`scenarios`] (what), [`load`], [`wire`], [`histogram`], [`world`], [`child`],
//! [`usage`], [`report`]. `docs/guides/measure.md` says how to read the figures.
//!
//! Must never learn: what no client could know. The server has no door for it; limits are off by a setting of the app.

mod child;
mod hello_server;
mod histogram;
mod load;
mod measure;
mod mix;
mod report;
mod scenarios;
mod usage;
mod wire;
mod world;

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};

use self::report::Report;
use self::scenarios::SCENARIOS;
use crate::program::exit::{End, Exit};
use crate::program::reference;

/// Name of the command that is the bare server. Not for people.
pub const HELLO_SERVER: &str = "bench-hello";

/// How to measure.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How long.
    pub seconds: u32,
    /// Connections of the load.
    pub connections: usize,
    /// Members of the cluster.
    pub members: u32,
    /// Without HTTP, where a scenario can.
    pub in_process: bool,
}

impl Options {
    /// How long, as a time.
    pub fn span(&self) -> Duration {
        Duration::from_secs(u64::from(self.seconds))
    }
}

/// A thing that can be measured.
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What it does, for people.
    pub about: &'static str,
    /// How long it takes unless somebody says.
    pub seconds: u32,
    /// On how many connections unless somebody says.
    pub connections: usize,
    /// Whether it can do without HTTP.
    pub in_process: bool,
    /// Does it.
    pub run: fn(&Options) -> Result<Vec<Report>, End>,
}

/// `gomer bench`.
pub fn command() -> Command {
    let number = |name: &'static str, what: &'static str| {
        Arg::new(name).long(name).value_name(what).value_parser(clap::value_parser!(u32).range(1..=100_000))
    };
    let list = SCENARIOS.iter().map(|scenario| format!("  {:10} {}\n", scenario.name, scenario.about));
    Command::new("bench")
        .about("Measure this program on this machine, on a temporary directory (TMPDIR)")
        .arg(Arg::new("NAME").required(true).help("What to measure"))
        .arg(number("seconds", "S").help("How long each part takes"))
        .arg(number("connections", "C").help("Connections of the load [default: 64]"))
        .arg(number("members", "M").help("Members of the cluster [default: 1]"))
        .arg(
            Arg::new("in-process")
                .long("in-process")
                .action(ArgAction::SetTrue)
                .help("Reach the data without HTTP, in this process"),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print one JSON object per scenario"),
        )
        .after_help(format!("Scenarios:\n{}", list.collect::<String>()))
}

/// The command of the bare server.
pub fn hello_command() -> Command {
    Command::new(HELLO_SERVER).about("The bare server that `bench` compares with").hide(true)
}

/// Runs the bare server.
pub fn run_hello() -> Result<(), End> {
    hello_server::run()
}

/// Runs `gomer bench`.
pub fn run(matches: &ArgMatches) -> Result<(), End> {
    let name = matches.get_one::<String>("NAME").expect("clap requires it");
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name).ok_or_else(|| {
        let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        End::new(Exit::Usage, format!("there is no scenario {name:?}: it is one of {}", names.join(", ")))
    })?;
    let options = options(matches, scenario)?;
    if usage::cpu(std::process::id()).is_none() {
        eprintln!("gomer: {}", usage::NO_PROC);
    }
    child::clean_up_on_signals()?;
    let reports = (scenario.run)(&options)?;
    let text = if matches.get_flag("json") {
        reports.iter().map(|report| report.json() + "\n").collect::<String>()
    } else {
        report::table(&reports)
    };
    reference::print(&text)?;
    match reports.iter().map(|report| report.errors).sum::<u64>() {
        0 => Ok(()),
        errors => Err(End::new(Exit::Failed, format!("{errors} operations went wrong"))),
    }
}

fn options(matches: &ArgMatches, scenario: &Scenario) -> Result<Options, End> {
    let number = |name: &str| matches.get_one::<u32>(name).copied();
    let options = Options {
        seconds: number("seconds").unwrap_or(scenario.seconds),
        connections: number("connections").map_or(scenario.connections, |count| count as usize),
        members: number("members").unwrap_or(1),
        in_process: matches.get_flag("in-process"),
    };
    if options.members != 1 {
        return Err(End::new(Exit::Usage, "a server has one member: --members can only be 1"));
    }
    if options.in_process && !scenario.in_process {
        let why = format!("{} goes over HTTP: it has no --in-process", scenario.name);
        return Err(End::new(Exit::Usage, why));
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options_of(line: &str) -> Result<Options, End> {
        let matches = command().try_get_matches_from(line.split(' ')).expect("the line is sound");
        let name = matches.get_one::<String>("NAME").unwrap();
        options(&matches, SCENARIOS.iter().find(|scenario| scenario.name == name).unwrap())
    }

    #[test]
    fn options_have_defaults_and_bounds() {
        let options = options_of("bench hello").unwrap();
        assert_eq!((options.seconds, options.connections, options.members), (10, 64, 1));
        let options = options_of("bench graph --seconds 3 --connections 8 --in-process").unwrap();
        assert_eq!((options.seconds, options.connections, options.in_process), (3, 8, true));
        assert_eq!(options_of("bench hello --in-process").unwrap_err().code, Exit::Usage);
        assert_eq!(options_of("bench graph --members 3").unwrap_err().code, Exit::Usage);
        for line in
            ["bench", "bench hello --seconds 0", "bench hello --seconds x", "bench hello --connections -1"]
        {
            assert_eq!(command().try_get_matches_from(line.split(' ')).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn names_differ_and_help_has_them_all() {
        let help = command().render_long_help().to_string();
        for (number, scenario) in SCENARIOS.iter().enumerate() {
            assert!(help.contains(scenario.about), "{}", scenario.name);
            assert!(SCENARIOS[..number].iter().all(|other| other.name != scenario.name));
        }
    }
}
