//! Settings of the process: flags, then `GOMER_*`, then the file, then defaults; each value with where
//! it came from.
//!
//! One table ([`KEYS`]) names every key with its default and its meaning; the flags of `gomer serve`, the
//! variables, the file and `gomer config show` all follow from it.
//!
//! Must never learn: what the values are used for.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What a key is.
#[derive(Debug)]
pub struct KeySpec {
    /// Its name, with dots.
    pub name: &'static str,
    /// Its value when nobody says otherwise; empty is "not set".
    pub default: &'static str,
    /// How its text is checked.
    pub kind: Kind,
    /// What it is for, with unit and range.
    pub about: &'static str,
}

/// How the text of a value is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// Text that is never shown, and may stand in a file of its own: `KEY_file`.
    Secret,
    /// `true` or `false`.
    Bool,
    /// A whole number in this range.
    Number(u64, u64),
    /// `HOST:PORT` with a numeric address.
    Address,
    /// Networks like `10.0.0.0/8`, separated by commas.
    Networks,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// Every key.
pub const KEYS: &[KeySpec] = &[
    key("data", "data", Kind::Text, "Directory of the store; made if it is absent."),
    key(
        "listen",
        "127.0.0.1:8080",
        Kind::Address,
        "Where clients are served. Port 0 takes any that is free.",
    ),
    key("admin_listen", "127.0.0.1:8081", Kind::Address, "Where operators, probes and metrics are served."),
    key(
        "demo",
        "",
        Kind::OneOf(&["", "true", "false"]),
        "Whether a new store gets the app demo; by default only if every listener is loopback.",
    ),
    key(
        "insecure_listen",
        "false",
        Kind::Bool,
        "Allows listening beyond loopback without TLS: a proxy in front must terminate it.",
    ),
    key("trusted_proxies", "", Kind::Networks, "Networks whose X-Forwarded-For is believed."),
    key("drain_s", "30", Kind::Number(0, 3_600), "Seconds that requests under way get at shutdown."),
    key(
        "shards",
        "0",
        Kind::Number(0, 64),
        "Threads that own partitions, fixed when the store is made; 0 is one per core.",
    ),
    key(
        "reserve_mib",
        "256",
        Kind::Number(0, 1 << 20),
        "MiB of free disk below which writes that grow are refused (507).",
    ),
    key("cache_mib", "64", Kind::Number(8, 1 << 20), "MiB of page cache for the state stores together."),
    key("log.level", "info", Kind::Text, "error, warn, info, debug, trace, or directives like gomer=debug."),
    key(
        "log.format",
        "auto",
        Kind::OneOf(&["auto", "text", "json"]),
        "auto is text on a terminal and JSON otherwise.",
    ),
    key("limits.connections", "20000", Kind::Number(1, 1_000_000), "Connections at once."),
    key(
        "limits.connections_per_address",
        "200",
        Kind::Number(1, 1_000_000),
        "Connections from one address; loopback and trusted proxies are exempt.",
    ),
    key(
        "limits.inflight",
        "4096",
        Kind::Number(1, 1_000_000),
        "Requests served at once; more are refused as busy.",
    ),
    key(
        "smtp.url",
        "",
        Kind::Secret,
        "smtp://user:password@host:port for mail; without it mail is written to DATA/outbox.",
    ),
    key("smtp.from", "", Kind::Text, "Sender of mail."),
];

const fn key(name: &'static str, default: &'static str, kind: Kind, about: &'static str) -> KeySpec {
    KeySpec { name, default, kind, about }
}

/// Why the settings cannot be used. The process ends with 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError(pub String);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SettingsError {}

/// A value, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The text.
    pub value: String,
    /// `flag`, `environment`, the file with its line, or `default`.
    pub source: String,
}

/// All settings, each checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    values: BTreeMap<&'static str, Setting>,
}

impl Settings {
    /// Gathers them. `flags` and `environment` are name and value; of the environment only `GOMER_*` is
    /// looked at. `file` must be readable if it is given; without it `./gomer.toml` is used if it is there.
    pub fn gather(
        flags: &[(String, String)],
        environment: impl IntoIterator<Item = (String, String)>,
        file: Option<&Path>,
    ) -> Result<Settings, SettingsError> {
        let mut values: BTreeMap<&'static str, Setting> = KEYS
            .iter()
            .map(|spec| (spec.name, Setting { value: spec.default.to_owned(), source: "default".into() }))
            .collect();
        let default_file = Path::new("gomer.toml");
        match file {
            Some(path) => read_file(path, &mut values)?,
            None if default_file.is_file() => read_file(default_file, &mut values)?,
            None => {}
        }
        for (variable, value) in environment {
            let Some(name) = variable.strip_prefix("GOMER_") else { continue };
            let name = name.to_ascii_lowercase().replace("__", ".");
            set(&mut values, &name, value, "environment", &variable)?;
        }
        for (name, value) in flags {
            set(&mut values, name, value.clone(), "flag", &format!("--{}", name.replace('_', "-")))?;
        }
        Ok(Settings { values })
    }

