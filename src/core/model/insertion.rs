//! `${…}`: values of the object put into its texts. Never environment, never a shell. (`config.md` 2, rule 8)

/// What a text may ask for at load.
pub const OF_OBJECTS: &[&str] =
    &["host.name", "host.address", "host.alias", "host.index", "service.name", "tags.KEY"];

/// What rules, handlers and messages may ask for besides, when they run.
pub const AT_RUN: &[&str] = &["host.state", "service.state", "service.output", "alarm.id", "ticket.id"];

/// Names of Nagios' macros in a text, as people carry them over: `HOSTADDRESS` of `$HOSTADDRESS$`.
pub fn macros_in(text: &str) -> impl Iterator<Item = &str> {
    const BEGINNINGS: [&str; 6] = ["HOST", "SERVICE", "ARG", "USER", "_HOST", "_SERVICE"];
    let is_macro = |name: &&str| {
        BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
            && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    };
    text.split('$').skip(1).filter(is_macro).filter(move |name| text.contains(&format!("${name}$")))
}

/// What is written in place of one of Nagios' macros.
pub fn instead_of(name: &str) -> String {
    let value = match name {
        "HOSTNAME" => "host.name",
        "HOSTADDRESS" => "host.address",
        "HOSTALIAS" | "HOSTDISPLAYNAME" => "host.alias",
        "SERVICEDESC" | "SERVICEDISPLAYNAME" => "service.name",
        _ if name.starts_with("USER") => {
            return "a plugin is found by its name alone in `plugin_path`; a secret is written as `{file: PATH}`".to_owned();
        }
        _ => {
            return format!(
                "outside `command_line` there are only {}",
                OF_OBJECTS.iter().map(|name| format!("`${{{name}}}`")).collect::<Vec<_>>().join(" ")
            );
        }
    };
    format!("write `${{{value}}}`")
}

/// Is there anything to put in, or a `$${` to undo?
pub fn is_in(text: &str) -> bool {
    text.contains("${")
}

/// One piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    Text(&'a str),
    /// What stands between the braces, and where the `$` stands in the text, in characters.
    Name(&'a str, usize),
}

/// Divides a text. `$${` is a literal `${`; a `${` that nothing closes is text.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, behind)) = after.split_once('}') else { break };
        if let Some(before) = before.strip_suffix('$') {
            pieces.push(Piece::Text(before));
            pieces.push(Piece::Text("${"));
            rest = after;
            continue;
        }
        pieces.push(Piece::Text(before));
        let offset = text.chars().count() - rest.chars().count() + before.chars().count();
        pieces.push(Piece::Name(name, offset));
        rest = behind;
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// Puts values in; the name that has none, with its place in the text.
pub fn fill(text: &str, mut value: impl FnMut(&str) -> Option<String>) -> Result<String, (&str, usize)> {
    let mut filled = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Name(name, at) => filled.push_str(&value(name).ok_or((name, at))?),
        }
    }
    Ok(filled)
}

/// Is this a name that a rule, handler or message may ask for?
pub fn is_known_at_run(name: &str) -> bool {
    OF_OBJECTS.contains(&name)
        || AT_RUN.contains(&name)
        || name.strip_prefix("tags.").is_some_and(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, (&str, usize)> {
        fill(text, |name| (name == "host.name").then(|| "web1".to_owned()))
    }

    #[test]
    fn values_are_put_in_and_doubled_dollars_are_literal() {
        assert_eq!(filled("${host.name}.example.test").as_deref(), Ok("web1.example.test"));
        assert_eq!(filled("a $${host.name} b ${host.name}").as_deref(), Ok("a ${host.name} b web1"));
        assert_eq!(filled("$5 and ${open").as_deref(), Ok("$5 and ${open"));
        assert_eq!(filled("é ${host.nam}"), Err(("host.nam", 2)));
    }
}
