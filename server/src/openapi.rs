//! What follows from the declarations for readers: the OpenAPI 3.1 document and the reference chapter.
//!
//! Both depend on nothing but the table of methods, so that two builds of one revision print the same
//! bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use crate::problem::Code;
use crate::registry::{Idempotency, Kind, Method, Rate, Registry, Role, Scope};

/// The OpenAPI 3.1 document, with a line end.
pub fn document(registry: &Registry) -> String {
    let mut generator = generator();
    let mut paths = Map::new();
    for method in registry.iter() {
        let (verb, operation) = operation(method, &mut generator);
        let path = match method.scope {
            Scope::App => format!("/v1/{{app}}/{}", method.name),
            Scope::Everywhere | Scope::Cluster => format!("/v1/-/{}", method.name),
        };
        paths.insert(path, json!({ verb: operation }));
    }
    let mut schemas = generator.take_definitions(true);
    schemas.insert("Problem".into(), problem_schema());
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Gomer",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "A social backend for mobile apps. Every query may also be sent as POST with its arguments as a JSON body. Replies may gain fields and values: ignore those you do not know.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "clientKey": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "clientKey": { "type": "apiKey", "in": "header", "name": "Gomer-Key", "description": "The app's client key." },
                "bearer": { "type": "http", "scheme": "bearer", "description": "An access token, a server key, an admin token or the operator's token." },
            },
        },
    });
    let mut text = serde_json::to_string_pretty(&document).expect("a document of JSON values is JSON");
    text.push('\n');
    text
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
        .into_generator()
}

fn operation(method: &Method, generator: &mut SchemaGenerator) -> (&'static str, Value) {
    let args = (method.args_schema)(generator).to_value();
    let reply = (method.reply_schema)(generator).to_value();
    let mut parameters = Vec::new();
    if method.scope == Scope::App {
        parameters.push(json!({ "name": "app", "in": "path", "required": true, "schema": { "type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" } }));
    }
    let mut operation = json!({
        "operationId": method.name,
        "tags": [method.service()],
        "summary": method.about,
        "x-gomer-kind": method.kind.name(),
        "x-gomer-role": method.role.name(),
        "x-gomer-idempotency": method.idempotency.name(),
        "x-gomer-emits": method.emits,
        "security": security(method),
        "responses": responses(method, reply),
    });
    let as_parameters = (method.kind == Kind::Query).then(|| address_parameters(&args, generator)).flatten();
    let verb = match as_parameters {
        Some(more) => {
            parameters.extend(more);
            "get"
        }
        None => {
            operation["requestBody"] =
                json!({ "required": true, "content": { "application/json": { "schema": args } } });
            "post"
        }
    };
    if method.kind == Kind::Procedure {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": method.key_required,
            "description": "A UUID: the call takes effect at most once under it, and the first reply comes again.",
            "schema": { "type": "string", "format": "uuid" },
        }));
    }
    if method.idempotency == Idempotency::NaturalRev {
        parameters.push(json!({
            "name": "If-Match", "in": "header", "required": false,
            "description": "The revision that must still be the present one.",
            "schema": { "type": "string" },
        }));
    }
    operation["parameters"] = Value::Array(parameters);
    (verb, operation)
}

fn security(method: &Method) -> Value {
    match (method.scope, method.role) {
        (Scope::Everywhere, _) => json!([{}]),
        (Scope::Cluster, _) => json!([{ "bearer": [] }]),
        (Scope::App, Role::Anonymous) => json!([{ "clientKey": [] }, { "clientKey": [], "bearer": [] }]),
        (Scope::App, _) => json!([{ "clientKey": [], "bearer": [] }]),
    }
}

/// Arguments as query parameters, if all are scalars or lists of scalars.
fn address_parameters(args: &Value, generator: &SchemaGenerator) -> Option<Vec<Value>> {
    let object = resolve(args, generator);
    let empty = Map::new();
    let properties = object.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let required: BTreeSet<&str> = object
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut parameters = Vec::new();
    for (name, schema) in properties {
        if !fits_address(schema, generator, true) {
            return None;
        }
        let mut parameter = json!({ "name": name, "in": "query", "required": required.contains(name.as_str()), "schema": schema });
        if let Some(about) = schema.get("description") {
            parameter["description"] = about.clone();
        }
        parameters.push(parameter);
    }
    Some(parameters)
}

