//! The members' processes: killed, dying at an effect of their own, paused, and started again, as a supervisor
//! of services does it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use gomer_core::store::StoreFault;
use madsim::net::NetSim;
use madsim::runtime::{Handle, NodeHandle};
use tokio::sync::mpsc;

use crate::clock::{self, SimClock};
use crate::disk::Disk;
use crate::marks::Marks;
use crate::member::{Machine, Process};
use crate::plan::Loss;
use crate::trace::Trace;

/// How long a process that ended by itself stays down.
const DOWN: Duration = Duration::from_millis(500);

/// All processes of the cluster. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Crew {
    units: Arc<Vec<Unit>>,
    trace: Trace,
    marks: Marks,
    /// Which process is to be started again when: member, how often it had ended, when.
    restarts: mpsc::UnboundedSender<(usize, u64, Duration)>,
    rolled_back: Arc<Mutex<Vec<(Duration, Duration)>>>,
    /// How many faults stop what one sends to another.
    cuts: Arc<Mutex<BTreeMap<(u32, u32), u32>>>,
}

struct Unit {
    machine: Machine,
    node: Arc<OnceLock<NodeHandle>>,
}

impl Crew {
    /// Starts all machines. `make` makes one: it is given its number, and whom to tell when its process ends by itself.
    pub fn start(
        members: u32,
        trace: Trace,
        marks: Marks,
        mut make: impl FnMut(u32, Arc<dyn Fn(&StoreFault) + Send + Sync>) -> Machine,
    ) -> Crew {
        let (restarts, due) = mpsc::unbounded_channel();
        let mut units = Vec::new();
        let this: Arc<OnceLock<Crew>> = Arc::default();
        for member in 0..members {
            let crew = this.clone();
            let ended = Arc::new(move |fault: &StoreFault| {
                crew.get().expect("the crew is there before it runs").ended(member, fault);
            });
            let machine = make(member, ended);
            let crew = this.clone();
            machine.disk.on_death(Arc::new(move |trap| {
                crew.get().expect("the crew is there before it runs").died(member, trap.down);
            }));
            units.push(Unit { machine, node: Arc::default() });
        }
        let crew = Crew {
            units: Arc::new(units),
            trace,
            marks,
            restarts,
            rolled_back: Arc::default(),
            cuts: Arc::default(),
        };
        let _ = this.set(crew.clone());
        for unit in crew.units.iter() {
            let _ = unit.node.set(unit.machine.start());
        }
        tokio::spawn(crew.clone().supervise(due));
        crew
    }

    /// The disk of a member.
    pub fn disk(&self, member: u32) -> &Disk {
        &self.unit(member).machine.disk
    }

    /// The clock of a member.
    pub fn clock(&self, member: u32) -> &SimClock {
        &self.unit(member).machine.clock
    }

    /// The machines.
    pub fn machines(&self) -> impl Iterator<Item = &Machine> {
        self.units.iter().map(|unit| &unit.machine)
    }

    /// When the copies were made that took the place of disks, and when they did.
    pub fn rolled_back(&self) -> Vec<(Duration, Duration)> {
        self.rolled_back.lock().expect(UNPOISONED).clone()
    }

    /// Kills a process between two of its steps, and starts it again after a while.
    pub fn kill(&self, member: u32, loss: Loss, down: Duration) {
        let process = self.process(member);
        if !process.up {
            return;
        }
        self.marks.hit(if process.serves { "killed between effects" } else { "killed while starting" });
        self.end(member, "kill", "");
        self.disk(member).crash(loss);
        self.start_again(member, down);
    }

    /// Stops a process; it does not know.
    pub fn pause(&self, member: u32) {
        self.marks.hit("paused");
        Handle::current().pause(self.node(member));
    }

    /// Lets it go on.
    pub fn resume(&self, member: u32) {
        Handle::current().resume(self.node(member));
    }

    /// Puts an old copy in place of a disk.
    pub fn roll_back(&self, member: u32, down: Duration) {
        if self.process(member).up {
            self.end(member, "kill", "to replace the disk");
        }
        self.disk(member).crash(Loss::Nothing);
        if let Some(copied) = self.disk(member).put_copy_back() {
            self.marks.hit("disk rolled back");
            self.trace.note(&self.unit(member).machine.name, "rolled", "an older copy of the disk is back");
            self.rolled_back.lock().expect(UNPOISONED).push((copied, clock::elapsed()));
        }
        self.start_again(member, down);
    }

