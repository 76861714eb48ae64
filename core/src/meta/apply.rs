//! What a command does to the rows of the metadata.
//!
//! Each function first reads and refuses, then writes: a refused command writes nothing.

use std::ops::ControlFlow;

use crate::fault::Fault;
use crate::id::{AppId, Id, Position, Root, RootKind};
use crate::ring::partition::META;
use crate::rows::key::after_prefix;
use crate::rows::operation::{self, OpRecord};
use crate::rows::{Place, ROW_BYTES_MAX, Row, Txn, get, seal};
use crate::store::{Direction, StateRead, StoreFault};
use crate::time::Time;
use crate::vnode::command::{Done, OpKey};

use super::command::{AppState, KeyKind, MetaCommand, is_app_name};
use super::config::{Config, TRANSFERS_LIMIT};
use super::members::Membership;
use super::members::command::{Command, Outcome};
use super::members::found::Founding;
use super::rows::{app, config, counter, key, members, named, operator, role, settings, touched, types};

/// Refused, or done.
type Verdict = Result<Result<Done, Fault>, StoreFault>;

/// Leaves the function with a refusal.
macro_rules! refuse {
    ($fault:expr) => {
        return Ok(Err($fault))
    };
}

/// Applies one command at a position. Outer error: the store failed, and nothing is known. Inner error:
/// the command is refused, and nothing was written. Done: the revision is that of what the command speaks
/// of; what already is as asked is unchanged, even if `if_rev` names an older revision (RFC 9110 §13.1.1),
/// so that a command may come twice.
pub fn apply(txn: &mut Txn<'_>, position: Position, time: Time, command: &MetaCommand) -> Verdict {
    let mut at = Applying { txn, position, time };
    match command {
        MetaCommand::CreateApp { id, name, title, secret } => at.create_app(*id, name, title, *secret),
        MetaCommand::UpdateApp { app, if_rev, title, state } => {
            at.update_app(*app, *if_rev, title.as_deref(), *state)
        }
        MetaCommand::PutSettings { app, if_rev, json } => at.put_settings(*app, *if_rev, json),
        MetaCommand::RollbackSettings { app, if_rev, to } => at.rollback_settings(*app, *if_rev, *to),
        MetaCommand::PutKey { app, id, kind, name, hash } => at.put_key(*app, *id, *kind, name, *hash),
        MetaCommand::RevokeKey { app, id } => at.revoke_key(*app, *id),
        MetaCommand::PutRole { app, if_rev, name, methods } => at.put_role(*app, *if_rev, name, methods),
        MetaCommand::PutType { app, if_rev, name, json } => at.put_type(*app, *if_rev, name, json),
        MetaCommand::SetOperator { hash } => at.set_operator(*hash),
        MetaCommand::Once { app, caller, op, command } => at.once(*app, *caller, *op, command),
        MetaCommand::Found(founding) => at.found(founding),
        MetaCommand::Members(command) => at.members(command),
        MetaCommand::PutConfig { if_rev, transfers_max, moves_paused } => {
            at.put_config(*if_rev, *transfers_max, *moves_paused)
        }
    }
}

struct Applying<'t, 'a> {
    txn: &'t mut Txn<'a>,
    position: Position,
    time: Time,
}

impl Applying<'_, '_> {
    fn once(&mut self, app: AppId, caller: Id, op: OpKey, command: &MetaCommand) -> Verdict {
        // All of an app's calls on the metadata have one place for their records.
        let place = Place { partition: META, app, root: Root::new(RootKind::Misc, Id::NIL) };
        let key = operation::key(place, caller, op.id);
        match self.txn.row::<OpRecord>(&key)? {
            Some(record) if record.fingerprint == op.fingerprint => {
                return Ok(Ok(Done::Unchanged(record.rev)));
            }
            Some(_) => refuse!(Fault::KeyReused),
            None => {}
        }
        let done = match apply(self.txn, self.position, self.time, command)? {
            Ok(done) => done,
            Err(fault) => refuse!(fault),
        };
        let record = OpRecord {
            fingerprint: op.fingerprint,
            position: self.position,
            rev: done.rev(),
            time: self.time,
            // The product keeps the reply, which it can write only when it sees what came of the command.
            reply: Vec::new(),
        };
        self.txn.put(key, &record)?;
        Ok(Ok(done))
    }

