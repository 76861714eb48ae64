//! How a scenario is measured: warm up; the bare server for half its time; throughput; the bare server for the other half;
//! then latency at half the throughput. What the machine does besides hits both sides of a ratio alike.

use std::net::SocketAddr;
use std::time::Duration;

use super::Options;
use super::child::{Server, TempDir};
use super::hello_server::HELLO;
use super::load::{Pace, Script, Tally, drive};
use super::report::{Report, Rows, rounded};
use super::usage;
use crate::program::exit::End;

/// What a scenario measures: a load that can be repeated.
pub struct Target {
    /// Where the load goes.
    pub address: SocketAddr,
    /// Whose CPU and memory count.
    pub pid: u32,
}

/// Throughput and what it cost.
pub struct Closed {
    /// What the load saw.
    pub tally: Tally,
    /// The server's time on CPUs.
    pub cpu: Option<Duration>,
    /// The server's memory at the end.
    pub rss: Option<u64>,
}

impl Closed {
    /// CPU per operation, in microseconds.
    pub fn cpu_us_per_op(&self, ops: u64) -> Option<f64> {
        self.cpu.filter(|_| ops > 0).map(|cpu| cpu.as_secs_f64() * 1e6 / ops as f64)
    }
}

/// Runs a closed load, watching the server.
pub fn closed<S: Script>(target: &Target, scripts: Vec<S>, span: Duration) -> Result<(Closed, Vec<S>), End> {
    let before = usage::cpu(target.pid);
    let (tally, scripts) = drive(target.address, scripts, Pace::Closed, span)?;
    let cpu = usage::cpu(target.pid).zip(before).map(|(after, before)| after.saturating_sub(before));
    Ok((Closed { tally, cpu, rss: usage::resident(target.pid) }, scripts))
}

/// The bare server beside a scenario.
pub struct Hello {
    server: Server,
    connections: usize,
    ops: u64,
    elapsed: Duration,
    cpu: Option<Duration>,
    errors: u64,
    _dir: TempDir,
}

impl Hello {
    /// Starts it. It costs nothing while it is not asked.
    pub fn start(connections: usize) -> Result<Hello, End> {
        let dir = TempDir::new()?;
        let server = Server::hello(dir.path())?;
        let (elapsed, cpu) = (Duration::ZERO, Some(Duration::ZERO));
        Ok(Hello { server, connections, ops: 0, elapsed, cpu, errors: 0, _dir: dir })
    }

    /// As a target of its own.
    pub fn target(&self) -> Result<Target, End> {
        Ok(Target { address: self.server.address()?, pid: self.server.pid() })
    }

    /// Measures it for so long, after a short warm-up.
    pub fn run(&mut self, span: Duration) -> Result<(), End> {
        let target = self.target()?;
        let scripts = greetings(self.connections);
        let (_, scripts) = drive(target.address, scripts, Pace::Closed, WARM_HELLO)?;
        let (closed, _) = closed(&target, scripts, span)?;
        self.ops += closed.tally.ops;
        self.errors += closed.tally.errors;
        self.elapsed += closed.tally.elapsed;
        self.cpu = self.cpu.zip(closed.cpu).map(|(sum, more)| sum + more);
        Ok(())
    }

    /// Its throughput.
    pub fn per_second(&self) -> Option<f64> {
        (self.ops > 0).then(|| self.ops as f64 / self.elapsed.as_secs_f64())
    }

    /// Its CPU per operation, in microseconds.
    pub fn cpu_us_per_op(&self) -> Option<f64> {
        self.cpu.filter(|_| self.ops > 0).map(|cpu| cpu.as_secs_f64() * 1e6 / self.ops as f64)
    }
}

/// Scripts that say hello.
pub fn greetings(connections: usize) -> Vec<Greeting> {
    (0..connections).map(|_| Greeting).collect()
}

/// Asks the bare server.
pub struct Greeting;

impl Script for Greeting {
    fn next(&mut self, out: &mut Vec<u8>) -> bool {
        out.extend_from_slice(b"GET /hello HTTP/1.1\r\nHost: gomer\r\n\r\n");
        true
    }

