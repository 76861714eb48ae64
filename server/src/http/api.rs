//! One request: from its bytes to a call, and back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use gomer_core::id::Position;
use gomer_core::time::Now;
use gomer_net::http::json::{self, JsonFaultKind, JsonLimits};
use gomer_net::http::{Body, BodyReader, Refusal, Request, Response, Service};
use hyper::Method as Verb;
use hyper::header::{ALLOW, HeaderValue};

use super::media::{self, Pieces};
use super::now_and_then::NowAndThen;
use super::target::{NO_APP, Target};
use super::{conditions, cors, identity, probes, refusals, render};
use crate::host::Host;
use crate::limits::Decision;
use crate::problem::{Code, Problem};
use crate::registry::method::BODY_BYTES_MAX;
use crate::registry::{Call, Kind, Method, RawArgs, Scope, Stop, Trace};
use crate::usage::Used;

/// Which listener a request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Where apps call.
    Public,
    /// Where operators do, in addition.
    Admin,
}

/// The API on one listener.
pub struct Api {
    host: Arc<Host>,
    side: Side,
    json: JsonLimits,
    refused: NowAndThen,
}

impl Api {
    /// The API of this process, for this listener.
    pub fn new(host: Arc<Host>, side: Side) -> Api {
        Api { host, side, json: JsonLimits::default(), refused: NowAndThen::new(REFUSED_EVERY) }
    }

    /// A method, if it is found in this app on this listener.
    fn find(&self, app: &str, name: &str) -> Option<&Method> {
        let method = self.host.registry.get(name)?;
        let here = match method.scope {
            Scope::App => app != NO_APP,
            Scope::Everywhere => true,
            Scope::Cluster => app == NO_APP && self.side == Side::Admin,
        };
        here.then_some(method)
    }

    async fn method(&self, app: &str, name: &str, request: Request, now: Now, trace: Trace) -> Response {
        if cors::is_preflight(&request) {
            let meta = self.host.cluster.meta();
            let leave = meta.apps.get(app).and_then(|app| cors::origin(&self.host, app, &request));
            return match leave {
                Some(origin) => cors::preflight(origin),
                None => render::problem(&verb_refused("GET, POST"), trace),
            };
        }
        let Some(method) = self.find(app, name) else {
            return render::problem(&Problem::new(Code::NotFound), trace);
        };
        let mut asked = Asked { decision: Decision::Unlimited, origin: None, app: None };
        let mut response = match self.answer(app, method, &request, now, trace, &mut asked).await {
            Ok(response) => response,
            Err(Stop::Replay(rendered)) => render::reply(*rendered, trace, Position::ZERO, false),
            Err(Stop::Problem(problem)) => {
                let mut response = render::problem(&problem, trace);
                if problem.code == Code::BadRequest && !allows(method, &request.method) {
                    response.headers.insert(ALLOW, HeaderValue::from_static(allowed(method)));
                }
                self.tell(&problem, now, trace, app, name);
                response
            }
        };
        render::limits(&mut response.headers, asked.decision);
        if let Some(origin) = asked.origin {
            cors::allow(&mut response.headers, origin);
        }
        let took = self.host.cluster.now().mono.since(now.mono);
        method.stats.count(response.status.as_u16(), took);
        if let Some(app) = asked.app {
            let (bytes_in, bytes_out) = (request.body.len() as u64, bytes_of(&response.body));
            self.host.usage.add(app, Used { calls: 1, bytes_in, bytes_out });
        }
        tracing::info!(
            target: "gomer::request",
            %trace, app, method = name, status = response.status.as_u16(), us = took.as_micros() as u64,
        );
        response
    }

    /// Tells the operator of what is the server's fault. Being full is no fault: whoever floods it must not fill
    /// its log as well, so that is said now and then, with how often it was since.
    fn tell(&self, problem: &Problem, now: Now, trace: Trace, app: &str, method: &str) {
        match problem.code {
            Code::Busy | Code::Unavailable | Code::Timeout | Code::DiskFull => {
                if let Some(times) = self.refused.note(now.mono) {
                    tracing::warn!(%trace, app, method, code = %problem.code, times, "calls are refused");
                }
            }
            _ if problem.status >= 500 => {
                tracing::error!(%trace, app, method, code = %problem.code, detail = problem.detail, "call failed");
            }
            _ => {}
        }
    }

