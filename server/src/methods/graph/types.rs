//! Declarations of an app's own node and link types: what they are, who reads and who writes.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use gomer_core::id::{AppId, Id, LinkType, NodeType, Root, Section};
use gomer_core::meta::command::MetaCommand;
use gomer_core::meta::state::{App, TypeDecl};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::problem::{Code, Problem};
use crate::registry::{Call, Reply, Rev, Stop};
use crate::types::Empty;

/// Most types of one app.
const TYPES_MAX: usize = 1_000;

/// The name of a type or attribute: a letter, then up to 63 letters, digits or underscores.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Name(#[schemars(regex(pattern = r"^[A-Za-z][A-Za-z0-9_]{0,63}$"))] pub String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Name, D::Error> {
        let text = String::deserialize(from)?;
        let good = text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.len() <= 64
            && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
        if good {
            Ok(Name(text))
        } else {
            Err(D::Error::custom("format: a letter, then letters, digits or `_`, 64 at most"))
        }
    }
}

/// Whether a type is of nodes or of links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TypeKind {
    /// Nodes.
    Node,
    /// Links.
    Link,
}

/// Who may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Readers {
    /// Everybody who has the client key.
    Anyone,
    /// Everybody who is signed in.
    User,
    /// The owner: who made the node; of a link, the owner of what it starts from.
    Owner,
    /// The app's server.
    Server,
}

/// Who may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Writers {
    /// Everybody who is signed in, also what others made.
    User,
    /// Everybody who is signed in, their own: who made the node; of a link, the owner of what it starts from.
    Owner,
    /// The app's server.
    Server,
}

/// What an attribute holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AttrKind {
    /// Text.
    String,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A list.
    Array,
    /// An object.
    Object,
    /// Anything.
    Any,
}

/// What a link starts from or leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum EndKind {
    /// A node of the app's own types.
    #[default]
    Node,
    /// A profile.
    Profile,
    /// A post.
    Post,
}

impl EndKind {
    /// The root with this id.
    pub fn root(self, id: Id) -> Root {
        match self {
            EndKind::Node => Root::node(id),
            EndKind::Profile => Root::profile(id),
            EndKind::Post => Root::post(id),
        }
    }
}

/// A declaration, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Declaration {
    /// Nodes or links.
    pub kind: TypeKind,
    /// Who may read.
    pub read: Readers,
    /// Who may write.
    pub write: Writers,
    /// Attributes of nodes and what they hold; any, if absent. Links have `data`, which is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<BTreeMap<String, AttrKind>>,
    /// What links start from.
    #[serde(default, skip_serializing_if = "is_node")]
    pub from: EndKind,
    /// What links lead to.
    #[serde(default, skip_serializing_if = "is_node")]
    pub to: EndKind,
    /// The link type that is kept the other way round. Declare it too; it takes effect once it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inverse: Option<String>,
}

fn is_node(end: &EndKind) -> bool {
    *end == EndKind::Node
}

/// A declared type, ready to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type {
    number: u16,
    /// What was declared.
    pub declared: Declaration,
}

impl Type {
    /// Its number as a node type.
    pub fn node(&self) -> NodeType {
        NodeType(self.number)
    }

    /// Its number as a link type.
    pub fn link(&self) -> LinkType {
        LinkType(self.number)
    }

    /// Where its nodes or links stand: what a section's readers may not read is not in it.
    pub fn section(&self) -> Section {
        match self.declared.read {
            Readers::Anyone | Readers::User => Section::PUBLIC,
            Readers::Owner => Section::PRIVATE,
            Readers::Server => Section::INTERNAL,
        }
    }

    /// Its inverse, if one is declared and there.
    pub fn inverse(&self, call: &Call) -> Option<Arc<Type>> {
        call.host.types.of(&call.app).find(self.declared.inverse.as_deref()?, TypeKind::Link)
    }
}

/// The declared types of one app.
#[derive(Debug, Default)]
pub struct Types {
    by_name: BTreeMap<String, Arc<Type>>,
    names: BTreeMap<u16, String>,
}

impl Types {
    fn read(app: &App) -> Types {
        let mut types = Types::default();
        for (name, decl) in &app.types {
            types.names.insert(decl.number, name.clone());
            if let Some(of_type) = parse(decl) {
                types.by_name.insert(name.clone(), Arc::new(of_type));
            }
        }
        types
    }

    fn find(&self, name: &str, kind: TypeKind) -> Option<Arc<Type>> {
        self.by_name.get(name).filter(|found| found.declared.kind == kind).cloned()
    }

    /// Names and declarations of the links.
    pub fn links(&self) -> impl Iterator<Item = (&str, &Arc<Type>)> {
        let links = self.by_name.iter().filter(|(_, found)| found.declared.kind == TypeKind::Link);
        links.map(|(name, found)| (name.as_str(), found))
    }

    /// Name and declaration of the type with that number.
    pub fn by_number(&self, number: u16) -> Option<(&str, &Arc<Type>)> {
        let name = self.names.get(&number)?;
        Some((name, self.by_name.get(name)?))
    }
}

/// Apps' declared types, parsed once for each state that the metadata has of an app: nearly every call on the
/// graph asks for one.
#[derive(Debug, Default)]
pub struct TypesCache {
    parsed: RwLock<BTreeMap<AppId, Parsed>>,
}

