//! `batch`: several calls in one request.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::sync::push::{Came, run};
use crate::registry::method::BATCH_BYTES_MAX;
use crate::registry::{Cache, Call, Idempotency, Method, Reply, Rev, Role, Stop};
use crate::types::{List, Uuid};

/// Most calls of one batch.
const CALLS_MAX: usize = 50;

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::procedure("batch.run", run_batch)
            .role(Role::Anonymous)
            .idempotency(Idempotency::ClientId)
            .body_max(BATCH_BYTES_MAX)
            .about("Runs up to 50 calls in order, each with its own result; they are no transaction."),
    ]
}

/// Calls.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Batch {
    /// Up to 50 calls.
    calls: List<Inner, 0, CALLS_MAX>,
    /// Do not go on after the first call that fails.
    #[serde(default)]
    stop_on_error: bool,
}

/// A call.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Inner {
    /// The method.
    method: String,
    /// Its arguments; none, if absent.
    args: Option<Box<RawValue>>,
    /// Its operation id: the same call again is done once.
    op: Option<Uuid>,
    /// Refuse if what it changes is not at this revision.
    if_rev: Option<Rev>,
}

/// What became of a batch.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Results {
    /// One for each call that was made, in order.
    results: Vec<CallResult>,
}

/// What became of a call.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CallResult {
    /// Its operation id, if it had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    op: Option<Uuid>,
    /// What came of it.
    #[serde(flatten)]
    came: Came,
}

async fn run_batch(call: Call, args: Batch) -> Result<Reply<Results>, Stop> {
    let Batch { calls, stop_on_error } = args;
    let mut results = Vec::with_capacity(calls.0.len());
    for inner in calls.0 {
        let none = || RawValue::from_string("{}".to_owned()).expect("an empty object is JSON");
        let mut outer = call.clone();
        outer.now = call.cluster.now();
        let args = inner.args.unwrap_or_else(none);
        let came = run(&outer, &inner.method, args, inner.op.map(|op| op.0), inner.if_rev).await;
        let failed = came.code.is_some();
        results.push(CallResult { op: inner.op, came });
        if failed && stop_on_error {
            break;
        }
    }
    Ok(Reply::new(Results { results }).cache(Cache::Never))
}