    async fn answer(
        &self,
        app: &str,
        method: &Method,
        request: &Request,
        now: Now,
        trace: Trace,
        asked: &mut Asked,
    ) -> Result<Response, Stop> {
        if !allows(method, &request.method) {
            return Err(verb_refused(allowed(method)).into());
        }
        let host = &self.host;
        let meta = host.cluster.meta();
        let (app, caller) = if app == NO_APP {
            (host.nowhere.clone(), identity::caller_nowhere(&meta, &request.headers)?)
        } else {
            // Before the key is looked at, so that a page can read why it was refused.
            if let Some(app) = meta.apps.get(app) {
                asked.origin = cors::origin(host, app, request);
            }
            let (app, caller) = match token_in_address(method, request) {
                Some(token) => identity::of_token(host, &meta, app, token).await?,
                None => {
                    let app = identity::app(&meta, app, &request.headers)?;
                    let caller = identity::caller(host, &meta, &app, &request.headers).await?;
                    (app, caller)
                }
            };
            asked.app = Some(app.id);
            host.barred.admit(&host.cluster, &app, &caller, request.client, now).await?;
            (app, caller)
        };
        let mut call = Call {
            cluster: host.cluster.clone(),
            host: host.clone(),
            app,
            caller,
            now,
            method: method.name,
            op: None,
            if_match: None,
            known: None,
            edited: None,
            last_event_id: conditions::one(&request.headers, &conditions::LAST_EVENT_ID)?.map(str::to_owned),
            bytes: if method.takes_bytes { request.body.clone() } else { Bytes::new() },
            client: request.client,
            websocket: request.websocket,
            trace,
            seen: Arc::default(),
        };
        asked.decision = call.take_for(method);
        if let Decision::Refused { retry_after_s, .. } = asked.decision {
            return Err(Problem::new(Code::RateLimited).retry_after(retry_after_s).into());
        }
        call.authorize(method).await?;
        let args = if method.takes_bytes {
            RawArgs::Parameters(request.query.clone().unwrap_or_default())
        } else {
            self.args(request)?
        };
        if method.kind == Kind::Procedure {
            call.op = conditions::operation(request, method.name)?;
            if method.key_required && call.op.is_none() {
                return Err(Problem::new(Code::BadRequest)
                    .detail("This call takes an `Idempotency-Key`.")
                    .into());
            }
        }
        call.if_match = conditions::if_match(&request.headers)?;
        // Who asks for a guard must not be answered as if there had been one.
        if call.if_match.is_some() && method.kind == Kind::Procedure && !method.takes_revision() {
            return Err(Problem::new(Code::BadRequest)
                .detail("What this method changes has no revision to compare with `If-Match`: leave the header out.")
                .into());
        }
        let seen = call.seen.clone();
        let result = method.run(call, args).await;
        let rendered = match result {
            Err(Stop::Replay(rendered)) => *rendered,
            other => other?,
        };
        let has_already = method.kind == Kind::Query
            && rendered.rev.is_some_and(|rev| conditions::has_already(&request.headers, rev));
        Ok(render::reply(rendered, trace, Position(seen.load(Ordering::Relaxed)), has_already))
    }

    /// The arguments: the address of a GET, the body of a POST.
    fn args(&self, request: &Request) -> Result<RawArgs, Problem> {
        if request.method != Verb::POST {
            if !request.body.is_empty() {
                return Err(Problem::new(Code::BadRequest).detail("A GET has no body: send it by POST."));
            }
            return Ok(request
                .query
                .as_ref()
                .map_or(RawArgs::NONE, |query| RawArgs::Parameters(query.clone())));
        }
        if request.query.as_ref().is_some_and(|query| !query.is_empty()) {
            return Err(Problem::new(Code::BadRequest).detail("A POST has its arguments in the body."));
        }
        conditions::check_content_type(request)?;
        if request.body.is_empty() {
            return Ok(RawArgs::NONE);
        }
        match json::check(&request.body, &self.json) {
            Ok(_) => Ok(RawArgs::Json(request.body.clone())),
            Err(fault) => {
                let code = match fault.kind {
                    JsonFaultKind::TooDeep | JsonFaultKind::TooManyNodes | JsonFaultKind::StringTooLong => {
                        Code::TooLarge
                    }
                    _ => Code::BadRequest,
                };
                let detail = format!(
                    "The body is not the JSON that is taken here: {} at byte {}.",
                    fault.kind.code(),
                    fault.offset
                );
                Err(Problem::new(code).detail(detail).at(fault.pointer, fault.kind.code()))
            }
        }
    }

