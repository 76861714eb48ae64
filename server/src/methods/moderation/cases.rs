//! Cases: all that was reported of one thing, from its first report until a moderator closes it. What is reported again
//! after that is open again.

use std::collections::BTreeSet;

use gomer_core::id::{Id, LinkType, Section};
use gomer_core::time::Time;
use gomer_core::vnode::command::{Operation, Precondition};
use gomer_core::vnode::query::LinkPlace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::log::{Action, Decision, Log};
use super::{ATTEMPTS, busy, root, was_overtaken};
use crate::methods::permission::check::Object;
use crate::methods::post::view::{json, read};
use crate::model::{ADMIN_ROLE, CASE, MODERATOR_ROLE, QUEUE_BY_AGE, QUEUE_BY_WEIGHT};
use crate::registry::{Call, NodeView, Reply, Stop};
use crate::types::{Limit, List, Page, Text, Timestamp, Uuid};

/// Why somebody reports something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// Advertising, or the same again and again.
    Spam,
    /// It harasses or threatens somebody.
    Harassment,
    /// It is hateful.
    Hate,
    /// It shows or asks for violence.
    Violence,
    /// It is sexual where that does not belong.
    Sexual,
    /// It speaks of harming oneself.
    SelfHarm,
    /// It is against the law, or against somebody's rights.
    Illegal,
    /// It pretends to be somebody else.
    Impersonation,
    /// Something else, which the text says.
    Other,
}

/// A report, as moderators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaseReport {
    /// Its id.
    pub id: Uuid,
    /// Who reported.
    pub reporter: Uuid,
    /// Why.
    pub reason: Reason,
    /// In their words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// When.
    pub created_at: Timestamp,
}

/// What was reported of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Case {
    /// What was reported.
    pub object: Object,
    /// How many people reported it since the case was last opened.
    pub weight: u64,
    /// When it was first reported since then.
    pub opened_at: Timestamp,
    /// The latest reports, at most 10, the newest first.
    pub reports: Vec<CaseReport>,
    /// The moderator who has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignee: Option<Uuid>,
    /// How often it was opened: the round that a reporter counts in once.
    #[serde(default)]
    #[schemars(skip)]
    pub(super) round: u64,
    /// Whether it is open.
    #[schemars(skip)]
    pub(super) open: bool,
}

/// A case as it is stored, and what must hold when it is stored again.
pub struct Held {
    /// The case; nothing if the object was never reported.
    pub case: Option<Case>,
    /// That nobody changed it since.
    pub unchanged: Precondition,
}

impl Case {
    /// What was reported of an object.
    pub async fn of(call: &Call, object: Object) -> Result<Held, Stop> {
        let id = case_id(object);
        let view = call.node(root(), id).await?;
        let unchanged = match &view {
            Some(view) => Precondition::NodeRev(id, view.node.rev),
            None => Precondition::NodeAbsent(id),
        };
        Ok(Held { case: view.as_ref().and_then(Case::read), unchanged })
    }

    fn read(view: &NodeView) -> Option<Case> {
        read(&view.node, CASE_ATTR)
    }

    /// With one more report. `counts`: by somebody who did not report it before in this round.
    pub fn reported(before: Option<Case>, object: Object, report: CaseReport, counts: bool) -> Case {
        let now = report.created_at;
        let fresh = |round| Case {
            object,
            weight: 0,
            opened_at: now,
            reports: Vec::new(),
            assignee: None,
            round,
            open: true,
        };
        let mut case = match before {
            Some(case) if case.open => case,
            Some(case) => fresh(case.round + 1),
            None => fresh(1),
        };
        case.weight += u64::from(counts || case.weight == 0);
        case.reports.insert(0, report);
        case.reports.truncate(REPORTS_KEEP);
        case
    }

    /// The operations that store it and put it where it belongs in the queue, or take it out.
    pub fn put(&self) -> Vec<Operation> {
        let id = case_id(self.object);
        let node = Operation::PutNode {
            id,
            ty: CASE,
            section: Section::INTERNAL,
            author: Id::NIL,
            attrs: vec![(CASE_ATTR.to_owned(), json(self))],
        };
        let place = |ty: LinkType, place: u64| {
            if self.open {
                let time = Some(Time::from_millis(place));
                Operation::PutLink { ty, to: id, section: Section::INTERNAL, time, data: String::new() }
            } else {
                Operation::DeleteLink { ty, to: id }
            }
        };
        // A list is read from its greatest time on: what is oldest must have the greatest.
        let age = END_OF_TIME_MS.saturating_sub(self.opened_at.0.as_millis());
        vec![node, place(QUEUE_BY_AGE, age), place(QUEUE_BY_WEIGHT, self.weight)]
    }
}

