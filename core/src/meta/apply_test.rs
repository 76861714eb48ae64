//! Rows against a model: any sequence of commands, applied and loaded, is what the model says.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::fault::Fault;
use crate::id::{AppId, Id, Position};
use crate::ring::partition::META;
use crate::rows::Txn;
use crate::rows::applied::{self, Applied, Era, Eras};
use crate::store::map::MapState;
use crate::store::{StateStore, StoreFault};
use crate::time::Time;
use crate::vnode::command::{Done, OpKey};

use super::apply::apply;
use super::command::{AppState, KeyKind, MetaCommand, is_app_name};
use super::config::Config;
use super::load::{catch_up, load, reload_app};
use super::rows::key::KEYS_MAX;
use super::state::{App, Key, MetaState, Role, TypeDecl};

/// Rows, and the position they are at.
struct Rows {
    store: MapState,
    position: u64,
}

impl Rows {
    fn new() -> Rows {
        Rows { store: MapState::new(), position: 0 }
    }

    /// Applies one command at the next position, as a vnode does, and says how many rows it changed.
    fn apply(&mut self, command: &MetaCommand) -> (Result<Done, Fault>, usize) {
        self.position += 1;
        let snapshot = self.store.snapshot().unwrap();
        let mut txn = Txn::new(&snapshot);
        let verdict = apply(&mut txn, Position(self.position), time(self.position), command).unwrap();
        let changed = txn.len();
        let eras = Eras::new(vec![Era { tag: 9, first: Position(1) }]);
        let applied = Applied { position: Position(self.position), eras, ..Applied::default() };
        txn.put_local(applied::key(META), &applied);
        self.store.commit(&txn.into_batch()).unwrap();
        (verdict, changed)
    }

    fn done(&mut self, command: &MetaCommand) -> Done {
        self.apply(command).0.unwrap()
    }

    fn load(&self) -> MetaState {
        load(&self.store.snapshot().unwrap()).unwrap()
    }
}

#[test]
fn what_operators_set_is_guarded_and_bounded_and_survives_a_load() {
    let mut rows = Rows::new();
    let put = |if_rev: Option<u64>, transfers_max, moves_paused| MetaCommand::PutConfig {
        if_rev: if_rev.map(Position),
        transfers_max,
        moves_paused,
    };
    let before = rows.load();
    assert_eq!((before.config, before.config_rev), (Config::default(), Position::ZERO));
    // As it is already: nothing, whatever revision is asked for.
    assert_eq!(rows.apply(&put(Some(7), Some(2), None)), (Ok(Done::Unchanged(Position::ZERO)), 0));
    for out in [0, 17, 255] {
        let (verdict, changed) = rows.apply(&put(None, Some(out), None));
        assert!(matches!(verdict, Err(Fault::TooLarge(_))) && changed == 0, "{out}");
    }
    assert_eq!(rows.apply(&put(Some(3), None, Some(true))).0, Err(Fault::Stale(Position::ZERO)));
    assert_eq!(rows.done(&put(Some(0), None, Some(true))), Done::Created(Position(6)));
    assert_eq!(rows.done(&put(Some(6), Some(16), None)), Done::Changed(Position(7)));
    assert_eq!(rows.apply(&put(Some(6), Some(1), None)).0, Err(Fault::Stale(Position(7))));
    let after = rows.load();
    assert_eq!(after.config, Config { transfers_max: 16, moves_paused: true });
    assert_eq!(after.config_rev, Position(7));
    assert_eq!(catch_up(&rows.store.snapshot().unwrap(), &before).unwrap().config, after.config);
}

fn time(position: u64) -> Time {
    Time::from_millis(1_000 * position)
}

