//! The lanes of a run as a drawing.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};

use super::{TEXT, escape};
use crate::plan::{Fault, Plan, What};
use crate::trace::Line;
use crate::verdict::Violation;

/// Where lanes begin and end, in the drawing's own units.
const LEFT: f64 = 56.0;
const RIGHT: f64 = 1_190.0;
/// What comes after the healing is calm, and gets this part of the width.
const CALM: f64 = 0.12;

/// A lane of a member or phone is so high.
const LANE: f64 = 54.0;

/// When things were, and where that is in the drawing. In seconds since the run began.
struct Scale {
    hurt: f64,
    heal: f64,
    end: f64,
}

impl Scale {
    fn of(plan: &Plan, lines: &[Line]) -> Scale {
        let at = |kind: &str| lines.iter().find(|line| line.kind == kind).map(|line| line.at.as_secs_f64());
        let hurt = at("hurt").unwrap_or(0.0);
        let last = lines.last().map_or(0.0, |line| line.at.as_secs_f64());
        let heal = at("heal").unwrap_or(hurt + plan.config.hurt_ms as f64 / 1e3);
        Scale { hurt, heal, end: last.max(heal + 1.0) }
    }

    fn x(&self, at: f64) -> f64 {
        let wide = (RIGHT - LEFT) * (1.0 - CALM);
        if at <= self.heal {
            LEFT + wide * (at / self.heal.max(0.001)).max(0.0)
        } else {
            let calm = ((at - self.heal) / (self.end - self.heal)).min(1.0);
            LEFT + wide + (RIGHT - LEFT) * CALM * calm
        }
    }
}

struct Drawing {
    out: String,
    scale: Scale,
}

impl Drawing {
    /// Something that lasts.
    fn bar(&mut self, class: &str, y: f64, high: f64, (from, to): (f64, f64), what: impl Display) {
        let (left, right) = (self.scale.x(from), self.scale.x(to));
        let (wide, what) = ((right - left).max(1.0), escape(&what.to_string()));
        writeln!(
            self.out,
            "<rect class={class} x={left:.1} y={y:.1} width={wide:.1} height={high:.1}><title>{what}</title></rect>"
        )
        .expect(TEXT);
    }

    /// Something that happens at a moment.
    fn tick(&mut self, class: &str, y: f64, high: f64, at: f64, what: impl Display) {
        let (x, what) = (self.scale.x(at), escape(&what.to_string()));
        writeln!(
            self.out,
            "<rect class={class} x={x:.1} y={y:.1} width=1.2 height={high:.1}><title>{at:.3} s: {what}</title></rect>"
        )
        .expect(TEXT);
    }

    /// Something that must be seen.
    fn cross(&mut self, y: f64, at: f64, what: impl Display) {
        let (x, what) = (self.scale.x(at), escape(&what.to_string()));
        let (left, right, top, bottom) = (x - 4.0, x + 4.0, y - 4.0, y + 4.0);
        writeln!(
            self.out,
            "<path class=mark d='M{left:.1} {top:.1}L{right:.1} {bottom:.1}M{left:.1} {bottom:.1}L{right:.1} {top:.1}'>\
             <title>{at:.3} s: {what}</title></path>"
        )
        .expect(TEXT);
    }

    fn text(&mut self, class: &str, x: f64, y: f64, text: &str) {
        writeln!(self.out, "<text class='{class}' x={x:.1} y={y:.1}>{}</text>", escape(text)).expect(TEXT);
    }

    fn upright(&mut self, class: &str, at: f64, bottom: f64) -> f64 {
        let x = self.scale.x(at);
        writeln!(self.out, "<line class={class} x1={x:.1} y1=18 x2={x:.1} y2={bottom:.1} />").expect(TEXT);
        x
    }
}

/// Draws it.
pub fn draw(plan: &Plan, lines: &[Line], violation: Option<&Violation>) -> String {
    let (members, people) = (plan.config.members as usize, plan.config.people as usize);
    let bottom = 26.0 + LANE * (members + people) as f64;
    let mut drawing = Drawing { out: String::new(), scale: Scale::of(plan, lines) };
    writeln!(drawing.out, "<svg viewBox='0 0 1210 {:.0}' role=img>", bottom + 24.0).expect(TEXT);
    let (heal, end) = (drawing.scale.heal, drawing.scale.end);
    let step = if heal > 40.0 { 10.0 } else { 5.0 };
    let mut at = 0.0;
    while at < heal {
        let x = drawing.upright("grid", at, bottom);
        drawing.text("dim", x - 6.0, bottom + 16.0, &format!("{at:.0} s"));
        at += step;
    }
    let mut by_lane: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
    lines.iter().for_each(|line| by_lane.entry(&line.lane).or_default().push(line));
    let none = Vec::new();
    for lane in 0..members + people {
        let y = 26.0 + LANE * lane as f64;
        let is_member = lane < members;
        let name = if is_member { format!("m{lane}") } else { format!("p{}", lane - members) };
        drawing.text("", 6.0, y + 18.0, &name);
        drawing.text("dim", 6.0, y + 33.0, if is_member { "member" } else { "phone" });
        let seen = by_lane.get(name.as_str()).unwrap_or(&none);
        if is_member {
            faults(&mut drawing, plan, y, |what| what.member() == Some(lane as u32));
            member(&mut drawing, seen, y);
        } else {
            let person = (lane - members) as u32;
            faults(&mut drawing, plan, y, |what| match what {
                What::PhoneSkew { person: of, .. } => *of == person,
                _ => what.link().is_some_and(|link| link.person == person),
            });
            phone(&mut drawing, seen, y);
        }
    }
    let x = drawing.upright("heal", heal, bottom);
    drawing.text("", x - 22.0, 13.0, "healed");
    if let Some(violation) = violation {
        drawing.upright("violation", end, bottom);
        drawing.text(
            "",
            (RIGHT - 6.0 * violation.invariant.len() as f64).max(x + 40.0),
            13.0,
            &violation.invariant,
        );
    } else {
        drawing.text("dim", RIGHT - 30.0, bottom + 16.0, &format!("{end:.0} s"));
    }
    drawing.out + "</svg>"
}

