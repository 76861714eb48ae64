//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::exit::{End, Exit};
use super::settings::{KEYS, Settings};
use super::sources::Sources;
use super::{cluster, logs, operator, reference, search, serve};
use crate::bench;

/// Runs the program.
pub fn main() -> ExitCode {
    // Ends with 2 and a hint on a usage error, with 0 after `--help` and `--version`.
    let matches = command().get_matches();
    match run(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(end) => end.report(),
    }
}

fn run(matches: &ArgMatches) -> Result<(), End> {
    match matches.subcommand() {
        None => serve(matches),
        Some(("bench", matches)) => bench::run(matches),
        Some((bench::HELLO_SERVER, _)) => bench::run_hello(),
        Some(("app", matches)) => operator::app(matches),
        Some(("cluster", matches)) => cluster::run(matches),
        Some(("key", matches)) => operator::key(matches),
        Some(("search", matches)) => search::run(matches),
        Some(("serve", matches)) => serve(matches),
        Some(("config", matches)) => match matches.subcommand() {
            Some(("show", matches)) => show_config(matches),
            _ => Ok(()),
        },
        Some(("openapi", _)) => reference::print(&gomer::openapi::document()),
        Some(("docs", matches)) => match matches.subcommand() {
            Some(("reference", _)) => reference::print(&gomer::openapi::reference()),
            Some(("typescript", _)) => reference::print(&gomer::openapi::typescript()),
            Some(("check", matches)) => {
                reference::check(matches.get_one::<PathBuf>("PATH").expect("clap requires it"))
            }
            _ => Ok(()),
        },
        Some(_) => Err(End::new(Exit::Usage, "there is no such command")),
    }
}

/// The whole command line, for help and usage errors.
fn command() -> Command {
    let docs = Command::new("docs")
        .about("The generated chapter of the book, and the generated types of the TypeScript client")
        .subcommand_required(true)
        .subcommand(Command::new("reference").about("Print the reference of all methods as Markdown"))
        .subcommand(Command::new("typescript").about("Print the types of all methods for TypeScript"))
        .subcommand(
            Command::new("check")
                .about(
                    "Fail if a file is not what `docs reference` prints, or `docs typescript` for a .ts file",
                )
                .arg(Arg::new("PATH").required(true).value_parser(clap::value_parser!(PathBuf))),
        );
    let show = with_settings(Command::new("show").about("Print every setting with its value and source"))
        .arg(json_arg());
    Command::new("gomer")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Gomer: a social backend for mobile apps, in one program")
        .after_help(
            "Without a command it serves. Settings may also stand in GOMER_* variables and in gomer.toml.",
        )
        .args_conflicts_with_subcommands(true)
        .args(settings_args())
        .arg(json_arg())
        .subcommand(with_settings(Command::new("serve").about("Serve (the default)")).arg(json_arg()))
        .subcommand(
            Command::new("config").about("The configuration").subcommand_required(true).subcommand(show),
        )
        .subcommand(operator::app_command())
        .subcommand(cluster::command())
        .subcommand(operator::key_command())
        .subcommand(search::command())
        .subcommand(bench::command())
        .subcommand(bench::hello_command())
        .subcommand(Command::new("openapi").about("Print the OpenAPI document"))
        .subcommand(docs)
}

fn with_settings(command: Command) -> Command {
    command.args(settings_args())
}

fn json_arg() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON")
}

/// A flag for each setting; switches need no value, and have a `--no-` form. A secret has none: everybody on the machine
/// sees command lines.
fn settings_args() -> Vec<Arg> {
    let config =
        Arg::new("config").long("config").value_name("FILE").value_parser(clap::value_parser!(PathBuf));
    let mut args = vec![config.help("File of settings [default: ./gomer.toml, if it is there]")];
    for key in KEYS.iter().filter(|key| !key.secret) {
        let default = if key.default.is_empty() { "none" } else { key.default };
        let about = format!("{} [default: {default}] [{}]", key.about, key.variable());
        let arg = Arg::new(key.name).long(key.flag()).help(about);
        if key.is_switch() {
            args.push(
                arg.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("BOOL"),
            );
            args.push(
                Arg::new(format!("no-{}", key.name))
                    .long(format!("no-{}", key.flag()))
                    .action(ArgAction::SetTrue)
                    .conflicts_with(key.name)
                    .hide(true),
            );
        } else {
            args.push(arg.value_name("VALUE"));
        }
    }
    args
}

/// The settings as the command line, the environment and the file say.
fn sources(matches: &ArgMatches) -> Result<Sources, End> {
    let mut flags = Vec::new();
    for key in KEYS.iter().filter(|key| !key.secret) {
        if let Some(text) = matches.get_one::<String>(key.name) {
            flags.push((key.name.to_owned(), text.clone()));
        } else if matches.try_get_one::<bool>(&format!("no-{}", key.name)).ok().flatten() == Some(&true) {
            flags.push((key.name.to_owned(), "false".to_owned()));
        }
    }
    let env = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Sources::gather(&flags, env, matches.get_one::<PathBuf>("config").map(PathBuf::as_path))
}

fn serve(matches: &ArgMatches) -> Result<(), End> {
    let settings = Settings::of(&sources(matches)?)?;
    logs::start(&settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("gomer").build();
    let runtime =
        runtime.map_err(|error| End::new(Exit::Failed, format!("threads cannot be started: {error}")))?;
    runtime.block_on(serve::run(settings, matches.get_flag("json")))
}

fn show_config(matches: &ArgMatches) -> Result<(), End> {
    let sources = sources(matches)?;
    let shown = sources.show();
    if matches.get_flag("json") {
        let json = serde_json::to_string_pretty(&shown).expect("plain data, which JSON can hold");
        return reference::print(&(json + "\n"));
    }
    let lines = shown.iter().map(|(name, shown)| format!("{name} = {:?}  # {}\n", shown.value, shown.source));
    reference::print(&lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn flags_stand_with_and_without_the_command() {
        for line in [
            "gomer --data x --no-demo",
            "gomer serve --data x --no-demo",
            "gomer serve --data=x --demo=false",
        ] {
            let matches = command().try_get_matches_from(line.split(' ')).unwrap();
            let matches = matches.subcommand().map_or(&matches, |(_, matches)| matches);
            let sources = sources(matches).unwrap();
            assert_eq!((sources.get("data"), sources.get("demo")), ("x", "false"), "{line}");
        }
        let matches = command().try_get_matches_from(["gomer", "--demo", "--insecure-listen"]).unwrap();
        assert_eq!(sources(&matches).unwrap().get("insecure_listen"), "true");
    }

    #[test]
    fn usage_errors_end_with_two() {
        for line in [
            "gomer --nope",
            "gomer nope",
            "gomer serve --shards",
            "gomer docs check",
            "gomer --demo --no-demo",
        ] {
            let error = command().try_get_matches_from(line.split(' ')).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }
}
