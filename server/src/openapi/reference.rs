//! The reference chapter, as Markdown.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::schemas::{SHAPES, Schemas};
use crate::problem::Code;
use crate::registry::{Method, Registry, Role, Scope};

/// The chapter on these methods.
pub(super) fn reference(registry: &Registry) -> String {
    let schemas = Schemas::of(registry);
    let mut page = String::from(HEAD);
    let mut service = "";
    for method in registry.iter() {
        if method.service() != service {
            service = method.service();
            write_line(&mut page, format_args!("\n## {service}"));
        }
        describe(&mut page, method, &schemas);
    }
    page += "\n## Shapes\n";
    for (name, shape) in &schemas.shapes {
        write_line(&mut page, format_args!("\n### {name}\n"));
        write_shape(&mut page, shape);
    }
    page += "\n## Errors\n\n| status | code | try again | meaning | what to do |\n|---|---|---|---|---|\n";
    for code in Code::ALL {
        let retry = format!("{:?}", code.retry()).to_lowercase();
        let (title, advice) = (code.title(), code.advice());
        write_line(
            &mut page,
            format_args!("| {} | `{code}` | {retry} | {title} | {advice} |", code.status()),
        );
    }
    page
}

fn describe(page: &mut String, method: &Method, schemas: &Schemas) {
    write_line(page, format_args!("\n### {}\n\n{}\n", method.name, method.about));
    let mut facts = vec![method.kind.name().to_owned(), format!("for: {}", who(method.role))];
    facts.push(format!("repeats: {}", method.idempotency.name()));
    match method.scope {
        Scope::App => {}
        Scope::Everywhere => facts.push("also without a key on `/v1/-/`".to_owned()),
        Scope::Cluster => facts.push("on the admin listener".to_owned()),
    }
    if !method.emits.is_empty() {
        facts.push(format!("emits: {}", quoted(method.emits.iter().copied())));
    }
    write_line(page, format_args!("{}.", facts.join(" · ")));
    let own: Vec<&str> = method.errors.iter().map(|code| code.name()).collect();
    if !own.is_empty() {
        write_line(page, format_args!("\nErrors of its own: {}.", quoted(own.into_iter())));
    }
    let args = schemas.resolve(&schemas.args[method.name]);
    match args.get("properties").and_then(Value::as_object) {
        Some(fields) if !fields.is_empty() => {
            page.push('\n');
            write_fields(page, args, fields);
        }
        _ => page.push_str("\nNo arguments.\n"),
    }
    let reply = &schemas.replies[method.name];
    write_line(page, format_args!("\nReply: {}.", kind_of(reply)));
    if let Some(fields) = reply.get("properties").and_then(Value::as_object) {
        page.push('\n');
        write_fields(page, reply, fields);
    }
}

fn who(role: Role) -> &'static str {
    match role {
        Role::Anonymous => "everybody",
        Role::User => "who is signed in",
        Role::Owner => "whose it is",
        Role::Moderator => "moderators",
        Role::AppAdmin => "app admins",
        Role::Operator => "the operator",
    }
}

fn write_shape(page: &mut String, shape: &Value) {
    if let Some(about) = shape.get("description").and_then(Value::as_str) {
        write_line(page, format_args!("{}\n", one_line(about)));
    }
    match shape.get("properties").and_then(Value::as_object) {
        Some(fields) => write_fields(page, shape, fields),
        None => write_line(page, format_args!("{}.", kind_of(shape))),
    }
}

fn write_fields(page: &mut String, schema: &Value, fields: &Map<String, Value>) {
    let required = |name: &str| {
        let list = schema.get("required").and_then(Value::as_array);
        list.is_some_and(|list| list.iter().any(|entry| entry == name))
    };
    page.push_str("| field | type | | meaning |\n|---|---|---|---|\n");
    for (name, field) in fields {
        let must = if required(name) { "always" } else { "" };
        let about = field.get("description").and_then(Value::as_str).map_or_else(String::new, one_line);
        write_line(page, format_args!("| `{name}` | {} | {must} | {about} |", kind_of(field)));
    }
}

/// A schema in a few words.
fn kind_of(schema: &Value) -> String {
    if let Some(to) = schema.get("$ref").and_then(Value::as_str) {
        let name = to.strip_prefix(SHAPES).unwrap_or(to);
        return format!("[{name}](#{})", name.to_lowercase());
    }
    for any in ["anyOf", "oneOf"] {
        if let Some(options) = schema.get(any).and_then(Value::as_array) {
            let constants: Vec<&str> =
                options.iter().filter_map(|option| option.get("const")?.as_str()).collect();
            if constants.len() == options.len() {
                return quoted(constants.into_iter());
            }
            return options.iter().map(kind_of).collect::<Vec<_>>().join(" or ");
        }
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return quoted(values.iter().filter_map(Value::as_str));
    }
    if let Some(constant) = schema.get("const").and_then(Value::as_str) {
        return format!("`{constant}`");
    }
    let kinds: Vec<&str> = match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return "anything".to_owned(),
    };
    let named = kinds.iter().map(|kind| one_kind(kind, schema));
    named.collect::<Vec<_>>().join(" or ")
}

fn one_kind(kind: &str, schema: &Value) -> String {
    let number = |name: &str| schema.get(name).and_then(Value::as_i64);
    let range = |low: &str, high: &str| match (number(low), number(high)) {
        (Some(low), Some(high)) => format!(", {low} to {high}"),
        (None, Some(high)) => format!(", at most {high}"),
        (Some(low), None) if low > 0 => format!(", at least {low}"),
        _ => String::new(),
    };
    match kind {
        "string" => match schema.get("format").and_then(Value::as_str) {
            Some("uuid") => "id".to_owned(),
            Some("date-time") => "time".to_owned(),
            _ => format!("text{}", range("minLength", "maxLength")),
        },
        "integer" | "number" => {
            let default =
                number("default").map_or_else(String::new, |default| format!(", default {default}"));
            format!("number{}{default}", range("minimum", "maximum"))
        }
        "boolean" => "`true` or `false`".to_owned(),
        "array" => {
            let items = schema.get("items").map_or_else(|| "anything".to_owned(), kind_of);
            format!("list of {items}{}", range("minItems", "maxItems"))
        }
        "null" => "`null`".to_owned(),
        _ => "object".to_owned(),
    }
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Fit for a table's cell.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn write_line(page: &mut String, line: std::fmt::Arguments<'_>) {
    page.write_fmt(line).and_then(|()| page.write_char('\n')).expect("a string takes any text");
}

const HEAD: &str = "# Methods

This chapter is generated from the declarations: `gomer docs reference`. Change the declaration, not this file.

A method is called with `GET` or `POST /v1/{app}/{method}`. A *query* is a GET with its arguments in the address (lists by repeating
the name), or a POST; a *procedure* is a POST with a JSON body. Fields without *always* may be left out. Any call may
get the errors of the last table.
";
