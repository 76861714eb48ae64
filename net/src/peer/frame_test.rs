use gomer_core::id::Id;
use proptest::prelude::*;

use super::super::handshake::VERSIONS;
use super::super::identity::MemberId;
use super::*;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Word {
    Lost(u32),
    Kept(Vec<u8>),
}

impl Message for Word {
    fn class(&self) -> Class {
        match self {
            Word::Lost(_) => Class::Droppable,
            Word::Kept(_) => Class::Reliable,
        }
    }
}

fn id(byte: u8) -> Id {
    Id::from_bytes([byte; 16])
}

fn disk() -> Disk {
    Disk { incarnation: id(7), tide: 300 }
}

fn hello() -> Hello {
    Hello {
        versions: VERSIONS,
        cluster: ClusterId(id(1)),
        member: MemberId(id(2)),
        to: MemberId(id(3)),
        disk: disk(),
        features: vec!["x".to_owned()],
    }
}

fn agreed() -> Binding {
    Binding::agreed(1, ClusterId(id(1)), Direction::Out)
}

fn body(words: &[Word]) -> Bytes {
    let mut body = MessagesBody::new();
    assert!(words.iter().all(|word| body.add(word)));
    body.finish()
}

fn every_body() -> Vec<Body> {
    vec![
        Body::Hello(hello()),
        Body::Welcome(hello()),
        Body::Refused(Refusal::Version(VERSIONS)),
        Body::Refused(Refusal::Superseded),
        Body::Ping(5, disk()),
        Body::Pong(5),
        Body::Taken(u64::MAX),
        Body::Goodbye,
        Body::Messages(body(&[Word::Lost(1), Word::Kept(vec![1, 2])])),
    ]
}

/// All frames of some bytes, and how it ended.
fn read(binding: Binding, bytes: &[u8], piece: usize) -> (Vec<Body>, Result<(), FrameFault>) {
    let mut reader = Reader::new(binding, BODY_BYTES_MAX);
    let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
    for piece in bytes.chunks(piece.max(1)) {
        buffer.extend_from_slice(piece);
        loop {
            match reader.take(&mut buffer) {
                Ok(Some(body)) => found.push(body),
                Ok(None) => break,
                Err(fault) => return (found, Err(fault)),
            }
        }
    }
    let ended = if reader.between_frames(&buffer) { Ok(()) } else { Err(FrameFault::Truncated) };
    (found, ended)
}

