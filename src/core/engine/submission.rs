//! Results that others hand in say themselves when they were seen. How far that is believed, as a function of the
//! result and the clock alone; whether the object takes such results is [`super::result`]'s.

use std::borrow::Cow;
use std::time::Duration;

use crate::model::check::{CheckResult, Source};
use crate::model::operation::Refusal;
use crate::model::time::Timestamp;

/// How far the clock of a sender may be ahead of ours.
const AHEAD: Duration = Duration::from_secs(60);
/// How long a sender may have kept a result back, with its line down. Anything older says nothing of now, and
/// would count as a problem that has stood for as long.
const BEHIND: Duration = Duration::from_secs(24 * 3600);

/// The result as it counts. One from a clock that is a little ahead was seen now: nothing lies in the future.
pub(super) fn as_seen(result: &CheckResult, now: Timestamp) -> Result<Cow<'_, CheckResult>, Refusal> {
    let at = result.started;
    if result.source == Source::Active || (now.before(BEHIND) <= at && at <= now) {
        return Ok(Cow::Borrowed(result));
    }
    if at < now {
        return Err(Refusal::TooOld { subject: result.key.clone(), at });
    }
    if at > now.after(AHEAD) {
        return Err(Refusal::InFuture { subject: result.key.clone(), at });
    }
    Ok(Cow::Owned(CheckResult { started: now, finished: now, latency: Duration::ZERO, ..result.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::check::{Output, Verdict};
    use crate::model::id::ObjectKey;

    const NOW: i64 = 1_700_000_000;

    fn seen_at(second: i64, source: Source) -> CheckResult {
        let at = Timestamp::from_second(second);
        CheckResult {
            key: ObjectKey::parse("web/http"),
            place: None,
            verdict: Verdict::Exit(0),
            output: Output::line("x"),
            started: at,
            finished: at,
            latency: Duration::ZERO,
            source,
        }
    }

    fn counts_at(second: i64) -> Result<i64, Refusal> {
        let result = seen_at(second, Source::Passive);
        as_seen(&result, Timestamp::from_second(NOW)).map(|result| result.started.as_second())
    }

    #[test]
    fn a_sender_is_believed_for_a_day_back_and_a_minute_ahead() {
        assert_eq!(counts_at(NOW), Ok(NOW));
        assert_eq!(counts_at(NOW - 24 * 3600), Ok(NOW - 24 * 3600), "kept back while its line was down");
        assert_eq!(counts_at(NOW + 60), Ok(NOW), "its clock is a little ahead");
        let (subject, at) = (ObjectKey::parse("web/http"), Timestamp::from_second);
        let old = NOW - 24 * 3600 - 1;
        assert_eq!(counts_at(old), Err(Refusal::TooOld { subject: subject.clone(), at: at(old) }));
        assert_eq!(counts_at(NOW + 61), Err(Refusal::InFuture { subject, at: at(NOW + 61) }));
    }

    #[test]
    fn our_own_checks_are_believed_over_any_jump_of_the_clock() {
        let early = seen_at(NOW + 3600, Source::Active);
        let seen = as_seen(&early, Timestamp::from_second(NOW)).unwrap();
        assert_eq!(seen.started, early.started);
    }
}
