//! For unit tests: a whole member in memory, and calls of methods without HTTP. Role checks, rates and headers are
//! the front's; tests of those are in `tests/`.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use gomer_core::id::Id;
use gomer_core::meta::command::MetaCommand;
use gomer_core::meta::state::App;
use gomer_core::rng::Rng;
use gomer_core::store::map::{MapLog, MapState};
use gomer_core::time::{Monotonic, Now, Time};
use gomer_core::vnode::command::OpKey;
use gomer_net::edges::{Clock, Entropy};
use gomer_net::runtime::{Edges, Member, MemberConfig, Spawner};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::host::{self, Host};
use crate::problem::{Code, Problem};
use crate::registry::{Call, Caller, Payload, RawArgs, Rev, Stop};

/// A member in memory.
pub struct World {
    /// What lives as long as it.
    pub host: Arc<Host>,
    clock: Arc<TestClock>,
    _member: Member,
}

/// What a call got.
#[derive(Debug)]
pub struct Got {
    /// The reply.
    pub json: Value,
    /// Its revision.
    pub rev: Option<Rev>,
    /// Whether it was given before.
    pub replayed: bool,
}

/// How a call is made, beside its arguments.
#[derive(Default, Clone, Copy)]
pub struct With {
    /// `Idempotency-Key`.
    pub op: Option<u8>,
    /// `If-Match`.
    pub if_match: Option<Rev>,
}

/// Starts at 2026-11-23T00:00:00Z and goes one millisecond with each look.
struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn now(&self) -> Now {
        let millis = self.0.fetch_add(1, Ordering::Relaxed);
        Now {
            mono: Monotonic(Duration::from_millis(millis)),
            wall: Time::from_millis(1_795_392_000_000 + millis),
        }
    }
}

struct TestEntropy(Mutex<Rng>);

impl Entropy for TestEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let mut rng = self.0.lock().unwrap();
        bytes.fill_with(|| rng.next_u64() as u8);
    }
}

struct Tasks;

impl Spawner for Tasks {
    fn spawn(&self, _: String, run: Pin<Box<dyn Future<Output = ()> + Send>>) {
        tokio::spawn(run);
    }
}

impl World {
    /// A new, empty member with two shards.
    pub async fn new() -> World {
        let clock = Arc::new(TestClock(AtomicU64::new(0)));
        let edges = Edges {
            clock: clock.clone(),
            entropy: Arc::new(TestEntropy(Mutex::new(Rng::new(7)))),
            spawner: Arc::new(Tasks),
            fatal: Arc::new(|fault| panic!("a store in memory failed: {fault}")),
        };
        let store = || (MapLog::new(), MapState::new());
        let member =
            Member::start(MemberConfig::new(1), edges, vec![store(), store()], store()).await.unwrap();
        let host = Host::new(member.cluster().clone(), host::Edges::cheap().0);
        World { host, clock, _member: member }
    }

    /// The same with an app.
    pub async fn with_app(name: &str) -> World {
        let world = World::new().await;
        world.create_app(name).await;
        world
    }

    /// Makes an app.
    pub async fn create_app(&self, name: &str) {
        let (name, title) = (name.to_owned(), name.to_owned());
        let id = Id::derived("test app", name.as_bytes());
        let create = MetaCommand::CreateApp { id, name, title, secret: [3; 32] };
        self.host.cluster.change_meta(create).await.unwrap();
    }

    /// An app as it is now; `-` is nowhere.
    pub fn app(&self, name: &str) -> Arc<App> {
        let meta = self.host.cluster.meta();
        if name == "-" { self.host.nowhere.clone() } else { meta.apps[name].clone() }
    }

    /// Lets time pass.
    pub fn pass(&self, span: Duration) {
        self.clock.0.fetch_add(span.as_millis() as u64, Ordering::Relaxed);
    }

    /// Calls a method as if the front had let it through.
    pub async fn call_with(
        &self,
        app: &str,
        caller: &Caller,
        name: &str,
        args: Value,
        with: With,
    ) -> Result<Got, Problem> {
        let method = self.host.registry.get(name).unwrap_or_else(|| panic!("there is no {name}"));
        let body = Bytes::from(args.to_string());
        let call = Call {
            op: with.op.map(|n| op_key(n, &args)),
            if_match: with.if_match,
            ..Call::own(&self.host, self.app(app), caller.clone(), method.name)
        };
        let rendered = match (method.handler)(call, RawArgs::Json(body)).await {
            Ok(rendered) => rendered,
            Err(Stop::Replay(rendered)) => *rendered,
            Err(Stop::Problem(problem)) => return Err(*problem),
        };
        let Payload::Json(json) = rendered.content else { panic!("{name} gave no JSON") };
        let json = serde_json::from_slice(&json).unwrap();
        Ok(Got { json, rev: rendered.rev, replayed: rendered.replayed })
    }

    /// The same, and it must be done.
    pub async fn done(&self, app: &str, caller: &Caller, name: &str, args: Value) -> Got {
        match self.call_with(app, caller, name, args, With::default()).await {
            Ok(got) => got,
            Err(problem) => panic!("{name}: {problem:?}"),
        }
    }

    /// The same, and it must be refused: with which code, and where.
    pub async fn refused(&self, app: &str, caller: &Caller, name: &str, args: Value) -> (Code, String) {
        let problem = self.call_with(app, caller, name, args, With::default()).await.expect_err(name);
        (problem.code, problem.errors.first().map(|place| place.pointer.clone()).unwrap_or_default())
    }
}

/// The identity of operation `n` with these arguments.
pub fn op_key(n: u8, args: &Value) -> OpKey {
    let fingerprint = Sha256::digest(args.to_string())[..16].try_into().unwrap();
    OpKey { id: Id::derived("op", &[n]), fingerprint }
}

/// An id such as clients choose, from a number.
pub fn uuid(n: u8) -> String {
    format!("00000000-0000-4000-8000-0000000000{n:02x}")
}

/// Somebody signed in.
pub fn user(n: u8) -> Caller {
    Caller::User { profile: uuid(n).parse().unwrap(), device: Id::NIL, roles: Vec::new() }
}
