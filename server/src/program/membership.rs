//! `gomer cluster leave …`, `plan`, `commit` and their like: who belongs to a running cluster, changed in the manner of
//! riak-admin. Changes are staged, a plan shows all that they would do, and a commit makes exactly that.

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};

use super::admin_client::AdminClient;
use super::exit::{End, Exit};
use super::operator::{client, show, with_server};
use super::tables::{cell, items, part, table};

/// Moves that are listed on a terminal. `--json` lists them all.
const SHOWN: usize = 40;

/// What a refused commit is called if the cluster has changed since its plan.
const PLAN_CHANGED: &str = "planChanged";

/// What stages a change: the word, what it is about beside the member, and what it does.
const VERBS: &[(&str, &[&str], &str)] = &[
    ("join", &[], "Stage that a new member joins"),
    ("leave", &[], "Stage that a member gives away what it holds, and goes"),
    ("replace", &["by"], "Stage that a joining member takes all places of another, which leaves"),
    (
        "force-replace",
        &["by"],
        "Stage the same, when the old member cannot give anything: its replicas are lost",
    ),
    ("force-remove", &[], "Stage that a member goes that cannot give anything: its replicas are lost"),
    ("down", &[], "Stage that a member is out of reach for now: it keeps what it holds, and leads nothing"),
    ("zone", &["zone"], "Stage what a member may fail together with"),
    ("weight", &["weight"], "Stage how much a member should hold, relative to the others (default 100)"),
];

/// The commands.
pub fn commands() -> Vec<Command> {
    let ring = Command::new("ring").about("Show who holds each partition, who should, and what is staged");
    let plan = Command::new("plan").about("Show all that a commit of what is staged would do");
    let commit = Command::new("commit")
        .about("Make exactly the changes of a plan that was shown")
        .arg(Arg::new("PLAN_ID").required(true).help("As `gomer cluster plan` shows it"))
        .arg(Arg::new("yes").long("yes").action(ArgAction::SetTrue).help("Also if rows are lost by it"));
    let clear = Command::new("clear").about("Forget what is staged");
    let transfers = Command::new("transfers").about("List the replicas that are still to move");
    let limit = Command::new("transfer-limit")
        .about("Show, or set, how many replicas come to a member, or go from one, at once")
        .arg(Arg::new("N").value_parser(clap::value_parser!(u8).range(1..=16)).help("1 to 16 (default 2)"));
    let handoff = Command::new("handoff")
        .about("Let replicas stay where they are for now, or go on")
        .arg(Arg::new("WHAT").required(true).value_parser(["pause", "resume"]));
    let verbs = VERBS.iter().map(|(word, more, about)| verb(word, more, about));
    [ring, plan, commit, clear, transfers, limit, handoff].into_iter().chain(verbs).map(with_server).collect()
}

fn verb(word: &'static str, more: &'static [&'static str], about: &'static str) -> Command {
    let member = Arg::new("MEMBER").required(true).help("The member's name, or its id");
    let mut command = Command::new(word).about(about).arg(member);
    for what in more {
        command = command.arg(argument(what).required(true).help(help(what)));
    }
    if word == "join" {
        let option = |what: &'static str, value| argument(what).long(what).value_name(value).help(help(what));
        command = command.arg(option("zone", "ZONE")).arg(option("weight", "WEIGHT"));
    }
    command
}

fn argument(what: &'static str) -> Arg {
    let arg = Arg::new(what);
    if what == "weight" { arg.value_parser(clap::value_parser!(u16).range(0..=10_000)) } else { arg }
}

fn help(what: &str) -> &'static str {
    match what {
        "by" => "The joining member that takes its places",
        "zone" => "1 to 63 of a-z, 0-9, -, _ and .",
        _ => "0 to 10000; with 0 it holds nothing",
    }
}

/// Runs one of them.
pub fn run(name: &str, matches: &ArgMatches) -> Result<(), End> {
    match name {
        "ring" => ring(matches),
        "plan" => plan(matches),
        "commit" => commit(matches),
        "transfers" => transfers(matches),
        "transfer-limit" => match matches.get_one::<u8>("N") {
            Some(max) => set(matches, &json!({ "transfersMax": max })),
            None => shown_config(matches, &client(matches)?.call("cluster.getConfig", &json!({}))?),
        },
        "handoff" => set(matches, &json!({ "movesPaused": text(matches, "WHAT") == "pause" })),
        "clear" => {
            let answer = client(matches)?.call("cluster.clearChanges", &json!({}))?;
            show(matches, &part(&answer, "changes"), || "Nothing is staged.\n".to_owned())
        }
        verb => stage(verb, matches),
    }
}

