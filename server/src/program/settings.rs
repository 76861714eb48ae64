//! What can be configured: one table, from which flags, environment, file, help and checks follow.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use gomer_net::http::{Cidr, Limits};

use super::certificates::CertificateFiles;
use super::exit::{End, Exit};
use super::ring::{self, PeerSettings};
use super::sources::Sources;

/// A setting.
pub struct Key {
    /// Its name in the file; `.` separates tables.
    pub name: &'static str,
    /// What holds when nobody says otherwise.
    pub default: &'static str,
    /// What it is, for `--help`.
    pub about: &'static str,
    /// What it may be.
    pub check: fn(&str) -> Result<(), String>,
    /// Whether it is shown as `***` and may be given as a file.
    pub secret: bool,
}

impl Key {
    /// Whether it is on or off, so that its flag needs no value.
    pub fn is_switch(&self) -> bool {
        (self.check)("true").is_ok() && (self.check)("false").is_ok() && (self.check)("x").is_err()
    }

    /// Its environment variable: `GOMER_LOG__LEVEL`.
    pub fn variable(&self) -> String {
        format!("GOMER_{}", self.name.to_uppercase().replace('.', "__"))
    }

    /// Its flag without the hyphens in front: `log-level`.
    pub fn flag(&self) -> String {
        self.name.replace(['.', '_'], "-")
    }
}

const fn key(
    name: &'static str,
    default: &'static str,
    check: fn(&str) -> Result<(), String>,
    about: &'static str,
) -> Key {
    Key { name, default, about, check, secret: false }
}

/// Every setting.
pub const KEYS: &[Key] = &[
    key("data", "data", is_text, "Directory of the data"),
    key("listen", "127.0.0.1:8080", is_address, "Address for apps; port 0 takes any free port"),
    key("admin_listen", "127.0.0.1:8081", is_address, "Address for operators: metrics and cluster methods"),
    key("peer_listen", "", is_peer_address, "Address for other members; empty: the one in cluster.members"),
    key(
        "cluster.members",
        "",
        ring::is_members,
        "All members of the cluster, in one order, like ada=10.0.0.1:9000,bob=10.0.0.2:9000; empty: one alone",
    ),
    key("cluster.name", "", |_| Ok(()), "Which of cluster.members this one is"),
    key("cluster.id", "", ring::is_cluster, "The cluster, as `gomer cluster init` says"),
    key(
        "cluster.partitions",
        "64",
        ring::is_partitions,
        "Slices of the data, fixed when the cluster is made",
    ),
    key("cluster.replicas", "0", is_replicas, "Copies of everything; 0: three, or one for each member"),
    key(
        "cluster.certificates",
        "",
        |_| Ok(()),
        "Directory with authority.pem, NAME.pem and NAME.key; empty: members talk without TLS, on one machine only",
    ),
    key(
        "tls.cert",
        "",
        |_| Ok(()),
        "File with the certificates of the address for apps, as PEM, its own first; looked at again every 10 s",
    ),
    key(
        "tls.key",
        "",
        |_| Ok(()),
        "File with the private key of the first of them, as PEM, for the server's user only",
    ),
    key(
        "insecure_listen",
        "false",
        is_switch,
        "Listen beyond this machine without TLS: a proxy has to add it",
    ),
    key(
        "trusted_proxies",
        "",
        is_ranges,
        "Proxies whose X-Forwarded-For is believed, like 10.0.0.0/8,fd00::/8",
    ),
    key(
        "demo",
        "auto",
        is_auto_or_switch,
        "Make an app with sample people when the store is new; auto: if nobody else can connect",
    ),
    key(
        "accept_clock",
        "false",
        is_switch,
        "Start although the clock is a day or more ahead of the last write: this server was stopped that long",
    ),
    key("drain_s", "30", is_seconds, "Longest that running requests may take after SIGTERM, in seconds"),
    key("shards", "0", is_shards, "Threads for data, fixed when the store is made; 0: one per core"),
    key("reserve_mb", "256", is_number, "Below so much free space client writes are refused, in MiB"),
    key("cache_mb", "64", is_number, "Memory for reading rows, per shard, in MiB"),
    key("limits.connections", "20000", is_count, "Most connections of the process"),
    key(
        "limits.connections_per_address",
        "200",
        is_count,
        "Most connections of one address; loopback is exempt",
    ),
    key("limits.requests", "4096", is_count, "Most requests served at once"),
    key(
        "smtp.relay",
        "",
        is_relay,
        "Mail relay, like 127.0.0.1:25, reached without TLS; empty: mails are files in DATA/outbox",
    ),
    key(
        "smtp.insecure_relay",
        "false",
        is_switch,
        "Hand mails to a relay on another machine without TLS: whoever sees the network reads the codes in them",
    ),
    key("smtp.from", "no-reply@localhost", is_sender, "Address that mails are from"),
    key(
        "outside.allow",
        "",
        is_ranges,
        "Networks that are not public and may be asked for feeds, previews and hooks, on any port, like 10.1.0.0/16",
    ),
    key("outside.ports", "80,443,8080,8443", is_ports, "Ports of public servers that may be asked"),
    key(
        "outside.authorities",
        "",
        |_| Ok(()),
        "File with certificates (PEM) that are trusted of servers outside, beside those that browsers trust",
    ),
    Key {
        secret: true,
        ..key("x.token", "", is_token, "Bearer token of an app at X, for tweets that are tracked there")
    },
    key("log.format", "auto", is_log_format, "text, json, or auto: text on a terminal"),
    key("log.level", "info", is_log_level, "error, warn, info, debug or trace"),
    key("log.requests", "false", is_switch, "Log every request, not only those that fail"),
];

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    /// For people.
    Text,
    /// One object per line.
    Json,
}