fn written(binding: Binding, bodies: &[Body]) -> Vec<u8> {
    let mut writer = Writer::new(binding);
    bodies.iter().flat_map(|body| writer.frame(body)).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_frame_survives_its_bytes_however_they_are_cut() {
    let bytes = written(agreed(), &every_body());
    for piece in [1, 7, 19, 20, 21, bytes.len()] {
        assert_eq!(read(agreed(), &bytes, piece), (every_body(), Ok(())), "in pieces of {piece}");
    }
}

/// What members of different versions must agree on. Only ever add to it.
#[test]
fn the_bytes_of_frames_never_change() {
    let unknown = Binding::unknown(Direction::Out);
    let frame = hex(&written(unknown, &[Body::Hello(hello())]));
    assert_eq!(frame, GOLDEN_HELLO);
    let bodies = [
        Body::Ping(5, disk()),
        Body::Pong(5),
        Body::Taken(300),
        Body::Goodbye,
        Body::Messages(body(&[Word::Lost(300)])),
        Body::Messages(body(&[Word::Kept(vec![0xab])])),
    ];
    let frames = written(agreed(), &bodies);
    assert_eq!(hex(&frames), GOLDEN_FRAMES.concat());
}

#[test]
fn a_frame_cut_short_is_truncated_and_never_half_read() {
    let bytes = written(agreed(), &[Body::Pong(1), Body::Messages(body(&[Word::Kept(vec![9; 40])]))]);
    let first = written(agreed(), &[Body::Pong(1)]).len();
    for end in 0..bytes.len() {
        let (found, ended) = read(agreed(), &bytes[..end], 64);
        assert_eq!(found.len(), usize::from(end >= first), "{end}");
        let expected = if end == 0 || end == first { Ok(()) } else { Err(FrameFault::Truncated) };
        assert_eq!(ended, expected, "{end}");
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let bytes = written(agreed(), &[Body::Messages(body(&[Word::Kept(vec![9; 12])]))]);
    for at in 0..bytes.len() * 8 {
        let mut bent = bytes.clone();
        bent[at / 8] ^= 1 << (at % 8);
        assert_eq!(read(agreed(), &bent, 64), (vec![], Err(FrameFault::Checksum)), "bit {at}");
    }
}

#[test]
fn a_length_beyond_the_bound_is_refused_before_anything_is_allocated() {
    let mut head = [0xff; HEAD_BYTES];
    head[..4].copy_from_slice(&(BODY_BYTES_MAX as u32 + 1).to_le_bytes());
    let guard = agreed().guard(&head[..16]);
    head[16..].copy_from_slice(&guard.to_le_bytes());
    let (mut reader, mut buffer) = (Reader::new(agreed(), BODY_BYTES_MAX), BytesMut::from(&head[..]));
    let too_large = FrameFault::TooLarge { bytes: BODY_BYTES_MAX + 1, max: BODY_BYTES_MAX };
    assert_eq!(reader.take(&mut buffer), Err(too_large));
    // A stranger may not even send that much.
    let unknown = Binding::unknown(Direction::Out);
    let mut reader = Reader::new(unknown, HELLO_BYTES_MAX);
    let long = Body::Messages(body(&[Word::Kept(vec![0; HELLO_BYTES_MAX])]));
    let mut buffer = BytesMut::from(&written(unknown, &[long])[..HEAD_BYTES]);
    assert!(matches!(reader.take(&mut buffer), Err(FrameFault::TooLarge { max: HELLO_BYTES_MAX, .. })));
}

#[test]
fn frames_of_another_version_cluster_or_direction_are_refused() {
    let bytes = written(agreed(), &[Body::Goodbye]);
    for other in [
        Binding::agreed(2, ClusterId(id(1)), Direction::Out),
        Binding::agreed(1, ClusterId(id(9)), Direction::Out),
        Binding::agreed(1, ClusterId(id(1)), Direction::Back),
        Binding::unknown(Direction::Out),
    ] {
        assert_eq!(read(other, &bytes, 64), (vec![], Err(FrameFault::Checksum)));
    }
}

#[test]
fn a_frame_that_was_lost_doubled_or_moved_is_out_of_order() {
    let mut writer = Writer::new(agreed());
    let frames: Vec<Vec<u8>> = (0..3).map(|number| writer.frame(&Body::Pong(number))).collect();
    for (order, expected, found) in
        [(&[0, 2][..], 2, 3), (&[0, 0], 2, 1), (&[1, 0, 2], 1, 2), (&[0, 1, 1, 2], 3, 2)]
    {
        let bytes: Vec<u8> = order.iter().flat_map(|at| frames[*at].clone()).collect();
        let (_, ended) = read(agreed(), &bytes, 64);
        assert_eq!(ended, Err(FrameFault::OutOfOrder { expected, found }), "{order:?}");
    }
}

#[test]
fn bodies_that_nobody_sends_are_malformed() {
    for bytes in [
        &[][..],
        &[0],
        &[10],
        &[1],
        &[1, 1, 1],
        &[3, 9],
        &[4, 1],
        &[5],
        &[5, 0x80],
        &[5, 1, 1],
        &[6, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        &[7, 0],
    ] {
        assert_eq!(Body::decode(Bytes::copy_from_slice(bytes)), Err(FrameFault::Malformed), "{bytes:?}");
    }
    for bytes in [
        &[][..],
        &[8, 0, 0, 0],
        &[7, 0, 0, 0, 0],
        &[8, 0, 0, 0, 0, 0],
        &[8, 1, 0, 0, 0],
        &[8, 2, 0, 0, 0, 0, 1],
        &[8, 0xff, 0xff, 0xff, 0xff, 0, 1],
        &[8, 1, 0, 0, 0, 2, 1],
        &[8, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f],
    ] {
        assert_eq!(messages::<Word>(bytes), Err(FrameFault::Malformed), "{bytes:?}");
    }
}

#[test]
fn a_later_version_may_show_more_of_itself() {
    let mut bytes = Body::Hello(hello()).encode().to_vec();
    bytes.extend_from_slice(b"what is not invented yet");
    assert_eq!(Body::decode(bytes.into()), Ok(Body::Hello(hello())));
}

#[test]
fn one_reliable_message_asks_for_a_receipt() {
    assert!(!wants_receipt(&body(&[Word::Lost(1), Word::Lost(2)])));
    assert!(wants_receipt(&body(&[Word::Lost(1), Word::Kept(vec![])])));
    assert!(!wants_receipt(&[]));
}

#[test]
fn a_body_takes_no_more_than_a_frame_may_have() {
    let mut body = MessagesBody::new();
    assert!(!body.add(&Word::Kept(vec![0; BODY_BYTES_MAX])));
    assert!(body.add(&Word::Kept(vec![0; BODY_BYTES_MAX - 10])));
    assert!(!body.add(&Word::Kept(vec![0; 8])));
    let full = body.add(&Word::Lost(0));
    let bytes = body.finish();
    assert!(bytes.len() <= BODY_BYTES_MAX);
    assert_eq!(messages::<Word>(&bytes).map(|words| words.len()), Ok(1 + usize::from(full)));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(bytes: Vec<u8>) {
        let _ = read(agreed(), &bytes, 16);
        let _ = Body::decode(bytes.clone().into());
        let _ = messages::<Word>(&bytes);
    }

    #[test]
    fn messages_keep_their_order(numbers: Vec<u32>) {
        let words: Vec<Word> = numbers.into_iter().map(Word::Lost).collect();
        prop_assert_eq!(messages::<Word>(&body(&words)), Ok(words));
    }
}

const GOLDEN_HELLO: &str = "48000000839b9cd4010000000000000087e09da00101010101010101010101010101010101010102\
    0202020202020202020202020202020303030303030303030303030303030307070707070707070707070707070707ac02010178";
const GOLDEN_FRAMES: [&str; 6] = [
    "14000000c03d350f01000000000000006b92413b040507070707070707070707070707070707ac02",
    "020000003512c44c020000000000000082f8a3d10505",
    "030000006937701703000000000000007da9c10a06ac02",
    "010000002e7a664c040000000000000094a1340407",
    "08000000a15d0cfc05000000000000003591b026080100000000ac02",
    "08000000e0eec785060000000000000013f5cf1909010000000101ab",
];
