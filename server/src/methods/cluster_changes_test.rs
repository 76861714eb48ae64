//! Staging, planning and committing, over a membership in the metadata of one process. What is asked of links is tested with
//! real processes, in `tests/tests/cluster`.

use gomer_core::id::MemberId;
use gomer_core::meta::command::MetaCommand;
use gomer_core::meta::members::change::Change;
use gomer_core::meta::members::command::Command;
use gomer_core::meta::members::found::Founding;
use gomer_core::ring::member::{Member, MemberState, Weight, Zone};
use gomer_core::ring::partition::PartitionCount;
use gomer_core::ring::table::Ring;
use serde_json::{Value, json};

use crate::problem::{Code, Problem};
use crate::registry::Caller;
use crate::testing::{With, World};

const OPERATOR: Caller = Caller::Operator;

/// Four members, ada, bob, eve and ida; each partition is on three of them. Bob's is another zone.
async fn founded() -> World {
    let world = World::new().await;
    let count = PartitionCount::DEFAULT;
    let mut ring = Ring::empty(count);
    for partition in count.all() {
        let first = u64::from(partition.0);
        let set: Vec<MemberId> = (0..3).map(|next| MemberId((first + next) % 4 + 1)).collect();
        ring.set(partition, &set);
    }
    let member = |(id, name): (u64, &str)| {
        let member = Member {
            name: name.to_owned(),
            zone: Zone::default(),
            weight: Weight::DEFAULT,
            state: MemberState::Valid,
        };
        (MemberId(id), member)
    };
    let members = (1..).zip(["ada", "bob", "eve", "ida"]).map(member).collect();
    let founding = Founding { members, ring, replicas: 3, seed: 1 };
    world.host.cluster.change_meta(MetaCommand::Found(Box::new(founding))).await.unwrap();
    world
}

async fn ask(world: &World, method: &str, args: Value) -> Value {
    world.done("-", &OPERATOR, method, args).await.json
}

async fn stage(world: &World, args: Value) -> Value {
    ask(world, "cluster.stageChange", args).await
}

/// The code of the problem, that of its place, and its text.
async fn refused(world: &World, method: &str, args: Value) -> (Code, String, String) {
    let Problem { code, errors, detail, .. } =
        world.call_with("-", &OPERATOR, method, args, With::default()).await.expect_err(method);
    (code, errors.first().map_or_else(String::new, |place| place.code.to_owned()), detail)
}

async fn tell(world: &World, command: Command) {
    world.host.cluster.change_meta(MetaCommand::Members(Box::new(command))).await.unwrap();
}

#[tokio::test]
async fn a_member_that_is_alone_has_no_ring_to_change() {
    let world = World::new().await;
    let leave = json!({ "change": "leave", "member": "ada" });
    let plan = json!({ "planId": "0-0000000000000000" });
    for (method, args) in [
        ("cluster.getRing", json!({})),
        ("cluster.planChanges", json!({})),
        ("cluster.listTransfers", json!({})),
        ("cluster.clearChanges", json!({})),
        ("cluster.updateConfig", json!({ "movesPaused": true })),
        ("cluster.stageChange", leave),
        ("cluster.commitChanges", plan),
    ] {
        let (code, _, detail) = refused(&world, method, args).await;
        assert!(code == Code::Conflict && detail.contains("alone"), "{method}: {detail}");
    }
}

#[tokio::test]
async fn the_ring_shows_members_and_partitions() {
    let world = founded().await;
    let ring = ask(&world, "cluster.getRing", json!({})).await;
    assert_eq!(
        (&ring["generation"], &ring["revision"], &ring["replicas"]),
        (&json!(1), &json!(0), &json!(3))
    );
    let names: Vec<&str> =
        ring["members"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["ada", "bob", "eve", "ida"]);
    let ada = &ring["members"][0];
    assert_eq!(
        (&ada["state"], &ada["partitions"], &ada["leaders"]),
        (&json!("valid"), &json!(48), &json!(16))
    );
    assert_eq!(ring["partitions"].as_array().unwrap().len(), 64);
    assert_eq!(ring["partitions"][1]["replicas"], json!(["2", "3", "4"]));
    assert_eq!(ring["staged"], json!([]));
}

