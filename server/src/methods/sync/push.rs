//! `sync.push`: operations that were queued without a connection, in the order in which they were made.
//!
//! Each is a call like any other, with its own checks, limits and operation id; there is no other way in. An
//! operation that may succeed later stops the queue, so that what was done after it does not overtake it;
//! one that never will is told and passed over.

use bytes::Bytes;
use gomer_core::id::Id;
use gomer_core::vnode::command::OpKey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::known::KnownRoot;
use crate::problem::{Problem, Retry};
use crate::registry::{Cache, Call, Kind, Payload, RawArgs, Rendered, Reply, Rev, Stop};
use crate::types::{List, Timestamp, Uuid};

/// Most operations of one call.
pub const OPERATIONS_MAX: usize = 50;

/// A queue.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Push {
    /// Up to 50 operations, in the order in which they were made.
    operations: List<Queued, 0, OPERATIONS_MAX>,
}

/// An operation.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Queued {
    /// Its id: the same operation again, in whichever call, is done once.
    op: Uuid,
    /// The method; a procedure.
    method: String,
    /// The method's arguments.
    args: Box<RawValue>,
    /// Refuse if what it changes is not at this revision.
    if_rev: Option<Rev>,
    /// When the person did it, by the phone's clock. Two edits of one field go to the later one.
    edited_at: Option<Timestamp>,
    /// What the last page of `sync.pull` before it said is known, as it is. Without it, something that was deleted
    /// more than 30 days ago may be made again; with it, that is 410 `cursor-expired`.
    known: Option<KnownRoot>,
}

/// What became of a queue.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pushed {
    /// One result for each operation up to where it stopped, in order.
    results: Vec<OpResult>,
    /// The operation that is to be sent again later, with all that follow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_at: Option<Uuid>,
}

/// What became of an operation.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct OpResult {
    /// Its id.
    op: Uuid,
    /// What came of it.
    #[serde(flatten)]
    came: Came,
}

/// What came of a call inside another.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Came {
    /// The HTTP status that it would have had as a call of its own.
    pub status: u16,
    /// The problem's code, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub code: Option<&'static str>,
    /// The entity's revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rev: Option<Rev>,
    /// The reply; where a revision was stale, the entity as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub value: Option<Box<RawValue>>,
    /// It was done before: this is the reply of then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
    /// In how many seconds to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
    #[serde(skip)]
    #[schemars(skip)]
    retry: Option<Retry>,
}

impl Came {
    /// Whether it may succeed when it is sent again.
    pub fn may_pass(&self) -> bool {
        matches!(self.retry, Some(Retry::Same | Retry::Later))
    }
}

/// Carries out a queue.
pub async fn push(call: Call, args: Push) -> Result<Reply<Pushed>, Stop> {
    call.me()?;
    let mut results = Vec::with_capacity(args.operations.0.len());
    for queued in args.operations.0 {
        let (op, method) = (queued.op, queued.method.as_str());
        let is_procedure =
            call.host.registry.get(method).is_some_and(|method| method.kind == Kind::Procedure);
        let came = if is_procedure {
            let mut inner = call.clone();
            inner.now = call.cluster.now();
            inner.edited = queued.edited_at.map(|time| time.0);
            inner.known = queued.known;
            run(&inner, method, queued.args, Some(op.0), queued.if_rev).await
        } else {
            let detail = "A queue holds procedures.";
            came(Err(Stop::invalid("/method", "value", detail)))
        };
        let stops = came.may_pass();
        results.push(OpResult { op, came });
        if stops {
            return Ok(Reply::new(Pushed { results, stopped_at: Some(op) }).cache(Cache::Never));
        }
    }
    Ok(Reply::new(Pushed { results, stopped_at: None }).cache(Cache::Never))
}

/// Runs one call inside another.
pub async fn run(
    call: &Call,
    method: &str,
    args: Box<RawValue>,
    op: Option<Id>,
    if_rev: Option<Rev>,
) -> Came {
    // A call that holds calls, or that never ends, is none to hold in a call.
    if matches!(method, "sync.push" | "batch.run" | "realtime.subscribe") {
        return came(Err(Stop::invalid("/method", "value", "This method cannot be called inside another.")));
    }
    let op = op.map(|id| OpKey { id, fingerprint: fingerprint(method, args.get()) });
    let args = RawArgs::Json(Bytes::from(String::from(Box::<str>::from(args))));
    let registry = &call.host.registry;
    came(registry.run(call, method, args, op, if_rev).await)
}

/// What tells one use of an operation id from another.
fn fingerprint(method: &str, args: &str) -> [u8; 16] {
    let mut hasher = Sha256::new();
    hasher.update((method.len() as u64).to_be_bytes());
    hasher.update(method);
    hasher.update(args);
    let mut print = [0; 16];
    print.copy_from_slice(&hasher.finalize()[..16]);
    print
}

fn came(result: Result<Rendered, Stop>) -> Came {
    let done = |rendered: Rendered| {
        let value = match rendered.content {
            Payload::Json(json) => {
                String::from_utf8(json.to_vec()).ok().and_then(|json| RawValue::from_string(json).ok())
            }
            Payload::Other(..) | Payload::Stream(_) => None,
        };
        Came {
            status: 200,
            code: None,
            rev: rendered.rev,
            value,
            replayed: rendered.replayed,
            retry_after_s: None,
            retry: None,
        }
    };
    match result {
        Ok(rendered) => done(rendered),
        Err(Stop::Replay(rendered)) => done(*rendered),
        Err(Stop::Problem(problem)) => {
            let Problem { code, status, rev, current, retry_after_s, .. } = *problem;
            Came {
                status,
                code: Some(code.name()),
                rev,
                value: current,
                replayed: false,
                retry_after_s,
                retry: Some(code.retry()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Code;

    #[test]
    fn what_may_pass_stops_a_queue_and_what_will_not_does_not() {
        for (code, stops) in [
            (Code::Busy, true),
            (Code::Timeout, true),
            (Code::RateLimited, true),
            (Code::Internal, true),
            (Code::NotFound, false),
            (Code::StaleRevision, false),
            (Code::KeyReused, false),
            (Code::CursorExpired, false),
        ] {
            assert_eq!(came(Err(code.into())).may_pass(), stops, "{code}");
        }
    }

    #[test]
    fn method_and_arguments_make_the_fingerprint() {
        assert_ne!(fingerprint("a.b", "c"), fingerprint("a.bc", ""));
        assert_ne!(fingerprint("like.put", "{}"), fingerprint("like.delete", "{}"));
        assert_eq!(fingerprint("like.put", "{}"), fingerprint("like.put", "{}"));
    }
}
