//! Several members in one process, over real links: any of them takes any request.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gomer_core::fault::Fault;
use gomer_core::id::{AppId, Id, LinkType, NodeType, Partition, Root, Section};
use gomer_core::meta::command::MetaCommand;
use gomer_core::meta::members::Membership as Known;
use gomer_core::meta::members::change::Change;
use gomer_core::meta::members::command::Command as Tell;
use gomer_core::ring::member::{Weight, Zone};
use gomer_core::ring::partition::PartitionCount;
use gomer_core::rows::node::Flags;
use gomer_core::store::map::{MapLog, MapState};
use gomer_core::time::{Monotonic, Now, Time};
use gomer_core::vnode::command::{OpKey, Operation, Step, Write};
use gomer_core::vnode::query::{Answer, ChangesFrom, Query};
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
        cluster(&members, 1).leader(Partition(p)) == Some(number)
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

/// What the metadata says of the members, as this one knows.
fn known(cluster: &Cluster) -> Arc<Known> {
    cluster.meta().members.clone().expect("it is founded")
}

/// Stages, plans and commits.
async fn commit(cluster: &Cluster, change: Change) {
    let tell = async |command| {
        let command = MetaCommand::Members(Box::new(command));
        // Who led the metadata may have died; a command that comes twice changes nothing.
        eventually(async || cluster.change_meta(command.clone()).await.is_ok()).await;
    };
    tell(Tell::Stage(change)).await;
    let members = known(cluster);
    let commit = members.propose(members.plan().unwrap().id).unwrap();
    tell(commit).await;
}

/// Partitions that a member has a replica of, the metadata aside.
fn held(cluster: &Cluster) -> usize {
    cluster.member_status().replicas.len() - 1
}

