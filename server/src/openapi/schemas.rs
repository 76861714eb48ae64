//! The schemas of requests and replies, with the shapes that they share.

use std::collections::BTreeMap;

use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value};

use crate::registry::{Method, Registry};

/// What every reference to a shared shape begins with.
pub const SHAPES: &str = "#/components/schemas/";

/// All schemas of a registry.
pub struct Schemas {
    /// Arguments by method.
    pub args: BTreeMap<&'static str, Value>,
    /// Replies by method.
    pub replies: BTreeMap<&'static str, Value>,
    /// Shared shapes by name.
    pub shapes: Map<String, Value>,
}

impl Schemas {
    /// The schemas of these methods. A type that is read otherwise than it is written has two shapes; that of
    /// requests is called `…Input` then.
    pub fn of(registry: &Registry) -> Schemas {
        let settings = || {
            SchemaSettings::draft2020_12()
                .with(|s| s.definitions_path = SHAPES.trim_start_matches('#').into())
        };
        let mut reading = settings().for_deserialize().into_generator();
        let mut writing = settings().for_serialize().into_generator();
        let mut args = each(registry, |method| (method.args_schema)(&mut reading).to_value());
        let replies = each(registry, |method| (method.reply_schema)(&mut writing).to_value());
        let mut inputs = shapes(&mut reading);
        let mut shapes = shapes(&mut writing);
        let twins: Vec<String> = inputs
            .iter()
            .filter(|(name, shape)| shapes.get(*name).is_some_and(|other| other != *shape))
            .map(|(name, _)| name.clone())
            .collect();
        for name in &twins {
            let (from, to) = (format!("{SHAPES}{name}"), format!("{SHAPES}{name}Input"));
            args.values_mut().chain(inputs.values_mut()).for_each(|schema| rename(schema, &from, &to));
        }
        for name in twins {
            let shape = inputs.remove(&name).unwrap_or_default();
            inputs.insert(format!("{name}Input"), shape);
        }
        shapes.extend(inputs);
        Schemas { args, replies, shapes }
    }

    /// The schema itself, where it is only a reference to a shape.
    pub fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let shape = schema.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix(SHAPES));
        shape.and_then(|name| self.shapes.get(name)).unwrap_or(schema)
    }
}

fn each(registry: &Registry, mut schema: impl FnMut(&Method) -> Value) -> BTreeMap<&'static str, Value> {
    registry.iter().map(|method| (method.name, schema(method))).collect()
}

fn shapes(generator: &mut SchemaGenerator) -> Map<String, Value> {
    generator.take_definitions(true).into_iter().collect()
}

fn rename(schema: &mut Value, from: &str, to: &str) {
    match schema {
        Value::String(text) if text == from => *text = to.to_owned(),
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, from, to)),
        Value::Object(fields) => fields.values_mut().for_each(|field| rename(field, from, to)),
        _ => {}
    }
}
