//! What becomes of good pictures, and what does not become of bad ones.

use std::io::Cursor;
use std::time::{Duration, Instant};

use gomer_core::rng::Rng;
use image::codecs::gif::GifEncoder;
use image::codecs::webp::WebPEncoder;
use image::{Delay, Frame, Rgb, Rgba, RgbaImage};

use super::*;

/// Red on the left, blue on the right.
fn two_colours(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(
        width,
        height,
        |x, _| if x < width / 2 { Rgb([220, 20, 20]) } else { Rgb([20, 20, 220]) },
    )
}

fn jpeg(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 90).encode_image(&two_colours(width, height)).unwrap();
    bytes
}

fn png(image: &RgbaImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (width, height) = image.dimensions();
    PngEncoder::new(&mut bytes).write_image(image.as_raw(), width, height, ExtendedColorType::Rgba8).unwrap();
    bytes
}

/// Behind a JPEG's first marker, what a camera writes: which way is up, a text, and where it was; `next` leads on.
fn with_exif(jpeg: &[u8], orientation: u16, next: u32) -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0".to_vec();
    let entry = |tag: u16, kind: u16, count: u32, value: u32| {
        let mut bytes = tag.to_le_bytes().to_vec();
        bytes.extend(kind.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(value.to_le_bytes());
        bytes
    };
    tiff.extend(3u16.to_le_bytes());
    tiff.extend(entry(0x010e, 2, 12, 50));
    tiff.extend(entry(0x0112, 3, 1, u32::from(orientation)));
    tiff.extend(entry(0x8825, 4, 1, 62));
    tiff.extend(next.to_le_bytes());
    assert_eq!(tiff.len(), 50);
    tiff.extend(b"SECRET PLACE");
    tiff.extend(1u16.to_le_bytes());
    tiff.extend(entry(0x0001, 2, 2, u32::from(b'N')));
    tiff.extend(next.to_le_bytes());
    let mut bytes = jpeg[..2].to_vec();
    bytes.extend(b"\xff\xe1");
    bytes.extend((tiff.len() as u16 + 8).to_be_bytes());
    bytes.extend(b"Exif\0\0");
    bytes.extend(tiff);
    bytes.extend(&jpeg[2..]);
    bytes
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// The file as it is shown: it must be of its format, and of its size.
fn decoded(file: &PictureFile) -> DynamicImage {
    let format = match file.format {
        Format::Jpg => ImageFormat::Jpeg,
        Format::Png => ImageFormat::Png,
        Format::Gif => ImageFormat::Gif,
        Format::Webp => ImageFormat::WebP,
        other => panic!("{other:?} is no picture"),
    };
    let image = image::load_from_memory_with_format(&file.bytes, format).unwrap();
    assert_eq!((image.width(), image.height()), (file.width, file.height));
    image
}

fn gif(frames: usize, side: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new_with_speed(&mut bytes, 30);
    for n in 0..frames {
        let image = RgbaImage::from_pixel(side, side, Rgba([n as u8, 0, 0, 255]));
        encoder.encode_frame(Frame::from_parts(image, 0, 0, Delay::from_numer_denom_ms(100, 1))).unwrap();
    }
    drop(encoder);
    bytes
}

/// Puts bytes behind a GIF's head and colours.
fn into_gif(gif: &[u8], block: &[u8]) -> Vec<u8> {
    let at = 13 + if gif[10] & 0x80 == 0 { 0 } else { 3 << ((gif[10] & 7) + 1) };
    [&gif[..at], block, &gif[at..]].concat()
}

fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = name.to_vec();
    bytes.extend((body.len() as u32).to_le_bytes());
    bytes.extend(body);
    bytes.extend(vec![0; body.len() % 2]);
    bytes
}

fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = [b"WEBP".to_vec(), chunks.concat()].concat();
    chunk(b"RIFF", &body)
}

