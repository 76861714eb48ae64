//! Who hurts the cluster: does what the plan says, when it says so, and in the end heals everything.
//!
//! Reading order: here (the faults of a plan, in order of time), [`crew`] (processes: killed, started again).

mod crew;

use std::time::Duration;

pub use crew::Crew;

use crate::clock::{self, SimClock};
use crate::disk::Trap;
use crate::marks::Marks;
use crate::net::Net;
use crate::plan::{Fault, Link, Plan, What};
use crate::trace::Trace;

/// Everything that can be hurt.
#[derive(Clone)]
pub struct Nemesis {
    /// The members' processes.
    pub crew: Crew,
    /// The links.
    pub net: Net,
    /// The phones' clocks.
    pub phones: Vec<SimClock>,
    /// What is seen.
    pub trace: Trace,
    /// What must be met.
    pub marks: Marks,
}

/// A moment of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Begin,
    /// A flapping link changes.
    Flip(bool),
    End,
}

impl Nemesis {
    /// Does all of a plan, from now on, and returns when the hurting is over and everything is whole again.
    pub async fn hurt_and_heal(&self, plan: &Plan) {
        let begun = clock::elapsed();
        for (at, number, turn) in moments(plan) {
            until(begun + Duration::from_millis(at)).await;
            self.act(begun, &plan.faults[number], turn);
        }
        until(begun + Duration::from_millis(plan.config.hurt_ms)).await;
        self.trace.note("run", "heal", "");
        self.net.heal();
        self.crew.heal(plan.config.cut_power);
    }

    fn act(&self, begun: Duration, fault: &Fault, turn: Turn) {
        let what = &fault.what;
        let lane = match (what.member(), what.link()) {
            (Some(member), _) => format!("m{member}"),
            (_, Some(link)) => format!("p{}", link.person),
            (None, None) => "run".to_owned(),
        };
        match turn {
            Turn::Begin => {
                let (class, ms) = (what.class(), fault.for_ms);
                self.trace.note(&lane, "fault", format_args!("{class} for {ms} ms"));
            }
            Turn::End => self.trace.note(&lane, "fault-end", what.class()),
            Turn::Flip(_) => {}
        }
        let lasts = Duration::from_millis(fault.for_ms);
        let ends = begun + Duration::from_millis(fault.at_ms) + lasts;
        match *what {
            What::Kill { member, loss } if turn == Turn::Begin => self.crew.kill(member, loss, lasts),
            What::KillAt { member, effect, nth, loss } if turn == Turn::Begin => {
                self.crew.disk(member).arm(Trap { effect, nth, loss, down: lasts });
            }
            What::FailingSync { member, nth } if turn == Turn::Begin => {
                self.crew.disk(member).fail_sync(nth);
            }
            // These have no end of their own.
            What::Kill { .. } | What::KillAt { .. } | What::FailingSync { .. } => {}
            What::Pause { member } => match turn {
                Turn::Begin => self.crew.pause(member),
                _ => self.crew.resume(member),
            },
            What::SlowDisk { member, mean_us } => {
                self.crew.disk(member).set_slow(if turn == Turn::Begin { mean_us } else { 0 });
            }
            What::StuckDisk { member } => {
                if turn == Turn::Begin {
                    self.crew.disk(member).stick_until(ends);
                }
            }
            What::Rot { member, per_million } => {
                self.crew.disk(member).set_rot(if turn == Turn::Begin { per_million } else { 0 });
            }
            What::ScarceDisk { member } => {
                self.marks.hit("disk scarce");
                self.crew.disk(member).set_scarce(turn == Turn::Begin);
            }
            What::FullDisk { member } => self.crew.disk(member).set_full(turn == Turn::Begin),
            What::RolledBack { member, down_ms } => match turn {
                Turn::Begin => self.crew.disk(member).copy(clock::elapsed()),
                _ => self.crew.roll_back(member, Duration::from_millis(down_ms)),
            },
            What::Skew { member, millis } => {
                if turn == Turn::Begin {
                    self.crew.clock(member).step(millis);
                }
            }
            What::Step { member, millis } => {
                if turn == Turn::Begin {
                    self.marks.hit("clock stepped");
                    self.crew.clock(member).step(millis);
                }
            }
            What::Drift { member, ppm } => {
                if turn == Turn::Begin {
                    self.crew.clock(member).drift(ppm);
                }
            }
            What::PhoneSkew { person, millis } => {
                if turn == Turn::Begin {
                    self.phones[person as usize].step(millis);
                }
            }
            What::Delay { link, mean_us, tail_per_million, tail_ms } => self.net.change(link, |line| {
                let on = turn == Turn::Begin;
                (line.mean_us, line.tail_per_million, line.tail_ms) =
                    if on { (mean_us, tail_per_million, tail_ms) } else { (0, 0, 0) };
            }),
            What::Lossy { link, per_million } => {
                self.net.change(link, |line| line.lossy = if turn == Turn::Begin { per_million } else { 0 });
            }
            What::Reset { link, per_million } => {
                self.net.change(link, |line| line.reset = if turn == Turn::Begin { per_million } else { 0 });
            }
            What::HalfOpen { link, per_million } => {
                self.net
                    .change(link, |line| line.half_open = if turn == Turn::Begin { per_million } else { 0 });
            }
            What::PeerCut { from, to } => self.crew.cut(from, to, turn == Turn::Begin),
            What::Cut { link, to, from } => self.cut(link, to, from, turn == Turn::Begin),
            What::Flap { link, .. } => match turn {
                Turn::Begin => {}
                Turn::Flip(cut) => {
                    self.net.change(link, |line| line.flaps = u32::from(cut));
                    self.cut(link, true, true, cut);
                }
                Turn::End => {}
            },
        }
    }

    fn cut(&self, link: Link, to: bool, from: bool, cut: bool) {
        self.net.change(link, |line| {
            for (count, is_meant) in [(&mut line.cuts.0, to), (&mut line.cuts.1, from)] {
                *count = if !is_meant {
                    *count
                } else if cut {
                    *count + 1
                } else {
                    count.saturating_sub(1)
                };
            }
        });
    }
}

/// When what of each fault is to happen, while it hurts, in milliseconds.
fn moments(plan: &Plan) -> Vec<(u64, usize, Turn)> {
    let mut moments = Vec::new();
    for (number, fault) in plan.faults.iter().enumerate() {
        let end = fault.at_ms + fault.for_ms;
        moments.push((fault.at_ms, number, Turn::Begin));
        if let What::Flap { each_ms, .. } = fault.what {
            let mut cut = false;
            for at in (fault.at_ms..end).step_by(each_ms.max(1) as usize) {
                cut = !cut;
                moments.push((at, number, Turn::Flip(cut)));
            }
            if cut {
                moments.push((end, number, Turn::Flip(false)));
            }
        }
        moments.push((end, number, Turn::End));
    }
    moments.retain(|(at, ..)| *at < plan.config.hurt_ms);
    // Stable: what a plan names first happens first.
    moments.sort_by_key(|(at, ..)| *at);
    moments
}

async fn until(at: Duration) {
    tokio::time::sleep(at.saturating_sub(clock::elapsed())).await;
}
