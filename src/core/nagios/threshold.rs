//! Nagios threshold ranges: `10`, `10:`, `~:5`, `10:20`, `@1:3` (`nagios-interfaces.md` 1.3). Values with a unit
//! (`800ms`, `30d`) belong to the configuration's grammar, which makes ranges of them.

use std::fmt;
use std::str::FromStr;

use crate::model::state::State;

/// When a number is worth an alert: outside `start..=end`, or inside it when `alerts_inside`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    start: f64,
    end: f64,
    alerts_inside: bool,
}

/// Why a text is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    #[error("a range is empty; write one like 10, 10:, ~:5, 10:20 or @1:3")]
    Empty,
    #[error("`{0}` is not a number; write a range like 10, 10:, ~:5, 10:20 or @1:3")]
    NotANumber(String),
    #[error("the range `{0}` ends before it begins")]
    Reversed(String),
}

impl Range {
    /// Whatever this alerts for, `other` alerts for as well, and for more: as a `warn` beside that `crit` it never counts.
    pub fn is_hidden_by(self, other: Self) -> bool {
        let are_outside = !self.alerts_inside && !other.alerts_inside;
        are_outside && self != other && self.start <= other.start && self.end >= other.end
    }

    /// Alerts outside `start..=end`; none when a bound is not a number or they are reversed.
    pub fn outside(start: f64, end: f64) -> Option<Self> {
        (start <= end).then_some(Self { start, end, alerts_inside: false })
    }

    /// Alerts inside `start..=end`.
    pub fn inside(start: f64, end: f64) -> Option<Self> {
        Self::outside(start, end).map(|range| Self { alerts_inside: true, ..range })
    }

    /// Alerts above `limit`, as `~:limit`.
    pub fn above(limit: f64) -> Self {
        Self { start: f64::NEG_INFINITY, end: limit, alerts_inside: false }
    }

    /// Alerts above `limit` and below zero, as the plain number `limit`: what most thresholds are.
    pub fn up_to(limit: f64) -> Self {
        Self { start: limit.min(0.0), end: limit, alerts_inside: false }
    }

    /// Alerts below `limit`, as `limit:`.
    pub fn below(limit: f64) -> Self {
        Self { start: limit, end: f64::INFINITY, alerts_inside: false }
    }

    pub fn parse(text: &str) -> Result<Self, RangeError> {
        let text = text.trim();
        let (alerts_inside, bounds) = match text.strip_prefix('@') {
            Some(bounds) => (true, bounds),
            None => (false, text),
        };
        if bounds.is_empty() {
            return Err(RangeError::Empty);
        }
        let bound = |part: &str, when_empty: f64| match part.trim() {
            "" => Ok(when_empty),
            part => number(part).ok_or_else(|| RangeError::NotANumber(part.to_owned())),
        };
        let (start, end) = match bounds.split_once(':') {
            Some(("~", end)) => (f64::NEG_INFINITY, bound(end, f64::INFINITY)?),
            Some((start, end)) => (bound(start, 0.0)?, bound(end, f64::INFINITY)?),
            None => (0.0, bound(bounds, f64::INFINITY)?),
        };
        if start > end {
            return Err(RangeError::Reversed(text.to_owned()));
        }
        Ok(Self { start, end, alerts_inside })
    }

    /// The lower end, −∞ for `~`.
    pub fn start(self) -> f64 {
        self.start
    }

    /// The upper end, +∞ when open.
    pub fn end(self) -> f64 {
        self.end
    }

    pub fn is_inside(self) -> bool {
        self.alerts_inside
    }

    /// Ends belong to the range. What is not a number always alerts.
    pub fn alerts(self, value: f64) -> bool {
        if value.is_nan() {
            return true;
        }
        (self.start <= value && value <= self.end) == self.alerts_inside
    }
}

/// A decimal number as plugins write it: `.` or `,` before the decimals, no `inf` and no `nan`.
pub fn number(text: &str) -> Option<f64> {
    let (value, rest) = leading_number(text)?;
    rest.is_empty().then_some(value)
}

/// The number at the beginning of a text, and what follows it.
pub fn leading_number(text: &str) -> Option<(f64, &str)> {
    let (digits, rest) = text.split_at_checked(number_length(text.as_bytes()))?;
    let value = if digits.contains(',') {
        f64::from_str(&digits.replace(',', ".")).ok()?
    } else {
        f64::from_str(digits).ok()?
    };
    value.is_finite().then_some((value, rest))
}

/// Bytes of the longest prefix that is a number: sign, digits, decimals, exponent.
fn number_length(text: &[u8]) -> usize {
    let digits = |from: usize| {
        text.get(from..).map_or(0, |rest| rest.iter().take_while(|byte| byte.is_ascii_digit()).count())
    };
    let sign = |at: usize| usize::from(matches!(text.get(at), Some(b'+' | b'-')));
    let mut length = sign(0);
    let whole = digits(length);
    length += whole;
    let mut decimals = 0;
    if matches!(text.get(length), Some(b'.' | b',')) {
        decimals = digits(length + 1);
        if whole + decimals > 0 {
            length += 1 + decimals;
        }
    }
    if whole + decimals == 0 {
        return 0;
    }
    if matches!(text.get(length), Some(b'e' | b'E')) {
        let exponent = length + 1 + sign(length + 1);
        let count = digits(exponent);
        if count > 0 {
            length = exponent + count;
        }
    }
    length
}

