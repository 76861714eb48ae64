//! Links: put, change type, delete, get, list, count.

use gomer_core::id::{Id, Root};
use gomer_core::rows::applied::Eras;
use gomer_core::vnode::command::{Operation, Step};
use gomer_core::vnode::query::{Answer, LinkPlace, LinkView, Query};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::types::{EndKind, Name, Type, TypeKind, declared};
use super::{Leave, is_app, may_read, may_write, refused};
use crate::methods::post::hydrate::Reader;
use crate::problem::Code;
use crate::registry::{Call, Reply, Rev, Stop};
use crate::types::{Limit, List, Timestamp, Uuid};

/// A link.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GraphLink {
    /// What it starts from.
    from: Uuid,
    /// Its type.
    #[serde(rename = "type")]
    of_type: String,
    /// What it leads to.
    to: Uuid,
    /// Its data; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    data: Option<Box<RawValue>>,
    /// Its time, by which lists are ordered; absent in the replies of procedures that did not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<Timestamp>,
    /// Its revision.
    rev: Rev,
}

impl GraphLink {
    fn read(from: Id, of_type: &str, view: LinkView, eras: &Eras) -> GraphLink {
        GraphLink {
            from: Uuid(from),
            of_type: of_type.to_owned(),
            to: Uuid(view.to),
            data: RawValue::from_string(view.link.data).ok(),
            time: Some(Timestamp(view.time)),
            rev: Rev::of(view.link.rev, eras),
        }
    }
}

/// A link to add or to change.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PutLink {
    /// What it starts from.
    from: Uuid,
    /// Its type.
    #[serde(rename = "type")]
    of_type: Name,
    /// What it leads to. Need not exist.
    to: Uuid,
    /// Its data: any JSON value.
    data: Option<Value>,
    /// Its time, by which lists are ordered. If absent, a new link gets the server's, and one that exists keeps
    /// its own.
    time: Option<Timestamp>,
}

/// Adds or changes a link.
pub async fn put_link(call: Call, args: PutLink) -> Result<Reply<GraphLink>, Stop> {
    let of_type = declared(&call, &args.of_type, TypeKind::Link)?;
    let root = of_type.declared.from.root(args.from.0);
    call.replay(root).await?;
    writable(&call, &of_type, args.from.0).await?;
    let data = args.data.filter(|data| !data.is_null()).map_or(String::new(), |data| data.to_string());
    let time = args.time.map(|time| time.0);
    let put = |of_type: &Type, to: Id| Operation::PutLink {
        ty: of_type.link(),
        to,
        section: of_type.section(),
        time,
        data: data.clone(),
    };
    let mut write = call.on(root).op(put(&of_type, args.to.0));
    if let Some(inverse) = of_type.inverse(&call) {
        let there = inverse.declared.from.root(args.to.0);
        write = write.step(Step::to(there, vec![put(&inverse, args.from.0)]));
    }
    let reply = GraphLink {
        from: args.from,
        of_type: args.of_type.0,
        to: args.to,
        data: RawValue::from_string(data.clone()).ok(),
        time: args.time,
        rev: Rev::Pending,
    };
    call.write(write, reply).await
}

/// A link to move to another list.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeLinkType {
    /// What it starts from.
    from: Uuid,
    /// Its type now.
    #[serde(rename = "type")]
    of_type: Name,
    /// What it leads to.
    to: Uuid,
    /// The type that it gets. Its links start from and lead to the same kinds.
    new_type: Name,
}

