//! `realtime`: the same changes as `sync.pull` sends, as they happen, over server-sent events or a WebSocket.
//!
//! An event's id is a cursor, so a connection that breaks is resumed where it was: nothing is kept for it here.
//! Within a page only the last item has an id; who resumes may get the others again. A reader that is too
//! slow is told to come back, and closed.
//!
//! Signals (who types, who is there) come in between, without an id: they are in no cursor.

use std::time::Duration;

use gomer_core::id::{Id, Root};
use gomer_core::meta::state::App;
use gomer_core::rows::node::Flags;
use gomer_core::time::Time;
use gomer_core::vnode::command::{OpKey, Write};
use gomer_net::cluster::Cluster;
use gomer_net::http::live::{LiveClosed, LiveEvent, LiveFormat, LiveSender, channel};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::post::hydrate::Reader;
use super::sync::item::Item;
use super::sync::scopes::{self, Page, ROOTS_MAX};
use super::sync::{RootName, names, open, seal, watch, watched};
use crate::cursor::{Cursors, Purpose, SyncPlace};
use crate::model::SESSION;
use crate::problem::{Code, Problem};
use crate::registry::{Cache, Call, Caller, Method, Reply, Role, Stop};
use crate::signals::{Kind, Listening};
use crate::types::{Empty, List, Timestamp, Uuid};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::query("realtime.subscribe", subscribe)
            .role(Role::User)
            .errors(&[Code::CursorInvalid])
            .token_in_address()
            .produces("text/event-stream")
            .about("Streams changes as they happen, from a cursor or from now on, as server-sent events or over a WebSocket; and who types or is there."),
        Method::procedure("realtime.getToken", get_token)
            .role(Role::User)
            .about("Gives a token for one `realtime.subscribe` of a client that cannot set headers."),
    ]
}

/// Events that wait for a slow reader; with these it is one page behind at most.
const QUEUE: usize = 64;
/// Items of one page.
const PAGE_ITEMS: usize = 200;
/// How long a full queue is waited for before the reader is sent away.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked whether the session still is, and whether what is followed still may be.
const RECHECK: Duration = Duration::from_secs(15);

/// What to follow.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Subscribe {
    /// From where. `Last-Event-ID` goes before it. Without either: from now on.
    cursor: Option<String>,
    /// Up to 50 roots that are open, beside one's own profile's. Absent: as the cursor has it.
    roots: Option<List<RootName, 0, ROOTS_MAX>>,
    /// From `realtime.getToken`, instead of the headers.
    #[serde(rename = "token")]
    _token: Option<String>,
}

async fn subscribe(call: Call, args: Subscribe) -> Result<Reply<Item>, Stop> {
    let me = call.me()?;
    let token = call.last_event_id.as_deref().or(args.cursor.as_deref());
    let place = match token {
        Some(_) => open(&call, me, token)?,
        None => scopes::head(&call, me).await?,
    };
    let wanted: Option<Vec<Root>> = args.roots.map(|roots| roots.0.into_iter().map(|root| root.0).collect());
    let (sender, body) =
        channel(QUEUE, if call.websocket { LiveFormat::WebSocket } else { LiveFormat::ServerSent });
    let outlet = Outlet { sender, patience: PATIENCE };
    let live = Live { call, me, place, wanted, outlet, ready: false, heard: 0 };
    tokio::spawn(live.run());
    Ok(Reply::stream(body))
}

/// One connection.
struct Live {
    call: Call,
    me: Id,
    place: SyncPlace,
    wanted: Option<Vec<Root>>,
    outlet: Outlet,
    /// Whether it was told that it is up to date.
    ready: bool,
    /// The number of the last signal that was passed on.
    heard: u64,
}

impl Live {
    /// Feeds the connection until the client is gone, is too slow, or may no longer read. A failure ends it
    /// too: the client comes back with its last cursor.
    async fn run(mut self) {
        // Either way there is nobody left to tell.
        let _: Result<(), LiveClosed> = self.feed().await;
    }