#[tokio::test]
async fn what_is_staged_is_shown_once_and_cleared() {
    let world = founded().await;
    let weight = json!({ "change": "weight", "member": "bob", "weight": 50 });
    let staged = stage(&world, weight.clone()).await;
    let bob = json!({ "change": "weight", "member": "2", "name": "bob", "weight": 50 });
    assert_eq!(staged["changes"], json!([bob]));
    assert_eq!(stage(&world, weight).await["changes"], json!([bob]), "the same again");
    let by_id = json!({ "change": "leave", "member": "3" });
    assert_eq!(stage(&world, by_id).await["changes"][1]["name"], "eve");
    assert_eq!(ask(&world, "cluster.getRing", json!({})).await["staged"].as_array().unwrap().len(), 2);
    assert_eq!(ask(&world, "cluster.clearChanges", json!({})).await["changes"], json!([]));
    assert_eq!(ask(&world, "cluster.clearChanges", json!({})).await["changes"], json!([]), "and again");
}

#[tokio::test]
async fn what_cannot_be_staged_says_where_and_why() {
    let world = founded().await;
    for (args, pointer) in [
        (json!({ "change": "leave" }), "/member"),
        (json!({ "change": "leave", "member": "ann" }), "/member"),
        (json!({ "change": "go", "member": "ada" }), "/change"),
        (json!({ "change": "leave", "member": "ada", "zone": "a" }), "/zone"),
        (json!({ "change": "leave", "member": "ada", "by": "bob" }), "/by"),
        (json!({ "change": "replace", "member": "ada" }), "/by"),
        (json!({ "change": "replace", "member": "ada", "by": "ann" }), "/by"),
        (json!({ "change": "zone", "member": "ada" }), "/zone"),
        (json!({ "change": "zone", "member": "ada", "zone": "A b" }), "/zone"),
        (json!({ "change": "weight", "member": "ada" }), "/weight"),
        (json!({ "change": "weight", "member": "ada", "weight": 10_001 }), "/weight"),
        (json!({ "change": "weight", "member": "ada", "weight": -1 }), "/weight"),
        (json!({ "change": "weight", "member": "ada", "weight": 70_000 }), "/weight"),
    ] {
        let said = world.refused("-", &OPERATOR, "cluster.stageChange", args.clone()).await;
        assert_eq!(said, (Code::Invalid, pointer.to_owned()), "{args}");
    }
    let unknown = json!({ "change": "leave", "member": "ada", "force": true });
    let said = world.refused("-", &OPERATOR, "cluster.stageChange", unknown).await;
    assert_eq!(said, (Code::UnknownField, "/force".to_owned()));
    stage(&world, json!({ "change": "leave", "member": "ada" })).await;
    let (code, place, detail) =
        refused(&world, "cluster.stageChange", json!({ "change": "force-remove", "member": "ada" })).await;
    assert_eq!((code, place.as_str()), (Code::Conflict, "alreadyStaged"));
    assert_eq!(detail, "`leave ada` is staged: clear it first.");
    let (_, place, detail) =
        refused(&world, "cluster.stageChange", json!({ "change": "replace", "member": "bob", "by": "eve" }))
            .await;
    assert_eq!(place, "state");
    assert_eq!(detail, "Member eve is a valid member, not one that joins.");
    let (_, place, detail) =
        refused(&world, "cluster.stageChange", json!({ "change": "down", "member": "bob" })).await;
    assert!(place == "down" && detail.contains("it answers"), "{detail}");
    let join = json!({ "change": "join", "member": "kim" });
    assert_eq!(refused(&world, "cluster.stageChange", join).await.1, "alone");
}

