//! What happened to a thing, in groups: one for each verb and day, in UTC.
//!
//! Days bound the groups, so that a page knows when it has all of one; a cursor names the verbs of its day that were shown,
//! so that no group comes twice, and when the first page was made, so that what happens later changes no group behind it.

use std::collections::BTreeSet;

use gomer_core::id::{Id, RootKind};
use gomer_core::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shown::{Eyes, address, person};
use super::source::{Happened, Start, merged};
use super::vocabulary::Thing;
use super::{ActivityId, ListByObject, Verb};
use crate::methods::profile::view::People;
use crate::registry::{Call, Reply, Stop};
use crate::types::{Page, Timestamp};
use crate::visibility::Sight;

/// Most actors of a group that are named.
const ACTORS_MAX: usize = 3;
/// Activities that are read at once.
const CHUNK: u32 = 100;
/// Most activities that one page looks at.
const SCAN_MAX: usize = 1_000;

/// What people did to a thing in one way on one day.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActivityGroup {
    /// What they did.
    verb: Verb,
    /// The address of the thing: like `gomer:post:UUID`.
    object: String,
    /// Who did it: up to 3, the latest first.
    actors: Vec<Thing>,
    /// How many people did it that day, among the 1,000 activities that a page looks at.
    count: u32,
    /// The id of the latest activity of the group.
    latest: String,
    /// When that came.
    published: Timestamp,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    start: Start,
    /// The day of that place, if it is within one.
    day: Option<u64>,
    /// Verbs of that day that were shown.
    shown: Vec<Verb>,
    /// When the newest came that the first page looked at, if there was one: the pages after it leave out what is newer.
    newest: Option<Time>,
}

impl Place {
    fn first(start: Start) -> Place {
        Place { start, day: None, shown: Vec::new(), newest: None }
    }
}

/// A group that is being gathered.
struct Group {
    day: u64,
    latest: Happened,
    /// Each once, the latest first.
    actors: Vec<Id>,
    known: BTreeSet<Id>,
}

/// Lists them.
pub async fn list(call: Call, args: ListByObject) -> Result<Reply<Page<ActivityGroup>>, Stop> {
    let list = args.list("activity.listGrouped");
    let place: Option<Place> = call.open_cursor(&list, args.cursor.as_deref())?;
    let mut eyes = Eyes::new(&call);
    let (root, sources) = args.sources(&call, &mut eyes.reader).await?;
    let place = place.unwrap_or_else(|| Place::first(Start::newest(&sources)));
    let mut page = Gathered::new(place, args.limit.0 as usize);
    let end = loop {
        let (chunk, end) = merged(&call, &sources, page.at.clone(), CHUNK).await?;
        let seen = seen(&mut eyes, &chunk).await?;
        if chunk.into_iter().zip(seen).any(|((it, after), seen)| !page.take(it, after, seen)) {
            break false;
        }
        if end || page.scanned >= SCAN_MAX {
            break end && !page.left_out;
        }
    };
    let cursor = Some(call.seal_cursor(&list, &page.next()));
    let mut items = Vec::with_capacity(page.groups.len());
    for group in page.groups {
        let named = &group.actors[..group.actors.len().min(ACTORS_MAX)];
        let actors = People::new(&call).profiles(named).await?;
        let Happened { verb, actor, object, time } = group.latest;
        items.push(ActivityGroup {
            verb,
            object: address(root),
            actors: actors.iter().flatten().map(person).collect(),
            count: group.actors.len() as u32,
            latest: ActivityId { verb, actor, object }.to_string(),
            published: Timestamp(time),
        });
    }
    Ok(Reply::new(Page { items, cursor, end }))
}

/// Of which of these the caller may see actor, object and target. The thing itself was looked at before.
async fn seen(eyes: &mut Eyes<'_>, chunk: &[(Happened, Start)]) -> Result<Vec<bool>, Stop> {
    let actors: BTreeSet<Id> = chunk.iter().map(|(it, _)| it.actor).collect();
    let people: BTreeSet<Id> = eyes.reader.profiles(actors).await?.into_iter().collect();
    let mut seen = Vec::with_capacity(chunk.len());
    for (it, _) in chunk {
        seen.push(match (it.verb, it.object.kind) {
            _ if !people.contains(&it.actor) => false,
            (Verb::Create, RootKind::Reply) => eyes.reply(it.object.id, it.actor).await?.is_some(),
            // Whom a private profile follows is not for everybody.
            (Verb::Follow, _) => eyes.reader.sight_of_profile(it.actor).await? == Sight::Whole,
            _ => true,
        });
    }
    Ok(seen)
}

/// The groups of one page, and how far it has come.
struct Gathered {
    limit: usize,
    groups: Vec<Group>,
    /// Behind what was looked at last.
    at: Start,
    day: Option<u64>,
    day_start: Start,
    /// Verbs of the day that earlier pages have shown.
    shown: Vec<Verb>,
    newest: Option<Time>,
    /// There was no room for a group of the day.
    left_out: bool,
    scanned: usize,
}

