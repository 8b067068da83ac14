//! What nmap and masscan write with `-oX`, read as a stream: hosts that are up, their open ports, and whether the end was
//! reached. A file that breaks off gives what came before.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::net::IpAddr;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::finding::{Finding, OsGuess, Service, Sign, Transport};
use super::identify::clean;

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// In order of address.
    pub findings: Vec<Finding>,
    /// `nmap`, `masscan`, or empty where it does not say.
    pub scanner: String,
    /// Hosts that were looked at, where told.
    pub looked_at: Option<usize>,
    /// The end was reached and the scan says that it succeeded.
    pub is_complete: bool,
    /// Why reading ended before the end.
    pub broken: Option<String>,
}

/// One tag or attribute list is never longer than this; whoever writes more is not nmap.
const HOSTS_MAX: usize = 1 << 24;

/// Reads all of it. Never fails: what is broken is said in the report.
pub(super) fn read(source: impl BufRead) -> Report {
    let mut xml = Reader::from_reader(source);
    xml.config_mut().check_end_names = false;
    let mut reading = Reading::default();
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match xml.read_event_into(&mut buffer) {
            Ok(Event::Start(tag)) => reading.open(&tag),
            Ok(Event::Empty(tag)) => {
                reading.open(&tag);
                reading.close(tag.name().as_ref());
            }
            Ok(Event::End(tag)) => reading.close(tag.name().as_ref()),
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(error) => {
                reading.report.broken = Some(format!("at byte {}: {error}", xml.error_position()));
                break;
            }
        }
        if reading.hosts.len() > HOSTS_MAX {
            reading.report.broken = Some("it holds more hosts than there can be".to_owned());
            break;
        }
    }
    reading.finished()
}

#[derive(Default)]
struct Reading {
    report: Report,
    /// masscan writes a host anew for each port.
    hosts: BTreeMap<IpAddr, Finding>,
    host: Option<Host>,
    has_root: bool,
    has_end: bool,
}

#[derive(Default)]
struct Host {
    is_down: bool,
    address: Option<IpAddr>,
    port: Option<Port>,
    os_accuracy: u32,
    names: Vec<String>,
    services: Vec<Service>,
    os: Option<OsGuess>,
    mac: Option<(super::mac::Mac, Option<String>)>,
}

struct Port {
    service: Service,
    is_open: bool,
}

/// The text of an attribute, cleaned.
fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = tag.attributes().with_checks(false).flatten().find(|one| one.key.as_ref() == name)?;
    let raw: &str = found.value.as_ref();
    let text = quick_xml::escape::unescape(raw).map_or_else(|_| raw.to_owned(), |text| text.into_owned());
    Some(clean(text.as_bytes(), 200)).filter(|text| !text.is_empty())
}

impl Reading {
    fn open(&mut self, tag: &BytesStart<'_>) {
        let name = tag.name();
        let name: &str = name.as_ref();
        match name {
            "nmaprun" => {
                self.has_root = true;
                self.report.scanner = attribute(tag, "scanner").unwrap_or_default();
            }
            "host" => self.host = Some(Host::default()),
            "finished" => {
                self.has_end = true;
                let is_error = attribute(tag, "exit").is_some_and(|exit| exit != "success");
                self.report.is_complete = !is_error;
            }
            "hosts" => {
                self.report.looked_at = attribute(tag, "total").and_then(|total| total.parse().ok());
            }
            _ => {
                if let Some(host) = &mut self.host {
                    host.open(name, tag);
                }
            }
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "port" => {
                if let Some(host) = &mut self.host
                    && let Some(port) = host.port.take().filter(|port| port.is_open)
                {
                    host.services.push(port.service);
                }
            }
            "host" => self.take_host(),
            _ => {}
        }
    }

    fn take_host(&mut self) {
        let Some(host) = self.host.take().filter(|host| !host.is_down) else { return };
        let Some(address) = host.address else { return };
        let finding = self.hosts.entry(address).or_insert_with(|| Finding::new(address, Sign::Told));
        finding.is_complete = true;
        for service in host.services {
            let is_known = |one: &Service| (one.port, one.transport) == (service.port, service.transport);
            match finding.services.iter_mut().find(|one| is_known(one)) {
                // masscan tells the banner of a port after the port.
                Some(known) if known.name.is_empty() || service.is_sure => *known = service,
                Some(_) => {}
                None => finding.services.push(service),
            }
        }
        finding.services.sort_by_key(|service| (service.port, service.transport));
        finding.names.extend(host.names);
        finding.os = host.os.or(finding.os.take());
        if let Some((mac, vendor)) = host.mac {
            finding.mac = Some(mac);
            finding.vendor = vendor;
        }
    }

