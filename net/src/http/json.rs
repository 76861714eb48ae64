//! A strict check of JSON text, in one pass and without building anything.
//!
//! It runs before every request body is parsed. Two readers of the same bytes must not see different
//! things, so duplicate keys, lone surrogates, control characters and numbers that a JavaScript client
//! could not hold are refused; and depth, strings and the number of values are bounded. What passes is
//! accepted by any RFC 8259 parser. It must never learn what a field means.

use std::fmt;

/// Bounds of one JSON text. The defaults are the contract's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonLimits {
    /// Deepest nesting; `[]` has depth 1. At most 1,000.
    pub depth_max: usize,
    /// Longest string or key, in bytes of UTF-8 after unescaping.
    pub string_bytes_max: usize,
    /// Most values: objects, arrays, strings, numbers, literals; keys do not count.
    pub nodes_max: usize,
}

impl Default for JsonLimits {
    fn default() -> JsonLimits {
        JsonLimits { depth_max: 32, string_bytes_max: 64 * 1024, nodes_max: 10_000 }
    }
}

/// Why a text was refused, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonFault {
    /// What is wrong.
    pub kind: JsonFaultKind,
    /// Where, in bytes from the beginning.
    pub offset: usize,
    /// The value it is in, as a JSON pointer (RFC 6901); the empty string is the whole text. Long keys
    /// are cut.
    pub pointer: String,
}

/// What is wrong with a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonFaultKind {
    /// Not JSON.
    Malformed,
    /// The text ends too early.
    Incomplete,
    /// Not UTF-8.
    NotUtf8,
    /// Nested too deep.
    TooDeep,
    /// Too many values.
    TooManyNodes,
    /// A string or key is too long.
    StringTooLong,
    /// An object has a key twice, however it is written.
    DuplicateKey,
    /// An escape that is half of a surrogate pair.
    LoneSurrogate,
    /// A control character other than tab, line feed and carriage return, escaped or not. (Unescaped
    /// ones are no JSON at all, these three included.)
    ControlCharacter,
    /// An integer beyond 2^53, or a number that is not finite as a 64-bit float.
    NumberOutOfRange,
}

impl JsonFaultKind {
    /// Its name for clients.
    pub fn code(self) -> &'static str {
        match self {
            JsonFaultKind::Malformed => "malformed",
            JsonFaultKind::Incomplete => "incomplete",
            JsonFaultKind::NotUtf8 => "not-utf8",
            JsonFaultKind::TooDeep => "too-deep",
            JsonFaultKind::TooManyNodes => "too-many-values",
            JsonFaultKind::StringTooLong => "string-too-long",
            JsonFaultKind::DuplicateKey => "duplicate-key",
            JsonFaultKind::LoneSurrogate => "lone-surrogate",
            JsonFaultKind::ControlCharacter => "control-character",
            JsonFaultKind::NumberOutOfRange => "number-out-of-range",
        }
    }
}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind.code(), self.offset)?;
        if !self.pointer.is_empty() {
            write!(f, ", in {}", self.pointer)?;
        }
        Ok(())
    }
}

impl std::error::Error for JsonFault {}

/// Checks that `bytes` are exactly one JSON value within `limits`, and gives them back as text.
///
/// Takes time linear in the length, but for keys of one object, which are sorted; memory for the keys
/// of the objects that are open.
pub fn check<'a>(bytes: &'a [u8], limits: &JsonLimits) -> Result<&'a str, JsonFault> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let offset = error.valid_up_to();
            return Err(JsonFault { kind: JsonFaultKind::NotUtf8, offset, pointer: String::new() });
        }
    };
    let mut checker = Checker {
        bytes,
        at: 0,
        limits: *limits,
        nodes: 0,
        frames: Vec::new(),
        keys: Vec::new(),
        unescaped: Vec::new(),
    };
    match checker.document() {
        Ok(()) => Ok(text),
        Err(Fault { kind, offset }) => Err(JsonFault { kind, offset, pointer: checker.pointer() }),
    }
}

struct Checker<'a> {
    bytes: &'a [u8],
    at: usize,
    limits: JsonLimits,
    nodes: usize,
    frames: Vec<Frame>,
    /// Keys of all objects that are open, outermost first.
    keys: Vec<Key>,
    /// The keys that have escapes, without them.
    unescaped: Vec<u8>,
}

/// An object or array that is open.
#[derive(Clone, Copy)]
enum Frame {
    Object {
        /// Where in `keys` its own begin.
        keys_from: usize,
    },
    Array {
        /// Which element is being read.
        index: usize,
    },
}

