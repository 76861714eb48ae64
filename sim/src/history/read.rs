//! What a record speaks of.

use serde_json::Value;

use super::{Outcome, Record};

/// When a call is over, if it ever is: what is unknown may still happen at any later time.
pub const NEVER: u64 = u64::MAX;

impl Record {
    /// The reply, if it was done.
    pub fn ok(&self) -> Option<&Value> {
        match &self.outcome {
            Outcome::Ok { value, .. } => Some(value),
            Outcome::Failed { .. } | Outcome::Unknown { .. } => None,
        }
    }

    /// The code of the refusal, if it was certainly not done.
    pub fn refused(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Failed { problem, .. } => Some(problem["code"].as_str().unwrap_or("")),
            Outcome::Ok { .. } | Outcome::Unknown { .. } => None,
        }
    }

    /// Whether it was or may have been done.
    pub fn may_be_done(&self) -> bool {
        !matches!(self.outcome, Outcome::Failed { .. })
    }

    /// When it was certainly over; [`NEVER`] while its outcome is unknown.
    pub fn over(&self) -> u64 {
        match self.outcome {
            Outcome::Unknown { .. } => NEVER,
            Outcome::Ok { .. } | Outcome::Failed { .. } => self.returned.unwrap_or(NEVER),
        }
    }

    /// An argument that is text.
    pub fn arg(&self, name: &str) -> Option<&str> {
        self.args[name].as_str()
    }

    /// The items of a reply that is a list.
    pub fn items(&self) -> &[Value] {
        self.ok().and_then(|value| value["items"].as_array()).map_or(&[], Vec::as_slice)
    }

    /// The call in one line, for a person.
    pub fn told(&self) -> String {
        let outcome = match &self.outcome {
            Outcome::Ok { value, .. } => format!("ok {}", short(value)),
            Outcome::Failed { status, problem, .. } => {
                format!("refused {status} {}", short(&problem["code"]))
            }
            Outcome::Unknown { status, problem } => format!("unknown {status:?} {}", short(&problem["code"])),
        };
        let (process, method, args) = (&self.process, &self.method, short(&self.args));
        let seconds = |micros: u64| micros as f64 / 1e6;
        let till = self.returned.map_or("…".to_owned(), |at| format!("{:.6}", seconds(at)));
        format!("{:.6}..{till} {process} {method} {args} -> {outcome}", seconds(self.invoked))
    }
}

/// The position in a revision or an order, `POSITION.ERA`.
pub fn position(rev: &str) -> Option<u64> {
    rev.split('.').next()?.parse().ok()
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(3000) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_compared_by_its_position() {
        assert_eq!(position("17.9"), Some(17));
        assert_eq!(position("17"), Some(17));
        assert_eq!(position(""), None);
        assert_eq!(position("x.1"), None);
    }
}
