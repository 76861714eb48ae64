//! What somebody made and what ties them to others, one thing at a time: how it is counted, and how it goes.

use gomer_core::fault::Fault;
use gomer_core::id::{Id, LinkType, Order, Root, RootKind, StreamId};
use gomer_core::vnode::command::{Operation, Step, Write};
use gomer_core::vnode::query::{LinkPlace, LinkView, PAGE_MAX};
use serde_json::{Value, json};

use super::made::thing_of;
use crate::methods::graph::types::EndKind;
use crate::methods::notification::notice::{Kind, retract};
use crate::methods::post::view::{MENTIONS, read};
use crate::methods::reply::view::{Comment, reply_count, reply_count_id};
use crate::model::{
    BLOCKED_BY, BLOCKS, FOLLOWED_BY, FOLLOWS, LIKES, MADE, REPLIES, REQUESTED, REQUESTED_BY, SHOWN_IN,
};
use crate::problem::Code;
use crate::registry::{Call, Caller, RawArgs, Stop};
use crate::types::Uuid;

/// Rows of the root of one thing that are erased at once.
const ERASE_AT_ONCE: u16 = 200;

/// Deletes something of this person's, as they would, and what its root still holds.
pub async fn delete(call: &Call, who: Id, thing: Root) -> Result<(), Stop> {
    let args = json!({ "id": thing.id.to_string() });
    let method = match thing.kind {
        RootKind::Post => {
            untell_post(call, who, thing).await?;
            "post.delete"
        }
        RootKind::Photo => "photo.delete",
        RootKind::Album => "album.delete",
        RootKind::CheckIn => "checkin.delete",
        RootKind::Share => "share.delete",
        RootKind::Node => "graph.deleteNode",
        RootKind::Reply => return delete_reply(call, who, thing).await,
        RootKind::ShortLink => return erase_all(call, thing).await,
        // What a newer program lists there is not for this one to delete.
        _ => return Ok(()),
    };
    // Whose it is: an entry in the own stream may be about another's thing.
    let node = call.node(thing, thing.id).await?;
    if node.is_some_and(|view| view.node.author != who) {
        return Ok(());
    }
    run_as(call, who, method, args).await?;
    erase_all(call, thing).await
}

/// Takes back what the people that a post mentions were told.
async fn untell_post(call: &Call, who: Id, post: Root) -> Result<(), Stop> {
    let Some(view) = call.node(post, post.id).await? else { return Ok(()) };
    let mentioned: Vec<Uuid> = read(&view, MENTIONS).unwrap_or_default();
    untell(call, post, mentioned.iter().map(|id| (id.0, retract(Kind::Mention, who, post)))).await
}

async fn untell(call: &Call, at: Root, told: impl Iterator<Item = (Id, Operation)>) -> Result<(), Stop> {
    let mut write = Write::new(call.app.id, at, Id::NIL);
    write.steps.extend(told.map(|(person, op)| Step::to(Root::profile(person), vec![op])));
    if !write.steps.is_empty() {
        call.cluster.write(write).await?;
    }
    Ok(())
}

/// A reply that others reply to keeps its place, without a word; another one goes whole.
async fn delete_reply(call: &Call, who: Id, reply: Root) -> Result<(), Stop> {
    let Some(view) = call.node(reply, reply.id).await? else { return erase_all(call, reply).await };
    let Some(comment) = Comment::read(reply.id, &view).filter(|comment| comment.author.0 == who) else {
        return Ok(());
    };
    let parent = comment.to.root();
    let author = call.node(parent, parent.id).await?.map(|view| view.node.author);
    let told = author.map(|author| (author, retract(Kind::Reply, who, reply)));
    let mentioned = comment.mentions.iter().map(|id| (id.0, retract(Kind::Mention, who, reply)));
    untell(call, reply, told.into_iter().chain(mentioned)).await?;
    run_as(call, who, "reply.delete", json!({ "id": reply.id.to_string() })).await?;
    let counts = call.node(reply, reply_count_id(reply.id)).await?;
    if reply_count(counts.as_ref().map(|view| &view.node)) > 0 {
        return erase_records(call, reply, who).await;
    }
    let unlist = Step::to(parent, vec![Operation::Retract { stream: REPLIES, id: reply.id }]);
    call.cluster.write(Write::new(call.app.id, reply, Id::NIL).step(unlist)).await?;
    erase_all(call, reply).await
}

