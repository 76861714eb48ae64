//! Answers as people read them on a terminal.

use serde_json::{Value, json};

/// What the contract says of every answer, and one of its lists.
pub fn part(answer: &Value, list: &str) -> Value {
    let mut part = json!({});
    for field in ["cluster", "generation", "asOfMs", list] {
        part[field] = answer[field].clone();
    }
    part
}

/// The items of a list; none if it is no list.
pub fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// The values of an object; none if it is none.
pub fn items_of(object: &Value) -> impl Iterator<Item = &Value> {
    object.as_object().into_iter().flat_map(serde_json::Map::values)
}

/// A value in a table.
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Columns as wide as their widest cell.
pub fn table<const N: usize>(lines: &[[String; N]]) -> String {
    let widths: Vec<usize> =
        (0..N).map(|at| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for line in lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        text += cells.join("  ").trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_stand_in_columns() {
        let lines = [["A", "LONG"], ["wide", "x"]].map(|line| line.map(str::to_owned));
        assert_eq!(table(&lines), "A     LONG\nwide  x\n");
    }
}
