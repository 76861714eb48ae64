//! A small, honest server: revisions from one log, operation records, tombstones that are forgotten,
//! grants, followed roots, lagging replicas, token pairs. It shares no code with the phone.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// (root, section).
pub type Scope = (String, String);
/// (scope, "put" or "mark", id). There is one type, `note`.
pub type RowKey = (Scope, &'static str, String);

/// When an access token ends, in milliseconds after it was given out.
const ACCESS_LIFE: u64 = 15 * 60 * 1_000;
/// How many old states replicas may answer from.
const REPLICAS: usize = 6;

#[derive(Debug, Clone, Default)]
struct SRow {
    rev: u64,
    live: bool,
    attributes: BTreeMap<String, (Value, (u64, String))>,
}

impl SRow {
    fn value(&self) -> Value {
        let set = self.attributes.iter().filter(|(_, (value, _))| !value.is_null());
        Value::Object(set.map(|(name, (value, _))| (name.clone(), value.clone())).collect())
    }
}

/// What one replica holds.
#[derive(Debug, Clone, Default)]
pub struct State {
    position: u64,
    rows: BTreeMap<RowKey, SRow>,
    /// Grant numbers by (user, scope).
    grants: BTreeMap<(String, Scope), u64>,
    /// The greatest tombstone dropped, by scope.
    forgotten: BTreeMap<Scope, u64>,
}

impl State {
    /// Scopes that the user reads now, with the number of the grant; 0 where none is needed.
    fn permitted(&self, user: &str, roots: &BTreeSet<String>) -> BTreeMap<Scope, u64> {
        let own = ((format!("profile:{user}"), "private".to_owned()), 0);
        let granted = self.grants.iter().filter(|((who, _), _)| who == user);
        let granted = granted.map(|((_, scope), number)| (scope.clone(), *number));
        let followed = roots.iter().map(|root| ((root.clone(), "public".to_owned()), 0));
        [own].into_iter().chain(granted).chain(followed).collect()
    }

    /// All that the user may see: key to (revision, value).
    pub fn visible(&self, user: &str, roots: &BTreeSet<String>) -> BTreeMap<RowKey, (String, Value)> {
        let permitted = self.permitted(user, roots);
        let rows = self.rows.iter().filter(|(key, row)| row.live && permitted.contains_key(&key.0));
        rows.map(|(key, row)| (key.clone(), (row.rev.to_string(), row.value()))).collect()
    }
}

/// What is inside a cursor.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Inside {
    era: u64,
    /// Position of the replica that answered last.
    own: u64,
    /// By "root section".
    scopes: BTreeMap<String, InScope>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct InScope {
    grant: u64,
    at: u64,
    /// While a resync (or a first pull) is under way: the position when it began.
    began: Option<u64>,
}

/// What a phone asks.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub access: String,
    /// `Gomer-Position`; 0 without.
    pub position: u64,
    pub body: String,
}

/// A reply.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub retry_after_s: Option<u64>,
    pub position: Option<String>,
    pub body: String,
    /// For a page with `end`: the state that the phone must equal once it has taken it in.
    pub equals: Option<BTreeMap<RowKey, (String, Value)>>,
}

impl Reply {
    pub fn problem(status: u16, code: &str, retry_after_s: Option<u64>) -> Reply {
        let body = json!({"status": status, "code": code, "title": code, "retry": "later"}).to_string();
        Reply { status, retry_after_s, position: None, body, equals: None }
    }

    fn good(position: u64, body: Value) -> Reply {
        let position = Some(position.to_string());
        Reply { status: 200, retry_after_s: None, position, body: body.to_string(), equals: None }
    }
}

/// What goes wrong inside one push or pull; drawn by the test.
#[derive(Debug, Clone, Copy, Default)]
pub struct Luck {
    /// Rows on a page, at least; 0 counts as 1.
    pub page: usize,
    /// How far behind the replica may be that answers a pull.
    pub lag: usize,
    /// Push: stop at the operation with this number...
    pub stop_at: Option<usize>,
    /// ...after having executed it (504), instead of before (503).
    pub stop_late: bool,
}

#[derive(Debug, Clone, Default)]
struct Family {
    /// (access, refresh, ends)
    present: (String, String, u64),
    /// The pair that replaces it, until it is first used.
    next: Option<(String, String, u64)>,
    retired: BTreeSet<String>,
    revoked: bool,
}