#[test]
fn a_command_under_an_operation_id_is_done_once_and_only_then_recorded() {
    let mut rows = Rows::new();
    let create = MetaCommand::CreateApp { id: Id::NIL, name: "a".into(), title: "A".into(), secret: [0; 32] };
    rows.done(&create);
    let app = rows.load().apps["a"].id;
    let put = |json: &str| MetaCommand::PutSettings { app, if_rev: None, json: json.to_owned() };
    let once = |n: u8, command: MetaCommand| {
        let op = OpKey { id: Id::from_bytes([n; 16]), fingerprint: [n; 16] };
        MetaCommand::Once { app, caller: Id::NIL, op, command: Box::new(command) }
    };
    let first = rows.done(&once(1, put("1")));
    rows.done(&put("2"));
    assert_eq!(rows.apply(&once(1, put("1"))), (Ok(Done::Unchanged(first.rev())), 0), "a late repeat");
    assert_eq!(rows.load().apps["a"].settings, "2");
    let MetaCommand::Once { op, command, .. } = once(1, put("3")) else { panic!() };
    let other = MetaCommand::Once { app, caller: Id::NIL, op: OpKey { fingerprint: [9; 16], ..op }, command };
    assert_eq!(rows.apply(&other), (Err(Fault::KeyReused), 0));
    // What is refused is not recorded: it may be done later.
    let early = once(2, MetaCommand::PutSettings { app: AppId(7), if_rev: None, json: "4".into() });
    assert_eq!(rows.apply(&early), (Err(Fault::Absent), 0));
    assert!(rows.done(&once(2, put("4"))).changed());
    // Somebody else's operation of the same id is another one.
    let MetaCommand::Once { op, .. } = once(2, put("5")) else { panic!() };
    let theirs = MetaCommand::Once { app, caller: Id::from_bytes([3; 16]), op, command: Box::new(put("5")) };
    assert!(rows.done(&theirs).changed());
}

/// The same, in memory, as plainly as can be.
#[derive(Default)]
struct Model {
    state: MetaState,
    settings: BTreeMap<AppId, Vec<(Position, String)>>,
}

impl Model {
    fn app(&mut self, id: AppId) -> Result<&mut App, Fault> {
        let app = self.state.apps.values_mut().find(|app| app.id == id).ok_or(Fault::Absent)?;
        Ok(std::sync::Arc::make_mut(app))
    }

