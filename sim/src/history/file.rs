//! Histories on disk: JSON, one line each.

use std::io::{BufRead, Write};

use super::{Evidence, Line};

/// Reads a history. `Err` names the line that is none.
pub fn read(from: impl BufRead) -> Result<Evidence, String> {
    let mut lines = Vec::new();
    for (number, text) in (1..).zip(from.lines()) {
        let text = text.map_err(|error| format!("line {number}: {error}"))?;
        if !text.trim().is_empty() {
            lines.push(serde_json::from_str(&text).map_err(|error| format!("line {number}: {error}"))?);
        }
    }
    Ok(Evidence::of(lines))
}

/// Writes one line.
pub fn write(line: &Line, to: &mut impl Write) -> std::io::Result<()> {
    serde_json::to_writer(&mut *to, line)?;
    to.write_all(b"\n")
}

/// Writes all that a run left.
pub fn write_all(evidence: &Evidence, to: &mut impl Write) -> std::io::Result<()> {
    let calls = evidence.calls.iter().cloned().map(Line::Call);
    let settled = evidence.settled.then_some(Line::Settled);
    let rest = evidence.rest.iter().cloned().map(Line::Call);
    let rolled_back = evidence.rolled_back.iter().copied().map(Line::RolledBack);
    let views = evidence.views.iter().cloned().map(Line::View);
    let log = evidence.log.iter().cloned().map(Line::Log);
    let secrets = evidence.secrets.iter().cloned().map(Line::Secret);
    let mut lines =
        calls.chain(settled).chain(rest).chain(rolled_back).chain(views).chain(log).chain(secrets);
    lines.try_for_each(|line| write(&line, to))
}

#[cfg(test)]
mod tests {
    use super::super::{Outcome, Record, RolledBack, Row, View};
    use super::*;
    use serde_json::json;

    fn evidence() -> Evidence {
        let call = |invoked, outcome| Record {
            process: "a".into(),
            app: "one".into(),
            user: Some("u".into()),
            session: None,
            op: Some("o".into()),
            method: "post.create".into(),
            args: json!({ "id": "p", "text": "ü\n" }),
            position: None,
            mischief: None,
            invoked,
            returned: Some(invoked + 1),
            outcome,
        };
        let failed = Outcome::of_answer(503, json!({ "code": "busy" }), None, false, Some(1));
        let row = Row {
            root: "post:p".into(),
            section: "public".into(),
            of_type: "post".into(),
            id: "p".into(),
            rev: "1.0".into(),
            value: json!({ "text": "x" }),
        };
        Evidence {
            calls: vec![call(1, Outcome::LOST), call(3, failed)],
            rest: vec![call(9, Outcome::of_answer(200, json!({}), Some("3".into()), true, None))],
            settled: true,
            rolled_back: vec![RolledBack { copied: 1, restored: 2 }],
            views: vec![View {
                process: "a".into(),
                app: "one".into(),
                user: "u".into(),
                roots: vec![],
                rows: vec![row],
            }],
            log: vec!["started".into()],
            secrets: vec!["hush".into()],
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut bytes = Vec::new();
        write_all(&evidence(), &mut bytes).unwrap();
        assert_eq!(read(bytes.as_slice()).unwrap(), evidence());
        assert_eq!(read(b"\n\n".as_slice()).unwrap(), Evidence::default());
    }

    #[test]
    fn what_is_no_history_is_refused_with_its_line() {
        for bad in ["{}", "[]", "{\"call\":{}}", "{\"Call\":1}", "x"] {
            let text = format!("\"settled\"\n{bad}\n");
            assert!(read(text.as_bytes()).unwrap_err().starts_with("line 2: "), "{bad}");
        }
    }

    #[test]
    fn calls_are_put_in_the_order_in_which_they_were_sent() {
        let mut late_first = evidence();
        late_first.calls.reverse();
        let mut bytes = Vec::new();
        write_all(&late_first, &mut bytes).unwrap();
        assert_eq!(read(bytes.as_slice()).unwrap(), evidence());
    }

    #[test]
    fn only_what_the_contract_refuses_beforehand_is_a_failure() {
        let of = |status, code: &str| Outcome::of_answer(status, json!({ "code": code }), None, false, None);
        for (status, code) in [(400, "invalid"), (404, "not-found"), (429, "rate-limited"), (503, "busy")] {
            assert!(matches!(of(status, code), Outcome::Failed { .. }), "{status} {code}");
        }
        for (status, code) in [(409, "in-progress"), (500, "internal"), (502, ""), (504, "timeout")] {
            assert!(matches!(of(status, code), Outcome::Unknown { .. }), "{status} {code}");
        }
    }
}
