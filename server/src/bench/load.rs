//! The load generator: a few threads, each with its share of the connections, one request at a time on each.
//!
//! A load is *closed*, each reply at once followed by the next request, which finds the greatest throughput; or *paced*
//! by a schedule that was fixed before, which finds the latency. A paced request counts from the time at which it was
//! due, also if its connection was still busy then: what a slow reply delays is part of what it costs.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::histogram::Histogram;
use super::wire::{self, Reply};
use crate::program::exit::{End, Exit};

/// What one connection says.
pub trait Script: Send {
    /// Renders the next request into the empty buffer. False: this connection has nothing more to ask.
    fn next(&mut self, out: &mut Vec<u8>) -> bool;

    /// Whether this is a right reply to the last request.
    fn check(&mut self, status: u16, body: &[u8]) -> bool;
}

/// When requests are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As soon as the last one on the connection is answered.
    Closed,
    /// So many each second, over all connections.
    PerSecond(f64),
}

/// What came of it.
#[derive(Default)]
pub struct Tally {
    /// Requests that were answered rightly.
    pub ops: u64,
    /// Requests that were answered wrongly, or not at all.
    pub errors: u64,
    /// What was wrong with the first of them.
    pub first_error: Option<String>,
    /// Latencies of those that were answered rightly.
    pub latencies: Histogram,
    /// From the first request to the last reply.
    pub elapsed: Duration,
}

impl Tally {
    /// Adds what another one has. They ran at the same time.
    pub fn merge(&mut self, other: Tally) {
        self.ops += other.ops;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
        self.latencies.merge(&other.latencies);
        self.elapsed = self.elapsed.max(other.elapsed);
    }

    /// Right replies per second.
    pub fn per_second(&self) -> f64 {
        self.ops as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    fn fail(&mut self, why: impl FnOnce() -> String) {
        self.errors += 1;
        if self.first_error.is_none() {
            self.first_error = Some(why());
        }
    }
}

/// Runs a script on each connection for so long; those that have nothing more to ask end earlier. Gives the scripts
/// back, to go on with.
pub fn drive<S: Script>(
    address: SocketAddr,
    scripts: Vec<S>,
    pace: Pace,
    span: Duration,
) -> Result<(Tally, Vec<S>), End> {
    let count = scripts.len();
    let threads =
        std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX).min(count.max(1));
    let mut shares: Vec<Vec<Connection<S>>> = (0..threads).map(|_| Vec::new()).collect();
    for (number, script) in scripts.into_iter().enumerate() {
        let stream = connect(address)
            .map_err(|error| End::new(Exit::Unreachable, format!("{address} cannot be reached: {error}")))?;
        shares[number % threads].push(Connection::new(number, stream, script));
    }
    let start = Instant::now();
    let schedule = match pace {
        Pace::Closed => None,
        Pace::PerSecond(rate) => Some(Schedule::new(start, rate, count)),
    };
    let until = start.checked_add(span);
    let (mut tally, mut scripts) = (Tally::default(), Vec::with_capacity(count));
    std::thread::scope(|scope| {
        let run = |share| scope.spawn(move || Worker::new(share, schedule, start, until).run());
        let running: Vec<_> = shares.into_iter().map(run).collect();
        for thread in running {
            let (theirs, connections) = thread.join().expect("the load does not panic");
            tally.merge(theirs);
            scripts.extend(connections.into_iter().map(|connection| (connection.number, connection.script)));
        }
    });
    scripts.sort_by_key(|(number, _)| *number);
    Ok((tally, scripts.into_iter().map(|(_, script)| script).collect()))
}

/// Opens a connection as the load uses it.
pub fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// When each request of each connection is due: evenly over all of them.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Schedule {
    start: Instant,
    gap_s: f64,
    connections: usize,
}

impl Schedule {
    fn new(start: Instant, rate: f64, connections: usize) -> Schedule {
        Schedule { start, gap_s: 1.0 / rate.max(RATE_MIN), connections }
    }

    /// When the `nth` request of a connection is due.
    fn due(&self, connection: usize, nth: u64) -> Instant {
        let place = nth as f64 * self.connections as f64 + connection as f64;
        self.start + Duration::from_secs_f64(place * self.gap_s)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No request under way.
    Idle,
    /// A request is partly written.
    Writing,
    /// A request waits for its reply.
    Reading,
    /// Nothing more to ask, or closed by the server.
    Over,
}

struct Connection<S> {
    number: usize,
    stream: TcpStream,
    script: S,
    state: State,
    out: Vec<u8>,
    written: usize,
    input: Vec<u8>,
    filled: usize,
    /// Requests begun.
    begun: u64,
    /// From when the request under way counts.
    since: Instant,
}

impl<S: Script> Connection<S> {
    fn new(number: usize, stream: TcpStream, script: S) -> Connection<S> {
        Connection {
            number,
            stream,
            script,
            state: State::Idle,
            out: Vec::with_capacity(1024),
            written: 0,
            input: vec![0; INPUT_BYTES],
            filled: 0,
            begun: 0,
            since: Instant::now(),
        }
    }

