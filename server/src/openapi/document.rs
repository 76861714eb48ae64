//! The OpenAPI 3.1 document.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::schemas::Schemas;
use crate::http::refusals;
use crate::problem::Code;
use crate::registry::{Idempotency, Kind, Method, Registry, Role, Scope};

/// The document of these methods.
pub(super) fn document(registry: &Registry) -> Value {
    let schemas = Schemas::of(registry);
    let mut paths = Map::new();
    for method in registry.iter() {
        let app = if method.scope == Scope::App { "{app}" } else { "-" };
        let verb = if by_get(method, &schemas) { "get" } else { "post" };
        paths.insert(format!("/v1/{app}/{}", method.name), json!({ verb: operation(method, &schemas) }));
    }
    let mut shapes = schemas.shapes;
    shapes.insert("Problem".to_owned(), problem());
    let services: BTreeSet<&str> = registry.iter().map(Method::service).collect();
    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Gomer",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "A social backend for mobile apps",
            "description": "Every query may also be called by POST with its arguments as a JSON body. Clients ignore fields and \
                values that they do not know.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": services.iter().map(|service| json!({ "name": service })).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": shapes,
            "parameters": parameters(),
            "headers": headers(),
            "securitySchemes": {
                "clientKey": { "type": "apiKey", "in": "header", "name": "Gomer-Key", "description": "The app's client key." },
                "bearer": { "type": "http", "scheme": "bearer",
                    "description": "A session's access token, a server key, an admin or operator token." },
            },
        },
    })
}

/// Whether all arguments can stand in an address.
fn by_get(method: &Method, schemas: &Schemas) -> bool {
    let plain = |schema: &Value| {
        let schema = schemas.resolve(schema);
        let item = schema.get("items").map(|items| schemas.resolve(items));
        [Some(schema), item]
            .into_iter()
            .flatten()
            .all(|schema| schema.get("properties").is_none() && !is_object(schema))
    };
    let args = schemas.resolve(&schemas.args[method.name]);
    let fields = args.get("properties").and_then(Value::as_object);
    method.kind == Kind::Query && fields.is_none_or(|fields| fields.values().all(plain))
}

fn is_object(schema: &Value) -> bool {
    match schema.get("type") {
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        _ => false,
    }
}

fn operation(method: &Method, schemas: &Schemas) -> Value {
    let mut operation = json!({
        "operationId": method.name,
        "tags": [method.service()],
        "summary": method.about,
        "x-gomer-kind": method.kind.name(),
        "x-gomer-role": method.role.name(),
        "x-gomer-idempotency": method.idempotency.name(),
        "x-gomer-emits": method.emits,
        "security": security(method),
        "parameters": call_parameters(method, schemas),
        "responses": responses(method, schemas),
    });
    if method.takes_bytes {
        let schema = json!({ "type": "string", "format": "binary", "maxLength": method.body_max });
        operation["requestBody"] =
            json!({ "required": true, "content": { "application/octet-stream": { "schema": schema } } });
    } else if !by_get(method, schemas) {
        let args = &schemas.args[method.name];
        // Who has nothing to say may leave the body out.
        let required = strings(schemas.resolve(args).get("required")).next().is_some();
        operation["requestBody"] =
            json!({ "required": required, "content": { "application/json": { "schema": args } } });
    }
    operation
}

fn security(method: &Method) -> Value {
    match (method.scope, method.role) {
        (Scope::Everywhere, _) => json!([]),
        (Scope::Cluster, _) => json!([{ "bearer": [] }]),
        (Scope::App, Role::Anonymous) => json!([{ "clientKey": [] }, { "clientKey": [], "bearer": [] }]),
        (Scope::App, _) => json!([{ "clientKey": [], "bearer": [] }]),
    }
}

fn call_parameters(method: &Method, schemas: &Schemas) -> Vec<Value> {
    let named = |name: &str| json!({ "$ref": format!("#/components/parameters/{name}") });
    let mut parameters = Vec::new();
    if method.scope == Scope::App {
        parameters.push(named("app"));
    }
    if method.kind == Kind::Procedure {
        let key = if method.key_required { "requiredIdempotencyKey" } else { "idempotencyKey" };
        parameters.push(named(key));
    }
    if method.idempotency == Idempotency::NaturalRev {
        parameters.push(named("ifMatch"));
    }
    if by_get(method, schemas) || method.takes_bytes {
        let args = schemas.resolve(&schemas.args[method.name]);
        let required: Vec<&str> = strings(args.get("required")).collect();
        for (name, schema) in args.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let mut schema = schema.clone();
            let about = schema.as_object_mut().and_then(|fields| fields.remove("description"));
            let is_required = required.contains(&name.as_str());
            let mut parameter =
                json!({ "name": name, "in": "query", "required": is_required, "schema": schema });
            if let Some(about) = about {
                parameter["description"] = about;
            }
            parameters.push(parameter);
        }
    }
    parameters
}

