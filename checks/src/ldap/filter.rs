//! Search filters as text (RFC 4515) and as LDAP sends them. Extensible matches (`:=`) are not in it.

use crate::ber;
use crate::options::{OptionType, Reader, Shape, Value};

/// A filter that was understood.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    pub(super) text: String,
    pub(super) bytes: Vec<u8>,
}

impl OptionType for Filter {
    const SHAPE: Shape = Shape::Text;

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(value, "a search filter such as (uid=*)")?.trim();
        let whole = if text.starts_with('(') { text.to_owned() } else { format!("({text})") };
        match part(&whole, 0) {
            Ok((bytes, "")) => Some(Self { text: whole, bytes }),
            Ok((_, rest)) => {
                reader.wrong(value.mark, format!("{} is no filter: `{rest}` follows its end", reader.path()));
                None
            }
            Err(why) => {
                let message = format!("{} is no filter: {why}", reader.path());
                reader.wrong_with_hint(value.mark, message, "(uid=*), (&(objectClass=person)(!(mail=*)))");
                None
            }
        }
    }
}

/// One filter in brackets, and what follows it.
fn part(text: &str, depth: usize) -> Result<(Vec<u8>, &str), String> {
    const DEPTH_MAX: usize = 32;
    if depth > DEPTH_MAX {
        return Err(format!("more than {DEPTH_MAX} brackets in each other"));
    }
    let inside = text.strip_prefix('(').ok_or_else(|| format!("`(` is missing before `{text}`"))?;
    let (bytes, rest) = match inside.split_at_checked(1) {
        Some(("&", rest)) => several(0xa0, rest, depth)?,
        Some(("|", rest)) => several(0xa1, rest, depth)?,
        Some(("!", rest)) => {
            let (negated, rest) = part(rest, depth + 1)?;
            (ber::element(0xa2, &negated), rest)
        }
        _ => {
            let (written, _) = inside.split_once(')').ok_or("`)` is missing at its end")?;
            (item(written)?, inside.strip_prefix(written).unwrap_or_default())
        }
    };
    rest.strip_prefix(')').map(|rest| (bytes, rest)).ok_or_else(|| "`)` is missing at its end".to_owned())
}

fn several(tag: u8, mut rest: &str, depth: usize) -> Result<(Vec<u8>, &str), String> {
    let mut content = Vec::new();
    while rest.starts_with('(') {
        let (bytes, after) = part(rest, depth + 1)?;
        content.extend(bytes);
        rest = after;
    }
    Ok((ber::element(tag, &content), rest))
}

/// `name=value` and its relatives.
fn item(text: &str) -> Result<Vec<u8>, String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`=` is missing in `{text}`"))?;
    let (name, tag) = match name.char_indices().next_back() {
        Some((at, '>')) => (name.split_at(at).0, 0xa5),
        Some((at, '<')) => (name.split_at(at).0, 0xa6),
        Some((at, '~')) => (name.split_at(at).0, 0xa8),
        Some((_, ':')) => return Err("extensible matches (`:=`) are not known here".to_owned()),
        _ => (name, 0xa3),
    };
    let is_name =
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ';'));
    if !is_name {
        return Err(format!("`{name}` is no name of an attribute"));
    }
    if tag == 0xa3 && value == "*" {
        return Ok(ber::element(0x87, name.as_bytes()));
    }
    let name = ber::element(ber::OCTETS, name.as_bytes());
    if tag == 0xa3 && value.contains('*') {
        return Ok(ber::joined(0xa4, &[name, substrings(value)?]));
    }
    Ok(ber::joined(tag, &[name, ber::element(ber::OCTETS, &unescaped(value)?)]))
}

fn substrings(value: &str) -> Result<Vec<u8>, String> {
    let pieces: Vec<&str> = value.split('*').collect();
    let last = pieces.len().saturating_sub(1);
    let mut content = Vec::new();
    for (at, piece) in pieces.iter().enumerate().filter(|(_, piece)| !piece.is_empty()) {
        let tag = if at == 0 {
            0x80
        } else if at == last {
            0x82
        } else {
            0x81
        };
        content.extend(ber::element(tag, &unescaped(piece)?));
    }
    Ok(ber::element(ber::SEQUENCE, &content))
}

/// `\2a` is a star that means itself.
fn unescaped(text: &str) -> Result<Vec<u8>, String> {
    let mut parts = text.split('\\');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or("`\\` wants two hexadecimal digits")?;
        let byte = u8::from_str_radix(digits, 16).map_err(|_bad| "`\\` wants two hexadecimal digits")?;
        bytes.push(byte);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_become_what_ldap_sends() {
        let cases: &[(&str, &[u8])] = &[
            ("(a=*)", b"\x87\x01a"),
            ("(a=b)", b"\xa3\x06\x04\x01a\x04\x01b"),
            ("(a>=b)", b"\xa5\x06\x04\x01a\x04\x01b"),
            (r"(a=\2ab)", b"\xa3\x07\x04\x01a\x04\x02*b"),
            ("(a=b*c*d)", b"\xa4\x0e\x04\x01a\x30\x09\x80\x01b\x81\x01c\x82\x01d"),
            ("(&(a=*)(!(b=*)))", b"\xa0\x08\x87\x01a\xa2\x03\x87\x01b"),
        ];
        for (text, expected) in cases {
            assert_eq!(part(text, 0), Ok((expected.to_vec(), "")), "{text}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        let deep = format!("{}(a=b){}", "(!".repeat(1000), ")".repeat(1000));
        for text in
            ["", "()", "(a)", "(a=b", "(&(a=b)", "(=b)", r"(a=\2)", r"(a=\zz)", "(a:=b)", "(é)", &deep]
        {
            assert!(part(text, 0).is_err(), "{text}");
        }
    }
}
