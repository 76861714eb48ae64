//! `gomer serve`: from settings to a running member, and to its orderly end.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gomer_core::store::StoreFault;
use gomer_net::edges::Entropy;
use gomer_net::http::{Drain, Front, Limits};
use gomer_net::runtime::{Member, MemberConfig};
use tokio::sync::watch;

use crate::cli::{Exit, Failure};
use crate::edges::{self, SystemEntropy};
use crate::host::Host;
use crate::http::{Api, Side};
use crate::logs;
use crate::settings::{Settings, data_dir};
use crate::store::dir::{DataDir, DirFault, Format};
use crate::store::log::LogSettings;
use crate::store::reserve::Reserve;

/// How often the free space of the disk is looked at.
const SPACE_EVERY: Duration = Duration::from_millis(500);

/// Runs the server until a signal ends it.
pub fn serve(settings: &Settings, json: bool) -> Result<(), Failure> {
    logs::start(settings).map_err(|e| Failure::new(Exit::Usage, e))?;
    refuse_plain_listening(settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Exit::Failed, format!("threads cannot be started: {e}")))?;
    let (signalled, signal) = watch::channel(0);
    watch_signals(signalled)?;
    runtime.block_on(run(settings, json, signal))
}

async fn run(settings: &Settings, json: bool, mut signal: watch::Receiver<u32>) -> Result<(), Failure> {
    let public = bind(settings, "listen").await?;
    let admin = bind(settings, "admin_listen").await?;
    let dir = open_dir(settings)?;
    let member = start_member(settings, &dir).await?;
    let host = Host::new(member.cluster().clone());
    let first = crate::first_start::run(&host, &dir, settings, loopback_only(settings))
        .await
        .map_err(|e| Failure::new(Exit::Failed, e))?;

    let drain = Drain::new();
    let (http, ops) = (public.local_addr(), admin.local_addr());
    host.show_front("public", public.counts());
    host.show_front("admin", admin.counts());
    let mut fronts = vec![
        tokio::spawn(public.serve(Arc::new(Api::new(host.clone(), Side::Public)), drain.clone())),
        tokio::spawn(admin.serve(Arc::new(Api::new(host.clone(), Side::Admin)), drain.clone())),
    ];
    host.health.start();
    greet(json, http, ops, &dir, first.as_deref());

    let mut reserve = Reserve::new(settings.parsed::<u64>("reserve_mib") << 20);
    let mut look = tokio::time::interval(SPACE_EVERY);
    loop {
        tokio::select! {
            _ = signal.changed() => break,
            _ = look.tick() => watch_space(&dir, &mut reserve, &member),
        }
    }

    tracing::info!("draining: requests under way finish, then the process ends; a second signal ends it at once");
    host.health.drain();
    drain.begin();
    let ended = async {
        for front in &mut fronts {
            let _ = front.await;
        }
    };
    let deadline = Duration::from_secs(settings.parsed("drain_s"));
    if tokio::time::timeout(deadline, ended).await.is_err() {
        tracing::warn!(requests = drain.requests(), "the drain took too long: cutting what is left");
        drain.cut();
    }
    member.stop().await;
    Ok(())
}

/// The first signal drains; the second ends the process at once, which loses nothing that was answered.
fn watch_signals(signalled: watch::Sender<u32>) -> Result<(), Failure> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])
        .map_err(|e| Failure::new(Exit::Failed, format!("signals cannot be watched: {e}")))?;
    let body = move || {
        for (count, _) in signals.forever().enumerate() {
            if count > 0 {
                std::process::exit(Exit::Done as i32);
            }
            let _ = signalled.send(1);
        }
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(body)
        .map(|_| ())
        .map_err(|e| Failure::new(Exit::Failed, format!("threads cannot be started: {e}")))
}

fn listeners(settings: &Settings) -> [SocketAddr; 2] {
    [settings.parsed("listen"), settings.parsed("admin_listen")]
}

fn loopback_only(settings: &Settings) -> bool {
    listeners(settings).iter().all(|address| address.ip().is_loopback())
}

fn refuse_plain_listening(settings: &Settings) -> Result<(), Failure> {
    if loopback_only(settings) || settings.parsed::<bool>("insecure_listen") {
        return Ok(());
    }
    let message = "listening beyond loopback without TLS would show tokens to the network; put a proxy that \
                   terminates TLS in front and add --insecure-listen, or listen on 127.0.0.1";
    Err(Failure::new(Exit::Usage, message))
}

