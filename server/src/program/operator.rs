//! Commands that ask a running server on its admin listener: `gomer app …` and `gomer key …`.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};

use super::admin_client::AdminClient;
use super::exit::{End, Exit};
use super::reference;
use super::sources::OPERATOR_TOKEN;

/// `gomer app`.
pub fn app_command() -> Command {
    let create = Command::new("create")
        .about("Make an app, and its first keys: shown now and never again")
        .arg(Arg::new("NAME").required(true).help("Its name in addresses: 1 to 63 of a-z, 0-9 and -"))
        .arg(Arg::new("title").long("title").value_name("TEXT").help("What people read"));
    let list = Command::new("list").about("List the apps");
    Command::new("app")
        .about("Apps of a running server")
        .subcommand_required(true)
        .subcommand(with_server(create))
        .subcommand(with_server(list))
}

/// `gomer key`.
pub fn key_command() -> Command {
    let create = Command::new("create")
        .about("Make a key of an app: shown now and never again")
        .arg(Arg::new("APP").required(true).help("The name of the app"))
        .arg(
            Arg::new("kind")
                .long("kind")
                .required(true)
                .value_parser(["client", "server", "admin"])
                .help("What it may do"),
        )
        .arg(Arg::new("name").long("name").value_name("TEXT").help("What people call it"));
    Command::new("key").about("Keys of apps").subcommand_required(true).subcommand(with_server(create))
}

pub(super) fn with_server(command: Command) -> Command {
    command
        .arg(
            Arg::new("server")
                .long("server")
                .value_name("ADDRESS")
                .default_value("http://127.0.0.1:8081")
                .help("Admin address of the server"),
        )
        .arg(
            Arg::new("data")
                .long("data")
                .value_name("DIR")
                .default_value("data")
                .value_parser(clap::value_parser!(PathBuf))
                .help("Where operator.json is, unless GOMER_OPERATOR_TOKEN holds the token"),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON"))
}

/// Runs `gomer app …`.
pub fn app(matches: &ArgMatches) -> Result<(), End> {
    match matches.subcommand() {
        Some(("create", matches)) => create_app(matches),
        Some(("list", matches)) => list_apps(matches),
        _ => Ok(()),
    }
}

/// Runs `gomer key …`.
pub fn key(matches: &ArgMatches) -> Result<(), End> {
    let Some(("create", matches)) = matches.subcommand() else { return Ok(()) };
    let (app, kind) = (text(matches, "APP"), text(matches, "kind"));
    let name = matches.get_one::<String>("name").map_or(kind, String::as_str);
    let key = make_key(&client(matches)?, app, kind, name)?;
    show(matches, &key, || format!("{}\n", key["secret"].as_str().unwrap_or_default()))
}

fn create_app(matches: &ArgMatches) -> Result<(), End> {
    let (client, name) = (client(matches)?, text(matches, "NAME"));
    let mut args = json!({ "id": random_id(), "name": name });
    if let Some(title) = matches.get_one::<String>("title") {
        args["title"] = title.as_str().into();
    }
    let app = client.call("cluster.createApp", &args)?;
    let key = |kind: &str| Ok::<Value, End>(make_key(&client, name, kind, "First")?["secret"].clone());
    let made = json!({
        "app": name,
        "id": app["id"],
        "clientKey": key("client")?,
        "serverKey": key("server")?,
        "adminToken": key("admin")?,
    });
    let shown = |field: &str| made[field].as_str().unwrap_or_default().to_owned();
    show(matches, &made, || {
        format!(
            "app          {name}\nclient key   {}\nserver key   {}\nadmin token  {}\n",
            shown("clientKey"),
            shown("serverKey"),
            shown("adminToken"),
        )
    })
}

fn make_key(client: &AdminClient, app: &str, kind: &str, name: &str) -> Result<Value, End> {
    let key = json!({ "id": random_id(), "kind": kind, "name": name });
    client.call("cluster.createKey", &json!({ "app": app, "key": key }))
}

fn list_apps(matches: &ArgMatches) -> Result<(), End> {
    let client = client(matches)?;
    let mut apps = Vec::new();
    let mut args = json!({ "limit": 1_000 });
    loop {
        let mut page = client.call("cluster.listApps", &args)?;
        if let Some(items) = page["items"].as_array_mut() {
            apps.append(items);
        }
        if page["end"] != false {
            break;
        }
        args["cursor"] = page["cursor"].clone();
    }
    let line = |app: &Value| {
        let field = |name: &str| app[name].as_str().unwrap_or_default().to_owned();
        format!("{:24} {:9} {}\n", field("name"), field("state"), field("title"))
    };
    let lines = apps.iter().map(line).collect::<String>();
    show(matches, &json!({ "items": apps }), || lines)
}

pub(super) fn show(matches: &ArgMatches, json: &Value, people: impl FnOnce() -> String) -> Result<(), End> {
    let text = if matches.get_flag("json") { format!("{json}\n") } else { people() };
    reference::print(&text)
}

pub(super) fn client(matches: &ArgMatches) -> Result<AdminClient, End> {
    let data = matches.get_one::<PathBuf>("data").expect("it has a default");
    let token = match std::env::var(OPERATOR_TOKEN) {
        Ok(token) => token,
        Err(_) => token_in(&data.join(gomer::first_start::OPERATOR_FILE))?,
    };
    AdminClient::new(text(matches, "server"), &token)
}

fn token_in(file: &Path) -> Result<String, End> {
    let fault = |why: String| {
        let what = file.display();
        End::new(Exit::Usage, format!("{what}: {why}; say --data DIR, or set GOMER_OPERATOR_TOKEN"))
    };
    let bytes = std::fs::read(file).map_err(|error| fault(error.to_string()))?;
    let json: Value = serde_json::from_slice(&bytes).map_err(|error| fault(error.to_string()))?;
    json["operatorToken"].as_str().map(str::to_owned).ok_or_else(|| fault("no operatorToken".to_owned()))
}

fn text<'a>(matches: &'a ArgMatches, name: &str) -> &'a str {
    matches.get_one::<String>(name).map_or("", String::as_str)
}

/// A UUID of version 4.
pub(super) fn random_id() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("an operating system without randomness cannot make ids");
    bytes[6] = 0x40 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    gomer_core::id::Id::from_bytes(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_such_as_the_server_takes() {
        let id = random_id();
        assert!(id.parse::<gomer_core::id::Id>().is_ok(), "{id}");
        assert_ne!(id, random_id());
    }

    #[test]
    fn a_missing_or_damaged_token_is_a_usage_error_that_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("operator.json");
        for content in [None, Some("{"), Some("{}")] {
            if let Some(content) = content {
                std::fs::write(&file, content).unwrap();
            }
            let end = token_in(&file).unwrap_err();
            assert_eq!(end.code, Exit::Usage);
            assert!(end.why.contains("GOMER_OPERATOR_TOKEN"), "{}", end.why);
        }
        std::fs::write(&file, r#"{"operatorToken":"t"}"#).unwrap();
        assert_eq!(token_in(&file).unwrap(), "t");
    }
}