fn strings(list: Option<&Value>) -> impl Iterator<Item = &str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// The type of what is answered event by event.
const EVENT_STREAM: &str = "text/event-stream";

fn responses(method: &Method, schemas: &Schemas) -> Value {
    let content_type = method.produces;
    let reply = &schemas.replies[method.name];
    let is_json = content_type == "application/json";
    let schema = if is_json { reply.clone() } else { json!({ "type": "string" }) };
    let mut responses = Map::new();
    let done = json!({ "description": "Done.", "content": { content_type: { "schema": schema } } });
    responses.insert("200".to_owned(), done);
    if content_type == EVENT_STREAM {
        let about = "The same events as text messages of a WebSocket, for a GET that asks for one (RFC 6455): each is \
                     `{\"event\": …, \"id\": …, \"data\": …}`.";
        responses.insert("101".to_owned(), json!({ "description": about }));
    }
    if method.kind == Kind::Query && is_json && schemas.resolve(reply)["properties"].get("rev").is_some() {
        responses
            .insert("304".to_owned(), json!({ "description": "What `If-None-Match` names is still so." }));
    }
    for (status, codes) in problems(method) {
        responses.insert(status.to_string(), problem_of(status, &codes));
    }
    Value::Object(responses)
}

/// Every answer that is a problem, by status: what the declaration leads to, and what the front says by itself.
fn problems(method: &Method) -> BTreeMap<u16, BTreeSet<Code>> {
    let mut by_status: BTreeMap<u16, BTreeSet<Code>> = BTreeMap::new();
    let own = method.codes().into_iter().map(|code| (code.status(), code));
    for (status, code) in own.chain(refusals::answers()) {
        by_status.entry(status).or_default().insert(code);
    }
    by_status
}

/// A problem with one of these codes.
fn problem_of(status: u16, codes: &BTreeSet<Code>) -> Value {
    let names: Vec<&str> = codes.iter().map(|code| code.name()).collect();
    let told: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let mut response = json!({
        "description": told.join(", "),
        "content": { "application/problem+json": { "schema": {
            "allOf": [{ "$ref": "#/components/schemas/Problem" }],
            "properties": { "status": { "const": status }, "code": { "enum": names } },
        } } },
    });
    let header = |name: &str| json!({ "$ref": format!("#/components/headers/{name}") });
    match status {
        401 => response["headers"] = json!({ "WWW-Authenticate": header("wwwAuthenticate") }),
        429 | 503 => response["headers"] = json!({ "Retry-After": header("retryAfter") }),
        _ => {}
    }
    response
}

fn headers() -> Value {
    json!({
        "wwwAuthenticate": {
            "description": "`Bearer`.", "required": true, "schema": { "type": "string" },
        },
        "retryAfter": {
            "description": "When to come again, in seconds.", "required": true,
            "schema": { "type": "integer", "minimum": 1 },
        },
    })
}

fn parameters() -> Value {
    let key = |required: bool| {
        json!({
            "name": "Idempotency-Key", "in": "header", "required": required,
            "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" },
            "description": "The operation's id, best a UUID. The same again gives the first reply, for 30 days.",
        })
    };
    json!({
        "app": {
            "name": "app", "in": "path", "required": true, "schema": { "type": "string" },
            "description": "The app's name.",
        },
        "idempotencyKey": key(false),
        "requiredIdempotencyKey": key(true),
        "ifMatch": {
            "name": "If-Match", "in": "header", "required": false, "schema": { "type": "string" },
            "description": "The revision that must be the present one, in quotes.",
        },
    })
}