fn stage(verb: &str, matches: &ArgMatches) -> Result<(), End> {
    let mut args = json!({ "change": verb, "member": text(matches, "MEMBER") });
    for what in ["by", "zone"] {
        if let Ok(Some(said)) = matches.try_get_one::<String>(what) {
            args[what] = said.as_str().into();
        }
    }
    if let Ok(Some(weight)) = matches.try_get_one::<u16>("weight") {
        args["weight"] = (*weight).into();
    }
    let answer = client(matches)?.call("cluster.stageChange", &args)?;
    show(matches, &part(&answer, "changes"), || {
        let lines: String =
            changes(&answer["changes"], &[]).iter().map(|line| format!("  {line}\n")).collect();
        format!("Staged, and not done yet:\n{lines}Next: gomer cluster plan\n")
    })
}

fn ring(matches: &ArgMatches) -> Result<(), End> {
    let answer = client(matches)?.call("cluster.getRing", &json!({}))?;
    let name = |id: &Value| named(&answer["members"], id);
    show(matches, &part(&answer, "partitions"), || {
        let mut lines = vec![["PARTITION", "LEADER", "HELD BY", "TO BE HELD BY"].map(str::to_owned)];
        for partition in items(&answer["partitions"]) {
            let all = |list: &Value| items(list).map(name).collect::<Vec<_>>().join(" ");
            let (held, target) = (all(&partition["replicas"]), all(&partition["target"]));
            let target = if held == target { "-".to_owned() } else { target };
            lines.push([cell(&partition["id"]), name(&partition["leader"]), held, target]);
        }
        let mut members =
            vec![["NAME", "ZONE", "WEIGHT", "STATE", "HOLDS", "TO HOLD", "SHOULD LEAD"].map(str::to_owned)];
        for member in items(&answer["members"]) {
            let fields = ["name", "zone", "weight", "state", "partitions", "target", "leaders"];
            members.push(fields.map(|field| cell(&member[field])));
        }
        let staged = changes(&answer["staged"], &[]);
        let staged = if staged.is_empty() { "nothing".to_owned() } else { staged.join(", ") };
        format!(
            "generation {}, staged: {staged}\n\n{}\n{}",
            cell(&answer["generation"]),
            table(&members),
            table(&lines)
        )
    })
}

fn plan(matches: &ArgMatches) -> Result<(), End> {
    let answer = client(matches)?.call("cluster.planChanges", &json!({}))?;
    let mut json = part(&answer, "changes");
    for field in ["planId", "refused", "moves", "leaders", "lost", "atRisk", "before", "after"] {
        json[field] = answer[field].clone();
    }
    show(matches, &json, || shown_plan(&answer))
}

fn shown_plan(plan: &Value) -> String {
    let Some(id) = plan["planId"].as_str() else {
        return "Nothing is staged, and the ring is what it should be.\n".to_owned();
    };
    let loads = [&plan["before"]["members"], &plan["after"]["members"]];
    let mut text = format!("plan {id}\n");
    for line in changes(&plan["changes"], &loads) {
        text += &format!("  {line}\n");
    }
    let mut lines = vec![["NAME", "HOLDS", "WOULD HOLD", "LEADS", "WOULD LEAD"].map(str::to_owned)];
    let ids = loads.iter().flat_map(|load| load.as_object().into_iter().flat_map(serde_json::Map::keys));
    let ids: std::collections::BTreeSet<&String> = ids.collect();
    for id in ids {
        let of = |load: &Value, field: &str| load[id][field].as_u64().unwrap_or(0).to_string();
        let [before, after] = loads;
        let (held, holds) = (of(before, "replicas"), of(after, "replicas"));
        lines.push([who(&loads, id), held, holds, of(before, "leaders"), of(after, "leaders")]);
    }
    text += &format!("\n{}", table(&lines));
    let moves: Vec<&Value> = items(&plan["moves"]).collect();
    let name = |id: &Value| id.as_str().map_or_else(|| "-".to_owned(), |id| who(&loads, id));
    if !moves.is_empty() {
        let mut lines = vec![["PARTITION", "FROM", "TO"].map(str::to_owned)];
        lines.extend(
            moves
                .iter()
                .take(SHOWN)
                .map(|one| [cell(&one["partition"]), name(&one["from"]), name(&one["to"])]),
        );
        text += &format!("\n{} replicas move:\n{}", moves.len(), table(&lines));
        if moves.len() > SHOWN {
            text += &format!("and {} more (--json lists them all)\n", moves.len() - SHOWN);
        }
    }
    let led = items(&plan["leaders"]).count();
    if led > 0 {
        text += &format!("\n{led} partitions are to be led by others.\n");
    }
    if let Some(cost) = cost(plan) {
        text += &format!("\n{cost}\n");
    }
    match plan["refused"].as_str() {
        Some(why) => text + &format!("\nThis plan cannot be committed. {why}\n"),
        None => text + &format!("\nNext: gomer cluster commit {id}\n"),
    }
}

