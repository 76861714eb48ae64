//! `gomer cluster …`: the certificates of a cluster, which are files, and how a running one is. What changes its members is in
//! [`membership`].

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::{Arg, ArgAction, ArgMatches, Command};
use gomer_core::ring::member::is_member_name;
use gomer_net::peer::authority::{AUTHORITY_DAYS, Authority, Request};
use gomer_net::peer::identity::{ClusterId, MemberId};
use gomer_net::peer::tls::{Credentials, Tls};
use serde_json::{Value, json};

use super::exit::{End, Exit};
use super::membership;
use super::operator::{client, random_id, show, with_server};
use super::tables::{cell, items, items_of, part, table};

/// The authority's certificate, which every member needs.
pub const AUTHORITY: &str = "authority.pem";
/// The authority's key: whoever has it can make members.
const AUTHORITY_KEY: &str = "authority.key";
/// The cluster's id.
const CLUSTER: &str = "cluster.json";
/// How long a member's certificate is good for, unless said otherwise.
const CERTIFICATE_DAYS: &str = "730";

/// `gomer cluster`.
pub fn command() -> Command {
    let init = Command::new("init")
        .about("Make the id and the certificate authority of a new cluster, as files")
        .arg(dir_arg())
        .arg(json_arg());
    let certificate = Command::new("certificate")
        .about("Make the certificate of a member, signed by the cluster's authority")
        .arg(Arg::new("NAME").required(true).help("The member's name: 1 to 63 of a-z, 0-9 and -"))
        .arg(dir_arg())
        .arg(
            Arg::new("host")
                .long("host")
                .value_name("HOST")
                .action(ArgAction::Append)
                .help("A host name or address under which it is reached; may be said several times"),
        )
        .arg(
            Arg::new("days")
                .long("days")
                .value_name("DAYS")
                .default_value(CERTIFICATE_DAYS)
                .value_parser(clap::value_parser!(u64).range(1..=AUTHORITY_DAYS))
                .help("How long it is good for"),
        )
        .arg(Arg::new("renew").long("renew").action(ArgAction::SetTrue).help("Replace the one that is there"))
        .arg(json_arg());
    let status =
        Command::new("status").visible_alias("members").about("Show the members of a running cluster");
    let partitions = Command::new("partitions").about("Show who holds and who leads each partition");
    Command::new("cluster")
        .about("Certificates of a cluster, how a running one is, and who belongs to it")
        .subcommand_required(true)
        .subcommand(init)
        .subcommand(certificate)
        .subcommand(with_server(status))
        .subcommand(with_server(partitions))
        .subcommands(membership::commands())
}

/// Runs `gomer cluster …`.
pub fn run(matches: &ArgMatches) -> Result<(), End> {
    match matches.subcommand() {
        Some(("init", matches)) => init(matches),
        Some(("certificate", matches)) => certificate(matches),
        Some(("status", matches)) => status(matches),
        Some(("partitions", matches)) => partitions(matches),
        Some((name, matches)) => membership::run(name, matches),
        None => Ok(()),
    }
}

fn dir_arg() -> Arg {
    Arg::new("dir")
        .long("dir")
        .value_name("DIR")
        .default_value("cluster")
        .value_parser(clap::value_parser!(PathBuf))
        .help("Directory of the cluster's certificates")
}

fn json_arg() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON")
}

fn dir_of(matches: &ArgMatches) -> &Path {
    matches.get_one::<PathBuf>("dir").expect("it has a default")
}

fn init(matches: &ArgMatches) -> Result<(), End> {
    let dir = dir_of(matches);
    let id: ClusterId = random_id().parse().expect("a UUID was made");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| failed(dir, &error))?;
    if let Some(there) = [CLUSTER, AUTHORITY, AUTHORITY_KEY].iter().find(|file| dir.join(file).exists()) {
        let there = dir.join(there);
        let why = format!("{} is there already: a cluster has one authority, for ever", there.display());
        return Err(End::new(Exit::Refused, why));
    }
    let (_, issued) = Authority::make(id, SystemTime::now()).map_err(unsigned)?;
    write_new(&dir.join(AUTHORITY_KEY), issued.key.as_bytes(), 0o600)?;
    write_new(&dir.join(AUTHORITY), issued.certificate.as_bytes(), 0o644)?;
    // Last: who finds it finds all.
    let file = dir.join(CLUSTER);
    write_new(&file, format!("{}\n", json!({ "cluster": id.to_string() })).as_bytes(), 0o644)?;
    let made = json!({ "cluster": id.to_string(), "authority": shown(&dir.join(AUTHORITY)), "key": shown(&dir.join(AUTHORITY_KEY)) });
    show(matches, &made, || {
        format!(
            "cluster      {id}\nauthority    {}\nits key      {} (keep it off the members: whoever has it can make one)\n\
             Next: gomer cluster certificate NAME --dir {}, for each member.\n",
            shown(&dir.join(AUTHORITY)),
            shown(&dir.join(AUTHORITY_KEY)),
            dir.display(),
        )
    })
}