/// The settings, each as what it is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Directory of the data.
    pub data: PathBuf,
    /// Address for apps.
    pub listen: SocketAddr,
    /// Address for operators.
    pub admin_listen: SocketAddr,
    /// Certificates and key for the address for apps; nothing: it speaks HTTP without TLS.
    pub tls: Option<CertificateFiles>,
    /// The cluster that this member is of; nothing: it is alone.
    pub peers: Option<PeerSettings>,
    /// Whether to make the sample app.
    pub demo: bool,
    /// Whether a clock that is far ahead of the last write is right.
    pub accept_clock: bool,
    /// Longest drain.
    pub drain: Duration,
    /// Threads for data of a new store.
    pub shards: u32,
    /// Free space below which client writes are refused.
    pub reserve_bytes: u64,
    /// Memory for reading rows, per shard.
    pub cache_bytes: usize,
    /// Bounds of the listeners.
    pub limits: Limits,
    /// Where mail goes; nothing: into files.
    pub smtp_relay: Option<String>,
    /// Address that mails are from.
    pub smtp_from: String,
    /// Networks that are not public and may be asked.
    pub outside_allow: Vec<Cidr>,
    /// Ports of public servers that may be asked.
    pub outside_ports: Vec<u16>,
    /// File with more authorities for servers outside.
    pub outside_authorities: Option<PathBuf>,
    /// What X is shown; nothing: nothing is read there.
    pub x_token: Option<String>,
    /// How logs look.
    pub log_format: LogFormat,
    /// From which level on.
    pub log_level: String,
    /// Whether every request is logged.
    pub log_requests: bool,
}

impl Settings {
    /// The settings as the sources say. Every text has passed its key's check.
    pub fn of(sources: &Sources) -> Result<Settings, End> {
        let text = |name: &str| sources.get(name);
        let checked = "the key's check has read it before";
        let number = |name: &str| text(name).parse::<u64>().expect(checked);
        let (listen, admin_listen): (SocketAddr, SocketAddr) =
            (text("listen").parse().expect(checked), text("admin_listen").parse().expect(checked));
        let alone = listen.ip().is_loopback() && admin_listen.ip().is_loopback();
        let tls = match (text("tls.cert"), text("tls.key")) {
            ("", "") => None,
            (cert, key) if !cert.is_empty() && !key.is_empty() => {
                Some(CertificateFiles { certificates: cert.into(), key: key.into() })
            }
            _ => {
                let why = "tls.cert and tls.key belong together: say both, or neither";
                return Err(End::new(Exit::Usage, why.to_owned()));
            }
        };
        if text("insecure_listen") != "true" {
            refuse_plain(listen, admin_listen, tls.is_some())?;
        }
        let relay = text("smtp.relay");
        if !relay.is_empty() && !is_on_this_machine(relay) && text("smtp.insecure_relay") != "true" {
            let why = format!(
                "smtp.relay: {relay} is not on this machine, and there is no TLS to it: the codes in mails sign people in, and \
                 could be read on the way. Run a relay on this machine that knows the other one, or say --smtp-insecure-relay \
                 if the network is yours"
            );
            return Err(End::new(Exit::Usage, why));
        }
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        let limits = Limits {
            connections_max: number("limits.connections") as usize,
            connections_per_address_max: number("limits.connections_per_address") as usize,
            inflight_max: number("limits.requests") as usize,
            trusted_proxies: ranges(text("trusted_proxies")).expect(checked),
            ..Limits::default()
        };
        Ok(Settings {
            data: PathBuf::from(text("data")),
            listen,
            admin_listen,
            tls,
            peers: PeerSettings::of(sources)?,
            demo: match text("demo") {
                "auto" => alone,
                said => said == "true",
            },
            accept_clock: text("accept_clock") == "true",
            drain: Duration::from_secs(number("drain_s")),
            shards: match number("shards") {
                0 => cores.min(64),
                said => said as u32,
            },
            reserve_bytes: number("reserve_mb") << 20,
            cache_bytes: (number("cache_mb") as usize) << 20,
            limits,
            smtp_relay: Some(text("smtp.relay").to_owned()).filter(|relay| !relay.is_empty()),
            smtp_from: text("smtp.from").to_owned(),
            outside_allow: ranges(text("outside.allow")).expect(checked),
            outside_ports: ports(text("outside.ports")).expect(checked),
            outside_authorities: Some(PathBuf::from(text("outside.authorities")))
                .filter(|file| !file.as_os_str().is_empty()),
            x_token: Some(text("x.token").to_owned()).filter(|token| !token.is_empty()),
            log_format: match text("log.format") {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => LogFormat::Auto,
            },
            log_level: text("log.level").to_owned(),
            log_requests: text("log.requests") == "true",
        })
    }
}

