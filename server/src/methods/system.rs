//! `system`: what a client can ask about the server itself. No key is needed.

use gomer_core::time::Time;
use schemars::JsonSchema;
use serde::Serialize;

use crate::limits::Subject;
use crate::problem::{Code, Retry};
use crate::registry::{Cache, Call, Method, Rate, Reply, Role, Scope, Stop};
use crate::types::{Empty, Timestamp};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::query("system.getHealth", get_health)
            .role(Role::Anonymous)
            .rate(Rate::Free)
            .scope(Scope::Everywhere)
            .about("Says whether the server takes requests, and what time it is there."),
        Method::query("system.getLimits", get_limits)
            .role(Role::User)
            .about("Shows my rate limits and what is left of them."),
        Method::query("system.getOpenApi", get_open_api)
            .role(Role::Anonymous)
            .scope(Scope::Everywhere)
            .about("Gives the OpenAPI 3.1 document of this server."),
        Method::query("system.listErrors", list_errors)
            .role(Role::Anonymous)
            .scope(Scope::Everywhere)
            .about("Lists every error code with its meaning and what to do."),
    ]
}

/// How the server is.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Health {
    /// Whether requests should come here.
    ready: bool,
    /// Why not.
    reasons: Vec<&'static str>,
    /// The server's version.
    version: &'static str,
    /// The server's time, for clients whose clock is wrong.
    time: Timestamp,
}

async fn get_health(call: Call, _: Empty) -> Result<Reply<Health>, Stop> {
    let reasons = call.host.reasons();
    Ok(Reply::new(Health {
        ready: reasons.is_empty(),
        reasons,
        version: env!("CARGO_PKG_VERSION"),
        time: Timestamp(Time::from_millis(call.now.wall.as_millis())),
    })
    .cache(Cache::Never))
}

/// One rate limit.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct LimitState {
    /// Its name, as in the header `RateLimit`.
    name: &'static str,
    /// Calls per window.
    quota: u64,
    /// The window, in seconds.
    window_s: u64,
    /// Calls that could be made at once now.
    remaining: u64,
}

/// My rate limits.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct MyLimits {
    /// In no particular order; empty where the app has none.
    items: Vec<LimitState>,
}

async fn get_limits(call: Call, _: Empty) -> Result<Reply<MyLimits>, Stop> {
    let subject = Subject::of(&call.caller, call.client);
    let items = [Rate::Read, Rate::Write, Rate::Follow]
        .into_iter()
        .filter_map(|rate| {
            let state = call.host.limits.look(&call.app, subject, rate, call.now.mono)?;
            Some(LimitState {
                name: state.policy.name,
                quota: state.policy.quota,
                window_s: state.policy.window_s,
                remaining: state.remaining,
            })
        })
        .collect();
    Ok(Reply::new(MyLimits { items }).cache(Cache::Never))
}

async fn get_open_api(call: Call, _: Empty) -> Result<Reply<serde_json::Value>, Stop> {
    Ok(Reply::json(call.host.open_api()).cache(Cache::Public(60)))
}

/// One error code.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ErrorEntry {
    /// The code, as in a problem's `code`.
    code: &'static str,
    /// Its HTTP status.
    status: u16,
    /// What it means.
    title: &'static str,
    /// What to do.
    advice: &'static str,
    /// Whether trying again makes sense.
    #[schemars(with = "String", extend("enum" = ["never", "same", "later"]))]
    retry: Retry,
}

/// All error codes.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ErrorList {
    /// By status.
    items: Vec<ErrorEntry>,
}

async fn list_errors(_: Call, _: Empty) -> Result<Reply<ErrorList>, Stop> {
    let entry = |code: Code| ErrorEntry {
        code: code.name(),
        status: code.status(),
        title: code.title(),
        advice: code.advice(),
        retry: code.retry(),
    };
    let items = Code::ALL.into_iter().map(entry).collect();
    Ok(Reply::new(ErrorList { items }).cache(Cache::Public(3600)))
}
