//! A modest guess at the operating system, and what it rests on: what servers say of their build, and then which
//! services there are. No packets are forged for it, so often there is no guess.

use super::finding::{Finding, OsGuess, Service, Sign};

/// Words in products, versions and notes, the most telling first.
const WORDS: &[(&str, &str)] = &[
    ("deb13", "Debian GNU/Linux 13"),
    ("deb12", "Debian GNU/Linux 12"),
    ("deb11", "Debian GNU/Linux 11"),
    ("deb10", "Debian GNU/Linux 10"),
    ("Ubuntu", "Ubuntu Linux"),
    ("ubuntu", "Ubuntu Linux"),
    ("Raspbian", "Raspbian Linux"),
    ("Debian", "Debian GNU/Linux"),
    ("CentOS", "CentOS Linux"),
    ("Red Hat", "Red Hat Linux"),
    ("Rocky", "Rocky Linux"),
    ("AlmaLinux", "AlmaLinux"),
    ("Fedora", "Fedora Linux"),
    ("SUSE", "SUSE Linux"),
    ("Alpine", "Alpine Linux"),
    ("Amazon", "Amazon Linux"),
    ("FreeBSD", "FreeBSD"),
    ("NetBSD", "NetBSD"),
    ("OpenBSD", "OpenBSD"),
    ("Win64", "Windows"),
    ("Win32", "Windows"),
    ("Microsoft-IIS", "Windows"),
    ("Microsoft-HTTPAPI", "Windows"),
    ("Microsoft FTP", "Windows"),
    ("Microsoft ESMTP", "Windows"),
    ("RomSShell", "embedded"),
    ("Cisco", "Cisco IOS"),
    ("ROSSSH", "MikroTik RouterOS"),
    ("mpSSH", "HP iLO"),
];

/// The guess for one address; `None` where nothing tells.
pub(super) fn guess(finding: &Finding) -> Option<OsGuess> {
    let told = WORDS.iter().find_map(|(word, os)| {
        let by = finding.services.iter().find(|service| says(service, word))?;
        Some(OsGuess { name: (*os).to_owned(), evidence: by.evidence() })
    });
    told.or_else(|| of_ports(finding))
}

fn says(service: &Service, word: &str) -> bool {
    let texts = [&service.product, &service.version, &service.note];
    texts.into_iter().flatten().any(|text| text.contains(word))
}

/// File sharing with remote procedures or remote desktop, and no SSH: a Windows machine, most of the time.
fn of_ports(finding: &Finding) -> Option<OsGuess> {
    let has = |port| finding.services.iter().any(|service| service.port == port);
    if has(445) && (has(135) || has(3389)) && !has(22) {
        let ttl = match finding.sign {
            Sign::Echo { ttl: Some(ttl) } if (65..=128).contains(&ttl) => format!(", TTL {ttl}"),
            Sign::Echo { .. } | Sign::Accepted(_) | Sign::Refused(_) | Sign::Neighbour | Sign::Told => {
                String::new()
            }
        };
        let evidence = format!("the ports of file sharing and remote desktop{ttl}");
        return Some(OsGuess { name: "Windows".to_owned(), evidence });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::finding::Transport;

    fn with(services: &[(u16, &str, Option<&str>)]) -> Finding {
        let mut finding = Finding::new("192.0.2.1".parse().unwrap(), Sign::Echo { ttl: Some(127) });
        for (port, product, note) in services {
            let service = Service::new(*port, Transport::Tcp, "x");
            let (product, note) = (Some((*product).to_owned()), note.map(str::to_owned));
            finding.services.push(Service { product, note, is_sure: true, ..service });
        }
        finding
    }

    #[test]
    fn what_a_server_says_of_its_build_comes_first() {
        let guess = guess(&with(&[(80, "nginx", None), (22, "OpenSSH", Some("Debian-2+deb12u10"))])).unwrap();
        assert_eq!(guess.name, "Debian GNU/Linux 12");
        assert_eq!(guess.evidence, "22/tcp x OpenSSH Debian-2+deb12u10");
    }

    #[test]
    fn ports_alone_tell_little() {
        let windows = guess(&with(&[(135, "", None), (445, "", None)])).unwrap();
        assert_eq!((windows.name.as_str(), windows.evidence.contains("TTL 127")), ("Windows", true));
        assert_eq!(guess(&with(&[(22, "", None), (445, "", None), (135, "", None)])), None);
        assert_eq!(guess(&with(&[(80, "nginx", None)])), None);
    }
}
