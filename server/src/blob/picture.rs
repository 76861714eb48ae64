//! Pictures: from what was uploaded to what is shown.
//!
//! Everything is looked at before anything is decoded: width, height, number of frames, how much would come out of
//! how little. A still picture is decoded, turned the right way up, and written anew; of what the camera wrote about
//! itself (place, time, serial number) and of whatever else was hidden in the file nothing is left, because nothing
//! is copied but points and, if it is one of red, green and blue, the colour profile. What moves is copied block by
//! block ([`super::moving`]), only the blocks that make the picture.
//!
//! Must never learn: where bytes come from, and who uploaded them. Runs where long work may block.

use std::io::{BufReader, Read};

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageFormat, ImageReader, Limits, RgbImage,
    RgbaImage,
};

use super::moving;
use super::sniff::Format;
use super::{Source, Variant};

/// Most points of a side.
pub const SIDE_MAX: u32 = 8_192;
/// Most points.
pub const POINTS_MAX: u64 = 40_000_000;
/// Most points of a picture that has next to nothing in it.
pub const POINTS_FLAT_MAX: u64 = 12_000_000;
/// Beyond [`POINTS_FLAT_MAX`], a file has at least one byte for so many points.
const POINTS_PER_BYTE_MAX: u64 = 50;
/// Most frames of a picture that moves.
pub const FRAMES_MAX: usize = 200;
/// Largest picture as a file.
pub const PICTURE_BYTES_MAX: u64 = 20 * 1024 * 1024;
/// Most memory that a decoder may ask for.
const DECODER_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Why a picture is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// It exceeds a bound.
    TooLarge(String),
    /// It cannot be read.
    Damaged(String),
}

/// A picture in all its sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Whether it moves.
    pub animated: bool,
    /// What to show while it is on its way.
    pub blur_hash: String,
    /// Its files; the original is the first, then from large to small.
    pub files: Vec<PictureFile>,
}

/// A file of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureFile {
    /// Which it is.
    pub variant: Variant,
    /// What it is.
    pub format: Format,
    /// Its width.
    pub width: u32,
    /// Its height.
    pub height: u32,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Sizes that are made, if the picture is larger.
const SIZES: [(Variant, u32, u8); 3] =
    [(Variant::Large, 1_600, 85), (Variant::Medium, 800, 80), (Variant::Small, 320, 75)];
/// Quality of an original as JPEG.
const ORIGINAL_QUALITY: u8 = 90;

/// Reads a picture of `bytes` bytes and makes its sizes.
pub fn develop(source: Box<dyn Source>, bytes: u64, format: Format) -> Result<Picture, Unfit> {
    if bytes > PICTURE_BYTES_MAX {
        return Err(Unfit::TooLarge("A picture has at most 20 MiB.".to_owned()));
    }
    let mut file = Vec::with_capacity(bytes as usize);
    source
        .take(PICTURE_BYTES_MAX + 1)
        .read_to_end(&mut file)
        .map_err(|error| Unfit::Damaged(error.to_string()))?;
    develop_bytes(&file, format)
}

/// The same of bytes in memory.
pub fn develop_bytes(file: &[u8], format: Format) -> Result<Picture, Unfit> {
    // Before the decoder sees it: its blocks, if it may move.
    let moving = match format {
        Format::Gif => Some(moving::gif(file)?),
        Format::Webp => Some(moving::webp(file)?),
        _ => None,
    };
    let moving = moving.filter(|moving| moving.frames > 1);
    let Decoded { still, profile } = decode(file, format)?;
    let (width, height) = still.size();
    let original = match moving {
        Some(moving) => {
            PictureFile { variant: Variant::Original, format, width, height, bytes: moving.bytes }
        }
        None => {
            let lossless = matches!(format, Format::Png | Format::Gif);
            encode(&still, Variant::Original, lossless, ORIGINAL_QUALITY, profile.as_deref())?
        }
    };
    let animated = original.format == Format::Gif || original.format == Format::Webp;
    let mut files = vec![original];
    // Each from the one before: from large to small it is less and less work.
    let mut from = still;
    for (variant, side, quality) in SIZES {
        if let Some(smaller) = from.within(side) {
            from = smaller;
        } else if !(animated && variant == Variant::Large) {
            // It is not larger than that. What moves has one still at least.
            continue;
        }
        files.push(encode(&from, variant, false, quality, profile.as_deref())?);
    }
    let blur_hash = from.blur_hash()?;
    Ok(Picture { animated, blur_hash, files })
}

/// A decoded picture: with or without transparency.
enum Still {
    Opaque(RgbImage),
    Clear(RgbaImage),
}

struct Decoded {
    still: Still,
    /// The colour profile, if it is one of red, green and blue.
    profile: Option<Vec<u8>>,
}

fn damaged(error: impl std::fmt::Display) -> Unfit {
    Unfit::Damaged(error.to_string())
}