#[derive(Debug, Default)]
pub struct Server {
    pub state: State,
    replicas: Vec<State>,
    era: u64,
    /// (user, op) to (body, result).
    records: BTreeMap<(String, String), (String, Value)>,
    /// How often each intent took effect. The promise is: never twice.
    pub effects: BTreeMap<u64, u32>,
    /// The revision that each intent made.
    pub revisions: BTreeMap<u64, u64>,
    /// Attributes that an intent did not win when it was executed.
    pub overruled: BTreeMap<u64, BTreeSet<String>>,
    families: BTreeMap<String, Family>,
    minted: u64,
    /// A refresh token was shown again after the pair that replaced it was used.
    pub reused: bool,
}

impl Server {
    /// Signs a phone in; (access, refresh).
    pub fn sign_in(&mut self, phone: &str, now: u64) -> (String, String) {
        let present = self.mint(now);
        let pair = (present.0.clone(), present.1.clone());
        self.families.insert(phone.to_owned(), Family { present, ..Family::default() });
        pair
    }

    /// Ends a phone's session for good.
    pub fn revoke_session(&mut self, phone: &str) {
        self.families.entry(phone.to_owned()).or_default().revoked = true;
    }

    /// Lets the present access token end now.
    pub fn end_access(&mut self, phone: &str) {
        self.families.entry(phone.to_owned()).or_default().present.2 = 0;
    }

    fn mint(&mut self, now: u64) -> (String, String, u64) {
        self.minted += 1;
        (format!("access-{}", self.minted), format!("refresh-{}", self.minted), now + ACCESS_LIFE)
    }

    fn authenticate(&mut self, phone: &str, access: &str, now: u64) -> bool {
        let Some(family) = self.families.get_mut(phone) else { return false };
        if family.next.as_ref().is_some_and(|next| next.0 == access) {
            let old = std::mem::replace(&mut family.present, family.next.take().unwrap());
            family.retired.insert(old.1);
        }
        !family.revoked && family.present.0 == access && now < family.present.2
    }

    fn refresh(&mut self, phone: &str, body: &str, now: u64) -> Reply {
        let shown = parse(body)["refreshToken"].as_str().unwrap().to_owned();
        let fresh = self.mint(now);
        let family = self.families.get_mut(phone).unwrap();
        if family.retired.contains(&shown) {
            self.reused = true;
            family.revoked = true;
        }
        if family.next.as_ref().is_some_and(|next| next.1 == shown) {
            let old = std::mem::replace(&mut family.present, family.next.take().unwrap());
            family.retired.insert(old.1);
        }
        if family.revoked || family.present.1 != shown {
            return Reply::problem(401, "unauthenticated", None);
        }
        family.next = Some(fresh.clone());
        Reply::good(self.state.position, json!({"accessToken": fresh.0, "refreshToken": fresh.1, "more": 1}))
    }

    /// Answers one request of a phone.
    pub fn answer(&mut self, phone: &str, asked: &Asked, now: u64, luck: Luck) -> Reply {
        if asked.method == "auth.refreshSession" {
            return self.refresh(phone, &asked.body, now);
        }
        if !self.authenticate(phone, &asked.access, now) {
            return Reply::problem(401, "unauthenticated", None);
        }
        match &asked.method[..] {
            "sync.pull" => self.pull(phone, &asked.body, luck, asked.position),
            "sync.push" => self.push(phone, &asked.body, luck, now),
            other => panic!("a phone does not call {other}"),
        }
    }

    /// The position of the replica that gave out this cursor.
    pub fn position_in(cursor: &str) -> u64 {
        serde_json::from_str::<Inside>(cursor).unwrap().own
    }

    /// Whether a pull with this body would bring nothing.
    pub fn has_nothing_for(&self, user: &str, body: &str) -> bool {
        let reply = self.pull(user, body, Luck { page: 1, ..Luck::default() }, 0);
        let page = parse(&reply.body);
        reply.status == 200 && page["end"] == true && page["items"].as_array().unwrap().is_empty()
    }

