//! Which ports a scan asks: the lists of the scan types, and lists that people write.

use std::fmt;

/// A set of TCP ports, as ranges in order that neither touch nor overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports(Vec<(u16, u16)>);

/// What OSSIM's fast scan asked, and what has become usual since. (`ossim-discovery.md` 3.4)
const FAST: &[u16] = &[
    21, 22, 23, 25, 53, 80, 110, 113, 115, 135, 139, 143, 161, 389, 443, 445, 465, 554, 587, 993, 995, 1194,
    1241, 1433, 3000, 3128, 3306, 3389, 5060, 5432, 5900, 6667, 8080, 8443, 9100, 9390, 27017,
];

/// Above 1023, where servers are found that people run on purpose. Beside all ports below, this is the normal scan.
const USUAL: &[u16] = &[
    1080, 1099, 1194, 1241, 1352, 1414, 1433, 1434, 1494, 1521, 1604, 1701, 1720, 1723, 1812, 1813, 1883,
    1900, 2000, 2049, 2082, 2083, 2086, 2087, 2095, 2096, 2181, 2222, 2375, 2376, 2379, 2380, 2404, 2483,
    2484, 2525, 3000, 3001, 3050, 3128, 3260, 3268, 3269, 3306, 3310, 3389, 3478, 3493, 3632, 3690, 4000,
    4190, 4222, 4369, 4443, 4444, 4505, 4506, 4567, 4848, 4899, 5000, 5001, 5003, 5005, 5044, 5060, 5061,
    5140, 5190, 5222, 5269, 5280, 5353, 5357, 5380, 5432, 5433, 5500, 5555, 5601, 5631, 5632, 5665, 5666,
    5667, 5671, 5672, 5693, 5800, 5900, 5901, 5902, 5984, 5985, 5986, 6000, 6001, 6080, 6082, 6379, 6380,
    6443, 6514, 6556, 6557, 6566, 6660, 6661, 6662, 6663, 6664, 6665, 6666, 6667, 6668, 6669, 6697, 6881,
    7000, 7001, 7002, 7070, 7077, 7199, 7443, 7474, 7547, 7680, 7687, 7777, 7946, 8000, 8001, 8002, 8005,
    8006, 8008, 8009, 8010, 8020, 8025, 8060, 8069, 8080, 8081, 8082, 8083, 8084, 8085, 8086, 8087, 8088,
    8089, 8090, 8091, 8096, 8098, 8100, 8112, 8118, 8123, 8125, 8126, 8140, 8161, 8180, 8181, 8200, 8222,
    8291, 8300, 8301, 8333, 8400, 8443, 8444, 8500, 8530, 8531, 8545, 8600, 8642, 8686, 8728, 8729, 8765,
    8800, 8834, 8880, 8883, 8888, 8983, 9000, 9001, 9002, 9009, 9042, 9043, 9050, 9060, 9080, 9090, 9091,
    9092, 9093, 9094, 9100, 9101, 9102, 9103, 9104, 9115, 9117, 9160, 9200, 9300, 9390, 9392, 9418, 9443,
    9500, 9600, 9800, 9981, 9987, 9999, 10000, 10001, 10050, 10051, 10250, 10255, 10443, 11211, 11434, 12201,
    13306, 15672, 16010, 16509, 18080, 19999, 20000, 22222, 25565, 25672, 27017, 27018, 28017, 32400, 32768,
    32769, 33060, 34443, 37777, 44818, 47808, 49152, 49153, 49154, 49155, 50000, 50070, 54321, 55443, 60000,
    61613, 61616, 62078,
];

impl Ports {
    /// The list of the fast scan.
    pub fn fast() -> Self {
        Self::of(FAST.iter().map(|port| (*port, *port)))
    }

    /// All below 1024, and the usual ones above.
    pub fn normal() -> Self {
        Self::of(USUAL.iter().map(|port| (*port, *port)).chain([(1, 1023)]))
    }

    pub fn full() -> Self {
        Self::of([(1, u16::MAX)])
    }

    /// `22,80,8000-8100`.
    ///
    /// # Errors
    /// The part that is no port and no range of ports, and why.
    pub fn parse(text: &str) -> Result<Self, String> {
        let part = |part: &str| {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let port = |text: &str| {
                let number = text.trim().parse::<u16>().ok().filter(|port| *port > 0);
                number.ok_or_else(|| format!("`{}` is not a port (1 to 65535)", text.trim()))
            };
            let (from, to) = (port(from)?, port(to)?);
            if from <= to { Ok((from, to)) } else { Err(format!("{from} comes after {to}")) }
        };
        let parts = text.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty());
        let ranges: Vec<_> = parts.map(part).collect::<Result<_, String>>()?;
        if ranges.is_empty() { Err("there is no port in it".to_owned()) } else { Ok(Self::of(ranges)) }
    }

    fn of(ranges: impl IntoIterator<Item = (u16, u16)>) -> Self {
        let mut ranges: Vec<_> = ranges.into_iter().collect();
        ranges.sort_unstable();
        let mut merged: Vec<(u16, u16)> = Vec::with_capacity(ranges.len());
        for (from, to) in ranges {
            match merged.last_mut() {
                Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
                Some(_) | None => merged.push((from, to)),
            }
        }
        Self(merged)
    }

    /// All of both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self::of(self.0.iter().chain(&other.0).copied())
    }

    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.0.iter().flat_map(|(from, to)| *from..=*to)
    }

    pub fn len(&self) -> usize {
        self.0.iter().map(|(from, to)| usize::from(to - from) + 1).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn holds(&self, port: u16) -> bool {
        self.0.iter().any(|(from, to)| (*from..=*to).contains(&port))
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (from, to)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            if from == to { write!(f, "{comma}{from}")? } else { write!(f, "{comma}{from}-{to}")? }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_merged_and_written_back() {
        let ports = Ports::parse("443, 80,8000-8002,81,8001-8003").unwrap();
        assert_eq!(ports.to_string(), "80-81,443,8000-8003");
        assert_eq!(ports.len(), 7);
        assert_eq!(ports.iter().collect::<Vec<_>>(), [80, 81, 443, 8000, 8001, 8002, 8003]);
        assert!(ports.holds(8002) && !ports.holds(82));
    }

    #[test]
    fn what_is_no_port_is_named() {
        for (text, why) in [
            ("0", "`0` is not a port (1 to 65535)"),
            ("80,http", "`http` is not a port (1 to 65535)"),
            ("65536", "`65536` is not a port (1 to 65535)"),
            ("90-80", "90 comes after 80"),
            ("-", "`` is not a port (1 to 65535)"),
            (" ,", "there is no port in it"),
        ] {
            assert_eq!(Ports::parse(text), Err(why.to_owned()), "{text}");
        }
    }

    #[test]
    fn each_scan_asks_more_than_the_one_before() {
        let (fast, normal, full) = (Ports::fast(), Ports::normal(), Ports::full());
        assert!(fast.iter().all(|port| normal.holds(port)), "fast is part of normal");
        assert_eq!((fast.len(), full.len()), (37, 65_535));
        assert!((1_200..1_500).contains(&normal.len()), "{}", normal.len());
    }
}
