//! What the daemon's meters say, as the process page shows it.

use crate::runtime::Overload;
use crate::web::backend::{ChecksGauge, Spread};

/// A divisor that is never zero.
pub(super) fn seldom(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    let count = count.max(1) as f64;
    count
}

/// What the meters say of checks. The percentiles are those of all checks since the start, read from buckets.
pub(super) fn checks(
    families: &[prometheus::proto::MetricFamily],
    running: usize,
    limit: usize,
    overloads: &[Overload],
) -> ChecksGauge {
    let family = |name: &str| families.iter().find(|family| family.name() == name);
    let metrics = |name: &str| family(name).map_or(&[][..], |family| family.get_metric());
    let label = |metric: &prometheus::proto::Metric, name: &str| {
        metric.get_label().iter().find(|label| label.name() == name).map(|label| label.value().to_owned())
    };
    let mut kinds: Vec<(String, u64)> = Vec::new();
    for metric in metrics("vigia_checks_total") {
        let kind = label(metric, "kind").unwrap_or_default();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a counter of whole checks"
        )]
        let ended = metric.get_counter().get_value() as u64;
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, total)) => *total += ended,
            None => kinds.push((kind, ended)),
        }
    }
    let behind = overloads.iter().map(|overload| overload.behind).max().unwrap_or_default();
    ChecksGauge {
        running,
        limit,
        total: kinds.iter().map(|(_, total)| total).sum(),
        kinds,
        latency: spread(metrics("vigia_check_lateness_seconds")),
        run_time: spread(metrics("vigia_check_duration_seconds")),
        overloaded: overloads.iter().map(|overload| overload.kind.to_owned()).collect(),
        behind,
    }
}

/// The upper bound of the bucket in which each percentile lies, over all kinds together.
fn spread(metrics: &[prometheus::proto::Metric]) -> Spread {
    let mut buckets: Vec<(f64, u64)> = Vec::new();
    let mut total = 0;
    for metric in metrics {
        let histogram = metric.get_histogram();
        total += histogram.get_sample_count();
        for bucket in histogram.get_bucket() {
            match buckets.iter_mut().find(|(bound, _)| *bound >= bucket.upper_bound()) {
                Some((_, count)) => *count += bucket.cumulative_count(),
                None => buckets.push((bucket.upper_bound(), bucket.cumulative_count())),
            }
        }
    }
    let at = |permille: u64| {
        let wanted = (total * permille).div_ceil(1000);
        buckets.iter().find(|(_, count)| *count >= wanted).or(buckets.last()).map_or(0.0, |(bound, _)| *bound)
    };
    if total == 0 { Spread::default() } else { Spread { p50: at(500), p95: at(950), p99: at(990) } }
}
