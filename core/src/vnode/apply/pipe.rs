//! A fan-out: from a link list to the roots it names, page by page, progress written with the output.

use crate::fault::Refused;
use crate::graph::link::{LinkWindow, range};
use crate::id::{AppId, Id, LinkType, Root};
use crate::mutant::Mutant;
use crate::rows::link::LinkPlace;
use crate::rows::pipe::{Pipe, key};
use crate::rows::{Edit, Txn};
use crate::store::StoreFault;

use super::super::command::{Done, Step, SteppedBody};
use super::Applier;
use super::write::Aside;

/// Links read by one command: enough that 64 partitions get steps of many roots.
pub const PIPE_PAGE: usize = 2_560;

/// Starts a pipe. The same id while it runs: unchanged.
#[allow(clippy::too_many_arguments, reason = "what an operation says and where it stands")]
pub(super) fn start(
    txn: &mut Txn<'_>,
    edit: &Edit,
    app: AppId,
    caller: Id,
    id: Id,
    links: LinkType,
    step: &Step,
    depth: u8,
    aside: &mut Aside,
) -> Result<Done, Refused> {
    let key = key(edit.place.partition, id);
    if txn.row::<Pipe>(&key)?.is_some() {
        return Ok(Done::Unchanged(edit.position));
    }
    let body = SteppedBody { app, caller, step: Step { roots: Vec::new(), ..step.clone() } };
    let body = postcard::to_stdvec(&body).expect("steps are plain data, which postcard can encode");
    let pipe = Pipe { app, root: edit.place.root, links, after: None, body, depth, sent: 0 };
    txn.put(key, &pipe)?;
    aside.pipes.push(id);
    Ok(Done::Created(edit.position))
}

impl Applier<'_, '_> {
    /// The next page of a pipe. Absent: it ended before.
    pub(super) fn pipe(&mut self, id: Id) -> Result<(), StoreFault> {
        let key = key(self.partition, id);
        let Some(pipe) = self.txn.row::<Pipe>(&key)? else {
            self.emitted.piped.push(id);
            return Ok(());
        };
        let body: SteppedBody = postcard::from_bytes(&pipe.body)
            .map_err(|e| StoreFault::Corrupt(format!("the step of pipe {id} cannot be read: {e}")))?;
        let place = self.place(pipe.app, pipe.root);
        let window = LinkWindow {
            after: pipe.after.map(|(time, to)| LinkPlace { time, to }),
            ..LinkWindow::default()
        };
        let (page, end) = range(self.txn, place, pipe.links, window, PIPE_PAGE)?;
        if let Some(last) = page.last() {
            let short = usize::from(self.mutants.has(Mutant::FanOutShort));
            let roots = page[..page.len() - short].iter().map(|view| Root::profile(view.to)).collect();
            let step = Step { roots, ..body.step };
            self.emit(pipe.app, body.caller, &step, pipe.depth)?;
            let after = Some((last.time, last.to));
            let sent = pipe.sent + page.len() as u64;
            if !end {
                self.txn.put(key.clone(), &Pipe { after, sent, ..pipe })?;
            }
        }
        if end {
            self.txn.remove(key)?;
            self.emitted.piped.push(id);
        } else {
            self.emitted.pipes.push(id);
        }
        Ok(())
    }
}
