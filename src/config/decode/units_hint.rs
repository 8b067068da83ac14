//! What to write instead of a duration or size that is none.

use vigia_checks::options::{self as units, UnitError};

use crate::config::place::Place;
use crate::config::problem::Problem;

pub(super) fn of_duration(at: Place, key: &str, text: &str, error: &UnitError) -> Problem {
    let message = format!("`{key}` wants a duration such as `30s`, not `{text}`");
    match error {
        UnitError::Bare(_) => {
            // Nagios counts these in minutes, everything else in seconds.
            let is_in_minutes = key.ends_with("_interval") || key == "first_notification_delay";
            let hint = match is_in_minutes {
                true => format!("did you mean `{text}m`, as Nagios counts it, or `{text}s`?"),
                false => format!("did you mean `{text}s`?"),
            };
            Problem::error(at, format!("`{key}` wants a duration, and `{text}` has no unit")).hint(hint)
        }
        UnitError::Nonsense(..) => Problem::error(at, message).hint(nonsense(text)),
        UnitError::Order(_) | UnitError::Decimals(_) | UnitError::TooLarge(_) => {
            Problem::error(at, error.to_string())
        }
    }
}

pub(super) fn of_size(at: Place, key: &str, text: &str, error: &UnitError) -> Problem {
    match error {
        UnitError::Bare(_) => Problem::error(at, format!("`{key}` wants a size, and `{text}` has no unit"))
            .hint(format!("did you mean `{text}B` or `{text}MiB`?")),
        UnitError::Nonsense(..) | UnitError::Order(_) | UnitError::Decimals(_) | UnitError::TooLarge(_) => {
            Problem::error(at, format!("`{key}` wants a size such as `10MiB`, not `{text}`"))
                .hint("units are B kB MB GB KiB MiB GiB")
        }
    }
}

/// `5 min`, `5M`, `5sec`: the nearest that would be one.
fn nonsense(text: &str) -> String {
    const LONG: &[(&str, &str)] = &[
        ("seconds", "s"),
        ("second", "s"),
        ("secs", "s"),
        ("sec", "s"),
        ("minutes", "m"),
        ("minute", "m"),
        ("mins", "m"),
        ("min", "m"),
        ("hours", "h"),
        ("hour", "h"),
        ("hrs", "h"),
        ("hr", "h"),
        ("days", "d"),
        ("day", "d"),
        ("weeks", "w"),
        ("week", "w"),
        ("µs", "us"),
    ];
    let mut short: String = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
    for (long, unit) in LONG {
        short = short.replace(long, unit);
    }
    if units::duration(&short).is_ok() {
        return format!("did you mean `{short}`?");
    }
    "units are w d h m s ms us, the largest first, without blanks: `1h30m`".to_owned()
}
