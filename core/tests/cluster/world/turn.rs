//! What happens to a member: its turns, its checkpoints, and what its effects become on the network.

use std::time::Duration;

use crate::disk::Bug;
use gomer_core::id::MemberId;
use gomer_core::shard::{Effect, Input, Message, PeerMessage};

use super::{Answered, Event, TICK, World};

impl World {
    pub(super) fn happen(&mut self, member: usize, event: Event) {
        let m = &mut self.members[member];
        if m.shard.is_none() {
            return;
        }
        if let Event::Tick { boot } = event
            && boot != m.boot
        {
            return;
        }
        if self.time < m.paused_until {
            let until = m.paused_until - self.time;
            let first = m.held.is_empty();
            m.held.push(event);
            if first {
                // Whatever came meanwhile is found in one turn.
                let boot = m.boot;
                self.at(until, member, Event::Tick { boot });
            }
            return;
        }
        let mut inputs = Vec::new();
        let mut reads = Vec::new();
        let mut ticked = false;
        let held = std::mem::take(&mut m.held);
        for event in held.into_iter().chain([event]) {
            match event {
                Event::Tick { .. } if ticked => {}
                Event::Tick { boot } => {
                    ticked = true;
                    let rate = (10_000 + self.members[member].drift) as u64;
                    let next = Duration::from_nanos(TICK.as_nanos() as u64 * 10_000 / rate + 1);
                    self.at(next, member, Event::Tick { boot });
                    let links = self.links;
                    for other in (0..self.members.len()).filter(|&other| links && other != member) {
                        if !self.silent.contains(&(member, other)) {
                            self.send(member, other, || Event::Heard(member));
                        }
                    }
                }
                Event::Heard(other) => {
                    let now = self.now(member);
                    self.shard(member).heard(now, MemberId(other as u64));
                }
                Event::Peer(messages) => inputs.extend(messages.into_iter().map(Input::Peer)),
                Event::Between { from, to, message } => inputs.push(Input::Message { from, to, message }),
                Event::Begin(input) => inputs.push(input),
                Event::Read { partition, floor } => reads.push((partition, floor)),
            }
        }
        if ticked {
            inputs.push(Input::Tick);
        }
        self.turns(member, inputs);
        for (partition, floor) in reads {
            // It may have died in the turn.
            if !self.is_up(member) {
                return;
            }
            self.read(member, partition, floor);
        }
    }

    /// Turns until nothing happens any more.
    fn turns(&mut self, member: usize, mut inputs: Vec<Input>) {
        for _ in 0..1_000 {
            if !self.turn(member, std::mem::take(&mut inputs)) || !self.is_up(member) {
                return;
            }
            if !self.shard(member).has_work() {
                return;
            }
        }
        panic!("a member never comes to rest");
    }

    fn turn(&mut self, member: usize, inputs: Vec<Input>) -> bool {
        let now = self.now(member);
        let mut turn = self.shard(member).begin(now, inputs).expect("the disk is whole");
        for effect in turn.take_early() {
            self.early += 1;
            self.carry_out(member, effect);
        }
        // Ten times likelier here than anywhere else.
        if self.checks.crashes_left > 0 && self.rng.below(self.checks.crash_one_in) == 0 {
            if self.bug == Some(Bug::AnsweredBeforeSync) {
                // What should have waited for the disk leaves, and the disk never gets it.
                let before = self.members[member].log.durable();
                let effects = self.shard(member).finish(turn).expect("the disk is whole");
                for effect in effects {
                    self.carry_out(member, effect);
                }
                self.members[member].log.put_back(before);
            }
            self.crash_for_a_while(member);
            return false;
        }
        let effects = self.shard(member).finish(turn).expect("the disk is whole");
        self.checks.turned(&mut self.members, member, self.partitions);
        for effect in effects {
            self.carry_out(member, effect);
        }
        self.checkpoint(member);
        true
    }

    /// Checkpoints take a while; turns go on meanwhile.
    fn checkpoint(&mut self, member: usize) {
        if self.checkpoint_one_in == 0 || self.rng.below(self.checkpoint_one_in) > 0 {
            return;
        }
        match self.members[member].checkpoint.take() {
            None => self.members[member].checkpoint = self.shard(member).begin_checkpoint(),
            Some(checkpoint) => {
                let base = checkpoint.run().expect("the disk is whole");
                // It is on disk, and nobody was told.
                if self.checks.crashes_left > 0 && self.rng.below(self.checks.crash_one_in) == 0 {
                    return self.crash_for_a_while(member);
                }
                self.shard(member).finish_checkpoint(base).expect("the disk is whole");
            }
        }
    }

    fn crash_for_a_while(&mut self, member: usize) {
        self.checks.crashes_left -= 1;
        self.crash(member);
        let later = Duration::from_millis(50 + self.rng.below(1_500));
        self.checks.down.push((self.time + later, member));
    }

    fn carry_out(&mut self, member: usize, effect: Effect) {
        match effect {
            Effect::Done { ticket, result } => {
                if let Some((_, partition, _)) = self.asked.remove(&ticket) {
                    if let Ok(outcome) = &result {
                        self.checks.acknowledged(&mut self.members, member, partition, outcome.position);
                    }
                    self.answers.insert(ticket, Answered::Done(result));
                }
            }
            Effect::NotLeader { ticket, leader } => {
                self.asked.remove(&ticket);
                self.answers.insert(ticket, Answered::Elsewhere(leader));
            }
            Effect::ReadIndex { ticket, result } => {
                if let Some((_, partition, floor)) = self.asked.remove(&ticket) {
                    if let Ok(position) = result {
                        self.checks.read("read-index", partition, position.0, floor);
                        self.reads += 1;
                    }
                    self.answers.insert(ticket, Answered::ReadAt(result.map(|position| position.0)));
                }
            }
            Effect::ToPeer { member: to, messages } => {
                self.frames += 1;
                // As the wire would carry them.
                let messages = self.meddled(member, to.0 as usize, messages);
                let bytes = postcard::to_stdvec(&messages).expect("messages are plain data");
                self.send(member, to.0 as usize, || {
                    Event::Peer(postcard::from_bytes(&bytes).expect("what was encoded is decoded"))
                });
            }
            Effect::Send { from, to, message } => {
                // Nobody knows who leads: all are told, and only the leader takes it.
                for other in 0..self.members.len() {
                    let message = self.bent(message.clone());
                    self.send(member, other, || Event::Between { from, to, message: message.clone() });
                }
            }
            Effect::Differs { partition, position, digests } => {
                self.checks.differences.push((member, partition, position, digests));
            }
            Effect::Suspect { partition, fault } => self.checks.suspect(member, partition, fault),
            Effect::Changed { .. } | Effect::MetaChanged { .. } => {}
        }
    }

    fn meddled(&mut self, from: usize, to: usize, messages: Vec<PeerMessage>) -> Vec<PeerMessage> {
        let Some(meddle) = &mut self.meddle else { return messages };
        let mut messages = messages;
        messages.retain_mut(|message| meddle(from, to, message));
        messages
    }

    fn bent(&mut self, message: Message) -> Message {
        match message {
            Message::Steps { queue, mut steps }
                if self.bug == Some(Bug::StepsRenumbered) && self.rng.below(10) == 0 =>
            {
                for step in &mut steps {
                    step.previous = step.number;
                    step.number.ordinal += 1;
                }
                Message::Steps { queue, steps }
            }
            message => message,
        }
    }
}
