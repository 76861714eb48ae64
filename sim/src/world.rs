//! A run: who takes part, and its two phases. First everything that the plan says goes wrong while people work;
//! then all is whole again, and what was promised must hold.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use gomer_core::rng::Rng;
use madsim::net::NetSim;

use gomer_sim::history::{Line, RolledBack};

use crate::caller::Square;
use crate::chance::{Chance, hash};
use crate::checks;
use crate::clock::{self, SimClock};
use crate::disk::Disk;
use crate::marks::Marks;
use crate::member::{Machine, member_name, ring};
use crate::nemesis::{Crew, Nemesis};
use crate::net::Net;
use crate::people::{Person, Surroundings, Told, ip, until};
use crate::plan::{Act, Call, Config, Plan, What};
use crate::trace::Trace;
use crate::verdict::Cost;
use crate::witness::Witness;

/// How long nobody does anything before the checks: what goes from one root to another arrives a moment later.
const REST: Duration = Duration::from_secs(60);
/// How many things a person does before they open what is new.
const OPENS: usize = 16;

/// Everything of one run.
pub struct World {
    /// What is done.
    pub plan: Plan,
    /// The people.
    pub people: Vec<Person>,
    /// What they have done, app by app.
    pub told: Vec<Told>,
    /// The members.
    pub crew: Crew,
    /// What a new phone needs.
    pub around: Surroundings,
    /// For what is drawn after the hurting.
    pub rng: Rng,
    nemesis: Nemesis,
}

/// What did not hold.
#[derive(Debug)]
pub struct Failed {
    /// Which promise.
    pub invariant: &'static str,
    /// How it was broken.
    pub detail: String,
}

/// Names the promise that an error breaks.
pub fn broken(invariant: &'static str) -> impl Fn(anyhow::Error) -> Failed {
    move |error| Failed { invariant, detail: format!("{error:#}") }
}

/// Runs it. `Err` is what did not hold; `Ok` what it took.
pub async fn run(plan: Plan, trace: Trace, marks: Marks, witness: Witness) -> Result<Cost, Failed> {
    let begun = World::begin(plan, trace, marks, witness).await;
    let mut world = begun.map_err(broken("serves when nothing is wrong"))?;
    world.hurt().await.map_err(broken("the plan can be carried out"))?;
    madsim::time::sleep(REST).await;
    world.settle().await.map_err(broken("converges after healing"))?;
    world.around.witness.add(Line::Settled);
    checks::all(&mut world).await?;
    Ok(world.cost())
}

impl World {
    /// Members that serve, and people who have signed up and follow each other.
    async fn begin(plan: Plan, trace: Trace, marks: Marks, witness: Witness) -> Result<World> {
        let (seed, config) = (plan.seed, plan.config.clone());
        let (low, high) = config.latency_us;
        NetSim::current().update_config(|net| {
            net.send_latency = Duration::from_micros(low)..Duration::from_micros(high);
        });
        let chance = Chance::new(seed);
        let net = Net::new(chance.clone(), marks.clone(), trace.clone());
        let machine = |member, ended| machine(seed, &config, member, &chance, &marks, &trace, ended);
        let crew = Crew::start(config.members, trace.clone(), marks.clone(), machine);
        let square = Square::default();
        let around = Surroundings {
            net: net.clone(),
            servers: Arc::new((0..config.members).map(address).collect()),
            trace: trace.clone(),
            witness,
            square,
            apps: config.apps,
        };
        let mut rng = Rng::new(hash(seed, "people"));
        let clocks: Vec<SimClock> = (0..config.people).map(|_| SimClock::default()).collect();
        let person = |(number, clock): (u32, &SimClock)| {
            Person::new(number, number % config.apps, clock.clone(), &mut rng, &around)
        };
        let people: Vec<Person> = (0..).zip(&clocks).map(person).collect();
        let told = (0..config.apps).map(|_| Told::default()).collect();
        let nemesis = Nemesis { crew: crew.clone(), net, phones: clocks, trace, marks };
        let world = World { plan, people, told, crew, around, rng, nemesis };
        for person in &world.people {
            person.until_served().await?;
            person.sign_up().await?;
        }
        for (person, other) in world.pairs() {
            person.follow(other.profile);
        }
        world.settle().await?;
        Ok(world)
    }