impl Gathered {
    fn new(Place { start, day, shown, newest }: Place, limit: usize) -> Gathered {
        let (day_start, groups) = (start.clone(), Vec::new());
        Gathered { limit, groups, at: start, day, day_start, shown, newest, left_out: false, scanned: 0 }
    }

    /// Takes the next activity; says no where the page ends before it.
    fn take(&mut self, it: Happened, after: Start, seen: bool) -> bool {
        if it.time > *self.newest.get_or_insert(it.time) {
            self.at = after;
            self.scanned += 1;
            return true;
        }
        let day = it.time.as_millis() / (24 * 60 * 60 * 1_000);
        if self.day != Some(day) {
            if self.left_out || self.groups.len() >= self.limit {
                return false;
            }
            (self.day, self.day_start) = (Some(day), self.at.clone());
            self.shown.clear();
        }
        self.at = after;
        self.scanned += 1;
        if !seen || self.shown.contains(&it.verb) {
            return true;
        }
        let same = |group: &Group| group.day == day && group.latest.verb == it.verb;
        match self.groups.iter().position(same) {
            Some(at) => {
                if self.groups[at].known.insert(it.actor) {
                    self.groups[at].actors.push(it.actor);
                }
            }
            None if self.groups.len() < self.limit => {
                let (actors, known) = (vec![it.actor], BTreeSet::from([it.actor]));
                self.groups.push(Group { day, latest: it, actors, known });
            }
            None => self.left_out = true,
        }
        true
    }

    /// Where the next page begins: at the day again, if something of it was left out.
    fn next(&self) -> Place {
        let today = self.groups.iter().filter(|group| Some(group.day) == self.day);
        let shown = self.shown.iter().copied().chain(today.map(|group| group.latest.verb)).collect();
        let start = if self.left_out { &self.day_start } else { &self.at };
        Place { start: start.clone(), day: self.day, shown, newest: self.newest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gomer_core::id::Root;

    const DAY: u64 = 24 * 60 * 60 * 1_000;

    fn happened(verb: Verb, actor: u8, day: u64) -> Happened {
        let time = Time::from_millis(day * DAY + 1);
        Happened { verb, actor: Id::from_bytes([actor; 16]), object: Root::post(Id::NIL), time }
    }

    /// All pages of a list, each group as its verb, its day and how many did it.
    fn pages(all: &[(Happened, bool)], limit: usize) -> Vec<Vec<(Verb, u64, usize)>> {
        let mut pages = Vec::new();
        let mut place = Place::first(Start::at(0));
        loop {
            let mut page = Gathered::new(place.clone(), limit);
            let from = place.start.count();
            let rest = all.iter().enumerate().skip(from);
            let whole = rest.map(|(at, (it, seen))| (*it, Start::at(at + 1), *seen));
            let whole =
                whole.collect::<Vec<_>>().into_iter().all(|(it, after, seen)| page.take(it, after, seen));
            place = page.next();
            let groups = page.groups.iter().map(|group| (group.latest.verb, group.day, group.actors.len()));
            pages.push(groups.collect());
            if whole && !page.left_out {
                return pages;
            }
        }
    }

    #[test]
    fn groups_are_the_same_whatever_the_size_of_pages() {
        use Verb::{Create, Like};
        let all = [
            (happened(Like, 1, 9), true),
            (happened(Create, 2, 9), true),
            (happened(Like, 3, 9), true),
            (happened(Like, 1, 9), true),
            (happened(Like, 4, 9), false),
            (happened(Create, 2, 7), false),
            (happened(Like, 2, 7), true),
            (happened(Create, 5, 7), true),
            (happened(Create, 6, 7), true),
        ];
        let wanted = vec![(Like, 9, 2), (Create, 9, 1), (Like, 7, 1), (Create, 7, 2)];
        for limit in 1..6 {
            let pages = pages(&all, limit);
            assert!(pages.iter().all(|page| page.len() <= limit), "{limit}");
            assert_eq!(pages.concat(), wanted, "{limit}");
        }
        assert_eq!(pages(&[], 1), [vec![]]);
    }

    #[test]
    fn what_happens_between_two_pages_changes_no_group_of_the_second() {
        use Verb::{Create, Like};
        let take = |page: &mut Gathered, all: &[Happened]| {
            for (at, it) in all.iter().enumerate() {
                page.take(*it, Start::at(at + 1), true);
            }
        };
        let before = [happened(Create, 1, 9), happened(Like, 2, 9)];
        let mut page = Gathered::new(Place::first(Start::at(0)), 1);
        take(&mut page, &before);
        assert_eq!(page.groups[0].latest.verb, Create);
        // The day is gone through again, and somebody has done more of it: today and tomorrow.
        let (mut late, later) = (happened(Like, 3, 9), happened(Like, 4, 10));
        late.time = Time::from_millis(late.time.as_millis() + 1);
        let mut page = Gathered::new(page.next(), 1);
        take(&mut page, &[&[later, late][..], &before].concat());
        let groups: Vec<_> = page.groups.iter().map(|it| (it.latest.verb, it.actors.clone())).collect();
        assert_eq!(groups, [(Like, vec![before[1].actor])]);
    }
}
