//! When does a job come round? Pure: from its definition, its last scan and the windows it may begin in.

use std::hash::BuildHasher;
use std::time::Duration;

use foldhash::fast::FixedState;
use jiff::tz::TimeZone;
use vigia_core::engine::period::Periods;
use vigia_core::model::scan::{Every, ScanJob};
use vigia_core::model::time::Timestamp;

use super::LastScan;
use crate::store::scans::ScanState;

/// A job that never ran begins this long after it became known, by its name: soon, and not all together.
const FIRST: u64 = 5;
const SPREAD: u64 = 55;

/// The next time, or none: by hand alone, or its window never opens. `since`: when the job became known, or the daemon
/// started.
pub(super) fn next(
    job: &ScanJob,
    last: Option<LastScan>,
    since: Timestamp,
    periods: Periods<'_>,
    zone: &TimeZone,
) -> Option<Timestamp> {
    let soon = || {
        let spread = FixedState::with_seed(3).hash_one(&*job.name) % SPREAD;
        since.after(Duration::from_secs(FIRST + spread))
    };
    // What was interrupted is still owed.
    let last = last.filter(|last| last.state != ScanState::Interrupted);
    let due = match (job.every.as_ref()?, last) {
        (Every::Span(span), Some(last)) => last.asked.after(*span).max(since),
        (Every::Span(_), None) => soon(),
        // A time that passed while vigia was down is not made up for: it was chosen for its quiet.
        (Every::At(when), last) => {
            let after = last.map_or(since, |last| last.asked.max(since));
            when.next_after(after, zone)?
        }
    };
    periods.opens(job.window, due)
}

#[cfg(test)]
mod tests {
    use vigia_core::model::downtime::Recurrence;
    use vigia_core::model::period::PeriodId;
    use vigia_core::model::scan::ScanMode;

    use super::*;

    fn job(every: Option<Every>) -> ScanJob {
        ScanJob {
            name: "lan".into(),
            targets: "192.0.2.0/24".into(),
            scan: "fast".into(),
            timing: "normal".into(),
            is_nmap: false,
            every,
            window: PeriodId::ALWAYS,
            mode: ScanMode::Propose,
            max_new: 50,
            stale_after: 3,
            quiet: Duration::ZERO,
            templates: Vec::new(),
            rules: Vec::new(),
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse::<jiff::Timestamp>().unwrap().into()
    }

    fn last(state: ScanState, asked: &str) -> Option<LastScan> {
        Some(LastScan { id: 1, state, asked: at(asked) })
    }

    fn told(every: Every, last: Option<LastScan>, since: &str) -> Option<Timestamp> {
        next(&job(Some(every)), last, at(since), Periods(&[]), &TimeZone::UTC)
    }

    const HOURLY: Every = Every::Span(Duration::from_secs(3_600));

    #[test]
    fn a_span_counts_from_the_last_scan_also_over_a_restart() {
        let done = last(ScanState::Finished, "2026-11-25T08:00:00Z");
        assert_eq!(told(HOURLY, done, "2026-11-25T08:30:00Z"), Some(at("2026-11-25T09:00:00Z")));
        let missed = at("2026-11-25T11:30:00Z");
        assert_eq!(told(HOURLY, done, "2026-11-25T11:30:00Z"), Some(missed), "it is owed");
    }

    #[test]
    fn what_never_ran_or_was_interrupted_begins_within_a_minute() {
        let since = "2026-11-25T08:00:00Z";
        for last in [None, last(ScanState::Interrupted, "2026-11-25T07:59:00Z")] {
            let wait = told(HOURLY, last, since).unwrap().since(at(since)).as_secs();
            assert!((5..60).contains(&wait), "{wait}");
        }
    }

    #[test]
    fn a_time_of_day_is_kept_and_not_made_up_for() {
        let nightly = || Every::At(Recurrence::parse("day 03:00").unwrap());
        assert_eq!(told(nightly(), None, "2026-11-25T08:00:00Z"), Some(at("2026-11-26T03:00:00Z")));
        let done = last(ScanState::Finished, "2026-11-25T03:00:00Z");
        assert_eq!(told(nightly(), done, "2026-11-20T08:00:00Z"), Some(at("2026-11-26T03:00:00Z")));
        assert_eq!(told(nightly(), done, "2026-11-28T08:00:00Z"), Some(at("2026-11-29T03:00:00Z")));
    }

    #[test]
    fn without_every_or_with_a_window_that_never_opens_it_never_comes() {
        assert_eq!(next(&job(None), None, at("2026-11-25T08:00:00Z"), Periods(&[]), &TimeZone::UTC), None);
        let never = ScanJob { window: PeriodId::NEVER, ..job(Some(HOURLY)) };
        assert_eq!(next(&never, None, at("2026-11-25T08:00:00Z"), Periods(&[]), &TimeZone::UTC), None);
    }
}