/// Refuses to speak without TLS beyond this machine. Operators' tokens never go over TLS of ours, so their address stays here.
fn refuse_plain(listen: SocketAddr, admin_listen: SocketAddr, tls: bool) -> Result<(), End> {
    let why = if !admin_listen.ip().is_loopback() {
        format!(
            "{admin_listen} is not on this machine, and the address for operators has no TLS: listen on 127.0.0.1 and reach it \
             through a tunnel or a proxy with TLS, or say --insecure-listen if the network is yours"
        )
    } else if !listen.ip().is_loopback() && !tls {
        format!(
            "{listen} is not on this machine, and there is no TLS: say --tls-cert and --tls-key, or put a proxy with TLS in front \
             and listen on 127.0.0.1, or say --insecure-listen if the network is yours"
        )
    } else {
        return Ok(());
    };
    Err(End::new(Exit::Usage, why))
}

fn is_text(text: &str) -> Result<(), String> {
    if text.is_empty() { Err("must not be empty".to_owned()) } else { Ok(()) }
}

fn is_address(text: &str) -> Result<(), String> {
    let address = text.parse::<SocketAddr>();
    address
        .map(drop)
        .map_err(|_| format!("`{text}` is not an address with a port, like 127.0.0.1:8080 or [::1]:8080"))
}

fn is_peer_address(text: &str) -> Result<(), String> {
    if text.is_empty() { Ok(()) } else { is_address(text) }
}

/// A host with a port, or nothing.
fn is_relay(text: &str) -> Result<(), String> {
    let fits = text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty()
            && !host.contains(char::is_whitespace)
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if fits || text.is_empty() {
        Ok(())
    } else {
        Err(format!("`{text}` is not a host with a port, like 127.0.0.1:25"))
    }
}

/// Whether a relay's host is this machine, whatever names may lead to.
fn is_on_this_machine(relay: &str) -> bool {
    let host = relay.rsplit_once(':').map_or(relay, |(host, _)| host);
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or(host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
}

fn is_sender(text: &str) -> Result<(), String> {
    let plain = text.bytes().all(|c| c.is_ascii_graphic() && !b"<>\"(),;\\".contains(&c));
    let fits = text.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    if plain && fits { Ok(()) } else { Err(format!("`{text}` is not an e-mail address")) }
}

/// On or off.
pub(super) fn is_switch(text: &str) -> Result<(), String> {
    one_of(text, &["true", "false"])
}

fn is_auto_or_switch(text: &str) -> Result<(), String> {
    one_of(text, &["auto", "true", "false"])
}

fn is_log_format(text: &str) -> Result<(), String> {
    one_of(text, &["auto", "text", "json"])
}

fn is_log_level(text: &str) -> Result<(), String> {
    one_of(text, &["error", "warn", "info", "debug", "trace"])
}

fn is_seconds(text: &str) -> Result<(), String> {
    within(text, 0, 3_600)
}

fn is_shards(text: &str) -> Result<(), String> {
    within(text, 0, 64)
}

fn is_replicas(text: &str) -> Result<(), String> {
    within(text, 0, 5)
}

fn is_number(text: &str) -> Result<(), String> {
    within(text, 0, 1 << 30)
}

fn is_count(text: &str) -> Result<(), String> {
    within(text, 1, 10_000_000)
}

fn is_ranges(text: &str) -> Result<(), String> {
    ranges(text).map(drop)
}

fn ranges(text: &str) -> Result<Vec<Cidr>, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().map_err(|fault| format!("`{part}` is no address range: {fault}"))).collect()
}