/// What is planned to go wrong in a lane, where it lasts.
fn faults(drawing: &mut Drawing, plan: &Plan, y: f64, is_here: impl Fn(&What) -> bool) {
    for Fault { at_ms, for_ms, what } in &plan.faults {
        let (class, row) = match what {
            _ if !is_here(what) => continue,
            What::Cut { .. } | What::Flap { .. } | What::PeerCut { .. } => ("cut", 0.0),
            What::Delay { .. } | What::Lossy { .. } | What::Reset { .. } | What::HalfOpen { .. } => {
                ("linkfault", 34.0)
            }
            What::Skew { .. } | What::Drift { .. } | What::Step { .. } | What::PhoneSkew { .. } => {
                ("clockfault", 42.0)
            }
            What::Pause { .. } => ("paused", 22.0),
            What::SlowDisk { .. }
            | What::StuckDisk { .. }
            | What::Rot { .. }
            | What::ScarceDisk { .. }
            | What::FullDisk { .. }
            | What::RolledBack { .. } => ("diskfault", 34.0),
            What::Kill { .. } | What::KillAt { .. } | What::FailingSync { .. } => continue,
        };
        let from = drawing.scale.hurt + *at_ms as f64 / 1e3;
        let to = (from + *for_ms as f64 / 1e3).min(drawing.scale.heal);
        drawing.bar(class, y + row, 6.0, (from, to), format_args!("{from:.2} s to {to:.2} s: {what:?}"));
    }
}

fn member(drawing: &mut Drawing, seen: &[&Line], y: f64) {
    let end = drawing.scale.end;
    let mut since = 0.0;
    let mut up = false;
    for line in seen {
        let at = line.at.as_secs_f64();
        match line.kind {
            "start" | "restart" if !up => {
                if at > since {
                    drawing.bar(
                        "down",
                        y + 8.0,
                        12.0,
                        (since, at),
                        format_args!("down for {:.3} s", at - since),
                    );
                }
                (since, up) = (at, true);
            }
            "kill" | "fatal" if up => {
                drawing.bar("up", y + 8.0, 12.0, (since, at), format_args!("runs for {:.3} s", at - since));
                (since, up) = (at, false);
            }
            _ => {}
        }
    }
    let (class, what) = if up { ("up", "runs to the end") } else { ("down", "is down to the end") };
    drawing.bar(class, y + 8.0, 12.0, (since, end), what);
    for line in seen {
        let at = line.at.as_secs_f64();
        match line.kind {
            "append" => {
                drawing.tick("write", y + 28.0, 4.0, at, format_args!("written and synced: {}", line.what))
            }
            "commit" => {
                drawing.tick("clockfault", y + 20.0, 8.0, at, format_args!("checkpoint: {}", line.what))
            }
            "kill" => drawing.cross(y + 14.0, at, format_args!("killed {}", line.what)),
            "fatal" => drawing.cross(y + 14.0, at, format_args!("ended by itself: {}", line.what)),
            "lose" | "rot" | "full" | "sync-fails" | "rolled" => {
                drawing.cross(y + 37.0, at, format_args!("disk: {} {}", line.kind, line.what));
            }
            _ => {}
        }
    }
}

fn phone(drawing: &mut Drawing, seen: &[&Line], y: f64) {
    for line in seen {
        let at = line.at.as_secs_f64();
        match line.kind {
            "write" => {
                drawing.tick("write", y + 8.0, 12.0, at, format_args!("writes operation {}", line.what))
            }
            "lost" => drawing.tick("lost", y + 21.0, 10.0, at, format_args!("request lost: {}", line.what)),
            "reset" | "half-open" => {
                drawing.cross(y + 37.0, at, format_args!("{}: {}", line.kind, line.what))
            }
            "report" | "sign-in" => {
                drawing.cross(y + 14.0, at, format_args!("told: {} {}", line.kind, line.what))
            }
            _ => {}
        }
    }
}
