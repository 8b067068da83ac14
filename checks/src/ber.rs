//! The part of ASN.1's basic encoding that LDAP and SNMP need: definite lengths, tags of one byte. Reading never
//! trusts a length.

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTETS: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OID: u8 = 0x06;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const SEQUENCE: u8 = 0x30;

/// One value with its tag.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len().to_be_bytes();
    let significant = length.iter().skip_while(|byte| **byte == 0).copied().collect::<Vec<_>>();
    match (significant.as_slice(), u8::try_from(significant.len())) {
        ([], _) => out.push(0),
        ([short], _) if *short < 0x80 => out.push(*short),
        (_, count) => {
            out.push(0x80 | count.unwrap_or(8));
            out.extend_from_slice(&significant);
        }
    }
    out.extend_from_slice(content);
    out
}

/// Several values in a row, as the content of another.
pub(crate) fn joined(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    element(tag, &parts.concat())
}

pub(crate) fn integer(tag: u8, value: i64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    // Leading bytes that only repeat the sign are left out.
    let needless = bytes
        .windows(2)
        .take_while(|pair| {
            matches!(pair, [0, low] if low & 0x80 == 0) || matches!(pair, [0xff, low] if low & 0x80 != 0)
        })
        .count();
    element(tag, bytes.get(needless..).unwrap_or(&bytes))
}

/// Takes values off the front of bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ber<'a>(pub(crate) &'a [u8]);

impl<'a> Ber<'a> {
    /// Tag and content of the next value; `None`: there is none, or it is broken.
    pub(crate) fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            if digits.is_empty() || digits.len() > 4 {
                return None;
            }
            (digits.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte)), rest)
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The content of the next value, which has to be of this kind.
    pub(crate) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }

    pub(crate) fn expect_integer(&mut self, tag: u8) -> Option<i64> {
        self.expect(tag).and_then(signed)
    }
}

pub(crate) fn signed(content: &[u8]) -> Option<i64> {
    let first = *content.first().filter(|_| content.len() <= 8)?;
    let start = if first & 0x80 == 0 { 0 } else { -1 };
    Some(content.iter().fold(start, |value: i64, byte| (value << 8) | i64::from(*byte)))
}

/// Counters carry a leading zero where their top bit is set.
pub(crate) fn unsigned(content: &[u8]) -> Option<u64> {
    if content.is_empty() || content.len() > 9 || (content.len() == 9 && content.first() != Some(&0)) {
        return None;
    }
    Some(content.iter().fold(0, |value: u64, byte| (value << 8) | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_lengths_survive_the_way_out_and_back() {
        for value in [0, 1, 127, 128, 255, 256, -1, -128, -129, i64::MAX, i64::MIN] {
            assert_eq!(Ber(&integer(INTEGER, value)).expect_integer(INTEGER), Some(value));
        }
        assert_eq!(integer(INTEGER, 128), [2, 2, 0, 128]);
        for length in [0, 127, 128, 255, 256, 70_000] {
            let content = vec![7; length];
            assert_eq!(Ber(&element(OCTETS, &content)).expect(OCTETS), Some(content.as_slice()));
        }
    }

    #[test]
    fn lengths_that_lie_are_nothing() {
        for bytes in [
            &[][..],
            &[4],
            &[4, 2, 1],
            &[4, 0x80],
            &[4, 0x85, 0, 0, 0, 0, 1, 1],
            &[4, 0x84, 255, 255, 255, 255],
        ] {
            assert!(Ber(bytes).next().is_none(), "{bytes:?}");
        }
        assert_eq!((signed(&[]), signed(&[0; 9])), (None, None));
        assert_eq!((unsigned(&[]), unsigned(&[1; 9])), (None, None));
        assert_eq!(unsigned(&[0, 255, 255, 255, 255]), Some(4_294_967_295));
    }
}
