//! `realtime.subscribe` over a WebSocket, as a page in a browser uses it: with a token in the address.

use std::net::TcpStream;
use std::time::Duration;

use gomer_tests::{Api, Dir, Gomer};
use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest;
use tungstenite::http::StatusCode;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, HandshakeError, Message, WebSocket};

type Socket = WebSocket<TcpStream>;

/// Opens `realtime.subscribe` with these parameters and headers; or the status of the refusal.
fn open(server: &Gomer, params: &str, headers: &[(&'static str, &str)]) -> Result<Socket, StatusCode> {
    let authority = server.http().trim_start_matches("http://").to_owned();
    let address = format!("ws://{authority}/v1/demo/realtime.subscribe?{params}");
    let mut request = address.into_client_request().expect("an address");
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().expect("a header"));
    }
    let stream = TcpStream::connect(&authority).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a connection takes a time-out");
    match tungstenite::client(request, stream) {
        Ok((socket, _)) => Ok(socket),
        Err(HandshakeError::Failure(Error::Http(response))) => Err(response.status()),
        Err(other) => panic!("no answer: {other}"),
    }
}

/// The next event; `Err` when the server ends it.
fn next(socket: &mut Socket) -> Result<Value, Option<CloseCode>> {
    loop {
        match socket.read().expect("something comes") {
            Message::Text(text) => return Ok(serde_json::from_str(&text).expect("events are JSON")),
            Message::Close(frame) => return Err(frame.map(|frame| frame.code)),
            _ => {}
        }
    }
}

/// Reads to the event that satisfies this, and gives it.
fn until(socket: &mut Socket, is: impl Fn(&Value) -> bool) -> Value {
    loop {
        let event = next(socket).expect("it goes on");
        if is(&event) {
            return event;
        }
    }
}

struct Ann {
    api: Api,
    key: String,
    access: String,
}

fn sign_up(server: &Gomer) -> Ann {
    let demo = server.credentials("demo.json");
    let key = demo["clientKey"].as_str().expect("a key").to_owned();
    let mut api = Api::new(server.http(), "demo", &key);
    let body = json!({ "id": "01890000-0000-7000-8000-000000000001", "handle": "ann", "password": "correct horse battery" });
    let reply = api.call("auth.createAccount", &body).expect(200).json();
    let access = reply.pointer("/session/accessToken").or(reply.get("accessToken"));
    let access = access.and_then(Value::as_str).unwrap_or_else(|| panic!("no token: {reply}")).to_owned();
    Ann { api: api.with_token(&access), key, access }
}

fn post(ann: &mut Ann, n: u8) -> String {
    let id = format!("01890000-0000-7000-8000-0000000001{n:02x}");
    ann.api.call("post.create", &json!({ "id": id, "text": format!("Number {n}") })).expect(200);
    id
}

#[test]
fn changes_come_as_messages_and_a_broken_socket_is_resumed() {
    let dir = Dir::new("websocket");
    let server = Gomer::start(&dir.path().join("data"));
    let mut ann = sign_up(&server);
    let token = ann.api.call("realtime.getToken", &json!({})).expect(200).json();
    let token = token["token"].as_str().expect("a token").to_owned();
    let mut socket = open(&server, &format!("token={token}"), &[]).expect("101");
    let ready = until(&mut socket, |event| event["event"] == "ready");
    assert!(ready["id"].is_string() && ready["data"] == json!({}), "{ready}");
    let first = post(&mut ann, 1);
    let seen = until(&mut socket, |event| event["data"]["id"] == json!(first));
    assert_eq!(seen["event"], "change");
    // The cursor comes with the last of a page.
    let with_id =
        if seen["id"].is_string() { seen } else { until(&mut socket, |event| event["id"].is_string()) };
    let cursor = with_id["id"].as_str().expect("a cursor").to_owned();
    drop(socket);
    // Used once, a token opens nothing more.
    assert_eq!(open(&server, &format!("token={token}"), &[]).err(), Some(StatusCode::UNAUTHORIZED));
    let second = post(&mut ann, 2);
    let bearer = format!("Bearer {}", ann.access);
    let headers = [("gomer-key", ann.key.as_str()), ("authorization", bearer.as_str())];
    let mut socket = open(&server, &format!("cursor={cursor}"), &headers).expect("101");
    // It is on its way to her own timeline, or there already.
    until(&mut socket, |event| event["data"]["id"] == json!(second));
}

#[test]
fn who_may_not_listen_is_refused_and_a_session_that_ends_takes_its_socket_with_it() {
    let dir = Dir::new("websocket");
    let server = Gomer::start(&dir.path().join("data"));
    let mut ann = sign_up(&server);
    let bearer = format!("Bearer {}", ann.access);
    let with = [("gomer-key", ann.key.as_str()), ("authorization", bearer.as_str())];
    assert_eq!(open(&server, "token=x", &[]).err(), Some(StatusCode::UNAUTHORIZED));
    assert_eq!(open(&server, "", &[]).err(), Some(StatusCode::UNAUTHORIZED));
    assert_eq!(open(&server, "", &with[..1]).err(), Some(StatusCode::UNAUTHORIZED));
    assert_eq!(open(&server, "cursor=x", &with).err(), Some(StatusCode::BAD_REQUEST));
    assert_eq!(open(&server, "roots=post:x", &with).err(), Some(StatusCode::UNPROCESSABLE_ENTITY));
    // Something said ends it with a reason.
    let mut socket = open(&server, "", &with).expect("101");
    socket.send(Message::text("hello")).expect("it is open");
    let end = loop {
        if let Err(end) = next(&mut socket) {
            break end;
        }
    };
    assert_eq!(end, Some(CloseCode::Unsupported));
    let mut socket = open(&server, "", &with).expect("101");
    until(&mut socket, |event| event["event"] == "ready");
    ann.api.call("auth.deleteSession", &json!({})).expect(200);
    let end = loop {
        if let Err(end) = next(&mut socket) {
            break end;
        }
    };
    assert_eq!(end, Some(CloseCode::Normal));
}
