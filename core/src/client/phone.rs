//! The machine: what is sent when, and who takes in the reply.

use std::time::Duration;

use serde_json::Value;

use super::action::{Action, HttpRequest, RequestId, SignIn, Turn};
use super::cache::{Cache, Key, Scope};
use super::commit::Saved;
use super::cursor::{Cursor, Roots};
use super::event::{Event, Response};
use super::lane::Lane;
use super::merge::merged;
use super::queue::{OpId, PUSH_OPERATIONS_MAX, Queue, Verdict, Write};
use super::session::{Generation, Secret, Session};
use super::wire::{PullReply, PullRequest, PushReply, PushRequest, RefreshReply, RefreshRequest, Reply};
use crate::id::Id;
use crate::rng::Rng;
use crate::time::{Monotonic, Now};

/// How long a `sync.pull` may wait at the server for something new.
pub const PULL_WAIT: Duration = Duration::from_secs(30);

/// How long a reply may take, beyond what the server was allowed to wait.
pub const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// Least time between two pulls of which the first waited and brought nothing: a server that does not
/// wait must not be asked without pause.
pub const IDLE_PULL_PAUSE: Duration = Duration::from_secs(1);

/// What a phone must be told once.
#[derive(Debug, Clone)]
pub struct Config {
    /// The app, as in paths: `/v1/{app}/…`.
    pub app: String,
    /// The app's client key.
    pub client_key: String,
    /// This device, so that two devices that drew the same seed still mint different ids.
    pub device: Id,
    /// Fresh randomness at every start: ids and jitter come from it.
    pub seed: u64,
}

/// A push that is out.
#[derive(Debug)]
struct Push {
    generation: Generation,
    ops: Vec<OpId>,
}

/// A pull that is out.
#[derive(Debug)]
struct Pull {
    generation: Generation,
    /// Operations that were done when it was sent: its `end` says that the cache holds their results.
    applied: Vec<OpId>,
    /// When it was sent, if the server was allowed to wait.
    waits_since: Option<Monotonic>,
}

/// One person's phone in one app.
#[derive(Debug)]
pub struct Phone {
    config: Config,
    rng: Rng,
    session: Session,
    cursor: Cursor,
    cache: Cache,
    queue: Queue,
    refresh: Lane<()>,
    push: Lane<Push>,
    pull: Lane<Pull>,
    online: bool,
    /// The last page was the end: the next pull may wait for something new.
    caught_up: bool,
    /// The server refused a whole push. Until one passes, each operation goes alone, so that the one at
    /// fault is found and the others are not lost with it.
    push_singly: bool,
    /// The app was told what it must know after a start.
    greeted: bool,
    requests: u64,
    deadline: Option<Monotonic>,
}

impl Phone {
    /// A phone as it was stored; [`Saved::default`] for a new one. It counts as online until told otherwise.
    pub fn new(config: Config, saved: Saved) -> Phone {
        let mut device = [0; 8];
        device.copy_from_slice(&config.device.as_bytes()[8..]);
        Phone {
            rng: Rng::new(config.seed).split(u64::from_be_bytes(device)),
            session: Session::restore(saved.session),
            cursor: saved.cursor,
            cache: Cache::restore(saved.rows, saved.scopes, saved.round),
            queue: Queue::restore(saved.operations, saved.reports, saved.last_edit),
            refresh: Lane::new(),
            push: Lane::new(),
            pull: Lane::new(),
            online: true,
            caught_up: false,
            push_singly: false,
            greeted: false,
            requests: 0,
            deadline: None,
            config,
        }
    }

    /// Takes in one event and says what is to be done, in order.
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Action> {
        let mut turn = Turn::default();
        self.greet(&mut turn);
        match event {
            Event::SignedIn { profile, access, refresh } => {
                self.on_signed_in(now, profile, access, refresh, &mut turn);
            }
            Event::AppWrites(write) => self.on_write(now, write, &mut turn),
            Event::AppAnswers { op, instead } => self.on_answer(now, op, instead, &mut turn),
            Event::AppFollows(roots) => self.on_follows(roots, &mut turn),
            Event::Response(response) => self.on_response(now, response, &mut turn),
            Event::Failed(request) => self.on_failed(now, request),
            Event::WentOffline => self.on_offline(&mut turn),
            Event::CameOnline => self.on_online(),
            Event::Tick => {}
        }
        self.send_what_is_due(now, &mut turn);
        self.deadline = self.next_deadline(now);
        turn.into_actions()
    }

