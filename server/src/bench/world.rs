//! A server with an app to measure in: its keys, its people, and what it has counted.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gomer_core::id::Id;
use gomer_core::rng::Rng;
use serde_json::{Value, json};

use super::child::{self, Server};
use super::load::{Pace, Script, drive};
use super::wire::{self, Reply, Requests};
use crate::program::admin_client::AdminClient;
use crate::program::exit::{End, Exit};

/// The app of all scenarios.
pub const APP: &str = "bench";

/// A running server and its app.
pub struct World {
    /// The server.
    pub server: Server,
    /// Its address for apps.
    pub address: SocketAddr,
    /// The app's key for clients.
    pub client_key: String,
    server_key: String,
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct Person {
    /// The profile.
    pub id: Id,
    /// The token of the session.
    pub token: String,
}

impl World {
    /// Starts a server in this directory, with an app whose settings switch rate limits off.
    pub fn start(dir: &Path) -> Result<World, End> {
        let server = Server::serve(dir)?;
        let path = dir.join("data").join("operator.json");
        let operator: Value = std::fs::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or_else(|| End::new(Exit::Failed, format!("{} cannot be read", path.display())))?;
        let token = operator["operatorToken"].as_str().unwrap_or_default();
        let admin = AdminClient::new(server.admin(), token)?;
        admin.call("cluster.createApp", &json!({ "id": nth_id("app", 0).to_string(), "name": APP }))?;
        let key = |kind: &str| -> Result<String, End> {
            let key = json!({ "id": nth_id(kind, 0).to_string(), "kind": kind, "name": kind });
            let made = admin.call("cluster.createKey", &json!({ "app": APP, "key": key }))?;
            Ok(made["secret"].as_str().unwrap_or_default().to_owned())
        };
        let (client_key, server_key, admin_key) = (key("client")?, key("server")?, key("admin")?);
        let address = server.address()?;
        let world = World { server, address, client_key, server_key };
        let off = json!({ "settings": { "rates": { "enabled": false } } });
        world.call("admin.updateSettings", Some(&admin_key), &off)?;
        Ok(world)
    }

    /// Goes on with another process on the same data.
    pub fn restarted(&mut self, server: Server) -> Result<(), End> {
        self.address = server.address()?;
        self.server = server;
        Ok(())
    }

    /// Requests of the app's own server.
    pub fn as_server(&self) -> Requests {
        Requests::new(&self.client_key, Some(&self.server_key))
    }

    /// Requests of a person.
    pub fn as_person(&self, person: &Person) -> Requests {
        Requests::new(&self.client_key, Some(&person.token))
    }

    /// One call by the app's server.
    pub fn call_as_server(&self, method: &str, args: &Value) -> Result<Value, End> {
        self.call(method, Some(&self.server_key), args)
    }

