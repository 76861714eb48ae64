//! Activity Streams 2.0: the vocabulary and its JSON.
//!
//! Names and shapes are those of the W3C recommendations "Activity Vocabulary" and "Activity Streams 2.0" (23 May 2017).
//! Everything in it is a *thing*: activities, actors and objects share their properties, and where one thing names another,
//! it may give the thing itself or only its address.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The address of the context that names stand in.
pub const CONTEXT: &str = "https://www.w3.org/ns/activitystreams";

/// A type of the vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "the vocabulary defines them")]
pub enum Type {
    // Activities.
    Activity,
    IntransitiveActivity,
    Accept,
    Add,
    Announce,
    Arrive,
    Block,
    Create,
    Delete,
    Dislike,
    Flag,
    Follow,
    Ignore,
    Invite,
    Join,
    Leave,
    Like,
    Listen,
    Move,
    Offer,
    Question,
    Reject,
    Read,
    Remove,
    TentativeReject,
    TentativeAccept,
    Travel,
    Undo,
    Update,
    View,
    // Actors.
    Application,
    Group,
    Organization,
    Person,
    Service,
    // Objects and links.
    Object,
    Article,
    Audio,
    Document,
    Event,
    Image,
    Note,
    Page,
    Place,
    Profile,
    Relationship,
    Tombstone,
    Video,
    Link,
    Mention,
    Collection,
    OrderedCollection,
    CollectionPage,
    OrderedCollectionPage,
}

/// A thing, or its address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Named {
    /// Its address.
    Address(String),
    /// The thing.
    Thing(Box<Thing>),
}

/// One or several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMore {
    /// One.
    One(Named),
    /// Several.
    Several(Vec<Named>),
}

impl From<Thing> for OneOrMore {
    fn from(thing: Thing) -> OneOrMore {
        OneOrMore::One(Named::Thing(Box::new(thing)))
    }
}

/// A thing with the properties that are used here. Others are passed over, as the recommendation asks of readers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Thing {
    /// Where its names stand; on the outermost thing.
    #[serde(rename = "@context", default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What it is.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Type>,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What a person is called in addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_username: Option<String>,
    /// What it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Who acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<OneOrMore>,
    /// What is acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<OneOrMore>,
    /// Where to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<OneOrMore>,
    /// Where from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<OneOrMore>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributed_to: Option<OneOrMore>,
    /// What it replies to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_reply_to: Option<OneOrMore>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
}

impl Thing {
    /// A thing of this type.
    pub fn new(kind: Type) -> Thing {
        Thing { kind: Some(kind), ..Thing::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// It is read, and written again as it was.
    #[track_caller]
    fn survives(example: Value) -> Thing {
        let thing: Thing = serde_json::from_value(example.clone()).unwrap();
        assert_eq!(serde_json::to_value(&thing).unwrap(), example);
        thing
    }

    /// Examples after those that the vocabulary gives for its types.
    #[test]
    fn activities_of_the_vocabulary_are_read_and_written_alike() {
        let sally = json!({ "type": "Person", "name": "Sally" });
        let create = survives(json!({
            "@context": CONTEXT, "summary": "Sally created a note", "type": "Create", "actor": sally,
            "object": { "type": "Note", "name": "A Simple Note", "content": "This is a simple note" },
        }));
        assert_eq!(create.kind, Some(Type::Create));
        survives(json!({
            "@context": CONTEXT, "summary": "Sally followed John", "type": "Follow", "actor": sally,
            "object": { "type": "Person", "name": "John" },
        }));
        let like = survives(json!({
            "@context": CONTEXT, "summary": "Sally liked the note", "type": "Like", "actor": sally,
            "object": "http://example.org/notes/1",
        }));
        assert_eq!(like.object, Some(OneOrMore::One(Named::Address("http://example.org/notes/1".into()))));
        survives(json!({
            "@context": CONTEXT, "summary": "Sally added a picture of her cat to her cat picture collection",
            "type": "Add", "actor": sally,
            "object": { "type": "Image", "name": "A picture of my cat" },
            "origin": { "type": "Collection", "name": "Camera Roll" },
            "target": { "type": "Collection", "name": "My Cat Pictures" },
        }));
        // An activity about an activity, people in a row, and a reply.
        survives(json!({
            "@context": CONTEXT, "summary": "Sally accepted an invitation to a party", "type": "Accept", "actor": sally,
            "object": { "type": "Invite", "actor": "http://john.example.org",
                        "object": { "type": "Event", "name": "A Party!" } },
        }));
        survives(json!({
            "@context": CONTEXT, "type": "Offer", "name": "Offer from Sally and Joe",
            "actor": [{ "type": "Person", "name": "Sally" }, "http://joe.example.org"],
            "object": "http://example.org/foo",
        }));
        survives(json!({
            "@context": CONTEXT, "type": "Note", "summary": "A simple note", "id": "http://www.test.example/notes/1",
            "content": "I am fine.",
            "inReplyTo": { "type": "Note", "summary": "An earlier note", "content": "What else is there?" },
        }));
        survives(
            json!({ "@context": CONTEXT, "summary": "Sally left a group", "type": "Leave", "actor": sally,
            "object": { "type": "Group", "name": "A Simple Group" } }),
        );
    }

    #[test]
    fn properties_that_are_not_known_are_passed_over_and_types_are_not() {
        let thing: Thing = serde_json::from_value(json!({ "type": "Note", "ext:mood": "fine" })).unwrap();
        assert_eq!(thing, Thing::new(Type::Note));
        assert!(
            serde_json::from_value::<Thing>(json!({ "type": "like" })).is_err(),
            "types are written large"
        );
        assert!(serde_json::from_value::<Thing>(json!({ "type": "Like", "object": 7 })).is_err());
    }
}