/// A state of an app, and the types that it declares.
type Parsed = (Arc<App>, Arc<Types>);

impl TypesCache {
    /// The types of an app, as of this state of it.
    pub fn of(&self, app: &Arc<App>) -> Arc<Types> {
        if let Some((of, types)) = self.parsed.read().expect(UNPOISONED).get(&app.id)
            && Arc::ptr_eq(of, app)
        {
            return types.clone();
        }
        let types = Arc::new(Types::read(app));
        self.parsed.write().expect(UNPOISONED).insert(app.id, (app.clone(), types.clone()));
        types
    }
}

const UNPOISONED: &str = "nothing panics under this lock";

fn parse(decl: &TypeDecl) -> Option<Type> {
    Some(Type { number: decl.number, declared: serde_json::from_str(&decl.json).ok()? })
}

/// The type of that name and kind; 422 if none is declared.
pub fn declared(call: &Call, name: &Name, kind: TypeKind) -> Result<Arc<Type>, Stop> {
    call.host.types.of(&call.app).find(&name.0, kind).ok_or_else(|| {
        let detail = "No such type is declared. `graph.listTypes` shows those that are.";
        Stop::invalid("/type", "value", detail)
    })
}

/// A type to declare, or to declare again.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PutType {
    /// Its name, unique over node and link types. Never changes.
    name: Name,
    /// Nodes or links. Cannot be changed.
    kind: TypeKind,
    /// Who may read. Cannot be changed, because it decides where things are stored.
    read: Readers,
    /// Who may write.
    write: Writers,
    /// Attributes of nodes and what they hold; any, if absent.
    attributes: Option<BTreeMap<Name, AttrKind>>,
    /// What links start from: a node, if absent. Cannot be changed.
    #[serde(default)]
    from: EndKind,
    /// What links lead to: a node, if absent. Cannot be changed.
    #[serde(default)]
    to: EndKind,
    /// The link type that is kept the other way round.
    inverse: Option<Name>,
    /// Refuse if the declaration is not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

/// A declared type.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypeView {
    /// Its name.
    name: String,
    /// What was declared.
    #[serde(flatten)]
    declared: Declaration,
    /// The declaration's revision.
    rev: Rev,
}

/// All types of an app.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypeList {
    /// By name.
    items: Vec<TypeView>,
}

/// Declares a type.
pub async fn put_type(call: Call, args: PutType) -> Result<Reply<TypeView>, Stop> {
    let PutType { name, kind, read, write, attributes, from, to, inverse, if_rev } = args;
    let declared = Declaration {
        kind,
        read,
        write,
        attributes: attributes.map(|list| list.into_iter().map(|(name, kind)| (name.0, kind)).collect()),
        from,
        to,
        inverse: inverse.map(|name| name.0),
    };
    if crate::methods::sync::names::is_own(&name.0) {
        return Err(Stop::invalid("/name", "value", "This is the name of one of Gomer's own types."));
    }
    if kind == TypeKind::Node && (declared.inverse.is_some() || !is_node(&from) || !is_node(&to)) {
        return Err(Stop::invalid("/inverse", "value", "Only links have ends and an inverse."));
    }
    if kind == TypeKind::Link && declared.attributes.is_some() {
        return Err(Stop::invalid("/attributes", "value", "Links have `data` and no attributes."));
    }
    let old = call.app.types.get(&name.0);
    let view = |rev: Rev, declared: Declaration| TypeView { name: name.0.clone(), declared, rev };
    if let Some(before) = old.and_then(parse).map(|old| old.declared) {
        let fixed = |it: &Declaration| (it.kind, it.read, it.from, it.to);
        if fixed(&before) != fixed(&declared) {
            let detail = "Kind, readers and ends of a type cannot be changed; declare another type.";
            return Err(Stop::invalid("/kind", "value", detail));
        }
    } else if call.app.types.len() >= TYPES_MAX {
        return Err(Problem::new(Code::TooLarge).detail(format!("The limit is {TYPES_MAX} types.")).into());
    }
    let if_rev = match if_rev.or(call.if_match) {
        None => None,
        Some(asked) => match old {
            Some(old) if call.meta_rev(old.rev) == asked => Some(old.rev),
            Some(old) => {
                let now = parse(old).map_or(declared, |old| old.declared);
                let rev = call.meta_rev(old.rev);
                return Err(Problem::new(Code::StaleRevision).current(rev, &view(rev, now)).into());
            }
            None => return Err(Code::StaleRevision.into()),
        },
    };
    let json = serde_json::to_string(&declared).expect("a declaration is plain data, which JSON can hold");
    let command = MetaCommand::PutType { app: call.app.id, if_rev, name: name.0.clone(), json };
    let outcome = call.put_meta(command).await?;
    let rev = call.meta_rev(outcome.rev);
    Ok(Reply::new(view(rev, declared)).rev(rev))
}

/// Lists the declared types.
pub async fn list_types(call: Call, _: Empty) -> Result<Reply<TypeList>, Stop> {
    let view = |(name, decl): (&String, &TypeDecl)| {
        Some(TypeView { name: name.clone(), declared: parse(decl)?.declared, rev: call.meta_rev(decl.rev) })
    };
    Ok(Reply::new(TypeList { items: call.app.types.iter().filter_map(view).collect() }))
}