fn certificate(matches: &ArgMatches) -> Result<(), End> {
    let (dir, name) = (dir_of(matches), matches.get_one::<String>("NAME").expect("clap requires it"));
    if !is_member_name(name) || ["authority", "cluster"].contains(&name.as_str()) {
        let why = format!(
            "`{name}` is not a member's name: 1 to 63 of a-z, 0-9 and -, with - neither first nor last"
        );
        return Err(End::new(Exit::Usage, why));
    }
    let cluster = cluster_of(dir)?;
    let authority = Authority::open(cluster, &read(&dir.join(AUTHORITY_KEY))?).map_err(unsigned)?;
    let (certificate, key) = (dir.join(format!("{name}.pem")), dir.join(format!("{name}.key")));
    let there = [&certificate, &key].into_iter().find(|file| file.exists());
    if let (Some(there), false) = (there, matches.get_flag("renew")) {
        let why = format!("{} is there already; say --renew to replace it", there.display());
        return Err(End::new(Exit::Refused, why));
    }
    let (mut hosts, mut addresses) = (Vec::new(), Vec::new());
    for host in matches.get_many::<String>("host").into_iter().flatten() {
        match host.parse::<IpAddr>() {
            Ok(address) => addresses.push(address),
            Err(_) => hosts.push(host.clone()),
        }
    }
    let days = *matches.get_one::<u64>("days").expect("it has a default");
    let (member, from) = (MemberId::named(cluster, name), SystemTime::now());
    let until = from + Duration::from_secs(days * 86_400);
    let request = Request { member, name: name.clone(), hosts, addresses, from, until };
    let issued = authority.issue(&request).map_err(unsigned)?;
    // As the member will look at it: a key of another cluster's authority shows here.
    let authority = read(&dir.join(AUTHORITY))?;
    let given = Credentials {
        certificate: issued.certificate.as_bytes(),
        key: issued.key.as_bytes(),
        authority: authority.as_bytes(),
    };
    Tls::new(cluster, member, given).map_err(|fault| End::new(Exit::Failed, fault.to_string()))?;
    for file in [&key, &certificate] {
        match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(file, &error)),
            _ => {}
        }
    }
    write_new(&key, issued.key.as_bytes(), 0o600)?;
    write_new(&certificate, issued.certificate.as_bytes(), 0o644)?;
    let made = json!({
        "cluster": cluster.to_string(),
        "name": name,
        "member": member.to_string(),
        "certificate": shown(&certificate),
        "key": shown(&key),
        "days": days,
    });
    show(matches, &made, || {
        format!(
            "member       {name} ({member})\ncertificate  {}\nkey          {}\ngood for     {days} days\n",
            shown(&certificate),
            shown(&key),
        )
    })
}

fn cluster_of(dir: &Path) -> Result<ClusterId, End> {
    let file = dir.join(CLUSTER);
    let text = read(&file)?;
    let json: Value = serde_json::from_str(&text).unwrap_or_default();
    let id = json["cluster"].as_str().and_then(|id| id.parse().ok());
    id.ok_or_else(|| End::new(Exit::Usage, format!("{} is damaged", file.display())))
}

fn read(file: &Path) -> Result<String, End> {
    fs::read_to_string(file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            let why =
                format!("{} is not there: begin with `gomer cluster init`, or say --dir DIR", file.display());
            End::new(Exit::Usage, why)
        }
        _ => failed(file, &error),
    })
}

/// Writes a new file and never an old one.
fn write_new(file: &Path, bytes: &[u8], mode: u32) -> Result<(), End> {
    let write = || {
        let mut new = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(file)?;
        io::Write::write_all(&mut new, bytes)?;
        new.sync_all()
    };
    write().map_err(|error| failed(file, &error))
}

