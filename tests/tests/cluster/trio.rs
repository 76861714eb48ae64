//! Three members on this machine, or four, without TLS.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use gomer_core::id::Id;
use gomer_core::rng::Rng;
use gomer_core::time::Time;
use gomer_tests::process::Start;
use gomer_tests::{Api, Dir, Gomer, Http, wait_until};
use serde_json::{Value, json};

/// The members.
pub const NAMES: [&str; 4] = ["ada", "bob", "eve", "kim"];

/// All of them.
pub struct Trio {
    dir: PathBuf,
    members: String,
    cluster: String,
    running: Vec<Option<Gomer>>,
    /// More arguments for each.
    more: &'static [&'static str],
}

impl Trio {
    /// Starts three in new directories, and waits until all are ready.
    pub fn start(dir: &Dir) -> Trio {
        Trio::start_of(dir, 3, &[])
    }

    /// Starts so many, with more arguments.
    pub fn start_of(dir: &Dir, count: usize, more: &'static [&'static str]) -> Trio {
        // Free when they were asked for; another process may be faster, but seldom is.
        let ports: Vec<TcpListener> =
            (0..count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
        let members: Vec<String> = (NAMES.iter().zip(&ports))
            .map(|(name, port)| format!("{name}={}", port.local_addr().expect("it is bound")))
            .collect();
        drop(ports);
        let members = members.join(",");
        let mut trio =
            Trio { dir: dir.path().to_owned(), members, cluster: uuid(), running: Vec::new(), more };
        trio.running.resize_with(count, || None);
        for at in 0..count {
            trio.start_again(at);
        }
        for at in 0..count {
            trio.until_ready(at);
        }
        trio
    }

    /// How a member is started on a directory.
    pub fn starter(&self, at: usize, data: &Path) -> Start {
        let args =
            ["--cluster-members", &self.members, "--cluster-name", NAMES[at], "--cluster-id", &self.cluster];
        Start::new(data).args(&args).args(self.more)
    }

    /// Starts a member on its directory.
    pub fn start_again(&mut self, at: usize) {
        self.running[at] = Some(self.starter(at, &self.data(at)).ready());
    }

    /// Waits until it takes requests.
    pub fn until_ready(&self, at: usize) {
        wait_until(&format!("{} is ready", NAMES[at]), || {
            self.at(at).client().get("/readyz", &[]).is_ok_and(|reply| reply.status == 200)
        });
    }

    /// A member that runs.
    pub fn at(&self, at: usize) -> &Gomer {
        self.running[at].as_ref().expect("that member runs")
    }

    /// The same, to be killed.
    pub fn take(&mut self, at: usize) -> Gomer {
        self.running[at].take().expect("that member runs")
    }

    /// Takes over a member that was started apart.
    pub fn put_back(&mut self, at: usize, server: Gomer) {
        self.running[at] = Some(server);
    }

    /// How it ended, if it did.
    pub fn ended(&mut self, at: usize) -> Option<ExitStatus> {
        self.running[at].as_mut().and_then(Gomer::ended)
    }

    /// Its directory.
    pub fn data(&self, at: usize) -> PathBuf {
        self.dir.join(NAMES[at])
    }

    /// What it has logged.
    pub fn log(&self, at: usize) -> String {
        std::fs::read_to_string(self.data(at).with_extension("log")).unwrap_or_default()
    }

    /// Somebody who has the demo's key, and asks that member.
    pub fn api(&self, at: usize) -> Api {
        Api::new(self.at(at).http(), "demo", &self.credential("demo.json", "clientKey"))
    }

    /// What the first member's files say.
    fn credential(&self, file: &str, name: &str) -> String {
        let text = std::fs::read_to_string(self.data(0).join(file)).expect("the first member has made it");
        let json: Value = serde_json::from_str(&text).expect("credentials are JSON");
        json[name].as_str().expect("a credential is text").to_owned()
    }

    /// Lifts the demo's rate limits.
    pub fn without_rates(&self) {
        let mut admin = self.api(1).with_token(&self.credential("demo.json", "adminToken"));
        admin.call("admin.updateSettings", &json!({"settings": {"rates": {"enabled": false}}})).expect(200);
        // Each member follows the metadata by itself.
        for at in 0..self.running.len() {
            wait_until("the settings are everywhere", || {
                let mut admin = self.api(at).with_token(&self.credential("demo.json", "adminToken"));
                admin.call("admin.getSettings", &json!({})).expect(200).json()["settings"]["rates"]["enabled"]
                    == false
            });
        }
    }

    /// What `cluster.getStatus` says there.
    pub fn status(&self, at: usize) -> Value {
        let token = format!("Bearer {}", self.credential("operator.json", "operatorToken"));
        let mut http = Http::new(self.at(at).admin());
        let reply = http.get("/v1/-/cluster.getStatus", &[("authorization", &token)]);
        reply.expect("it lives").expect(200).json()
    }
}

/// A new id.
pub fn uuid() -> String {
    let mut seed = [0; 8];
    std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom").expect("it is there"), &mut seed)
        .expect("it never ends");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    Id::mint(Time::from_millis(now.as_millis() as u64), &mut Rng::new(u64::from_le_bytes(seed))).to_string()
}
