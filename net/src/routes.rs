//! Who leads which partition, as this member knows, and until when it may answer reads by itself.
//!
//! Shards write it after each turn; whoever has a request looks it up, on any thread.

use std::sync::Mutex;

use gomer_core::id::{MemberId, Partition};
use gomer_core::ring::partition::{META, PartitionCount};
use gomer_core::shard::ReadPermit;
use gomer_core::time::Monotonic;
use tokio::sync::watch;

/// The table.
pub(crate) struct Routes {
    own: MemberId,
    /// By partition; the last is the metadata's.
    routes: Vec<Mutex<Route>>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Route {
    leader: Option<MemberId>,
    /// Reads that begin before it may be answered here.
    lease: Option<Monotonic>,
    /// Since when nobody leads.
    leaderless: Option<Monotonic>,
}

/// Where a read is to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Here, at once.
    Here,
    /// Here, once a majority has confirmed that this member leads.
    Confirm,
    /// There.
    There(MemberId),
    /// Nobody is known to lead.
    Nowhere,
}

impl Routes {
    pub(crate) fn new(own: MemberId, partitions: PartitionCount) -> Routes {
        let routes = (0..=partitions.get()).map(|_| Mutex::default()).collect();
        Routes { own, routes, changed: watch::channel(0).0 }
    }

    /// Counts the changes of leaders. To be subscribed to before a route is looked up.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// What the shard that holds the partition says.
    pub(crate) fn publish(&self, now: Monotonic, partition: Partition, permit: ReadPermit) {
        let mut route = self.lock(partition);
        let (leader, lease) = match permit {
            ReadPermit::Lease(until) => (Some(self.own), Some(until)),
            ReadPermit::NeedsReadIndex => (Some(self.own), None),
            ReadPermit::NotLeader { leader } => (leader, None),
        };
        let changed = route.leader != leader;
        let leaderless = if leader.is_some() { None } else { route.leaderless.or(Some(now)) };
        *route = Route { leader, lease, leaderless };
        drop(route);
        if changed {
            self.changed.send_modify(|count| *count += 1);
        }
    }

    /// Somebody else said who leads a partition that is not held here. Nothing: who was thought to does not.
    pub(crate) fn learn(&self, partition: Partition, leader: Option<MemberId>) {
        let mut route = self.lock(partition);
        let changed = route.leader != leader;
        route.leader = leader.filter(|leader| *leader != self.own);
        drop(route);
        if changed {
            self.changed.send_modify(|count| *count += 1);
        }
    }

    /// The partition is not held here any more: nobody waits for its leader, and nothing of it is answered here.
    pub(crate) fn leave(&self, partition: Partition) {
        let mut route = self.lock(partition);
        let leader = route.leader.filter(|leader| *leader != self.own);
        *route = Route { leader, ..Route::default() };
    }

    pub(crate) fn leader(&self, partition: Partition) -> Option<MemberId> {
        self.lock(partition).leader
    }

    /// Where a read goes that was taken before `now`.
    pub(crate) fn reach(&self, now: Monotonic, partition: Partition) -> Reach {
        let route = *self.lock(partition);
        match route.leader {
            Some(leader) if leader != self.own => Reach::There(leader),
            Some(_) if route.lease.is_some_and(|until| now < until) => Reach::Here,
            Some(_) => Reach::Confirm,
            None => Reach::Nowhere,
        }
    }

    /// Whether this member leads anything.
    pub(crate) fn leads(&self) -> bool {
        self.routes.iter().any(|route| route.lock().expect(UNPOISONED).leader == Some(self.own))
    }

    /// How many partitions have had no leader since before that moment.
    pub(crate) fn leaderless(&self, before: Monotonic) -> usize {
        let since = |route: &Mutex<Route>| route.lock().expect(UNPOISONED).leaderless;
        self.routes.iter().filter_map(since).filter(|since| *since < before).count()
    }

    fn lock(&self, partition: Partition) -> std::sync::MutexGuard<'_, Route> {
        let last = self.routes.len() - 1;
        let place = if partition == META { last } else { usize::from(partition.0).min(last) };
        self.routes[place].lock().expect(UNPOISONED)
    }
}

const UNPOISONED: &str = "nothing panics under this lock";

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const OWN: MemberId = MemberId(1);
    const PARTITION: Partition = Partition(5);

    fn at(millis: u64) -> Monotonic {
        Monotonic(Duration::from_millis(millis))
    }

    #[test]
    fn a_lease_ends() {
        let routes = Routes::new(OWN, PartitionCount::DEFAULT);
        assert_eq!(routes.reach(at(0), PARTITION), Reach::Nowhere);
        routes.publish(at(0), PARTITION, ReadPermit::Lease(at(900)));
        assert_eq!(routes.reach(at(899), PARTITION), Reach::Here);
        assert_eq!(routes.reach(at(900), PARTITION), Reach::Confirm);
        assert_eq!(routes.reach(at(899), META), Reach::Nowhere);
        routes.publish(at(10), PARTITION, ReadPermit::NeedsReadIndex);
        assert_eq!(routes.reach(at(20), PARTITION), Reach::Confirm, "a lease can be taken back");
    }

    #[test]
    fn changes_of_leaders_are_told_and_renewals_are_not() {
        let routes = Routes::new(OWN, PartitionCount::DEFAULT);
        let mut changes = routes.changes();
        routes.publish(at(0), PARTITION, ReadPermit::NotLeader { leader: Some(MemberId(2)) });
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        routes.publish(at(1), PARTITION, ReadPermit::NotLeader { leader: Some(MemberId(2)) });
        assert!(!changes.has_changed().unwrap());
        assert_eq!(routes.reach(at(1), PARTITION), Reach::There(MemberId(2)));
    }

    #[test]
    fn what_nobody_leads_is_counted_from_when_it_began() {
        let routes = Routes::new(OWN, PartitionCount::DEFAULT);
        let nobody = ReadPermit::NotLeader { leader: None };
        routes.publish(at(100), PARTITION, nobody);
        routes.publish(at(200), PARTITION, nobody);
        assert_eq!((routes.leaderless(at(100)), routes.leaderless(at(101))), (0, 1));
        routes.publish(at(300), PARTITION, ReadPermit::NeedsReadIndex);
        assert_eq!(routes.leaderless(at(9_000)), 0);
    }
}
