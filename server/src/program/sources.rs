//! Where settings come from: flags, environment, file, defaults, in this order. What nobody knows and what
//! fails its check is refused, with the place and the reason.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::exit::{End, Exit};
use super::settings::{KEYS, Key};

/// The file that is read when none is named.
const USUAL_FILE: &str = "gomer.toml";
/// Variables that begin like ours and are not settings of a server: for commands that call one, and for the tests.
const OTHER_VARIABLES: [&str; 3] = [OPERATOR_TOKEN, "GOMER_BIN", "GOMER_SIM"];
/// The operator's token, for the commands that call a running server.
pub(super) const OPERATOR_TOKEN: &str = "GOMER_OPERATOR_TOKEN";

/// Every setting with where it came from.
pub struct Sources {
    values: BTreeMap<&'static str, Value>,
}

#[derive(Debug, Clone)]
struct Value {
    text: String,
    source: String,
    secret: bool,
}

/// A line of `gomer config show`.
#[derive(Debug, Serialize)]
pub struct Shown<'a> {
    /// The value; secrets are `***`.
    pub value: &'a str,
    /// `flag`, `environment`, `default`, or file and line.
    pub source: &'a str,
}

impl Sources {
    /// Gathers them. `flags` and `env` are names with values; `file` is what `--config` says.
    pub fn gather(
        flags: &[(String, String)],
        env: impl Iterator<Item = (String, String)>,
        file: Option<&Path>,
    ) -> Result<Sources, End> {
        let mut sources = Sources { values: BTreeMap::new() };
        for (name, text) in flags {
            sources.say(
                name,
                text.clone(),
                "flag".to_owned(),
                &format!("--{}", name.replace(['.', '_'], "-")),
            )?;
        }
        let mut env: Vec<_> = env.filter(|(name, _)| name.starts_with("GOMER_")).collect();
        env.sort();
        for (variable, text) in env {
            let name = variable["GOMER_".len()..].to_lowercase().replace("__", ".");
            let known = find(&name).is_some();
            if OTHER_VARIABLES.contains(&variable.as_str()) || (!known && is_service_link(&variable, &text)) {
                continue;
            }
            sources.say(&name, text, "environment".to_owned(), &variable)?;
        }
        let path = file.map_or_else(|| PathBuf::from(USUAL_FILE), Path::to_owned);
        match std::fs::read_to_string(&path) {
            Ok(text) => sources.read_file(&path, &text)?,
            Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(refuse(format!("{}: {error}", path.display()))),
        }
        for key in KEYS {
            let default =
                Value { text: key.default.to_owned(), source: "default".to_owned(), secret: key.secret };
            sources.values.entry(key.name).or_insert(default);
        }
        Ok(sources)
    }

    /// Only flags and defaults; for tests.
    #[cfg(test)]
    pub fn of_flags(flags: &[(&str, &str)]) -> Sources {
        let flags: Vec<_> = flags.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
        let none = Path::new("/dev/null");
        Sources::gather(&flags, std::iter::empty(), Some(none)).unwrap()
    }

    /// The value of a setting that is in the table.
    pub fn get(&self, name: &str) -> &str {
        &self.values.get(name).expect("every key of the table has a value").text
    }

    /// All of them, by name.
    pub fn show(&self) -> BTreeMap<&'static str, Shown<'_>> {
        let mut lines = BTreeMap::new();
        for (name, value) in &self.values {
            let text = if value.secret && !value.text.is_empty() { "***" } else { value.text.as_str() };
            lines.insert(*name, Shown { value: text, source: &value.source });
        }
        lines
    }

    /// Takes a value, unless a source before has said one. `place` is what to blame.
    fn say(&mut self, name: &str, text: String, source: String, place: &str) -> Result<(), End> {
        let (key, text) = match find(name) {
            Some(key) => (key, text),
            None => match name.strip_suffix("_file").and_then(find).filter(|key| key.secret) {
                Some(key) => (key, read_secret(&text, place)?),
                None => return Err(refuse(format!("{place}: there is no such setting{}", hint(name)))),
            },
        };
        (key.check)(&text).map_err(|reason| {
            let reason = if key.secret { "the value is refused".to_owned() } else { reason };
            refuse(format!("{place}: {reason}"))
        })?;
        self.values.entry(key.name).or_insert(Value { text, source, secret: key.secret });
        Ok(())
    }