#[tokio::test]
async fn a_plan_shows_what_would_move_and_changes_nothing() {
    let world = founded().await;
    let nothing = ask(&world, "cluster.planChanges", json!({})).await;
    assert_eq!((&nothing["planId"], &nothing["moves"]), (&Value::Null, &json!([])));
    assert_eq!(nothing["refused"], "Nothing is staged.");
    stage(&world, json!({ "change": "leave", "member": "bob" })).await;
    let plan = ask(&world, "cluster.planChanges", json!({})).await;
    assert_eq!(plan["moves"].as_array().unwrap().len(), 48);
    assert!(plan["moves"].as_array().unwrap().iter().all(|one| one["from"] == "2" && one["to"] != "2"));
    assert_eq!((&plan["lost"], &plan["atRisk"]), (&json!([]), &json!([])));
    assert_eq!(plan["before"]["members"]["2"], json!({ "name": "bob", "replicas": 48, "leaders": 16 }));
    assert_eq!(plan["after"]["members"]["2"]["replicas"], 0);
    let mut again = ask(&world, "cluster.planChanges", json!({})).await;
    again["asOfMs"] = plan["asOfMs"].clone();
    assert_eq!(again, plan);
    ask(&world, "cluster.clearChanges", json!({})).await;
    for name in ["bob", "eve"] {
        stage(&world, json!({ "change": "force-remove", "member": name })).await;
    }
    let plan = ask(&world, "cluster.planChanges", json!({})).await;
    assert_eq!(plan["lost"], json!([]));
    assert_eq!(plan["atRisk"].as_array().unwrap().len(), 32, "one of three is left of half of them");
    for name in ["ada", "ida"] {
        stage(&world, json!({ "change": "leave", "member": name })).await;
    }
    let (code, place, detail) = refused(&world, "cluster.planChanges", json!({})).await;
    assert_eq!((code, place.as_str()), (Code::Conflict, "nobodyLeft"), "{detail}");
}

#[tokio::test]
async fn a_plan_that_moves_nothing_is_committed_once() {
    let world = founded().await;
    stage(&world, json!({ "change": "weight", "member": "bob", "weight": 99 })).await;
    let plan = ask(&world, "cluster.planChanges", json!({})).await;
    assert_eq!((&plan["refused"], &plan["moves"]), (&Value::Null, &json!([])));
    let commit = json!({ "planId": plan["planId"] });
    let done = ask(&world, "cluster.commitChanges", commit.clone()).await;
    assert_eq!((&done["generation"], &done["changes"]), (&json!(2), &json!([])));
    let again = ask(&world, "cluster.commitChanges", commit.clone()).await;
    assert_eq!(again["generation"], 2, "the same plan is committed once");
    let ring = ask(&world, "cluster.getRing", json!({})).await;
    assert_eq!(ring["members"][1]["weight"], 99);
    let nothing = json!({ "planId": "1-0000000000000000" });
    let (code, place, detail) = refused(&world, "cluster.commitChanges", nothing).await;
    assert_eq!((code, place.as_str()), (Code::Conflict, "planChanged"));
    assert!(detail.contains(&format!("plan {} was committed", plan["planId"].as_str().unwrap())), "{detail}");
}

#[tokio::test]
async fn a_member_that_is_down_leads_nothing_until_a_plan_says_so_after_it_is_back() {
    let world = founded().await;
    tell(&world, Command::Stage(Change::Down(MemberId(2)))).await;
    let plan = ask(&world, "cluster.planChanges", json!({})).await;
    assert_eq!(plan["moves"], json!([]), "it keeps what it holds");
    assert!(plan["leaders"].as_array().unwrap().len() >= 16, "{plan}");
    ask(&world, "cluster.commitChanges", json!({ "planId": plan["planId"] })).await;
    let ring = ask(&world, "cluster.getRing", json!({})).await;
    let bob = &ring["members"][1];
    assert_eq!((&bob["state"], &bob["partitions"], &bob["leaders"]), (&json!("down"), &json!(48), &json!(0)));
    assert!(ring["partitions"].as_array().unwrap().iter().all(|it| it["replicas"][0] != "2"));
    tell(&world, Command::Up(MemberId(2))).await;
    let plan = ask(&world, "cluster.planChanges", json!({})).await;
    assert_eq!((&plan["changes"], &plan["moves"], &plan["refused"]), (&json!([]), &json!([]), &Value::Null));
    ask(&world, "cluster.commitChanges", json!({ "planId": plan["planId"] })).await;
    let ring = ask(&world, "cluster.getRing", json!({})).await;
    assert_eq!((&ring["members"][1]["state"], &ring["members"][1]["leaders"]), (&json!("valid"), &json!(16)));
}