    fn pull(&self, user: &str, body: &str, luck: Luck, position: u64) -> Reply {
        let asked = parse(body);
        let roots: BTreeSet<String> = asked["roots"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|root| root.as_str().unwrap().to_owned())
            .collect();
        let mut inside = match asked["cursor"].as_str() {
            None => Inside { era: self.era, ..Inside::default() },
            Some(cursor) => serde_json::from_str(cursor).unwrap(),
        };
        if inside.era != self.era {
            let (status, code) =
                if self.era.is_multiple_of(2) { (410, "cursor-expired") } else { (400, "cursor-invalid") };
            return Reply::problem(status, code, None);
        }
        let at_least = position.max(inside.own);
        // Who shows neither position nor cursor is answered by the leader.
        let lag = if at_least == 0 { 0 } else { luck.lag };
        let able = self.replicas.iter().rev().filter(|replica| replica.position >= at_least);
        let replica = able.take(lag).last().unwrap_or(&self.state);

        let mut items = Vec::new();
        let permitted = replica.permitted(user, &roots);
        let name = |scope: &Scope| format!("{} {}", scope.0, scope.1);
        let about = |op: &str, scope: &Scope, rev: u64| json!({"op": op, "root": scope.0, "section": scope.1, "rev": rev.to_string()});
        let gone: Vec<String> = inside
            .scopes
            .keys()
            .filter(|known| !permitted.keys().any(|scope| name(scope) == **known))
            .cloned()
            .collect();
        for known in gone {
            inside.scopes.remove(&known);
            let (root, section) = known.split_once(' ').unwrap();
            items.push(about("scopeDropped", &(root.to_owned(), section.to_owned()), replica.position));
        }
        let mut end = true;
        for (scope, grant) in &permitted {
            let from_zero = InScope { grant: *grant, at: 0, began: Some(replica.position) };
            let known = inside.scopes.get(&name(scope)).copied();
            if *grant != 0 && known.is_none_or(|known| known.grant != *grant) {
                items.push(about("scopeAdded", scope, *grant));
            }
            let forgotten = replica.forgotten.get(scope).copied().unwrap_or(0);
            let mut known = match known {
                None => from_zero,
                Some(known) if known.grant != *grant || forgotten > known.began.unwrap_or(known.at) => {
                    items.push(about("resync", scope, replica.position));
                    from_zero
                }
                Some(known) => known,
            };
            // Whole positions only: what one write changed comes on one page.
            let mut by_rev: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
            for (key, row) in replica.rows.iter().filter(|(key, row)| key.0 == *scope && row.rev > known.at) {
                let mut item = about(if row.live { key.1 } else { "delete" }, scope, row.rev);
                item["type"] = json!("note");
                item["id"] = json!(key.2);
                if row.live {
                    item["value"] = row.value();
                }
                by_rev.entry(row.rev).or_default().push(item);
            }
            let mut complete = true;
            for (rev, rows) in by_rev {
                if items.len() >= luck.page.max(1) {
                    complete = false;
                    break;
                }
                items.extend(rows);
                known.at = rev;
            }
            if complete {
                known.at = known.at.max(replica.position);
            }
            end &= complete;
            inside.scopes.insert(name(scope), known);
        }
        if end {
            inside.scopes.values_mut().for_each(|known| known.began = None);
        }
        inside.own = replica.position;
        let cursor = serde_json::to_string(&inside).unwrap();
        let mut reply = Reply::good(replica.position, json!({"items": items, "cursor": cursor, "end": end}));
        reply.equals = end.then(|| replica.visible(user, &roots));
        reply
    }

    fn push(&mut self, user: &str, body: &str, luck: Luck, now: u64) -> Reply {
        let mut results = Vec::new();
        let mut stopped_at = None;
        for (number, operation) in parse(body)["operations"].as_array().unwrap().iter().enumerate() {
            let op = operation["op"].as_str().unwrap().to_owned();
            let stops = luck.stop_at == Some(number);
            if stops && !luck.stop_late {
                let (status, code) = if number % 2 == 0 { (503, "busy") } else { (500, "internal") };
                results.push(json!({"op": op, "status": status, "code": code}));
                stopped_at = Some(op);
                break;
            }
            let result = self.execute(user, &op, operation, now);
            if stops {
                results.push(json!({"op": op, "status": 504, "code": "timeout"}));
                stopped_at = Some(op);
                break;
            }
            results.push(result);
        }
        Reply::good(self.state.position, json!({"results": results, "stoppedAt": stopped_at}))
    }

    /// Executes an operation, or gives the first reply again.
    fn execute(&mut self, user: &str, op: &str, operation: &Value, now: u64) -> Value {
        let body = operation.to_string();
        if let Some((first_body, first)) = self.records.get(&(user.to_owned(), op.to_owned())) {
            if *first_body != body {
                return json!({"op": op, "status": 422, "code": "key-reused"});
            }
            return first.clone();
        }
        let result = match self.take_effect(user, op, operation, now) {
            Ok((rev, value)) => json!({"op": op, "status": 200, "rev": rev.to_string(), "value": value}),
            Err((status, code, value)) => json!({"op": op, "status": status, "code": code, "value": value}),
        };
        self.records.insert((user.to_owned(), op.to_owned()), (body, result.clone()));
        result
    }