fn failed(file: &Path, error: &io::Error) -> End {
    End::new(Exit::Failed, format!("{}: {error}", file.display()))
}

fn unsigned(fault: impl std::fmt::Display) -> End {
    End::new(Exit::Failed, format!("the certificate could not be made: {fault}"))
}

fn shown(file: &Path) -> String {
    file.display().to_string()
}

fn status(matches: &ArgMatches) -> Result<(), End> {
    let answer = client(matches)?.call("cluster.getStatus", &json!({}))?;
    let json = part(&answer, "members");
    show(matches, &json, || {
        let mut lines = vec![
            ["NAME", "ZONE", "STATE", "REACHABLE", "PARTITIONS", "LEADERS", "LAG", "QUEUED"]
                .map(str::to_owned),
        ];
        for member in items(&answer["members"]) {
            let queued = items_of(&member["queues"]).filter_map(Value::as_u64).sum::<u64>();
            lines.push([
                cell(&member["name"]),
                cell(&member["zone"]),
                cell(&member["state"]),
                cell(&member["reachable"]),
                cell(&member["partitions"]),
                cell(&member["leaders"]),
                cell(&member["lag"]),
                queued.to_string(),
            ]);
        }
        table(&lines)
    })
}

fn partitions(matches: &ArgMatches) -> Result<(), End> {
    let answer = client(matches)?.call("cluster.getStatus", &json!({}))?;
    let json = part(&answer, "partitions");
    let name = |id: &Value| {
        let member = items(&answer["members"]).find(|member| member["id"] == *id);
        member.map_or_else(|| "-".to_owned(), |member| cell(&member["name"]))
    };
    show(matches, &json, || {
        let mut lines = vec![["PARTITION", "LEADER", "REPLICAS", "POSITION"].map(str::to_owned)];
        for partition in items(&answer["partitions"]) {
            let replicas: Vec<String> = items(&partition["replicas"]).map(name).collect();
            lines.push([
                cell(&partition["id"]),
                name(&partition["leader"]),
                replicas.join(" "),
                cell(&partition["position"]),
            ]);
        }
        table(&lines)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn gomer(line: &[&str]) -> Result<(), End> {
        let matches = command().try_get_matches_from([&["cluster"], line].concat()).unwrap();
        run(&matches)
    }

    fn mode(file: &Path) -> u32 {
        fs::metadata(file).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn certificates_are_made_once_and_renewed_when_told() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("certs");
        let at = dir.to_str().unwrap();
        assert_eq!(gomer(&["certificate", "ada", "--dir", at]).unwrap_err().code, Exit::Usage);
        gomer(&["init", "--dir", at]).unwrap();
        assert_eq!(gomer(&["init", "--dir", at]).unwrap_err().code, Exit::Refused);
        gomer(&["certificate", "ada", "--dir", at, "--host", "127.0.0.1", "--host", "ada.example"]).unwrap();
        assert_eq!(gomer(&["certificate", "ada", "--dir", at]).unwrap_err().code, Exit::Refused);
        let read = || fs::read(dir.join("ada.pem")).unwrap();
        let before = read();
        gomer(&["certificate", "ada", "--dir", at, "--renew", "--days", "10"]).unwrap();
        assert_ne!(read(), before);
        let modes = [AUTHORITY_KEY, AUTHORITY, "ada.key", "ada.pem"].map(|file| mode(&dir.join(file)));
        assert_eq!(modes, [0o600, 0o644, 0o600, 0o644]);
        assert_eq!(mode(&dir), 0o700);
    }

    #[test]
    fn what_is_no_name_makes_no_file() {
        let place = tempfile::tempdir().unwrap();
        let at = place.path().to_str().unwrap();
        gomer(&["init", "--dir", at]).unwrap();
        for name in ["../ada", "Ada", "", "authority", "cluster"] {
            assert_eq!(gomer(&["certificate", name, "--dir", at]).unwrap_err().code, Exit::Usage, "{name}");
        }
        fs::write(place.path().join(CLUSTER), "{}").unwrap();
        assert_eq!(gomer(&["certificate", "ada", "--dir", at]).unwrap_err().code, Exit::Usage);
    }
}
