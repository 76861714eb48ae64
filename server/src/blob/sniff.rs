//! What bytes are, by their first ones: never by what a client says.

use serde::{Deserialize, Serialize};

/// How many bytes a look takes at most.
pub const HEAD_BYTES: usize = 64;

/// What a file is. The names are part of stored facts and of addresses: never change one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "each has its content type below")]
pub enum Format {
    Jpg,
    Png,
    Gif,
    Webp,
    Mp4,
    Mov,
    Webm,
    M4a,
    Mp3,
    Ogg,
    Flac,
    Wav,
    Pdf,
    /// Anything else: handed out as bytes to be saved, whatever it is.
    Bin,
}

/// What a client can do with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// Show it.
    Image,
    /// Play it, with a picture.
    Video,
    /// Play it.
    Audio,
    /// Save it.
    File,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 14] = [
        Format::Jpg,
        Format::Png,
        Format::Gif,
        Format::Webp,
        Format::Mp4,
        Format::Mov,
        Format::Webm,
        Format::M4a,
        Format::Mp3,
        Format::Ogg,
        Format::Flac,
        Format::Wav,
        Format::Pdf,
        Format::Bin,
    ];

    /// Ending of file names, content type, kind: the catalogue, in one table.
    const fn facts(self) -> (&'static str, &'static str, MediaKind) {
        use MediaKind::{Audio, File, Image, Video};
        match self {
            Format::Jpg => ("jpg", "image/jpeg", Image),
            Format::Png => ("png", "image/png", Image),
            Format::Gif => ("gif", "image/gif", Image),
            Format::Webp => ("webp", "image/webp", Image),
            Format::Mp4 => ("mp4", "video/mp4", Video),
            Format::Mov => ("mov", "video/quicktime", Video),
            Format::Webm => ("webm", "video/webm", Video),
            Format::M4a => ("m4a", "audio/mp4", Audio),
            Format::Mp3 => ("mp3", "audio/mpeg", Audio),
            Format::Ogg => ("ogg", "audio/ogg", Audio),
            Format::Flac => ("flac", "audio/flac", Audio),
            Format::Wav => ("wav", "audio/wav", Audio),
            Format::Pdf => ("pdf", "application/pdf", File),
            Format::Bin => ("bin", "application/octet-stream", File),
        }
    }

    /// The ending of its file names.
    pub const fn ending(self) -> &'static str {
        self.facts().0
    }

    /// Its content type.
    pub const fn content_type(self) -> &'static str {
        self.facts().1
    }

    /// What can be done with it.
    pub const fn kind(self) -> MediaKind {
        self.facts().2
    }

    /// The format with this ending.
    pub fn with_ending(ending: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.ending() == ending)
    }

    /// Whether a client may say that bytes of this format are of this type. Of a type that is told from others by a
    /// look, only its own; any other name is the client's affair, and so is a file of no known format.
    pub fn may_be_called(self, content_type: &str) -> bool {
        let name = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let alias = match name.as_str() {
            "image/jpg" | "image/pjpeg" => "image/jpeg",
            "audio/x-m4a" | "audio/m4a" => "audio/mp4",
            "audio/x-wav" | "audio/wave" => "audio/wav",
            "audio/mp3" => "audio/mpeg",
            "audio/x-flac" => "audio/flac",
            name => name,
        };
        if alias == Format::Bin.content_type() || alias == self.content_type() {
            return true;
        }
        match (self, alias) {
            // One container holds both.
            (Format::Mp4, "audio/mp4") | (Format::M4a, "video/mp4") => true,
            (Format::Ogg, "video/ogg" | "application/ogg" | "audio/opus") | (Format::Webm, "audio/webm") => {
                true
            }
            _ => {
                self.kind() == MediaKind::File
                    && !Format::ALL.iter().any(|known| known.content_type() == alias)
            }
        }
    }
}