fn fits_address(schema: &Value, generator: &SchemaGenerator, lists: bool) -> bool {
    let schema = resolve(schema, generator);
    if let Some(choices) = schema.get("anyOf").or(schema.get("oneOf")).and_then(Value::as_array) {
        return choices.iter().all(|choice| fits_address(choice, generator, lists));
    }
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => return schema.get("enum").is_some() || schema.get("const").is_some(),
    };
    types.iter().all(|ty| match *ty {
        "string" | "integer" | "number" | "boolean" | "null" => true,
        "array" if lists => schema.get("items").is_some_and(|items| fits_address(items, generator, false)),
        _ => false,
    })
}

fn resolve<'a>(schema: &'a Value, generator: &'a SchemaGenerator) -> &'a Value {
    let name = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
    name.and_then(|name| generator.definitions().get(name)).unwrap_or(schema)
}

/// Codes that any call may get, by its kind and place.
fn codes(method: &Method) -> BTreeSet<&'static str> {
    let mut codes = vec![
        Code::BadRequest,
        Code::UnknownField,
        Code::NotFound,
        Code::TooLarge,
        Code::UnsupportedMediaType,
        Code::Invalid,
        Code::Internal,
        Code::Corrupt,
        Code::Busy,
        Code::Unavailable,
        Code::Timeout,
    ];
    if method.scope != Scope::Everywhere {
        codes.extend([Code::Unauthenticated, Code::Forbidden]);
    }
    if method.rate != Rate::Free {
        codes.push(Code::RateLimited);
    }
    if method.kind == Kind::Procedure {
        codes.extend([Code::KeyReused, Code::DiskFull]);
    }
    if method.idempotency == Idempotency::NaturalRev {
        codes.push(Code::StaleRevision);
    }
    codes.extend(method.errors);
    codes.into_iter().map(Code::name).collect()
}

fn responses(method: &Method, reply: Value) -> Value {
    let mut by_status: BTreeMap<u16, Vec<&'static str>> = BTreeMap::new();
    let names = codes(method);
    for code in Code::ALL {
        if names.contains(code.name()) {
            by_status.entry(code.status()).or_default().push(code.name());
        }
    }
    let mut responses = Map::new();
    let media = if method.name == "realtime.subscribe" { "text/event-stream" } else { "application/json" };
    responses
        .insert("200".into(), json!({ "description": "Done.", "content": { media: { "schema": reply } } }));
    if method.kind == Kind::Query {
        responses
            .insert("304".into(), json!({ "description": "`If-None-Match` names the present revision." }));
    }
    for (status, names) in by_status {
        let description = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let content =
            json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } });
        responses.insert(status.to_string(), json!({ "description": description, "content": content }));
    }
    Value::Object(responses)
}

fn problem_schema() -> Value {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    json!({
        "type": "object",
        "description": "RFC 9457. Act on `code` and `retry`; `detail` is for people who read logs.",
        "required": ["type", "title", "status", "code", "retry", "instance"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "code": { "type": "string", "enum": codes },
            "retry": { "type": "string", "enum": ["never", "same", "later"] },
            "errors": { "type": "array", "items": { "type": "object", "properties": { "pointer": { "type": "string" }, "code": { "type": "string" } } } },
            "instance": { "type": "string", "description": "Names the call in the server's logs." },
            "rev": { "type": "string" },
            "current": { "description": "With 412: the entity as it is now." },
        },
    })
}