fn webp_still(side: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let image = two_colours(side, side);
    WebPEncoder::new_lossless(&mut bytes)
        .encode(image.as_raw(), side, side, ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

fn webp_moving(frames: usize, side: u32, canvas: u32) -> Vec<u8> {
    let still = webp_still(side);
    let points = still[12..].to_vec();
    let u24 = |number: u32| number.to_le_bytes()[..3].to_vec();
    let head = [vec![0x02 | 0x08, 0, 0, 0], u24(canvas - 1), u24(canvas - 1)].concat();
    let frame = [u24(0), u24(0), u24(side - 1), u24(side - 1), u24(100), vec![0], points].concat();
    let mut chunks = vec![chunk(b"VP8X", &head), chunk(b"ANIM", &[0, 0, 0, 0, 0, 0])];
    chunks.extend(vec![chunk(b"ANMF", &frame); frames]);
    chunks.push(chunk(b"EXIF", b"SECRET PLACE"));
    riff(&chunks)
}

#[test]
fn a_photo_is_turned_stripped_and_made_in_sizes() {
    let original = with_exif(&jpeg(1_000, 600), 6, 0);
    assert!(holds(&original, b"SECRET PLACE"));
    let picture = develop_bytes(&original, Format::Jpg).unwrap();
    assert!(!picture.animated);
    let sizes: Vec<_> = picture.files.iter().map(|file| (file.variant, file.width, file.height)).collect();
    assert_eq!(
        sizes,
        [(Variant::Original, 600, 1_000), (Variant::Medium, 480, 800), (Variant::Small, 192, 320)],
        "a quarter turn, and no size that it does not have"
    );
    for file in &picture.files {
        assert_eq!(file.format, Format::Jpg);
        assert!(!holds(&file.bytes, b"SECRET") && !holds(&file.bytes, b"Exif"));
        let image = decoded(file).into_rgb8();
        // What was left is on top now.
        let (top, bottom) = (image.get_pixel(5, 5).0, image.get_pixel(5, file.height - 5).0);
        assert!(top[0] > 150 && bottom[2] > 150, "{top:?} {bottom:?}");
    }
    assert!(picture.blur_hash.len() > 20, "{}", picture.blur_hash);
}

#[test]
fn every_orientation_comes_out_the_right_way_up() {
    for orientation in 0..=9 {
        let picture = develop_bytes(&with_exif(&jpeg(40, 20), orientation, 0), Format::Jpg).unwrap();
        let turned = (5..=8).contains(&orientation);
        let size = (picture.files[0].width, picture.files[0].height);
        assert_eq!(size, if turned { (20, 40) } else { (40, 20) }, "{orientation}");
    }
}

#[test]
fn a_clear_png_stays_clear_and_loses_its_words_and_its_tail() {
    let image = RgbaImage::from_fn(400, 300, |x, _| Rgba([10, 200, 10, if x < 200 { 0 } else { 255 }]));
    let mut bytes = png(&image);
    let text = b"tEXtComment\0SECRET PLACE";
    let mut block = ((text.len() - 4) as u32).to_be_bytes().to_vec();
    block.extend(text);
    block.extend(crc32fast::hash(text).to_be_bytes());
    bytes.splice(33..33, block);
    // Two files in one: an archive stands behind the picture.
    bytes.extend(b"PK\x03\x04 SECRET ARCHIVE");
    let picture = develop_bytes(&bytes, Format::Png).unwrap();
    assert_eq!(picture.files.len(), 2);
    for file in &picture.files {
        assert_eq!(file.format, Format::Png);
        assert!(!holds(&file.bytes, b"SECRET") && !holds(&file.bytes, b"PK\x03\x04"));
        let image = decoded(file).into_rgba8();
        assert_eq!((image.get_pixel(3, 3).0[3], image.get_pixel(file.width - 3, 3).0[3]), (0, 255));
    }
    // One that only could be clear is not: its smaller sizes are JPEG, itself it stays lossless.
    let opaque = RgbaImage::from_pixel(400, 300, Rgba([1, 2, 3, 255]));
    let formats: Vec<_> =
        develop_bytes(&png(&opaque), Format::Png).unwrap().files.iter().map(|file| file.format).collect();
    assert_eq!(formats, [Format::Png, Format::Jpg]);
}

#[test]
fn a_moving_gif_moves_on_without_its_words() {
    let plain = gif(3, 40);
    let comment = b"\x21\xfe\x0cSECRET PLACE\0";
    let editor = b"\x21\xff\x0bXMP DataXMP\x06SECRET\0";
    let looped = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0";
    let mut bytes = into_gif(&plain, &[&comment[..], &editor[..], &looped[..]].concat());
    bytes.extend(b"PK\x03\x04 SECRET ARCHIVE");
    let picture = develop_bytes(&bytes, Format::Gif).unwrap();
    assert!(picture.animated);
    let original = &picture.files[0];
    assert_eq!((original.format, original.width), (Format::Gif, 40));
    assert!(!holds(&original.bytes, b"SECRET") && holds(&original.bytes, b"NETSCAPE2.0"));
    assert_eq!(
        moving::gif(&original.bytes).unwrap(),
        moving::Moving { frames: 3, bytes: original.bytes.clone() }
    );
    decoded(original);
    // And there is a still one for who wants none that moves.
    assert_eq!((picture.files[1].variant, picture.files[1].format), (Variant::Large, Format::Jpg));
    // One frame does not move.
    let still = develop_bytes(&gif(1, 40), Format::Gif).unwrap();
    assert_eq!((still.animated, still.files[0].format), (false, Format::Png));
}

#[test]
fn a_webp_still_or_moving_is_shown_everywhere_and_without_its_words() {
    let still = develop_bytes(&webp_still(50), Format::Webp).unwrap();
    assert_eq!((still.animated, still.files[0].format, still.files[0].width), (false, Format::Jpg, 50));
    let moving = develop_bytes(&webp_moving(3, 50, 50), Format::Webp).unwrap();
    let original = &moving.files[0];
    assert_eq!((moving.animated, original.format), (true, Format::Webp));
    assert!(!holds(&original.bytes, b"SECRET") && !holds(&original.bytes, b"EXIF"));
    decoded(original);
    assert_eq!(moving::webp(&original.bytes).unwrap().frames, 3);
}

/// A PNG's head for so many points, and nothing behind it.
fn png_head(width: u32, height: u32) -> Vec<u8> {
    let mut head = b"IHDR".to_vec();
    head.extend(width.to_be_bytes());
    head.extend(height.to_be_bytes());
    head.extend([8, 6, 0, 0, 0]);
    let sum = crc32fast::hash(&head);
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\r".to_vec();
    bytes.extend(head);
    bytes.extend(sum.to_be_bytes());
    let data = b"IDAT\x78\x9c\x03\0\0\0\0\x01";
    bytes.extend(((data.len() - 4) as u32).to_be_bytes());
    bytes.extend(data);
    bytes.extend(crc32fast::hash(data).to_be_bytes());
    bytes
}

/// A JPEG that claims another size.
fn jpeg_claiming(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = jpeg(16, 16);
    let at = bytes.windows(2).position(|pair| pair == b"\xff\xc0").unwrap();
    bytes[at + 5..at + 7].copy_from_slice(&height.to_be_bytes());
    bytes[at + 7..at + 9].copy_from_slice(&width.to_be_bytes());
    bytes
}

/// Files that are to cost more than they are worth.
pub fn bombs() -> Vec<(&'static str, Format, Vec<u8>)> {
    let mut wide_gif = gif(1, 10);
    // The frame is larger than the picture.
    let at = wide_gif.iter().position(|&byte| byte == 0x2c).unwrap();
    wide_gif[at + 5..at + 9].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
    let mut huge_gif = gif(1, 10);
    huge_gif[6..10].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
    huge_gif[at + 5..at + 9].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
    vec![
        ("a PNG of 60,000 by 60,000", Format::Png, png_head(60_000, 60_000)),
        ("a PNG of 8,000 by 5,000 of nothing", Format::Png, png_head(8_000, 5_000)),
        ("a PNG of 8,193 by 1", Format::Png, png_head(8_193, 1)),
        ("a PNG of no points", Format::Png, png_head(0, 5)),
        ("a JPEG of 65,535 by 65,535", Format::Jpg, jpeg_claiming(65_535, 65_535)),
        ("a JPEG of 8,000 by 8,000", Format::Jpg, jpeg_claiming(8_000, 8_000)),
        ("a GIF of 10,000 frames", Format::Gif, gif_of_frames(10_000)),
        ("a GIF of 201 frames", Format::Gif, gif_of_frames(201)),
        ("a GIF whose frame is larger than itself", Format::Gif, wide_gif),
        ("a GIF of 65,535 by 65,535", Format::Gif, huge_gif),
        ("a WebP of 16,777,216 by 16,777,216", Format::Webp, webp_moving(1, 50, 1 << 24)),
        ("a WebP of 201 frames", Format::Webp, webp_moving(201, 10, 10)),
        ("a WebP whose frame is larger than itself", Format::Webp, webp_moving(2, 50, 10)),
    ]
}

/// Frames as short as they can be.
fn gif_of_frames(frames: usize) -> Vec<u8> {
    let mut bytes = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff".to_vec();
    for _ in 0..frames {
        bytes.extend(b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0");
    }
    bytes.push(0x3b);
    bytes
}

#[test]
fn bombs_are_refused_before_they_cost_anything() {
    for (name, format, bytes) in bombs() {
        let begun = Instant::now();
        assert!(develop_bytes(&bytes, format).is_err(), "{name} is taken");
        assert!(begun.elapsed() < Duration::from_secs(1), "{name} took {:?}", begun.elapsed());
    }
    assert_eq!(moving::gif(&gif_of_frames(200)).unwrap().frames, 200, "so many are allowed");
    let too_large = develop(Box::new(Cursor::new(Vec::new())), PICTURE_BYTES_MAX + 1, Format::Jpg);
    assert!(matches!(too_large, Err(Unfit::TooLarge(_))));
}

#[test]
fn circles_in_what_the_camera_wrote_lead_nowhere() {
    // The list of facts goes on at itself, at its own middle, and beyond the end.
    for next in [8, 20, 50, 62, u32::MAX, u32::MAX / 2] {
        let picture = develop_bytes(&with_exif(&jpeg(40, 20), 6, next), Format::Jpg).unwrap();
        assert_eq!(picture.files[0].width, 20);
    }
}

#[test]
fn what_is_called_otherwise_or_is_no_picture_is_refused() {
    let (jpg, png, gif, webp) = (jpeg(40, 20), png(&RgbaImage::new(4, 4)), gif(2, 10), webp_still(10));
    for (format, wrong) in [
        (Format::Jpg, [&png, &gif, &webp]),
        (Format::Png, [&jpg, &gif, &webp]),
        (Format::Gif, [&jpg, &png, &webp]),
        (Format::Webp, [&jpg, &png, &gif]),
    ] {
        for bytes in wrong {
            assert!(develop_bytes(bytes, format).is_err(), "{format:?}");
        }
        for bytes in [&b""[..], b"\0", b"<svg xmlns='http://www.w3.org/2000/svg'/>"] {
            assert!(develop_bytes(bytes, format).is_err(), "{format:?} {bytes:?}");
        }
    }
    assert!(develop_bytes(&jpg, Format::Pdf).is_err());
}

#[test]
fn cut_and_garbled_pictures_never_panic() {
    let whole = [
        (Format::Jpg, with_exif(&jpeg(40, 20), 3, 0)),
        (Format::Png, png(&two_colours_clear())),
        (Format::Gif, gif(3, 20)),
        (Format::Webp, webp_moving(2, 20, 20)),
        (Format::Webp, webp_still(20)),
    ];
    let mut rng = Rng::new(20_261_123);
    for (format, bytes) in &whole {
        for length in 0..bytes.len() {
            if length % 3 == 0 || length < 64 {
                let _ = develop_bytes(&bytes[..length], *format);
            }
        }
        for _ in 0..300 {
            let mut garbled = bytes.clone();
            for _ in 0..1 + rng.next_u64() % 4 {
                let at = (rng.next_u64() % garbled.len() as u64) as usize;
                garbled[at] = rng.next_u64() as u8;
            }
            if let Ok(picture) = develop_bytes(&garbled, *format) {
                for file in &picture.files {
                    assert!(u64::from(file.width) * u64::from(file.height) <= POINTS_MAX);
                }
            }
        }
    }
}

fn two_colours_clear() -> RgbaImage {
    RgbaImage::from_fn(30, 20, |x, y| Rgba([x as u8, y as u8, 7, (x * 8) as u8]))
}