#[derive(Clone, Copy)]
struct Key {
    /// Where it begins in the text, for messages.
    offset: usize,
    /// In the text, or in `unescaped`.
    start: usize,
    end: usize,
    escaped: bool,
}

struct Fault {
    kind: JsonFaultKind,
    offset: usize,
}

type Checked<T> = Result<T, Fault>;

impl Checker<'_> {
    fn document(&mut self) -> Checked<()> {
        self.space();
        loop {
            // A value is expected here; whatever it closes is closed before the next.
            if self.value()? {
                continue;
            }
            if !self.next_value()? {
                break;
            }
        }
        self.space();
        match self.peek() {
            None => Ok(()),
            Some(_) => self.fail(JsonFaultKind::Malformed),
        }
    }

    /// Reads one value, or the beginning of one: `true` if it was opened and its first inner value is
    /// next.
    fn value(&mut self) -> Checked<bool> {
        self.nodes += 1;
        if self.nodes > self.limits.nodes_max {
            return self.fail(JsonFaultKind::TooManyNodes);
        }
        match self.peek() {
            Some(b'"') => self.string().map(|_| false),
            Some(b'{') => {
                self.open(Frame::Object { keys_from: self.keys.len() })?;
                if self.peek() == Some(b'}') {
                    self.close();
                    return Ok(false);
                }
                self.key()?;
                Ok(true)
            }
            Some(b'[') => {
                self.open(Frame::Array { index: 0 })?;
                if self.peek() == Some(b']') {
                    self.close();
                    return Ok(false);
                }
                Ok(true)
            }
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| false),
            Some(b't') => self.literal(b"true").map(|()| false),
            Some(b'f') => self.literal(b"false").map(|()| false),
            Some(b'n') => self.literal(b"null").map(|()| false),
            Some(_) => self.fail(JsonFaultKind::Malformed),
            None => self.fail(JsonFaultKind::Incomplete),
        }
    }

    /// After a value: goes to the next one, closing what ends. `false` after the outermost.
    fn next_value(&mut self) -> Checked<bool> {
        loop {
            let Some(frame) = self.frames.last_mut() else { return Ok(false) };
            // `space` needs all of `self`; the frame is looked up again where it changes.
            let frame = *frame;
            self.space();
            match (frame, self.peek()) {
                (Frame::Object { .. }, Some(b',')) => {
                    self.at += 1;
                    self.space();
                    self.key()?;
                    return Ok(true);
                }
                (Frame::Array { index }, Some(b',')) => {
                    self.at += 1;
                    self.space();
                    *self.frames.last_mut().expect("it was there above") = Frame::Array { index: index + 1 };
                    return Ok(true);
                }
                (Frame::Object { keys_from }, Some(b'}')) => {
                    self.distinct(keys_from)?;
                    self.close();
                }
                (Frame::Array { .. }, Some(b']')) => self.close(),
                (_, Some(_)) => return self.fail(JsonFaultKind::Malformed),
                (_, None) => return self.fail(JsonFaultKind::Incomplete),
            }
        }
    }

    fn open(&mut self, frame: Frame) -> Checked<()> {
        if self.frames.len() >= self.limits.depth_max {
            return self.fail(JsonFaultKind::TooDeep);
        }
        self.frames.push(frame);
        self.at += 1;
        self.space();
        Ok(())
    }

    fn close(&mut self) {
        self.at += 1;
        if let Some(Frame::Object { keys_from }) = self.frames.pop() {
            // Inner keys lie behind outer ones, so cutting both back keeps what is still open.
            if let Some(first) = self.keys[keys_from..].iter().find(|key| key.escaped) {
                self.unescaped.truncate(first.start);
            }
            self.keys.truncate(keys_from);
        }
    }

    /// A key and its colon.
    fn key(&mut self) -> Checked<()> {
        match self.peek() {
            Some(b'"') => {}
            Some(_) => return self.fail(JsonFaultKind::Malformed),
            None => return self.fail(JsonFaultKind::Incomplete),
        }
        let offset = self.at;
        let escaped = self.string()?;
        let (mut start, mut end) = (offset + 1, self.at - 1);
        if escaped {
            let from = self.unescaped.len();
            unescape(&self.bytes[start..end], &mut self.unescaped);
            (start, end) = (from, self.unescaped.len());
        }
        self.keys.push(Key { offset, start, end, escaped });
        self.space();
        match self.peek() {
            Some(b':') => {
                self.at += 1;
                self.space();
                Ok(())
            }
            Some(_) => self.fail(JsonFaultKind::Malformed),
            None => self.fail(JsonFaultKind::Incomplete),
        }
    }

    /// That no key of the innermost object is there twice.
    fn distinct(&mut self, from: usize) -> Checked<()> {
        let (bytes, unescaped) = (self.bytes, &self.unescaped);
        let text = |key: &Key| {
            if key.escaped { &unescaped[key.start..key.end] } else { &bytes[key.start..key.end] }
        };
        let keys = &self.keys[from..];
        let twice = if keys.len() <= 8 {
            // Few: comparing all is quicker than sorting.
            keys.iter()
                .enumerate()
                .find(|(at, key)| keys[..*at].iter().any(|other| text(other) == text(key)))
                .map(|(_, key)| key.offset)
        } else {
            let mut sorted = keys.to_vec();
            sorted.sort_unstable_by(|a, b| text(a).cmp(text(b)).then(a.offset.cmp(&b.offset)));
            sorted.windows(2).filter(|two| text(&two[0]) == text(&two[1])).map(|two| two[1].offset).min()
        };
        match twice {
            None => Ok(()),
            Some(offset) => {
                // Read once more, so that the pointer names it.
                self.keys.truncate(from);
                self.at = offset;
                self.key()?;
                Err(Fault { kind: JsonFaultKind::DuplicateKey, offset })
            }
        }
    }

    /// A string, from its first quote to behind its last; whether it has escapes.
    fn string(&mut self) -> Checked<bool> {
        let start = self.at + 1;
        self.at = start;
        // Bytes by which the text is longer than what it stands for.
        let mut surplus = 0;
        loop {
            self.at += plain(&self.bytes[self.at..]);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => surplus += self.escape()?,
                Some(b'\t' | b'\n' | b'\r') => return self.fail(JsonFaultKind::Malformed),
                Some(_) => return self.fail(JsonFaultKind::ControlCharacter),
                None => return self.fail(JsonFaultKind::Incomplete),
            }
        }
        if self.at - start - surplus > self.limits.string_bytes_max {
            return Err(Fault { kind: JsonFaultKind::StringTooLong, offset: start - 1 });
        }
        self.at += 1;
        Ok(surplus > 0)
    }

    /// An escape; by how many bytes it is longer than its character.
    fn escape(&mut self) -> Checked<usize> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(1)
            }
            Some(b'b' | b'f') => self.fail(JsonFaultKind::ControlCharacter),
            Some(b'u') => {
                let unit = self.unit(self.at)?;
                let (character, length) = match unit {
                    0xd800..=0xdbff => {
                        if self.bytes.get(self.at + 6..self.at + 8) != Some(b"\\u") {
                            return self.fail(JsonFaultKind::LoneSurrogate);
                        }
                        let low = self.unit(self.at + 6)?;
                        if !(0xdc00..=0xdfff).contains(&low) {
                            return self.fail(JsonFaultKind::LoneSurrogate);
                        }
                        (0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00), 12)
                    }
                    0xdc00..=0xdfff => return self.fail(JsonFaultKind::LoneSurrogate),
                    unit => (unit, 6),
                };
                let character = char::from_u32(character).expect("surrogates were paired or refused");
                if character < ' ' && !matches!(character, '\n' | '\r' | '\t') {
                    return self.fail(JsonFaultKind::ControlCharacter);
                }
                self.at += length;
                Ok(length - character.len_utf8())
            }
            Some(_) => self.fail(JsonFaultKind::Malformed),
            None => self.fail(JsonFaultKind::Incomplete),
        }
    }

    /// The number of the `\uXXXX` that begins at `at`.
    fn unit(&self, at: usize) -> Checked<u32> {
        let Some(digits) = self.bytes.get(at + 2..at + 6) else {
            return self.fail(JsonFaultKind::Incomplete);
        };
        let mut unit = 0;
        for digit in digits {
            match char::from(*digit).to_digit(16) {
                Some(digit) => unit = unit << 4 | digit,
                None => return self.fail(JsonFaultKind::Malformed),
            }
        }
        Ok(unit)
    }

    fn number(&mut self) -> Checked<()> {
        let start = self.at;
        let negative = self.peek() == Some(b'-');
        self.at += usize::from(negative);
        let whole = self.at;
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            Some(_) => return self.fail(JsonFaultKind::Malformed),
            None => return self.fail(JsonFaultKind::Incomplete),
        }
        let whole = &self.bytes[whole..self.at];
        let mut integer = true;
        if self.peek() == Some(b'.') {
            integer = false;
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            integer = false;
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.some_digits()?;
        }
        let fits = if integer {
            // 2^53 has 16 digits, so what is summed cannot overflow.
            whole.len() <= 16
                && whole.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')) <= 1 << 53
        } else {
            std::str::from_utf8(&self.bytes[start..self.at])
                .ok()
                .and_then(|number| number.parse::<f64>().ok())
                .is_some_and(f64::is_finite)
        };
        if fits { Ok(()) } else { Err(Fault { kind: JsonFaultKind::NumberOutOfRange, offset: start }) }
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Checked<()> {
        match self.peek() {
            Some(b'0'..=b'9') => {
                self.digits();
                Ok(())
            }
            Some(_) => self.fail(JsonFaultKind::Malformed),
            None => self.fail(JsonFaultKind::Incomplete),
        }
    }

    fn literal(&mut self, word: &[u8]) -> Checked<()> {
        let rest = &self.bytes[self.at..];
        if rest.starts_with(word) {
            self.at += word.len();
            Ok(())
        } else if word.starts_with(rest) {
            self.fail(JsonFaultKind::Incomplete)
        } else {
            self.fail(JsonFaultKind::Malformed)
        }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn fail<T>(&self, kind: JsonFaultKind) -> Checked<T> {
        Err(Fault { kind, offset: self.at })
    }

    /// The value that was being read, as a JSON pointer.
    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for (at, frame) in self.frames.iter().enumerate() {
            match frame {
                Frame::Array { index } => {
                    pointer.push('/');
                    pointer.push_str(&index.to_string());
                }
                Frame::Object { keys_from } => {
                    // Its last key is the one before the keys of the next object inside.
                    let end = self.frames[at + 1..].iter().find_map(|frame| match frame {
                        Frame::Object { keys_from } => Some(*keys_from),
                        Frame::Array { .. } => None,
                    });
                    let own = &self.keys[*keys_from..end.unwrap_or(self.keys.len())];
                    let Some(key) = own.last() else { break };
                    let bytes = if key.escaped { &self.unescaped[..] } else { self.bytes };
                    let text = String::from_utf8_lossy(&bytes[key.start..key.end]);
                    pointer.push('/');
                    for character in text.chars().take(POINTER_KEY_CHARS_MAX) {
                        match character {
                            '~' => pointer.push_str("~0"),
                            '/' => pointer.push_str("~1"),
                            character => pointer.push(character),
                        }
                    }
                }
            }
        }
        pointer
    }
}

