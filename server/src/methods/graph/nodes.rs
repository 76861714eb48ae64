//! Nodes: get, put, patch, delete.

use std::collections::BTreeMap;
use std::sync::Arc;

use gomer_core::id::{Id, Root};
use gomer_core::vnode::command::{Operation, Precondition};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::types::{AttrKind, Name, Type, TypeKind, declared};
use super::{Leave, is_app, may_read, may_write, refused};
use crate::methods::account::made::note;
use crate::methods::post::hydrate::Reader;
use crate::problem::{Code, Problem};
use crate::registry::{Call, NodeView, Reply, Rev, Stop};
use crate::types::{List, Timestamp, Uuid};

/// Most attributes of a node.
const ATTRIBUTES_MAX: usize = 200;

/// Attributes by name. `null` clears one, where it is patched.
type Attributes = BTreeMap<Name, Value>;

/// A node.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GraphNode {
    /// Its id.
    id: Uuid,
    /// Its type.
    #[serde(rename = "type")]
    of_type: String,
    /// Who made it; absent for the app's server.
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<Uuid>,
    /// Its attributes.
    #[schemars(with = "BTreeMap<String, Value>")]
    attributes: BTreeMap<String, Box<RawValue>>,
    /// Its revision.
    rev: Rev,
    /// When it was made; absent in the replies of procedures.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Timestamp>,
    /// When it was last changed; absent in the replies of procedures.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<Timestamp>,
}

impl GraphNode {
    fn read(id: Id, of_type: &str, view: &NodeView) -> GraphNode {
        let attributes =
            view.node.attrs.iter().filter_map(|(name, attr)| {
                Some((name.clone(), RawValue::from_string(attr.json.clone()?).ok()?))
            });
        GraphNode {
            id: Uuid(id),
            of_type: of_type.to_owned(),
            author: (view.node.author != Id::NIL).then_some(Uuid(view.node.author)),
            attributes: attributes.collect(),
            rev: view.rev,
            created_at: Some(Timestamp(view.node.created)),
            updated_at: Some(Timestamp(view.node.updated)),
        }
    }
}

/// Which nodes.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetNodes {
    /// 1 to 100 nodes.
    ids: List<Uuid, 1, 100>,
}

/// Nodes.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Nodes {
    /// Those that there are and that the caller may see, in the order asked.
    items: Vec<GraphNode>,
}

/// Shows nodes.
pub async fn get_nodes(call: Call, args: GetNodes) -> Result<Reply<Nodes>, Stop> {
    let mut reader = Reader::new(&call);
    let types = call.host.types.of(&call.app);
    let mut items = Vec::with_capacity(args.ids.0.len());
    for Uuid(id) in args.ids.0 {
        let Some(view) = call.node(Root::node(id), id).await? else { continue };
        let Some((name, of_type)) = types.by_number(view.node.ty.0) else { continue };
        if reads(&call, &mut reader, of_type, &view).await? {
            items.push(GraphNode::read(id, name, &view));
        }
    }
    Ok(Reply::new(Nodes { items }))
}

/// Whether the caller may read this node.
async fn reads(call: &Call, reader: &mut Reader, of_type: &Type, view: &NodeView) -> Result<bool, Stop> {
    let owns = call.maybe_me() == Some(view.node.author);
    match may_read(call, of_type) {
        _ if owns || is_app(call) => Ok(may_read(call, of_type) != Leave::No),
        Leave::Yes => reader.meets(view.node.author).await,
        Leave::IfOwner | Leave::No => Ok(false),
    }
}

/// A node to make or to replace.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PutNode {
    /// Its id, chosen by the caller.
    id: Uuid,
    /// Its type. Cannot be changed.
    #[serde(rename = "type")]
    of_type: Name,
    /// All its attributes.
    #[serde(default)]
    attributes: Attributes,
    /// Refuse if the node is not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

