//! Which partition a root lives in. Where partitions live is `claim`'s business, later.

pub mod partition;