    fn apply(&mut self, position: Position, command: &MetaCommand) -> Result<Done, Fault> {
        self.state.position = position;
        self.state.eras = Eras::new(vec![Era { tag: 9, first: Position(1) }]);
        let time = time(position.0);
        let check = |if_rev: &Option<Position>, rev| match if_rev {
            Some(expected) if *expected != rev => Err(Fault::Stale(rev)),
            _ => Ok(()),
        };
        match command {
            MetaCommand::CreateApp { id, name, title, secret } => {
                if let Some(app) = self.state.app_by_uuid(*id) {
                    return Ok(Done::Unchanged(app.rev));
                }
                if !is_app_name(name) || self.state.apps.contains_key(name) {
                    return Err(Fault::NameTaken);
                }
                let app = App {
                    id: AppId(self.state.apps.len() as u32 + 1),
                    uuid: *id,
                    name: name.clone(),
                    title: title.clone(),
                    state: AppState::Active,
                    created: time,
                    rev: position,
                    secret: *secret,
                    settings: "{}".into(),
                    settings_rev: Position::ZERO,
                    settings_kept: BTreeMap::new(),
                    keys: BTreeMap::new(),
                    roles: BTreeMap::new(),
                    types: BTreeMap::new(),
                };
                self.state.apps.insert(name.clone(), app.into());
                Ok(Done::Created(position))
            }
            MetaCommand::UpdateApp { app, if_rev, title, state } => {
                let app = self.app(*app)?;
                let title = title.as_ref().unwrap_or(&app.title).clone();
                let state = state.unwrap_or(app.state);
                if (&title, state) == (&app.title, app.state) {
                    return Ok(Done::Unchanged(app.rev));
                }
                check(if_rev, app.rev)?;
                (app.title, app.state, app.rev) = (title, state, position);
                Ok(Done::Changed(position))
            }
            MetaCommand::PutSettings { app: id, if_rev, json } => {
                let app = self.app(*id)?;
                let first = app.settings_rev == Position::ZERO;
                if !first && app.settings == *json {
                    return Ok(Done::Unchanged(app.settings_rev));
                }
                check(if_rev, app.settings_rev)?;
                (app.settings, app.settings_rev) = (json.clone(), position);
                app.settings_kept.insert(position, time);
                while app.settings_kept.len() > 20 {
                    app.settings_kept.pop_first();
                }
                self.settings.entry(*id).or_default().push((position, json.clone()));
                Ok(if first { Done::Created(position) } else { Done::Changed(position) })
            }
            MetaCommand::RollbackSettings { app: id, if_rev, to } => {
                let kept = self.app(*id)?.settings_kept.contains_key(to);
                let past = self.settings.get(id).into_iter().flatten().find(|(rev, _)| kept && rev == to);
                let json = past.ok_or(Fault::Absent)?.1.clone();
                self.apply(position, &MetaCommand::PutSettings { app: *id, if_rev: *if_rev, json })
            }
            MetaCommand::PutKey { app, id, kind, name, hash } => {
                let app = self.app(*app)?;
                if let Some(key) = app.keys.get(id) {
                    return Ok(Done::Unchanged(key.rev));
                }
                let (kind, name, hash) = (*kind, name.clone(), *hash);
                let key = Key { kind, name, hash, revoked: false, created: time, rev: position };
                app.keys.insert(*id, key);
                Ok(Done::Created(position))
            }
            MetaCommand::RevokeKey { app, id } => match self.app(*app)?.keys.get_mut(id) {
                None => Ok(Done::Unchanged(Position::ZERO)),
                Some(key) if key.revoked => Ok(Done::Unchanged(key.rev)),
                Some(key) => {
                    (key.revoked, key.rev) = (true, position);
                    Ok(Done::Changed(position))
                }
            },
            MetaCommand::PutRole { app, if_rev, name, methods } => {
                let app = self.app(*app)?;
                let old = app.roles.get(name).cloned();
                let rev = old.as_ref().map_or(Position::ZERO, |old| old.rev);
                if old.as_ref().is_some_and(|old| old.methods == *methods) {
                    return Ok(Done::Unchanged(rev));
                }
                check(if_rev, rev)?;
                app.roles.insert(name.clone(), Role { methods: methods.clone(), rev: position });
                Ok(if old.is_none() { Done::Created(position) } else { Done::Changed(position) })
            }
            MetaCommand::PutType { app, if_rev, name, json } => {
                let app = self.app(*app)?;
                let old = app.types.get(name).cloned();
                let rev = old.as_ref().map_or(Position::ZERO, |old| old.rev);
                if old.as_ref().is_some_and(|old| old.json == *json) {
                    return Ok(Done::Unchanged(rev));
                }
                check(if_rev, rev)?;
                let number = old.as_ref().map_or(1_024 + app.types.len() as u16, |old| old.number);
                app.types.insert(name.clone(), TypeDecl { number, json: json.clone(), rev: position });
                Ok(if old.is_none() { Done::Created(position) } else { Done::Changed(position) })
            }
            MetaCommand::Once { .. } | MetaCommand::Found(_) | MetaCommand::Members(_) => {
                unreachable!("they have tests of their own")
            }
            MetaCommand::PutConfig { if_rev, transfers_max, moves_paused } => {
                let rev = self.state.config_rev;
                let mut new = self.state.config;
                new.transfers_max = transfers_max.unwrap_or(new.transfers_max);
                new.moves_paused = moves_paused.unwrap_or(new.moves_paused);
                if new == self.state.config {
                    return Ok(Done::Unchanged(rev));
                }
                if new.transfers_max == 0 || new.transfers_max > 16 {
                    return Err(Fault::TooLarge("1 to 16 replicas at once"));
                }
                check(if_rev, rev)?;
                (self.state.config, self.state.config_rev) = (new, position);
                Ok(if rev == Position::ZERO { Done::Created(position) } else { Done::Changed(position) })
            }
            MetaCommand::SetOperator { hash } => match self.state.operator {
                // The model does not keep its revision; the caller compares the kind only.
                Some(old) if old == *hash => Ok(Done::Unchanged(Position::ZERO)),
                Some(_) => Err(Fault::Present),
                None => {
                    self.state.operator = Some(*hash);
                    Ok(Done::Created(position))
                }
            },
        }
    }
}

fn id(n: u8) -> Id {
    Id::derived("test", &[n])
}

fn rev() -> impl Strategy<Value = Option<Position>> {
    proptest::option::of((0u64..40).prop_map(Position))
}

