//! The place of an entry in its stream, as clients see it: a text that sorts as the places do.

use gomer_core::id::{Order, Position};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// A place in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderText {
    /// A known place.
    At(Order),
    /// The one that the write under way will give to what it appends first: filled in when it is committed
    /// (`Call::write`), also in the recorded reply.
    Pending,
}

impl OrderText {
    /// The place, if it is known.
    pub fn order(self) -> Option<Order> {
        match self {
            OrderText::At(order) => Some(order),
            OrderText::Pending => None,
        }
    }
}

/// An order as a text that sorts as orders do.
pub fn order_text(order: Order) -> String {
    order.text().as_str().to_owned()
}

/// Reads [`order_text`].
pub fn order_of(text: &str) -> Option<Order> {
    let (position, ordinal) = text.split_once('.')?;
    let digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
    let order = Order { position: Position(position.parse().ok()?), ordinal: ordinal.parse().ok()? };
    (digits(position) && digits(ordinal) && order_text(order) == text).then_some(order)
}

impl Serialize for OrderText {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            OrderText::At(order) => to.serialize_str(order.text().as_str()),
            OrderText::Pending => RawValue::from_string(PENDING.to_owned())
                .expect("an empty array with white space is JSON")
                .serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for OrderText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<OrderText, D::Error> {
        let text = String::deserialize(from)?;
        order_of(&text).map(OrderText::At).ok_or_else(|| D::Error::custom("format: the `order` of an entry"))
    }
}

impl JsonSchema for OrderText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Order".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]{20}[.][0-9]{5}$" })
    }
}

/// How [`OrderText::Pending`] stands in rendered JSON: valid, and what no serialised text can contain, because
/// line feeds inside strings are escaped.
pub(crate) const PENDING: &str = "[\n\r\r\n]";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Rev;
    use crate::registry::rev::{join, split};
    use proptest::prelude::*;

    #[derive(Serialize)]
    struct Sent<'a> {
        order: OrderText,
        rev: Rev,
        text: &'a str,
        first: Option<OrderText>,
    }

    #[test]
    fn orders_and_revisions_are_filled_in_each_in_its_place() {
        let known = Order { position: Position(3), ordinal: 2 };
        let text = "[\n\r\r\n][\n\r\n]\u{1}";
        let sent =
            Sent { order: OrderText::Pending, rev: Rev::Pending, text, first: Some(OrderText::At(known)) };
        let parts = split(&serde_json::to_vec(&sent).unwrap());
        assert_eq!(parts.len(), 3);
        let json: serde_json::Value = serde_json::from_slice(&join(&parts, Rev::At(Position(9), 1))).unwrap();
        assert_eq!(json["order"], "00000000000000000009.00000");
        assert_eq!(json["first"], "00000000000000000003.00002");
        assert_eq!((&json["rev"], &json["text"]), (&"9.00000001".into(), &text.into()));
        let last = [OrderText::Pending];
        let json = join(&split(&serde_json::to_vec(&last).unwrap()), Rev::At(Position(9), 1));
        assert_eq!(json, br#"["00000000000000000009.00000"]"#);
    }

    proptest! {
        #[test]
        fn orders_survive_their_text_and_sort_as_it_does(a: (u64, u16), b: (u64, u16)) {
            let order = |(position, ordinal)| Order { position: Position(position), ordinal };
            let (a, b) = (order(a), order(b));
            prop_assert_eq!(order_of(&order_text(a)), Some(a));
            prop_assert_eq!(a.cmp(&b), order_text(a).cmp(&order_text(b)));
        }

        #[test]
        fn other_texts_are_refused(text in "[0-9.+ ]{0,30}") {
            prop_assert!(order_of(&text).is_none_or(|order| order_text(order) == text));
        }
    }
}