    fn take_effect(
        &mut self,
        user: &str,
        op: &str,
        operation: &Value,
        now: u64,
    ) -> Result<(u64, Value), (u16, &'static str, Value)> {
        let args = &operation["args"];
        let text = |name: &str| args[name].as_str().unwrap().to_owned();
        let intent = args["intent"].as_u64().unwrap();
        let scope: Scope = (text("root"), text("section"));
        let own = scope.0 == format!("profile:{user}") && scope.1 == "private";
        let open = scope.1 == "public";
        if !own && !open && !self.state.grants.contains_key(&(user.to_owned(), scope.clone())) {
            return Err((404, "not-found", Value::Null));
        }
        let method = operation["method"].as_str().unwrap();
        let key: RowKey = (scope.clone(), if method == "note.mark" { "mark" } else { "put" }, text("id"));
        let old = self.state.rows.get(&key).cloned();
        let live = old.as_ref().filter(|row| row.live);
        if let Some(expected) = operation["ifRev"].as_str()
            && live.is_none_or(|row| row.rev.to_string() != expected)
        {
            return Err((412, "stale-revision", live.map(SRow::value).unwrap_or_default()));
        }
        let edited_at = millis(operation["editedAt"].as_str().unwrap());
        let stamp = (edited_at.min(now), op.to_owned());
        let rev = self.state.position + 1;
        let mut row = old.clone().unwrap_or_default();
        match method {
            "note.poison" => return Err((422, "invalid", Value::Null)),
            "note.ancient" => return Err((410, "cursor-expired", Value::Null)),
            "note.create" | "note.pair" if old.is_some() => return Err((409, "id-taken", Value::Null)),
            "note.update" | "note.delete" if live.is_none() => return Err((404, "not-found", Value::Null)),
            "note.delete" => row = SRow { live: false, ..SRow::default() },
            _ => {
                row.live = true;
                let set: &Map<String, Value> = args["attributes"].as_object().unwrap();
                for (name, value) in set {
                    let held = row.attributes.entry(name.clone()).or_default();
                    if held.1 < stamp {
                        *held = (value.clone(), stamp.clone());
                    } else if held.0 != *value {
                        self.overruled.entry(intent).or_default().insert(name.clone());
                    }
                }
            }
        }
        row.rev = rev;
        let value = row.value();
        if method == "note.pair" {
            let twin = (scope, "put", format!("{}-twin", key.2));
            self.state.rows.insert(twin, row.clone());
        }
        self.state.rows.insert(key, row);
        *self.effects.entry(intent).or_default() += 1;
        self.revisions.insert(intent, rev);
        self.moved_on(rev);
        Ok((rev, value))
    }

    /// Gives or takes a scope; giving it again counts as another grant.
    pub fn grant(&mut self, user: &str, scope: &Scope, given: bool) {
        let rev = self.state.position + 1;
        let key = (user.to_owned(), scope.clone());
        match given {
            true => drop(self.state.grants.insert(key, rev)),
            false => drop(self.state.grants.remove(&key)),
        }
        self.moved_on(rev);
    }

    /// Forgets all tombstones.
    pub fn forget(&mut self) {
        let state = &mut self.state;
        for (key, row) in state.rows.iter().filter(|(_, row)| !row.live) {
            let forgotten = state.forgotten.entry(key.0.clone()).or_default();
            *forgotten = row.rev.max(*forgotten);
        }
        state.rows.retain(|_, row| row.live);
        // Replicas forget by the same write.
        let rev = state.position + 1;
        self.moved_on(rev);
    }

    /// No cursor given out so far is known any more.
    pub fn new_era(&mut self) {
        self.era += 1;
    }

    fn moved_on(&mut self, position: u64) {
        self.state.position = position;
        self.replicas.push(self.state.clone());
        if self.replicas.len() > REPLICAS {
            self.replicas.remove(0);
        }
    }
}

fn parse(body: &str) -> Value {
    serde_json::from_str(body).expect("a phone sends JSON")
}

fn millis(rfc3339: &str) -> u64 {
    rfc3339.parse::<gomer_core::time::Time>().expect("a phone sends RFC 3339").as_millis()
}
