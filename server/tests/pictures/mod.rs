//! Pictures for tests.

#![allow(dead_code, reason = "each test file uses its part")]

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use sha2::{Digest, Sha256};

/// SHA-256 in hex.
pub fn sha256(bytes: &[u8]) -> String {
    gomer::blob::hex(&Sha256::digest(bytes).into())
}

/// A photo; another size is another one.
pub fn jpeg(width: u32, height: u32) -> Vec<u8> {
    let image = RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, 90]));
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 85).encode_image(&image).unwrap();
    bytes
}

/// A photo that was taken with the camera on its side, at a place that nobody is to know.
pub fn jpeg_with_place(width: u32, height: u32) -> Vec<u8> {
    let jpeg = jpeg(width, height);
    let mut tiff = b"II*\0\x08\0\0\0\x02\0".to_vec();
    // Words at 38; the camera lay on its right side.
    tiff.extend(b"\x0e\x01\x02\0\x0c\0\0\0\x26\0\0\0");
    tiff.extend(b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0");
    tiff.extend(b"\0\0\0\0SECRET PLACE");
    let mut bytes = jpeg[..2].to_vec();
    bytes.extend(b"\xff\xe1");
    bytes.extend((tiff.len() as u16 + 8).to_be_bytes());
    bytes.extend(b"Exif\0\0");
    bytes.extend(tiff);
    bytes.extend(&jpeg[2..]);
    bytes
}

/// A PNG's head for so many points, and nothing behind it.
pub fn png_head(width: u32, height: u32) -> Vec<u8> {
    let mut head = b"IHDR".to_vec();
    head.extend(width.to_be_bytes());
    head.extend(height.to_be_bytes());
    head.extend([8, 6, 0, 0, 0]);
    let sum = crc32fast::hash(&head);
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\r".to_vec();
    bytes.extend(head);
    bytes.extend(sum.to_be_bytes());
    bytes
}