/// Changes a link's type. If the link already has the new one, nothing changes.
pub async fn change_link_type(call: Call, args: ChangeLinkType) -> Result<Reply<GraphLink>, Stop> {
    let old = declared(&call, &args.of_type, TypeKind::Link)?;
    let new = declared(&call, &args.new_type, TypeKind::Link)
        .map_err(|_| Stop::invalid("/newType", "value", "No such type is declared."))?;
    let ends = |of_type: &Type| (of_type.declared.from, of_type.declared.to, of_type.section());
    if ends(&old) != ends(&new) {
        let detail = "Both types must have the same ends and the same readers.";
        return Err(Stop::invalid("/newType", "value", detail));
    }
    let (from, to) = (args.from.0, args.to.0);
    let root = old.declared.from.root(from);
    call.replay(root).await?;
    writable(&call, &old, from).await?;
    writable(&call, &new, from).await?;
    let Some(link) = call.link(root, old.link(), to).await? else {
        // Made before, as far as anybody can tell: the call says a final state.
        let reading = call.read(root, Query::Links { ty: new.link(), to: vec![to] }).await?;
        let Answer::Links(mut links) = reading.answer else { return Err(Code::Internal.into()) };
        let link = links.pop().flatten().ok_or_else(Stop::not_found)?;
        return Ok(Reply::new(GraphLink::read(from, &args.new_type.0, link, &reading.eras)));
    };
    let mut write = call.on(root).op(Operation::RetypeLink { from: old.link(), into: new.link(), to });
    let there = old.declared.to.root(to);
    let step = match (old.inverse(&call), new.inverse(&call)) {
        (Some(old), Some(new)) if old.section() == new.section() => {
            vec![Operation::RetypeLink { from: old.link(), into: new.link(), to: from }]
        }
        (old, new) => {
            let delete = old.map(|old| Operation::DeleteLink { ty: old.link(), to: from });
            let put = new.map(|new| Operation::PutLink {
                ty: new.link(),
                to: from,
                section: new.section(),
                time: Some(link.time),
                data: link.link.data.clone(),
            });
            delete.into_iter().chain(put).collect()
        }
    };
    if !step.is_empty() {
        write = write.step(Step::to(there, step));
    }
    let reply =
        GraphLink { rev: Rev::Pending, ..GraphLink::read(from, &args.new_type.0, link, &Eras::default()) };
    call.write(write, reply).await
}

/// Which link.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeleteLink {
    /// What it starts from.
    from: Uuid,
    /// Its type.
    #[serde(rename = "type")]
    of_type: Name,
    /// What it leads to.
    to: Uuid,
}

/// What is gone.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeletedLink {
    /// What it started from.
    from: Uuid,
    /// Its type.
    #[serde(rename = "type")]
    of_type: String,
    /// What it led to.
    to: Uuid,
    /// Always true.
    deleted: bool,
}

/// Removes a link.
pub async fn delete_link(call: Call, args: DeleteLink) -> Result<Reply<DeletedLink>, Stop> {
    let of_type = declared(&call, &args.of_type, TypeKind::Link)?;
    let root = of_type.declared.from.root(args.from.0);
    call.replay(root).await?;
    writable(&call, &of_type, args.from.0).await?;
    let mut write = call.on(root).op(Operation::DeleteLink { ty: of_type.link(), to: args.to.0 });
    if let Some(inverse) = of_type.inverse(&call) {
        let delete = Operation::DeleteLink { ty: inverse.link(), to: args.from.0 };
        write = write.step(Step::to(inverse.declared.from.root(args.to.0), vec![delete]));
    }
    let deleted = DeletedLink { from: args.from, of_type: args.of_type.0, to: args.to, deleted: true };
    call.write(write, deleted).await
}

/// Links to some others.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetLinks {
    /// What they start from.
    from: Uuid,
    /// Their type.
    #[serde(rename = "type")]
    of_type: Name,
    /// 1 to 100 others.
    to: List<Uuid, 1, 100>,
}

/// Links.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Links {
    /// Those that there are, in the order asked.
    items: Vec<GraphLink>,
}

/// Shows links.
pub async fn get_links(call: Call, args: GetLinks) -> Result<Reply<Links>, Stop> {
    let of_type = declared(&call, &args.of_type, TypeKind::Link)?;
    let from = args.from.0;
    readable(&call, &of_type, from).await?;
    let to = args.to.0.into_iter().map(|to| to.0).collect();
    let reading =
        call.read(of_type.declared.from.root(from), Query::Links { ty: of_type.link(), to }).await?;
    let Answer::Links(links) = reading.answer else { return Err(Code::Internal.into()) };
    let links = shown(&call, &of_type, links.into_iter().flatten().collect()).await?;
    let items =
        links.into_iter().map(|link| GraphLink::read(from, &args.of_type.0, link, &reading.eras)).collect();
    Ok(Reply::new(Links { items }))
}

/// Part of a link list.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListLinks {
    /// What they start from.
    from: Uuid,
    /// Their type.
    #[serde(rename = "type")]
    of_type: Name,
    /// Not older than this.
    since: Option<Timestamp>,
    /// Not newer than this.
    until: Option<Timestamp>,
    /// How many at most.
    #[serde(default)]
    limit: Limit<50, 1000>,
    /// From an earlier page.
    cursor: Option<String>,
}

/// A page of a link list.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LinkList {
    /// Newest first.
    items: Vec<GraphLink>,
    /// Where the next page begins. Absent when the list was empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    /// Whether this was the last page for now.
    end: bool,
}

