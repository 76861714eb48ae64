//! Reading the audit log.

use gomer_core::id::Order;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::audit::{By, Stored, root};
use crate::methods::post::view::json;
use crate::model::AUDIT;
use crate::registry::{Cache, Call, Reply, Stop};
use crate::types::{Limit, Page, Text, Timestamp, Uuid};

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CameTo {
    /// It was done.
    Done,
    /// It was refused, or failed.
    Failed,
    /// It is under way, or the server stopped before it could write down what came of it.
    Unknown,
}

/// Which entries.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListAudit {
    /// Only calls of this method.
    method: Option<Text<1, 100>>,
    /// Only calls by this person, or in their name.
    profile: Option<Uuid>,
    /// Only calls with this id among their arguments.
    target: Option<Uuid>,
    /// Only what came to this.
    outcome: Option<CameTo>,
    /// Only what was asked then or later.
    since: Option<Timestamp>,
    /// Only what was asked before.
    until: Option<Timestamp>,
    /// How many are looked at for one page; a filter leaves fewer.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page with the same filter.
    cursor: Option<String>,
}

/// A call that stands in the audit log.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Audited {
    /// When it was asked.
    at: Timestamp,
    /// With which rights.
    by: By,
    /// Which person, or in whose name. Absent for the app's own server and for keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    /// The method.
    method: String,
    /// Ids, and names of roles, among its arguments; at most 20.
    targets: Vec<String>,
    /// What came of it.
    outcome: CameTo,
    /// The problem's code, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// The trace id, which the process's log and a problem have too.
    trace: String,
}

impl Audited {
    fn of(at: Timestamp, stored: Stored) -> Audited {
        let Stored { by, profile, method, targets, outcome, trace } = stored;
        let came = match outcome.as_deref() {
            None => CameTo::Unknown,
            Some("done") => CameTo::Done,
            Some(_) => CameTo::Failed,
        };
        let code = outcome.filter(|_| came == CameTo::Failed);
        Audited { at, by, profile, method, targets, outcome: came, code, trace }
    }
}

impl ListAudit {
    fn wants(&self, one: &Audited) -> bool {
        let has = |wanted: Uuid| {
            let wanted = wanted.to_string();
            one.targets.contains(&wanted)
        };
        self.method.as_ref().is_none_or(|method| method.0 == one.method)
            && self.profile.is_none_or(|wanted| one.profile == Some(wanted.to_string()))
            && self.target.is_none_or(has)
            && self.outcome.is_none_or(|outcome| outcome == one.outcome)
            && self.since.is_none_or(|since| one.at >= since)
            && self.until.is_none_or(|until| one.at < until)
    }

    /// Names the list with its filter.
    fn list(&self) -> String {
        let filter = ListAudit { limit: Limit::default(), cursor: None, ..self.clone() };
        format!("admin.listAudit {}", json(&filter))
    }
}

/// Lists calls, newest first.
pub async fn list(call: Call, args: ListAudit) -> Result<Reply<Page<Audited>>, Stop> {
    let list = args.list();
    let from: Option<Order> = call.open_cursor(&list, args.cursor.as_deref())?;
    let (entries, mut end) = call.entry_page(root(), AUDIT, from, true, args.limit.0).await?;
    let cursor = entries.last().map(|last| call.seal_cursor(&list, &last.order)).or(args.cursor.clone());
    // What was written before the window begins is older still on every later page.
    end |= entries.last().zip(args.since).is_some_and(|(last, since)| last.entry.time < since.0);
    let read = entries.into_iter().filter_map(|view| {
        // What a newer program wrote and this one cannot read is not hidden: the page is short of it, and its log is not.
        let stored = serde_json::from_str(&view.entry.activity.extra).ok()?;
        Some(Audited::of(Timestamp(view.entry.time), stored))
    });
    let items = read.filter(|one| args.wants(one)).collect();
    Ok(Reply::new(Page { items, cursor, end }).cache(Cache::Never))
}
