//! Every query by GET, with arguments that are wrong in each way there is. Nothing here names a method: what is asked
//! of one follows from its declaration and from the schema of its arguments, so that a new one is asked too.

mod kit;

use std::collections::BTreeSet;

use gomer::http::Side;
use gomer::methods;
use gomer::registry::{Kind, Method as Declared, Registry, Role, Scope};
use hyper::Method;
use hyper::header::{HeaderName, HeaderValue};
use kit::{Answer, Kit, admin_key, client_key, operator_token};
use serde_json::{Value, json};

/// A query as the OpenAPI document shows it.
struct Query {
    name: &'static str,
    role: Role,
    scope: Scope,
    parameters: Vec<Parameter>,
}

struct Parameter {
    name: String,
    required: bool,
    /// Whether it may be given more than once.
    repeats: bool,
    schema: Value,
}

/// All queries that have parameters in an address. One whose arguments do not fit there has none.
fn queries() -> Vec<Query> {
    let document: Value = serde_json::from_str(&gomer::openapi::document()).unwrap();
    let resolve = |schema: &Value| -> Value {
        let target =
            schema["$ref"].as_str().map(|path| document.pointer(path.trim_start_matches('#')).unwrap());
        target.unwrap_or(schema).clone()
    };
    let parameter = |it: &Value| {
        let mut schema = resolve(&it["schema"]);
        // An optional one is "this or null".
        if let Some(one) = schema["anyOf"].as_array().and_then(|of| of.iter().find(|it| it["type"] != "null"))
        {
            schema = resolve(one);
        }
        let is_array = has_type(&schema, "array");
        let schema = if is_array { resolve(&schema["items"]) } else { schema };
        Parameter {
            name: it["name"].as_str().unwrap().to_owned(),
            required: it["required"] == true,
            repeats: is_array,
            schema,
        }
    };
    let registry = Registry::new(methods::all());
    let operations = kit::operations();
    let query = |method: &Declared| {
        let parameters = operations[method.name]["parameters"].as_array().into_iter().flatten();
        Query {
            name: method.name,
            role: method.role,
            scope: method.scope,
            parameters: parameters.filter(|it| it["in"] == "query").map(parameter).collect(),
        }
    };
    let is_plain = |method: &&Declared| method.kind == Kind::Query && !method.token_in_address;
    registry.iter().filter(is_plain).map(query).collect()
}

fn has_type(schema: &Value, name: &str) -> bool {
    schema["type"] == name || schema["type"].as_array().is_some_and(|types| types.contains(&json!(name)))
}

impl Parameter {
    /// A value that its type allows. `fresh` is an id of nothing.
    fn good(&self, fresh: &str) -> String {
        let schema = &self.schema;
        if let Some(first) = schema["enum"].as_array().and_then(|all| all.first()) {
            return first.as_str().unwrap().to_owned();
        }
        let variants = schema["oneOf"].as_array().and_then(|all| all.first());
        if let Some(first) = variants.and_then(|first| first["const"].as_str()) {
            return first.to_owned();
        }
        match (schema["format"].as_str(), schema["pattern"].as_str()) {
            (Some("uuid"), _) => fresh.to_owned(),
            (_, Some("^[b-z]{12}$")) => "bcdfghjkmnpq".to_owned(),
            (Some("uri"), _) => "https://nobody.example/".to_owned(),
            (Some("date-time"), _) => "2026-01-01T00:00:00Z".to_owned(),
            (_, Some(pattern)) if pattern.starts_with("^gomer:") => {
                format!("gomer:like/{fresh}/post:{fresh}")
            }
            (_, Some(pattern)) if pattern.starts_with("^(profile|post|") => format!("post:{fresh}"),
            _ if has_type(schema, "integer") => "1".to_owned(),
            _ if has_type(schema, "boolean") => "true".to_owned(),
            _ => "x".to_owned(),
        }
    }

    /// A value that its type refuses, if there is any.
    fn bad(&self) -> Option<&'static str> {
        let schema = &self.schema;
        let narrow = ["enum", "oneOf", "format", "pattern"].iter().any(|rule| schema.get(rule).is_some());
        let text = has_type(schema, "string") && !narrow;
        (!text && self.name != "cursor").then_some("no-such-thing")
    }

    fn largest(&self) -> Option<u64> {
        self.schema["maximum"].as_u64()
    }
}