    /// The text of a key of the table.
    pub fn text(&self, name: &str) -> &str {
        &self.values.get(name).expect("the table has the key").value
    }

    /// The text, or nothing if it is not set.
    pub fn optional(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// The value of a key whose kind says that it parses.
    pub fn parsed<T: FromStr>(&self, name: &str) -> T {
        self.text(name).parse().ok().expect("the kind of the key was checked when it was read")
    }

    /// Networks of a key of that kind.
    pub fn networks(&self, name: &str) -> Vec<gomer_net::http::Cidr> {
        networks(self.text(name)).expect("checked when it was read")
    }

    /// For `gomer config show`: every key with value (secrets as `***`), source and meaning.
    pub fn shown(&self) -> Vec<(&'static str, String, &str, &'static str)> {
        KEYS.iter()
            .map(|spec| {
                let setting = &self.values[spec.name];
                let hidden = spec.kind == Kind::Secret && !setting.value.is_empty();
                let value = if hidden { "***".to_owned() } else { setting.value.clone() };
                (spec.name, value, setting.source.as_str(), spec.about)
            })
            .collect()
    }
}

fn set(
    values: &mut BTreeMap<&'static str, Setting>,
    name: &str,
    value: String,
    source: &str,
    said_as: &str,
) -> Result<(), SettingsError> {
    let at = if source.contains(':') { format!("{source}: ") } else { String::new() };
    let (spec, value) = match KEYS.iter().find(|spec| spec.name == name) {
        Some(spec) => (spec, value),
        None => match KEYS.iter().find(|spec| {
            spec.kind == Kind::Secret && name.strip_suffix("_file").is_some_and(|name| name == spec.name)
        }) {
            Some(spec) => (
                spec,
                read_secret(Path::new(&value)).map_err(|e| SettingsError(format!("{at}{said_as}: {e}")))?,
            ),
            None => {
                let hint = nearest(name).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                return Err(SettingsError(format!("{at}{said_as} is not a setting{hint}")));
            }
        },
    };
    check(spec.kind, &value).map_err(|reason| {
        let shown = if spec.kind == Kind::Secret { "***" } else { &value };
        SettingsError(format!("{at}{said_as} = `{shown}`: {reason}"))
    })?;
    values.insert(spec.name, Setting { value, source: source.to_owned() });
    Ok(())
}

fn check(kind: Kind, value: &str) -> Result<(), String> {
    match kind {
        Kind::Text | Kind::Secret => Ok(()),
        Kind::Bool => match value {
            "true" | "false" => Ok(()),
            _ => Err("must be true or false".into()),
        },
        Kind::Number(low, high) => match value.parse::<u64>() {
            Ok(number) if (low..=high).contains(&number) => Ok(()),
            _ => Err(format!("must be a whole number from {low} to {high}")),
        },
        Kind::Address => match value.parse::<std::net::SocketAddr>() {
            Ok(_) => Ok(()),
            Err(_) => Err("must be an address and a port, like 127.0.0.1:8080 or [::1]:8080".into()),
        },
        Kind::Networks => networks(value).map(|_| ()),
        Kind::OneOf(words) if words.contains(&value) => Ok(()),
        Kind::OneOf(words) => {
            let words: Vec<_> = words.iter().filter(|word| !word.is_empty()).copied().collect();
            Err(format!("must be one of {}", words.join(", ")))
        }
    }
}

fn networks(value: &str) -> Result<Vec<gomer_net::http::Cidr>, String> {
    let parts = value.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().map_err(|_| format!("`{part}` is not a network like 10.0.0.0/8"))).collect()
}

fn read_file(path: &Path, values: &mut BTreeMap<&'static str, Setting>) -> Result<(), SettingsError> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|e| SettingsError(format!("{shown}: {e}")))?;
    let table: toml::Table = toml::from_str(&text).map_err(|e| {
        let line = e.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        SettingsError(format!("{shown}:{line}: {}", e.message()))
    })?;
    let mut flat = Vec::new();
    flatten("", &table, &mut flat);
    for (name, value) in flat {
        let source = format!("{shown}:{}", line_of(&text, &name));
        set(values, &name, value, &source, &format!("`{name}`"))?;
    }
    Ok(())
}

fn flatten(prefix: &str, table: &toml::Table, out: &mut Vec<(String, String)>) {
    for (name, value) in table {
        let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::Table(table) => flatten(&name, table, out),
            toml::Value::String(text) => out.push((name, text.clone())),
            toml::Value::Array(items) => {
                let items: Vec<_> = items
                    .iter()
                    .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
                    .collect();
                out.push((name, items.join(",")));
            }
            other => out.push((name, other.to_string())),
        }
    }
}

