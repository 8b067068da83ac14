//! URLs: read, built and joined in one place, so that brackets, ports and relative redirects are right everywhere.

use std::fmt;

use crate::options::{OptionType, Reader, Shape, Value};

/// An absolute `http` or `https` URL; the fragment is not kept, since it is never sent.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) is_secure: bool,
    /// Without brackets. Empty: whatever the check's target is.
    pub(super) host: String,
    /// None: the scheme's own.
    pub(super) port: Option<u16>,
    /// Begins with `/`, holds the query.
    pub(super) path: String,
    /// `user:password` as written in front of the host.
    pub(super) userinfo: Option<String>,
}

impl Url {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| format!("`{text}` is no URL: it begins with http:// or https://"))?;
        let is_secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(format!("`{scheme}` is neither http nor https")),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (userinfo, place) = match authority.rsplit_once('@') {
            Some((userinfo, place)) => (Some(userinfo.to_owned()), place),
            None => (None, authority),
        };
        let (host, port) = host_and_port(place)?;
        if host.is_empty() {
            return Err(format!("`{text}` names no host"));
        }
        Ok(Self { is_secure, host, port, path: clean_path(path), userinfo })
    }

    /// Where a `Location` leads from here. What is relative keeps scheme, host and port.
    pub(super) fn join(&self, location: &str) -> Result<Self, String> {
        let location = location.trim();
        if let Some((scheme, _)) = location.split_once("://")
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
        {
            return Self::parse(location);
        }
        if let Some(rest) = location.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", self.scheme()));
        }
        let (own_path, _) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let path = match location.chars().next() {
            None | Some('#') => self.path.clone(),
            Some('/') => clean_path(location),
            Some('?') => clean_path(&format!("{own_path}{location}")),
            Some(_) => {
                let folder = own_path.rsplit_once('/').map_or("", |(folder, _)| folder);
                clean_path(&format!("{folder}/{location}"))
            }
        };
        Ok(Self { path, ..self.clone() })
    }

    pub(super) fn scheme(&self) -> &'static str {
        if self.is_secure { "https" } else { "http" }
    }

    pub(super) fn port(&self) -> u16 {
        self.port.unwrap_or(if self.is_secure { 443 } else { 80 })
    }

    /// As in `Host`: brackets where needed, the port unless it is the scheme's own.
    pub(super) fn authority(&self) -> String {
        let host = bracketed(&self.host);
        match self.port {
            Some(port) if port != (if self.is_secure { 443 } else { 80 }) => format!("{host}:{port}"),
            Some(_) | None => host,
        }
    }

    /// Whether a redirect stays on the machine that is being checked.
    pub(super) fn has_same_host(&self, other: &Self) -> bool {
        self.host.eq_ignore_ascii_case(&other.host)
    }
}

/// Without the password, if one is in it.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.authority(), self.path)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl OptionType for Url {
    const SHAPE: Shape = Shape::Text;

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(value, "a URL")?;
        match Self::parse(text) {
            Ok(url) => Some(url),
            Err(why) => {
                reader.wrong(value.mark, why);
                None
            }
        }
    }
}

pub(super) fn bracketed(host: &str) -> String {
    // A zone means nothing to the other side.
    let host = host.split('%').next().unwrap_or(host);
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// `web1:8080`, `[2001:db8::1]:8080`, `2001:db8::1`.
pub(super) fn host_and_port(text: &str) -> Result<(String, Option<u16>), String> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => {
            (host, rest.strip_prefix(':').map(Some).unwrap_or((!rest.is_empty()).then_some(rest)))
        }
        None => match text.rsplit_once(':') {
            // More than one colon without brackets is an IPv6 address.
            Some((host, port)) if !host.contains(':') => (host, Some(port)),
            Some(_) | None => (text, None),
        },
    };
    let has_odd = host.chars().any(|c| c.is_control() || c.is_whitespace() || "/\\@[]<>\"`{}|^".contains(c));
    if has_odd {
        return Err(format!("`{}` is no host name", crate::one_line(host.to_owned(), 200)));
    }
    let port = match port {
        None | Some("") => None,
        Some(port) => {
            let number = port.parse::<u16>().ok().filter(|number| *number > 0 && !port.starts_with('+'));
            Some(number.ok_or_else(|| format!("`{port}` is no port"))?)
        }
    };
    Ok((host.to_owned(), port))
}

/// Ready for the request line: rooted, without `.` and `..` and fragment, everything odd percent-encoded.
pub(super) fn clean_path(text: &str) -> String {
    let text = text.split('#').next().unwrap_or_default();
    let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
    let mut parts: Vec<&str> = Vec::new();
    let mut ends_open = false;
    for part in path.split('/').skip(usize::from(path.starts_with('/'))) {
        ends_open = matches!(part, "" | "." | "..");
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    if ends_open && parts.last() != Some(&"") {
        parts.push("");
    }
    let joined = format!("/{}", parts.join("/"));
    let whole = query.map_or_else(|| joined.clone(), |query| format!("{joined}?{query}"));
    encoded(&whole)
}

fn encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    if text.bytes().all(is_plain) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if is_plain(byte) {
            out.push(char::from(byte));
        } else {
            let hex =
                |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase();
            out.extend(['%', hex(byte >> 4), hex(byte & 15)]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_read_and_print() {
        for (text, shown, port) in [
            ("http://web1", "http://web1/", 80),
            ("HTTPS://web1:443/a?b=c#d", "https://web1/a?b=c", 443),
            ("http://[2001:db8::1]:8080/x", "http://[2001:db8::1]:8080/x", 8080),
            ("http://user:pw@web1/", "http://web1/", 80),
            ("http://web1?q=1", "http://web1/?q=1", 80),
            ("http://web1/ä b", "http://web1/%C3%A4%20b", 80),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!((url.to_string().as_str(), url.port()), (shown, port), "{text}");
        }
        for text in [
            "web1",
            "ftp://web1/",
            "http://",
            "http:///x",
            "http://web1:0/",
            "http://web1:99999/",
            "http://a b/",
            "http://a\r\nb/",
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn relative_redirects_keep_the_port() {
        let from = Url::parse("http://web1:8080/shop/index.html?x=1").unwrap();
        for (location, leads_to) in [
            ("/login", "http://web1:8080/login"),
            ("cart", "http://web1:8080/shop/cart"),
            ("../up/./here", "http://web1:8080/up/here"),
            ("../../../..", "http://web1:8080/"),
            ("?y=2", "http://web1:8080/shop/index.html?y=2"),
            ("//other/x", "http://other/x"),
            ("https://web1/", "https://web1/"),
            ("", "http://web1:8080/shop/index.html?x=1"),
            ("a?next=http://b/", "http://web1:8080/shop/a?next=http://b/"),
        ] {
            assert_eq!(from.join(location).unwrap().to_string(), leads_to, "{location}");
        }
        assert!(from.join("ftp://web1/").is_err());
        assert!(from.join("http://web1:x/").is_err());
    }
}