    fn create_app(&mut self, uuid: Id, name: &str, title: &str, secret: [u8; 32]) -> Verdict {
        if let Some(app::AppRef { app }) = self.txn.row(&app::uuid_key(uuid))? {
            let rev = self.app(app)?.map_or(Position::ZERO, |app| app.rev);
            return Ok(Ok(Done::Unchanged(rev)));
        }
        if !is_app_name(name) || self.txn.row::<app::AppRef>(&app::name_key(name))?.is_some() {
            refuse!(Fault::NameTaken);
        }
        let last = self.counted(&counter::apps_key())?;
        let Some(number) = last.checked_add(1) else { refuse!(Fault::TooLarge("the number of apps")) };
        let id = AppId(number);
        let row = app::App {
            uuid,
            name: name.to_owned(),
            title: title.to_owned(),
            state: AppState::Active,
            secret,
            created: self.time,
            rev: self.position,
            settings_rev: Position::ZERO,
            touched: Position::ZERO,
        };
        if too_large(&app::key(id), &row) {
            refuse!(Fault::TooLarge(ROW_LIMIT));
        }
        self.txn.put(counter::apps_key(), &counter::Counter { last: number })?;
        self.txn.put(app::name_key(name), &app::AppRef { app: id })?;
        self.txn.put(app::uuid_key(uuid), &app::AppRef { app: id })?;
        self.touch(id, row)?;
        Ok(Ok(Done::Created(self.position)))
    }

    fn update_app(
        &mut self,
        id: AppId,
        if_rev: Option<Position>,
        title: Option<&str>,
        state: Option<AppState>,
    ) -> Verdict {
        let Some(mut row) = self.app(id)? else { refuse!(Fault::Absent) };
        let title = title.unwrap_or(&row.title);
        let state = state.unwrap_or(row.state);
        if row.title == title && row.state == state {
            return Ok(Ok(Done::Unchanged(row.rev)));
        }
        if if_rev.is_some_and(|rev| rev != row.rev) {
            refuse!(Fault::Stale(row.rev));
        }
        row.title = title.to_owned();
        row.state = state;
        row.rev = self.position;
        if too_large(&app::key(id), &row) {
            refuse!(Fault::TooLarge(ROW_LIMIT));
        }
        self.touch(id, row)?;
        Ok(Ok(Done::Changed(self.position)))
    }

    fn put_settings(&mut self, id: AppId, if_rev: Option<Position>, json: &str) -> Verdict {
        let Some(mut row) = self.app(id)? else { refuse!(Fault::Absent) };
        let old: Option<settings::Settings> = self.txn.row(&settings::key(id, row.settings_rev))?;
        if old.as_ref().is_some_and(|old| old.json == json) {
            return Ok(Ok(Done::Unchanged(row.settings_rev)));
        }
        if if_rev.is_some_and(|rev| rev != row.settings_rev) {
            refuse!(Fault::Stale(row.settings_rev));
        }
        let new = settings::Settings { time: self.time, json: json.to_owned() };
        let key = settings::key(id, self.position);
        if too_large(&key, &new) {
            refuse!(Fault::TooLarge(ROW_LIMIT));
        }
        self.txn.put(key, &new)?;
        let kept = self.keys_under(&settings::prefix(id))?;
        for past in &kept[..kept.len().saturating_sub(settings::REVISIONS_KEPT)] {
            self.txn.remove(past.clone())?;
        }
        row.settings_rev = self.position;
        self.touch(id, row)?;
        Ok(Ok(if old.is_none() { Done::Created(self.position) } else { Done::Changed(self.position) }))
    }

    fn rollback_settings(&mut self, id: AppId, if_rev: Option<Position>, to: Position) -> Verdict {
        match self.txn.row::<settings::Settings>(&settings::key(id, to))? {
            Some(past) => self.put_settings(id, if_rev, &past.json),
            None => refuse!(Fault::Absent),
        }
    }

