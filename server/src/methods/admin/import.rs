//! Bringing in what people had elsewhere: lines of JSON, each a call in somebody's name.
//!
//! There is no other way in than the methods themselves, with their own checks. What is made has an id that the caller
//! chose, so that a file may be sent again, as a whole or from anywhere in it: what was made before is found.

use gomer_core::id::{Id, Root};
use gomer_core::rows::node::Flags;
use gomer_net::http::json::{self, JsonLimits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::auth::bearer::banned;
use crate::methods::sync::push::run;
use crate::model::PROFILE;
use crate::problem::{Code, Problem};
use crate::registry::{Cache, Call, Caller, Idempotency, Kind, Method, Reply, Role, Stop};
use crate::types::{Empty, Uuid};

/// Largest body.
pub const BODY_BYTES_MAX: u64 = 1024 * 1024;
/// Most lines of a body.
pub const LINES_MAX: usize = 500;

/// A line.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    /// In whose name; nobody's for what makes a profile.
    #[serde(rename = "as")]
    profile: Option<Uuid>,
    method: String,
    args: Box<RawValue>,
}

/// What came of a line.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct LineResult {
    /// Its number; the first is 1.
    line: usize,
    /// The HTTP status that it would have had as a call of its own.
    status: u16,
    /// The problem's code, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
}

/// What came of an import.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Imported {
    /// One result for each line that is not empty, in order. What the calls answered is not repeated: it would hold tokens.
    results: Vec<LineResult>,
    /// How many of them failed.
    failed: usize,
}

/// Carries out a file, line by line. A line that fails stops none of the others.
pub async fn import(call: Call, _: Empty) -> Result<Reply<Imported>, Stop> {
    let lines: Vec<(usize, &[u8])> = call
        .bytes
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
        .map(|(at, line)| (at + 1, line))
        .collect();
    if lines.len() > LINES_MAX {
        return Err(Problem::new(Code::TooLarge)
            .detail(format!("At most {LINES_MAX} lines at a time."))
            .into());
    }
    let mut results = Vec::with_capacity(lines.len());
    for (line, bytes) in lines {
        let (status, code) = match one(&call, bytes).await {
            Ok(came) => came,
            Err(Stop::Problem(problem)) => (problem.status, Some(problem.code.name())),
            Err(Stop::Replay(_)) => (200, None),
        };
        results.push(LineResult { line, status, code });
    }
    let failed = results.iter().filter(|result| result.code.is_some()).count();
    Ok(Reply::new(Imported { results, failed }).cache(Cache::Never))
}

/// What came of one line.
async fn one(call: &Call, bytes: &[u8]) -> Result<(u16, Option<&'static str>), Stop> {
    let malformed = || Stop::from(Code::BadRequest);
    json::check(bytes, &JsonLimits::default()).map_err(|_| malformed())?;
    let Line { profile, method, args } = serde_json::from_slice(bytes).map_err(|_| malformed())?;
    let declared = call.host.registry.get(&method).filter(|declared| may_stand_in_a_line(declared));
    declared.ok_or_else(|| Stop::invalid("/method", "value", "This method cannot stand in a line."))?;
    if let Some(Uuid(id)) = profile {
        exists(call, id).await?;
    }
    let caller = Caller::Server { acting_as: profile.map(|id| id.0) };
    let inner = Call { caller, op: None, now: call.cluster.now(), ..call.clone() };
    let came = run(&inner, &method, args, None, None).await;
    Ok((came.status, came.code))
}

/// What people themselves may do, and may do twice without harm. Nothing that gives rights, or takes bytes.
fn may_stand_in_a_line(method: &Method) -> bool {
    method.kind == Kind::Procedure
        && method.role <= Role::Owner
        && !method.takes_bytes
        && matches!(
            method.idempotency,
            Idempotency::ClientId | Idempotency::Natural | Idempotency::NaturalRev
        )
}

/// 404 for a profile that is not there, 403 for a banned one.
async fn exists(call: &Call, id: Id) -> Result<(), Stop> {
    match call.node(Root::profile(id), id).await?.filter(|view| view.node.ty == PROFILE) {
        None => Err(Stop::not_found()),
        Some(view) if view.node.flags.has(Flags::BANNED) => Err(banned()),
        Some(_) => Ok(()),
    }
}