/// The shape of errors.
fn problem() -> Value {
    json!({
        "type": "object",
        "description": "An error (RFC 9457).",
        "required": ["type", "title", "status", "detail", "code", "retry", "errors", "instance"],
        "properties": {
            "type": { "type": "string", "format": "uri" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string", "description": "What to do, in English." },
            "code": { "type": "string", "enum": Code::ALL.map(Code::name), "description": "A stable name." },
            "retry": { "type": "string", "enum": ["never", "same", "later"] },
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["pointer", "code"],
                    "properties": {
                        "pointer": { "type": "string", "description": "Where in the request (RFC 6901)." },
                        "code": { "type": "string" },
                    },
                },
            },
            "instance": { "type": "string", "description": "The trace id." },
            "rev": { "type": "string", "description": "The present revision, on conflicts." },
            "current": { "description": "The present entity, on conflicts." },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Rate;

    fn real() -> Value {
        document(&Registry::new(crate::methods::all()))
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn walk(value: &Value, root: &Value) {
            match value {
                Value::Object(fields) => {
                    if let Some(Value::String(to)) = fields.get("$ref") {
                        assert!(root.pointer(to.trim_start_matches('#')).is_some(), "{to}");
                    }
                    fields.values().for_each(|field| walk(field, root));
                }
                Value::Array(items) => items.iter().for_each(|item| walk(item, root)),
                _ => {}
            }
        }
        let document = real();
        walk(&document, &document);
    }

    #[test]
    fn every_method_is_there_once_with_its_facts() {
        let document = real();
        let paths = document["paths"].as_object().unwrap();
        let registry = Registry::new(crate::methods::all());
        assert_eq!(paths.len(), registry.len());
        let mut ids = BTreeSet::new();
        for (path, item) in paths {
            let (_, operation) = item.as_object().unwrap().iter().next().unwrap();
            let id = operation["operationId"].as_str().unwrap();
            assert!(path.ends_with(id) && ids.insert(id), "{path}");
            let method = registry.get(id).unwrap();
            assert_eq!(operation["x-gomer-role"], method.role.name());
            assert_eq!(operation["x-gomer-kind"], method.kind.name());
        }
    }

    #[test]
    fn a_stream_of_events_has_their_type_and_is_never_not_modified() {
        let responses = &real()["paths"]["/v1/{app}/realtime.subscribe"]["get"]["responses"];
        assert!(responses["200"]["content"]["text/event-stream"].is_object(), "{responses}");
        assert!(responses["101"]["description"].is_string(), "{responses}");
        assert!(responses.get("304").is_none(), "{responses}");
        assert!(real()["paths"]["/v1/{app}/post.get"]["get"]["responses"].get("304").is_some());
    }

    #[test]
    fn a_body_is_required_where_an_argument_is() {
        let document = real();
        let required = |method: &str| {
            document["paths"][format!("/v1/{{app}}/{method}")]["post"]["requestBody"]["required"].clone()
        };
        assert_eq!(required("follow.create"), true);
        for without in ["auth.createGuest", "auth.deleteOtherSessions", "realtime.getToken"] {
            assert_eq!(required(without), false, "{without}");
        }
    }

    #[test]
    fn every_operation_lists_what_its_declaration_and_the_front_can_answer() {
        let document = real();
        let registry = Registry::new(crate::methods::all());
        for item in document["paths"].as_object().unwrap().values() {
            let operation = item.as_object().unwrap().values().next().unwrap();
            let method = registry.get(operation["operationId"].as_str().unwrap()).unwrap();
            let listed: BTreeSet<u16> = operation["responses"]
                .as_object()
                .unwrap()
                .keys()
                .map(|status| status.parse().unwrap())
                .collect();
            let mut expected =
                BTreeSet::from([200, 400, 401, 403, 404, 408, 413, 414, 415, 422, 431, 500, 503]);
            if method.rate != Rate::Free {
                expected.insert(429);
            }
            if method.kind == Kind::Procedure || method.token_in_address {
                expected.extend([504, 507]);
            }
            if method.idempotency == Idempotency::NaturalRev {
                expected.insert(412);
            }
            if method.produces == EVENT_STREAM {
                expected.insert(101);
            }
            expected.extend(method.errors.iter().map(|code| code.status()));
            let not_modified = listed.contains(&304);
            assert!(!not_modified || method.kind == Kind::Query, "{}", method.name);
            expected.extend(not_modified.then_some(304));
            assert_eq!(listed, expected, "{}", method.name);
            for (status, response) in operation["responses"].as_object().unwrap() {
                let schema = &response["content"]["application/problem+json"]["schema"];
                let Some(codes) = schema["properties"]["code"]["enum"].as_array() else { continue };
                let own = |code: &Code| codes.iter().any(|listed| listed == code.name());
                let all: Vec<_> = Code::ALL.into_iter().filter(own).collect();
                assert_eq!(all.len(), codes.len(), "{} {status}", method.name);
                assert_eq!(schema["properties"]["status"]["const"].to_string(), *status);
            }
        }
    }

    #[test]
    fn the_same_program_gives_the_same_bytes() {
        assert_eq!(super::super::document(), super::super::document());
        assert_eq!(super::super::reference(), super::super::reference());
    }
}
