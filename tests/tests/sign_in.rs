//! What a sign-in costs tells nobody whether an account exists.

use gomer_tests::{Api, Dir, Gomer};
use serde_json::{Value, json};

/// What a process has used of the processors, in ticks of 10 ms.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("Linux tells of its processes");
    // The name in parentheses may hold anything.
    let (_, fields) = stat.rsplit_once(") ").expect("the name ends with a parenthesis");
    let fields: Vec<&str> = fields.split(' ').collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("a number of ticks")).sum()
}

/// An unknown user and a wrong password get the same answer, and the server works equally long for both. Its processor
/// time is compared, which a busy machine does not change.
#[test]
fn an_unknown_user_costs_as_much_as_a_wrong_password() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let dir = Dir::new("sign-in");
    let server = Gomer::start(&dir.path().join("data"));
    let demo = server.credentials("demo.json");
    let text = |name: &str| demo[name].as_str().expect("the demo's keys are there").to_owned();
    let mut api = Api::new(server.http(), &text("app"), &text("clientKey"));
    let settings = json!({"settings": {"rates": {"enabled": false}}});
    api.with_token(&text("adminToken")).call("admin.updateSettings", &settings).expect(200);
    let known = demo["people"][0]["handle"].as_str().expect("people have handles").to_owned();

    let mut attempts = 0;
    let mut told = |handle: &str| {
        attempts += 1;
        let id = format!("00000000-0000-4000-8000-{attempts:012x}");
        let body = json!({"id": id, "handle": handle, "password": "not the password"});
        let mut problem: Value = api.call("auth.createSession", &body).expect(401).json();
        problem.as_object_mut().expect("a problem is an object").remove("instance");
        problem
    };
    // The first of either kind may do what is done once.
    assert_eq!(told(&known), told("nobody_here"));
    let (mut wrong, mut unknown) = (0, 0);
    for _ in 0..6 {
        for (handle, used) in [(known.as_str(), &mut wrong), ("nobody_here", &mut unknown)] {
            let before = cpu_ticks(server.pid());
            for _ in 0..6 {
                told(handle);
            }
            *used += cpu_ticks(server.pid()) - before;
        }
    }
    assert!(wrong >= 36, "{wrong} ticks for 36 passwords: they are hashed too cheaply to tell anything");
    let ratio = unknown as f64 / wrong as f64;
    assert!((0.8..1.25).contains(&ratio), "{unknown} ticks for unknown users, {wrong} for wrong passwords");
}