    fn trace(&self, request: &Request) -> Trace {
        conditions::trace(&request.headers).unwrap_or_else(|| Trace(*self.host.cluster.mint().as_bytes()))
    }
}

impl Service for Api {
    fn body_limit(&self, _: &Verb, path: &str) -> u64 {
        match Target::of(path) {
            Target::Method { app, method } => {
                self.find(app, method).map_or(BODY_BYTES_MAX, |method| method.body_max)
            }
            Target::Media(path) if path.takes_bodies() => media::BODY_BYTES_MAX,
            Target::Media(_) | Target::Health | Target::Ready | Target::Metrics | Target::Unknown => {
                BODY_BYTES_MAX
            }
        }
    }

    fn is_probe(&self, verb: &Verb, path: &str) -> bool {
        matches!(*verb, Verb::GET | Verb::HEAD) && matches!(Target::of(path), Target::Health | Target::Ready)
    }

    fn streams(&self, verb: &Verb, path: &str) -> bool {
        *verb == Verb::PUT && matches!(Target::of(path), Target::Media(path) if path.takes_bodies())
    }

    async fn stream(&self, request: Request, body: BodyReader<'_>) -> Response {
        let (now, trace) = (self.host.cluster.now(), self.trace(&request));
        match Target::of(&request.path) {
            Target::Media(path) if self.side == Side::Public => {
                media::answer(&self.host, path, &request, Pieces::Reader(body), now, trace).await
            }
            _ => render::problem(&Problem::new(Code::NotFound), trace),
        }
    }

    async fn call(&self, mut request: Request) -> Response {
        let (now, trace) = (self.host.cluster.now(), self.trace(&request));
        let path = std::mem::take(&mut request.path);
        let reads = matches!(request.method, Verb::GET | Verb::HEAD);
        match Target::of(&path) {
            Target::Method { app, method } => self.method(app, method, request, now, trace).await,
            Target::Media(path) if self.side == Side::Public => {
                let body = Pieces::Whole(std::mem::take(&mut request.body));
                media::answer(&self.host, path, &request, body, now, trace).await
            }
            Target::Health if reads => probes::health(),
            Target::Ready if reads => probes::ready(&self.host),
            Target::Metrics if reads && self.side == Side::Admin => probes::metrics(&self.host),
            Target::Health | Target::Ready => {
                let mut response = render::problem(&verb_refused("GET, HEAD"), trace);
                response.headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                response
            }
            Target::Media(_) | Target::Metrics | Target::Unknown => {
                render::problem(&Problem::new(Code::NotFound), trace)
            }
        }
    }

    fn refuse(&self, refusal: Refusal) -> Response {
        let problem = refusals::problem(refusal);
        render::problem(&problem, Trace(*self.host.cluster.mint().as_bytes()))
    }
}

/// Bytes that a body has, as far as that is known before it is sent.
pub(super) fn bytes_of(body: &Body) -> u64 {
    match body {
        Body::Full(bytes) => bytes.len() as u64,
        Body::Sized(sized) => sized.left(),
        Body::Stream(_) => 0,
    }
}

/// How often the log says that calls are refused.
const REFUSED_EVERY: Duration = Duration::from_secs(10);

/// What is found out about a request on the way, for its response's headers and the counters.
struct Asked {
    decision: Decision,
    origin: Option<HeaderValue>,
    app: Option<gomer_core::id::AppId>,
}

/// The token in the address, where one is taken.
fn token_in_address<'a>(method: &Method, request: &'a Request) -> Option<&'a str> {
    let query = request.query.as_deref().filter(|_| method.token_in_address)?;
    query.split('&').find_map(|pair| pair.strip_prefix("token="))
}

fn allows(method: &Method, verb: &Verb) -> bool {
    match method.kind {
        Kind::Query => matches!(*verb, Verb::GET | Verb::HEAD | Verb::POST),
        Kind::Procedure => *verb == Verb::POST,
    }
}

fn allowed(method: &Method) -> &'static str {
    match method.kind {
        Kind::Query => "GET, HEAD, POST",
        Kind::Procedure => "POST",
    }
}

fn verb_refused(allowed: &str) -> Problem {
    Problem::new(Code::BadRequest).detail(format!("This takes {allowed} only."))
}
