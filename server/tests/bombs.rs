//! What a picture that is a bomb costs: memory, as the system counts it, and time. A process of its own, because the
//! most that a process ever had is all that is known of its memory.

mod pictures;

use std::time::{Duration, Instant};

use gomer::blob::picture::develop_bytes;
use gomer::blob::sniff::Format;
use pictures::{jpeg, png_head};

/// The most memory that this process ever had, in bytes.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the system tells of a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its most memory is told");
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse().expect("it is a number of KiB");
    kib * 1_024
}

/// A JPEG that claims another size.
fn jpeg_claiming(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = jpeg(16, 16);
    let at = bytes.windows(2).position(|pair| pair == b"\xff\xc0").expect("it has a frame");
    bytes[at + 5..at + 7].copy_from_slice(&height.to_be_bytes());
    bytes[at + 7..at + 9].copy_from_slice(&width.to_be_bytes());
    bytes
}

/// A whole PNG of one colour, as small as it gets.
fn flat_png(width: u32, height: u32) -> Vec<u8> {
    use image::{ExtendedColorType, ImageEncoder};
    let mut bytes = Vec::new();
    let points = vec![0; (width * height) as usize];
    image::codecs::png::PngEncoder::new(&mut bytes)
        .write_image(&points, width, height, ExtendedColorType::L8)
        .expect("it can be written");
    bytes
}

fn gif_of_frames(frames: usize, side: u16) -> Vec<u8> {
    let mut bytes = b"GIF89a".to_vec();
    bytes.extend(side.to_le_bytes());
    bytes.extend(side.to_le_bytes());
    bytes.extend(b"\x80\0\0\0\0\0\xff\xff\xff");
    for _ in 0..frames {
        bytes.extend(b"\x2c\0\0\0\0");
        bytes.extend(side.to_le_bytes());
        bytes.extend(side.to_le_bytes());
        bytes.extend(b"\0\x02\x02\x44\x01\0");
    }
    bytes.push(0x3b);
    bytes
}

#[test]
#[cfg(target_os = "linux")]
fn a_bomb_costs_at_most_64_mib_and_a_second() {
    let bombs = [
        ("PNG, 60,000 by 60,000", Format::Png, png_head(60_000, 60_000)),
        ("PNG, 8,000 by 5,000 of nothing", Format::Png, png_head(8_000, 5_000)),
        ("PNG, whole, 4,000 by 4,000 of nothing", Format::Png, flat_png(4_000, 4_000)),
        ("JPEG, 65,535 by 65,535", Format::Jpg, jpeg_claiming(65_535, 65_535)),
        ("JPEG, 8,000 by 8,000", Format::Jpg, jpeg_claiming(8_000, 8_000)),
        ("JPEG, 8,000 by 4,000, a few bytes", Format::Jpg, jpeg_claiming(8_000, 4_000)),
        ("GIF, 10,000 frames", Format::Gif, gif_of_frames(10_000, 1)),
        ("GIF, 201 frames of 8,000 by 8,000", Format::Gif, gif_of_frames(201, 8_000)),
        ("GIF, 65,535 by 65,535", Format::Gif, gif_of_frames(1, 65_535)),
    ];
    // What decoding a small one takes is there before.
    develop_bytes(&jpeg(300, 200), Format::Jpg).expect("a good picture");
    let before = most_memory();
    for (name, format, bytes) in bombs {
        let begun = Instant::now();
        assert!(develop_bytes(&bytes, format).is_err(), "{name} is taken");
        assert!(begun.elapsed() < Duration::from_secs(1), "{name} took {:?}", begun.elapsed());
        let more = most_memory() - before;
        assert!(more <= 64 << 20, "{name}: {} MiB more", more >> 20);
    }
}