/// Makes or replaces a node.
pub async fn put_node(call: Call, args: PutNode) -> Result<Reply<GraphNode>, Stop> {
    let id = args.id.0;
    let root = Root::node(id);
    call.replay(root).await?;
    let of_type = declared(&call, &args.of_type, TypeKind::Node)?;
    check(&of_type, &args.attributes, false)?;
    let old = call.node(root, id).await?;
    let author = match (&old, may_write(&call, &of_type)) {
        (_, Leave::No) => {
            return Err(Stop::forbidden("The type's declaration does not let this caller write."));
        }
        (None, _) => call.author(),
        (Some(view), _) if view.node.ty != of_type.node() => return Err(Code::IdTaken.into()),
        (Some(view), leave) => {
            let owns = view.node.author == call.author();
            if leave == Leave::IfOwner && !owns {
                return Err(Code::IdTaken.into());
            }
            view.node.author
        }
    };
    let mut write = call.on(root);
    if args.if_rev.or(call.if_match).is_some() {
        let Some(view) = &old else { return Err(Code::StaleRevision.into()) };
        let now = GraphNode::read(id, &args.of_type.0, view);
        write.pre.extend(call.guard(id, view, args.if_rev, &now)?);
    }
    let attrs: Vec<(String, String)> = args
        .attributes
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.0.clone(), value.to_string()))
        .collect();
    let reply = GraphNode {
        id: args.id,
        of_type: args.of_type.0,
        author: (author != Id::NIL).then_some(Uuid(author)),
        attributes: attrs
            .iter()
            .filter_map(|(name, json)| Some((name.clone(), RawValue::from_string(json.clone()).ok()?)))
            .collect(),
        rev: Rev::Pending,
        created_at: None,
        updated_at: None,
    };
    let put = Operation::PutNode { id, ty: of_type.node(), section: of_type.section(), author, attrs };
    write.steps.extend(old.is_none().then(|| note(author, root)).flatten());
    call.write(write.op(put), reply).await
}

/// What to change of a node.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PatchNode {
    /// The node.
    id: Uuid,
    /// Attributes to set; `null` clears one. Others are left as they are.
    attributes: Attributes,
    /// Refuse if the node is not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

/// How often a patch that nobody guarded is tried again when others change the same node.
const ATTEMPTS: usize = 4;

/// Changes attributes.
pub async fn patch_node(call: Call, args: PatchNode) -> Result<Reply<GraphNode>, Stop> {
    let id = args.id.0;
    let root = Root::node(id);
    call.replay(root).await?;
    for _ in 0..ATTEMPTS {
        let (name, of_type, view) = writable(&call, id).await?;
        check(&of_type, &args.attributes, true)?;
        let before = GraphNode::read(id, &name, &view);
        let guard = call.guard(id, &view, args.if_rev, &before)?;
        let guarded = guard.is_some();
        // From the state that was read, so that the reply is exactly what holds after it.
        let attrs: Vec<(String, Option<String>)> = args
            .attributes
            .iter()
            .map(|(name, value)| (name.0.clone(), (!value.is_null()).then(|| value.to_string())))
            .collect();
        let mut reply = GraphNode { rev: Rev::Pending, created_at: None, updated_at: None, ..before };
        let edited = call.edited_in(&view.node);
        for (name, json) in &attrs {
            let stamp = gomer_core::rows::node::Stamp {
                time: edited.unwrap_or(call.now.wall),
                op: call.op.map_or(Id::NIL, |op| op.id),
            };
            // The same rule by which it will be applied: the later stamp wins.
            if edited.is_some() && view.node.attrs.get(name).is_some_and(|old| old.stamp > stamp) {
                continue;
            }
            match json {
                Some(json) => {
                    let json = RawValue::from_string(json.clone()).expect("it was a JSON value a moment ago");
                    reply.attributes.insert(name.clone(), json);
                }
                None => drop(reply.attributes.remove(name)),
            }
        }
        let write = call
            .on(root)
            .when(guard.unwrap_or(Precondition::NodeRev(id, view.node.rev)))
            .op(Operation::PatchNode { id, attrs, edited });
        match call.write(write, reply).await {
            Err(stop) if stop.code() == Some(Code::StaleRevision) && !guarded => {}
            Err(stop) if stop.code() == Some(Code::StaleRevision) => {
                let (name, _, view) = writable(&call, id).await?;
                let now = GraphNode::read(id, &name, &view);
                return Err(Problem::new(Code::StaleRevision).current(view.rev, &now).into());
            }
            done => return done,
        }
    }
    Err(Problem::new(Code::Busy).retry_after(1).into())
}

