//! From rows to what a member keeps in memory: all of it at the start, then what changed.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::id::{AppId, Position};
use crate::ring::partition::META;
use crate::rows::applied::{self, Applied};
use crate::rows::key::after_prefix;
use crate::rows::{Row, get, unseal};
use crate::store::{Direction, StateRead, StoreFault};

use super::rows::{app, config, key, members, named, operator, role, settings, touched, types};
use super::state::{App, Key, MetaState, Role, TypeDecl};

/// Reads the whole metadata.
pub fn load(rows: &dyn StateRead) -> Result<MetaState, StoreFault> {
    let mut numbers = Vec::new();
    scan(rows, &app::prefix(), |key, _| {
        numbers.push(app::read_key(key)?);
        Some(())
    })?;
    let mut state = MetaState::default();
    for number in numbers {
        put_app(rows, &mut state, number)?;
    }
    finish(rows, state)
}

/// Reads what changed after `state.position`: the way to follow, whatever the number of apps.
pub fn catch_up(rows: &dyn StateRead, state: &MetaState) -> Result<MetaState, StoreFault> {
    let mut changed = Vec::new();
    let from = touched::key(Position(state.position.0 + 1));
    let to = touched::key(Position(u64::MAX));
    visit(rows, &from, &to, |key, value| {
        touched::read_key(key)?;
        changed.push(unseal::<touched::Touched>(key, value));
        Some(())
    })?;
    let mut state = state.clone();
    for touched in changed {
        put_app(rows, &mut state, touched?.app)?;
    }
    finish(rows, state)
}

/// Reads one app again, and what belongs to no app. The state then counts as being at the applied
/// position: call it only when no other app changed since, else [`catch_up`].
pub fn reload_app(rows: &dyn StateRead, state: &MetaState, id: AppId) -> Result<MetaState, StoreFault> {
    let mut state = state.clone();
    put_app(rows, &mut state, id)?;
    finish(rows, state)
}

fn finish(rows: &dyn StateRead, mut state: MetaState) -> Result<MetaState, StoreFault> {
    state.operator = get::<operator::Operator>(rows, &operator::key())?.map(|operator| operator.hash);
    let rev = members::rev(rows)?.unwrap_or(Position::ZERO);
    if rev != state.members_rev {
        state.members = members::read(rows)?.map(Arc::new);
        state.members_rev = rev;
    }
    if let Some(row) = get::<config::ConfigRow>(rows, &config::key())? {
        (state.config, state.config_rev) = (row.config, row.rev);
    }
    if let Some(applied) = get::<Applied>(rows, &applied::key(META))? {
        state.position = applied.position;
        state.eras = applied.eras;
    }
    Ok(state)
}

/// Puts an app into the state as its rows have it. An app without a row changes nothing.
fn put_app(rows: &dyn StateRead, state: &mut MetaState, id: AppId) -> Result<(), StoreFault> {
    if let Some(app) = read_app(rows, id)? {
        state.apps.insert(app.name.clone(), Arc::new(app));
    }
    Ok(())
}

fn read_app(rows: &dyn StateRead, id: AppId) -> Result<Option<App>, StoreFault> {
    let Some(row) = get::<app::App>(rows, &app::key(id))? else { return Ok(None) };
    let mut app = App {
        id,
        uuid: row.uuid,
        name: row.name,
        title: row.title,
        state: row.state,
        created: row.created,
        rev: row.rev,
        secret: row.secret,
        settings: "{}".to_owned(),
        settings_rev: row.settings_rev,
        settings_kept: Default::default(),
        keys: Default::default(),
        roles: Default::default(),
        types: Default::default(),
    };
    each(rows, &settings::prefix(id), |at, row: settings::Settings| {
        let (_, rev) = settings::read_key(at)?;
        app.settings_kept.insert(rev, row.time);
        if rev == app.settings_rev {
            app.settings = row.json;
        }
        Some(())
    })?;
    each(rows, &key::prefix(id), |at, row: key::Key| {
        let key::Key { kind, name, hash, revoked, created, rev } = row;
        app.keys.insert(key::read_key(at)?.1, Key { kind, name, hash, revoked, created, rev });
        Some(())
    })?;
    each(rows, &named::prefix::<role::Role>(id), |at, row: role::Role| {
        app.roles.insert(
            named::read_key::<role::Role>(at)?.1.to_owned(),
            Role { methods: row.methods, rev: row.rev },
        );
        Some(())
    })?;
    each(rows, &named::prefix::<types::TypeDecl>(id), |at, row: types::TypeDecl| {
        let types::TypeDecl { number, json, rev } = row;
        app.types
            .insert(named::read_key::<types::TypeDecl>(at)?.1.to_owned(), TypeDecl { number, json, rev });
        Some(())
    })?;
    Ok(Some(app))
}

/// Unseals and visits every row under a prefix; `None` from the visitor: the key is not what it should be.
fn each<R: Row>(
    rows: &dyn StateRead,
    prefix: &[u8],
    mut row: impl FnMut(&[u8], R) -> Option<()>,
) -> Result<(), StoreFault> {
    let mut fault = None;
    scan(rows, prefix, |key, value| match unseal(key, value) {
        Ok(value) => row(key, value),
        Err(e) => {
            fault = Some(e);
            None
        }
    })
    .map_err(|e| fault.unwrap_or(e))
}

fn scan(
    rows: &dyn StateRead,
    prefix: &[u8],
    row: impl FnMut(&[u8], &[u8]) -> Option<()>,
) -> Result<(), StoreFault> {
    visit(rows, prefix, &after_prefix(prefix), row)
}

fn visit(
    rows: &dyn StateRead,
    from: &[u8],
    to: &[u8],
    mut row: impl FnMut(&[u8], &[u8]) -> Option<()>,
) -> Result<(), StoreFault> {
    let mut bad = None;
    rows.scan(from, to, Direction::Up, &mut |key, value| match row(key, value) {
        Some(()) => ControlFlow::Continue(()),
        None => {
            bad = Some(StoreFault::Corrupt("a key of the metadata that nobody wrote".to_owned()));
            ControlFlow::Break(())
        }
    })?;
    bad.map_or(Ok(()), Err)
}