impl Query {
    /// The parameters that must be there, with this one besides or instead.
    fn address(&self, fresh: &str, name: &str, value: &str) -> String {
        let others = self.parameters.iter().filter(|it| it.required && it.name != name);
        let mut pairs: Vec<String> = others.map(|it| format!("{}={}", it.name, it.good(fresh))).collect();
        if !name.is_empty() {
            pairs.push(format!("{name}={value}"));
        }
        self.path("one") + "?" + &pairs.join("&")
    }

    fn path(&self, app: &str) -> String {
        match self.scope {
            Scope::App => format!("/v1/{app}/{}", self.name),
            Scope::Everywhere | Scope::Cluster => format!("/v1/-/{}", self.name),
        }
    }

    fn side(&self) -> Side {
        if self.scope == Scope::Cluster { Side::Admin } else { Side::Public }
    }

    /// A token that may call it.
    fn token(&self, person: &str) -> Option<String> {
        match (self.scope, self.role) {
            (Scope::Everywhere, _) => None,
            (Scope::Cluster, _) => Some(operator_token()),
            (Scope::App, Role::Moderator | Role::AppAdmin) => Some(admin_key("one")),
            (Scope::App, _) => Some(person.to_owned()),
        }
    }
}

async fn get(kit: &Kit, query: &Query, address: &str, token: Option<&str>) -> Answer {
    let mut request = kit.bare(Method::GET, address);
    let mut add = |name: &'static str, value: String| {
        request.headers.insert(HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap());
    };
    if query.scope == Scope::App {
        add("gomer-key", client_key("one"));
    }
    if let Some(token) = token {
        add("authorization", format!("Bearer {token}"));
    }
    kit.skip(std::time::Duration::from_millis(200));
    kit.ask(query.side(), request).await
}

#[tokio::test]
async fn what_a_query_does_not_know_or_cannot_read_is_refused_with_its_place() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let fresh = kit.uuid();
    let (mut wrong, mut missing, mut twice) = (0, 0, 0);
    for query in queries() {
        let name = query.name;
        let token = query.token(&ann.token);
        let ask = async |address: String| get(&kit, &query, &address, token.as_deref()).await;
        let place =
            |answer: &Answer| answer.json["errors"][0]["pointer"].as_str().unwrap_or_default().to_owned();
        let answer = ask(query.address(&fresh, "noSuchParameter", "1")).await;
        assert_eq!(
            (answer.status, place(&answer).as_str()),
            (400, "/noSuchParameter"),
            "{name} {}",
            answer.text
        );
        for parameter in &query.parameters {
            let pointer = format!("/{}", parameter.name);
            let said = |answer: &Answer| format!("{name} {pointer}: {}", answer.text);
            if let Some(bad) = parameter.bad() {
                wrong += 1;
                let answer = ask(query.address(&fresh, &parameter.name, bad)).await;
                assert_eq!(
                    (answer.status, answer.json["code"].as_str()),
                    (422, Some("invalid")),
                    "{}",
                    said(&answer)
                );
                assert!(place(&answer).starts_with(&pointer), "{}", said(&answer));
            }
            if parameter.required {
                missing += 1;
                let others: Vec<String> = query
                    .parameters
                    .iter()
                    .filter(|it| it.required && it.name != parameter.name)
                    .map(|it| format!("{}={}", it.name, it.good(&fresh)))
                    .collect();
                let answer = ask(query.path("one") + "?" + &others.join("&")).await;
                assert_eq!((answer.status, place(&answer)), (422, pointer.clone()), "{}", said(&answer));
            }
            if !parameter.repeats {
                twice += 1;
                let good = parameter.good(&fresh);
                let both = format!("{good}&{}={good}", parameter.name);
                let answer = ask(query.address(&fresh, &parameter.name, &both)).await;
                assert_eq!((answer.status, place(&answer)), (422, pointer.clone()), "{}", said(&answer));
            }
        }
    }
    assert!(wrong >= 40 && missing >= 15 && twice >= 60, "{wrong} {missing} {twice}: nothing was asked");
}

