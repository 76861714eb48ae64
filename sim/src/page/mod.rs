//! A run as a page of its own: members and phones as lanes, time to the right. It loads nothing from elsewhere,
//! and is for people who have not read the code.
//!
//! Reading order: here (the page), [`chart`] (the lanes).

mod chart;

use std::fmt::Write;

use crate::plan::Plan;
use crate::trace::Line;
use crate::verdict::Verdict;

/// Draws it.
pub fn draw(plan: &Plan, lines: &[Line], verdict: &Verdict) -> String {
    let (config, seed) = (&plan.config, plan.seed);
    let head = match &verdict.violation {
        None => "<p class=ok>Nothing that was promised was broken.</p>".to_owned(),
        Some(violation) => format!(
            "<p class=bad>Broken: <b>{}</b></p><pre>{}</pre>",
            escape(&violation.invariant),
            escape(&violation.detail)
        ),
    };
    let mut faults = String::new();
    for fault in &plan.faults {
        let whom = match (fault.what.member(), fault.what.link()) {
            (Some(member), _) => format!("m{member}"),
            (None, Some(link)) => format!("p{} – m{}", link.person, link.member),
            (None, None) => String::new(),
        };
        let (at, long) = (fault.at_ms as f64 / 1e3, fault.for_ms as f64 / 1e3);
        let what = escape(&serde_json::to_string(&fault.what).expect("a plan is plain data"));
        writeln!(
            faults,
            "<tr><td>{at:.2}<td>{long:.2}<td>{}<td>{whom}<td><code>{what}</code>",
            fault.what.class()
        )
        .expect(TEXT);
    }
    let chart = chart::draw(plan, lines, verdict.violation.as_ref());
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         <title>Run of seed {seed}</title><style>{STYLE}</style>\
         <h1>A simulated run, seed {seed}</h1>{head}\
         <p>{} member(s), {} people with a phone each in {} app(s), {} operations. For {} seconds everything below \
         goes wrong; then all is made whole (the line <i>healed</i>), and phones and members must agree again \
         and have lost nothing. Point at anything to read what it is.</p>{LEGEND}{chart}\
         <h2>What went wrong</h2><table><tr><th>at (s)<th>for (s)<th>what<th>where<th>exactly{faults}</table>",
        config.members,
        config.people,
        config.apps,
        plan.operations.len(),
        config.hurt_ms / 1_000,
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('\'', "&#39;")
        .replace('"', "&quot;")
}

const TEXT: &str = "a string takes everything";

const LEGEND: &str = "<p class=legend><span><i class=up></i>the process runs</span>\
    <span><i class=down></i>it is down</span><span><i class=paused></i>it is paused</span>\
    <span><i class=diskfault></i>its disk is slow, stuck, full or rotten</span>\
    <span><i class=clockfault></i>its clock is off</span>\
    <span><i class=cut></i>the phone, or another member, cannot be reached</span>\
    <span><i class=linkfault></i>the link delays, loses or resets</span>\
    <span><i class=write></i>somebody writes</span><span><i class=lost></i>a request without a reply</span></p>";

const STYLE: &str = "\
:root{--bg:#fff;--ink:#1d2330;--dim:#6b7385;--rule:#d9dde6;--up:#9fd3a8;--down:#e2574c;--paused:#f2c14e;\
--disk:#b07cc6;--clock:#4aa3a2;--cut:#e2574c;--link:#f0a35e;--write:#3b6fd4;--lost:#d02f5c}\
@media(prefers-color-scheme:dark){:root{--bg:#14171d;--ink:#e4e7ee;--dim:#939bab;--rule:#303643;--up:#3f7d4b;\
--down:#e0665c;--paused:#c99b2f;--disk:#a77bc0;--clock:#4aa3a2;--cut:#e0665c;--link:#c9813f;--write:#7aa2f0;--lost:#f0608a}}\
body{background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1240px;padding:0 1rem}\
h1{font-size:1.4rem}h2{font-size:1.1rem}.ok{color:#2f8f46;font-weight:600}.bad{color:var(--down)}\
pre{white-space:pre-wrap;border-left:3px solid var(--down);padding-left:1rem;max-height:20rem;overflow:auto}\
svg{width:100%;height:auto;display:block}svg text{fill:var(--ink);font:12px system-ui,sans-serif}svg .dim{fill:var(--dim)}\
.grid{stroke:var(--rule)}.up{fill:var(--up);background:var(--up)}.down{fill:var(--down);background:var(--down)}\
.paused{fill:var(--paused);background:var(--paused)}.diskfault{fill:var(--disk);background:var(--disk)}\
.clockfault{fill:var(--clock);background:var(--clock)}.cut{fill:var(--cut);background:var(--cut)}\
.linkfault{fill:var(--link);background:var(--link)}.write{fill:var(--write);background:var(--write)}\
.lost{fill:var(--lost);background:var(--lost)}.mark{stroke:var(--ink);stroke-width:1.5;fill:none}\
.heal{stroke:#2f8f46;stroke-width:2;stroke-dasharray:4 3}.violation{stroke:var(--down);stroke-width:3}\
.legend span{display:inline-block;margin-right:1.2rem;white-space:nowrap}.legend i{display:inline-block;width:.9em;height:.9em;\
margin-right:.4em;border-radius:2px;vertical-align:-.1em}\
table{border-collapse:collapse;font-size:13px}td,th{padding:.15rem .7rem .15rem 0;text-align:left;border-bottom:1px solid var(--rule);\
vertical-align:top}code{color:var(--dim);overflow-wrap:anywhere}";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::draw::{Size, plan};
    use crate::verdict::{Cost, Violation};

    fn verdict(violation: Option<Violation>) -> Verdict {
        Verdict {
            violation,
            events: 1,
            trace: "0".to_owned(),
            marks: Default::default(),
            cost: Cost::default(),
        }
    }

    fn line(at: u64, lane: &str, kind: &'static str, what: &str) -> Line {
        Line { at: Duration::from_millis(at), lane: lane.to_owned(), kind, what: what.to_owned() }
    }

    #[test]
    fn a_page_stands_alone_and_shows_what_happened() {
        let lines = [
            line(0, "m0", "start", "life 1"),
            line(10, "m0", "serve", ""),
            line(100, "run", "hurt", ""),
            line(900, "m0", "kill", "at an effect"),
            line(1_400, "m0", "restart", ""),
            line(1_500, "p0", "write", "x"),
            line(1_600, "p1", "lost", "no reply"),
            line(20_100, "run", "heal", ""),
        ];
        let page = draw(&plan(3, Size::Small, Some(1)), &lines, &verdict(None));
        for part in
            ["seed 3", "class=up", "class=down", "healed", "killed at an effect", "class=write", "class=lost"]
        {
            assert!(page.contains(part), "{part} is not in the page");
        }
        for foreign in ["http:", "https:", "<script", "src=", "@import"] {
            assert!(!page.contains(foreign), "{foreign} is in the page");
        }
    }

    #[test]
    fn what_was_broken_is_said_and_escaped() {
        let violation = Violation { invariant: "a < b".to_owned(), detail: "<b>&'\"".to_owned() };
        let page = draw(&plan(3, Size::Small, Some(1)), &[], &verdict(Some(violation)));
        assert!(page.contains("a &lt; b"));
        assert!(page.contains("&lt;b&gt;&amp;&#39;&quot;"));
        assert!(page.contains("class=violation"));
    }
}