    /// One call, which must be answered with 200.
    pub fn call(&self, method: &str, token: Option<&str>, args: &Value) -> Result<Value, End> {
        let mut request = Vec::new();
        let body = args.to_string();
        let mut requests = Requests::new(&self.client_key, token);
        requests.post(&mut request, APP, method, |out| out.extend_from_slice(body.as_bytes()));
        let (status, body) = exchange(self.address, &request)
            .map_err(|error| End::new(Exit::Unreachable, format!("{method}: {error}")))?;
        if status != 200 {
            let shown = String::from_utf8_lossy(&body).into_owned();
            return Err(End::new(Exit::Failed, format!("{method} was answered with {status}: {shown}")));
        }
        Ok(serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// So many guests, each with a session.
    pub fn people(&self, count: usize) -> Result<Vec<Person>, End> {
        let tokens = Arc::new(Mutex::new(vec![String::new(); count]));
        let requests = Requests::new(&self.client_key, None);
        let into = tokens.clone();
        self.bulk(
            count,
            |_| requests.clone(),
            |number, requests, out| {
                let id = nth_id("person", number);
                requests.post(out, APP, "auth.createGuest", |body| {
                    body.extend_from_slice(format!("{{\"id\":\"{id}\"}}").as_bytes());
                });
            },
            move |number, body| {
                let json: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
                let Some(token) = json["accessToken"].as_str() else { return false };
                token.clone_into(&mut into.lock().expect(UNPOISONED)[number]);
                true
            },
        )?;
        let tokens = std::mem::take(&mut *tokens.lock().expect(UNPOISONED));
        let people = tokens.into_iter().enumerate();
        Ok(people.map(|(number, token)| Person { id: nth_id("person", number), token }).collect())
    }

    /// Makes `count` requests, which all must be answered with 200 and pass `good`. Each connection has its own caller.
    pub fn bulk<R, G>(
        &self,
        count: usize,
        caller: impl Fn(usize) -> Requests,
        render: R,
        good: G,
    ) -> Result<(), End>
    where
        R: Fn(usize, &mut Requests, &mut Vec<u8>) + Send + Clone,
        G: Fn(usize, &[u8]) -> bool + Send + Clone,
    {
        let next = Arc::new(AtomicUsize::new(0));
        let connections = BULK_CONNECTIONS.min(count);
        let script = |number| Bulk {
            requests: caller(number),
            render: render.clone(),
            good: good.clone(),
            next: next.clone(),
            now: 0,
            count,
        };
        let scripts = (0..connections).map(script).collect();
        let (tally, _) = drive(self.address, scripts, Pace::Closed, Duration::MAX)?;
        match tally.first_error {
            None => Ok(()),
            Some(why) => {
                Err(End::new(Exit::Failed, format!("what is to be measured cannot be set up: {why}")))
            }
        }
    }

    /// What the server has counted so far.
    pub fn counters(&self) -> Result<Counters, End> {
        let request = b"GET /metrics HTTP/1.1\r\nHost: gomer\r\n\r\n";
        let page = exchange(child::address(self.server.admin())?, request);
        let (_, page) = page.map_err(|error| End::new(Exit::Unreachable, format!("/metrics: {error}")))?;
        Ok(Counters::of(&String::from_utf8_lossy(&page)))
    }

    /// Waits until nothing that was written still causes something elsewhere, and gives the counters then.
    pub fn quiet(&self) -> Result<Counters, End> {
        let until = Instant::now() + QUIET_MAX;
        let mut before = self.counters()?;
        loop {
            // The page is renewed every 100 ms.
            std::thread::sleep(Duration::from_millis(150));
            let now = self.counters()?;
            if now.steps + now.fanouts == 0 && now.rows == before.rows {
                return Ok(now);
            }
            if Instant::now() > until {
                return Err(End::new(Exit::Failed, "what was written goes on causing writes for a minute"));
            }
            before = now;
        }
    }
}

/// What a server has counted since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Rows written.
    pub rows: u64,
    /// Entries written to the log.
    pub entries: u64,
    /// Syncs of the log.
    pub syncs: u64,
    /// Fan-outs under way.
    pub fanouts: u64,
    /// Steps that wait to be carried out.
    pub steps: u64,
    /// Things that the search index keeps.
    pub documents: u64,
}

impl Counters {
    fn of(page: &str) -> Counters {
        let mut counters = Counters::default();
        for line in page.lines() {
            let name = line.split(['{', ' ']).next().unwrap_or_default();
            let value = line.rsplit(' ').next().and_then(|value| value.parse().ok()).unwrap_or(0);
            match name {
                "gomer_rows_written_total" => counters.rows += value,
                "gomer_log_entries_total" => counters.entries += value,
                "gomer_log_syncs_total" => counters.syncs += value,
                "gomer_steps_waiting" => counters.steps += value,
                "gomer_fanouts_running" => counters.fanouts += value,
                "gomer_search_documents" => counters.documents += value,
                _ => {}
            }
        }
        counters
    }