fn commit(matches: &ArgMatches) -> Result<(), End> {
    let (client, id) = (client(matches)?, text(matches, "PLAN_ID"));
    if !matches.get_flag("yes") {
        guard(&client, id)?;
    }
    let answer = match client.call("cluster.commitChanges", &json!({ "planId": id })) {
        Ok(answer) => answer,
        Err(end) => return Err(changed(matches, end)),
    };
    show(matches, &part(&answer, "changes"), || {
        format!(
            "Committed. The ring is of generation {}.\nNext: gomer cluster transfers\n",
            cell(&answer["generation"])
        )
    })
}

fn transfers(matches: &ArgMatches) -> Result<(), End> {
    let client = client(matches)?;
    let answer = client.call("cluster.listTransfers", &json!({}))?;
    let ring = client.call("cluster.getRing", &json!({}))?;
    show(matches, &part(&answer, "transfers"), || {
        let all: Vec<&Value> = items(&answer["transfers"]).collect();
        if all.is_empty() {
            return "Nothing is left to move.\n".to_owned();
        }
        let mut lines = vec![["PARTITION", "FROM", "TO", "STATE"].map(str::to_owned)];
        for one in all.iter().take(SHOWN) {
            let name = |id: &Value| named(&ring["members"], id);
            lines.push([cell(&one["partition"]), name(&one["from"]), name(&one["to"]), cell(&one["state"])]);
        }
        let more = all.len().saturating_sub(SHOWN);
        let more =
            if more > 0 { format!("and {more} more (--json lists them all)\n") } else { String::new() };
        table(&lines) + &more
    })
}

fn set(matches: &ArgMatches, change: &Value) -> Result<(), End> {
    shown_config(matches, &client(matches)?.call("cluster.updateConfig", change)?)
}

fn shown_config(matches: &ArgMatches, config: &Value) -> Result<(), End> {
    show(matches, config, || {
        let paused = if config["movesPaused"] == true {
            "Paused: no replica moves.\nNext: gomer cluster handoff resume\n"
        } else {
            ""
        };
        let max = cell(&config["transfersMax"]);
        format!("{max} replicas come to a member at once, and {max} go from one.\n{paused}")
    })
}

/// Refuses a plan that loses rows, unless somebody has said yes to it. If another plan is shown by now, the commit will say
/// what has happened.
fn guard(client: &AdminClient, id: &str) -> Result<(), End> {
    let plan = client.call("cluster.planChanges", &json!({}))?;
    match cost(&plan) {
        Some(cost) if plan["planId"] == *id => Err(End::new(
            Exit::Refused,
            format!("{cost} Say --yes if that is what you want; nothing was changed"),
        )),
        _ => Ok(()),
    }
}

/// That the cluster has changed since the plan is told to scripts, too.
fn changed(matches: &ArgMatches, end: End) -> End {
    if end.code == Exit::Refused && end.why.contains(PLAN_CHANGED) && matches.get_flag("json") {
        // What cannot be written is said by the exit code all the same.
        let _ = show(matches, &json!({ PLAN_CHANGED: true, "detail": end.why }), String::new);
    }
    end
}

/// What a plan would lose.
fn cost(plan: &Value) -> Option<String> {
    let list = |field: &str| items(&plan[field]).map(cell).collect::<Vec<_>>();
    let (lost, risk) = (list("lost"), list("atRisk"));
    if risk.is_empty() {
        let forced =
            |change: &&Value| change["change"].as_str().is_some_and(|word| word.starts_with("force"));
        let out: Vec<String> =
            items(&plan["changes"]).filter(forced).map(|change| cell(&change["name"])).collect();
        let who = out.join(", ");
        return (!out.is_empty()).then(|| {
            format!("What {who} holds is given up: until others hold it, its partitions have a replica less.")
        });
    }
    let all = if lost.is_empty() {
        String::new()
    } else {
        format!("ALL ROWS of {} partitions are lost ({}). ", lost.len(), lost.join(" "))
    };
    Some(format!(
        "{all}Of {} partitions no majority of the replicas is left, so rows that were acknowledged may be lost ({}).",
        risk.len(),
        risk.join(" ")
    ))
}

/// Staged changes, as the commands that staged them.
fn changes(list: &Value, loads: &[&Value]) -> Vec<String> {
    let words = |change: &Value| {
        let mut words = vec![cell(&change["change"]), cell(&change["name"])];
        words.extend(change["by"].as_str().map(|by| who(loads, by)));
        for field in ["zone", "weight"] {
            if !change[field].is_null() {
                words.push(cell(&change[field]));
            }
        }
        words.join(" ")
    };
    items(list).map(words).collect()
}