    async fn feed(&mut self) -> Result<(), LiveClosed> {
        // Registered before the first look, so that nothing falls between the two.
        let watch = watch(&self.call, self.me, &self.place, self.wanted.as_deref());
        let listening = self.listen();
        loop {
            while !self.page().await? {}
            self.hear().await?;
            // In a fixed order, for the simulator's sake.
            tokio::select! {
                biased;
                () = self.outlet.sender.closed() => return Err(LiveClosed),
                () = watch.changed() => {}
                () = listening.heard() => {}
                () = tokio::time::sleep(RECHECK) => {}
            }
            self.call.now = self.call.cluster.now();
            if !self.may_go_on().await {
                return Err(LiveClosed);
            }
        }
    }

    /// Sends a page, and says whether it was the last one for now.
    async fn page(&mut self) -> Result<bool, LiveClosed> {
        let place = self.place.clone();
        let page = scopes::page(&self.call, self.me, place, self.wanted.as_deref(), PAGE_ITEMS).await;
        let Ok(Page { items, place, end }) = page else { return Err(LiveClosed) };
        let moved = place != self.place;
        self.place = place;
        let cursor = seal(&self.call, self.me, &self.place);
        let last = items.len().saturating_sub(1);
        for (at, item) in items.iter().enumerate() {
            let data = serde_json::to_string(item).expect("items are plain data, which JSON can hold");
            let id = (at == last).then_some(cursor.as_str());
            self.outlet.send(&LiveEvent { event: Some("change"), id, data: Some(&data) }).await?;
        }
        if end && !self.ready {
            self.ready = true;
            self.outlet
                .send(&LiveEvent { event: Some("ready"), id: Some(&cursor), data: Some("{}") })
                .await?;
        }
        Ok(end || (!moved && items.is_empty()))
    }

    fn listen(&self) -> Listening {
        let roots = watched(self.me, &self.place, self.wanted.as_deref());
        self.call.host.signals.listen(self.call.app.id, roots)
    }

    /// Passes on what was said at the roots that may be read as of the last page.
    async fn hear(&mut self) -> Result<(), LiveClosed> {
        let roots: Vec<Root> = self.place.roots.iter().map(|followed| followed.root).collect();
        let (mut heard, last) =
            self.call.host.signals.since(self.call.app.id, &roots, self.call.cluster.now().mono, self.heard);
        self.heard = last;
        heard.retain(|(_, signal)| signal.profile != self.me);
        if heard.is_empty() {
            return Ok(());
        }
        let people = heard.iter().map(|(_, signal)| signal.profile);
        let Ok(seen) = Reader::new(&self.call).profiles(people).await else { return Err(LiveClosed) };
        for (root, signal) in heard.into_iter().filter(|(_, signal)| seen.contains(&signal.profile)) {
            let data = Heard {
                signal: match signal.kind {
                    Kind::Typing => "typing",
                    Kind::Presence => "presence",
                },
                root: names::root(root),
                profile: Uuid(signal.profile),
                state: signal.state,
                until: Timestamp(signal.until),
            };
            let data = serde_json::to_string(&data).expect("a signal is plain data, which JSON can hold");
            self.outlet.send(&LiveEvent { event: Some("signal"), id: None, data: Some(&data) }).await?;
        }
        Ok(())
    }

    /// Whether the session that opened this is still there, and its profile not banned.
    async fn may_go_on(&self) -> bool {
        let me = self.call.node(Root::profile(self.me), self.me).await;
        if matches!(&me, Ok(Some(me)) if me.node.flags.has(Flags::BANNED)) {
            return false;
        }
        match self.call.caller {
            Caller::User { profile, device, .. } if device != Id::NIL => {
                matches!(self.call.link(Root::profile(profile), SESSION, device).await, Ok(Some(_)))
            }
            _ => true,
        }
    }
}

/// A signal as it is passed on.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Heard {
    signal: &'static str,
    root: String,
    profile: Uuid,
    state: &'static str,
    until: Timestamp,
}

/// The way out to one reader: a bounded queue, and as much patience.
struct Outlet {
    sender: LiveSender,
    patience: Duration,
}