/// The reference chapter of the book.
pub fn reference(registry: &Registry) -> String {
    let mut generator = generator();
    let mut text = String::from(
        "# Reference: every method\n\nGenerated by `gomer docs reference` from the declarations; do not edit.\n\n\
         A query is `GET` (or `POST` with a JSON body), a procedure is `POST`. Besides its own errors every call may get those \
         of the front: see `system.listErrors`.\n",
    );
    let mut service = "";
    for method in registry.iter() {
        if method.service() != service {
            service = method.service();
            let _ = write!(text, "\n## {service}\n");
        }
        let _ = write!(
            text,
            "\n### `{}`\n\n{}\n\n*{}, {}, {}",
            method.name,
            method.about,
            method.kind.name(),
            method.role.name(),
            method.idempotency.name()
        );
        if !method.emits.is_empty() {
            let _ = write!(text, ", emits {}", method.emits.join(", "));
        }
        text.push_str("*\n");
        let args = (method.args_schema)(&mut generator).to_value();
        let reply = (method.reply_schema)(&mut generator).to_value();
        fields(&mut text, "Arguments", &args, &generator);
        fields(&mut text, "Reply", &reply, &generator);
        if !method.errors.is_empty() {
            let own: Vec<_> =
                method.errors.iter().map(|code| format!("`{}` ({})", code.name(), code.status())).collect();
            let _ = write!(text, "\nErrors of its own: {}.\n", own.join(", "));
        }
    }
    text
}

fn fields(text: &mut String, title: &str, schema: &Value, generator: &SchemaGenerator) {
    let object = resolve(schema, generator);
    let Some(properties) = object.get("properties").and_then(Value::as_object).filter(|p| !p.is_empty())
    else {
        return;
    };
    let required: BTreeSet<&str> = object
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let _ = write!(text, "\n| {title} | type | |\n|---|---|---|\n");
    for (name, schema) in properties {
        let about = schema.get("description").or_else(|| resolve(schema, generator).get("description"));
        let about = about.and_then(Value::as_str).unwrap_or("").replace('\n', " ").replace('|', "\\|");
        let optional = if required.contains(name.as_str()) { "" } else { "?" };
        let _ = writeln!(text, "| `{name}`{optional} | {} | {about} |", type_name(schema));
    }
}

fn type_name(schema: &Value) -> String {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next()) {
        return name.to_owned();
    }
    if let Some(choices) = schema.get("anyOf").or(schema.get("oneOf")).and_then(Value::as_array) {
        let names: Vec<_> = choices.iter().map(type_name).filter(|name| name != "null").collect();
        return names.join(" or ");
    }
    let own = match schema.get("type") {
        Some(Value::String(one)) => one.clone(),
        Some(Value::Array(many)) => {
            many.iter().filter_map(Value::as_str).filter(|ty| *ty != "null").collect::<Vec<_>>().join(" or ")
        }
        _ => return "any".into(),
    };
    match (own.as_str(), schema.get("items")) {
        ("array", Some(items)) => format!("list of {}", type_name(items)),
        _ => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> Registry {
        Registry::new(crate::methods::all())
    }

    #[test]
    fn every_reference_has_a_target_and_every_operation_its_facts() {
        let document: Value = serde_json::from_str(&document(&registry())).unwrap();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let mut open = vec![&document];
        while let Some(value) = open.pop() {
            match value {
                Value::Object(map) => {
                    if let Some(Value::String(path)) = map.get("$ref") {
                        let name = path
                            .strip_prefix("#/components/schemas/")
                            .expect("references stay within the document");
                        assert!(schemas.contains_key(name), "{path}");
                    }
                    open.extend(map.values());
                }
                Value::Array(items) => open.extend(items),
                _ => {}
            }
        }
        let operations: Vec<&Value> = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|path| path.as_object().unwrap().values())
            .collect();
        assert_eq!(operations.len(), registry().len());
        for operation in operations {
            let id = operation["operationId"].as_str().unwrap();
            for fact in ["x-gomer-kind", "x-gomer-role", "x-gomer-idempotency", "x-gomer-emits"] {
                assert!(!operation[fact].is_null(), "{id} lacks {fact}");
            }
        }
    }

    #[test]
    fn two_prints_are_the_same() {
        assert_eq!(document(&registry()), document(&registry()));
        assert_eq!(reference(&registry()), reference(&registry()));
    }
}
