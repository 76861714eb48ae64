//! `gomer search rebuild`: throws the search index of a member that does not run away. The next start makes it again.

use std::io;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command};
use gomer::store::dir::{DataDir, Format};

use super::exit::{End, Exit};
use super::reference;
use super::serve::dir_end;

/// Where the index is, in the data directory.
pub const SEARCH_DIR: &str = "search";

/// `gomer search`.
pub fn command() -> Command {
    let rebuild = Command::new("rebuild")
        .about("Throw the index of a stopped server away; its next start makes it again from the data")
        .arg(
            Arg::new("data")
                .long("data")
                .value_name("DIR")
                .default_value("data")
                .value_parser(clap::value_parser!(PathBuf))
                .help("The data directory"),
        );
    Command::new("search").about("The search index").subcommand_required(true).subcommand(rebuild)
}

/// Runs `gomer search …`.
pub fn run(matches: &ArgMatches) -> Result<(), End> {
    let Some(("rebuild", matches)) = matches.subcommand() else { return Ok(()) };
    let path = matches.get_one::<PathBuf>("data").expect("it has a default");
    if !path.join("FORMAT").is_file() {
        return Err(End::new(Exit::Usage, format!("{} is no data directory", path.display())));
    }
    // Its lock is held until the index is gone, so that no server opens it meanwhile. Of a store that is there, nothing of
    // this is used.
    let unused = Format { shards: 1, incarnation: [0; 16] };
    let dir = DataDir::open(path, unused).map_err(dir_end)?;
    match std::fs::remove_dir_all(dir.path().join(SEARCH_DIR)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(End::new(Exit::Failed, format!("{}: {error}", path.display())))
        }
        _ => reference::print("the index is made again at the next start\n"),
    }
}
