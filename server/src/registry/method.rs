//! The declaration of a method: one value, from which everything else about it follows.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::args::RawArgs;
use super::call::Call;
use super::reply::{Rendered, Reply, Stop};
use super::stats::Stats;
use crate::problem::Code;

/// Whether a method changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Never changes anything: GET, or POST with a body.
    Query,
    /// POST with a body.
    Procedure,
}

/// The least role that may call a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Whoever has the app's client key.
    Anonymous,
    /// Anyone signed in.
    User,
    /// Anyone signed in; the handler checks that the target is theirs.
    Owner,
    /// A moderator of the app, or more.
    Moderator,
    /// The app's administrators and its own server.
    AppAdmin,
    /// Who operates the cluster. Has no rights inside an app.
    Operator,
}

/// Which bucket a call is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rate {
    /// Reads, per caller.
    Read,
    /// Writes, per caller.
    Write,
    /// Attempts to sign in: per account (the handler says which) and per address.
    Login,
    /// Mails that are caused, per address.
    Mail,
    /// New accounts, per address.
    SignUp,
    /// Follows, per caller, on top of [`Rate::Write`].
    Follow,
    /// Not limited: health and the like.
    Free,
}

/// Why a repeat does no harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idempotency {
    /// A query.
    Safe,
    /// The caller picks the id of what is made.
    ClientId,
    /// The call says a final state.
    Natural,
    /// The same, and `If-Match` may guard it.
    NaturalRev,
}

/// Where a method is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// `/v1/{app}/…` only.
    App,
    /// `/v1/{app}/…`, and without a key `/v1/-/…`: `system.*`.
    Everywhere,
    /// `/v1/-/…` on the admin listener only: `cluster.*`.
    Cluster,
}

impl Role {
    /// Its name in `x-gomer-role`.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Anonymous => "anonymous",
            Role::User => "user",
            Role::Owner => "owner",
            Role::Moderator => "moderator",
            Role::AppAdmin => "app-admin",
            Role::Operator => "operator",
        }
    }
}

impl Kind {
    /// Its name in `x-gomer-kind`.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Query => "query",
            Kind::Procedure => "procedure",
        }
    }
}

impl Idempotency {
    /// Its name in `x-gomer-idempotency`.
    pub const fn name(self) -> &'static str {
        match self {
            Idempotency::Safe => "safe",
            Idempotency::ClientId => "client-id",
            Idempotency::Natural => "natural",
            Idempotency::NaturalRev => "natural-rev",
        }
    }
}

/// A handler's future.
pub type Answering = Pin<Box<dyn Future<Output = Result<Rendered, Stop>> + Send>>;

/// A method. Made by [`Method::query`] and [`Method::procedure`].
pub struct Method {
    /// `service.verbNoun`.
    pub name: &'static str,
    /// Whether it changes anything.
    pub kind: Kind,
    /// Who may call it.
    pub role: Role,
    /// Which bucket it is taken from.
    pub rate: Rate,
    /// Why a repeat does no harm.
    pub idempotency: Idempotency,
    /// Events that it causes.
    pub emits: &'static [&'static str],
    /// Errors of its own, beside those that any call may get.
    pub errors: &'static [Code],
    /// What it does, in one sentence.
    pub about: &'static str,
    /// Where it is found.
    pub scope: Scope,
    /// Largest body, in bytes.
    pub body_max: u64,
    /// Whether an `Idempotency-Key` must be there.
    pub key_required: bool,
    /// Whether a single-use token in the address may stand for key and session: for clients that cannot set
    /// headers.
    pub token_in_address: bool,
    /// Whether its body is bytes as they are, and its arguments stand in the address: a part of a file.
    pub takes_bytes: bool,
    /// The type of its reply.
    pub produces: &'static str,
    /// What it counts.
    pub stats: Stats,
    /// Parses the arguments and runs the handler.
    pub handler: Box<dyn Fn(Call, RawArgs) -> Answering + Send + Sync>,
    /// The schema of its arguments.
    pub args_schema: fn(&mut SchemaGenerator) -> Schema,
    /// The schema of its reply.
    pub reply_schema: fn(&mut SchemaGenerator) -> Schema,
}