    fn put_key(&mut self, id: AppId, key_id: Id, kind: KeyKind, name: &str, hash: [u8; 32]) -> Verdict {
        let Some(app) = self.app(id)? else { refuse!(Fault::Absent) };
        let at = key::key(id, key_id);
        if let Some(old) = self.txn.row::<key::Key>(&at)? {
            return Ok(Ok(Done::Unchanged(old.rev)));
        }
        if self.keys_under(&key::prefix(id))?.len() >= key::KEYS_MAX {
            refuse!(Fault::TooLarge("1,000 keys an app"));
        }
        let row = key::Key {
            kind,
            name: name.to_owned(),
            hash,
            revoked: false,
            created: self.time,
            rev: self.position,
        };
        if too_large(&at, &row) {
            refuse!(Fault::TooLarge(ROW_LIMIT));
        }
        self.txn.put(at, &row)?;
        self.touch(id, app)?;
        Ok(Ok(Done::Created(self.position)))
    }

    fn revoke_key(&mut self, id: AppId, key_id: Id) -> Verdict {
        let Some(app) = self.app(id)? else { refuse!(Fault::Absent) };
        let at = key::key(id, key_id);
        let Some(old) = self.txn.row::<key::Key>(&at)? else {
            return Ok(Ok(Done::Unchanged(Position::ZERO)));
        };
        if old.revoked {
            return Ok(Ok(Done::Unchanged(old.rev)));
        }
        self.txn.put(at, &key::Key { revoked: true, rev: self.position, ..old })?;
        self.touch(id, app)?;
        Ok(Ok(Done::Changed(self.position)))
    }

    fn put_role(&mut self, id: AppId, if_rev: Option<Position>, name: &str, methods: &[String]) -> Verdict {
        let Some(app) = self.app(id)? else { refuse!(Fault::Absent) };
        let at = named::key::<role::Role>(id, name);
        let old: Option<role::Role> = self.txn.row(&at)?;
        let old_rev = old.as_ref().map_or(Position::ZERO, |old| old.rev);
        if old.as_ref().is_some_and(|old| old.methods == methods) {
            return Ok(Ok(Done::Unchanged(old_rev)));
        }
        if if_rev.is_some_and(|rev| rev != old_rev) {
            refuse!(Fault::Stale(old_rev));
        }
        if old.is_none() && self.keys_under(&named::prefix::<role::Role>(id))?.len() >= role::ROLES_MAX {
            refuse!(Fault::TooLarge("256 roles an app"));
        }
        let row = role::Role { methods: methods.to_vec(), rev: self.position };
        if too_large(&at, &row) {
            refuse!(Fault::TooLarge(ROW_LIMIT));
        }
        self.txn.put(at, &row)?;
        self.touch(id, app)?;
        Ok(Ok(if old.is_none() { Done::Created(self.position) } else { Done::Changed(self.position) }))
    }

    fn put_type(&mut self, id: AppId, if_rev: Option<Position>, name: &str, json: &str) -> Verdict {
        let Some(app) = self.app(id)? else { refuse!(Fault::Absent) };
        let at = named::key::<types::TypeDecl>(id, name);
        let old: Option<types::TypeDecl> = self.txn.row(&at)?;
        let old_rev = old.as_ref().map_or(Position::ZERO, |old| old.rev);
        if old.as_ref().is_some_and(|old| old.json == json) {
            return Ok(Ok(Done::Unchanged(old_rev)));
        }
        if if_rev.is_some_and(|rev| rev != old_rev) {
            refuse!(Fault::Stale(old_rev));
        }
        let number = match &old {
            Some(old) => old.number,
            None => {
                let last = self.counted(&counter::types_key(id))?.max(u32::from(types::NUMBER_FIRST) - 1);
                let Ok(number) = u16::try_from(last + 1) else {
                    refuse!(Fault::TooLarge("64,512 types an app"))
                };
                number
            }
        };
        let row = types::TypeDecl { number, json: json.to_owned(), rev: self.position };
        if too_large(&at, &row) {
            refuse!(Fault::TooLarge(ROW_LIMIT));
        }
        if old.is_none() {
            self.txn.put(counter::types_key(id), &counter::Counter { last: u32::from(number) })?;
        }
        self.txn.put(at, &row)?;
        self.touch(id, app)?;
        Ok(Ok(if old.is_none() { Done::Created(self.position) } else { Done::Changed(self.position) }))
    }