/// Writes through one member after another until `until` holds; gives what was acknowledged.
async fn write_until(clusters: &[Cluster], mut until: impl FnMut() -> bool) -> Vec<Root> {
    let begun = Instant::now();
    let mut roots = Vec::new();
    while !until() {
        assert!(begun.elapsed() < Duration::from_secs(240), "it never comes to hold");
        let at = &clusters[roots.len() % clusters.len()];
        let (root, mut write) = create(at);
        write.op = Some(OpKey { id: at.mint(), fingerprint: [1; 16] });
        let asked = Instant::now();
        at.write(write).await.unwrap();
        assert!(asked.elapsed() < PATIENCE, "writes go on while replicas move");
        roots.push(root);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    roots
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_gives_away_what_it_holds_and_takes_it_back_while_everybody_writes() {
    let mut members = members(4, 8, &[0, 1, 2, 3]).await;
    let clusters: Vec<Cluster> = (0..4).map(|at| cluster(&members, at).clone()).collect();
    for at in &clusters {
        eventually(async || at.meta().members.is_some()).await;
    }
    let number = clusters[3].ring().unwrap().own().number;
    assert!(held(&clusters[3]) == 6 && known(&clusters[0]).generation == 1);
    commit(&clusters[1], Change::Leave(number)).await;
    let gone =
        || clusters.iter().all(|at| !known(at).members.contains_key(&number)) && held(&clusters[3]) == 0;
    let mut roots = write_until(&clusters, gone).await;
    known(&clusters[0]).check();
    assert!(known(&clusters[0]).moves().is_empty());
    assert_eq!((0..3).map(|at| held(&clusters[at])).collect::<Vec<_>>(), [8, 8, 8]);
    for &root in &roots {
        for at in &clusters {
            assert!(is_there(at, root).await, "what was acknowledged is there, on every member");
        }
    }
    // It joins again, and goes on from the rows that it has kept.
    let (name, zone, weight) = ("m3".to_owned(), Zone::default(), Weight::DEFAULT);
    commit(&clusters[3], Change::Join { member: number, name, zone, weight }).await;
    let back = || clusters.iter().all(|at| known(at).moves().is_empty()) && held(&clusters[3]) == 6;
    roots.extend(write_until(&clusters, back).await);
    eventually(async || (0..3).all(|at| held(&clusters[at]) == 6)).await;
    // What came to it is as good as any: another one dies.
    drop(clusters);
    members[0] = None;
    for (at, &root) in roots.iter().enumerate() {
        assert!(is_there(cluster(&members, 1 + at % 3), root).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_nothing_of_a_partition_finds_its_next_leader_when_the_last_one_died() {
    let mut members = members(5, 8, &[0, 1, 2, 3, 4]).await;
    let mut roots = Vec::new();
    for round in 0..40 {
        let (root, write) = create(cluster(&members, round % 5));
        cluster(&members, round % 5).write(write).await.unwrap();
        roots.push(root);
    }
    for &root in &roots {
        assert!(is_there(cluster(&members, 4), root).await, "it knows who leads everything");
    }
    members[0] = None;
    for &root in &roots {
        assert!(is_there(cluster(&members, 4), root).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_place_of_a_dead_member_is_taken_by_the_others() {
    let mut members = members(4, 8, &[0, 1, 2, 3]).await;
    let clusters: Vec<Cluster> = (0..3).map(|at| cluster(&members, at).clone()).collect();
    for at in &clusters {
        eventually(async || at.meta().members.is_some()).await;
    }
    let number = cluster(&members, 3).ring().unwrap().own().number;
    let mut roots = write_until(&clusters, {
        let mut left = 20;
        move || {
            left -= 1;
            left == 0
        }
    })
    .await;
    members[3] = None;
    commit(&clusters[0], Change::ForceRemove(number)).await;
    let done = || clusters.iter().all(|at| known(at).moves().is_empty() && held(at) == 8);
    roots.extend(write_until(&clusters, done).await);
    assert!(!known(&clusters[0]).members.contains_key(&number));
    drop(clusters);
    // Each partition is held by three again, so that one more may die.
    members[1] = None;
    for (at, &root) in roots.iter().enumerate() {
        assert!(is_there(cluster(&members, [0, 2][at % 2]), root).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leaders_follow_the_metadata() {
    let members = members(3, 8, &[0, 1, 2]).await;
    let clusters: Vec<Cluster> = (0..3).map(|at| cluster(&members, at).clone()).collect();
    for at in &clusters {
        eventually(async || at.meta().members.is_some()).await;
    }
    let number = clusters[0].ring().unwrap().own().number;
    let leads =
        |number| (0..8).filter(|&p| clusters[1].leader(gomer_core::id::Partition(p)) == Some(number)).count();
    eventually(async || leads(number) > 0).await;
    commit(&clusters[1], Change::Down(number)).await;
    eventually(async || leads(number) == 0).await;
    assert_eq!(held(&clusters[0]), 8, "it keeps what it holds");
    let up = MetaCommand::Members(Box::new(Tell::Up(number)));
    clusters[0].change_meta(up).await.unwrap();
    let members = known(&clusters[0]);
    let commit = members.propose(members.plan().unwrap().id).unwrap();
    clusters[0].change_meta(MetaCommand::Members(Box::new(commit))).await.unwrap();
    eventually(async || leads(number) > 0).await;
}
/// Everything of the app that a follower is told of a partition, read from one member; and where it is then.
async fn follow(
    cluster: &Cluster,
    partition: Partition,
    mut from: ChangesFrom,
    limit: u32,
) -> (Vec<Root>, ChangesFrom, usize) {
    let (mut seen, mut pages) = (Vec::new(), 0);
    loop {
        let (page, position, _) = cluster.changes(APP, partition, from, limit).await.unwrap();
        assert!(!page.resync, "nothing was lost");
        assert!(page.next.position <= position);
        seen.extend(page.items.iter().map(|change| change.root));
        (from, pages) = (page.next, pages + 1);
        if page.end {
            return (seen, from, pages);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_reads_whole_partitions_at_any_member_and_goes_on_when_a_leader_dies() {
    let mut members = members(3, 4, &[0, 1, 2]).await;
    let partitions: Vec<Partition> = cluster(&members, 0).partitions().all().collect();
    let mut written = BTreeSet::new();
    for at in 0..30 {
        let (root, write) = create(cluster(&members, at % 3));
        cluster(&members, at % 3).write(write).await.unwrap();
        written.insert(root);
    }
    // From nothing, the same at each member, and each partition's roots in that partition alone.
    let mut places = Vec::new();
    for at in 0..3 {
        let mut all = Vec::new();
        places.clear();
        for &partition in &partitions {
            let (seen, from, _) = follow(cluster(&members, at), partition, ChangesFrom::START, 3).await;
            all.extend(seen);
            places.push(from);
        }
        assert_eq!(all.len(), 30, "each once");
        assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), written, "at member {at}");
    }
    // A row of almost a page: a thousand of them would not fit in one answer from another member.
    let (big, write) = create(cluster(&members, 0));
    let mut parts = vec![write];
    for _ in 0..40 {
        let id = cluster(&members, 0).mint();
        let (ty, section, flags) = (NodeType(2), Section::PUBLIC, Flags::default());
        let attrs = vec![("text".to_owned(), format!("\"{}\"", "x".repeat(60_000)))];
        let node = Operation::CreateNode { id, ty, section, author: id, flags, attrs };
        parts.push(Write::new(APP, big, id).op(node));
    }
    let partition = cluster(&members, 0).partitions().of(APP, big);
    for part in parts {
        cluster(&members, 0).write(part).await.unwrap();
    }
    for at in 0..3 {
        let from = places[usize::from(partition.0)];
        let (seen, _, pages) = follow(cluster(&members, at), partition, from, 1_000).await;
        assert_eq!(seen, vec![big; 41], "in order, at member {at}");
        assert!((3..=4).contains(&pages), "a mebibyte each: {pages}");
        let (seen, ..) = follow(cluster(&members, at), partition, ChangesFrom::START, 1_000).await;
        assert!(seen.iter().filter(|root| **root == big).count() == 41, "also on a walk");
    }
    members[0] = None;
    let (late, write) = create(cluster(&members, 1));
    let write = Write { op: Some(OpKey { id: late.id, fingerprint: [1; 16] }), ..write };
    cluster(&members, 1).write(write).await.unwrap();
    let partition = cluster(&members, 1).partitions().of(APP, late);
    for at in 1..3 {
        let from = places[usize::from(partition.0)];
        let (seen, ..) = follow(cluster(&members, at), partition, from, 3).await;
        assert_eq!(seen.last(), Some(&late), "the next leader knows the places of the one before");
    }
}