    fn finished(mut self) -> Report {
        if !self.has_root && self.report.broken.is_none() {
            self.report.broken = Some("there is no `nmaprun` in it".to_owned());
        }
        if !self.has_end && self.report.broken.is_none() {
            self.report.broken = Some("it ends before the scan did".to_owned());
        }
        if self.report.broken.is_some() {
            self.report.is_complete = false;
        }
        let is_complete = self.report.is_complete;
        self.report.findings = self.hosts.into_values().collect();
        for finding in &mut self.report.findings {
            finding.is_complete = is_complete;
        }
        self.report
    }
}

impl Host {
    fn open(&mut self, name: &str, tag: &BytesStart<'_>) {
        match name {
            "status" => self.is_down = attribute(tag, "state").is_some_and(|state| state != "up"),
            "address" => self.address(tag),
            "hostname" => {
                let name = attribute(tag, "name").filter(|name| crate::config::target::is_host_name(name));
                // What a person typed is no name that the network gave.
                if attribute(tag, "type").as_deref() != Some("user") {
                    self.names.extend(name);
                }
            }
            "port" => self.port = port(tag),
            "state" => {
                if let Some(port) = &mut self.port {
                    port.is_open = attribute(tag, "state").as_deref() == Some("open");
                }
            }
            "service" => {
                if let Some(port) = &mut self.port {
                    service(&mut port.service, tag);
                }
            }
            "osmatch" => {
                let accuracy = attribute(tag, "accuracy").and_then(|text| text.parse().ok()).unwrap_or(0);
                if let Some(name) = attribute(tag, "name").filter(|_| accuracy > self.os_accuracy) {
                    self.os_accuracy = accuracy;
                    self.os = Some(OsGuess { name, evidence: format!("nmap, accuracy {accuracy} %") });
                }
            }
            _ => {}
        }
    }

    fn address(&mut self, tag: &BytesStart<'_>) {
        let Some(text) = attribute(tag, "addr") else { return };
        match text.parse::<IpAddr>() {
            Ok(address) => self.address = self.address.or(Some(address)),
            Err(_) => self.mac = text.parse().ok().map(|mac| (mac, attribute(tag, "vendor"))),
        }
    }
}

fn port(tag: &BytesStart<'_>) -> Option<Port> {
    let transport = match attribute(tag, "protocol")?.as_str() {
        "tcp" => Transport::Tcp,
        "udp" => Transport::Udp,
        _ => return None,
    };
    let port = attribute(tag, "portid")?.parse().ok().filter(|port| *port > 0)?;
    let mut service = Service::new(port, transport, super::identify::by_port(port, transport));
    service.is_tls = super::identify::is_tls_port(port) && matches!(port, 443 | 465 | 636 | 993 | 995 | 8443);
    Some(Port { service, is_open: false })
}

/// nmap's names for what we call otherwise, and whether TLS is part of the name.
fn our_name(name: &str) -> (&str, bool) {
    match name {
        "https" | "https-alt" => ("http", true),
        "http-proxy" | "http-alt" | "http-mgmt" => ("http", false),
        "imaps" => ("imap", true),
        "pop3s" => ("pop3", true),
        "smtps" => ("smtp", true),
        "submission" => ("smtp", false),
        "ldaps" | "ldapssl" => ("ldap", true),
        "ftps" => ("ftp", true),
        "mariadb" => ("mysql", false),
        "unknown" | "tcpwrapped" => ("", false),
        other => (other, false),
    }
}

fn service(service: &mut Service, tag: &BytesStart<'_>) {
    // masscan's `banner` is the first bytes themselves.
    if let Some(told) =
        attribute(tag, "banner").and_then(|text| super::identify::greeting(text.as_bytes(), service.port))
    {
        service.take(told);
        return;
    }
    let name = attribute(tag, "name").unwrap_or_default();
    let (name, is_tls) = our_name(&name);
    if !name.is_empty() || service.name.is_empty() {
        name.clone_into(&mut service.name);
    }
    service.is_sure = attribute(tag, "method").as_deref() == Some("probed") && !name.is_empty();
    service.is_tls |= is_tls || attribute(tag, "tunnel").as_deref() == Some("ssl");
    service.product = attribute(tag, "product");
    service.version = attribute(tag, "version");
    service.note = attribute(tag, "extrainfo");
}

#[cfg(test)]
mod tests {
    use super::*;

