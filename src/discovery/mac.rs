//! Addresses of network cards, and who made them.
//!
//! vigia brings no table of vendors: the registry changes every week. Where the distribution's copy is installed
//! (`ieee-data`, or nmap's), it is read.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::os::files;

/// A hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Set by software: a virtual machine, a container, or a phone that hides.
    pub fn is_locally_administered(self) -> bool {
        self.0.first().is_some_and(|first| first & 0x02 != 0)
    }

    /// Shared by the members of a group (VRRP, HSRP, CARP): says nothing of the machine.
    fn is_shared(self) -> bool {
        matches!(self.0, [0x00, 0x00, 0x5e, 0x00, 0x01 | 0x02, _] | [0x00, 0x00, 0x0c, 0x07, 0xac, _])
    }

    /// Stays with the machine, as far as the address itself tells.
    pub fn is_identity(self) -> bool {
        let is_nobody = self.0 == [0; 6] || self.0.first().is_none_or(|first| first & 0x01 != 0);
        !is_nobody && !self.is_locally_administered() && !self.is_shared()
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{g:02X}")
    }
}

impl FromStr for Mac {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let bytes: Vec<u8> = text
            .split([':', '-'])
            .map(|byte| if byte.len() <= 2 { u8::from_str_radix(byte, 16).map_err(drop) } else { Err(()) })
            .collect::<Result<_, ()>>()?;
        bytes.try_into().map(Self).map_err(drop)
    }
}

/// Prefixes of 24, 28 and 36 bits, as hexadecimal digits, and their vendors.
#[derive(Clone, Debug, Default)]
pub struct Vendors(HashMap<String, String>);

/// Where distributions put the registry, and how it is written there.
const TABLES: &[&str] = &[
    "/usr/share/ieee-data/oui36.txt",
    "/usr/share/ieee-data/mam.txt",
    "/usr/share/ieee-data/oui.txt",
    "/usr/share/nmap/nmap-mac-prefixes",
];

/// The whole registry is a few megabytes.
const TABLE_MAX: u64 = 32 << 20;

impl Vendors {
    /// Reads what is installed; empty where nothing is.
    pub fn of_system() -> Self {
        let mut all = Self::default();
        for path in TABLES {
            if let Ok(bytes) = files::read(Path::new(path), TABLE_MAX) {
                all.add(&String::from_utf8_lossy(&bytes));
            }
        }
        all
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Lines such as `001EC9 Dell`, `001EC9     (base 16)  Dell Inc.`; others are passed over.
    fn add(&mut self, table: &str) {
        for line in table.lines() {
            let Some((prefix, rest)) = line.trim().split_once(char::is_whitespace) else { continue };
            let digits: String = prefix.chars().filter(char::is_ascii_hexdigit).collect();
            if !matches!(digits.len(), 6 | 7 | 9) || digits.len() != prefix.len() {
                continue;
            }
            let vendor = rest.trim().trim_start_matches("(base 16)").trim();
            if !vendor.is_empty() {
                self.0
                    .entry(digits.to_ascii_uppercase())
                    .or_insert_with(|| vendor.chars().take(60).collect());
            }
        }
    }

    /// The longest prefix decides. A locally administered address has no vendor.
    pub fn of(&self, mac: Mac) -> Option<&str> {
        if mac.is_locally_administered() {
            return None;
        }
        let digits: String = mac.0.iter().map(|byte| format!("{byte:02X}")).collect();
        [9, 7, 6].into_iter().find_map(|length| self.0.get(digits.get(..length)?)).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(text: &str) -> Mac {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_are_read_in_the_usual_spellings() {
        assert_eq!(mac("00:1e:c9:78:c4:fc").to_string(), "00:1E:C9:78:C4:FC");
        assert_eq!(mac("0-1e-c9-78-c4-fc"), mac("00:1E:C9:78:C4:FC"));
        assert!(
            ["", "00:1e:c9:78:c4", "00:1e:c9:78:c4:fg", "001ec978c4fc", "000:1:2:3:4:5"]
                .iter()
                .all(|text| text.parse::<Mac>().is_err())
        );
    }

    #[test]
    fn what_software_or_a_group_made_up_is_no_identity() {
        assert!(mac("00:1e:c9:78:c4:fc").is_identity());
        for none in [
            "52:54:00:12:34:56",
            "00:00:5e:00:01:0a",
            "00:00:0c:07:ac:01",
            "00:00:00:00:00:00",
            "01:00:5e:00:00:01",
        ] {
            assert!(!mac(none).is_identity(), "{none}");
        }
    }

    #[test]
    fn the_longest_prefix_names_the_vendor() {
        let mut vendors = Vendors::default();
        vendors.add("001EC9     (base 16)\t\tDell Inc.\r\n00-1E-C9   (hex)\tDell\n70B3D5123 Small Company\n70B3D5 Registry\n# text\n");
        assert_eq!(vendors.of(mac("00:1e:c9:00:00:01")), Some("Dell Inc."));
        assert_eq!(vendors.of(mac("70:b3:d5:12:30:01")), Some("Small Company"));
        assert_eq!(vendors.of(mac("70:b3:d5:99:90:01")), Some("Registry"));
        assert_eq!(vendors.of(mac("02:1e:c9:00:00:01")), None);
    }
}