/// What can stand in a header.
fn is_token(text: &str) -> Result<(), String> {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) { Ok(()) } else { Err("is no token".to_owned()) }
}

fn is_ports(text: &str) -> Result<(), String> {
    ports(text).map(drop)
}

fn ports(text: &str) -> Result<Vec<u16>, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let port = |part: &str| part.parse().ok().filter(|port| *port > 0);
    parts.map(|part| port(part).ok_or_else(|| format!("`{part}` is no port"))).collect()
}

fn one_of(text: &str, known: &[&str]) -> Result<(), String> {
    if known.contains(&text) { Ok(()) } else { Err(format!("`{text}` is not one of {}", known.join(", "))) }
}

fn within(text: &str, least: u64, most: u64) -> Result<(), String> {
    match text.parse::<u64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(()),
        _ => Err(format!("`{text}` is not a whole number from {least} to {most}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_passes_its_own_check() {
        for key in KEYS {
            assert_eq!((key.check)(key.default), Ok(()), "{}", key.name);
            assert!(!key.about.is_empty());
        }
        assert_eq!(KEYS.iter().find(|key| key.name == "log.level").unwrap().variable(), "GOMER_LOG__LEVEL");
    }

    #[test]
    fn bad_values_are_refused_with_a_reason() {
        for (name, bad) in [
            ("data", ""),
            ("listen", "localhost:8080"),
            ("listen", "8080"),
            ("insecure_listen", "yes"),
            ("trusted_proxies", "10.0.0.0/33"),
            ("drain_s", "-1"),
            ("shards", "65"),
            ("peer_listen", "9000"),
            ("cluster.replicas", "6"),
            ("cluster.members", "ada"),
            ("limits.connections", "0"),
            ("log.format", "xml"),
            ("log.level", "loud"),
            ("demo", "maybe"),
            ("outside.allow", "localhost"),
            ("outside.ports", "80,0"),
            ("outside.ports", "65536"),
            ("outside.ports", "https"),
        ] {
            let key = KEYS.iter().find(|key| key.name == name).unwrap();
            assert!((key.check)(bad).is_err(), "{name} = {bad}");
        }
    }

    #[test]
    fn mail_leaves_this_machine_without_tls_only_at_a_word() {
        let with = |args: &[(&str, &str)]| Settings::of(&Sources::of_flags(args));
        for here in ["127.0.0.1:25", "127.8.0.9:25", "localhost:2525", "[::1]:25", ""] {
            assert!(with(&[("smtp.relay", here)]).is_ok(), "{here}");
        }
        for there in
            ["10.0.0.1:25", "mail.example:25", "localhost.example:25", "[2001:db8::1]:25", "0.0.0.0:25"]
        {
            let end = with(&[("smtp.relay", there)]).unwrap_err();
            assert_eq!(end.code, Exit::Usage, "{there}");
            assert!(end.why.contains("--smtp-insecure-relay"), "{}", end.why);
            assert!(with(&[("smtp.relay", there), ("smtp.insecure_relay", "true")]).is_ok(), "{there}");
        }
    }

    #[test]
    fn listening_for_everybody_without_tls_takes_a_word() {
        let with = |args: &[(&str, &str)]| Settings::of(&Sources::of_flags(args));
        assert!(with(&[]).unwrap().demo);
        assert_eq!(with(&[("listen", "0.0.0.0:80")]).unwrap_err().code, Exit::Usage);
        let (cert, key) = (("tls.cert", "c.pem"), ("tls.key", "k.pem"));
        assert!(with(&[("listen", "0.0.0.0:443"), cert, key]).unwrap().tls.is_some());
        for half in [cert, key] {
            let end = with(&[half]).unwrap_err();
            assert!(end.code == Exit::Usage && end.why.contains("belong together"), "{}", end.why);
        }
        // Operators' tokens go over nothing of ours but loopback.
        let end = with(&[("admin_listen", "0.0.0.0:81"), cert, key]).unwrap_err();
        assert!(end.code == Exit::Usage && end.why.contains("for operators"), "{}", end.why);
        let open = with(&[("listen", "0.0.0.0:80"), ("insecure_listen", "true")]).unwrap();
        assert!(!open.demo, "no sample people where others can connect");
        assert!(
            with(&[("demo", "true"), ("listen", "0.0.0.0:80"), ("insecure_listen", "true")]).unwrap().demo
        );
    }
}
