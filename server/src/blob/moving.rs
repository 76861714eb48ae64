//! Pictures that move, block by block: only what makes the picture is copied. Comments, what the camera and the
//! editor wrote, blocks that nobody knows, and whatever stands behind the end are left out.
//!
//! GIF89a (CompuServe, 1990) and the RIFF container of WebP (RFC 9649).

use super::picture::{FRAMES_MAX, SIDE_MAX, Unfit};

/// A picture's blocks without the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moving {
    /// How many frames it has; 1 of a still picture.
    pub frames: usize,
    /// The file.
    pub bytes: Vec<u8>,
}

fn cut() -> Unfit {
    Unfit::Damaged("it ends in the middle".to_owned())
}

fn too_many() -> Unfit {
    Unfit::TooLarge(format!("A picture that moves has at most {FRAMES_MAX} frames."))
}

fn outside() -> Unfit {
    Unfit::Damaged("a frame reaches beyond the picture".to_owned())
}

/// Bytes that are read from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Unfit> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(cut)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Unfit> {
        Ok(self.take(1)?[0])
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(bytes[at]) | u32::from(bytes[at + 1]) << 8
}

fn u24_at(bytes: &[u8], at: usize) -> u32 {
    u16_at(bytes, at) | u32::from(bytes[at + 2]) << 16
}

/// The blocks of a GIF.
pub fn gif(file: &[u8]) -> Result<Moving, Unfit> {
    let mut reader = Reader(file);
    let mut bytes = Vec::with_capacity(file.len());
    let head = reader.take(13)?;
    if !head.starts_with(b"GIF87a") && !head.starts_with(b"GIF89a") {
        return Err(Unfit::Damaged("it does not begin like a GIF".to_owned()));
    }
    let (width, height) = (u16_at(head, 6), u16_at(head, 8));
    bytes.extend_from_slice(head);
    bytes.extend_from_slice(reader.take(colours(head[10]))?);
    let mut frames = 0;
    loop {
        match reader.byte()? {
            // An image.
            0x2c => {
                frames += 1;
                if frames > FRAMES_MAX {
                    return Err(too_many());
                }
                let frame = reader.take(9)?;
                let (right, bottom) =
                    (u16_at(frame, 0) + u16_at(frame, 4), u16_at(frame, 2) + u16_at(frame, 6));
                if right > width || bottom > height {
                    return Err(outside());
                }
                bytes.push(0x2c);
                bytes.extend_from_slice(frame);
                bytes.extend_from_slice(reader.take(colours(frame[8]))?);
                // The least code's size, then the points.
                bytes.push(reader.byte()?);
                blocks(&mut reader, Some(&mut bytes))?;
            }
            // An extension.
            0x21 => {
                let label = reader.byte()?;
                let rest = reader.0;
                let is_loop = label == 0xff
                    && (rest.starts_with(b"\x0bNETSCAPE2.0") || rest.starts_with(b"\x0bANIMEXTS1.0"));
                // How a frame is shown, and how often all are; anything else is words.
                if label == 0xf9 || is_loop {
                    bytes.extend_from_slice(&[0x21, label]);
                    blocks(&mut reader, Some(&mut bytes))?;
                } else {
                    blocks(&mut reader, None)?;
                }
            }
            // The end.
            0x3b => {
                bytes.push(0x3b);
                break;
            }
            _ => return Err(Unfit::Damaged("a block of it is unknown".to_owned())),
        }
    }
    if frames == 0 {
        return Err(Unfit::Damaged("it has no frame".to_owned()));
    }
    Ok(Moving { frames, bytes })
}

