//! What a scan is asked to do: how deep, how fast, by whom.

use std::fmt;

use super::ports::Ports;
use super::timing::Timing;

/// How deep a scan looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// Who is there, and nothing else.
    Ping,
    #[default]
    Fast,
    Normal,
    Full,
    Custom(Ports),
}

impl Depth {
    /// `ping`, `fast`, `normal`, `full`, or a list of ports.
    ///
    /// # Errors
    /// Why it is none of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "ping" => Ok(Self::Ping),
            "fast" => Ok(Self::Fast),
            "normal" => Ok(Self::Normal),
            "full" => Ok(Self::Full),
            _ if text.starts_with(|c: char| c.is_ascii_digit()) => Ports::parse(text).map(Self::Custom),
            _ => Err(format!(
                "`{text}` is not a scan: `ping`, `fast`, `normal`, `full`, or ports such as `22,80,8000-8100`"
            )),
        }
    }

    pub fn ports(&self) -> Ports {
        match self {
            Self::Ping => Ports::default(),
            Self::Fast => Ports::fast(),
            Self::Normal => Ports::normal(),
            Self::Full => Ports::full(),
            Self::Custom(ports) => ports.clone(),
        }
    }
}

impl fmt::Display for Depth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping => f.write_str("ping"),
            Self::Fast => f.write_str("fast"),
            Self::Normal => f.write_str("normal"),
            Self::Full => f.write_str("full"),
            Self::Custom(ports) => write!(f, "{ports}"),
        }
    }
}

/// Who looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    #[default]
    BuiltIn,
    Nmap,
    /// A file that nmap or masscan wrote.
    Import,
}

impl Engine {
    pub fn name(self) -> &'static str {
        match self {
            Self::BuiltIn => "builtin",
            Self::Nmap => "nmap",
            Self::Import => "import",
        }
    }
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub depth: Depth,
    pub timing: Timing,
    pub engine: Engine,
    /// Nobody is asked what addresses are called.
    pub is_nameless: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scans_are_words_or_ports() {
        assert_eq!(Depth::parse("full"), Ok(Depth::Full));
        assert_eq!(Depth::parse("22,80").unwrap().to_string(), "22,80");
        assert!(Depth::parse("quick").unwrap_err().starts_with("`quick` is not a scan: `ping`"));
        assert!(Depth::parse("70000").is_err());
        assert!(Depth::Ping.ports().is_empty());
    }
}