impl Outlet {
    /// Sends an event; a reader that does not take it for too long is told to come back, and closed.
    async fn send(&self, event: &LiveEvent<'_>) -> Result<(), LiveClosed> {
        if self.sender.try_send(event)? {
            return Ok(());
        }
        match tokio::time::timeout(self.patience, self.sender.send(event)).await {
            Ok(sent) => sent,
            Err(_) => {
                let resync =
                    LiveEvent { event: Some("resync"), id: None, data: Some(r#"{"reason":"slow"}"#) };
                // What is queued goes out first, if the reader ever goes on; this is the last of it.
                let _: Result<_, _> = tokio::time::timeout(self.patience, self.sender.send(&resync)).await;
                Err(LiveClosed)
            }
        }
    }
}

/// How long a token is good.
const TOKEN_LIFE: Duration = Duration::from_secs(60);

/// A token for one connection.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct LiveToken {
    /// Goes into the address: `realtime.subscribe?token=…`. Good for one connection.
    token: String,
    /// Until when.
    expires_at: Timestamp,
}

/// What a token says.
#[derive(Serialize, Deserialize)]
struct Ticket {
    profile: Id,
    device: Id,
    expires: Time,
    /// Named once: the operation under which it is used up.
    once: Id,
}

async fn get_token(call: Call, _: Empty) -> Result<Reply<LiveToken>, Stop> {
    let profile = call.me()?;
    let expires = call.now.wall + TOKEN_LIFE;
    let ticket =
        Ticket { profile, device: call.device().unwrap_or(Id::NIL), expires, once: call.cluster.mint() };
    let token = Cursors::new(&call.app, Id::NIL).seal(&Purpose::Live, &ticket);
    Ok(Reply::new(LiveToken { token, expires_at: Timestamp(expires) }).cache(Cache::Never))
}

/// Whom a token of [`get_token`] stands for. It is used up by that.
pub async fn redeem(cluster: &Cluster, app: &App, token: &str) -> Result<Caller, Stop> {
    let refused = || -> Stop {
        Problem::new(Code::Unauthenticated)
            .detail("The token is wrong, too old or was used: get another one.")
            .into()
    };
    let opened: Result<Ticket, _> = Cursors::new(app, Id::NIL).open(&Purpose::Live, token);
    let Ticket { profile, device, expires, once } = opened.map_err(|_| refused())?;
    if cluster.now().wall >= expires {
        return Err(refused());
    }
    let root = Root::profile(profile);
    let op = OpKey { id: once, fingerprint: *b"realtime.getToke" };
    let write = Write { op: Some(op), ..Write::new(app.id, root, profile) };
    match cluster.write(write).await? {
        used if used.replayed.is_some() => Err(refused()),
        _ => Ok(Caller::User { profile, device, roles: Vec::new() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reader_that_is_too_slow_is_sent_away_with_a_word() {
        let (sender, mut body) = channel(2, LiveFormat::ServerSent);
        let outlet = Outlet { sender, patience: Duration::from_millis(200) };
        let event = LiveEvent { event: Some("change"), id: None, data: Some("{}") };
        let feeding = tokio::spawn(async move {
            let mut sent = 0;
            while outlet.send(&event).await.is_ok() {
                sent += 1;
            }
            sent
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut text = String::new();
        while let Some(bytes) = body.next().await {
            text += std::str::from_utf8(&bytes).unwrap();
        }
        assert_eq!(feeding.await.unwrap(), 2, "no more wait than the queue holds");
        assert!(text.ends_with("event: resync\ndata: {\"reason\":\"slow\"}\n\n"), "{text}");
    }

    #[tokio::test]
    async fn a_reader_that_pauses_for_a_moment_is_waited_for() {
        let (sender, mut body) = channel(1, LiveFormat::ServerSent);
        let outlet = Outlet { sender, patience: Duration::from_secs(20) };
        let event = LiveEvent { event: Some("change"), id: None, data: Some("{}") };
        let feeding = tokio::spawn(async move {
            for _ in 0..3 {
                outlet.send(&event).await.unwrap();
            }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        let mut events = 0;
        while body.next().await.is_some() {
            events += 1;
        }
        feeding.await.unwrap();
        assert_eq!(events, 3);
    }
}
