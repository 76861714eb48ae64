//! Streams: ordered lists of Activity Streams items, owned by a root.
//!
//! The order of a stream is the order of its appends in the log, equal for everybody; no clock has a
//! say. Appending the same id again changes nothing, also after it was retracted.
//!
//! Must never learn: what a stream is for.

pub mod append;
pub mod mark;
pub mod range;
pub mod trim;
