//! The machine, step by step: what it sends when, and what it makes of each reply. What holds under any
//! interleaving is in `core/tests/phone`.

mod pocket;

use std::time::Duration;

use serde_json::{Value, json};

use super::action::{Action, RequestId, SignIn};
use super::cursor::Roots;
use super::event::{Event, Response};
use super::queue::{FAILURES_MAX, Verdict, Write};
use super::session::Secret;
use crate::id::Id;

use pocket::{Pocket, page, problem, put, signed_in, write};

#[test]
fn a_new_phone_pulls_from_zero_page_by_page_and_then_waits_for_news() {
    let mut pocket = Pocket::new();
    pocket.tell(Event::Tick);
    assert!(pocket.out.is_empty(), "nobody is signed in");
    assert_eq!(pocket.phone.poll_timeout(), None);
    pocket.tell(signed_in(0));
    let first = pocket.peek("sync.pull");
    assert_eq!(
        (first.method, &first.path[..], &first.body[..]),
        ("POST", "/v1/demo/sync.pull", r#"{"roots":[]}"#)
    );
    assert_eq!(pocket.header("sync.pull", "authorization"), Some("Bearer access-0"));
    assert_eq!(pocket.header("sync.pull", "gomer-key"), Some("ck"));
    assert_eq!(pocket.header("sync.pull", "gomer-position"), None);
    pocket.answer("sync.pull", 200, page(vec![put("1", "a")], "c1", false));
    assert!(!pocket.phone.is_caught_up());
    let asked = pocket.answer("sync.pull", 200, page(vec![put("2", "b")], "c2", true));
    assert_eq!(asked, json!({"cursor": "c1", "roots": []}));
    assert!(pocket.phone.is_caught_up());
    assert_eq!(pocket.peek("sync.pull").body, r#"{"cursor":"c2","roots":[],"waitS":30}"#);
    assert!(pocket.peek("sync.pull").timeout > Duration::from_secs(30));
    assert_eq!(pocket.texts(), ["1=a", "2=b"]);
}

#[test]
fn a_server_that_does_not_wait_is_not_asked_without_pause() {
    let mut pocket = Pocket::at_rest(vec![]);
    pocket.answer("sync.pull", 200, page(vec![], "c1", true));
    assert!(pocket.out.is_empty());
    pocket.wait(Duration::from_millis(999));
    assert!(pocket.out.is_empty());
    pocket.wait_for_deadline();
    assert_eq!(pocket.methods(), ["sync.pull"]);
    pocket.answer("sync.pull", 200, page(vec![put("1", "news")], "c2", true));
    assert_eq!(pocket.methods(), ["sync.pull"], "where there is news, there may be more");
}

#[test]
fn a_page_that_brings_neither_rows_nor_a_step_is_not_asked_for_at_once() {
    let mut pocket = Pocket::at_rest(vec![]);
    pocket.answer("sync.pull", 200, page(vec![], "c1", false));
    assert!(pocket.out.is_empty());
    pocket.wait_for_deadline();
    assert_eq!(pocket.methods(), ["sync.pull"]);
}

#[test]
fn what_the_person_does_goes_at_once_and_the_pull_behind_it() {
    let mut pocket = Pocket::at_rest(vec![]);
    pocket.tell(Event::AppWrites(write("1", "hello")));
    assert_eq!(pocket.methods(), ["sync.pull", "sync.push"], "the long poll is open all the while");
    assert_eq!(pocket.texts(), ["1=hello"], "seen before it is sent");
    pocket.tell(Event::AppWrites(write("2", "you")));
    assert_eq!(pocket.methods(), ["sync.pull", "sync.push"], "one push at a time");
    pocket.answer("sync.pull", 200, page(vec![put("0", "news")], "c2", true));
    assert_eq!(pocket.methods(), ["sync.push"], "a pull would miss what the push is about to write");
    pocket.settle(&[(200, "")]);
    assert_eq!(pocket.methods(), ["sync.push"], "what was done meanwhile");
    pocket.settle(&[(200, "")]);
    assert_eq!(
        pocket.peek("sync.pull").body,
        r#"{"cursor":"c2","roots":[]}"#,
        "does not wait: there is something to see"
    );
    assert_eq!(pocket.texts(), ["0=news", "1=hello", "2=you"], "no flicker between push and pull");
    pocket.answer("sync.pull", 200, page(vec![put("1", "hello"), put("2", "you")], "c3", true));
    assert_eq!(pocket.phone.queue().operations().count(), 0);
    assert_eq!(pocket.texts(), ["0=news", "1=hello", "2=you"]);
}

#[test]
fn a_pull_that_was_out_before_the_push_does_not_end_what_it_cannot_have_seen() {
    let mut pocket = Pocket::at_rest(vec![]);
    pocket.tell(Event::AppWrites(write("1", "hello")));
    pocket.settle(&[(200, "")]);
    pocket.answer("sync.pull", 200, page(vec![], "c1", true));
    assert_eq!(pocket.texts(), ["1=hello"]);
}

#[test]
fn an_edit_is_shown_until_the_end_of_a_pull_that_was_sent_after_it_was_done() {
    let mut pocket = Pocket::at_rest(vec![]);
    pocket.tell(Event::AppWrites(write("1", "hello")));
    pocket.settle(&[(200, "")]);
    pocket.answer("sync.pull", 200, page(vec![put("0", "news")], "c2", true));
    pocket.answer("sync.pull", 200, page(vec![put("2", "more")], "c3", false));
    assert_eq!(pocket.texts(), ["0=news", "1=hello", "2=more"], "what follows may bring it");
    pocket.answer("sync.pull", 200, page(vec![], "c4", true));
    assert_eq!(pocket.texts(), ["0=news", "2=more"], "the server has the last word");
}

#[test]
fn only_the_position_of_a_push_is_sent_back() {
    let mut pocket = Pocket::at_rest(vec![]);
    pocket.tell(Event::AppWrites(write("1", "hello")));
    pocket.answer_with("sync.push", 200, json!({"results": []}), None, Some("p9"));
    pocket.answer_with("sync.pull", 200, page(vec![], "c1", true), None, Some("p3"));
    pocket.wait_for_deadline();
    assert_eq!(pocket.header("sync.push", "gomer-position"), Some("p9"));
    pocket.restart();
    assert_eq!(pocket.header("sync.push", "gomer-position"), Some("p9"), "also after a restart");
}

#[test]
fn a_push_of_unknown_outcome_is_sent_again_byte_by_byte_also_after_a_restart() {
    let mut pocket = Pocket::at_rest(vec![]);
    pocket.tell(Event::AppWrites(write("1", "hello")));
    let first = pocket.fail("sync.push");
    assert_eq!(pocket.methods(), ["sync.pull"], "not without a pause");
    pocket.wait_for_deadline();
    assert_eq!(pocket.fail("sync.push"), first);
    pocket.restart();
    assert_eq!(pocket.peek("sync.push").body, first);
}

#[test]
fn a_hotels_login_page_settles_nothing() {
    let mut pocket = Pocket::at_rest(vec![]);
    pocket.tell(Event::AppWrites(write("1", "hello")));
    pocket.answer("sync.push", 200, json!("<html>"));
    pocket.answer("sync.pull", 200, json!("<html>"));
    assert!(pocket.out.is_empty());
    assert_eq!(pocket.phone.queue().operations().count(), 1);
    assert_eq!(pocket.phone.cursor().token.as_deref(), Some("c1"));
}

#[test]
fn the_server_is_left_alone_for_as_long_as_it_asks() {
    let mut pocket = Pocket::at_rest(vec![]);
    pocket.tell(Event::AppWrites(write("1", "hello")));
    let minute = Some(Duration::from_secs(60));
    pocket.answer_with("sync.push", 429, problem("rate-limited"), minute, None);
    assert_eq!(pocket.methods(), ["sync.pull"], "other calls have limits of their own");
    pocket.wait(Duration::from_secs(59));
    pocket.tell(Event::WentOffline);
    pocket.tell(Event::CameOnline);
    assert_eq!(pocket.methods(), ["sync.pull"]);
    pocket.wait_for_deadline();
    assert!(pocket.elapsed >= Duration::from_secs(60));
    assert_eq!(pocket.methods(), ["sync.pull", "sync.push"]);
}

#[test]
fn offline_nothing_is_sent_and_a_late_reply_means_nothing() {
    let mut pocket = Pocket::at_rest(vec![]);
    let late = pocket.peek("sync.pull").id;
    pocket.tell(Event::WentOffline);
    assert!(pocket.out.is_empty(), "given up");
    pocket.tell(Event::AppWrites(write("1", "hello")));
    pocket.wait(Duration::from_secs(86_400));
    assert!(pocket.out.is_empty());
    assert_eq!(pocket.phone.poll_timeout(), None);
    let body = page(vec![put("9", "late")], "c9", true).to_string();
    let reply =
        |request| Response { request, status: 200, retry_after: None, position: None, body: body.clone() };
    pocket.tell(Event::Response(reply(late)));
    pocket.tell(Event::Response(reply(RequestId(77))));
    assert_eq!(pocket.texts(), ["1=hello"]);
    pocket.elapsed = Duration::from_secs(1);
    pocket.tell(Event::CameOnline);
    assert_eq!(pocket.methods(), ["sync.push"], "push before pull");
}

#[test]
fn the_tokens_are_exchanged_before_they_end_and_nothing_else_goes_meanwhile() {
    let mut pocket = Pocket::at_rest(vec![]);
    pocket.wait_for_deadline();
    assert_eq!(pocket.elapsed, Duration::from_secs(14 * 60));
    assert_eq!(pocket.methods(), ["sync.pull", "auth.refreshSession"]);
    pocket.tell(Event::AppWrites(write("1", "hello")));
    assert_eq!(pocket.methods(), ["sync.pull", "auth.refreshSession"]);
    // The reply is lost: the old refresh token is shown again.
    assert_eq!(pocket.fail("auth.refreshSession"), r#"{"refreshToken":"refresh-0"}"#);
    pocket.wait_for_deadline();
    let pair = json!({"accessToken": "access-1", "refreshToken": "refresh-1", "expiresIn": 900});
    let asked = pocket.answer("auth.refreshSession", 200, pair);
    assert_eq!(asked, json!({"refreshToken": "refresh-0"}));
    assert_eq!(
        pocket.saved.session.as_ref().unwrap().refresh.reveal(),
        "refresh-1",
        "stored before it is used"
    );
    assert_eq!(pocket.header("sync.push", "authorization"), Some("Bearer access-1"));
}

#[test]
fn a_401_is_met_by_one_exchange_and_the_same_operations() {
    let mut pocket = Pocket::at_rest(vec![]);
    pocket.tell(Event::AppWrites(write("1", "hello")));
    let asked = pocket.answer("sync.push", 401, problem("unauthenticated"));
    assert_eq!(pocket.methods(), ["sync.pull", "auth.refreshSession"]);
    pocket.answer(
        "auth.refreshSession",
        200,
        json!({"accessToken": "access-1", "refreshToken": "refresh-1"}),
    );
    assert_eq!(serde_json::from_str::<Value>(&pocket.peek("sync.push").body).unwrap(), asked);
    // The long poll was sent with the former pair: its 401 is no news.
    pocket.answer("sync.pull", 401, problem("unauthenticated"));
    assert_eq!(pocket.methods(), ["sync.push"]);
    // But the new pair is refused at once: another exchange would not help.
    pocket.answer("sync.push", 401, problem("unauthenticated"));
    assert!(pocket.out.is_empty());
    assert_eq!(pocket.heard.last(), Some(&Action::SignIn(SignIn::Expired)));
}

#[test]
fn an_expired_session_asks_for_the_person_and_keeps_everything() {
    for code in ["unauthenticated", "forbidden"] {
        let mut pocket = Pocket::at_rest(vec![put("1", "a")]);
        pocket.wait_for_deadline();
        pocket.answer("auth.refreshSession", 401, problem(code));
        assert_eq!(pocket.heard.last(), Some(&Action::SignIn(SignIn::Expired)), "{code}");
        pocket.tell(Event::AppWrites(write("2", "b")));
        assert_eq!(pocket.methods(), ["sync.pull"], "only what was out before");
        pocket.restart();
        assert_eq!(pocket.heard, [Action::SignIn(SignIn::Expired)], "asked again after a restart");
        assert!(pocket.out.is_empty());
        assert_eq!(pocket.texts(), ["1=a", "2=b"]);
        pocket.tell(signed_in(5));
        assert_eq!(pocket.header("sync.push", "authorization"), Some("Bearer access-5"));
    }
}

#[test]
fn a_refresh_that_fails_for_another_reason_signs_nobody_out() {
    let mut pocket = Pocket::at_rest(vec![]);
    pocket.wait_for_deadline();
    for (status, body) in [(503, problem("busy")), (404, json!("<html>")), (200, json!({"accessToken": "x"}))]
    {
        pocket.answer("auth.refreshSession", status, body);
        assert!(pocket.heard.iter().all(|action| !matches!(action, Action::SignIn(_))), "{status}");
        pocket.wait_for_deadline();
    }
}

#[test]
fn the_reply_to_an_exchange_does_not_replace_a_newer_sign_in() {
    let mut pocket = Pocket::at_rest(vec![]);
    pocket.wait_for_deadline();
    let late = pocket.peek("auth.refreshSession").id;
    pocket.tell(signed_in(5));
    let body = json!({"accessToken": "access-1", "refreshToken": "refresh-1"}).to_string();
    pocket.tell(Event::Response(Response {
        request: late,
        status: 200,
        retry_after: None,
        position: None,
        body,
    }));
    assert_eq!(pocket.saved.session.as_ref().unwrap().access.reveal(), "access-5");
}

#[test]
fn another_person_gets_nothing_of_this_phone() {
    let mut pocket = Pocket::at_rest(vec![put("1", "a")]);
    let stored = pocket.saved.clone();
    let (access, refresh) = (Secret::new("bobs"), Secret::new("bobs"));
    pocket.tell(Event::SignedIn { profile: Id::from_bytes([2; 16]), access, refresh });
    assert_eq!(pocket.heard.last(), Some(&Action::SignIn(SignIn::OtherPerson)));
    assert_eq!(pocket.saved, stored);
}

#[test]
fn a_cursor_that_is_not_known_any_more_costs_no_unsent_operation_and_no_live_row() {
    for (status, code) in [(410, "cursor-expired"), (400, "cursor-invalid")] {
        let mut pocket = Pocket::at_rest(vec![put("1", "a"), put("2", "b")]);
        pocket.tell(Event::AppWrites(write("3", "c")));
        pocket.fail("sync.push");
        pocket.answer("sync.pull", status, problem(code));
        assert!(
            !pocket.methods().contains(&"sync.pull"),
            "every phone hears this at once: not without a pause"
        );
        pocket.wait(Duration::from_secs(1));
        pocket.fail("sync.push");
        let asked = pocket.answer("sync.pull", 200, page(vec![put("1", "a")], "d1", false));
        assert_eq!(asked, json!({"roots": []}), "{code}");
        assert_eq!(pocket.texts(), ["1=a", "2=b", "3=c"], "nothing is swept before the end");
        pocket.answer("sync.pull", 200, page(vec![], "d2", true));
        assert_eq!(pocket.texts(), ["1=a", "3=c"]);
    }
}

#[test]
fn a_restart_inside_a_resync_goes_on_where_it_was() {
    let mut pocket = Pocket::at_rest(vec![put("1", "a"), put("2", "b")]);
    let resync = json!({"op": "resync", "root": "post:1", "section": "public"});
    pocket.answer("sync.pull", 200, page(vec![resync, put("1", "a")], "c2", false));
    pocket.restart();
    assert!(pocket.phone.cache().is_resyncing());
    let asked = pocket.answer("sync.pull", 200, page(vec![], "c3", true));
    assert_eq!(asked, json!({"cursor": "c2", "roots": []}));
    assert_eq!(pocket.texts(), ["1=a"], "what was touched before the restart stays, the rest goes");
}

#[test]
fn one_bad_operation_is_found_and_the_others_are_not_lost_with_it() {
    let mut pocket = Pocket::new();
    for (id, text) in [("1", "a"), ("2", "bad"), ("3", "c")] {
        pocket.tell(Event::AppWrites(write(id, text)));
    }
    pocket.tell(signed_in(0));
    let asked = pocket.answer("sync.push", 413, problem("too-large"));
    assert_eq!(asked["operations"].as_array().unwrap().len(), 3);
    pocket.settle(&[(200, "")]);
    let asked = pocket.answer("sync.push", 413, problem("too-large"));
    assert_eq!(asked["operations"].as_array().unwrap().len(), 2, "tried together again");
    let asked = pocket.answer("sync.push", 413, problem("too-large"));
    assert_eq!(asked["operations"][0]["args"]["text"], "bad");
    assert_eq!(pocket.reports(), [&Verdict::Refused { status: 413, code: "too-large".to_owned() }]);
    pocket.settle(&[(200, "")]);
    assert_eq!(pocket.texts(), ["1=a", "3=c"]);
}

/// A push that the server fails at as a whole (a panic in one of its operations) says not which one it is.
#[test]
fn a_push_that_always_fails_is_taken_apart_and_only_the_one_at_fault_is_set_aside() {
    let mut pocket = Pocket::new();
    for (id, text) in [("1", "a"), ("2", "bad"), ("3", "c")] {
        pocket.tell(Event::AppWrites(write(id, text)));
    }
    pocket.tell(signed_in(0));
    let mut sent = 0;
    while pocket.reports().is_empty() {
        sent += 1;
        assert!(sent < 100, "it does not end");
        if pocket.peek("sync.push").body.contains("bad") {
            pocket.answer("sync.push", 500, problem("internal"));
            pocket.wait_for_deadline();
        } else {
            pocket.settle(&[(200, "")]);
        }
    }
    let aside = Verdict::SetAside { status: 500, code: "internal".to_owned(), attempts: FAILURES_MAX };
    assert_eq!(pocket.reports(), [&aside]);
    pocket.settle(&[(200, "")]);
    assert_eq!(pocket.texts(), ["1=a", "3=c"]);
}

#[test]
fn what_the_phone_knew_of_its_root_goes_with_what_is_done_from_then_on() {
    let known = |rev: &str| json!({"root": "profile:1", "rev": rev});
    let mut pocket = Pocket::new();
    pocket.tell(Event::AppWrites(write("1", "a")));
    pocket.tell(signed_in(0));
    let asked = pocket.peek("sync.push").body.clone();
    assert!(!asked.contains("known"), "it knows nothing yet: {asked}");
    pocket.settle(&[(200, "")]);
    let mut page = page(vec![], "c1", true);
    page["known"] = known("7.0a");
    pocket.answer("sync.pull", 200, page.clone());
    pocket.tell(Event::WentOffline);
    pocket.tell(Event::AppWrites(write("2", "b")));
    pocket.restart();
    pocket.tell(Event::WentOffline);
    pocket.tell(Event::AppWrites(write("3", "c")));
    pocket.tell(Event::CameOnline);
    page["known"] = known("9.0a");
    let asked: Value = serde_json::from_str(&pocket.peek("sync.push").body).unwrap();
    assert_eq!(asked["operations"][0]["known"], known("7.0a"));
    assert_eq!(asked["operations"][1]["known"], known("7.0a"));
    pocket.settle(&[(200, ""), (200, "")]);
    pocket.answer("sync.pull", 200, page);
    // A cursor that is not known any more was of another history: what was known then is not, either.
    pocket.answer("sync.pull", 410, problem("cursor-expired"));
    pocket.tell(Event::AppWrites(write("4", "d")));
    assert!(!pocket.peek("sync.push").body.contains("known"));
}

#[test]
fn a_refusal_that_is_not_about_the_operations_costs_none_of_them() {
    let mut pocket = Pocket::at_rest(vec![]);
    pocket.tell(Event::AppWrites(write("1", "a")));
    for (status, code) in [(404, "not-found"), (403, "forbidden"), (500, "internal"), (418, "teapot")] {
        pocket.answer("sync.push", status, problem(code));
        assert_eq!(pocket.phone.queue().operations().count(), 1, "{code}");
        pocket.wait_for_deadline();
    }
    assert!(pocket.reports().is_empty());
}

#[test]
fn a_report_comes_again_after_every_restart_until_it_is_answered() {
    let mut pocket = Pocket::at_rest(vec![put("1", "theirs")]);
    pocket.tell(Event::AppWrites(Write { if_rev: Some("0".to_owned()), ..write("1", "mine") }));
    let op = pocket.written()[0];
    pocket.settle(&[(412, "stale-revision")]);
    assert_eq!(pocket.texts(), ["1=theirs"]);
    for _ in 0..2 {
        assert_eq!(pocket.reports().len(), 1);
        pocket.restart();
    }
    let instead = Some(Write { if_rev: Some("1".to_owned()), ..write("1", "mine after all") });
    pocket.tell(Event::AppAnswers { op, instead });
    assert_ne!(pocket.written()[0], op, "a new decision is a new operation");
    assert_eq!(pocket.texts(), ["1=mine after all"]);
    pocket.restart();
    assert!(pocket.reports().is_empty());
    assert_eq!(pocket.phone.queue().operations().count(), 1);
}

#[test]
fn roots_that_the_app_opens_are_asked_for_at_once_and_after_a_restart() {
    let mut pocket = Pocket::at_rest(vec![]);
    let roots = Roots::new(["post:1".to_owned()]).unwrap();
    pocket.tell(Event::AppFollows(roots.clone()));
    let expected = r#"{"cursor":"c1","roots":["post:1"]}"#;
    assert_eq!(pocket.methods(), ["sync.pull"], "the long poll was given up");
    assert_eq!(pocket.peek("sync.pull").body, expected);
    let id = pocket.peek("sync.pull").id;
    pocket.tell(Event::AppFollows(roots));
    assert_eq!(pocket.peek("sync.pull").id, id, "the same roots again are no news");
    pocket.restart();
    assert_eq!(pocket.peek("sync.pull").body, expected);
}

/// Roots were once left out when there were none, which asks for "those of the cursor": a phone that had
/// closed everything went on receiving it.
#[test]
fn a_phone_that_closes_all_its_roots_says_so() {
    let mut pocket = Pocket::at_rest(vec![]);
    pocket.tell(Event::AppFollows(Roots::new(["post:1".to_owned()]).unwrap()));
    pocket.tell(Event::AppFollows(Roots::default()));
    assert_eq!(pocket.peek("sync.pull").body, r#"{"cursor":"c1","roots":[]}"#);
}

#[test]
fn no_token_is_ever_printed() {
    let mut pocket = Pocket::at_rest(vec![]);
    pocket.wait_for_deadline();
    let printed = format!("{:?} {:?} {:?} {:?}", pocket.phone, pocket.saved, pocket.out, signed_in(0));
    assert!(!printed.contains("access-0") && !printed.contains("refresh-0"), "{printed}");
}