#[tokio::test]
async fn a_limit_beyond_the_largest_and_a_cursor_of_ones_own_making_are_refused() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let (mut limits, mut cursors) = (0, 0);
    for query in queries() {
        let name = query.name;
        let token = query.token(&ann.token);
        let ask = async |address: String| get(&kit, &query, &address, token.as_deref()).await;
        // Of somebody who exists, so that the cursor is looked at and not only the id.
        let with = |parameter: &str, value: &str| query.address(&ann.id, parameter, value);
        for parameter in &query.parameters {
            if let Some(largest) = parameter.largest() {
                limits += 1;
                for beyond in [largest + 1, u64::MAX] {
                    let answer = ask(with(&parameter.name, &beyond.to_string())).await;
                    assert_eq!(answer.status, 422, "{name} {} {beyond}: {}", parameter.name, answer.text);
                    assert_eq!(answer.json["errors"][0]["pointer"], format!("/{}", parameter.name), "{name}");
                }
                let answer = ask(with(&parameter.name, &largest.to_string())).await;
                let faulted = answer.json["errors"][0]["pointer"] == format!("/{}", parameter.name);
                assert!(answer.status < 500 && !faulted, "{name}: {}", answer.text);
            }
            // The operator may see all that the operator's lists hold: their cursors are plain names.
            let is_cursor = matches!(parameter.name.as_str(), "cursor" | "after" | "before");
            if is_cursor && query.scope == Scope::App {
                cursors += 1;
                for bad in ["x", "AQAA", "%00", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
                    let answer = ask(with(&parameter.name, bad)).await;
                    let told = answer.json["code"].as_str().unwrap_or_default();
                    // What the other arguments lead to may be missing; then nobody looks at a cursor.
                    let elsewhere = answer.json["errors"][0]["pointer"].as_str();
                    let elsewhere = elsewhere.is_some_and(|it| it != format!("/{}", parameter.name));
                    assert!(
                        matches!(told, "cursor-invalid" | "not-found") || (told == "invalid" && elsewhere),
                        "{name} {bad}: {}",
                        answer.text
                    );
                }
            }
        }
    }
    assert!(limits >= 20 && cursors >= 15, "{limits} {cursors}: nothing was asked");
}

#[tokio::test]
async fn ids_of_another_app_get_the_same_bytes_as_ids_of_nothing() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let theirs = kit.person_in("two", "theo").await;
    let mut asked = 0;
    for query in queries().into_iter().filter(|query| query.scope == Scope::App) {
        let token = query.token(&ann.token);
        let named = |id: &str| {
            let by_id = query
                .parameters
                .iter()
                .filter(|it| it.schema["format"] == "uuid" || it.good(id).contains(id));
            let by_id: BTreeSet<&str> = by_id.map(|it| it.name.as_str()).collect();
            let wanted = query.parameters.iter().filter(|it| it.required || by_id.contains(it.name.as_str()));
            let pairs: Vec<String> = wanted.map(|it| format!("{}={}", it.name, it.good(id))).collect();
            (!by_id.is_empty()).then(|| query.path("one") + "?" + &pairs.join("&"))
        };
        let nothing = kit.uuid();
        let (Some(there), Some(nowhere)) = (named(&theirs.id), named(&nothing)) else { continue };
        asked += 1;
        // A cursor names what is followed, sealed: it may differ, being told to who asked for it.
        let told = |mut answer: Answer, id: &str| {
            answer.json.as_object_mut().map(|fields| fields.remove("cursor"));
            answer.untraced().replace(id, "ID")
        };
        let there = told(get(&kit, &query, &there, token.as_deref()).await, &theirs.id);
        let nowhere = told(get(&kit, &query, &nowhere, token.as_deref()).await, &nothing);
        assert_eq!(there, nowhere, "{}", query.name);
    }
    assert!(asked >= 15, "{asked}: nothing was asked");
}

#[tokio::test]
async fn a_query_asks_for_its_role_before_it_looks_at_its_target() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    for query in queries() {
        let address = query.address(&ann.id, "", "");
        for (token, rank) in [(None, Role::Anonymous), (Some(ann.token.as_str()), Role::User)] {
            let needs = if query.role == Role::Owner { Role::User } else { query.role };
            if query.scope == Scope::Everywhere || rank >= needs {
                continue;
            }
            let answer = get(&kit, &query, &address, token).await;
            let told = answer.json["code"].as_str().unwrap_or_default().to_owned();
            // On the operator's listener a person's token is none at all.
            let expected: &[&str] = match (token, query.scope) {
                (None, _) => &["unauthenticated"],
                (Some(_), Scope::Cluster) => &["unauthenticated", "forbidden"],
                (Some(_), _) => &["forbidden"],
            };
            assert!(expected.contains(&told.as_str()), "{} as {rank:?}: {}", query.name, answer.text);
        }
    }
}
