//! What is known of a finished upload: as it is stored with whatever shows it, and as clients see it.
//!
//! Facts never change. So they are copied to where they are shown, and reading a post with pictures reads no more
//! rows than reading one without.

use std::time::Duration;

use gomer_core::id::Id;
use gomer_core::meta::state::App;
use gomer_core::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::blob::sign::Signed;
use crate::blob::sniff::{Format, MediaKind};
use crate::blob::{Key, Object, Variant, hex, unhex};
use crate::types::Uuid;

/// How long an address of something that is not for everybody is good, at least.
pub const ADDRESS_LIFE: Duration = Duration::from_secs(24 * 3_600);

/// Addresses that are made within this span are equal, so that clients find what they have kept.
const ADDRESS_STEP_MS: u64 = 3_600_000;

/// What is stored of a finished upload. Stored data depends on it: only ever add to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// The object that holds its bytes.
    pub object: Uuid,
    /// SHA-256 of what was uploaded, in hex.
    pub sha256: String,
    /// Bytes that were uploaded.
    pub uploaded: u64,
    /// Whether it is a picture that moves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub animated: bool,
    /// What to show of a picture while it is on its way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blur_hash: Option<String>,
    /// Its files; the original is the first.
    pub files: Vec<FileFacts>,
}

/// What is stored of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileFacts {
    /// Which it is.
    pub variant: Variant,
    /// What it is.
    pub format: Format,
    /// Its size.
    pub bytes: u64,
    /// Of a picture: its width, in points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Of a picture: its height, in points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
}

/// A finished upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Media {
    /// Its id: that of the upload.
    pub id: Uuid,
    /// What can be done with it.
    pub kind: MediaKind,
    /// Its content type, by its bytes.
    #[serde(rename = "type")]
    pub content_type: String,
    /// Its size, in bytes. Of a picture, without what the camera wrote about itself.
    pub bytes: u64,
    /// Of a picture: its width, in points, the right way up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Of a picture: its height, in points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Whether it is a picture that moves. Its smaller sizes do not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub animated: bool,
    /// What to show of a picture while it is on its way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blur_hash: Option<String>,
    /// Where it is: a path on this server that needs no headers. Of what everybody may see, good for good; else for a
    /// day, and then to be asked for again.
    pub url: String,
    /// Smaller sizes of a picture, the largest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sizes: Vec<MediaSize>,
}

/// A smaller size of a picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MediaSize {
    /// `large`: at most 1,600 points wide and high; `medium`: 800; `small`: 320.
    pub name: &'static str,
    /// Its content type.
    #[serde(rename = "type")]
    pub content_type: &'static str,
    /// Its width, in points.
    pub width: u32,
    /// Its height, in points.
    pub height: u32,
    /// Its size, in bytes.
    pub bytes: u64,
    /// Where it is.
    pub url: String,
}

/// How long addresses are to be good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// For good: everybody may see it.
    ForGood,
    /// For a day.
    Day,
}

impl Life {
    fn until(self, now: Time) -> Option<Time> {
        match self {
            Life::ForGood => None,
            Life::Day => {
                let step = Time::from_millis(now.as_millis().div_ceil(ADDRESS_STEP_MS) * ADDRESS_STEP_MS);
                Some(step + ADDRESS_LIFE)
            }
        }
    }
}

impl Facts {
    /// The object that holds its bytes; nothing if the facts cannot be read (a newer program wrote them).
    pub fn object(&self, app: &App) -> Option<Object> {
        Some(Object { app: app.id, hash: unhex(&self.sha256)?, id: self.object.0 })
    }

    /// Whether it is a picture.
    pub fn is_image(&self) -> bool {
        self.files.first().is_some_and(|file| file.format.kind() == MediaKind::Image)
    }

    /// As clients see it.
    pub fn show(&self, app: &App, id: Id, life: Life, now: Time) -> Option<Media> {
        let object = self.object(app)?;
        let until = life.until(now);
        let url = |file: &FileFacts| {
            Signed::Blob(Key { object, variant: file.variant }, file.format).address(app, until)
        };
        let (original, sizes) = self.files.split_first()?;
        Some(Media {
            id: Uuid(id),
            kind: original.format.kind(),
            content_type: original.format.content_type().to_owned(),
            bytes: original.bytes,
            width: original.width,
            height: original.height,
            animated: self.animated,
            blur_hash: self.blur_hash.clone(),
            url: url(original),
            sizes: sizes
                .iter()
                .map(|file| MediaSize {
                    name: file.variant.name(),
                    content_type: file.format.content_type(),
                    width: file.width.unwrap_or(0),
                    height: file.height.unwrap_or(0),
                    bytes: file.bytes,
                    url: url(file),
                })
                .collect(),
        })
    }
}

/// A SHA-256 as 64 hex digits; answered lower-case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sha256Hex(pub [u8; 32]);

impl<'de> Deserialize<'de> for Sha256Hex {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Sha256Hex, D::Error> {
        let text = String::deserialize(from)?;
        unhex(&text)
            .map(Sha256Hex)
            .ok_or_else(|| serde::de::Error::custom("format: a SHA-256 is 64 hex digits"))
    }
}

impl Sha256Hex {
    /// Its digits.
    pub fn text(&self) -> String {
        hex(&self.0)
    }
}

impl JsonSchema for Sha256Hex {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Sha256".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-fA-F]{64}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_hour_are_equal_and_good_for_a_day() {
        let hour = 1_795_392_000_000;
        let until = |ms| Life::Day.until(Time::from_millis(ms)).unwrap().as_millis();
        assert_eq!(until(hour + 1), until(hour + 3_600_000));
        assert_ne!(until(hour + 1), until(hour + 3_600_001));
        assert!(until(hour + 3_600_000) - (hour + 3_600_000) >= 24 * 3_600_000);
        assert_eq!(Life::ForGood.until(Time::ZERO), None);
    }

    #[test]
    fn facts_survive_their_text_and_what_is_missing_is_as_it_was() {
        let text = r#"{"object":"0190a6b2-5c1e-7a3b-8f00-0123456789ab","sha256":"ab","uploaded":7,
            "files":[{"variant":"original","format":"mp4","bytes":7}]}"#;
        let facts: Facts = serde_json::from_str(text).unwrap();
        assert!(!facts.is_image() && !facts.animated);
        assert_eq!(serde_json::from_str::<Facts>(&serde_json::to_string(&facts).unwrap()).unwrap(), facts);
        let app = crate::host::nowhere();
        assert_eq!(facts.show(&app, Id::NIL, Life::Day, Time::ZERO), None, "a hash that is none");
    }
}
