//! Histories for the tests of the promises: one call after another.

use serde_json::{Value, json};

use crate::history::{Evidence, Mischief, Outcome, Record};

/// A history that is being told.
#[derive(Clone, Default)]
pub struct Told {
    evidence: Evidence,
    op: Option<String>,
    app: Option<String>,
    process: Option<String>,
    mischief: Option<Mischief>,
    time: u64,
}

impl Told {
    /// The next call has this operation id.
    pub fn with_op(mut self, op: &str) -> Told {
        self.op = Some(op.to_owned());
        self
    }

    /// The next call comes from this process.
    pub fn by(mut self, process: &str) -> Told {
        self.process = Some(process.to_owned());
        self
    }

    /// From here on calls go to this app.
    pub fn in_app(mut self, app: &str) -> Told {
        self.app = Some(app.to_owned());
        self
    }

    /// The next call must be refused.
    pub fn with_mischief(mut self, mischief: Mischief) -> Told {
        self.mischief = Some(mischief);
        self
    }

    /// A user calls.
    pub fn call(mut self, user: &str, method: &str, args: Value, outcome: Outcome) -> Told {
        self.time += 10;
        let record = Record {
            process: self.process.take().unwrap_or_else(|| user.to_owned()),
            app: self.app.clone().unwrap_or_else(|| "one".to_owned()),
            user: Some(user.to_owned()),
            session: Some(user.to_owned()),
            op: self.op.take(),
            method: method.to_owned(),
            args,
            position: None,
            mischief: self.mischief.take(),
            invoked: self.time,
            returned: (outcome != Outcome::LOST).then_some(self.time + 5),
            outcome,
        };
        let list = if self.evidence.settled { &mut self.evidence.rest } else { &mut self.evidence.calls };
        list.push(record);
        self
    }

    /// Everything has come to rest.
    pub fn settled(mut self) -> Told {
        self.evidence.settled = true;
        self
    }

    /// What was told.
    pub fn evidence(self) -> Evidence {
        self.evidence
    }
}

/// It was done.
pub fn ok(value: Value) -> Outcome {
    Outcome::of_answer(200, value, None, false, None)
}

/// It was refused.
pub fn refused(status: u16, code: &str) -> Outcome {
    Outcome::of_answer(status, json!({ "code": code }), None, false, Some(1))
}