    /// Sends the next request, which counts from then.
    fn begin(&mut self, since: Instant, tally: &mut Tally) {
        self.out.clear();
        if !self.script.next(&mut self.out) {
            self.state = State::Over;
            return;
        }
        self.begun += 1;
        (self.since, self.written, self.filled) = (since, 0, 0);
        self.write(tally);
    }

    fn write(&mut self, tally: &mut Tally) {
        self.state = State::Writing;
        while self.written < self.out.len() {
            match (&self.stream).write(&self.out[self.written..]) {
                Ok(0) => return self.end(tally, "closed while it was written to"),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.end(tally, &error.to_string()),
            }
        }
        self.state = State::Reading;
    }

    /// Reads what is there. Afterwards it is idle again if that was all of the reply.
    fn read(&mut self, tally: &mut Tally) {
        loop {
            if self.filled == self.input.len() {
                self.input.resize(2 * self.filled, 0);
            }
            match (&self.stream).read(&mut self.input[self.filled..]) {
                Ok(0) => return self.end(tally, "closed before the reply"),
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return self.end(tally, &error.to_string()),
            }
            match wire::parse(&self.input[..self.filled]) {
                Reply::Partial => {}
                Reply::Whole { status, body } if body.end == self.filled => {
                    return self.take(tally, status, body);
                }
                Reply::Whole { .. } | Reply::Bad => return self.end(tally, "not a reply that is understood"),
            }
        }
    }

    fn take(&mut self, tally: &mut Tally, status: u16, body: std::ops::Range<usize>) {
        self.state = State::Idle;
        let body = &self.input[body];
        if self.script.check(status, body) {
            tally.ops += 1;
            tally.latencies.add(self.since.elapsed());
        } else {
            let request = String::from_utf8_lossy(&self.out);
            let request = request.split(" HTTP/1.1").next().unwrap_or_default();
            let shown = String::from_utf8_lossy(&body[..body.len().min(SHOWN_BYTES)]);
            tally.fail(|| format!("{request} was answered with {status}: {shown}"));
        }
    }

    fn end(&mut self, tally: &mut Tally, why: &str) {
        self.state = State::Over;
        tally.fail(|| format!("a connection ended: {why}"));
    }
}

struct Worker<S> {
    connections: Vec<Connection<S>>,
    schedule: Option<Schedule>,
    start: Instant,
    until: Option<Instant>,
    tally: Tally,
}

impl<S: Script> Worker<S> {
    fn new(
        connections: Vec<Connection<S>>,
        schedule: Option<Schedule>,
        start: Instant,
        until: Option<Instant>,
    ) -> Worker<S> {
        Worker { connections, schedule, start, until, tally: Tally::default() }
    }

    fn run(mut self) -> (Tally, Vec<Connection<S>>) {
        let mut ready = Vec::new();
        loop {
            let now = Instant::now();
            let wake = self.begin_due(now);
            let busy: Vec<usize> = (0..self.connections.len())
                .filter(|&at| matches!(self.connections[at].state, State::Writing | State::Reading))
                .collect();
            let Some(wake) = wake.or_else(|| (!busy.is_empty()).then(|| now + POLL_MAX)) else { break };
            if self.until.is_some_and(|until| now >= until + GRACE) {
                for &at in &busy {
                    self.connections[at].end(&mut self.tally, "no reply in time");
                }
                break;
            }
            self.wait(&busy, wake.saturating_duration_since(now), &mut ready);
            for at in ready.drain(..) {
                let connection = &mut self.connections[at];
                match connection.state {
                    State::Writing => connection.write(&mut self.tally),
                    State::Reading => {
                        connection.read(&mut self.tally);
                        // The closed load goes on here, without a look at all the others.
                        if connection.state == State::Idle && self.schedule.is_none() {
                            let now = Instant::now();
                            if self.until.is_none_or(|until| now < until) {
                                connection.begin(now, &mut self.tally);
                            }
                        }
                    }
                    State::Idle | State::Over => {}
                }
            }
        }
        self.tally.elapsed = self.start.elapsed();
        (self.tally, self.connections)
    }

    /// Begins what is due, and tells when something will be next: nothing, if nothing will be.
    fn begin_due(&mut self, now: Instant) -> Option<Instant> {
        let mut wake: Option<Instant> = None;
        for connection in self.connections.iter_mut().filter(|connection| connection.state == State::Idle) {
            let due = self.schedule.map_or(now, |schedule| schedule.due(connection.number, connection.begun));
            if self.until.is_some_and(|until| due >= until)
                || (self.schedule.is_none() && self.until.is_some_and(|until| now >= until))
            {
                continue;
            }
            if due <= now {
                connection.begin(due, &mut self.tally);
            } else {
                wake = Some(wake.map_or(due, |wake| wake.min(due)));
            }
        }
        wake
    }

