//! Calls of RPC methods, as one client with one key and perhaps a session.

use serde_json::{Value, json};

use crate::events::Events;
use crate::http::{Http, Reply};

/// A caller: an app, its client key, and who is signed in. Cloning makes another connection.
#[derive(Debug)]
pub struct Api {
    base: String,
    app: String,
    headers: Vec<(String, String)>,
    http: Http,
}

impl Clone for Api {
    fn clone(&self) -> Api {
        Api {
            base: self.base.clone(),
            app: self.app.clone(),
            headers: self.headers.clone(),
            http: Http::new(&self.base),
        }
    }
}

impl Api {
    /// An anonymous caller of an app, with its client key.
    pub fn new(base: &str, app: &str, client_key: &str) -> Api {
        let headers = vec![("gomer-key".to_owned(), client_key.to_owned())];
        Api { base: base.to_owned(), app: app.to_owned(), headers, http: Http::new(base) }
    }

    /// The same caller with this bearer token: a session, a server key, an admin or operator token.
    pub fn with_token(&self, token: &str) -> Api {
        self.with_header("authorization", &format!("Bearer {token}"))
    }

    /// The same caller with a header set, or replaced, on every call.
    pub fn with_header(&self, name: &str, value: &str) -> Api {
        let mut api = self.clone();
        api.headers.retain(|(known, _)| known != name);
        api.headers.push((name.to_owned(), value.to_owned()));
        api
    }

    /// Calls a query with parameters. A name may come several times.
    pub fn query(&mut self, method: &str, params: &[(&str, &str)]) -> Reply {
        let path = self.path(method, params);
        let headers = self.headers.clone();
        let reply = self.http.get(&path, &borrowed(&headers));
        reply.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Calls a procedure, or a query with a body.
    pub fn call(&mut self, method: &str, body: &Value) -> Reply {
        self.call_with(method, &[], body)
    }

    /// The same with more headers: `Idempotency-Key`, `If-Match`.
    pub fn call_with(&mut self, method: &str, more: &[(&str, &str)], body: &Value) -> Reply {
        self.attempt(method, more, body).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// The same, but a broken connection is told: whether the call was carried out is then not known.
    pub fn attempt(&mut self, method: &str, more: &[(&str, &str)], body: &Value) -> std::io::Result<Reply> {
        let path = self.path(method, &[]);
        let headers = self.headers.clone();
        let mut headers = borrowed(&headers);
        headers.extend_from_slice(more);
        self.http.post(&path, &headers, body)
    }

    /// Follows the events of the signed-in user, from a cursor if there is one.
    pub fn subscribe(&self, cursor: Option<&str>) -> Events {
        let mut headers = borrowed(&self.headers);
        headers.extend(cursor.map(|cursor| ("last-event-id", cursor)));
        let path = self.path("realtime.subscribe", &[]);
        Events::open(&self.base, &path, &headers)
            .unwrap_or_else(|error| panic!("realtime.subscribe: {error}"))
    }

    /// All changes since the cursor, page after page, and the last cursor.
    pub fn pull_all(&mut self, cursor: Option<String>) -> (Vec<Value>, String) {
        let mut cursor = cursor;
        let mut items = Vec::new();
        loop {
            let body = cursor.as_ref().map_or(json!({}), |cursor| json!({ "cursor": cursor }));
            let page = self.call("sync.pull", &body).expect(200).json();
            items.extend(page["items"].as_array().expect("a page has items").iter().cloned());
            let next = page["cursor"].as_str().expect("a page has a cursor").to_owned();
            if page["end"] == true {
                return (items, next);
            }
            assert_ne!(
                cursor.as_deref(),
                Some(next.as_str()),
                "a page that is not the last moves the cursor"
            );
            cursor = Some(next);
        }
    }

    fn path(&self, method: &str, params: &[(&str, &str)]) -> String {
        let mut path = format!("/v1/{}/{method}", self.app);
        for (at, (name, value)) in params.iter().enumerate() {
            path.push(if at == 0 { '?' } else { '&' });
            path += &format!("{}={}", escape(name), escape(value));
        }
        path
    }
}

fn borrowed(headers: &[(String, String)]) -> Vec<(&str, &str)> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// RFC 3986: everything but the unreserved characters.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(byte as char),
            other => escaped += &format!("%{other:02X}"),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_escaped_and_may_repeat() {
        let api = Api::new("http://127.0.0.1:1", "demo", "key");
        let path = api.path("post.getMany", &[("ids", "a"), ("ids", "b c&d=é")]);
        assert_eq!(path, "/v1/demo/post.getMany?ids=a&ids=b%20c%26d%3D%C3%A9");
        assert_eq!(api.path("app.getInfo", &[]), "/v1/demo/app.getInfo");
    }

    #[test]
    fn a_token_replaces_the_one_before() {
        let api = Api::new("http://127.0.0.1:1", "demo", "key").with_token("one").with_token("two");
        let tokens: Vec<_> = api.headers.iter().filter(|(name, _)| name == "authorization").collect();
        assert_eq!(tokens, [&("authorization".to_owned(), "Bearer two".to_owned())]);
    }
}
