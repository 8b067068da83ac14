//! Secrets that stand in a file in plain text, known by the name of their key or header: they are stars wherever
//! values or lines of files are shown.
//!
//! Options that are declared as secrets are hidden by their declaration. This is for what no declaration can know:
//! HTTP headers, the environment of a plugin, and lines of files that cannot even be parsed.

use std::borrow::Cow;

use serde_json::Value as Json;

const STARS: &str = "***";

/// How names end that hold secrets, in lower case and without signs.
const ENDINGS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "authorization",
    "cookie",
    "apikey",
    "community",
    "privatekey",
    "credentials",
];

/// Does a key, header or variable of this name hold a secret?
pub fn is_secret_name(name: &str) -> bool {
    let bare: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let bare = bare.to_ascii_lowercase();
    ENDINGS.iter().any(|ending| bare.ends_with(ending))
}

/// Hides what stands in a value under a telling name, and passwords inside URLs.
pub fn hide(name: &str, value: &mut Json) {
    match value {
        Json::String(text) if is_secret_name(name) => STARS.clone_into(text),
        Json::String(text) => {
            if let Cow::Owned(hidden) = without_passwords(text) {
                *text = hidden;
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| hide(name, item)),
        Json::Object(map) => map.iter_mut().for_each(|(key, value)| hide(key, value)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// `https://ana:secret@web.example.test/` without the secret.
pub fn without_passwords(text: &str) -> Cow<'_, str> {
    if !(text.contains("://") && text.contains('@')) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let end = after.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(after.len());
        let (authority, tail) = after.split_at(end);
        match authority.rsplit_once('@').and_then(|(user, host)| Some((user.split_once(':')?.0, host))) {
            Some((user, host)) => out.extend([user, ":", STARS, "@", host]),
            None => out.push_str(authority),
        }
        rest = tail;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// A line of a file with stars for what stands after a telling name, and for passwords inside URLs. As many characters as before, so that a caret
/// below it stands where it stood.
pub fn line(text: &str) -> Cow<'_, str> {
    let mut characters: Vec<char> = text.chars().collect();
    let mut is_changed = false;
    let mut at = 0;
    while let Some((from, to)) = next_value(&characters, at) {
        for character in characters.get_mut(from..to).unwrap_or_default() {
            *character = '*';
        }
        is_changed = true;
        at = to.max(at + 1);
    }
    let mut at = 0;
    while let Some((from, to, next)) = next_password(&characters, at) {
        for character in characters.get_mut(from..to).unwrap_or_default() {
            *character = '*';
        }
        is_changed |= to > from;
        at = next;
    }
    if is_changed { Cow::Owned(characters.into_iter().collect()) } else { Cow::Borrowed(text) }
}

/// Where the password of the next URL begins and ends, nothing between the two where it has none; and where to go on.
fn next_password(characters: &[char], at: usize) -> Option<(usize, usize, usize)> {
    let rest = characters.get(at..)?;
    let start = at + rest.windows(3).position(|three| *three == [':', '/', '/'])? + 3;
    let authority = characters.get(start..)?;
    let length = authority.iter().position(|c| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '`'));
    let authority = authority.get(..length.unwrap_or(authority.len()))?;
    let end = start + authority.len();
    let of_user = authority.iter().rposition(|c| *c == '@');
    let colon = authority.iter().position(|c| *c == ':');
    Some(match (colon, of_user) {
        (Some(colon), Some(host)) if colon < host => (start + colon + 1, start + host, end),
        (_, _) => (start, start, end),
    })
}

/// Where the next secret begins and ends.
fn next_value(characters: &[char], mut at: usize) -> Option<(usize, usize)> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let get = |at: usize| characters.get(at).copied();
    while at < characters.len() {
        let start = at;
        while get(at).is_some_and(is_of_name) {
            at += 1;
        }
        if at == start {
            at += 1;
            continue;
        }
        let name: String = characters.get(start..at)?.iter().collect();
        let mut colon = at;
        while get(colon).is_some_and(|c| matches!(c, '"' | '\'' | ' ')) {
            colon += 1;
        }
        if get(colon) != Some(':') || !is_secret_name(&name) {
            continue;
        }
        let mut from = colon + 1;
        while get(from).is_some_and(|c| matches!(c, ' ' | '\t')) {
            from += 1;
        }
        let is_in_braces = characters.iter().take(start).any(|c| matches!(c, '{' | '['));
        let to = end_of_value(characters, from, is_in_braces);
        // `{file: …}` names a secret without telling it.
        if to > from && get(from) != Some('{') {
            return Some((from, to));
        }
    }
    None
}

fn end_of_value(characters: &[char], from: usize, is_in_braces: bool) -> usize {
    let get = |at: usize| characters.get(at).copied();
    let mut at = from;
    if let Some(quote @ ('"' | '\'')) = get(from) {
        at += 1;
        while let Some(c) = get(at) {
            at += 1;
            match c {
                '\\' if quote == '"' => at += 1,
                c if c == quote && get(at) == Some(quote) && quote == '\'' => at += 1,
                c if c == quote => break,
                _ => {}
            }
        }
        return at.min(characters.len());
    }
    if get(from) == Some('[') {
        return characters.len();
    }
    while let Some(c) = get(at) {
        let is_end = is_in_braces && matches!(c, ',' | '}' | ']') || c == ' ' && get(at + 1) == Some('#');
        if is_end {
            break;
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn telling_names_are_known_in_every_spelling() {
        for name in ["password", "PGPASSWORD", "X-Api-Key", "api_key", "Proxy-Authorization", "Set-Cookie"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["key", "user", "path", "passive", "token_count", "secrets_folder"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn values_lose_their_secrets_and_nothing_else() {
        let mut value = json!({
            "headers": {"Authorization": "Bearer abc", "Accept": "*/*"},
            "password": {"file": "/etc/vigia/secrets/web"},
            "url": "https://ana:abc@web.example.test/a:b@c",
        });
        hide("http", &mut value);
        assert_eq!(
            value,
            json!({
                "headers": {"Authorization": "***", "Accept": "*/*"},
                "password": {"file": "/etc/vigia/secrets/web"},
                "url": "https://ana:***@web.example.test/a:b@c",
            })
        );
        assert_eq!(without_passwords("see a://b:c and d@e"), "see a://b:c and d@e");
    }

    #[test]
    fn a_line_keeps_its_length_and_loses_its_secrets() {
        for (text, shown) in [
            ("  password: s3cret, with a comma", "  password: ********************"),
            ("a: {password: s3cret, port: 80}", "a: {password: ******, port: 80}"),
            ("a: {\"Authorization\": 'it''s', b: c}", "a: {\"Authorization\": *******, b: c}"),
            ("token: \"not closed", "token: ***********"),
            ("password: {file: /etc/x}  # fine", "password: {file: /etc/x}  # fine"),
            ("password: abc # mine", "password: *** # mine"),
            ("password: [abc, d]", "password: ********"),
            ("password:", "password:"),
            ("hosts: {web: 192.0.2.1}", "hosts: {web: 192.0.2.1}"),
            (
                "a: {url: \"https://ana:s3:c@web.example.test:81/b@c\"}",
                "a: {url: \"https://ana:****@web.example.test:81/b@c\"}",
            ),
            (
                "a: https://ana@web.example.test/ b: ftp://x:y@z",
                "a: https://ana@web.example.test/ b: ftp://x:*@z",
            ),
        ] {
            let hidden = line(text);
            assert_eq!(hidden, shown);
            assert_eq!(hidden.chars().count(), text.chars().count());
        }
    }
}
