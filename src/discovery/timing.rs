//! The six timing templates as limits that the scanner keeps: pause, rate, parallelism, time-outs, retries.
//! (`ossim-discovery.md` 3.3)

use std::time::Duration;

/// How fast a scan goes, by nmap's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timing {
    Paranoid,
    Sneaky,
    Polite,
    #[default]
    Normal,
    Aggressive,
    Insane,
}

/// What one template allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Between two probes to one host, which then go out one by one.
    pub pause: Duration,
    /// Hosts that are looked at side by side.
    pub hosts: usize,
    /// Probes under way to one host.
    pub probes_per_host: usize,
    /// Probes under way in all.
    pub probes: usize,
    /// Probes a second in all; `None`: as fast as answers come.
    pub rate: Option<u32>,
    /// How long an answer is waited for before anything is known of the host, and at most.
    pub first_wait: Duration,
    pub longest_wait: Duration,
    /// Further tries of a silent port. They are spent only where a retry has ever brought an answer; else one is.
    pub retries: u32,
    /// After this long a host is left as it stands.
    pub host_timeout: Option<Duration>,
    /// How long a service may keep quiet before we speak first, and how long one conversation lasts at most.
    pub banner_wait: Duration,
    pub conversation: Duration,
}

const ALL: [Timing; 6] =
    [Timing::Paranoid, Timing::Sneaky, Timing::Polite, Timing::Normal, Timing::Aggressive, Timing::Insane];

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// One probe at a time, with a pause.
const fn serial(pause: Duration, first_wait: Duration, longest_wait: Duration) -> Limits {
    Limits {
        pause,
        hosts: 1,
        probes_per_host: 1,
        probes: 1,
        rate: None,
        first_wait,
        longest_wait,
        retries: 10,
        host_timeout: None,
        banner_wait: seconds(5),
        conversation: seconds(30),
    }
}

impl Timing {
    /// A name, or `T0` to `T5`, or the number alone.
    pub fn parse(text: &str) -> Option<Self> {
        let level = text.strip_prefix(['T', 't']).unwrap_or(text);
        let numbered = level.parse::<usize>().ok().and_then(|level| ALL.get(level).copied());
        numbered.or_else(|| ALL.into_iter().find(|timing| timing.name().eq_ignore_ascii_case(text)))
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Paranoid => "paranoid",
            Self::Sneaky => "sneaky",
            Self::Polite => "polite",
            Self::Normal => "normal",
            Self::Aggressive => "aggressive",
            Self::Insane => "insane",
        }
    }

    /// `T0` to `T5`.
    pub fn level(self) -> &'static str {
        match self {
            Self::Paranoid => "T0",
            Self::Sneaky => "T1",
            Self::Polite => "T2",
            Self::Normal => "T3",
            Self::Aggressive => "T4",
            Self::Insane => "T5",
        }
    }

    pub fn limits(self) -> Limits {
        let parallel = Limits {
            hosts: 32,
            probes_per_host: 128,
            probes: 512,
            rate: Some(10_000),
            banner_wait: millis(1_500),
            conversation: seconds(10),
            ..serial(Duration::ZERO, seconds(1), seconds(10))
        };
        match self {
            Self::Paranoid => serial(seconds(300), seconds(300), seconds(300)),
            Self::Sneaky => serial(seconds(15), seconds(15), seconds(15)),
            Self::Polite => serial(millis(400), seconds(1), seconds(10)),
            Self::Normal => parallel,
            Self::Aggressive => Limits {
                hosts: 64,
                probes_per_host: 512,
                probes: 1_024,
                rate: None,
                first_wait: millis(500),
                longest_wait: millis(1_250),
                retries: 6,
                banner_wait: millis(1_000),
                conversation: seconds(6),
                ..parallel
            },
            Self::Insane => Limits {
                hosts: 128,
                probes_per_host: 1_024,
                probes: 2_048,
                rate: None,
                first_wait: millis(250),
                longest_wait: millis(300),
                retries: 2,
                host_timeout: Some(seconds(900)),
                banner_wait: millis(600),
                conversation: seconds(4),
                ..parallel
            },
        }
    }
}

impl Limits {
    /// At least so long a scan takes that sends `probes` to each of `hosts`, by its pauses and its rate alone.
    pub fn least_time(&self, hosts: usize, probes: usize) -> Duration {
        let all = u32::try_from(hosts.saturating_mul(probes)).unwrap_or(u32::MAX);
        let by_pause = self.pause.saturating_mul(all);
        let by_rate = self.rate.map_or(Duration::ZERO, |rate| Duration::from_secs(u64::from(all / rate)));
        by_pause.max(by_rate)
    }
}

/// How long answers of one host take, as TCP itself measures it (RFC 6298), within the bounds of a template.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RoundTrip {
    smooth: Option<Duration>,
    spread: Duration,
}

impl RoundTrip {
    /// Answers come in bursts: less than this would call a busy host silent.
    const LEAST: Duration = millis(100);

    pub(super) fn seen(&mut self, took: Duration) {
        let Some(smooth) = self.smooth else {
            self.smooth = Some(took);
            self.spread = took / 2;
            return;
        };
        self.spread = (self.spread * 3 + smooth.abs_diff(took)) / 4;
        self.smooth = Some((smooth * 7 + took) / 8);
    }

    /// How long the next answer is waited for.
    pub(super) fn wait(&self, limits: &Limits) -> Duration {
        match self.smooth {
            Some(smooth) => (smooth + self.spread * 4).max(Self::LEAST).min(limits.longest_wait),
            None => limits.first_wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_have_names_levels_and_numbers() {
        for (text, timing) in [
            ("T4", Timing::Aggressive),
            ("0", Timing::Paranoid),
            ("Polite", Timing::Polite),
            ("t3", Timing::Normal),
        ] {
            assert_eq!(Timing::parse(text), Some(timing), "{text}");
        }
        assert!(["T6", "", "fast", "-1"].into_iter().all(|text| Timing::parse(text).is_none()));
        assert!(ALL.into_iter().all(|timing| Timing::parse(timing.name()) == Some(timing)));
        assert!(ALL.into_iter().all(|timing| Timing::parse(timing.level()) == Some(timing)));
    }

    #[test]
    fn each_template_is_faster_than_the_one_before() {
        for pair in ALL.windows(2) {
            let [slow, fast] = [pair[0].limits(), pair[1].limits()];
            assert!(slow.pause >= fast.pause && slow.probes <= fast.probes && slow.hosts <= fast.hosts);
            assert!(slow.first_wait >= fast.first_wait && slow.retries >= fast.retries);
        }
    }

    #[test]
    fn a_paranoid_scan_of_a_thousand_ports_takes_days() {
        let days = Timing::Paranoid.limits().least_time(1, 1_000).as_secs() / 86_400;
        assert_eq!(days, 3);
        assert_eq!(Timing::Insane.limits().least_time(10, 1_000), Duration::ZERO);
    }

    #[test]
    fn the_wait_follows_what_the_host_needs_within_the_template() {
        let limits = Timing::Aggressive.limits();
        let mut trip = RoundTrip::default();
        assert_eq!(trip.wait(&limits), limits.first_wait);
        for _ in 0..20 {
            trip.seen(millis(1));
        }
        assert_eq!(trip.wait(&limits), millis(100));
        for _ in 0..20 {
            trip.seen(seconds(3));
        }
        assert_eq!(trip.wait(&limits), limits.longest_wait);
    }
}
