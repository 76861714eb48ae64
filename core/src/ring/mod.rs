//! Which partition a root lives in, and which members hold it.

pub mod fixed;
pub mod partition;
