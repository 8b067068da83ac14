//! Durations and sizes as people write them (`config.md` 9).

use std::time::Duration;

/// In the order in which they may follow each other, in nanoseconds.
const SPANS: &[(&str, u64)] = &[
    ("w", 7 * 86_400_000_000_000),
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
];

const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Why a text is no duration or size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    #[error("`{0}` has no unit")]
    Bare(String),
    #[error("`{0}` is no {1}")]
    Nonsense(String, &'static str),
    #[error("`{0}` has its units in the wrong order: the largest comes first, each once")]
    Order(String),
    #[error("`{0}` has decimals before its last unit")]
    Decimals(String),
    #[error("`{0}` is too large")]
    TooLarge(String),
}

/// Reads `1h30m`, `250ms`, `0.5s`, `0`.
pub fn duration(text: &str) -> Result<Duration, UnitError> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let nonsense = || UnitError::Nonsense(text.to_owned(), "duration");
    let mut rest = text;
    let mut nanos: u64 = 0;
    let mut next_unit = 0;
    while !rest.is_empty() {
        let (number, after) = split_number(rest).ok_or_else(nonsense)?;
        if after.is_empty() {
            return Err(UnitError::Bare(text.to_owned()));
        }
        let (unit, after) = after.split_at(after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len()));
        let place = SPANS.iter().position(|(name, _)| *name == unit).ok_or_else(nonsense)?;
        if place < next_unit {
            return Err(UnitError::Order(text.to_owned()));
        }
        if number.contains('.') && !after.is_empty() {
            return Err(UnitError::Decimals(text.to_owned()));
        }
        let span = SPANS.get(place).map_or(0, |(_, span)| *span);
        let part = times(number, span).ok_or_else(|| UnitError::TooLarge(text.to_owned()))?;
        nanos = nanos.checked_add(part).ok_or_else(|| UnitError::TooLarge(text.to_owned()))?;
        next_unit = place + 1;
        rest = after;
    }
    if next_unit == 0 { Err(nonsense()) } else { Ok(Duration::from_nanos(nanos)) }
}

/// Reads `10MiB`, `512B`, `0`; in bytes.
pub fn size(text: &str) -> Result<u64, UnitError> {
    if text == "0" {
        return Ok(0);
    }
    let nonsense = || UnitError::Nonsense(text.to_owned(), "size");
    let (number, unit) = split_number(text).ok_or_else(nonsense)?;
    if unit.is_empty() {
        return Err(UnitError::Bare(text.to_owned()));
    }
    let (_, factor) = SIZES.iter().find(|(name, _)| *name == unit).ok_or_else(nonsense)?;
    times(number, *factor).ok_or_else(|| UnitError::TooLarge(text.to_owned()))
}

/// Digits with at most one point, and what follows.
fn split_number(text: &str) -> Option<(&str, &str)> {
    let (number, rest) =
        text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = !whole.is_empty() && !fraction.is_empty() && !fraction.contains('.');
    is_number.then_some((number, rest))
}

/// `1.5` times a factor, in whole numbers: a float would turn `0.1s` into something else.
fn times(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut total = whole.parse::<u64>().ok()?.checked_mul(factor)?;
    let mut place = factor;
    for digit in fraction.bytes() {
        place /= 10;
        total = total.checked_add(place.checked_mul(u64::from(digit - b'0'))?)?;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_written() {
        let cases = [
            ("30s", 30_000),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("0.5s", 500),
            ("2d", 172_800_000),
            ("0", 0),
        ];
        for (text, millis) in cases {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(duration("0.1s"), Ok(Duration::from_millis(100)));
        assert_eq!(duration("7us"), Ok(Duration::from_micros(7)));
    }

    #[test]
    fn wrong_durations_say_why() {
        assert_eq!(duration("5"), Err(UnitError::Bare("5".into())));
        assert_eq!(duration("1h30"), Err(UnitError::Bare("1h30".into())));
        assert_eq!(duration("30m1h"), Err(UnitError::Order("30m1h".into())));
        assert_eq!(duration("1.5h3m"), Err(UnitError::Decimals("1.5h3m".into())));
        assert!(matches!(duration("99999999999999w"), Err(UnitError::TooLarge(_))));
        for text in ["", "s", "5 m", "-3s", "1..2s", ".5s", "5.s", "ten", "5mm", "5µs"] {
            assert!(matches!(duration(text), Err(UnitError::Nonsense(..))), "{text}");
        }
    }

    #[test]
    fn sizes_read_as_written() {
        assert_eq!(size("10MiB"), Ok(10 << 20));
        assert_eq!(size("1.5kB"), Ok(1_500));
        assert_eq!(size("512B"), Ok(512));
        assert_eq!(size("512"), Err(UnitError::Bare("512".into())));
        assert!(matches!(size("1mib"), Err(UnitError::Nonsense(..))));
    }
}
