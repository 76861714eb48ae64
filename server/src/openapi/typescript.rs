//! The types of all methods for clients in TypeScript: argument and reply of each, and the shapes that they share.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::schemas::{SHAPES, Schemas};
use crate::registry::{Registry, Scope};

/// A module of declarations for the methods that stand on the public listener.
pub(super) fn types(registry: &Registry) -> String {
    let schemas = Schemas::of(registry);
    let mut page = String::from(HEAD);
    for method in registry.iter().filter(|method| method.scope != Scope::Cluster) {
        let (args, reply) = (type_of(&schemas.args[method.name]), type_of(&schemas.replies[method.name]));
        let (about, name, kind) = (comment(method.about, 1), method.name, method.kind.name());
        write_line(&mut page, format_args!("{about}  {name:?}: {{"));
        write_line(&mut page, format_args!("    kind: {kind:?};"));
        write_line(&mut page, format_args!("    args: {};", indented(&args)));
        write_line(&mut page, format_args!("    reply: {};", indented(&reply)));
        page.push_str("  };\n");
    }
    page.push_str("}\n");
    for (name, shape) in &schemas.shapes {
        let about = shape.get("description").and_then(Value::as_str).unwrap_or_default();
        let (about, name, shape) = (comment(about, 0), identifier(name), type_of(shape));
        write_line(&mut page, format_args!("\n{about}export type {name} = {shape};"));
    }
    page
}

/// The type that a schema describes. What it does not say, it does not restrict.
fn type_of(schema: &Value) -> String {
    let Some(fields) = schema.as_object() else { return "unknown".to_owned() };
    if let Some(to) = fields.get("$ref").and_then(Value::as_str) {
        return identifier(to.strip_prefix(SHAPES).unwrap_or(to));
    }
    if let Some(value) = fields.get("const") {
        return value.to_string();
    }
    if let Some(Value::Array(values)) = fields.get("enum") {
        return values.iter().map(Value::to_string).collect::<Vec<_>>().join(" | ");
    }
    let all = |name: &str| -> Vec<String> {
        let list = fields.get(name).and_then(Value::as_array);
        list.into_iter().flatten().map(type_of).collect()
    };
    let mut parts = all("allOf");
    for name in ["oneOf", "anyOf"] {
        parts.extend(one_of(all(name)));
    }
    let own: Vec<String> = match fields.get("type") {
        Some(Value::String(name)) => vec![plain(name, fields)],
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).map(|name| plain(name, fields)).collect()
        }
        _ if fields.contains_key("properties") => vec![plain("object", fields)],
        _ => Vec::new(),
    };
    // An object that only says so adds nothing to its parts.
    let says_more = parts.is_empty() || own != ["Record<string, unknown>"];
    parts.extend(one_of(own).filter(|_| says_more));
    match parts.len() {
        0 => "unknown".to_owned(),
        1 => parts.remove(0),
        _ => parts.iter().map(|part| grouped(part)).collect::<Vec<_>>().join(" & "),
    }
}

/// A union of these; nothing, if there are none.
fn one_of(mut types: Vec<String>) -> Option<String> {
    types.dedup();
    (!types.is_empty()).then(|| types.join(" | "))
}

/// The type with parentheses, if it needs them beside others.
fn grouped(of: &str) -> String {
    let top = of.split(['{', '<']).next().unwrap_or_default();
    if top.contains('|') || of.contains("} | ") || of.contains("} & ") || of.contains(" & ") {
        format!("({of})")
    } else {
        of.to_owned()
    }
}

fn plain(name: &str, fields: &Map<String, Value>) -> String {
    match name {
        "string" => "string".to_owned(),
        "integer" | "number" => "number".to_owned(),
        "boolean" => "boolean".to_owned(),
        "null" => "null".to_owned(),
        "array" => format!("Array<{}>", fields.get("items").map_or_else(|| "unknown".to_owned(), type_of)),
        _ => object(fields),
    }
}

