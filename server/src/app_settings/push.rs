//! Settings of push.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What push services may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Push {
    /// Of a notification that is pushed.
    pub show: Show,
}

/// What is pushed of a notification. Its kind and ids go along in any case, for the app on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Show {
    /// That there is news.
    Nothing,
    /// What happened, and the name of who did it.
    #[default]
    Names,
    /// The beginning of what was written, too.
    Texts,
}