    /// Stops what one member sends to another, or lets it through if nothing else stops it.
    pub fn cut(&self, from: u32, to: u32, cut: bool) {
        let mut cuts = self.cuts.lock().expect(UNPOISONED);
        let count = cuts.entry((from, to)).or_default();
        *count = if cut { *count + 1 } else { count.saturating_sub(1) };
        let (net, from, to) = (NetSim::current(), self.node(from), self.node(to));
        if *count > 0 {
            self.marks.hit("members cut off from each other");
            net.clog_link(from, to);
        } else {
            net.unclog_link(from, to);
        }
    }

    /// Ends everything that is wrong. With `cut_power`, by turning all off and on once more.
    pub fn heal(&self, cut_power: bool) {
        for ((from, to), count) in self.cuts.lock().expect(UNPOISONED).iter_mut() {
            *count = 0;
            NetSim::current().unclog_link(self.node(*from), self.node(*to));
        }
        for member in 0..self.units.len() as u32 {
            let disk = self.disk(member);
            self.resume(member);
            let was_rotten = disk.was_rotten();
            disk.heal();
            let up = self.process(member).up;
            if up && (cut_power || was_rotten) {
                self.end(member, "kill", if was_rotten { "what it read was rotten" } else { "the power" });
                disk.crash(Loss::Everything);
            }
            if !self.process(member).up {
                self.start_again(member, Duration::ZERO);
            }
        }
    }

    /// The process has died at an effect of its own; the disk is as it is then.
    fn died(&self, member: u32, down: Duration) {
        self.end(member, "kill", "at an effect");
        self.start_again(member, down);
    }

    /// The process ends by itself.
    fn ended(&self, member: u32, fault: &StoreFault) {
        if !self.process(member).up {
            // It was killed at an effect, and says so with its last breath.
            return;
        }
        let disk = self.disk(member);
        assert!(
            disk.has_failed() || disk.was_rotten() || disk.is_scarce(),
            "a member ended without a reason: {fault}"
        );
        self.end(member, "fatal", fault);
        disk.crash(Loss::Everything);
        self.start_again(member, DOWN);
    }

    fn end(&self, member: u32, kind: &'static str, why: impl std::fmt::Display) {
        let unit = self.unit(member);
        let mut process = unit.machine.process.lock().expect(UNPOISONED);
        *process = Process { up: false, serves: false, ends: process.ends + 1 };
        *unit.machine.running.lock().expect(UNPOISONED) = None;
        self.trace.note(&unit.machine.name, kind, why);
        // The simulator drops the tasks of a dead process instead of polling them once more.
        Handle::current().kill(self.node(member));
    }

    fn start_again(&self, member: u32, down: Duration) {
        let ends = self.process(member).ends;
        // Only a run that is over has nobody who listens.
        let _ = self.restarts.send((member as usize, ends, clock::elapsed() + down));
    }

    async fn supervise(self, mut due: mpsc::UnboundedReceiver<(usize, u64, Duration)>) {
        while let Some((member, ends, at)) = due.recv().await {
            let crew = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(at.saturating_sub(clock::elapsed())).await;
                let unit = &crew.units[member];
                let mut process = unit.machine.process.lock().expect(UNPOISONED);
                if process.up || process.ends != ends {
                    return;
                }
                process.up = true;
                drop(process);
                crew.marks.hit("restart");
                crew.trace.note(&unit.machine.name, "restart", "");
                Handle::current().restart(crew.node(member as u32));
            });
        }
    }

    fn unit(&self, member: u32) -> &Unit {
        &self.units[member as usize]
    }

    fn process(&self, member: u32) -> Process {
        *self.unit(member).machine.process.lock().expect(UNPOISONED)
    }

    fn node(&self, member: u32) -> madsim::task::NodeId {
        self.unit(member).node.get().expect("a machine was started").id()
    }
}

const UNPOISONED: &str = "a run ends with the first panic";