    fn set_operator(&mut self, hash: [u8; 32]) -> Verdict {
        match self.txn.row::<operator::Operator>(&operator::key())? {
            Some(old) if old.hash == hash => Ok(Ok(Done::Unchanged(old.rev))),
            Some(_) => refuse!(Fault::Present),
            None => {
                self.txn.put(operator::key(), &operator::Operator { hash, rev: self.position })?;
                Ok(Ok(Done::Created(self.position)))
            }
        }
    }

    fn found(&mut self, founding: &Founding) -> Verdict {
        if let Some(rev) = members::rev(self.txn)? {
            return Ok(Ok(Done::Unchanged(rev)));
        }
        let Ok(new) = Membership::found(founding) else { refuse!(Fault::Stale(Position::ZERO)) };
        if !members::write(self.txn, self.position, None, &new)? {
            refuse!(Fault::TooLarge(ROW_LIMIT));
        }
        Ok(Ok(Done::Created(self.position)))
    }

    fn members(&mut self, command: &Command) -> Verdict {
        let (Some(rev), Some(old)) = (members::rev(self.txn)?, members::read(self.txn)?) else {
            refuse!(Fault::Absent)
        };
        let mut new = old.clone();
        match new.apply(command) {
            Ok(Outcome::Unchanged | Outcome::AlreadyCommitted) => return Ok(Ok(Done::Unchanged(rev))),
            Ok(Outcome::Done | Outcome::Committed(_)) => {}
            Err(_) => refuse!(Fault::Stale(rev)),
        }
        if !members::write(self.txn, self.position, Some(&old), &new)? {
            refuse!(Fault::TooLarge(ROW_LIMIT));
        }
        Ok(Ok(Done::Changed(self.position)))
    }

    fn put_config(
        &mut self,
        if_rev: Option<Position>,
        transfers_max: Option<u8>,
        moves_paused: Option<bool>,
    ) -> Verdict {
        let old = self.txn.row::<config::ConfigRow>(&config::key())?;
        let (now, rev) = old.map_or((Config::default(), Position::ZERO), |row| (row.config, row.rev));
        let new = Config {
            transfers_max: transfers_max.unwrap_or(now.transfers_max),
            moves_paused: moves_paused.unwrap_or(now.moves_paused),
        };
        if new == now {
            return Ok(Ok(Done::Unchanged(rev)));
        }
        if !(1..=TRANSFERS_LIMIT).contains(&new.transfers_max) {
            refuse!(Fault::TooLarge("1 to 16 replicas at once"));
        }
        if if_rev.is_some_and(|asked| asked != rev) {
            refuse!(Fault::Stale(rev));
        }
        self.txn.put(config::key(), &config::ConfigRow { config: new, rev: self.position })?;
        Ok(Ok(if old.is_none() { Done::Created(self.position) } else { Done::Changed(self.position) }))
    }

    fn app(&self, id: AppId) -> Result<Option<app::App>, StoreFault> {
        self.txn.row(&app::key(id))
    }

    /// Writes the app's row and moves its place among the changed ones to this position.
    fn touch(&mut self, id: AppId, row: app::App) -> Result<(), StoreFault> {
        if row.touched != Position::ZERO {
            self.txn.remove(touched::key(row.touched))?;
        }
        self.txn.put(touched::key(self.position), &touched::Touched { app: id })?;
        self.txn.put(app::key(id), &app::App { touched: self.position, ..row })
    }

    fn counted(&self, key: &[u8]) -> Result<u32, StoreFault> {
        Ok(get::<counter::Counter>(&*self.txn, key)?.map_or(0, |counter| counter.last))
    }

    fn keys_under(&self, prefix: &[u8]) -> Result<Vec<Vec<u8>>, StoreFault> {
        let mut keys = Vec::new();
        self.txn.scan(prefix, &after_prefix(prefix), Direction::Up, &mut |key, _| {
            keys.push(key.to_vec());
            ControlFlow::Continue(())
        })?;
        Ok(keys)
    }
}

const ROW_LIMIT: &str = "64 KiB a row";

fn too_large<R: Row>(key: &[u8], row: &R) -> bool {
    seal(key, row).len() > ROW_BYTES_MAX
}