impl Method {
    /// A method that never changes anything.
    pub fn query<A, R, F>(name: &'static str, handler: fn(Call, A) -> F) -> Method
    where
        A: DeserializeOwned + JsonSchema + Send + 'static,
        R: Serialize + JsonSchema + 'static,
        F: Future<Output = Result<Reply<R>, Stop>> + Send + 'static,
    {
        Method::new(name, Kind::Query, Rate::Read, Idempotency::Safe, handler)
    }

    /// A method that changes something.
    pub fn procedure<A, R, F>(name: &'static str, handler: fn(Call, A) -> F) -> Method
    where
        A: DeserializeOwned + JsonSchema + Send + 'static,
        R: Serialize + JsonSchema + 'static,
        F: Future<Output = Result<Reply<R>, Stop>> + Send + 'static,
    {
        Method::new(name, Kind::Procedure, Rate::Write, Idempotency::Natural, handler)
    }

    fn new<A, R, F>(
        name: &'static str,
        kind: Kind,
        rate: Rate,
        idempotency: Idempotency,
        handler: fn(Call, A) -> F,
    ) -> Method
    where
        A: DeserializeOwned + JsonSchema + Send + 'static,
        R: Serialize + JsonSchema + 'static,
        F: Future<Output = Result<Reply<R>, Stop>> + Send + 'static,
    {
        Method {
            name,
            kind,
            role: Role::Operator,
            rate,
            idempotency,
            emits: &[],
            errors: &[],
            about: "",
            scope: Scope::App,
            body_max: BODY_BYTES_MAX,
            key_required: false,
            token_in_address: false,
            takes_bytes: false,
            produces: "application/json",
            stats: Stats::default(),
            handler: Box::new(move |call, args| match args.parse::<A>() {
                Ok(args) => {
                    let answering = handler(call, args);
                    Box::pin(async move { answering.await?.render() })
                }
                Err(problem) => Box::pin(std::future::ready(Err(Stop::from(problem)))),
            }),
            args_schema: |generator| generator.subschema_for::<A>(),
            reply_schema: |generator| generator.subschema_for::<R>(),
        }
    }

    /// Who may call it. Every declaration says it; one that forgets is the operator's only.
    #[must_use]
    pub fn role(mut self, role: Role) -> Method {
        self.role = role;
        self
    }

    /// Which bucket it is taken from; by default reads for queries, writes for procedures.
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Method {
        self.rate = rate;
        self
    }

    /// Why a repeat does no harm; by default safe for queries, natural for procedures.
    #[must_use]
    pub fn idempotency(mut self, idempotency: Idempotency) -> Method {
        self.idempotency = idempotency;
        self
    }

    /// Events that it causes.
    #[must_use]
    pub fn emits(mut self, events: &'static [&'static str]) -> Method {
        self.emits = events;
        self
    }

    /// Errors of its own.
    #[must_use]
    pub fn errors(mut self, codes: &'static [Code]) -> Method {
        self.errors = codes;
        self
    }

    /// What it does, in one sentence.
    #[must_use]
    pub fn about(mut self, about: &'static str) -> Method {
        self.about = about;
        self
    }

    /// Where it is found; by default in apps only.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Method {
        self.scope = scope;
        self
    }

    /// Largest body, in bytes.
    #[must_use]
    pub fn body_max(mut self, bytes: u64) -> Method {
        self.body_max = bytes;
        self
    }

    /// Refuse calls without an `Idempotency-Key`.
    #[must_use]
    pub fn key_required(mut self) -> Method {
        self.key_required = true;
        self
    }

    /// Its reply is of another type than JSON.
    #[must_use]
    pub fn produces(mut self, content_type: &'static str) -> Method {
        self.produces = content_type;
        self
    }

    /// Take a single-use token in the address for key and session.
    #[must_use]
    pub fn token_in_address(mut self) -> Method {
        self.token_in_address = true;
        self
    }

    /// Its body is bytes as they are, at most so many; its arguments stand in the address.
    #[must_use]
    pub fn takes_bytes(mut self, bytes_max: u64) -> Method {
        self.takes_bytes = true;
        self.body_max = bytes_max;
        self
    }

    /// The part before the dot.
    pub fn service(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(service, _)| service)
    }

    /// Whether a call may write: every procedure, and a query that uses up a token in the address.
    pub fn writes(&self) -> bool {
        self.kind == Kind::Procedure || self.token_in_address
    }

    /// Whether `If-Match` guards what it changes.
    pub fn takes_revision(&self) -> bool {
        self.errors.contains(&Code::StaleRevision)
    }

    /// Every code that a call of it may get, from its declaration. What the front refuses by itself comes on top.
    pub fn codes(&self) -> BTreeSet<Code> {
        // Of any call: its verb and headers, app, key, token and role, arguments, and the state of the server.
        // Also of those that need no key: they may show a wrong one, or stand in an app.
        let mut codes = BTreeSet::from([
            Code::BadRequest,
            Code::UnknownField,
            Code::Unauthenticated,
            Code::Forbidden,
            Code::NotFound,
            Code::TooLarge,
            Code::UnsupportedMediaType,
            Code::Invalid,
            Code::Internal,
            Code::Corrupt,
            Code::Busy,
            Code::Unavailable,
        ]);
        if self.rate != Rate::Free {
            codes.insert(Code::RateLimited);
        }
        if self.writes() {
            codes.extend([Code::Timeout, Code::DiskFull]);
        }
        if self.kind == Kind::Procedure {
            codes.insert(Code::KeyReused);
        }
        if self.idempotency == Idempotency::NaturalRev {
            codes.insert(Code::StaleRevision);
        }
        codes.extend(self.errors);
        codes
    }

    /// What is wrong with the declaration, if anything.
    pub(crate) fn check(&self) -> Result<(), String> {
        let fault = |what: &str| Err(format!("{}: {what}", self.name));
        let well_formed = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_lowercase())
                && part.chars().all(|c| c.is_ascii_alphanumeric())
        };
        match self.name.split_once('.') {
            Some((service, verb)) if well_formed(service) && well_formed(verb) => {}
            _ => return fault("a name is service.verbNoun in lower camel case"),
        }
        if self.about.is_empty() || !self.about.ends_with('.') {
            return fault("`about` is a sentence");
        }
        if self.kind == Kind::Query && (!self.emits.is_empty() || self.idempotency != Idempotency::Safe) {
            return fault("a query is safe and emits nothing");
        }
        if self.kind == Kind::Procedure && self.idempotency == Idempotency::Safe {
            return fault("a procedure says why a repeat does no harm");
        }
        if (self.role == Role::Operator) != (self.scope == Scope::Cluster) {
            return fault("what is the operator's stands on the admin listener, and nothing else does");
        }
        if self.emits.iter().any(|event| !event.contains('.')) {
            return fault("an event is noun.participle");
        }
        Ok(())
    }
}

/// Largest body of an ordinary call.
pub const BODY_BYTES_MAX: u64 = 256 * 1024;
/// Largest body of a batch.
pub const BATCH_BYTES_MAX: u64 = 1024 * 1024;
