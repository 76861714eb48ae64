//! The runtime on real threads, with stores in memory.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gomer_core::fault::Fault;
use gomer_core::id::{AppId, Id, LinkType, NodeType, Root, Section};
use gomer_core::meta::command::MetaCommand;
use gomer_core::rows::node::Flags;
use gomer_core::store::map::{MapLog, MapState};
use gomer_core::time::{Monotonic, Now, Time};
use gomer_core::vnode::command::{Operation, Step, Write};
use gomer_core::vnode::query::{Answer, Query};
use gomer_net::cluster::Cluster;
use gomer_net::edges::{Clock, Entropy};
use gomer_net::runtime::{Edges, Member, MemberConfig, Spawner};

const APP: AppId = AppId(1);
const LIKES: LinkType = LinkType(8);
const LIKED_BY: LinkType = LinkType(9);

struct TestClock(std::time::Instant);

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

async fn member(shards: usize) -> Member {
    let edges = Edges {
        clock: Arc::new(TestClock(std::time::Instant::now())),
        entropy: Arc::new(Counting(AtomicU64::new(7))),
        spawner: Arc::new(Threads),
        fatal: Arc::new(|fault| panic!("{fault}")),
    };
    let stores = (0..shards).map(|_| (MapLog::new(), MapState::new())).collect();
    Member::start(MemberConfig::new(1), edges, stores, (MapLog::new(), MapState::new())).await.unwrap()
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

fn link(ty: LinkType, to: Id) -> Operation {
    Operation::PutLink { ty, to, section: Section::INVERSE, time: None, data: String::new() }
}

async fn eventually(mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..500 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to hold");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_answered_reads_what_was_written() {
    let member = member(2).await;
    let tasks = (0..64).map(|_| {
        let cluster = member.cluster().clone();
        tokio::spawn(async move {
            for _ in 0..20 {
                let (root, write) = create(&cluster);
                let outcome = cluster.write(write).await.unwrap();
                let reading = cluster.read(APP, root, Query::Node(root.id)).await.unwrap();
                assert!(reading.position >= outcome.position);
                assert!(matches!(reading.answer, Answer::Node(Some(_))));
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_cross_shards_and_wake_who_watches() {
    let member = member(3).await;
    let cluster = member.cluster().clone();
    let post = Root::post(cluster.mint());
    let watch = cluster.watch(APP, vec![post]);
    for _ in 0..100 {
        let ann = cluster.mint();
        let back = Step::to(post, vec![link(LIKED_BY, ann)]);
        cluster
            .write(Write::new(APP, Root::profile(ann), ann).op(link(LIKES, post.id)).step(back))
            .await
            .unwrap();
    }
    watch.changed().await;
    eventually(async || {
        let counts = cluster.read(APP, post, Query::LinkCounts(vec![LIKED_BY])).await.unwrap().answer;
        counts == Answer::LinkCounts(vec![100])
    })
    .await;
    drop(watch);
    assert_eq!(cluster.watching(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_the_metadata_is_known_when_it_is_answered() {
    let member = member(1).await;
    let cluster = member.cluster();
    for i in 0..50 {
        let name = format!("app-{i}");
        let command = MetaCommand::CreateApp {
            id: cluster.mint(),
            name: name.clone(),
            title: name.clone(),
            secret: cluster.secret(),
        };
        cluster.change_meta(command).await.unwrap();
        assert!(cluster.meta().apps.contains_key(&name));
    }
    let again = MetaCommand::CreateApp {
        id: cluster.mint(),
        name: "app-1".into(),
        title: String::new(),
        secret: cluster.secret(),
    };
    assert_eq!(cluster.change_meta(again).await, Err(Fault::NameTaken));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_member_refuses_and_a_full_disk_lets_deletes_pass() {
    let member = member(2).await;
    let cluster = member.cluster().clone();
    let (root, write) = create(&cluster);
    cluster.write(write).await.unwrap();
    member.set_full(true);
    assert_eq!(cluster.write(create(&cluster).1).await, Err(Fault::DiskFull));
    let delete = Write::new(APP, root, Id::NIL).op(Operation::DeleteNode { id: root.id });
    cluster.write(delete).await.unwrap();
    member.set_full(false);
    assert!(cluster.write(create(&cluster).1).await.is_ok(), "it goes on without a restart");
    member.stop().await;
    assert_eq!(cluster.write(create(&cluster).1).await, Err(Fault::Unavailable));
}
