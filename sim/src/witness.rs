//! Writes the history of a run down: who asked for what, and what they were told. It belongs to a run; all clones
//! are one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gomer_sim::history::{Evidence, Line, Mischief, Outcome, Record};
use serde_json::{Value, json};

use crate::net::http::Answer;

/// What is seen of a run.
#[derive(Clone)]
pub struct Witness {
    now: fn() -> Duration,
    evidence: Arc<Mutex<Evidence>>,
}

/// A call that is about to be sent.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Who calls.
    pub process: String,
    /// The app.
    pub app: String,
    /// As whom.
    pub user: Option<String>,
    /// The operation id.
    pub op: Option<String>,
    /// The method.
    pub method: String,
    /// Its arguments.
    pub args: Value,
    /// What is wrong with it on purpose.
    pub mischief: Option<Mischief>,
}

impl Witness {
    /// Who has seen nothing. `now`: the time since the run began.
    pub fn new(now: fn() -> Duration) -> Witness {
        Witness { now, evidence: Arc::default() }
    }

    /// What time it is, as histories have it.
    pub fn micros(&self) -> u64 {
        (self.now)().as_micros() as u64
    }

    /// A call was sent at some time, and this came of it, just now.
    pub fn saw(&self, asked: Asked, invoked: u64, outcome: Outcome) {
        let Asked { process, app, user, op, method, mut args, mischief } = asked;
        let mut outcome = outcome;
        if method.starts_with("auth.") {
            hush(&mut args);
            if let Outcome::Ok { value, .. } = &mut outcome {
                hush(value);
            }
        }
        let returned = (outcome != Outcome::LOST).then(|| self.micros());
        let session = user.clone().map(|_| process.clone());
        self.add(Line::Call(Record {
            process,
            app,
            user,
            session,
            op,
            method,
            args,
            position: None,
            mischief,
            invoked,
            returned,
            outcome,
        }));
    }

    /// The same of a `sync.push`: each operation in it is a call of its own.
    pub fn saw_push(&self, pushed: &Asked, invoked: u64, outcome: &Outcome) {
        let results = match outcome {
            Outcome::Ok { value, .. } => Some(value["results"].as_array().map_or(&[][..], Vec::as_slice)),
            Outcome::Failed { .. } | Outcome::Unknown { .. } => None,
        };
        for operation in pushed.args["operations"].as_array().into_iter().flatten() {
            let mut args = operation["args"].clone();
            for name in ["editedAt", "ifRev"] {
                if !operation[name].is_null() {
                    args[name] = operation[name].clone();
                }
            }
            let came = match results {
                // What comes after the one at which it stopped was not done.
                Some(results) => match results.iter().find(|result| result["op"] == operation["op"]) {
                    Some(result) => outcome_of_pushed(result),
                    None => continue,
                },
                None => outcome.clone(),
            };
            let text = |name: &str| operation[name].as_str().map(str::to_owned);
            let method = text("method").unwrap_or_default();
            self.saw(Asked { method, op: text("op"), args, ..pushed.clone() }, invoked, came);
        }
    }

    /// Anything else that belongs to the history.
    pub fn add(&self, line: Line) {
        self.evidence.lock().expect(UNPOISONED).add(line);
    }

    /// All that was seen so far, in order.
    pub fn evidence(&self) -> Evidence {
        let mut evidence = self.evidence.lock().expect(UNPOISONED).clone();
        evidence.sort();
        evidence
    }
}

/// What an answer says.
pub fn outcome(answer: &Answer) -> Outcome {
    let body = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
    let position = answer.header("gomer-position").map(str::to_owned);
    let replayed = answer.header("gomer-replayed").is_some();
    let retry_after = answer.header("retry-after").and_then(|seconds| seconds.parse().ok());
    Outcome::of_answer(answer.status, body, position, replayed, retry_after)
}

/// What one operation of a push came to: the outcome that it would have had as a call of its own.
fn outcome_of_pushed(result: &Value) -> Outcome {
    let status = result["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(0);
    let body = match status {
        200..300 => result["value"].clone(),
        _ => json!({ "code": result["code"], "status": status }),
    };
    let replayed = result["replayed"] == json!(true);
    Outcome::of_answer(status, body, None, replayed, result["retryAfterS"].as_u64())
}

/// Takes out what is nobody's business.
fn hush(value: &mut Value) {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|name, _| !["password", "accessToken", "refreshToken"].contains(&name.as_str()));
    }
}

const UNPOISONED: &str = "nothing panics under this lock";