    const NMAP: &str = r#"<?xml version="1.0"?>
<!DOCTYPE nmaprun>
<nmaprun scanner="nmap" args="nmap -oX - 192.0.2.0/30" version="7.93">
<host><status state="down" reason="no-response"/><address addr="192.0.2.1" addrtype="ipv4"/></host>
<host starttime="1"><status state="up" reason="arp-response"/>
<address addr="192.0.2.2" addrtype="ipv4"/><address addr="00:1E:C9:78:C4:FC" addrtype="mac" vendor="Dell &amp; Sons"/>
<hostnames><hostname name="typed" type="user"/><hostname name="web1.example.test" type="PTR"/><hostname name="bad name" type="PTR"/></hostnames>
<ports><extraports state="closed" count="3"/>
<port protocol="tcp" portid="22"><state state="open"/><service name="ssh" product="OpenSSH" version="9.2p1" extrainfo="protocol 2.0" method="probed" conf="10"/></port>
<port protocol="tcp" portid="80"><state state="filtered"/><service name="http" method="table"/></port>
<port protocol="tcp" portid="9443"><state state="open"/><service name="http" product="nginx" tunnel="ssl" method="probed"/></port>
<port protocol="udp" portid="123"><state state="open"/><service name="ntp" method="probed"/></port>
</ports>
<os><osmatch name="Linux 2.6.X" accuracy="91"/><osmatch name="Linux 5.X" accuracy="96"/></os>
</host>
<runstats><finished time="1" exit="success"/><hosts up="1" down="3" total="4"/></runstats></nmaprun>"#;

    #[test]
    fn hosts_that_are_up_are_read_with_their_open_ports() {
        let report = read(NMAP.as_bytes());
        assert!(report.is_complete && report.broken.is_none(), "{report:?}");
        assert_eq!((report.scanner.as_str(), report.looked_at), ("nmap", Some(4)));
        let [host] = report.findings.as_slice() else { panic!("{report:?}") };
        assert_eq!(host.address.to_string(), "192.0.2.2");
        assert_eq!(
            (host.names.as_slice(), host.vendor.as_deref()),
            (&["web1.example.test".to_owned()][..], Some("Dell & Sons"))
        );
        assert_eq!(host.os.as_ref().map(|os| os.name.as_str()), Some("Linux 5.X"));
        let evidence: Vec<String> = host.services.iter().map(Service::evidence).collect();
        assert_eq!(evidence, ["22/tcp ssh OpenSSH 9.2p1 protocol 2.0", "123/udp ntp", "9443/tcp http nginx"]);
        assert!(host.services[2].is_tls);
    }

    #[test]
    fn masscan_writes_a_host_for_each_port() {
        let xml = r#"<?xml version="1.0"?><!-- masscan v1.0 scan --><nmaprun scanner="masscan" start="1" version="1.0-BETA">
<host endtime="1"><address addr="192.0.2.7" addrtype="ipv4"/><ports><port protocol="tcp" portid="80"><state state="open" reason="syn-ack"/></port></ports></host>
<host endtime="1"><address addr="192.0.2.7" addrtype="ipv4"/><ports><port protocol="tcp" portid="2222"><state state="open"/></port></ports></host>
<host endtime="1"><address addr="192.0.2.7" addrtype="ipv4"/><ports><port protocol="tcp" portid="2222"><state state="open"/><service name="ssh" banner="SSH-2.0-OpenSSH_9.2p1&#13;&#10;"></service></port></ports></host>
<runstats><finished time="2"/><hosts up="1" down="0" total="1"/></runstats></nmaprun>"#;
        let report = read(xml.as_bytes());
        assert!(report.is_complete, "{report:?}");
        let evidence: Vec<String> = report.findings[0].services.iter().map(Service::evidence).collect();
        assert_eq!(evidence, ["80/tcp http?", "2222/tcp ssh OpenSSH 9.2p1"]);
    }

    #[test]
    fn a_file_that_breaks_off_gives_what_came_before() {
        let cut = NMAP.find("<os>").unwrap();
        let report = read(&NMAP.as_bytes()[..cut]);
        assert!(!report.is_complete && report.findings.is_empty());
        assert_eq!(report.broken.as_deref(), Some("it ends before the scan did"));
        let after = NMAP.find("<runstats>").unwrap();
        let report = read(&NMAP.as_bytes()[..after]);
        assert_eq!((report.findings.len(), report.is_complete), (1, false));
        assert_eq!(read(&b"no xml at all"[..]).broken.as_deref(), Some("there is no `nmaprun` in it"));
        assert!(read(&b"<nmaprun><host\xff\xfe<<<"[..]).broken.is_some());
        let failed = NMAP.replace("exit=\"success\"", "exit=\"error\"");
        assert!(!read(failed.as_bytes()).is_complete);
    }

    #[test]
    fn any_damage_is_survived() {
        let parts = NMAP.split_inclusive('\n').map(|line| line.as_bytes().to_vec());
        let corpus: Vec<Vec<u8>> = std::iter::once(NMAP.as_bytes().to_vec()).chain(parts).collect();
        crate::fixture::damage::survives("nmap", &corpus, |bytes| drop(read(bytes)));
    }
}