fn command() -> impl Strategy<Value = MetaCommand> {
    // One more than are likely to exist, so that absent ones are named too.
    let app = || (1u32..5).prop_map(AppId);
    let text = || "[ab]{1,2}";
    prop_oneof![
        3 => (0u8..6, "-?[a-c]", text()).prop_map(|(n, name, title)| MetaCommand::CreateApp {
            id: id(n), name, title, secret: [n; 32],
        }),
        2 => (app(), rev(), proptest::option::of(text())).prop_map(|(app, if_rev, title)| {
            MetaCommand::UpdateApp { app, if_rev, title, state: None }
        }),
        2 => (app(), 0u8..3).prop_map(|(app, state)| MetaCommand::UpdateApp {
            app, if_rev: None, title: None,
            state: Some([AppState::Active, AppState::ReadOnly, AppState::Frozen][state as usize]),
        }),
        6 => (app(), rev(), text()).prop_map(|(app, if_rev, json)| MetaCommand::PutSettings { app, if_rev, json }),
        2 => (app(), rev(), 0u64..60).prop_map(|(app, if_rev, to)| MetaCommand::RollbackSettings {
            app, if_rev, to: Position(to),
        }),
        3 => (app(), 0u8..5, text()).prop_map(|(app, n, name)| MetaCommand::PutKey {
            app, id: id(n), kind: KeyKind::Server, name, hash: [n; 32],
        }),
        2 => (app(), 0u8..5).prop_map(|(app, n)| MetaCommand::RevokeKey { app, id: id(n) }),
        3 => (app(), rev(), text(), proptest::collection::vec(text().prop_map(String::from), 0..2))
            .prop_map(|(app, if_rev, name, methods)| MetaCommand::PutRole { app, if_rev, name, methods }),
        3 => (app(), rev(), text(), text())
            .prop_map(|(app, if_rev, name, json)| MetaCommand::PutType { app, if_rev, name, json }),
        2 => (rev(), proptest::option::of(0u8..18), proptest::option::of(proptest::bool::ANY))
            .prop_map(|(if_rev, transfers_max, moves_paused)| MetaCommand::PutConfig {
                if_rev, transfers_max, moves_paused,
            }),
        1 => (0u8..2).prop_map(|n| MetaCommand::SetOperator { hash: [n; 32] }),
    ]
}

/// Whether the same was said of a command, the revision of an unchanged operator aside.
fn same(command: &MetaCommand, rows: &Result<Done, Fault>, model: &Result<Done, Fault>) -> bool {
    match (command, rows, model) {
        (MetaCommand::SetOperator { .. }, Ok(Done::Unchanged(_)), Ok(Done::Unchanged(_))) => true,
        _ => rows == model,
    }
}

proptest! {
    #[test]
    fn any_commands_applied_then_loaded_are_what_the_model_says(
        commands in proptest::collection::vec(command(), 0..80),
    ) {
        let (mut rows, mut model) = (Rows::new(), Model::default());
        let mut followed = MetaState::default();
        for (i, command) in commands.iter().enumerate() {
            let (verdict, changed) = rows.apply(command);
            let expected = model.apply(Position(rows.position), command);
            prop_assert!(same(command, &verdict, &expected), "{command:?}: {verdict:?} but {expected:?}");
            match verdict {
                Err(_) => prop_assert_eq!(changed, 0, "a refused command wrote"),
                Ok(done) => prop_assert_eq!(done.changed(), changed > 0),
            }
            if verdict.is_ok() {
                // The same once more, as a lost answer causes: nothing changes.
                let (again, changed) = rows.apply(command);
                model.state.position = Position(rows.position);
                prop_assert!(matches!(again, Ok(Done::Unchanged(_))), "{command:?} again: {again:?}");
                prop_assert_eq!(changed, 0);
            }
            // A follower may skip positions: it reads on from the one it has.
            if i % 3 == 0 {
                followed = catch_up(&rows.store.snapshot().unwrap(), &followed).unwrap();
                prop_assert_eq!(&followed, &model.state);
            }
        }
        prop_assert_eq!(rows.load(), if commands.is_empty() { MetaState::default() } else { model.state });
    }
}

