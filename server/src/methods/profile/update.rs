//! Changing one's own profile: each attribute by itself, so that edits of two phones both stay.

use std::collections::BTreeMap;

use gomer_core::id::Root;
use gomer_core::rows::node::{Attr, Flags, Node, Stamp};
use gomer_core::vnode::command::Operation;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::view::{ABOUT, FIELD, LINKS, NAME, Profile, ProfileLink, counts};
use crate::registry::{Call, Reply, Rev, Stop};
use crate::types::{List, Patch, Text};

/// Most fields of the app's own.
pub const FIELDS_MAX: usize = 32;
/// Most bytes of one of them, as JSON.
pub const FIELD_BYTES_MAX: usize = 1_024;

/// What is to be changed; what is absent stays.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateProfile {
    /// Only if the profile has this revision.
    if_rev: Option<Rev>,
    /// The name.
    #[serde(default)]
    name: Patch<Text<1, 64>>,
    /// A text about oneself.
    #[serde(default)]
    about: Patch<Text<0, 1000>>,
    /// All links.
    #[serde(default)]
    links: Patch<List<ProfileLink, 0, 10>>,
    /// Fields of the app's own: those that are named change, `null` clears one.
    #[serde(default)]
    fields: BTreeMap<FieldName, Option<Value>>,
    /// Whether the profile asks who may follow it.
    private: Option<bool>,
}

/// Name of a field: 1 to 64 letters, digits and `_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(transparent)]
struct FieldName(#[schemars(regex(pattern = "^[A-Za-z0-9_]{1,64}$"))] String);

impl<'de> Deserialize<'de> for FieldName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<FieldName, D::Error> {
        let text = String::deserialize(from)?;
        let plain = text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
        if plain && (1..=64).contains(&text.len()) {
            Ok(FieldName(text))
        } else {
            Err(D::Error::custom("format: a field's name is 1 to 64 letters, digits and `_`"))
        }
    }
}

pub async fn update(call: Call, args: UpdateProfile) -> Result<Reply<Profile>, Stop> {
    let me = call.me()?;
    let root = Root::profile(me);
    call.replay(root).await?;
    let view = call.node(root, me).await?.ok_or_else(Stop::not_found)?;
    let (if_rev, args_private) = (args.if_rev, args.private);
    let attrs = args.attrs()?;
    let guard = call.guard(me, &view, if_rev, &Profile::read(&call, me, &view.node, view.rev))?;

    let mut node = view.node.clone();
    for (name, json) in &attrs {
        node.attrs.insert(name.clone(), Attr { json: json.clone(), stamp: Stamp::default() });
    }
    if fields(&node) > FIELDS_MAX {
        return Err(Stop::invalid("/fields", "length", "A profile has at most 32 fields of the app's own."));
    }
    let mut write = call.on(root).op(Operation::PatchNode { id: me, attrs, edited: call.edited });
    write.pre.extend(guard);
    if let Some(private) = args_private {
        let (set, clear) =
            if private { (Flags::PRIVATE, Flags::default()) } else { (Flags::default(), Flags::PRIVATE) };
        node.flags = node.flags.changed(set, clear);
        // The reply's revision is what the first operation says, so that one is first that changes something.
        let at = if node.flags == view.node.flags { 1 } else { 0 };
        write.ops.insert(at, Operation::FlagNode { id: me, set, clear });
    }
    let mut profile = Profile::read(&call, me, &node, Rev::Pending);
    profile.counts = counts(&call, me).await?;
    call.write(write, profile).await
}

impl UpdateProfile {
    fn attrs(self) -> Result<Vec<(String, Option<String>)>, Stop> {
        let mut attrs = Vec::new();
        if let Some(name) = self.name.change() {
            attrs.push((NAME.to_owned(), name.map(|name| json(&name))));
        }
        if let Some(about) = self.about.change() {
            attrs.push((ABOUT.to_owned(), about.map(|about| json(&about))));
        }
        if let Some(links) = self.links.change() {
            for (at, link) in links.iter().flat_map(|links| &links.0).enumerate() {
                if !link.url.0.starts_with("https://") && !link.url.0.starts_with("http://") {
                    return Err(Stop::invalid(
                        format!("/links/{at}/url"),
                        "format",
                        "A link begins with https:// or http://.",
                    ));
                }
            }
            attrs.push((LINKS.to_owned(), links.map(|links| json(&links.0))));
        }
        for (name, value) in self.fields {
            let json = value.map(|value| json(&value));
            if json.as_ref().is_some_and(|json| json.len() > FIELD_BYTES_MAX) {
                return Err(Stop::invalid(
                    format!("/fields/{}", name.0),
                    "length",
                    "A field has at most 1 KiB.",
                ));
            }
            attrs.push((format!("{FIELD}{}", name.0), json));
        }
        Ok(attrs)
    }
}

fn fields(node: &Node) -> usize {
    node.attrs.iter().filter(|(name, attr)| name.starts_with(FIELD) && attr.json.is_some()).count()
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("what was read from JSON can be written as JSON")
}
