//! Reporting. What is reported is not told, neither by an event nor by a trace in its root.

use gomer_core::id::{Id, Section};
use gomer_core::vnode::command::Operation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cases::{Case, CaseReport, Reason};
use super::{ATTEMPTS, busy, root, was_overtaken};
use crate::methods::permission::check::{Object, ObjectKind};
use crate::methods::post::hydrate::Reader;
use crate::methods::post::view::{json, read};
use crate::model::{REPORT, REPORTED};
use crate::problem::Code;
use crate::registry::{Call, Reply, Stop};
use crate::types::{Text, Timestamp, Uuid};

/// A report to make.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewReport {
    /// Its id, chosen by the caller: sent again, it is the same report.
    id: Uuid,
    /// What is reported. I must be able to see it.
    object: Object,
    /// Why.
    reason: Reason,
    /// In my words.
    text: Option<Text<1, 500>>,
}

/// A report of mine.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Its id.
    id: Uuid,
    /// What is reported.
    object: Object,
    /// Why.
    reason: Reason,
    /// In my words.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// When.
    created_at: Timestamp,
}

/// Reports something.
pub async fn report(call: Call, args: NewReport) -> Result<Reply<Report>, Stop> {
    let me = call.me()?;
    call.replay(root()).await?;
    let id = args.id.0;
    if let Some(view) = call.node(root(), id).await? {
        let mine = view.node.ty == REPORT && view.node.author == me;
        let report = mine.then(|| read::<Report>(&view.node, REPORT_ATTR)).flatten();
        return report.map(Reply::new).ok_or_else(|| Code::IdTaken.into());
    }
    let owner = owner(&call, args.object).await?.ok_or_else(Stop::not_found)?;
    if owner == me {
        return Err(Stop::invalid("/object", "value", "Nobody reports what is their own."));
    }
    let text = args.text.map(|text| text.0);
    let (object, reason, created_at) = (args.object, args.reason, Timestamp(call.now.wall));
    let shown = CaseReport { id: args.id, reporter: Uuid(me), reason, text: text.clone(), created_at };
    let mark = Id::derived("reporter", format!("{}{me}", json(&object)).as_bytes());
    for _ in 0..ATTEMPTS {
        let held = Case::of(&call, object).await?;
        let round = held.case.as_ref().filter(|case| case.open).map(|case| case.round.to_string());
        let before = call.link(root(), REPORTED, mark).await?.map(|link| link.link.data);
        let counts = round.is_none() || before != round;
        let case = Case::reported(held.case, object, shown.clone(), counts);
        let report = Report { id: args.id, object, reason, text: text.clone(), created_at };
        let mut write = call.on(root()).when(held.unchanged).op(Operation::CreateNode {
            id,
            ty: REPORT,
            section: Section::INTERNAL,
            author: me,
            flags: Default::default(),
            attrs: vec![(REPORT_ATTR.to_owned(), json(&report))],
        });
        write.ops.extend(case.put());
        write.ops.push(Operation::PutLink {
            ty: REPORTED,
            to: mark,
            section: Section::INTERNAL,
            time: None,
            data: case.round.to_string(),
        });
        match call.write(write, report).await {
            Err(stop) if was_overtaken(&stop) => {
                if call.node(root(), id).await?.is_some_and(|view| view.node.author != me) {
                    return Err(Code::IdTaken.into());
                }
            }
            done => return done,
        }
    }
    Err(busy())
}

/// Whose it is; nothing if the caller may not know of it.
async fn owner(call: &Call, object: Object) -> Result<Option<Id>, Stop> {
    let mut reader = Reader::new(call);
    Ok(match object.kind {
        ObjectKind::Profile => reader.sees_profile(object.id.0).await?.then_some(object.id.0),
        ObjectKind::Post => reader.post(object.id.0).await?.map(|post| post.node.author),
    })
}

/// Attribute of a report's node: all of it.
const REPORT_ATTR: &str = "report";
