//! Several members in one process, over real links: any of them takes any request.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gomer_core::fault::Fault;
use gomer_core::id::{AppId, Id, LinkType, NodeType, Root, Section};
use gomer_core::meta::command::MetaCommand;
use gomer_core::ring::partition::PartitionCount;
use gomer_core::rows::node::Flags;
use gomer_core::store::map::{MapLog, MapState};
use gomer_core::time::{Monotonic, Now, Time};
use gomer_core::vnode::command::{OpKey, Operation, Step, Write};
use gomer_core::vnode::query::{Answer, Query};
use gomer_net::cluster::Cluster;
use gomer_net::edges::{Clock, Entropy};
use gomer_net::peer::Plain;
use gomer_net::peer::identity::{ClusterId, Disk};
use gomer_net::ring::Ring;
use gomer_net::routing::PATIENCE;
use gomer_net::runtime::{Edges, Member, MemberConfig, Membership, Spawner};

const APP: AppId = AppId(1);
const LIKES: LinkType = LinkType(8);
const LIKED_BY: LinkType = LinkType(9);

struct TestClock(Instant);

impl Clock for TestClock {
    fn now(&self) -> Now {
        let mono = self.0.elapsed();
        Now { mono: Monotonic(mono), wall: Time::from_millis(1_700_000_000_000) + mono }
    }
}

struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.0.fetch_add(1, Ordering::Relaxed) as u8;
        }
    }
}

struct Threads;

impl Spawner for Threads {
    fn spawn(&self, name: String, run: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let body = move || {
            tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(run);
        };
        std::thread::Builder::new().name(name).spawn(body).unwrap();
    }
}

/// Members that know of each other; those that are named here run. Returns when they are live.
async fn members(count: usize, partitions: u16, running: &[usize]) -> Vec<Option<Member>> {
    let ports: Vec<_> = (0..count).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let all: Vec<(String, String)> = (ports.iter().enumerate())
        .map(|(at, port)| (format!("m{at}"), port.local_addr().unwrap().to_string()))
        .collect();
    drop(ports);
    let cluster = ClusterId(Id::from_bytes([3; 16]));
    let mut members = Vec::new();
    for (at, (name, address)) in all.iter().enumerate() {
        if !running.contains(&at) {
            members.push(None);
            continue;
        }
        let partitions = PartitionCount::new(partitions).unwrap();
        let ring = Ring::new(cluster, name, &all, partitions, 3.min(count)).unwrap();
        let edges = Edges {
            clock: Arc::new(TestClock(Instant::now())),
            entropy: Arc::new(Counting(AtomicU64::new(7 + 50 * at as u64))),
            spawner: Arc::new(Threads),
            fatal: Arc::new(|fault| panic!("{fault}")),
        };
        let listen = address.parse().unwrap();
        let disk = Disk { incarnation: ring.own().id.0, tide: 1 };
        let membership = Membership {
            ring,
            listen,
            secure: Plain::new(listen).unwrap(),
            disk: Arc::new(move || disk),
            admit: Arc::new(|_, _| Ok(())),
            superseded: Arc::new(|why| panic!("{why}")),
        };
        let stores = vec![(MapLog::new(), MapState::new()), (MapLog::new(), MapState::new())];
        let meta = (MapLog::new(), MapState::new());
        let member = Member::join(MemberConfig::new(1), edges, stores, meta, membership).await;
        members.push(Some(member.unwrap()));
    }
    for member in members.iter().flatten() {
        eventually(async || member.cluster().is_live()).await;
    }
    members
}

fn cluster(members: &[Option<Member>], at: usize) -> &Cluster {
    members[at].as_ref().expect("it runs").cluster()
}

fn create(cluster: &Cluster) -> (Root, Write) {
    let (id, author) = (cluster.mint(), cluster.mint());
    let op = Operation::CreateNode {
        id,
        ty: NodeType(2),
        section: Section::PUBLIC,
        author,
        flags: Flags::default(),
        attrs: Vec::new(),
    };
    (Root::post(id), Write::new(APP, Root::post(id), author).op(op))
}

async fn is_there(cluster: &Cluster, root: Root) -> bool {
    let reading = cluster.read(APP, root, Query::Node(root.id)).await.unwrap();
    matches!(reading.answer, Answer::Node(Some(_)))
}

