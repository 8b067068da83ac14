//! Bytes → what answers there: the service, its product and version, as far as it tells. (`ossim-discovery.md` 7.3)
//!
//! Everything read here comes from strangers: lengths are checked, texts are cleaned and cut. Who connects and reads is
//! [`super::opening`].

mod greeting;
mod reply;
mod table;

pub(super) use greeting::greeting;
pub(super) use reply::{dns, http, ntp, reply};
pub(super) use table::is_printer;
pub(super) use table::{Opening, by_port, is_tls_port};

/// What a service told of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) name: &'static str,
    pub(super) product: Option<String>,
    pub(super) version: Option<String>,
    pub(super) note: Option<String>,
    pub(super) http_status: Option<u16>,
    pub(super) is_denied: bool,
}

impl Told {
    fn named(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    fn product(self, product: &str) -> Self {
        Self { product: kept(product), ..self }
    }

    fn version(self, version: &str) -> Self {
        Self { version: kept(version), ..self }
    }

    fn note(self, note: &str) -> Self {
        Self { note: kept(note), ..self }
    }
}

/// Longest piece that is kept of what a stranger says.
const PIECE: usize = 80;

fn kept(text: &str) -> Option<String> {
    let text = clean(text.as_bytes(), PIECE);
    (!text.is_empty()).then_some(text)
}

/// Text of a stranger on one line: what is no printable sign of ASCII becomes a blank, blanks are single, the rest is cut.
/// (Comments of YAML, terminals and pages each have signs that hurt them; ASCII has none in print.)
pub(super) fn clean(bytes: &[u8], longest: usize) -> String {
    let printable = |byte: &u8| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { ' ' };
    let text: String = bytes.iter().map(printable).collect();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.chars().take(longest).collect()
}

/// Without its line's end; empty where there is no line.
fn first_line(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default()
}

/// `OpenSSH_9.2p1`, `nginx/1.22.1` → product and version.
fn divided(software: &str) -> (&str, &str) {
    let at = software.find(['/', '_', ' ']).or_else(|| {
        // `dnsmasq-2.90`, but not `Microsoft-IIS`.
        software.find('-').filter(|at| {
            software.get(at + 1..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
    });
    match at.and_then(|at| Some((software.get(..at)?, software.get(at + 1..)?))) {
        Some((product, version)) => (product, version),
        None => (software, ""),
    }
}

#[cfg(test)]
mod tests;