async fn bind(settings: &Settings, key: &str) -> Result<Front, Failure> {
    let address: SocketAddr = settings.parsed(key);
    let limits = Limits {
        connections_max: settings.parsed("limits.connections"),
        connections_per_address_max: settings.parsed("limits.connections_per_address"),
        inflight_max: settings.parsed("limits.inflight"),
        trusted_proxies: settings.networks("trusted_proxies"),
        ..Limits::default()
    };
    Front::bind(address, limits).await.map_err(|e| match e.kind() {
        std::io::ErrorKind::AddrInUse => {
            let flag = key.replace('_', "-");
            Failure::new(Exit::AddressInUse, format!("{address} is in use; try --{flag} {}:0", address.ip()))
        }
        _ => Failure::new(Exit::Failed, format!("cannot listen on {address}: {e}")),
    })
}

fn open_dir(settings: &Settings) -> Result<DataDir, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    let shards = match settings.parsed::<u32>("shards") {
        0 => cores.min(16),
        count => count,
    };
    let mut incarnation = [0; 16];
    SystemEntropy.fill(&mut incarnation);
    DataDir::open(&data_dir(settings), Format { shards, incarnation }).map_err(dir_failure)
}

fn dir_failure(fault: DirFault) -> Failure {
    let exit = if matches!(fault, DirFault::Io { .. }) { Exit::Failed } else { Exit::Data };
    Failure::new(exit, fault)
}

async fn start_member(settings: &Settings, dir: &DataDir) -> Result<Member, Failure> {
    let shards = dir.format().shards;
    let cache = ((settings.parsed::<u64>("cache_mib") << 20) / u64::from(shards + 1)) as usize;
    let mut stores = Vec::new();
    for shard in 0..shards {
        stores.push(dir.open_shard(shard, LogSettings::default(), cache).map_err(dir_failure)?);
    }
    let meta = dir.open_meta(LogSettings::default(), cache).map_err(dir_failure)?;
    // The Raft id of this disk: never zero.
    let peer = u64::from_be_bytes(dir.format().incarnation[..8].try_into().expect("eight bytes")) | 1;
    Member::start(MemberConfig::new(peer), edges::system(), stores, meta).await.map_err(|fault| match fault {
        StoreFault::Corrupt(what) => {
            let path = dir.path().to_owned();
            dir_failure(DirFault::Damaged { path, what })
        }
        fault => Failure::new(Exit::Store, fault),
    })
}

fn watch_space(dir: &DataDir, reserve: &mut Reserve, member: &Member) {
    match dir.space() {
        Ok(space) => {
            if reserve.observe(space.free) {
                let (free, full) = (space.free >> 20, reserve.is_full());
                tracing::warn!(free_mib = free, reserve_mib = reserve.bytes() >> 20, full, "disk reserve");
                member.set_full(full);
            }
        }
        Err(fault) => tracing::warn!(%fault, "the free space of the disk cannot be read"),
    }
}

/// Says that it is ready: for people on a terminal, else one line for scripts.
fn greet(json: bool, http: SocketAddr, admin: SocketAddr, dir: &DataDir, demo: Option<&Path>) {
    let data = dir.path().display();
    let mut out = std::io::stdout().lock();
    let _ = if json || !out.is_terminal() {
        let line = serde_json::json!({
            "event": "ready",
            "version": env!("CARGO_PKG_VERSION"),
            "pid": std::process::id(),
            "http": format!("http://{http}"),
            "admin": format!("http://{admin}"),
            "data": data.to_string(),
            "app": demo.map(|_| "demo"),
            "credentials": demo.map(|path| path.display().to_string()),
        });
        writeln!(out, "{line}")
    } else {
        let demo = demo.map(|path| format!("\n  try it       the app is demo, its people are in {}", path.display()));
        writeln!(
            out,
            "gomer {} is ready\n  clients      http://{http}\n  operators    http://{admin}\n  data         {data}{}\n",
            env!("CARGO_PKG_VERSION"),
            demo.unwrap_or_default()
        )
    }
    .and_then(|()| out.flush());
}
