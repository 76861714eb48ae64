//! Short texts of a fixed length, on the stack.

/// `N` ASCII characters. Ids and times are rendered by the million, and neither an allocation nor the
/// formatting machinery should stand between them and a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ascii<const N: usize>([u8; N]);

impl<const N: usize> Ascii<N> {
    /// The text of these characters. Panics if one is not ASCII, which is a bug of the caller.
    pub(crate) fn new(text: [u8; N]) -> Ascii<N> {
        assert!(text.is_ascii(), "a text that is rendered digit by digit is ASCII");
        Ascii(text)
    }

    /// As a string slice.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("checked when it was made")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_text_it_was_made_of() {
        assert_eq!(Ascii::new(*b"abc-9").as_str(), "abc-9");
    }

    #[test]
    #[should_panic(expected = "ASCII")]
    fn what_is_not_ascii_is_refused() {
        Ascii::new([b'a', 0x80]);
    }
}