    /// When the phone wants a [`Event::Tick`], if nothing else happens before. Changes with every event.
    pub fn poll_timeout(&self) -> Option<Monotonic> {
        self.deadline
    }

    /// One entity as the person sees it: the server's word and, over it, what it has not confirmed yet.
    pub fn view(&self, key: &Key) -> Option<Value> {
        merged(self.cache.get(key).map(|row| &row.value), self.queue.edits_of(key))
    }

    /// All of a scope as the person sees it, in order of the keys.
    pub fn view_scope(&self, scope: &Scope) -> Vec<(Key, Value)> {
        let mut edits = self.queue.edits_in(scope);
        let mut seen = Vec::new();
        for (key, row) in self.cache.rows_of(scope) {
            let edits = edits.remove(key).unwrap_or_default();
            seen.extend(merged(Some(&row.value), edits).map(|value| (key.clone(), value)));
        }
        for (key, edits) in edits {
            seen.extend(merged(None, edits).map(|value| (key.clone(), value)));
        }
        seen.sort_by(|(a, _), (b, _)| a.cmp(b));
        seen
    }

    /// What the server has sent, without the person's own edits.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Operations that are not confirmed, and reports that are not answered.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Whose phone it is, and whether they must sign in again.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Where the next pull starts.
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Whether the last pull reached its end, so that the cache is a state that the server had.
    pub fn is_caught_up(&self) -> bool {
        self.caught_up
    }

    /// What an app that just started may not have heard before the last one ended.
    fn greet(&mut self, turn: &mut Turn) {
        if std::mem::replace(&mut self.greeted, true) {
            return;
        }
        self.queue.reports().for_each(|report| turn.report(report.clone()));
        if self.session.is_expired() {
            turn.sign_in(SignIn::Expired);
        }
    }

    fn on_signed_in(&mut self, now: Now, profile: Id, access: Secret, refresh: Secret, turn: &mut Turn) {
        if self.session.sign_in(now.wall, profile, access, refresh, turn) {
            // The reply to an exchange of the former pair must not replace this one.
            turn.cancel(self.refresh.abandon());
        } else {
            turn.sign_in(SignIn::OtherPerson);
        }
    }

    fn on_write(&mut self, now: Now, write: Write, turn: &mut Turn) {
        let known = self.cursor.known.clone();
        let written = self.queue.add(now.wall, write, known, &mut self.rng, turn);
        turn.written(written);
    }

    fn on_answer(&mut self, now: Now, op: OpId, instead: Option<Write>, turn: &mut Turn) {
        match instead {
            Some(write) => {
                let known = self.cursor.known.clone();
                let written = self.queue.redo(now.wall, op, write, known, &mut self.rng, turn);
                turn.written(written);
            }
            None => self.queue.answer(op, turn),
        }
    }

    fn on_follows(&mut self, roots: Roots, turn: &mut Turn) {
        if roots != self.cursor.roots {
            self.cursor.roots = roots;
            turn.commit.cursor = Some(self.cursor.clone());
            // The pull that is out asks for the former roots, and may wait long.
            turn.cancel(self.pull.abandon());
            self.caught_up = false;
        }
    }

    fn on_offline(&mut self, turn: &mut Turn) {
        self.online = false;
        for given_up in [self.refresh.abandon(), self.push.abandon(), self.pull.abandon()] {
            turn.cancel(given_up);
        }
    }

    fn on_online(&mut self) {
        self.online = true;
        self.refresh.hurry();
        self.push.hurry();
        self.pull.hurry();
    }

    fn on_failed(&mut self, now: Now, request: RequestId) {
        if self.refresh.finish(request).is_some() {
            self.refresh.failed(now.mono, None, &mut self.rng);
        } else if self.push.finish(request).is_some() {
            self.push.failed(now.mono, None, &mut self.rng);
        } else if self.pull.finish(request).is_some() {
            self.pull.failed(now.mono, None, &mut self.rng);
        }
    }

    fn on_response(&mut self, now: Now, response: Response, turn: &mut Turn) {
        if self.refresh.finish(response.request).is_some() {
            self.on_refreshed(now, response, turn);
        } else if let Some(push) = self.push.finish(response.request) {
            self.on_pushed(now, push, response, turn);
        } else if let Some(pull) = self.pull.finish(response.request) {
            self.on_pulled(now, pull, response, turn);
        }
    }