/// Bytes of the table of colours that these flags announce.
fn colours(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// Sub-blocks up to the empty one.
fn blocks(reader: &mut Reader<'_>, mut to: Option<&mut Vec<u8>>) -> Result<(), Unfit> {
    loop {
        let size = reader.byte()?;
        let block = reader.take(usize::from(size))?;
        if let Some(bytes) = &mut to {
            bytes.push(size);
            bytes.extend_from_slice(block);
        }
        if size == 0 {
            return Ok(());
        }
    }
}

/// Flags of a WebP's `VP8X`: it has a colour profile, it has words of the camera, of an editor.
const ICC: u8 = 0x20;
const EXIF: u8 = 0x08;
const XMP: u8 = 0x04;

/// The blocks of a WebP.
pub fn webp(file: &[u8]) -> Result<Moving, Unfit> {
    let mut reader = Reader(file);
    let head = reader.take(12)?;
    if !head.starts_with(b"RIFF") || &head[8..] != b"WEBP" {
        return Err(Unfit::Damaged("it does not begin like a WebP".to_owned()));
    }
    let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
    // What stands behind the announced end is not of the picture.
    let inside = size.checked_sub(4).ok_or_else(cut)?;
    let mut reader = Reader(reader.take(inside)?);
    let mut bytes = head.to_vec();
    let (mut frames, mut stills, mut canvas) = (0, 0, None);
    while !reader.0.is_empty() {
        let (name, chunk) = chunk(&mut reader)?;
        match name {
            b"VP8X" => {
                let mut flags = chunk.to_vec();
                if flags.len() < 10 || canvas.is_some() {
                    return Err(Unfit::Damaged("its head is garbled".to_owned()));
                }
                let (width, height) = (u24_at(chunk, 4) + 1, u24_at(chunk, 7) + 1);
                if width > SIDE_MAX || height > SIDE_MAX {
                    return Err(Unfit::TooLarge(format!(
                        "A picture has at most {SIDE_MAX} points on a side."
                    )));
                }
                canvas = Some((width, height));
                flags[0] &= !(ICC | EXIF | XMP);
                put(&mut bytes, name, &flags);
            }
            b"ANMF" => {
                frames += 1;
                if frames > FRAMES_MAX {
                    return Err(too_many());
                }
                let Some((width, height)) = canvas.filter(|_| chunk.len() >= 16) else { return Err(cut()) };
                let right = 2 * u24_at(chunk, 0) + u24_at(chunk, 6) + 1;
                let bottom = 2 * u24_at(chunk, 3) + u24_at(chunk, 9) + 1;
                if right > width || bottom > height {
                    return Err(outside());
                }
                put(&mut bytes, name, &frame(chunk)?);
            }
            b"VP8 " | b"VP8L" => {
                stills += 1;
                put(&mut bytes, name, chunk);
            }
            b"ALPH" | b"ANIM" => put(&mut bytes, name, chunk),
            // Profile, words, and what nobody knows.
            _ => {}
        }
    }
    if frames == 0 && stills != 1 {
        return Err(Unfit::Damaged("it has no frame".to_owned()));
    }
    let size = (bytes.len() - 8) as u32;
    bytes[4..8].copy_from_slice(&size.to_le_bytes());
    Ok(Moving { frames: frames.max(1), bytes })
}

/// A frame of a WebP without the blocks that make no points.
fn frame(chunk_of_frame: &[u8]) -> Result<Vec<u8>, Unfit> {
    let mut bytes = chunk_of_frame[..16].to_vec();
    let mut reader = Reader(&chunk_of_frame[16..]);
    while !reader.0.is_empty() {
        let (name, inner) = chunk(&mut reader)?;
        if matches!(name, b"ALPH" | b"VP8 " | b"VP8L") {
            put(&mut bytes, name, inner);
        }
    }
    Ok(bytes)
}

fn chunk<'a>(reader: &mut Reader<'a>) -> Result<(&'a [u8; 4], &'a [u8]), Unfit> {
    let head = reader.take(8)?;
    let (name, size) = head.split_first_chunk::<4>().ok_or_else(cut)?;
    let size = u32::from_le_bytes([size[0], size[1], size[2], size[3]]) as usize;
    let chunk = reader.take(size)?;
    if size % 2 == 1 && !reader.0.is_empty() {
        reader.take(1)?;
    }
    Ok((name, chunk))
}

fn put(bytes: &mut Vec<u8>, name: &[u8], chunk: &[u8]) {
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(&(chunk.len() as u32).to_le_bytes());
    bytes.extend_from_slice(chunk);
    if chunk.len() % 2 == 1 {
        bytes.push(0);
    }
}