/// The line that sets a key: the one whose left side ends with the key's last part, under its table.
fn line_of(text: &str, name: &str) -> usize {
    let (table, last) = name.rsplit_once('.').unwrap_or(("", name));
    let mut current = String::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
            current = header.trim().to_owned();
        }
        let left = line.split('=').next().unwrap_or("").trim();
        if (current == table && left == last) || (current.is_empty() && left == name) {
            return number + 1;
        }
    }
    1
}

/// Reads a secret from a file that nobody else may read.
fn read_secret(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let mode = fs::metadata(path).map_err(|e| format!("{shown}: {e}"))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(format!("{shown} can be read by others (mode {:o}); chmod 600 it", mode & 0o777));
    }
    let text = fs::read_to_string(path).map_err(|e| format!("{shown}: {e}"))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// The key that differs from `name` by the fewest letters, if it is close.
fn nearest(name: &str) -> Option<&'static str> {
    let best = KEYS.iter().map(|spec| (distance(spec.name, name), spec.name)).min()?;
    (best.0 <= 2).then_some(best.1)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let cost = if x == y { corner } else { 1 + corner.min(row[j]).min(row[j + 1]) };
            corner = row[j + 1];
            row[j + 1] = cost;
        }
    }
    row[b.len()]
}

/// The data directory, absolute.
pub fn data_dir(settings: &Settings) -> PathBuf {
    let path = Path::new(settings.text("data"));
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(
        flags: &[(&str, &str)],
        environment: &[(&str, &str)],
        file: Option<&str>,
    ) -> Result<Settings, String> {
        let own = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect()
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gomer.toml");
        let file = file.map(|text| {
            fs::write(&path, text).unwrap();
            path.as_path()
        });
        let gathered = Settings::gather(&own(flags), own(environment), file);
        gathered.map_err(|e| e.0.replace(&dir.path().display().to_string(), "DIR"))
    }

    #[test]
    fn flags_stand_before_variables_before_the_file_before_defaults() {
        let file = Some("listen = \"127.0.0.1:1\"\ndrain_s = 4\n[log]\nlevel = \"warn\"\n");
        let settings = gather(
            &[("listen", "127.0.0.1:3")],
            &[("GOMER_LISTEN", "127.0.0.1:2"), ("GOMER_LOG__LEVEL", "debug")],
            file,
        )
        .unwrap();
        assert_eq!(settings.text("listen"), "127.0.0.1:3");
        assert_eq!(settings.text("log.level"), "debug");
        assert_eq!(settings.parsed::<u64>("drain_s"), 4);
        assert_eq!(settings.text("admin_listen"), "127.0.0.1:8081");
        let sources: Vec<_> = settings.shown().iter().map(|row| (row.0, row.2.to_owned())).collect();
        assert!(sources.iter().any(|(key, source)| *key == "drain_s" && source.ends_with("gomer.toml:2")));
    }

    #[test]
    fn mistakes_are_refused_with_file_line_and_reason() {
        let cases = [
            (Some("lisen = \"x\""), "DIR/gomer.toml:1: `lisen` is not a setting; did you mean `listen`?"),
            (
                Some("\n[limits]\nconnections = 0"),
                "DIR/gomer.toml:3: `limits.connections` = `0`: must be a whole number from 1 to 1000000",
            ),
            (
                Some("listen = \"example:80\""),
                "DIR/gomer.toml:1: `listen` = `example:80`: must be an address",
            ),
            (Some("a = = 1"), "DIR/gomer.toml:1:"),
            (
                Some("trusted_proxies = [\"10.0.0.0/99\"]"),
                "DIR/gomer.toml:1: `trusted_proxies` = `10.0.0.0/99`: `10.0.0.0/99` is not a network",
            ),
        ];
        for (file, expected) in cases {
            let error = gather(&[], &[], file).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
        assert_eq!(
            gather(&[], &[("GOMER_COLOUR", "red")], None).unwrap_err(),
            "GOMER_COLOUR is not a setting"
        );
        let error = gather(&[("insecure_listen", "yes")], &[], None).unwrap_err();
        assert_eq!(error, "--insecure-listen = `yes`: must be true or false");
    }

    #[test]
    fn secrets_come_from_files_that_nobody_else_may_read_and_are_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("smtp");
        fs::write(&path, "smtp://u:p@h:25\n").unwrap();
        let flag = [("smtp.url_file", path.to_str().unwrap())];
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(gather(&flag, &[], None).unwrap_err().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let settings = gather(&flag, &[], None).unwrap();
        assert_eq!(settings.text("smtp.url"), "smtp://u:p@h:25");
        assert!(settings.shown().iter().all(|row| !row.1.contains("u:p")));
    }
}
