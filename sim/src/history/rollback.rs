//! A disk that was replaced by an older copy, where no other had the data: one history becomes two, and each of
//! them must be right by itself. The first ends with the old disk. In the second, what was over before the copy
//! was made goes on, and what came of the calls in between is gone with the disk.

use super::read::NEVER;
use super::{Evidence, Outcome, Record, RolledBack};

impl Evidence {
    /// The histories that this is, each to be judged by itself: one, and one more for each disk that was rolled
    /// back.
    pub fn histories(&self) -> Vec<Evidence> {
        let mut histories = Vec::new();
        let mut rest = self.clone();
        for rolled_back in std::mem::take(&mut rest.rolled_back) {
            histories.push(rest.before(rolled_back));
            rest = rest.after(rolled_back);
        }
        histories.push(rest);
        histories
    }

    /// Up to the moment at which the disk was replaced.
    fn before(&self, RolledBack { restored, .. }: RolledBack) -> Evidence {
        let seen = self.all().filter(|record| record.invoked < restored);
        let calls = seen
            .filter_map(|record| if over(record) < restored { Some(record.clone()) } else { open(record) });
        Evidence { calls: calls.collect(), ..Evidence::default() }
    }

    /// As if the time between copy and replacement had not been.
    fn after(self, RolledBack { copied, restored }: RolledBack) -> Evidence {
        let stays = |record: Record| {
            if over(&record) < copied || record.invoked >= restored {
                Some(record)
            } else if record.invoked >= copied && over(&record) < restored {
                // What came of it was on the old disk only. What has no answer may yet come to the new one.
                if matches!(record.outcome, Outcome::Unknown { .. }) { Some(record) } else { None }
            } else {
                open(&record)
            }
        };
        let stay = |records: Vec<Record>| records.into_iter().filter_map(stays).collect();
        Evidence { calls: stay(self.calls), rest: stay(self.rest), ..self }
    }
}

fn over(record: &Record) -> u64 {
    record.returned.unwrap_or(NEVER)
}

/// A call that was under way: if it was a write, nobody knows what came of it; if it was a read, it says nothing.
fn open(record: &Record) -> Option<Record> {
    let unknown = Record { returned: None, outcome: Outcome::LOST, ..record.clone() };
    record.op.is_some().then_some(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn call(name: &str, invoked: u64, returned: Option<u64>, is_write: bool) -> Record {
        let done = Outcome::of_answer(200, json!({}), None, false, None);
        Record {
            process: name.into(),
            app: "one".into(),
            user: None,
            session: None,
            op: is_write.then(|| name.into()),
            method: "m".into(),
            args: json!({}),
            position: None,
            mischief: None,
            invoked,
            returned,
            outcome: if returned.is_some() { done } else { Outcome::LOST },
        }
    }

    fn told(evidence: &Evidence) -> Vec<(&str, bool)> {
        evidence.all().map(|record| (record.process.as_str(), record.ok().is_some())).collect()
    }

    #[test]
    fn a_history_without_it_is_one() {
        let evidence = Evidence { calls: vec![call("a", 1, Some(2), true)], ..Evidence::default() };
        assert_eq!(evidence.histories(), [evidence]);
    }

    #[test]
    fn what_was_done_in_between_is_in_the_first_only() {
        let evidence = Evidence {
            calls: vec![
                call("before", 1, Some(2), true),
                call("over the copy", 3, Some(12), true),
                call("read over the copy", 3, Some(12), false),
                call("between", 12, Some(13), true),
                call("lost", 14, None, true),
                call("over the end", 15, Some(25), true),
                call("read over the end", 16, Some(25), false),
                call("after", 21, Some(22), true),
            ],
            rest: vec![call("rest", 31, Some(32), false)],
            settled: true,
            rolled_back: vec![RolledBack { copied: 10, restored: 20 }],
            ..Evidence::default()
        };
        let [first, second] = &evidence.histories()[..] else { panic!("two histories") };
        let seen = [
            ("before", true),
            ("over the copy", true),
            ("read over the copy", true),
            ("between", true),
            ("lost", false),
            ("over the end", false),
        ];
        assert_eq!(told(first), seen);
        assert!(!first.settled);
        let seen = [
            ("before", true),
            ("over the copy", false),
            ("lost", false),
            ("over the end", false),
            ("after", true),
            ("rest", true),
        ];
        assert_eq!(told(second), seen);
        assert!(second.settled);
    }
}
