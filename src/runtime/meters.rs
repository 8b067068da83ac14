//! The daemon's own metrics. Those of hosts and services are not here: they are streamed from the world.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};
use vigia_core::model::state::{Condition, State};

/// From a loopback answer to a plugin that hangs for a minute.
const DURATIONS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// From on time to a machine that cannot keep up.
const LATENESS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0];

#[derive(Debug)]
pub struct Meters {
    pub registry: Registry,
    checks: IntCounterVec,
    check_duration: HistogramVec,
    check_lateness: HistogramVec,
    pub checks_running: IntGauge,
    pub checks_waiting: IntGauge,
    pub check_panics: IntCounter,
    /// Programs that run, and those past their deadline that are not gone.
    pub processes: IntGaugeVec,
    pub inbox_length: IntGauge,
    pub results_refused: IntCounter,
    pub publications: IntCounter,
    pub clock_jumps: IntCounter,
    pub conductor_alive: Gauge,
    pub unsaved_events: IntGauge,
    pub checks_paused: IntGauge,
    pub reloads: IntCounterVec,
    pub reload_duration: Histogram,
    pub reload_ok: IntGauge,
    pub reload_ok_at: Gauge,
    pub config_problems: IntGaugeVec,
    pub quarantined: IntGauge,
}

/// The meters of one kind of check, found once.
#[derive(Clone, Debug)]
pub struct KindMeters {
    by_state: [IntCounter; 4],
    duration: Histogram,
    lateness: Histogram,
}

impl KindMeters {
    pub fn count(&self, state: State, took: Duration, late: Duration) {
        if let Some(counter) = self.by_state.get(usize::from(state.number())) {
            counter.inc();
        }
        self.duration.observe(took.as_secs_f64());
        self.lateness.observe(late.as_secs_f64());
    }
}

impl Default for Meters {
    fn default() -> Self {
        Self::new()
    }
}

impl Meters {
    pub fn new() -> Self {
        let registry = Registry::new();
        let made = Make(&registry);
        made.build_info();
        Self {
            checks: made.counters("checks_total", "Checks that ended, by kind and state", &["kind", "state"]),
            check_duration: made.histograms(
                "check_duration_seconds",
                "Run time of checks",
                DURATIONS,
                &["kind"],
            ),
            check_lateness: made.histograms(
                "check_lateness_seconds",
                "How late checks started",
                LATENESS,
                &["kind"],
            ),
            checks_running: made.gauge("checks_running", "Checks that run right now"),
            checks_waiting: made.gauge("checks_waiting", "Checks that are due and wait for a place"),
            check_panics: made
                .counter("check_panics_total", "Checks that failed because of a mistake in vigia"),
            processes: made.gauges("processes", "Plugins: running, and being killed", &["state"]),
            inbox_length: made.gauge("inbox_length", "Inputs that wait for the engine"),
            results_refused: made
                .counter("results_refused_total", "Results that were not taken: unknown object, outdated"),
            publications: made.counter("publications_total", "Worlds published to readers"),
            clock_jumps: made.counter("clock_jumps_total", "Jumps of the system's clock"),
            conductor_alive: made.float(
                "conductor_last_alive_timestamp_seconds",
                "When the task that owns the state last went round",
            ),
            unsaved_events: made
                .gauge("unsaved_events", "Events that wait because the store takes nothing at the moment"),
            checks_paused: made.gauge("checks_paused", "1: checks pause because too much is unsaved"),
            reloads: made.counters(
                "reloads_total",
                "Reloads of the configuration: complete, partial, refused",
                &["outcome"],
            ),
            reload_duration: made.histogram(
                "reload_duration_seconds",
                "Time from reading the files to the new state, of reloads that were not refused",
                DURATIONS,
            ),
            reload_ok: made.gauge("config_last_reload_successful", "1: all that the files say is in effect"),
            reload_ok_at: made.float(
                "config_last_reload_success_timestamp_seconds",
                "When all that the files say last took effect",
            ),
            config_problems: made.gauges("config_problems", "What the last load found wrong", &["severity"]),
            quarantined: made
                .gauge("config_quarantined_objects", "Objects that are not loaded because of a mistake"),
            registry,
        }
    }

    pub fn of_kind(&self, kind: &str) -> KindMeters {
        let counter = |state: State| self.checks.with_label_values(&[kind, &state.word().to_lowercase()]);
        KindMeters {
            by_state: [State::Ok, State::Warning, State::Critical, State::Unknown].map(counter),
            duration: self.check_duration.with_label_values(&[kind]),
            lateness: self.check_lateness.with_label_values(&[kind]),
        }
    }

    /// All of them in the text format of Prometheus.
    pub fn text(&self) -> String {
        // An error can only come from a name that the format does not know; ours are constants.
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }
}

/// Makes meters and enters them in the registry. Names and labels are constants here: what could go wrong
/// goes wrong in the first test.
struct Make<'a>(&'a Registry);

impl Make<'_> {
    fn enter<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let meter = made.expect("the name is a constant of this file");
        self.0.register(Box::new(meter.clone())).expect("each name stands once in this file");
        meter
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.enter(IntCounter::new(format!("vigia_{name}"), help))
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.enter(IntCounterVec::new(Opts::new(format!("vigia_{name}"), help), labels))
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.enter(IntGauge::new(format!("vigia_{name}"), help))
    }

    fn float(&self, name: &str, help: &str) -> Gauge {
        self.enter(Gauge::new(format!("vigia_{name}"), help))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.enter(IntGaugeVec::new(Opts::new(format!("vigia_{name}"), help), labels))
    }

    fn histogram(&self, name: &str, help: &str, bounds: &[f64]) -> Histogram {
        let opts = HistogramOpts::new(format!("vigia_{name}"), help).buckets(bounds.to_vec());
        self.enter(Histogram::with_opts(opts))
    }

    fn histograms(&self, name: &str, help: &str, bounds: &[f64], labels: &[&str]) -> HistogramVec {
        let opts = HistogramOpts::new(format!("vigia_{name}"), help).buckets(bounds.to_vec());
        self.enter(HistogramVec::new(opts, labels))
    }

    fn build_info(&self) {
        let info = self.gauges("build_info", "Which vigia this is", &["version"]);
        info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_is_counted_under_its_kind_and_state() {
        let meters = Meters::new();
        let tcp = meters.of_kind("tcp");
        tcp.count(State::Critical, Duration::from_millis(3), Duration::ZERO);
        let text = meters.text();
        assert!(text.contains(r#"vigia_checks_total{kind="tcp",state="critical"} 1"#), "{text}");
        assert!(text.contains(r#"vigia_check_lateness_seconds_bucket{kind="tcp",le="0.005"} 1"#), "{text}");
        assert!(text.contains("vigia_build_info{version="), "{text}");
    }
}