    /// Waits until one of the connections can go on, or as long as said.
    fn wait(&self, busy: &[usize], longest: Duration, ready: &mut Vec<usize>) {
        let mut fds: Vec<PollFd<'_>> = busy
            .iter()
            .map(|&at| {
                let connection = &self.connections[at];
                let flags = if connection.state == State::Writing { PollFlags::OUT } else { PollFlags::IN };
                PollFd::new(&connection.stream, flags)
            })
            .collect();
        let longest = Timespec {
            tv_sec: longest.as_secs().min(3_600) as i64,
            tv_nsec: i64::from(longest.subsec_nanos()) as _,
        };
        // Interrupted, or nothing yet: the caller looks again.
        if poll(&mut fds, Some(&longest)).is_ok() {
            ready.extend(fds.iter().zip(busy).filter(|(fd, _)| !fd.revents().is_empty()).map(|(_, &at)| at));
        }
    }
}

/// More threads would only take turns: the load is meant for small machines, which it shares with the server.
const THREADS_MAX: usize = 4;
/// How long replies may still come when the time is over.
const GRACE: Duration = Duration::from_secs(10);
const POLL_MAX: Duration = Duration::from_secs(1);
const INPUT_BYTES: usize = 16 * 1024;
/// Of a wrong reply, in the message.
const SHOWN_BYTES: usize = 200;
/// A rate of nothing would be due never.
const RATE_MIN: f64 = 0.01;

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_schedule_is_even_over_all_connections_and_does_not_drift() {
        let start = Instant::now();
        let schedule = Schedule::new(start, 1_000.0, 4);
        let mut due: Vec<Instant> =
            (0..4).flat_map(|connection| (0..250).map(move |nth| schedule.due(connection, nth))).collect();
        due.sort();
        assert_eq!(due[0], start);
        for (place, due) in due.iter().enumerate() {
            let off = due.duration_since(start).as_secs_f64() - place as f64 / 1_000.0;
            assert!(off.abs() < 1e-6, "{place}: {off}");
        }
    }

    struct Asks(u64);

    impl Script for Asks {
        fn next(&mut self, out: &mut Vec<u8>) -> bool {
            out.extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
            self.0 = self.0.saturating_sub(1);
            self.0 > 0
        }

        fn check(&mut self, status: u16, body: &[u8]) -> bool {
            status == 200 && body == b"ok"
        }
    }

    /// Answers each request on each connection, as `answer` says with its number.
    fn server(answer: impl Fn(u64) -> Option<&'static str> + Copy + Send + 'static) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let mut input = [0; 18];
                    for number in 0.. {
                        if stream.read_exact(&mut input).is_err() {
                            return;
                        }
                        let Some(answer) = answer(number) else { return };
                        stream.write_all(answer.as_bytes()).unwrap();
                    }
                });
            }
        });
        address
    }

    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    const BUSY: &str = "HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy";

    #[test]
    fn a_closed_load_ends_with_its_scripts() {
        let scripts = vec![Asks(11), Asks(21), Asks(1)];
        let (tally, _) = drive(server(|_| Some(OK)), scripts, Pace::Closed, Duration::MAX).unwrap();
        assert_eq!((tally.ops, tally.errors), (30, 0), "{:?}", tally.first_error);
        assert_eq!(tally.latencies.total(), 30);
    }

    #[test]
    fn wrong_replies_and_closed_connections_are_errors() {
        let wrong = server(|number| Some(if number == 1 { BUSY } else { OK }));
        let (tally, _) = drive(wrong, vec![Asks(4)], Pace::Closed, Duration::MAX).unwrap();
        assert_eq!((tally.ops, tally.errors), (2, 1));
        assert!(tally.first_error.unwrap().contains("503: busy"));
        let closing = server(|number| (number < 2).then_some(OK));
        let (tally, _) = drive(closing, vec![Asks(100)], Pace::Closed, Duration::MAX).unwrap();
        assert_eq!((tally.ops, tally.errors), (2, 1));
    }

    #[test]
    fn nobody_there_is_an_end_of_its_own() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let end = drive(closed, vec![Asks(2)], Pace::Closed, Duration::MAX).err().unwrap();
        assert_eq!(end.code, Exit::Unreachable);
    }

    #[test]
    fn what_a_slow_reply_delays_counts_from_when_it_was_due() {
        // One reply of 200 ms among a hundred requests that are due every 5 ms on the same connection.
        let slow = server(|number| {
            if number == 10 {
                std::thread::sleep(Duration::from_millis(200));
            }
            Some(OK)
        });
        let pace = Pace::PerSecond(200.0);
        let (tally, _) = drive(slow, vec![Asks(1_000)], pace, Duration::from_millis(500)).unwrap();
        assert_eq!((tally.ops, tally.errors), (100, 0), "{:?}", tally.first_error);
        // Forty were due during it. Without that only one of a hundred would be slow.
        assert!(tally.latencies.quantile_us(0.8).unwrap() > 50_000.0);
    }
}
