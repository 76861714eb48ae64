//! The command line: `gomer serve`, `gomer config show`, `gomer openapi`, `gomer docs`.
//!
//! Exit codes are the contract's: see [`Exit`].

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::settings::{KEYS, Kind, Settings};

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// The state does not allow it (changed plan, conflict, needs `--yes`).
    Refused = 3,
    /// The server could not be reached, or did not answer in time.
    Unreachable = 4,
    /// The data directory is locked, damaged, rolled back or of a newer format.
    Data = 5,
    /// An address is in use.
    AddressInUse = 6,
    /// A write or sync to disk failed.
    Store = 7,
}

/// An exit code, and what to say on stderr.
#[derive(Debug)]
pub struct Failure {
    /// The code.
    pub exit: Exit,
    /// What went wrong, and what to do.
    pub message: String,
}

impl Failure {
    /// This code with this message.
    pub fn new(exit: Exit, message: impl ToString) -> Failure {
        Failure { exit, message: message.to_string() }
    }
}

/// The whole program.
pub fn run() -> ExitCode {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version are no mistakes; clap prints those to stdout and all else to stderr.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            let _ = error.print();
            return ExitCode::from(exit as u8);
        }
    };
    match dispatch(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("gomer: {}", failure.message);
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn dispatch(matches: &ArgMatches) -> Result<(), Failure> {
    match matches.subcommand() {
        Some(("config", matches)) => match matches.subcommand() {
            Some(("show", matches)) => config_show(matches),
            _ => unreachable!("clap asks for a subcommand"),
        },
        Some(("openapi", _)) => {
            print!("{}", crate::openapi::document());
            Ok(())
        }
        Some(("docs", matches)) => match matches.subcommand() {
            Some(("reference", _)) => {
                print!("{}", crate::openapi::reference());
                Ok(())
            }
            Some(("check", matches)) => docs_check(matches.get_one::<PathBuf>("PATH").expect("clap asks for it")),
            _ => unreachable!("clap asks for a subcommand"),
        },
        Some(("serve", matches)) => crate::serve::serve(&settings(matches)?, matches.get_flag("json")),
        _ => crate::serve::serve(&settings(matches)?, matches.get_flag("json")),
    }
}

fn command() -> Command {
    let config = Command::new("config").about("Shows settings").subcommand_required(true).subcommand(
        with_settings(Command::new("show").about("Every setting with its value and where it came from")),
    );
    let docs = Command::new("docs")
        .about("Documentation that follows from the declarations")
        .subcommand_required(true)
        .subcommand(Command::new("reference").about("Prints the reference of all methods"))
        .subcommand(
            Command::new("check")
                .about("Fails if a file is not what `docs reference` prints")
                .arg(Arg::new("PATH").required(true).value_parser(clap::value_parser!(PathBuf))),
        );
    with_settings(Command::new("gomer"))
        .about("A social backend for mobile apps, in one program. Without a command: serve.")
        .version(env!("CARGO_PKG_VERSION"))
        .args_conflicts_with_subcommands(true)
        .subcommand(with_settings(Command::new("serve").about("Runs the server")))
        .subcommand(config)
        .subcommand(Command::new("openapi").about("Prints the OpenAPI 3.1 document"))
        .subcommand(docs)
}

/// Flags for every key of the table: dots and underscores as hyphens.
fn with_settings(mut command: Command) -> Command {
    for spec in KEYS {
        let long = flag_of(spec.name);
        let arg = Arg::new(spec.name).long(long).help(spec.about);
        command = match spec.kind {
            _ if spec.name == "demo" => command
                .arg(arg.action(ArgAction::SetTrue))
                .arg(Arg::new("no_demo").long("no-demo").action(ArgAction::SetTrue).conflicts_with("demo").help("Never makes the app demo.")),
            Kind::Bool => command.arg(arg.action(ArgAction::SetTrue)),
            // A secret on a command line is read by every process of the machine.
            Kind::Secret => command.arg(
                Arg::new(format!("{}_file", spec.name)).long(format!("{}-file", flag_of(spec.name))).value_name("FILE").help(spec.about),
            ),
            _ => command.arg(arg.value_name("VALUE")),
        };
    }
    command
        .arg(Arg::new("config").long("config").value_name("FILE").value_parser(clap::value_parser!(PathBuf)).help("The configuration file; by default ./gomer.toml if it is there."))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("For scripts: one JSON object on stdout."))
}

fn flag_of(name: &str) -> String {
    name.replace(['.', '_'], "-")
}

fn settings(matches: &ArgMatches) -> Result<Settings, Failure> {
    let mut flags = Vec::new();
    for spec in KEYS {
        if spec.name == "demo" {
            if matches.get_flag("demo") {
                flags.push(("demo".to_owned(), "true".to_owned()));
            }
            if matches.get_flag("no_demo") {
                flags.push(("demo".to_owned(), "false".to_owned()));
            }
        } else if spec.kind == Kind::Bool {
            if matches.get_flag(spec.name) {
                flags.push((spec.name.to_owned(), "true".to_owned()));
            }
        } else {
            let name = if spec.kind == Kind::Secret { format!("{}_file", spec.name) } else { spec.name.to_owned() };
            if let Some(value) = matches.get_one::<String>(&name) {
                flags.push((name, value.clone()));
            }
        }
    }
    let file = matches.get_one::<PathBuf>("config").map(PathBuf::as_path);
    Settings::gather(&flags, std::env::vars(), file).map_err(|e| Failure::new(Exit::Usage, e))
}

fn config_show(matches: &ArgMatches) -> Result<(), Failure> {
    let settings = settings(matches)?;
    if matches.get_flag("json") {
        let shown: serde_json::Map<String, serde_json::Value> = settings
            .shown()
            .into_iter()
            .map(|(name, value, source, _)| (name.to_owned(), serde_json::json!({ "value": value, "source": source })))
            .collect();
        println!("{}", serde_json::Value::Object(shown));
        return Ok(());
    }
    for (name, value, source, about) in settings.shown() {
        println!("{name:32} {value:24} {source:16} {about}");
    }
    Ok(())
}

fn docs_check(path: &Path) -> Result<(), Failure> {
    let found = std::fs::read_to_string(path).map_err(|e| Failure::new(Exit::Failed, format!("{}: {e}", path.display())))?;
    if found == crate::openapi::reference() {
        return Ok(());
    }
    let message = format!("{0} is stale: run `gomer docs reference > {0}`", path.display());
    Err(Failure::new(Exit::Failed, message))
}