fn check_size(width: u32, height: u32, bytes: u64) -> Result<(), Unfit> {
    let points = u64::from(width) * u64::from(height);
    if points == 0 {
        return Err(Unfit::Damaged("it has no points".to_owned()));
    }
    if width > SIDE_MAX || height > SIDE_MAX || points > POINTS_MAX {
        return Err(Unfit::TooLarge(format!(
            "A picture has at most {SIDE_MAX} points on a side and 40 million in all; this has {width} by {height}."
        )));
    }
    if points > POINTS_FLAT_MAX && points / POINTS_PER_BYTE_MAX > bytes {
        return Err(Unfit::TooLarge(format!("{width} by {height} points of nearly nothing are not taken.")));
    }
    Ok(())
}

fn decode(file: &[u8], format: Format) -> Result<Decoded, Unfit> {
    let format = match format {
        Format::Jpg => ImageFormat::Jpeg,
        Format::Png => ImageFormat::Png,
        Format::Gif => ImageFormat::Gif,
        Format::Webp => ImageFormat::WebP,
        _ => return Err(Unfit::Damaged("it is no picture".to_owned())),
    };
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(DECODER_BYTES_MAX);
    let mut reader = ImageReader::with_format(BufReader::new(std::io::Cursor::new(file)), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| match error {
        image::ImageError::Limits(_) => {
            Unfit::TooLarge("The picture exceeds what is decoded here: 8,192 points on a side.".to_owned())
        }
        error => damaged(error),
    })?;
    let (width, height) = decoder.dimensions();
    check_size(width, height, file.len() as u64)?;
    // An orientation that cannot be read is none.
    let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let profile = decoder
        .icc_profile()
        .ok()
        .flatten()
        .filter(|profile| profile.len() <= PROFILE_BYTES_MAX && profile.get(16..20) == Some(b"RGB "));
    let mut image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    image.apply_orientation(orientation);
    let still = if image.color().has_alpha() {
        let clear = image.into_rgba8();
        if clear.pixels().all(|point| point.0[3] == u8::MAX) {
            Still::Opaque(DynamicImage::ImageRgba8(clear).into_rgb8())
        } else {
            Still::Clear(clear)
        }
    } else {
        Still::Opaque(image.into_rgb8())
    };
    Ok(Decoded { still, profile })
}

/// Largest colour profile that is taken along.
const PROFILE_BYTES_MAX: usize = 64 * 1024;

impl Still {
    fn size(&self) -> (u32, u32) {
        match self {
            Still::Opaque(image) => image.dimensions(),
            Still::Clear(image) => image.dimensions(),
        }
    }

    /// The same, smaller, so that no side is longer; nothing if it is small enough.
    fn within(&self, side: u32) -> Option<Still> {
        let (width, height) = self.size();
        let longest = width.max(height);
        if longest <= side {
            return None;
        }
        let scaled = |points: u32| {
            ((u64::from(points) * u64::from(side) + u64::from(longest) / 2) / u64::from(longest)).max(1)
                as u32
        };
        let (width, height) = (scaled(width), scaled(height));
        Some(match self {
            Still::Opaque(image) => Still::Opaque(image::imageops::thumbnail(image, width, height)),
            Still::Clear(image) => Still::Clear(image::imageops::thumbnail(image, width, height)),
        })
    }

    fn blur_hash(&self) -> Result<String, Unfit> {
        let small = self.within(BLUR_SIDE);
        let still = small.as_ref().unwrap_or(self);
        let points = match still {
            Still::Opaque(image) => DynamicImage::ImageRgb8(image.clone()).into_rgba8(),
            Still::Clear(image) => image.clone(),
        };
        let (width, height) = points.dimensions();
        let (across, down) = if width >= height { (4, 3) } else { (3, 4) };
        blurhash::encode(across, down, width, height, points.as_raw()).map_err(damaged)
    }
}

/// Longest side of what a blur hash is made from.
const BLUR_SIDE: u32 = 32;

/// Writes one file: what is clear, or was lossless and is to stay so, as PNG, all else as JPEG.
fn encode(
    still: &Still,
    variant: Variant,
    lossless: bool,
    quality: u8,
    profile: Option<&[u8]>,
) -> Result<PictureFile, Unfit> {
    let (width, height) = still.size();
    let mut bytes = Vec::new();
    let (points, color) = match still {
        Still::Opaque(image) => (image.as_raw(), ExtendedColorType::Rgb8),
        Still::Clear(image) => (image.as_raw(), ExtendedColorType::Rgba8),
    };
    let with_profile = |encoder: &mut dyn FnMut(Vec<u8>)| {
        if let Some(profile) = profile {
            encoder(profile.to_vec());
        }
    };
    let format = if lossless || matches!(still, Still::Clear(_)) {
        let mut encoder = PngEncoder::new(&mut bytes);
        // An encoder that takes no profile writes a picture without one.
        with_profile(&mut |profile| drop(encoder.set_icc_profile(profile)));
        encoder.write_image(points, width, height, color).map_err(damaged)?;
        Format::Png
    } else {
        let mut encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
        with_profile(&mut |profile| drop(encoder.set_icc_profile(profile)));
        encoder.write_image(points, width, height, color).map_err(damaged)?;
        Format::Jpg
    };
    Ok(PictureFile { variant, format, width, height, bytes })
}

#[cfg(test)]
#[path = "picture_test.rs"]
mod tests;