    fn on_refreshed(&mut self, now: Now, response: Response, turn: &mut Turn) {
        match Reply::read(response.status, &response.body) {
            Reply::Good(RefreshReply { access_token, refresh_token }) => {
                self.refresh.succeeded();
                let (access, refresh) = (Secret::new(access_token), Secret::new(refresh_token));
                self.session.renew(now, access, refresh, turn);
            }
            Reply::Unauthenticated => self.session.expire(turn),
            // A ban, for instance.
            Reply::Problem { code } if code == "forbidden" => self.session.expire(turn),
            Reply::Problem { .. } | Reply::Unclear => {
                self.refresh.failed(now.mono, response.retry_after, &mut self.rng);
            }
        }
    }

    fn on_pushed(&mut self, now: Now, push: Push, response: Response, turn: &mut Turn) {
        match Reply::<PushReply>::read(response.status, &response.body) {
            Reply::Good(reply) => {
                self.session.accepted(push.generation);
                self.cursor.position = response.position.or(self.cursor.position.take());
                turn.commit.cursor = Some(self.cursor.clone());
                let settled = self.queue.settle(&push.ops, reply, turn);
                if settled.decided > 0 {
                    self.push.succeeded();
                    self.push_singly = false;
                }
                if settled.left > 0 {
                    self.push.failed(now.mono, response.retry_after, &mut self.rng);
                }
            }
            Reply::Unauthenticated => self.session.refused(now, push.generation, turn),
            Reply::Problem { code } if is_about_content(&code) => match push.ops[..] {
                [op] => {
                    self.queue.fail(op, Verdict::Refused { status: response.status, code }, turn);
                    self.push_singly = false;
                }
                _ => self.push_singly = true,
            },
            // Each goes alone now, to find the one at which it fails.
            Reply::Problem { code } if response.status == 500 => {
                self.push_singly = true;
                if let [op] = push.ops[..] {
                    self.queue.stumble(op, response.status, code, turn);
                }
                self.push.failed(now.mono, response.retry_after, &mut self.rng);
            }
            Reply::Problem { .. } | Reply::Unclear => {
                self.push.failed(now.mono, response.retry_after, &mut self.rng);
            }
        }
    }

    fn on_pulled(&mut self, now: Now, pull: Pull, response: Response, turn: &mut Turn) {
        match Reply::<PullReply>::read(response.status, &response.body) {
            Reply::Good(page) => self.on_page(now, pull, page, turn),
            Reply::Unauthenticated => self.session.refused(now, pull.generation, turn),
            Reply::Problem { code } => {
                if matches!(code.as_str(), "cursor-expired" | "cursor-invalid") {
                    self.start_from_zero(turn);
                }
                // A pause in this case too: after a restore every phone hears the same at once.
                self.pull.failed(now.mono, response.retry_after, &mut self.rng);
            }
            Reply::Unclear => self.pull.failed(now.mono, response.retry_after, &mut self.rng),
        }
    }

    fn on_page(&mut self, now: Now, pull: Pull, page: PullReply, turn: &mut Turn) {
        let PullReply { items, cursor, end, known } = page;
        let nothing_new = items.is_empty();
        if nothing_new && !end && self.cursor.token.as_ref() == Some(&cursor) {
            // Neither a row nor a step nor the end: asking again at once would go on for ever.
            return self.pull.failed(now.mono, None, &mut self.rng);
        }
        self.pull.succeeded();
        self.session.accepted(pull.generation);
        self.cache.apply(items, end, turn);
        self.cursor.token = Some(cursor);
        self.cursor.known = known.or(self.cursor.known.take());
        turn.commit.cursor = Some(self.cursor.clone());
        if end {
            self.queue.forget_applied(&pull.applied, turn);
        }
        self.caught_up = end;
        if let Some(since) = pull.waits_since.filter(|_| nothing_new) {
            self.pull.pause(since + IDLE_PULL_PAUSE);
        }
    }

    /// The server does not know the cursor (any more): everything comes again, what does not come is
    /// gone, and the queue stays as it is.
    fn start_from_zero(&mut self, turn: &mut Turn) {
        self.cursor.token = None;
        self.cursor.known = None;
        // It may be of a history that is no more. Without cursor and position, the leader answers.
        self.cursor.position = None;
        turn.commit.cursor = Some(self.cursor.clone());
        self.cache.begin_full_resync(turn);
        self.caught_up = false;
    }

