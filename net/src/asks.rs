//! Requests that are on their way to other members, and who waits for each answer.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use gomer_core::fault::Fault;
use gomer_core::id::MemberId;
use tokio::sync::oneshot;

use crate::between::Answered;

/// Requests that may wait for one member. Beyond it they are refused as busy.
pub(crate) const ASKS_MAX: usize = 4_096;

/// All of them.
pub(crate) struct Asks {
    /// Begins anywhere: an answer to the process before this one must not meet a question of this one.
    next: AtomicU64,
    waiting: Mutex<State>,
}

#[derive(Default)]
struct State {
    asked: BTreeMap<u64, (MemberId, oneshot::Sender<Answered>)>,
    of: BTreeMap<MemberId, usize>,
}

impl State {
    fn remove(&mut self, id: u64) -> Option<oneshot::Sender<Answered>> {
        let (member, answer) = self.asked.remove(&id)?;
        *self.of.get_mut(&member).expect("it was counted") -= 1;
        Some(answer)
    }
}

/// A question that was put. Forgotten when it is dropped.
pub(crate) struct Put<'a> {
    asks: &'a Asks,
    /// Its number.
    pub(crate) id: u64,
    answer: oneshot::Receiver<Answered>,
}

impl Asks {
    pub(crate) fn new(first: u64) -> Asks {
        Asks { next: AtomicU64::new(first), waiting: Mutex::default() }
    }

    /// One more question to that member.
    pub(crate) fn put(&self, member: MemberId) -> Result<Put<'_>, Fault> {
        let mut state = self.lock();
        let count = state.of.entry(member).or_default();
        if *count >= ASKS_MAX {
            return Err(Fault::Busy);
        }
        *count += 1;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        state.asked.insert(id, (member, sender));
        Ok(Put { asks: self, id, answer })
    }

    /// That member has answered. What nobody waits for any more, or what another was asked, is dropped.
    pub(crate) fn answered(&self, from: MemberId, id: u64, answer: Answered) {
        let mut state = self.lock();
        if state.asked.get(&id).is_some_and(|(member, _)| *member == from)
            && let Some(waiting) = state.remove(id)
        {
            let _ = waiting.send(answer);
        }
    }

    /// That member answers no more: who waits for it is told.
    pub(crate) fn lost(&self, member: MemberId) {
        let mut state = self.lock();
        let ids: Vec<u64> =
            state.asked.iter().filter(|(_, asked)| asked.0 == member).map(|(&id, _)| id).collect();
        for id in ids {
            state.remove(id);
        }
    }

    /// How many wait for that member.
    pub(crate) fn waiting(&self, member: MemberId) -> usize {
        self.lock().of.get(&member).copied().unwrap_or(0)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.waiting.lock().expect("nothing panics under this lock")
    }
}

impl Put<'_> {
    /// The answer; nothing if the member was lost.
    pub(crate) async fn answer(&mut self) -> Option<Answered> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for Put<'_> {
    fn drop(&mut self) {
        self.asks.lock().remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: MemberId = MemberId(1);
    const BOB: MemberId = MemberId(2);

    #[tokio::test]
    async fn only_who_was_asked_can_answer() {
        let asks = Asks::new(40);
        let mut put = asks.put(ADA).unwrap();
        asks.answered(BOB, put.id, Answered::Generation(1));
        asks.answered(ADA, put.id + 1, Answered::Generation(2));
        asks.answered(ADA, put.id, Answered::Generation(3));
        assert_eq!(put.answer().await, Some(Answered::Generation(3)));
        drop(put);
        assert_eq!(asks.waiting(ADA), 0);
    }

    #[tokio::test]
    async fn who_waits_for_a_lost_member_is_told() {
        let asks = Asks::new(u64::MAX);
        let (mut ada, bob) = (asks.put(ADA).unwrap(), asks.put(BOB).unwrap());
        asks.lost(ADA);
        assert_eq!(ada.answer().await, None);
        assert_eq!((asks.waiting(ADA), asks.waiting(BOB)), (0, 1));
        drop(bob);
        assert_eq!(asks.waiting(BOB), 0);
    }

    #[test]
    fn too_many_questions_are_refused() {
        let asks = Asks::new(0);
        let all: Vec<_> = (0..ASKS_MAX).map(|_| asks.put(ADA).unwrap()).collect();
        assert!(matches!(asks.put(ADA), Err(Fault::Busy)));
        assert!(asks.put(BOB).is_ok());
        drop(all);
        assert!(asks.put(ADA).is_ok());
    }
}