#[tokio::test]
async fn of_two_operators_one_is_told_what_the_other_did() {
    let world = founded().await;
    stage(&world, json!({ "change": "zone", "member": "bob", "zone": "north" })).await;
    let plan = ask(&world, "cluster.planChanges", json!({})).await;
    stage(&world, json!({ "change": "leave", "member": "eve" })).await;
    let commit = json!({ "planId": plan["planId"] });
    let (code, place, detail) = refused(&world, "cluster.commitChanges", commit).await;
    assert_eq!((code, place.as_str()), (Code::Conflict, "planChanged"));
    assert_eq!(detail, "The cluster has changed since that plan: `leave eve` was staged.");
    for bad in ["", "1", "x-0", "1-0", "+1-0000000000000000", "01-0000000000000000", "1-000000000000000G"] {
        let said = world.refused("-", &OPERATOR, "cluster.commitChanges", json!({ "planId": bad })).await;
        assert_eq!(said, (Code::Invalid, "/planId".to_owned()), "{bad:?}");
    }
    let never = json!({ "planId": "2-0000000000000000" });
    assert_eq!(refused(&world, "cluster.commitChanges", never).await.1, "planChanged", "no such plan");
}

#[tokio::test]
async fn a_plan_that_leaves_no_majority_is_refused_and_nothing_is_changed() {
    let world = founded().await;
    for name in ["bob", "eve"] {
        stage(&world, json!({ "change": "force-remove", "member": name })).await;
    }
    let plan = ask(&world, "cluster.planChanges", json!({})).await;
    let why = plan["refused"].as_str().expect("it cannot be committed").to_owned();
    let before = world.host.cluster.meta();
    let (code, place, detail) =
        refused(&world, "cluster.commitChanges", json!({ "planId": plan["planId"] })).await;
    assert_eq!((code, place.as_str(), &detail), (Code::Conflict, "cannotBeDone", &why));
    assert!(detail.contains("32 partitions") && detail.contains("Nothing was changed"), "{detail}");
    assert_eq!(world.host.cluster.meta().members, before.members);
}

#[tokio::test]
async fn what_is_left_to_move_is_listed_and_not_more_at_once_than_the_limits() {
    let world = founded().await;
    assert_eq!(ask(&world, "cluster.listTransfers", json!({})).await["transfers"], json!([]));
    stage(&world, json!({ "change": "leave", "member": "bob" })).await;
    let plan = ask(&world, "cluster.planChanges", json!({})).await;
    assert_eq!(plan["refused"], Value::Null);
    ask(&world, "cluster.commitChanges", json!({ "planId": plan["planId"] })).await;
    let transfers = ask(&world, "cluster.listTransfers", json!({})).await["transfers"].clone();
    let all = transfers.as_array().unwrap();
    let moving = all.iter().filter(|one| one["state"] == "moving").count();
    assert_eq!((all.len(), moving), (48, 2), "two go from bob at once");
    assert!(all.iter().all(|one| one["kind"] == "move" && one["from"] == "2"));
    let ring = ask(&world, "cluster.getRing", json!({})).await;
    assert_eq!((&ring["members"][1]["state"], &ring["members"][1]["target"]), (&json!("leaving"), &json!(0)));
    let since = ring["generation"].as_u64().unwrap();
    let done = world.host.cluster.meta().members.as_ref().unwrap().moves()[0];
    tell(&world, Command::Landed { since, done }).await;
    let left = ask(&world, "cluster.listTransfers", json!({})).await;
    assert_eq!((left["transfers"].as_array().unwrap().len(), &left["generation"]), (47, &json!(since + 1)));
}