/// Takes back one link of this person's, at both ends.
pub async fn untie(call: &Call, who: Id, ty: LinkType, link: &LinkView) -> Result<(), Stop> {
    let other = link.to;
    let to = |id: Id| json!({ "id": id.to_string() });
    match ty {
        LIKES => run_as(call, who, "like.delete", to(other)).await,
        FOLLOWS | REQUESTED => run_as(call, who, "follow.delete", to(other)).await,
        FOLLOWED_BY | REQUESTED_BY => run_as(call, other, "follow.delete", to(who)).await,
        BLOCKS => run_as(call, who, "block.delete", to(other)).await,
        BLOCKED_BY => run_as(call, other, "block.delete", to(who)).await,
        SHOWN_IN => {
            let args = json!({ "id": other.to_string(), "profile": who.to_string() });
            run_as(call, who, "photo.untagProfile", args).await
        }
        MADE => match thing_of(&link.link.data) {
            Some(thing) => delete(call, who, thing).await,
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Takes back the links of the app's own types that begin at this person, at both ends.
pub async fn own_links(call: &Call, who: Id) -> Result<(), Stop> {
    let types = call.host.types.of(&call.app);
    for (name, of_type) in types.links() {
        if of_type.declared.from != EndKind::Profile {
            continue;
        }
        let mut after = None;
        loop {
            let (page, end) = call.link_page(Root::profile(who), of_type.link(), after, PAGE_MAX).await?;
            after = page.last().map(|last| LinkPlace { time: last.time, to: last.to });
            for link in &page {
                let mut write = Write::new(call.app.id, Root::profile(who), Id::NIL)
                    .op(Operation::DeleteLink { ty: of_type.link(), to: link.to });
                if let Some(inverse) = of_type.inverse(call) {
                    let back = Operation::DeleteLink { ty: inverse.link(), to: who };
                    write = write.step(Step::to(inverse.declared.from.root(link.to), vec![back]));
                }
                call.cluster.write(write).await?;
            }
            if end {
                break;
            }
        }
        tracing::debug!(name, "links of an app's own type were taken back");
    }
    Ok(())
}

/// Calls a method as this person. What is gone already, or was never theirs, is none of an erasure's worries.
async fn run_as(call: &Call, who: Id, name: &'static str, args: Value) -> Result<(), Stop> {
    let method = call.host.registry.get(name).ok_or(Code::Internal)?;
    let caller = Caller::Server { acting_as: Some(who) };
    let own = Call::own(&call.host, call.app.clone(), caller, method.name);
    match (method.handler)(own, RawArgs::Json(args.to_string().into())).await {
        Ok(_) | Err(Stop::Replay(_)) => Ok(()),
        Err(stop) => match stop.code() {
            Some(Code::NotFound | Code::Forbidden | Code::Invalid | Code::IdTaken) => Ok(()),
            _ => Err(stop),
        },
    }
}

/// Erases at most `rows` rows of a root: whether there were any.
pub async fn erase(call: &Call, root: Root, rows: u16) -> Result<bool, Stop> {
    let op = Operation::Erase { records_of: None, rows };
    Ok(call.cluster.write(Write::new(call.app.id, root, Id::NIL).op(op)).await?.changed())
}

/// Erases a root.
async fn erase_all(call: &Call, root: Root) -> Result<(), Stop> {
    while erase(call, root, ERASE_AT_ONCE).await? {}
    Ok(())
}

/// Erases what is remembered of this person's operations on somebody else's root.
pub async fn erase_records(call: &Call, root: Root, who: Id) -> Result<(), Stop> {
    loop {
        let op = Operation::Erase { records_of: Some(who), rows: ERASE_AT_ONCE };
        match call.cluster.write(Write::new(call.app.id, root, Id::NIL).op(op)).await {
            Ok(outcome) if outcome.changed() => {}
            Ok(_) | Err(Fault::Absent) => return Ok(()),
            Err(fault) => return Err(fault.into()),
        }
    }
}

/// How many entries of a stream are about such an object.
pub async fn count(
    call: &Call,
    root: Root,
    stream: StreamId,
    counts: impl Fn(Root) -> bool,
) -> Result<u64, Stop> {
    let (mut count, mut from): (u64, Option<Order>) = (0, None);
    loop {
        let (page, end) = call.entry_page(root, stream, from, false, PAGE_MAX).await?;
        from = page.last().map_or(from, |last| Some(last.order));
        count += page.iter().filter(|view| counts(view.entry.activity.object)).count() as u64;
        if end {
            return Ok(count);
        }
    }
}

/// How many replies, nodes and short links somebody made.
pub async fn count_made(call: &Call, own: Root) -> Result<[(&'static str, u64); 3], Stop> {
    let mut counts = [("replies", 0), ("nodes", 0), ("shortLinks", 0)];
    let mut after = None;
    loop {
        let (page, end) = call.link_page(own, MADE, after, PAGE_MAX).await?;
        after = page.last().map(|last| LinkPlace { time: last.time, to: last.to });
        for thing in page.iter().filter_map(|link| thing_of(&link.link.data)) {
            match thing.kind {
                RootKind::Reply => counts[0].1 += 1,
                RootKind::Node => counts[1].1 += 1,
                RootKind::ShortLink => counts[2].1 += 1,
                _ => {}
            }
        }
        if end {
            return Ok(counts);
        }
    }
}
