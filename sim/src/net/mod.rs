//! The network between phones and members, link by link: what the simulator's own does not do. A connection of
//! a phone goes through a [`stream`] that delays, loses, resets and forgets what the link's state says.
//!
//! Reading order: here (links and what is wrong with them), [`stream`] (what carries bytes), [`http`] (a client).

pub mod http;
mod stream;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use crate::chance::Chance;
use crate::marks::Marks;
use crate::plan::Link;
use crate::trace::Trace;

/// All links of a run. Cheap to clone; all clones are one network.
#[derive(Clone)]
pub struct Net {
    chance: Chance,
    marks: Marks,
    trace: Trace,
    lines: Arc<Mutex<BTreeMap<Link, watch::Sender<Line>>>>,
}

/// What is wrong with a link. So often is in a million chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Line {
    /// How long a chunk takes beside what every packet takes, on the average.
    pub mean_us: u64,
    /// How often it takes very long.
    pub tail_per_million: u32,
    /// How long that is.
    pub tail_ms: u64,
    /// How often a packet is lost and sent again.
    pub lossy: u32,
    /// How often the connection is reset in the middle.
    pub reset: u32,
    /// How often one end forgets the connection.
    pub half_open: u32,
    /// How many faults stop what goes to the member, and what comes from it.
    pub cuts: (u32, u32),
    /// How many of these are of a link that flaps.
    pub flaps: u32,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To the member.
    To,
    /// From the member.
    From,
}

/// What becomes of a chunk of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It arrives after this.
    Arrives(Duration),
    /// So many bytes of it arrive, and then the connection is gone.
    Reset(usize),
    /// It is never seen again, and neither is what follows, and nobody is told.
    Forgotten,
}

/// How long a lost packet takes until it is sent again, and how often at most in a row.
const RESEND: Duration = Duration::from_millis(200);
const RESENT_MAX: u32 = 6;

impl Net {
    /// A network on which nothing is wrong.
    pub fn new(chance: Chance, marks: Marks, trace: Trace) -> Net {
        Net { chance, marks, trace, lines: Arc::default() }
    }

    /// Changes what is wrong with a link.
    pub fn change(&self, link: Link, change: impl FnOnce(&mut Line)) {
        let mut lines = self.lines.lock().expect(UNPOISONED);
        lines.entry(link).or_insert_with(|| watch::channel(Line::default()).0).send_modify(change);
    }

    /// Ends everything that is wrong.
    pub fn heal(&self) {
        for line in self.lines.lock().expect(UNPOISONED).values() {
            line.send_modify(|line| *line = Line::default());
        }
    }

    fn line(&self, link: Link) -> watch::Receiver<Line> {
        let mut lines = self.lines.lock().expect(UNPOISONED);
        lines.entry(link).or_insert_with(|| watch::channel(Line::default()).0).subscribe()
    }

    /// What becomes of the next chunk of this link.
    fn fate(&self, site: &str, line: Line, bytes: usize) -> Fate {
        if self.chance.per_million(&format!("{site} reset"), line.reset) {
            self.marks.hit("connection reset");
            return Fate::Reset(self.chance.below(site, bytes as u64 + 1) as usize);
        }
        if self.chance.per_million(&format!("{site} half"), line.half_open) {
            self.marks.hit("connection half open");
            return Fate::Forgotten;
        }
        let mut takes = match line.mean_us {
            0 => Duration::ZERO,
            mean => Duration::from_micros(self.chance.around(&format!("{site} delay"), mean)),
        };
        if self.chance.per_million(&format!("{site} tail"), line.tail_per_million) {
            self.marks.hit("packet late");
            takes += Duration::from_millis(line.tail_ms);
        }
        let mut again = RESEND;
        for _ in 0..RESENT_MAX {
            if !self.chance.per_million(&format!("{site} loss"), line.lossy) {
                break;
            }
            self.marks.hit("packet lost");
            takes += again;
            again *= 2;
        }
        Fate::Arrives(takes)
    }
}

impl Line {
    fn is_cut(&self, way: Way) -> bool {
        match way {
            Way::To => self.cuts.0 > 0,
            Way::From => self.cuts.1 > 0,
        }
    }
}

const UNPOISONED: &str = "nothing panics under this lock";