/// What these first bytes of a file say that it is.
pub fn sniff(head: &[u8]) -> Format {
    let at = |from: usize, wanted: &[u8]| head.get(from..).is_some_and(|rest| rest.starts_with(wanted));
    if at(0, b"\xff\xd8\xff") {
        return Format::Jpg;
    }
    if at(0, b"\x89PNG\r\n\x1a\n") {
        return Format::Png;
    }
    if at(0, b"GIF87a") || at(0, b"GIF89a") {
        return Format::Gif;
    }
    if at(0, b"RIFF") && at(8, b"WEBP") {
        return Format::Webp;
    }
    if at(0, b"RIFF") && at(8, b"WAVE") {
        return Format::Wav;
    }
    if at(4, b"ftyp") {
        return match head.get(8..12) {
            Some(b"qt  ") => Format::Mov,
            Some(b"M4A " | b"M4B ") => Format::M4a,
            Some(
                b"isom" | b"iso2" | b"iso4" | b"iso5" | b"iso6" | b"mp41" | b"mp42" | b"avc1" | b"M4V "
                | b"MSNV" | b"dash",
            ) => Format::Mp4,
            // HEIC, AVIF and others: nothing that every client can show.
            _ => Format::Bin,
        };
    }
    if at(0, b"\x1a\x45\xdf\xa3") {
        return if head.windows(4).any(|window| window == b"webm") { Format::Webm } else { Format::Bin };
    }
    if at(0, b"OggS") {
        return Format::Ogg;
    }
    if at(0, b"fLaC") {
        return Format::Flac;
    }
    if at(0, b"ID3") || matches!(head, [0xff, second, ..] if second & 0xe6 == 0xe2) {
        return Format::Mp3;
    }
    if at(0, b"%PDF-") {
        return Format::Pdf;
    }
    Format::Bin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_decide_and_nothing_that_runs_has_a_format() {
        for (head, format) in [
            (&b"\xff\xd8\xff\xe0\0\x10JFIF"[..], Format::Jpg),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Format::Png),
            (b"GIF89a\x01\0", Format::Gif),
            (b"RIFF\0\0\0\0WEBPVP8 ", Format::Webp),
            (b"RIFF\0\0\0\0WAVEfmt ", Format::Wav),
            (b"\0\0\0\x18ftypisom", Format::Mp4),
            (b"\0\0\0\x18ftypM4A ", Format::M4a),
            (b"\0\0\0\x18ftypheic", Format::Bin),
            (b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm", Format::Webm),
            (b"OggS\0", Format::Ogg),
            (b"fLaC\0", Format::Flac),
            (b"ID3\x04", Format::Mp3),
            (b"\xff\xfb\x90", Format::Mp3),
            (b"%PDF-1.7", Format::Pdf),
            (b"<svg xmlns=", Format::Bin),
            (b"<!DOCTYPE html>", Format::Bin),
            (b"#!/bin/sh", Format::Bin),
            (b"", Format::Bin),
            (b"RIFF", Format::Bin),
            (b"\0\0\0\x18ftyp", Format::Bin),
            (b"\xff\xd8", Format::Bin),
        ] {
            assert_eq!(sniff(head), format, "{head:?}");
        }
    }

    #[test]
    fn endings_and_types_are_unique_and_survive() {
        for format in Format::ALL {
            assert_eq!(Format::with_ending(format.ending()), Some(format));
            assert_eq!(
                Format::ALL.iter().filter(|other| other.content_type() == format.content_type()).count(),
                1
            );
            assert!(format.may_be_called(format.content_type()));
            assert!(format.may_be_called("application/octet-stream"), "who does not know says this");
        }
        assert_eq!(Format::with_ending("html"), None);
    }

    #[test]
    fn what_a_client_says_must_not_contradict() {
        assert!(Format::Jpg.may_be_called("IMAGE/JPG; x=y"));
        assert!(!Format::Jpg.may_be_called("image/png"));
        assert!(!Format::Bin.may_be_called("image/png"), "claims a picture, and is none");
        assert!(!Format::Jpg.may_be_called("text/html"));
        assert!(Format::Bin.may_be_called("text/html"), "kept as bytes to be saved");
        assert!(!Format::Pdf.may_be_called("video/mp4"));
    }
}