#[tokio::test]
async fn an_operation_is_done_once_and_its_reply_comes_again() {
    let world = founded().await;
    let with = With { op: Some(1), if_match: None };
    let args = json!({ "change": "leave", "member": "bob" });
    let first = world.call_with("-", &OPERATOR, "cluster.stageChange", args.clone(), with).await.unwrap();
    ask(&world, "cluster.clearChanges", json!({})).await;
    let again = world.call_with("-", &OPERATOR, "cluster.stageChange", args, with).await.unwrap();
    assert!(again.replayed && again.json == first.json);
    assert_eq!(ask(&world, "cluster.getRing", json!({})).await["staged"], json!([]));
    let other = json!({ "change": "leave", "member": "eve" });
    let problem = world.call_with("-", &OPERATOR, "cluster.stageChange", other, with).await.unwrap_err();
    assert_eq!(problem.code, Code::KeyReused);
}

#[tokio::test]
async fn how_replicas_move_is_set_for_the_whole_cluster() {
    let world = founded().await;
    let first = ask(&world, "cluster.getConfig", json!({})).await;
    assert_eq!((&first["transfersMax"], &first["movesPaused"]), (&json!(2), &json!(false)));
    for bad in [json!(0), json!(17), json!(-1), json!("2"), json!(2.5)] {
        let args = json!({ "transfersMax": bad });
        assert_eq!(refused(&world, "cluster.updateConfig", args).await.0, Code::Invalid, "{bad}");
    }
    let (code, ..) = refused(&world, "cluster.updateConfig", json!({ "speed": 1 })).await;
    assert_eq!(code, Code::UnknownField);
    let same = ask(&world, "cluster.updateConfig", json!({})).await;
    assert_eq!(same, first, "nothing was asked for");

    ask(&world, "cluster.stageChange", json!({ "change": "leave", "member": "bob" })).await;
    let plan = ask(&world, "cluster.planChanges", json!({})).await["planId"].clone();
    ask(&world, "cluster.commitChanges", json!({ "planId": plan })).await;
    let states = async || -> Vec<String> {
        let list = ask(&world, "cluster.listTransfers", json!({})).await;
        let all = list["transfers"].as_array().unwrap().iter();
        all.map(|one| one["state"].as_str().unwrap().to_owned()).collect()
    };
    let moving = |states: &[String]| states.iter().filter(|state| *state == "moving").count();
    let two = states().await;
    assert!(two.len() > 10 && moving(&two) == 2, "{two:?}");

    let five = json!({ "transfersMax": 5, "ifRev": first["rev"] });
    let second = ask(&world, "cluster.updateConfig", five.clone()).await;
    assert_eq!((&second["transfersMax"], &second["movesPaused"]), (&json!(5), &json!(false)));
    assert_eq!(moving(&states().await), 5);
    // Two operators at once: one wins, the other is told.
    let stale = json!({ "movesPaused": true, "ifRev": first["rev"] });
    assert_eq!(refused(&world, "cluster.updateConfig", stale).await.0, Code::StaleRevision);
    assert_eq!(ask(&world, "cluster.updateConfig", five).await, second, "it is so already");

    let paused = json!({ "movesPaused": true, "ifRev": second["rev"] });
    ask(&world, "cluster.updateConfig", paused).await;
    assert!(states().await.iter().all(|state| state == "paused"));
    ask(&world, "cluster.updateConfig", json!({ "movesPaused": false })).await;
    assert_eq!(moving(&states().await), 5, "as it was set");
    let now = ask(&world, "cluster.getConfig", json!({})).await;
    assert_eq!((&now["transfersMax"], &now["movesPaused"]), (&json!(5), &json!(false)));
}