/// In the shortest form that reads back the same; a precision (`{:.3}`) goes for both ends.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.alerts_inside {
            f.write_str("@")?;
        }
        if self.start == f64::NEG_INFINITY {
            f.write_str("~:")?;
        } else if self.start != 0.0 || self.end == f64::INFINITY {
            self.start.fmt(f)?;
            f.write_str(":")?;
        }
        if self.end.is_finite() { self.end.fmt(f) } else { Ok(()) }
    }
}

/// `warn` and `crit` of one number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Thresholds {
    pub warn: Option<Range>,
    pub crit: Option<Range>,
}

impl Thresholds {
    pub fn judge(&self, value: f64) -> State {
        let alerts = |range: Option<Range>| range.is_some_and(|range| range.alerts(value));
        if alerts(self.crit) {
            State::Critical
        } else if alerts(self.warn) {
            State::Warning
        } else {
            State::Ok
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_limit_is_hidden_by_a_stricter_one() {
        let range = |text: &str| Range::parse(text).unwrap();
        for (warn, crit, is_hidden) in [
            ("3", "1", true),
            ("1", "3", false),
            ("3", "3", false),
            ("@3:5", "1", false),
            ("5:", "10:", true),
        ] {
            assert_eq!(range(warn).is_hidden_by(range(crit)), is_hidden, "{warn} {crit}");
        }
    }

    #[test]
    fn ranges_alert_as_the_plugin_guidelines_say() {
        let cases: &[(&str, &[f64], &[f64])] = &[
            ("10", &[0.0, 5.0, 10.0], &[-0.1, 10.1]),
            ("10:", &[10.0, 1e9], &[9.9, -5.0]),
            (":10", &[0.0, 10.0], &[-1.0, 11.0]),
            ("~:10", &[-1e9, 10.0], &[10.1]),
            ("10:20", &[10.0, 15.0, 20.0], &[9.9, 20.1]),
            ("@10:20", &[9.9, 20.1], &[10.0, 15.0, 20.0]),
            ("@0", &[0.1, -0.1], &[0.0]),
            ("~:", &[-1e300, 1e300], &[f64::NAN]),
            ("-5:-1,5", &[-1.5, -5.0], &[-1.4, 0.0]),
            (" 1e3:2.5E3 ", &[1000.0, 2500.0], &[999.0]),
        ];
        for (text, quiet, alerting) in cases {
            let range = Range::parse(text).unwrap();
            for value in *quiet {
                assert!(!range.alerts(*value), "{text} and {value}");
            }
            for value in *alerting {
                assert!(range.alerts(*value), "{text} and {value}");
            }
        }
    }

    #[test]
    fn what_is_no_range_says_why() {
        let message = |text| Range::parse(text).unwrap_err().to_string();
        assert!(message("").contains("empty"));
        assert!(message("@").contains("empty"));
        assert!(message("20:10").contains("ends before it begins"));
        for text in ["ten", "1:2:3", "inf", "nan", "5%", "1.2.3", "--1", "-", ".", "1 2", "~"] {
            assert!(message(text).contains("is not a number"), "{text}");
        }
    }

    #[test]
    fn a_precision_goes_for_both_ends() {
        let range = Range::parse("10:20").unwrap();
        assert_eq!(format!("{range:.3}"), "10.000:20.000");
        assert_eq!(format!("{}", Range::above(2.5)), "~:2.5");
        assert_eq!(format!("{}", Range::up_to(2.5)), "2.5");
        assert_eq!(format!("{}", Range::parse("0:").unwrap()), "0:");
    }

    #[test]
    fn the_worse_threshold_speaks() {
        let range = |text| Range::parse(text).ok();
        let thresholds = Thresholds { warn: range("10"), crit: range("20") };
        assert_eq!(thresholds.judge(10.0), State::Ok);
        assert_eq!(thresholds.judge(11.0), State::Warning);
        assert_eq!(thresholds.judge(21.0), State::Critical);
        assert_eq!(Thresholds::default().judge(1e9), State::Ok);
    }

    proptest! {
        #[test]
        fn a_range_reads_back_as_it_was(a in -1e6f64..1e6, b in -1e6f64..1e6, shape in 0u8..5) {
            let (low, high) = (a.min(b), a.max(b));
            let range = match shape {
                0 => Range::outside(low, high).unwrap(),
                1 => Range::inside(low, high).unwrap(),
                2 => Range::above(a),
                3 => Range::below(a),
                _ => Range::up_to(a.abs()),
            };
            prop_assert_eq!(Range::parse(&range.to_string()).unwrap(), range);
        }

        #[test]
        fn no_text_makes_the_parser_fall(text in "\\PC{0,12}") {
            if let Ok(range) = Range::parse(&text) {
                prop_assert!(range.start() <= range.end());
            }
        }
    }
}