    fn read_file(&mut self, path: &Path, text: &str) -> Result<(), End> {
        let at = |offset: usize| format!("{}:{}", path.display(), line_of(text, offset));
        let table = DeTable::parse(text).map_err(|error| {
            let place = at(error.span().map_or(0, |span| span.start));
            refuse(format!("{place}: {}", error.message()))
        })?;
        let mut found = Vec::new();
        flatten("", table.get_ref(), &mut found);
        for (name, offset, value) in found {
            let place = format!("{}: {name}", at(offset));
            let Some(text) = value else {
                return Err(refuse(format!(
                    "{place}: a text, a number, true, false or a list of texts is expected"
                )));
            };
            self.say(&name, text, at(offset), &place)?;
        }
        Ok(())
    }
}

/// Whether Kubernetes sets a variable so, for a service that is called `gomer` or begins with `gomer-`. Nobody asked for it, and
/// it must not keep the server from starting.
fn is_service_link(variable: &str, text: &str) -> bool {
    let of_port = |rest: &str| {
        let mut parts = rest.split('_');
        let number = parts.next().is_some_and(|part| part.parse::<u16>().is_ok());
        let protocol = parts.next().is_some_and(|part| ["TCP", "UDP", "SCTP"].contains(&part));
        number && protocol && parts.next().is_none_or(|part| ["ADDR", "PORT", "PROTO"].contains(&part))
    };
    variable.ends_with("_SERVICE_HOST")
        || variable.ends_with("_SERVICE_PORT")
        || variable.contains("_SERVICE_PORT_")
        || (variable.ends_with("_PORT") && text.contains("://"))
        || variable.split_once("_PORT_").is_some_and(|(_, rest)| of_port(rest))
}

/// All values of a table with their full names and places; `None` for what no setting can be.
fn flatten(prefix: &str, table: &DeTable<'_>, found: &mut Vec<(String, usize, Option<String>)>) {
    for (name, value) in table.iter() {
        let full = if prefix.is_empty() {
            name.get_ref().to_string()
        } else {
            format!("{prefix}.{}", name.get_ref())
        };
        match value.get_ref() {
            DeValue::Table(inner) => flatten(&full, inner, found),
            other => found.push((full, name.span().start, as_text(other))),
        }
    }
}

fn as_text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Boolean(switch) => Some(switch.to_string()),
        DeValue::Array(items) => {
            let text = |item: &Spanned<DeValue<'_>>| match item.get_ref() {
                DeValue::String(text) => Some(text.to_string()),
                _ => None,
            };
            Some(items.iter().map(text).collect::<Option<Vec<_>>>()?.join(","))
        }
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// A setting with a similar name, if there is one.
fn hint(name: &str) -> String {
    let plain = |text: &str| text.replace(['.', '_', '-'], "");
    let near = |key: &&Key| {
        let (ours, theirs) = (plain(key.name), plain(name));
        ours == theirs || (theirs.len() > 3 && (ours.contains(&theirs) || theirs.contains(&ours)))
    };
    KEYS.iter().find(near).map_or_else(String::new, |key| format!("; did you mean `{}`?", key.name))
}

/// A secret from a file that nobody else may read.
fn read_secret(path: &str, place: &str) -> Result<String, End> {
    use std::os::unix::fs::PermissionsExt;
    let failed = |what: String| refuse(format!("{place}: {path}: {what}"));
    let mode = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(failed(format!("others may read it (mode {:o}): chmod 600 {path}", mode & 0o777)));
    }
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