    /// Everybody works while everything goes wrong. Ends when it is over.
    async fn hurt(&mut self) -> Result<()> {
        let (nemesis, plan) = (self.nemesis.clone(), self.plan.clone());
        self.nemesis.trace.note("run", "hurt", format_args!("{} faults", plan.faults.len()));
        let begun = clock::elapsed();
        let hurting = tokio::spawn(async move { nemesis.hurt_and_heal(&plan).await });
        for (number, operation) in self.plan.operations.clone().iter().enumerate() {
            let at = begun + Duration::from_millis(operation.at_ms);
            tokio::time::sleep(at.saturating_sub(clock::elapsed())).await;
            let person = &self.people[operation.person as usize];
            person.act(operation, &mut self.told[person.app as usize]);
            if number % OPENS == 0 {
                self.open(operation.person)?;
            }
        }
        hurting.await.context("the nemesis ended early")?;
        // Where others have what a disk forgot, nothing may be lost.
        let alone = self.plan.config.members == 1;
        for (copied, restored) in self.crew.rolled_back().into_iter().filter(|_| alone) {
            let micros = |at: Duration| at.as_micros() as u64;
            let line = RolledBack { copied: micros(copied), restored: micros(restored) };
            self.around.witness.add(Line::RolledBack(line));
        }
        self.people.iter().for_each(|person| person.calls.end());
        for person in &self.people {
            until(&format!("{} has called", person.name), || person.calls.is_done()).await?;
        }
        for person in &self.people {
            person.handset.tell(gomer_core::client::Event::CameOnline);
            self.open(person.number)?;
        }
        Ok(())
    }

    /// Two people of one app, each way.
    fn pairs(&self) -> impl Iterator<Item = (&Person, &Person)> {
        let of = |person: &Person| (person.number, person.app);
        self.people.iter().flat_map(move |one| {
            let others =
                self.people.iter().filter(move |other| of(other).1 == of(one).1 && of(other).0 != of(one).0);
            others.map(move |other| (one, other))
        })
    }

    /// Somebody opens what is new.
    pub fn open(&self, person: u32) -> Result<()> {
        let person = &self.people[person as usize];
        person.open(self.others(person), &self.told[person.app as usize])
    }

    /// The profiles of all others in somebody's app.
    pub fn others(&self, person: &Person) -> Vec<gomer_core::id::Id> {
        let others =
            self.people.iter().filter(|other| other.app == person.app && other.number != person.number);
        others.map(|other| other.profile).collect()
    }

    /// Waits until all phones have sent everything and seen everything.
    pub async fn settle(&self) -> Result<()> {
        for person in &self.people {
            until(&format!("{} has sent and seen everything", person.name), || person.handset.is_settled())
                .await
                .with_context(|| person.handset.look(|phone, _| format!("{:#?}", phone.queue())))?;
        }
        Ok(())
    }

    /// Whether the plan has a fault of which this is true.
    pub fn has(&self, fault: impl Fn(&What) -> bool) -> bool {
        self.plan.faults.iter().any(|planned| fault(&planned.what))
    }

    /// Whether somebody makes this call.
    pub fn calls(&self, call: Call) -> bool {
        self.plan.operations.iter().any(|operation| operation.act == Act::Call(call))
    }

    fn cost(&self) -> Cost {
        let (requests, lost) = self.people.iter().fold((0, 0), |(sent, lost), person| {
            person.handset.look(|_, kept| (sent + kept.sent as u64, lost + kept.lost as u64))
        });
        Cost {
            requests,
            lost,
            syncs: self.crew.machines().map(|machine| machine.disk.syncs()).sum(),
            messages: NetSim::current().stat().msg_count,
            operations: self.plan.operations.len() as u64,
            judged: 0,
            undecided: 0,
            simulated_ms: clock::elapsed().as_millis() as u64,
            cpu_ms: 0,
        }
    }
}

fn machine(
    seed: u64,
    config: &Config,
    member: u32,
    chance: &Chance,
    marks: &Marks,
    trace: &Trace,
    ended: Arc<dyn Fn(&gomer_core::store::StoreFault) + Send + Sync>,
) -> Machine {
    let name = member_name(member);
    let disk = Disk::new(name.clone(), config.shards + 1, trace.clone(), marks.clone(), chance.clone());
    Machine {
        address: address(member),
        disk,
        clock: SimClock::marked(marks.clone()),
        trace: trace.clone(),
        seed: hash(seed, &name),
        config: config.clone(),
        ring: ring(config, member, address),
        process: Default::default(),
        running: Default::default(),
        ended,
        name,
    }
}

fn address(member: u32) -> SocketAddr {
    SocketAddr::new(ip(1, 1 + member as u8), 8080)
}