fn with_app() -> Rows {
    let mut rows = Rows::new();
    let create =
        MetaCommand::CreateApp { id: id(1), name: "demo".into(), title: "Demo".into(), secret: [1; 32] };
    assert_eq!(rows.done(&create), Done::Created(Position(1)));
    rows
}

const APP: AppId = AppId(1);

#[test]
fn one_app_is_loaded_again_without_the_others() {
    let mut rows = with_app();
    let before = rows.load();
    rows.done(&MetaCommand::PutSettings { app: APP, if_rev: None, json: "{\"a\":1}".into() });
    let after = reload_app(&rows.store.snapshot().unwrap(), &before, APP).unwrap();
    assert_eq!(after, rows.load());
    assert_eq!(after.app(APP).unwrap().settings, "{\"a\":1}");
    assert_eq!(reload_app(&rows.store.snapshot().unwrap(), &after, AppId(7)).unwrap(), after);
}

#[test]
fn twenty_revisions_of_the_settings_are_kept_and_can_come_back() {
    let mut rows = with_app();
    for n in 0..25 {
        rows.done(&MetaCommand::PutSettings { app: APP, if_rev: None, json: format!("{n}") });
    }
    let app = rows.load().app(APP).unwrap().clone();
    assert_eq!(app.settings_kept.len(), 20);
    assert_eq!(app.settings, "24");
    let oldest = *app.settings_kept.keys().next().unwrap();
    let back = |to| MetaCommand::RollbackSettings { app: APP, if_rev: None, to };
    assert!(rows.done(&back(oldest)).changed());
    assert_eq!(rows.load().app(APP).unwrap().settings, "5");
    assert_eq!(rows.apply(&back(oldest)).0, Err(Fault::Absent), "the twenty-first is gone");
}

#[test]
fn what_was_already_done_is_not_stale() {
    let mut rows = with_app();
    let put = MetaCommand::PutSettings { app: APP, if_rev: Some(Position::ZERO), json: "{}".into() };
    let done = rows.done(&put);
    assert_eq!(rows.done(&put), Done::Unchanged(done.rev()), "the answer was lost, the client asks again");
    let other = MetaCommand::PutSettings { app: APP, if_rev: Some(Position::ZERO), json: "[]".into() };
    assert_eq!(rows.apply(&other), (Err(Fault::Stale(done.rev())), 0));
}

#[test]
fn what_is_too_large_is_refused() {
    let mut rows = with_app();
    let json = "x".repeat(70_000);
    let put = MetaCommand::PutSettings { app: APP, if_rev: None, json: json.clone() };
    assert!(matches!(rows.apply(&put), (Err(Fault::TooLarge(_)), 0)));
    let create = MetaCommand::CreateApp { id: id(2), name: "b".into(), title: json, secret: [0; 32] };
    assert!(matches!(rows.apply(&create), (Err(Fault::TooLarge(_)), 0)));
    for n in 0..KEYS_MAX {
        let id = Id::derived("key", &n.to_be_bytes());
        let put =
            MetaCommand::PutKey { app: APP, id, kind: KeyKind::Client, name: String::new(), hash: [0; 32] };
        rows.done(&put);
    }
    let put = MetaCommand::PutKey {
        app: APP,
        id: id(9),
        kind: KeyKind::Client,
        name: String::new(),
        hash: [0; 32],
    };
    assert!(matches!(rows.apply(&put), (Err(Fault::TooLarge(_)), 0)));
}

#[test]
fn a_damaged_row_is_corrupt_and_never_absent() {
    let rows = with_app();
    let mut store = rows.store.clone();
    let key = super::rows::app::key(APP);
    let mut batch = crate::store::StateBatch::default();
    batch.rows.insert(key.into(), Some(b"not a row".to_vec()));
    store.commit(&batch).unwrap();
    let snapshot = store.snapshot().unwrap();
    assert!(matches!(load(&snapshot), Err(StoreFault::Corrupt(_))));
    let mut txn = Txn::new(&snapshot);
    let put = MetaCommand::PutSettings { app: APP, if_rev: None, json: "{}".into() };
    assert!(matches!(apply(&mut txn, Position(2), time(2), &put), Err(StoreFault::Corrupt(_))));
    assert!(txn.is_empty());
}