/// What people call a member, by the loads of a plan.
fn who(loads: &[&Value], id: &str) -> String {
    let name = loads.iter().find_map(|load| load[id]["name"].as_str());
    name.unwrap_or(id).to_owned()
}

/// What people call a member, by a list of members.
fn named(members: &Value, id: &Value) -> String {
    let member = items(members).find(|member| member["id"] == *id);
    member.map_or_else(|| cell(id), |member| cell(&member["name"]))
}

fn text<'a>(matches: &'a ArgMatches, name: &str) -> &'a str {
    matches.get_one::<String>(name).map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Value {
        let load = |name: &str, replicas| json!({ "name": name, "replicas": replicas, "leaders": 1 });
        json!({
            "planId": "3-00000000000000ab",
            "refused": null,
            "changes": [
                { "change": "leave", "member": "id-b", "name": "bob" },
                { "change": "weight", "member": "id-a", "name": "ada", "weight": 50 },
            ],
            "moves": [{ "partition": 7, "from": "id-b", "to": "id-a" }, { "partition": 8, "from": null, "to": "id-a" }],
            "leaders": [{ "partition": 7, "from": "id-b", "to": "id-a" }],
            "lost": [],
            "atRisk": [],
            "before": { "members": { "id-a": load("ada", 1), "id-b": load("bob", 2) } },
            "after": { "members": { "id-a": load("ada", 3) } },
        })
    }

    #[test]
    fn a_plan_is_shown_with_names_and_says_what_comes_next() {
        let text = shown_plan(&plan());
        for part in [
            "plan 3-00000000000000ab\n  leave bob\n  weight ada 50\n",
            "ada   1      3",
            "bob   2      0",
            "2 replicas move:",
            "7          bob   ada",
            "8          -     ada",
            "1 partitions are to be led by others.",
            "Next: gomer cluster commit 3-00000000000000ab\n",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        let refused = json!({ "refused": "Not yet." });
        let mut plan = plan();
        plan["refused"] = refused["refused"].clone();
        let text = shown_plan(&plan);
        assert!(
            text.ends_with("This plan cannot be committed. Not yet.\n") && !text.contains("Next:"),
            "{text}"
        );
        assert!(shown_plan(&json!({ "planId": null })).starts_with("Nothing is staged"));
    }

    #[test]
    fn long_plans_are_cut_and_say_so() {
        let mut plan = plan();
        plan["moves"] = (0..100)
            .map(|partition| json!({ "partition": partition, "from": "id-b", "to": "id-a" }))
            .collect();
        let text = shown_plan(&plan);
        assert!(text.contains("100 replicas move") && text.contains("and 60 more"), "{text}");
    }

    #[test]
    fn what_a_plan_would_lose_is_named() {
        assert_eq!(cost(&plan()), None);
        let mut plan = plan();
        plan["changes"][0]["change"] = json!("force-remove");
        assert!(cost(&plan).unwrap().contains("bob"));
        (plan["atRisk"], plan["lost"]) = (json!([3, 4]), json!([4]));
        let cost = cost(&plan).unwrap();
        assert!(
            cost.contains("ALL ROWS of 1 partitions are lost (4)") && cost.contains("Of 2 partitions"),
            "{cost}"
        );
        assert!(shown_plan(&plan).contains(&cost));
    }

    #[test]
    fn verbs_take_what_they_need() {
        let parse = |line: &[&str]| {
            let command = Command::new("cluster").subcommands(commands());
            command.try_get_matches_from([&["cluster"], line].concat())
        };
        for good in [
            &["leave", "bob"][..],
            &["join", "kim", "--zone", "north", "--weight", "0"],
            &["replace", "bob", "kim"],
            &["force-replace", "bob", "kim"],
            &["force-remove", "bob"],
            &["down", "bob"],
            &["zone", "bob", "north"],
            &["weight", "bob", "10000", "--json"],
            &["plan"],
            &["commit", "1-0", "--yes"],
            &["clear"],
            &["ring"],
            &["transfers", "--json"],
            &["transfer-limit"],
            &["transfer-limit", "16", "--json"],
            &["handoff", "pause"],
            &["handoff", "resume"],
        ] {
            assert!(parse(good).is_ok(), "{good:?}");
        }
        for bad in [
            &["leave"][..],
            &["replace", "bob"],
            &["zone", "bob"],
            &["weight", "bob", "10001"],
            &["weight", "bob", "-1"],
            &["weight", "bob", "much"],
            &["leave", "bob", "--yes"],
            &["commit"],
            &["transfer-limit", "0"],
            &["transfer-limit", "17"],
            &["handoff"],
            &["handoff", "stop"],
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