/// How much of a key is shown.
const POINTER_KEY_CHARS_MAX: usize = 64;

/// How many bytes there are before a quote, a backslash or a control character; eight at a time.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    // The lowest byte that is marked is exact; borrows reach only those above it.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut at = 0;
    while let Some(word) = bytes.get(at..at + 8) {
        let word = u64::from_le_bytes(word.try_into().expect("the slice has eight bytes"));
        let quotes = zeros(word ^ (ONES * u64::from(b'"')));
        let slashes = zeros(word ^ (ONES * u64::from(b'\\')));
        let controls = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let special = quotes | slashes | controls;
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|byte| *byte >= 0x20 && *byte != b'"' && *byte != b'\\') {
        at += 1;
    }
    at
}

/// The characters of a string whose escapes were checked.
fn unescape(mut string: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = string.iter().position(|byte| *byte == b'\\') {
        out.extend_from_slice(&string[..at]);
        let unit = |from: usize| {
            string[from..from + 4]
                .iter()
                .fold(0, |sum, digit| sum << 4 | char::from(*digit).to_digit(16).unwrap_or(0))
        };
        let (character, length) = match string[at + 1] {
            b'n' => ('\n', 2),
            b'r' => ('\r', 2),
            b't' => ('\t', 2),
            b'u' => match unit(at + 2) {
                high @ 0xd800..=0xdbff => {
                    let pair = 0x10000 + ((high - 0xd800) << 10) + (unit(at + 8) - 0xdc00);
                    (char::from_u32(pair).expect("the pair was checked"), 12)
                }
                unit => (char::from_u32(unit).expect("surrogates were checked"), 6),
            },
            other => (char::from(other), 2),
        };
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        string = &string[at + length..];
    }
    out.extend_from_slice(string);
}

#[cfg(test)]
#[path = "json_test.rs"]
mod tests;