/// Which node.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeleteNode {
    /// The node.
    id: Uuid,
    /// Refuse if the node is not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

/// What is gone.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deleted {
    /// Its id.
    id: Uuid,
    /// Always true.
    deleted: bool,
}

/// Deletes a node.
pub async fn delete_node(call: Call, args: DeleteNode) -> Result<Reply<Deleted>, Stop> {
    let id = args.id.0;
    let root = Root::node(id);
    call.replay(root).await?;
    let deleted = Deleted { id: args.id, deleted: true };
    if let (None, true) = call.node_or_tombstone(root, id).await? {
        return Ok(Reply::new(deleted));
    }
    let (name, _, view) = writable(&call, id).await?;
    let guard = call.guard(id, &view, args.if_rev, &GraphNode::read(id, &name, &view))?;
    let mut write = call.on(root).op(Operation::DeleteNode { id });
    write.pre.extend(guard);
    call.write(write, deleted).await
}

/// A node that the caller may write, with the name of its type and the type.
async fn writable(call: &Call, id: Id) -> Result<(String, Arc<Type>, NodeView), Stop> {
    let view = call.node(Root::node(id), id).await?.ok_or_else(Stop::not_found)?;
    let types = call.host.types.of(&call.app);
    let (name, of_type) = types.by_number(view.node.ty.0).ok_or_else(Stop::not_found)?;
    let owns = call.maybe_me() == Some(view.node.author);
    match may_write(call, of_type) {
        Leave::Yes if owns || is_app(call) || Reader::new(call).meets(view.node.author).await? => {}
        Leave::IfOwner if owns => {}
        Leave::Yes => return Err(Stop::not_found()),
        Leave::IfOwner | Leave::No => {
            let sees = reads(call, &mut Reader::new(call), of_type, &view).await?;
            return Err(if sees { refused(call, of_type) } else { Stop::not_found() });
        }
    }
    Ok((name.to_owned(), of_type.clone(), view))
}

/// Whether the attributes are those that the type declares.
fn check(of_type: &Type, attributes: &Attributes, may_clear: bool) -> Result<(), Stop> {
    if attributes.len() > ATTRIBUTES_MAX {
        return Err(Problem::new(Code::TooLarge)
            .detail(format!("The limit is {ATTRIBUTES_MAX} attributes."))
            .into());
    }
    let Some(declared) = &of_type.declared.attributes else { return Ok(()) };
    for (name, value) in attributes {
        let pointer = || format!("/attributes/{}", name.0);
        let Some(kind) = declared.get(&name.0) else {
            return Err(Stop::invalid(
                pointer(),
                "unknown-attribute",
                "The type declares no such attribute.",
            ));
        };
        let fits = match (kind, value) {
            (_, Value::Null) => may_clear || *kind == AttrKind::Any,
            (AttrKind::Any, _)
            | (AttrKind::String, Value::String(_))
            | (AttrKind::Number, Value::Number(_))
            | (AttrKind::Boolean, Value::Bool(_))
            | (AttrKind::Array, Value::Array(_))
            | (AttrKind::Object, Value::Object(_)) => true,
            _ => false,
        };
        if !fits {
            return Err(Stop::invalid(pointer(), "type", "The type declares another kind of value."));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::types::Declaration;
    use super::*;

    #[test]
    fn a_stored_declaration_keeps_its_meaning() {
        let json = r#"{"kind":"node","read":"user","write":"owner","attributes":{"title":"string","size":"number"}}"#;
        let declared: Declaration = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_value(&declared).unwrap(), serde_json::from_str::<Value>(json).unwrap());
    }
}