    /// What was counted since then.
    pub fn since(&self, before: &Counters) -> Counters {
        Counters {
            rows: self.rows.saturating_sub(before.rows),
            entries: self.entries.saturating_sub(before.entries),
            syncs: self.syncs.saturating_sub(before.syncs),
            fanouts: self.fanouts,
            steps: self.steps,
            documents: self.documents,
        }
    }
}

/// The nth id of a kind: always the same, like random ones in every other way, also in how they spread.
pub fn nth_id(kind: &str, number: usize) -> Id {
    let seed = kind.bytes().fold(0u64, |seed, byte| (seed ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let mut bytes = Rng::new(seed ^ (number as u64) << 20).bytes16();
    // RFC 9562: version 4.
    bytes[6] = 0x40 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    Id::from_bytes(bytes)
}

/// One request on a connection of its own.
pub fn exchange(address: SocketAddr, request: &[u8]) -> std::io::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(request)?;
    let (mut input, mut filled) = (vec![0; 64 * 1024], 0);
    loop {
        if filled == input.len() {
            input.resize(2 * filled, 0);
        }
        match stream.read(&mut input[filled..])? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => filled += count,
        }
        match wire::parse(&input[..filled]) {
            Reply::Partial => {}
            Reply::Whole { status, body } => return Ok((status, input[body].to_vec())),
            Reply::Bad => return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "no HTTP reply")),
        }
    }
}

/// One connection's part of many requests.
struct Bulk<R, G> {
    requests: Requests,
    render: R,
    good: G,
    next: Arc<AtomicUsize>,
    now: usize,
    count: usize,
}

impl<R, G> Script for Bulk<R, G>
where
    R: Fn(usize, &mut Requests, &mut Vec<u8>) + Send,
    G: Fn(usize, &[u8]) -> bool + Send,
{
    fn next(&mut self, out: &mut Vec<u8>) -> bool {
        self.now = self.next.fetch_add(1, Ordering::Relaxed);
        if self.now < self.count {
            (self.render)(self.now, &mut self.requests, out);
        }
        self.now < self.count
    }

    fn check(&mut self, status: u16, body: &[u8]) -> bool {
        status == 200 && (self.good)(self.now, body)
    }
}

const BULK_CONNECTIONS: usize = 64;
const QUIET_MAX: Duration = Duration::from_secs(60);
const UNPOISONED: &str = "nothing panics under this lock";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_summed_over_shards() {
        let page = "# TYPE gomer_rows_written counter\n\
                    gomer_rows_written_total{shard=\"0\"} 40\ngomer_rows_written_total{shard=\"meta\"} 2\n\
                    gomer_log_entries_total{shard=\"0\"} 7\ngomer_log_syncs_total{shard=\"0\"} 3\n\
                    gomer_steps_waiting 5\ngomer_fanouts_running 1\ngomer_search_documents 8\ngomer_watching 9\n";
        let counters = Counters::of(page);
        assert_eq!(counters, Counters { rows: 42, entries: 7, syncs: 3, fanouts: 1, steps: 5, documents: 8 });
        let before = Counters { rows: 40, entries: 7, ..Counters::default() };
        assert_eq!(
            counters.since(&before),
            Counters { rows: 2, entries: 0, syncs: 3, fanouts: 1, steps: 5, documents: 8 }
        );
        assert_eq!(Counters::of("<html>"), Counters::default());
    }

    #[test]
    fn ids_are_valid_repeatable_and_all_different() {
        let ids: std::collections::BTreeSet<String> = (0..10_000)
            .flat_map(|number| ["person", "post"].map(|kind| nth_id(kind, number).to_string()))
            .collect();
        assert_eq!(ids.len(), 20_000);
        assert!(ids.iter().all(|id| id.parse::<Id>().is_ok()));
        assert_eq!(nth_id("person", 7), nth_id("person", 7));
    }
}