fn object(fields: &Map<String, Value>) -> String {
    let mut lines = String::new();
    let required = fields.get("required").and_then(Value::as_array);
    for (name, of) in fields.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let needed = required.is_some_and(|names| names.iter().any(|needed| needed == name));
        let about = of.get("description").and_then(Value::as_str).unwrap_or_default();
        let key = if identifier(name) == *name { name.clone() } else { format!("{name:?}") };
        let mark = if needed { "" } else { "?" };
        let of = indented(&type_of(of));
        // Writing to a text cannot fail.
        let _ = writeln!(lines, "{}  {key}{mark}: {of};", comment(about, 1));
    }
    let patterns = fields.get("patternProperties").and_then(Value::as_object).into_iter().flatten();
    let others = fields.get("additionalProperties").filter(|of| **of != Value::Bool(false));
    let values: Vec<String> = patterns.map(|(_, of)| of).chain(others).map(type_of).collect();
    match (lines.is_empty(), one_of(values)) {
        (true, Some(of)) => format!("Record<string, {}>", indented(&of)),
        (true, None) if fields.get("additionalProperties") == Some(&Value::Bool(false)) => {
            "Record<string, never>".to_owned()
        }
        (true, None) => "Record<string, unknown>".to_owned(),
        (false, None) => format!("{{\n{lines}}}"),
        (false, Some(_)) => format!("{{\n{lines}  [other: string]: unknown;\n}}"),
    }
}

/// The type with its inner lines one step further in.
fn indented(of: &str) -> String {
    of.replace('\n', "\n  ")
}

/// A documentation comment of one line, at this depth.
fn comment(about: &str, depth: usize) -> String {
    if about.is_empty() {
        return String::new();
    }
    let text = about.split_whitespace().collect::<Vec<_>>().join(" ").replace("*/", "* /");
    format!("{}/** {text} */\n", "  ".repeat(depth))
}

/// A name that TypeScript takes.
fn identifier(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '$' { c } else { '_' }).collect()
}

fn write_line(page: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a text cannot fail.
    let _ = page.write_fmt(line);
    page.push('\n');
}

const HEAD: &str = "\
// Generated from the declarations of the methods: `gomer docs typescript > clients/typescript/src/methods.d.ts`.
// Do not edit.

/** Every method of an app, by name. */
export interface Methods {
";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_kind_of_schema_has_its_type() {
        for (schema, of) in [
            (json!({ "type": "string", "maxLength": 3 }), "string"),
            (json!({ "type": ["integer", "null"] }), "number | null"),
            (json!({ "type": "array", "items": { "type": ["string", "null"] } }), "Array<string | null>"),
            (json!({ "$ref": "#/components/schemas/List_x.y" }), "List_x_y"),
            (json!({ "enum": ["a", "b", 1] }), "\"a\" | \"b\" | 1"),
            (json!({ "const": "post" }), "\"post\""),
            (json!({ "oneOf": [{ "const": "a" }, { "type": "null" }] }), "\"a\" | null"),
            (
                json!({ "type": "object", "additionalProperties": { "type": "integer" } }),
                "Record<string, number>",
            ),
            (json!({ "type": "object", "additionalProperties": false }), "Record<string, never>"),
            (json!({ "type": "object" }), "Record<string, unknown>"),
            (json!({}), "unknown"),
            (json!(true), "unknown"),
            (
                json!({ "type": "object", "required": ["id"], "properties": {
                    "a-b": { "type": "boolean" }, "id": { "type": "string", "description": "Its\n id. */" },
                } }),
                "{\n  \"a-b\"?: boolean;\n  /** Its id. * / */\n  id: string;\n}",
            ),
            (
                json!({ "allOf": [{ "$ref": "#/components/schemas/A" }], "oneOf": [{ "const": 1 }, { "const": 2 }] }),
                "A & (1 | 2)",
            ),
        ] {
            assert_eq!(type_of(&schema), of, "{schema}");
        }
    }

    #[test]
    fn every_shape_that_is_named_is_declared() {
        let registry = Registry::new(crate::methods::all());
        let (schemas, text) = (Schemas::of(&registry), types(&registry));
        assert!(text.contains("\"post.create\": {") && !text.contains("\"cluster."));
        let declared: Vec<String> = schemas.shapes.keys().map(|name| identifier(name)).collect();
        let known = |word: &str| declared.iter().any(|name| name == word);
        for line in text.lines().filter(|line| line.contains(": ") && !line.trim_start().starts_with("/**")) {
            let of = line.split_once(": ").map_or("", |(_, of)| of);
            for word in of.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '"') {
                let is_name = word.starts_with(|c: char| c.is_ascii_uppercase());
                assert!(!is_name || known(word) || ["Array", "Record"].contains(&word), "{word} in {line}");
            }
        }
    }
}