fn case_id(object: Object) -> Id {
    Id::derived("case", json(&object).as_bytes())
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum QueueOrder {
    /// What has waited longest first.
    #[default]
    Age,
    /// What most people reported first.
    Weight,
}

/// Which cases.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListQueue {
    /// In which order.
    #[serde(default)]
    order: QueueOrder,
    /// Only those of this moderator. A page may have fewer then.
    assignee: Option<Uuid>,
    /// How many are looked at for one page.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

/// Lists open cases.
pub async fn list(call: Call, args: ListQueue) -> Result<Reply<Page<Case>>, Stop> {
    let (list, ty) = match args.order {
        QueueOrder::Age => ("moderation.listQueue age", QUEUE_BY_AGE),
        QueueOrder::Weight => ("moderation.listQueue weight", QUEUE_BY_WEIGHT),
    };
    let after: Option<LinkPlace> = call.open_cursor(list, args.cursor.as_deref())?;
    let (links, end) = call.link_page(root(), ty, after, args.limit.0).await?;
    let place = links.last().map(|last| LinkPlace { time: last.time, to: last.to });
    let cursor = place.map(|place| call.seal_cursor(list, &place)).or(args.cursor);
    let mut items = Vec::with_capacity(links.len());
    for link in links {
        let case = call.node(root(), link.to).await?.as_ref().and_then(Case::read);
        items.extend(case.filter(|case| {
            case.open && args.assignee.is_none_or(|assignee| case.assignee == Some(assignee))
        }));
    }
    Ok(Reply::new(Page { items, cursor, end }))
}

/// Whose a case is to be.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Assign {
    /// What was reported.
    object: Object,
    /// The moderator who is to have it; nobody, if absent.
    to: Option<Uuid>,
}

/// Who has a case.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Assigned {
    /// What was reported.
    object: Object,
    /// The moderator who has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    assignee: Option<Uuid>,
}

/// Gives a case to somebody.
pub async fn assign(call: Call, args: Assign) -> Result<Reply<Assigned>, Stop> {
    call.replay(root()).await?;
    if let Some(Uuid(to)) = args.to
        && !call.holds(to, MODERATOR_ROLE).await?
        && !call.holds(to, ADMIN_ROLE).await?
    {
        return Err(Stop::invalid("/to", "value", "Somebody who is a moderator now."));
    }
    for _ in 0..ATTEMPTS {
        let held = Case::of(&call, args.object).await?;
        let case = held.case.filter(|case| case.open).ok_or_else(Stop::not_found)?;
        let reply = Assigned { object: args.object, assignee: args.to };
        if case.assignee == args.to {
            return Ok(Reply::new(reply));
        }
        let mut log = Log::open(&call).await?;
        let decision =
            Decision { object: Some(args.object), assignee: args.to, ..Decision::new(Action::Assigned) };
        log.add(&call, decision);
        let mut write = call.on(root()).when(held.unchanged);
        write.ops = Case { assignee: args.to, ..case }.put();
        match call.write(log.on(write), reply).await {
            Err(stop) if was_overtaken(&stop) => {}
            done => return done,
        }
    }
    Err(busy())
}

/// What a moderator found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// There is nothing wrong with it.
    Dismissed,
    /// There was, and something was done.
    Acted,
}

/// Which cases to close.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resolve {
    /// What was reported, 1 to 50 of them.
    objects: List<Object, 1, 50>,
    /// With which outcome.
    outcome: Outcome,
    /// For the log.
    note: Option<Text<1, 500>>,
}

/// What was closed.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resolved {
    /// Those that were open until now, in the order asked.
    resolved: Vec<Object>,
}

/// Closes cases, all or none.
pub async fn resolve(call: Call, args: Resolve) -> Result<Reply<Resolved>, Stop> {
    call.replay(root()).await?;
    let mut once = BTreeSet::new();
    let objects: Vec<Object> =
        args.objects.0.into_iter().filter(|object| once.insert(case_id(*object))).collect();
    let outcome = json(&args.outcome).trim_matches('"').to_owned();
    let reason = args.note.map_or(outcome.clone(), |note| format!("{outcome}: {}", note.0));
    for _ in 0..ATTEMPTS {
        let mut log = Log::open(&call).await?;
        let mut write = call.on(root());
        let mut resolved = Vec::new();
        for &object in &objects {
            let held = Case::of(&call, object).await?;
            let Some(case) = held.case.filter(|case| case.open) else { continue };
            // The reports themselves stay; here, the round alone is of use.
            let closed = Case { open: false, weight: 0, reports: Vec::new(), assignee: None, ..case };
            write.pre.push(held.unchanged);
            write.ops.extend(closed.put());
            resolved.push(object);
            let reason = Some(reason.clone());
            log.add(&call, Decision { object: Some(object), reason, ..Decision::new(Action::Resolved) });
        }
        if resolved.is_empty() && call.op.is_none() {
            return Ok(Reply::new(Resolved { resolved }));
        }
        match call.write(log.on(write), Resolved { resolved }).await {
            Err(stop) if was_overtaken(&stop) => {}
            done => return done,
        }
    }
    Err(busy())
}

/// Attribute of a case's node: all of it.
const CASE_ATTR: &str = "case";
/// How many reports are shown with a case.
const REPORTS_KEEP: usize = 10;
/// The last millisecond of the year 9999.
const END_OF_TIME_MS: u64 = 253_402_300_799_999;