    /// Tokens first, then what the person did, then what is new: a pull behind a push brings its result.
    fn send_what_is_due(&mut self, now: Now, turn: &mut Turn) {
        if !self.online {
            return;
        }
        match self.session.refresh_in(now.wall) {
            None => {}
            Some(Duration::ZERO) => self.send_refresh(now, turn),
            Some(_) => {
                self.send_push(now, turn);
                if !self.push.is_busy() {
                    self.send_pull(now, turn);
                }
            }
        }
    }

    fn send_refresh(&mut self, now: Now, turn: &mut Turn) {
        if !self.refresh.is_open(now.mono) {
            return;
        }
        let Some((tokens, _)) = self.session.tokens() else { return };
        let body = to_json(&RefreshRequest { refresh_token: tokens.refresh.reveal() });
        let request = self.request("auth.refreshSession", Vec::new(), body, REPLY_TIMEOUT);
        self.refresh.start(request.id, ());
        turn.send(request);
    }

    fn send_push(&mut self, now: Now, turn: &mut Turn) {
        if !self.push.is_open(now.mono) {
            return;
        }
        let most = if self.push_singly { 1 } else { PUSH_OPERATIONS_MAX };
        let waiting = self.queue.next_push(most);
        if waiting.is_empty() {
            return;
        }
        let ops = waiting.iter().map(|operation| operation.op).collect();
        let operations = waiting.iter().map(|operation| operation.to_wire()).collect();
        let body = to_json(&PushRequest { operations });
        let Some((headers, generation)) = self.signed_headers() else { return };
        let request = self.request("sync.push", headers, body, REPLY_TIMEOUT);
        self.push.start(request.id, Push { generation, ops });
        turn.send(request);
    }

    fn send_pull(&mut self, now: Now, turn: &mut Turn) {
        if !self.pull.is_open(now.mono) {
            return;
        }
        let applied = self.queue.applied();
        let wait = (self.caught_up && applied.is_empty()).then_some(PULL_WAIT);
        let body = to_json(&PullRequest {
            cursor: self.cursor.token.as_deref(),
            roots: self.cursor.roots.as_set(),
            wait_s: wait.map(|span| span.as_secs()),
        });
        let Some((headers, generation)) = self.signed_headers() else { return };
        let timeout = REPLY_TIMEOUT + wait.unwrap_or_default();
        let request = self.request("sync.pull", headers, body, timeout);
        self.pull.start(request.id, Pull { generation, applied, waits_since: wait.map(|_| now.mono) });
        turn.send(request);
    }

    /// What every call but the exchange of tokens carries.
    fn signed_headers(&self) -> Option<(Vec<(&'static str, String)>, Generation)> {
        let (tokens, generation) = self.session.tokens()?;
        let mut headers = vec![("authorization", format!("Bearer {}", tokens.access.reveal()))];
        headers.extend(self.cursor.position.clone().map(|position| ("gomer-position", position)));
        Some((headers, generation))
    }

    fn request(
        &mut self,
        method: &str,
        mut headers: Vec<(&'static str, String)>,
        body: String,
        timeout: Duration,
    ) -> HttpRequest {
        self.requests += 1;
        headers.push(("gomer-key", self.config.client_key.clone()));
        headers.push(("content-type", "application/json".to_owned()));
        let path = format!("/v1/{}/{method}", self.config.app);
        HttpRequest { id: RequestId(self.requests), method: "POST", path, headers, body, timeout }
    }

    /// The earliest time at which [`Phone::send_what_is_due`] would do something.
    fn next_deadline(&self, now: Now) -> Option<Monotonic> {
        if !self.online {
            return None;
        }
        let refresh_in = self.session.refresh_in(now.wall)?;
        if refresh_in.is_zero() {
            return self.refresh.opens_at();
        }
        let push = self.push.opens_at().filter(|_| !self.queue.next_push(1).is_empty());
        let pull = self.pull.opens_at().filter(|_| !self.push.is_busy());
        [Some(now.mono + refresh_in), push, pull].into_iter().flatten().min()
    }
}

/// Whether a problem with a whole push is the fault of what it carries. Everything else passes: also a
/// 404 of a proxy that is being set up must not cost the person what they did.
fn is_about_content(code: &str) -> bool {
    matches!(code, "bad-request" | "unknown-field" | "too-large" | "invalid" | "key-reused")
}

fn to_json(body: &impl serde::Serialize) -> String {
    serde_json::to_string(body).expect("requests serialise")
}