fn refuse(why: String) -> End {
    End::new(Exit::Usage, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(flags: &[(&str, &str)], env: &[(&str, &str)], file: &str) -> Result<Sources, End> {
        let own = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gomer.toml");
        std::fs::write(&path, file).unwrap();
        Sources::gather(&own(flags), own(env).into_iter(), Some(&path))
    }

    #[test]
    fn the_first_source_that_says_something_wins() {
        let file = "drain_s = 1\nshards = 1\nlisten = \"127.0.0.1:1\"\n[log]\nlevel = \"warn\"\n";
        let env = [
            ("GOMER_DRAIN_S", "2"),
            ("GOMER_SHARDS", "2"),
            ("PATH", "x"),
            ("GOMER_BIN", "x"),
            (OPERATOR_TOKEN, "x"),
        ];
        let sources = gather(&[("drain_s", "3")], &env, file).unwrap();
        let values = ["drain_s", "shards", "listen", "log.level", "data"].map(|name| sources.get(name));
        assert_eq!(values, ["3", "2", "127.0.0.1:1", "warn", "data"]);
        let shown = sources.show();
        assert_eq!(
            [shown["drain_s"].source, shown["shards"].source, shown["data"].source],
            ["flag", "environment", "default"]
        );
        assert!(shown["log.level"].source.ends_with("gomer.toml:5"), "{}", shown["log.level"].source);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (flags, env, file, place, reason) in [
            (&[("shards", "many")][..], &[][..], "", "--shards", "whole number"),
            (&[], &[("GOMER_SHARD", "1")], "", "GOMER_SHARD", "did you mean `shards`?"),
            (&[], &[("GOMER_LOG__LEVEL", "loud")], "", "GOMER_LOG__LEVEL", "loud"),
            (&[], &[], "\n\nfrobnicate = 1\n", "gomer.toml:3", "no such setting"),
            (&[], &[], "[log]\n\nlevel = 7\n", "gomer.toml:3", "`7` is not one of"),
            (&[], &[], "listen = 1.5\n", "gomer.toml:1", "expected"),
            (&[], &[], "a = 1\nlisten = [\n", "gomer.toml", ""),
        ] {
            let Err(end) = gather(flags, env, file) else { panic!("{place} is taken") };
            assert_eq!(end.code, Exit::Usage);
            assert!(end.why.contains(place) && end.why.contains(reason), "{}", end.why);
        }
    }

    #[test]
    fn variables_that_kubernetes_sets_for_a_service_are_none_of_ours() {
        let service = [
            ("GOMER_SERVICE_HOST", "10.0.0.1"),
            ("GOMER_SERVICE_PORT", "8080"),
            ("GOMER_SERVICE_PORT_HTTP", "8080"),
            ("GOMER_PORT", "tcp://10.0.0.1:8080"),
            ("GOMER_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            ("GOMER_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("GOMER_PORT_8080_TCP_PORT", "8080"),
            ("GOMER_PORT_8080_TCP_PROTO", "tcp"),
            ("GOMER_ADMIN_SERVICE_HOST", "10.0.0.2"),
            ("GOMER_ADMIN_PORT_8081_TCP_ADDR", "10.0.0.2"),
            ("GOMER_DRAIN_S", "7"),
        ];
        assert_eq!(gather(&[], &service, "").unwrap().get("drain_s"), "7");
        // What somebody may have meant is still refused.
        for (variable, text) in [
            ("GOMER_PORT", "8080"),
            ("GOMER_PORT_HTTP", "8080"),
            ("GOMER_PORT_8080_TCP_COUNT", "1"),
            ("GOMER_SERVICE", "x"),
        ] {
            assert!(gather(&[], &[(variable, text)], "").is_err(), "{variable}");
        }
    }

    #[test]
    fn a_named_file_must_be_there() {
        let none = Path::new("/nonexistent/gomer.toml");
        assert!(Sources::gather(&[], std::iter::empty(), Some(none)).is_err());
    }

    #[test]
    fn a_secret_in_a_file_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "s3cret\n").unwrap();
        let text = path.to_str().unwrap();
        for (mode, good) in [(0o644, false), (0o640, false), (0o600, true), (0o400, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let read = read_secret(text, "smtp.password_file");
            assert_eq!(read.is_ok(), good, "{mode:o}");
            if let Ok(secret) = read {
                assert_eq!(secret, "s3cret");
            }
        }
    }
}