async fn eventually(mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..1_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to hold");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_member_takes_any_request() {
    let members = members(3, 16, &[0, 1, 2]).await;
    for round in 0..30 {
        let (writer, reader) = (cluster(&members, round % 3), cluster(&members, (round + 1) % 3));
        let (root, write) = create(writer);
        writer.write(write).await.unwrap();
        assert!(is_there(reader, root).await, "what was acknowledged is read on every member, at once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_does_not_hold_a_partition_finds_who_leads_it() {
    let members = members(5, 32, &[0, 1, 2, 3, 4]).await;
    for round in 0..40 {
        let (writer, reader) = (cluster(&members, round % 5), cluster(&members, (round + 3) % 5));
        let (root, write) = create(writer);
        writer.write(write).await.unwrap();
        assert!(is_there(reader, root).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_find_their_way_between_members() {
    let members = members(4, 16, &[0, 1, 2, 3]).await;
    for round in 0..12 {
        let at = cluster(&members, round % 4);
        let (post, write) = create(at);
        at.write(write).await.unwrap();
        let liker = Root::profile(at.mint());
        let link = |ty, to| Operation::PutLink {
            ty,
            to,
            section: Section::INVERSE,
            time: None,
            data: String::new(),
        };
        let step = Step::to(post, vec![link(LIKED_BY, liker.id)]);
        at.write(Write::new(APP, liker, liker.id).op(link(LIKES, post.id)).step(step)).await.unwrap();
        let other = cluster(&members, (round + 1) % 4);
        eventually(async || {
            let reading = other.read(APP, post, Query::LinkCounts(vec![LIKED_BY])).await.unwrap();
            reading.answer == Answer::LinkCounts(vec![1])
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_the_metadata_are_known_where_they_were_made_and_soon_everywhere() {
    let members = members(3, 4, &[0, 1, 2]).await;
    for at in 0..3 {
        let here = cluster(&members, at);
        let (id, name) = (here.mint(), format!("app{at}"));
        let create = MetaCommand::CreateApp { id, name: name.clone(), title: name.clone(), secret: [7; 32] };
        here.change_meta(create).await.unwrap();
        assert!(here.meta().apps.contains_key(&name));
        for other in 0..3 {
            eventually(async || cluster(&members, other).meta().apps.contains_key(&name)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_others_go_on_without_one_and_refuse_without_two() {
    let mut members = members(3, 16, &[0, 1, 2]).await;
    let mut roots = Vec::new();
    for _ in 0..20 {
        let (root, write) = create(cluster(&members, 0));
        cluster(&members, 0).write(write).await.unwrap();
        roots.push(root);
    }
    members[0] = None;
    for (at, &root) in roots.iter().enumerate() {
        let member = cluster(&members, 1 + at % 2);
        let begun = Instant::now();
        assert!(is_there(member, root).await);
        let (root, mut write) = create(member);
        // With an operation id the outcome of a lost attempt is found out by the next one.
        write.op = Some(OpKey { id: member.mint(), fingerprint: [1; 16] });
        member.write(write).await.unwrap();
        assert!(is_there(member, root).await);
        assert!(begun.elapsed() < PATIENCE * 2, "{:?}", begun.elapsed());
    }
    members[1] = None;
    let alone = cluster(&members, 2);
    let (_, write) = create(alone);
    let refused = alone.write(write).await.unwrap_err();
    assert!(matches!(refused, Fault::Unavailable | Fault::Timeout), "{refused}");
    eventually(async || alone.leaderless() == 17).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_three_begin_without_the_third() {
    let members = members(3, 4, &[0, 2]).await;
    let (root, write) = create(cluster(&members, 2));
    cluster(&members, 2).write(write).await.unwrap();
    assert!(is_there(cluster(&members, 0), root).await);
    let seen = cluster(&members, 0).members().await;
    let reachable: Vec<bool> = seen.iter().map(|one| one.reachable).collect();
    assert_eq!(reachable, [true, false, true]);
    assert!(seen[1].status.is_none() && seen[2].status.as_ref().unwrap().replicas.len() == 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_fits_into_no_frame_is_refused_at_once() {
    let members = members(3, 4, &[0, 1, 2]).await;
    let (root, mut write) = create(cluster(&members, 0));
    for _ in 0..10 {
        let id = cluster(&members, 0).mint();
        let text = format!("\"{}\"", "x".repeat(60_000));
        write = write.op(Operation::CreateNode {
            id,
            ty: NodeType(2),
            section: Section::PUBLIC,
            author: id,
            flags: Flags::default(),
            attrs: vec![("text".to_owned(), text)],
        });
    }
    cluster(&members, 0).write(write).await.unwrap();
    let all = |times| Query::All(vec![Query::Nodes { limit: 100 }; times]);
    let (mut whole, mut refused) = (0, 0);
    for at in 0..3 {
        assert!(cluster(&members, at).read(APP, root, all(13)).await.is_ok(), "7.8 MB are an answer");
        let begun = Instant::now();
        match cluster(&members, at).read(APP, root, all(16)).await {
            // Who leads asks nobody.
            Ok(_) => whole += 1,
            Err(fault) => {
                assert_eq!(fault, Fault::TooLarge("8 MiB an answer from another member"));
                refused += 1;
            }
        }
        assert!(begun.elapsed() < PATIENCE / 2, "nobody waits in vain: {:?}", begun.elapsed());
    }
    assert_eq!((whole, refused), (1, 2));
}

/// Groups that rest, of those that a member holds.
fn resting(cluster: &Cluster) -> usize {
    let (meta, shards) = cluster.status();
    shards.iter().chain([&meta]).map(|shard| shard.resting).sum()
}

/// What a member has said to others, beats apart, and the frames that it took, beats too.
fn said(cluster: &Cluster) -> (u64, u64) {
    let counts = cluster.link_counts();
    let of = |name| counts.iter().flat_map(|(_, counts)| counts).filter(move |(it, _)| *it == name);
    (of("messages").map(|(_, count)| count).sum(), of("frames_sent").map(|(_, count)| count).sum())
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_without_traffic_say_nothing_and_a_leader_that_dies_meanwhile_is_replaced() {
    const GROUPS: usize = 16 + 1;
    let mut members = members(3, 16, &[0, 1, 2]).await;
    let (root, write) = create(cluster(&members, 0));
    cluster(&members, 0).write(write).await.unwrap();
    let begun = Instant::now();
    // Those that should lead lead first, then all are quiet for a while.
    while (0..3).any(|at| resting(cluster(&members, at)) < GROUPS) {
        assert!(begun.elapsed() < Duration::from_secs(60), "they never rest");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // A busy machine may wake them; two quiet seconds must come.
    let quiet = async || {
        let before: Vec<_> = (0..3).map(|at| said(cluster(&members, at))).collect();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let after: Vec<_> = (0..3).map(|at| said(cluster(&members, at))).collect();
        let all_rest = (0..3).all(|at| resting(cluster(&members, at)) == GROUPS);
        let silent = before.iter().zip(&after).all(|(before, after)| before.0 == after.0);
        assert!(before.iter().zip(&after).all(|(before, after)| before.1 < after.1), "links beat on");
        all_rest && silent
    };
    while !quiet().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "they say something");
    }
    // Nobody knows beforehand that it will: its groups rest, and their followers count on its link.
    let leads = (0..16).filter(|&p| {
        let number = members[0].as_ref().unwrap().cluster().ring().unwrap().own().number;
        cluster(&members, 1).leader(gomer_core::id::Partition(p)) == Some(number)
    });
    assert!(leads.count() >= 5, "it leads its share");
    members[0] = None;
    let died = Instant::now();
    let writes: Vec<_> = (0..32)
        .map(|round| {
            let member = cluster(&members, 1 + round % 2).clone();
            tokio::spawn(async move {
                let (_, mut write) = create(&member);
                write.op = Some(OpKey { id: member.mint(), fingerprint: [1; 16] });
                member.write(write).await
            })
        })
        .collect();
    for write in writes {
        write.await.unwrap().unwrap();
    }
    println!("all partitions take writes {:?} after the death", died.elapsed());
    assert!(died.elapsed() < PATIENCE, "{:?}", died.elapsed());
    assert!(is_there(cluster(&members, 1), root).await);
}