/// Lists links.
pub async fn list_links(call: Call, args: ListLinks) -> Result<Reply<LinkList>, Stop> {
    let of_type = declared(&call, &args.of_type, TypeKind::Link)?;
    let from = args.from.0;
    let (since, until) = (args.since.map(|time| time.0), args.until.map(|time| time.0));
    let list = format!("graph.listLinks/{from}/{}/{since:?}/{until:?}", of_type.link().0);
    let after: Option<LinkPlace> = call.open_cursor(&list, args.cursor.as_deref())?;
    readable(&call, &of_type, from).await?;
    let query = Query::LinkPage { ty: of_type.link(), after, since, until, limit: args.limit.0 };
    let reading = call.read(of_type.declared.from.root(from), query).await?;
    let Answer::LinkPage(links, end) = reading.answer else { return Err(Code::Internal.into()) };
    let place = links.last().map(|last| LinkPlace { time: last.time, to: last.to });
    let cursor = place.map(|place| call.seal_cursor(&list, &place)).or(args.cursor);
    let links = shown(&call, &of_type, links).await?;
    let items =
        links.into_iter().map(|link| GraphLink::read(from, &args.of_type.0, link, &reading.eras)).collect();
    Ok(Reply::new(LinkList { items, cursor, end }))
}

/// Which list.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CountLinks {
    /// What the links start from.
    from: Uuid,
    /// Their type.
    #[serde(rename = "type")]
    of_type: Name,
}

/// How many links there are.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LinkTotal {
    /// Links of that type that start there.
    count: u64,
}

/// Counts links.
pub async fn count_links(call: Call, args: CountLinks) -> Result<Reply<LinkTotal>, Stop> {
    let of_type = declared(&call, &args.of_type, TypeKind::Link)?;
    readable(&call, &of_type, args.from.0).await?;
    let root = of_type.declared.from.root(args.from.0);
    let count = call.counts(root, vec![of_type.link()]).await?.pop().unwrap_or(0);
    Ok(Reply::new(LinkTotal { count }))
}

/// Who owns what a link starts from: a profile owns itself, nodes and posts are their authors'.
async fn owner(call: &Call, of_type: &Type, from: Id) -> Result<Option<Id>, Stop> {
    let root = of_type.declared.from.root(from);
    match of_type.declared.from {
        EndKind::Profile => Ok(Some(from)),
        EndKind::Node | EndKind::Post => Ok(call.node(root, from).await?.map(|view| view.node.author)),
    }
}

/// Refuses those who may not write links of this type from there.
async fn writable(call: &Call, of_type: &Type, from: Id) -> Result<(), Stop> {
    match may_write(call, of_type) {
        Leave::Yes if is_app(call) => Ok(()),
        Leave::Yes => reaches(call, of_type, from).await,
        Leave::IfOwner => match owner(call, of_type, from).await? {
            Some(owner) if call.maybe_me() == Some(owner) => Ok(()),
            Some(_) => {
                reaches(call, of_type, from).await?;
                Err(refused(call, of_type))
            }
            None => Err(Stop::not_found()),
        },
        Leave::No => Err(refused(call, of_type)),
    }
}

/// Refuses those who may not read links of this type from there, as if there were none.
async fn readable(call: &Call, of_type: &Type, from: Id) -> Result<(), Stop> {
    match may_read(call, of_type) {
        Leave::Yes if is_app(call) => Ok(()),
        Leave::Yes => reaches(call, of_type, from).await,
        Leave::IfOwner
            if owner(call, of_type, from).await? == call.maybe_me() && call.maybe_me().is_some() =>
        {
            Ok(())
        }
        Leave::IfOwner | Leave::No => Err(Stop::not_found()),
    }
}

/// Refuses where the caller may not know of what the links start from. A node that does not exist has no
/// links that anybody could be told of, but may get some, as in TAO.
async fn reaches(call: &Call, of_type: &Type, from: Id) -> Result<(), Stop> {
    let mut reader = Reader::new(call);
    let sees = match of_type.declared.from {
        EndKind::Profile => reader.sees_profile(from).await?,
        EndKind::Post => reader.post(from).await?.is_some(),
        EndKind::Node => match call.node(Root::node(from), from).await? {
            Some(view) => reader.meets(view.node.author).await?,
            None => true,
        },
    };
    if sees { Ok(()) } else { Err(Stop::not_found()) }
}

/// Links without those to people whom the caller may not see.
async fn shown(call: &Call, of_type: &Type, mut links: Vec<LinkView>) -> Result<Vec<LinkView>, Stop> {
    if of_type.declared.to == EndKind::Profile && !is_app(call) {
        let seen = Reader::new(call).profiles(links.iter().map(|link| link.to)).await?;
        links.retain(|link| seen.contains(&link.to));
    }
    Ok(links)
}
