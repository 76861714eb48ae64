//! A phone on a real network: core's state machine, driven by the kit's HTTP client.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gomer_core::client::{
    Action, Config, Edit, Event, HttpRequest, OpId, Phone, Report, Response, Saved, Secret, Write,
};
use gomer_core::id::Id;
use gomer_core::time::{Monotonic, Now, Time};
use gomer_tests::Http;
use serde_json::Value;

/// A device of one person. Its flash memory is `saved`; everything else is lost when it restarts.
pub struct Device {
    config: Config,
    phone: Phone,
    saved: Saved,
    http: Http,
    started: Instant,
    /// What the phone wants sent, in order.
    out: VecDeque<HttpRequest>,
    /// What became of operations that did not end as meant.
    pub reports: Vec<Report>,
    written: Option<OpId>,
}

impl Device {
    /// A new device, offline, with nobody signed in.
    pub fn new(base: &str, app: &str, client_key: &str, seed: u64) -> Device {
        let mut device = [0; 16];
        device[8..].copy_from_slice(&seed.to_be_bytes());
        let config = Config {
            app: app.to_owned(),
            client_key: client_key.to_owned(),
            device: Id::from_bytes(device),
            seed,
        };
        let saved = Saved::default();
        let mut device = Device {
            phone: Phone::new(config.clone(), saved.clone()),
            config,
            saved,
            http: Http::new(base),
            started: Instant::now(),
            out: VecDeque::new(),
            reports: Vec::new(),
            written: None,
        };
        device.tell(Event::WentOffline);
        device
    }

    /// Signs its person in, with the tokens of `auth.createAccount` or `auth.createSession`.
    pub fn sign_in(&mut self, profile: &str, access: &str, refresh: &str) {
        let profile = profile.parse().expect("a profile's id is a UUID");
        self.tell(Event::SignedIn { profile, access: Secret::new(access), refresh: Secret::new(refresh) });
    }

    /// The person does something. Without a connection it waits.
    pub fn write(&mut self, method: &str, args: Value, edit: Option<Edit>) -> OpId {
        let write = Write { method: method.to_owned(), args, if_rev: None, edit };
        self.written = None;
        self.tell(Event::AppWrites(write));
        self.written.take().expect("a write is answered at once")
    }

    /// The server has moved (a restart on other ports).
    pub fn moved_to(&mut self, base: &str) {
        self.http = Http::new(base);
    }

    /// The battery is empty, then full again: only what was stored is left.
    pub fn restart(&mut self) {
        self.config.seed = self.config.seed.wrapping_add(0x1_0000_0000);
        self.out.clear();
        self.phone = Phone::new(self.config.clone(), self.saved.clone());
        self.tell(Event::WentOffline);
    }

    /// Goes online, sends what waits, pulls to the end, and goes offline again.
    pub fn sync(&mut self) {
        self.tell(Event::CameOnline);
        let end = Instant::now() + PATIENCE;
        let mut at_end = false;
        while !(at_end && self.phone.queue().operations().next().is_none()) {
            assert!(Instant::now() < end, "the phone does not settle: {} wait", self.out.len());
            match self.out.pop_front() {
                Some(request) => at_end = self.send(&request),
                None => self.idle(),
            }
        }
        self.out.clear();
        self.tell(Event::WentOffline);
    }

    /// Sends one operation's worth of the queue, and loses the reply: the server may have done it.
    pub fn push_and_lose_the_reply(&mut self) {
        self.tell(Event::CameOnline);
        while let Some(request) = self.out.pop_front() {
            if request.path.ends_with("/sync.push") {
                self.post(&request).expect("the server is there");
                break;
            }
            self.tell(Event::Failed(request.id));
        }
        self.out.clear();
        self.tell(Event::WentOffline);
    }

    /// Everything that it holds, as `(root, section, type, id) → value`, for comparing two devices of one person.
    pub fn contents(&self) -> Vec<(String, Value)> {
        let named = |key: &gomer_core::client::Key| {
            format!("{} {} {:?} {} {}", key.scope.root, key.scope.section, key.kind, key.of_type, key.id)
        };
        self.phone.cache().rows().map(|(key, row)| (named(key), row.value.clone())).collect()
    }

    /// The values of all rows of that type.
    pub fn rows_of_type(&self, of_type: &str) -> Vec<Value> {
        let rows = self.phone.cache().rows();
        rows.filter(|(key, _)| key.of_type == of_type).map(|(_, row)| row.value.clone()).collect()
    }

    /// Sends a request and hands in the reply. Whether it was a pull that reached the end.
    fn send(&mut self, request: &HttpRequest) -> bool {
        let Ok(response) = self.post(request) else {
            self.tell(Event::Failed(request.id));
            return false;
        };
        let is_pull = request.path.ends_with("/sync.pull");
        let body: Value = serde_json::from_str(&response.body).unwrap_or_default();
        let at_end = is_pull && response.status == 200 && body["end"] == true;
        assert!(response.status < 500 || response.status == 503, "{request:?}: {}", response.body);
        self.tell(Event::Response(response));
        at_end
    }

    fn post(&mut self, request: &HttpRequest) -> std::io::Result<Response> {
        let mut body: Value = serde_json::from_str(&request.body).expect("a phone writes JSON");
        // A test has no time to wait for something new.
        body.as_object_mut().expect("a body is an object").remove("waitS");
        let headers: Vec<(&str, &str)> = request
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .filter(|(name, _)| !name.eq_ignore_ascii_case("content-type"))
            .collect();
        let reply = self.http.post(&request.path, &headers, &body)?;
        let seconds = reply.header("retry-after").and_then(|text| text.parse().ok());
        Ok(Response {
            request: request.id,
            status: reply.status,
            retry_after: seconds.map(Duration::from_secs),
            position: reply.header("gomer-position").map(str::to_owned),
            body: String::from_utf8(reply.body).unwrap_or_default(),
        })
    }

    /// Waits for the time that the phone has named.
    fn idle(&mut self) {
        let due = self.phone.poll_timeout().expect("a phone that is online waits for something");
        let wait = due.since(self.now().mono);
        std::thread::sleep(wait.min(Duration::from_secs(1)));
        self.tell(Event::Tick);
    }

    fn tell(&mut self, event: Event) {
        for action in self.phone.handle(self.now(), event) {
            match action {
                Action::Store(commit) => self.saved.apply(*commit),
                Action::Send(request) => self.out.push_back(request),
                Action::Cancel(id) => self.out.retain(|request| request.id != id),
                Action::Report(report) => self.reports.push(*report),
                Action::Written(result) => self.written = Some(result.expect("there is room in the queue")),
                Action::SignIn(why) => panic!("the phone asks to sign in: {why:?}"),
                Action::Changed(_) => {}
            }
        }
    }

    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
        let wall = Time::from_millis(u64::try_from(wall.as_millis()).expect("it is before the year 9999"));
        Now { mono: Monotonic(self.started.elapsed()), wall }
    }
}

/// Longest that a phone may take to settle.
const PATIENCE: Duration = Duration::from_secs(60);