    fn check(&mut self, status: u16, body: &[u8]) -> bool {
        status == 200 && body == HELLO
    }
}

/// Measures scripts against a target, compared with the bare server, and gives the scripts back. `weight` is how many
/// operations one request counts for.
pub fn compared<S: Script>(
    options: &Options,
    bench: &str,
    target: &Target,
    scripts: Vec<S>,
    weight: u64,
) -> Result<(Report, Vec<S>), End> {
    let span = options.span();
    let mut hello = Hello::start(options.connections)?;
    let (warm, scripts) = drive(target.address, scripts, Pace::Closed, (span / 4).min(WARM_MAX))?;
    hello.run(span / 2)?;
    let (closed, scripts) = closed(target, scripts, span)?;
    hello.run(span / 2)?;
    let rate = closed.tally.per_second() / 2.0;
    let (paced, scripts) = drive(target.address, scripts, Pace::PerSecond(rate), span)?;
    let mut report = report(options, bench, &closed, closed.tally.ops * weight, &hello);
    report.errors += warm.errors + paced.errors;
    latencies(&mut report, &paced);
    complain([&warm, &closed.tally, &paced]);
    Ok((report, scripts))
}

/// A report of a closed load. `ops` is what counts as operations, where that is not requests.
pub fn report(options: &Options, bench: &str, closed: &Closed, ops: u64, hello: &Hello) -> Report {
    let per_second = ops as f64 / closed.tally.elapsed.as_secs_f64().max(1e-9);
    let cpu = closed.cpu_us_per_op(ops);
    let ratio = |one: Option<f64>, other: Option<f64>| {
        one.zip(other).filter(|(_, other)| *other > 0.0).map(|(one, other)| rounded(one / other))
    };
    Report {
        ops,
        errors: closed.tally.errors + hello.errors,
        ops_per_second: Some(rounded(per_second)),
        server_cpu_us_per_op: cpu.map(rounded),
        rss_bytes: closed.rss,
        hello_ops_per_second: hello.per_second().map(rounded),
        ratio_to_hello: ratio(Some(per_second), hello.per_second()),
        cpu_ratio_to_hello: ratio(cpu, hello.cpu_us_per_op()),
        ..blank(options, bench)
    }
}

/// A report in which nothing was measured yet.
pub fn blank(options: &Options, bench: &str) -> Report {
    Report {
        bench: bench.to_owned(),
        seconds: options.seconds,
        connections: options.connections,
        members: options.members,
        in_process: options.in_process,
        ops: 0,
        errors: 0,
        ops_per_second: None,
        p50_us: None,
        p99_us: None,
        p999_us: None,
        server_cpu_us_per_op: None,
        rss_bytes: None,
        hello_ops_per_second: None,
        ratio_to_hello: None,
        cpu_ratio_to_hello: None,
        version: env!("CARGO_PKG_VERSION"),
        rows: None,
    }
}

/// Takes the latencies of a paced load into a report.
pub fn latencies(report: &mut Report, paced: &Tally) {
    let quantile = |share| paced.latencies.quantile_us(share).map(rounded);
    (report.p50_us, report.p99_us, report.p999_us) = (quantile(0.5), quantile(0.99), quantile(0.999));
}

/// What was written, of that many operations in that time.
pub fn rows(rows: u64, ops: u64, elapsed: Duration) -> Rows {
    Rows {
        rows_per_second: Some(rounded(rows as f64 / elapsed.as_secs_f64().max(1e-9))),
        rows_per_op: (ops > 0).then(|| rounded(rows as f64 / ops as f64)),
        ratio_to_engine: None,
    }
}

/// Says on standard error what the first error was.
pub fn complain<'a>(tallies: impl IntoIterator<Item = &'a Tally>) {
    if let Some(why) = tallies.into_iter().find_map(|tally| tally.first_error.as_ref()) {
        eprintln!("gomer: {why}");
    }
}

const WARM_HELLO: Duration = Duration::from_millis(100);
const WARM_MAX: Duration = Duration::from_secs(2);
