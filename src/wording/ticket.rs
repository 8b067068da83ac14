//! The mail of tickets: a subject and a body with labels, put in by one single pass. (`ossim-tickets.md` 6)
//!
//! A label is `{{LABEL}}`, or the bare word as templates of OSSIM have it. What a label stands for is never looked through
//! for labels again, and is escaped in HTML: a title may say `STATUS TYPE ID $1 <b>`.

use std::collections::BTreeMap;

use super::one_line;

/// Values by label; one that is absent is empty.
pub type Values = BTreeMap<&'static str, String>;

/// Every label, and what it stands for.
pub const LABELS: &[(&str, &str)] = &[
    ("ID", "the number of the ticket"),
    ("INCIDENT_NO", "the reference, such as AVA05"),
    ("TITLE", "the title"),
    ("EXTRA_INFO", "the fields of its class, one a line"),
    ("IN_CHARGE_NAME", "who is in charge"),
    ("IN_CHARGE_LOGIN", "who is in charge, as the configuration names them"),
    ("IN_CHARGE_EMAIL", "the address of who is in charge"),
    ("IN_CHARGE_DPTO", "always empty: contacts have no department"),
    ("IN_CHARGE_COMPANY", "always empty: contacts have no company"),
    ("PRIORITY_NUM", "the priority, 1 to 10"),
    ("PRIORITY_STR", "High, Medium or Low"),
    ("TAGS", "the tags, separated by commas"),
    ("CREATION_DATE", "when it was opened"),
    ("STATUS", "Open, Assigned, Studying, Waiting, Testing or Closed"),
    ("CLASS", "Availability, Alarm, Event, Metric, Anomaly, Vulnerability or Custom"),
    ("TYPE", "the type"),
    ("LIFE_TIME", "how long it has been open, or was"),
    ("TICKET_DESCRIPTION", "the text of the note that causes the mail"),
    ("TICKET_ACTION", "what was done, by that note"),
    ("TICKET_AUTHOR_NAME", "who wrote that note"),
    ("TICKET_AUTHOR_EMAIL", "their address"),
    ("TICKET_AUTHOR_DPTO", "always empty: contacts have no department"),
    ("TICKET_AUTHOR_COMPANY", "always empty: contacts have no company"),
    ("TICKET_EMAIL_CC", "who else gets this mail"),
    ("TICKET_HISTORY", "all notes, oldest first"),
    ("TICKET_INVERSE_HISTORY", "earlier notes, newest first"),
    ("WHAT", "opened, noted, closed, reopened or transferred"),
    ("URL", "the page of the ticket; empty without web.url"),
    ("HOST", "the host that it is about"),
    ("SERVICE", "the service that it is about"),
    ("STATE", "how that stands now"),
    ("OUTPUT", "what its last check says"),
    ("DURATION", "for how long it has stood like that"),
];

pub const SUBJECT: &str = "[vigia {{INCIDENT_NO}}] {{PRIORITY_STR}}: {{TITLE}}";

pub const BODY: &str = include_str!("templates/ticket.html");

/// Bytes of a template.
pub const LONGEST: usize = 64 * 1024;

/// A template as it was typed, looked over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub subject: String,
    /// HTML.
    pub body: String,
}

impl Default for Template {
    fn default() -> Self {
        Self { subject: SUBJECT.to_owned(), body: BODY.to_owned() }
    }
}

/// A mail to be: what is the same for all who get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Labels take the place of these while the markup around them is taken away. No text of ours or others keeps them.
const FIRST: u32 = 0xE000;

enum Piece<'t> {
    Text(&'t str),
    Label(usize),
}

/// What is wrong with a template, if anything.
pub fn mistake(template: &Template) -> Option<String> {
    let parts = [("subject", &template.subject), ("body", &template.body)];
    parts.iter().find_map(|(part, text)| {
        let long = (text.len() > LONGEST).then(|| format!("more than {} KiB", LONGEST / 1024));
        let empty = text.trim().is_empty().then(|| "empty".to_owned());
        let why = long.or(empty).or_else(|| pieces(text).err())?;
        Some(format!("the {part}: {why}"))
    })
}

/// Puts the values in. A template with a mistake gives way to the one built in.
pub fn letter(template: &Template, values: &Values) -> Letter {
    let fallback = Template::default();
    let template = if mistake(template).is_some() { &fallback } else { template };
    let subject = filled(&marked(&template.subject), values, str::to_owned);
    let body = marked(&template.body);
    Letter {
        subject: one_line(&subject),
        text: airy(&filled(&plain(&body), values, str::to_owned)),
        html: filled(&body, values, |value| escaped(value).replace('\n', "<br>\n")),
    }
}

fn pieces(template: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = template;
    let mut before = ' ';
    let mut plain = 0;
    while let Some(next) = rest.chars().next() {
        let at = template.len() - rest.len();
        let taken = if let Some(inside) = rest.strip_prefix("{{") {
            let Some((name, after)) = inside.split_once("}}") else {
                return Err("a `{{` without its `}}`".to_owned());
            };
            let known = index(name.trim()).ok_or_else(|| format!("there is no label `{}`", name.trim()))?;
            Some((known, after))
        } else if next.is_ascii_uppercase() && !is_of_word(before) {
            let end = rest.find(|c: char| !is_of_word(c)).unwrap_or(rest.len());
            rest.split_at_checked(end).and_then(|(word, after)| Some((legacy(word)?, after)))
        } else {
            None
        };
        match taken {
            Some((label, after)) => {
                pieces.push(Piece::Text(template.get(plain..at).unwrap_or_default()));
                pieces.push(Piece::Label(label));
                plain = template.len() - after.len();
                (rest, before) = (after, '}');
            }
            None => {
                // A word that is no label is passed whole: no part of it is one.
                let end = if is_of_word(next) && !is_of_word(before) {
                    rest.find(|c: char| !is_of_word(c)).unwrap_or(rest.len())
                } else {
                    next.len_utf8()
                };
                before = rest.get(..end).and_then(|word| word.chars().last()).unwrap_or(next);
                rest = rest.get(end..).unwrap_or_default();
            }
        }
    }
    pieces.push(Piece::Text(template.get(plain..).unwrap_or_default()));
    Ok(pieces)
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn index(name: &str) -> Option<usize> {
    LABELS.iter().position(|(label, _)| *label == name)
}

/// OSSIM's labels stand bare too; ours only in braces, so that `HOST` in a sentence stays what it is.
fn legacy(word: &str) -> Option<usize> {
    let is_ours = matches!(word, "WHAT" | "URL" | "HOST" | "SERVICE" | "STATE" | "OUTPUT" | "DURATION");
    index(word).filter(|_| !is_ours)
}

/// With a mark in the place of each label.
fn marked(template: &str) -> String {
    let pieces = pieces(template).unwrap_or_default();
    let own = |c: &char| !is_mark(*c);
    let mut text = String::with_capacity(template.len());
    for piece in pieces {
        match piece {
            Piece::Text(fixed) => text.extend(fixed.chars().filter(own)),
            Piece::Label(at) => {
                text.extend(u32::try_from(at).ok().and_then(|at| char::from_u32(FIRST + at)));
            }
        }
    }
    text
}

fn is_mark(c: char) -> bool {
    (FIRST..FIRST + 0x100).contains(&u32::from(c))
}

fn filled(marked: &str, values: &Values, shape: impl Fn(&str) -> String) -> String {
    let mut text = String::with_capacity(marked.len());
    for c in marked.chars() {
        if !is_mark(c) {
            text.push(c);
            continue;
        }
        let at = usize::try_from(u32::from(c) - FIRST).unwrap_or(usize::MAX);
        let value = LABELS.get(at).and_then(|(label, _)| values.get(label));
        text.push_str(&shape(value.map(String::as_str).unwrap_or_default()));
    }
    text
}

/// The words of a template in HTML, for whoever reads no HTML.
fn plain(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some((words, tag)) = rest.split_once('<') {
        // Where a line ends is said by tags alone.
        text.push_str(&words.replace('\n', " "));
        let (tag, after) = tag.split_once('>').unwrap_or((tag, ""));
        let name: String =
            tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
        let name = name.to_ascii_lowercase();
        let ends_line =
            matches!(name.as_str(), "br" | "p" | "tr" | "h1" | "h2" | "h3" | "li" | "div" | "table" | "pre");
        if ends_line && (tag.starts_with('/') || name == "br") {
            text.push('\n');
        }
        if matches!(name.as_str(), "h1" | "h2" | "h3") && !tag.starts_with('/') {
            text.push('\n');
        }
        if matches!(name.as_str(), "td" | "th") && tag.starts_with('/') {
            text.push(' ');
        }
        rest = after;
        if matches!(name.as_str(), "style" | "script" | "title") && !tag.starts_with('/') {
            rest = rest
                .split_once("</")
                .map_or("", |(_, end)| end.split_once('>').map_or("", |(_, after)| after));
        }
    }
    text.push_str(&rest.replace('\n', " "));
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    let mut shown = String::new();
    for line in lines {
        if !(line.is_empty() && (shown.is_empty() || shown.ends_with("\n\n"))) {
            shown.push_str(&line);
            shown.push('\n');
        }
    }
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&nbsp;", " "), ("&amp;", "&")]
        .iter()
        .fold(shown, |text, (from, to)| text.replace(from, to))
}

/// Where nothing stands for a label, no gap stands for it either.
fn airy(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for line in text.trim_end().lines() {
        if !(line.trim().is_empty() && shown.ends_with("\n\n")) {
            shown.push_str(line.trim_end());
            shown.push('\n');
        }
    }
    shown
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(title: &str) -> Values {
        [("TITLE", title.to_owned()), ("ID", "5".to_owned()), ("STATUS", "Open".to_owned())].into()
    }

    fn of(subject: &str, body: &str) -> Template {
        Template { subject: subject.to_owned(), body: body.to_owned() }
    }

    #[test]
    fn a_value_that_looks_like_a_label_a_pattern_or_markup_arrives_as_it_is() {
        let title = "STATUS TYPE ID $1 {{URL}} <b>&amp;";
        let letter = letter(&of("TITLE", "<p>{{TITLE}}</p>"), &values(title));
        assert_eq!(letter.subject, title);
        assert_eq!(letter.text, format!("{title}\n"));
        assert_eq!(letter.html, "<p>STATUS TYPE ID $1 {{URL}} &lt;b&gt;&amp;amp;</p>");
    }

    #[test]
    fn labels_stand_in_braces_or_as_bare_words_and_no_part_of_a_word_is_one() {
        let letter = letter(&of("ID, {{ ID }}, IDS xID ID_2 ID", "TITLE: VOID HOST STATUS"), &values("t"));
        assert_eq!(letter.subject, "5, 5, IDS xID ID_2 5");
        assert_eq!(letter.html, "t: VOID HOST Open");
    }

    #[test]
    fn what_is_wrong_is_said_when_it_is_saved_and_never_in_a_mail() {
        let wrong = |subject: &str, body: &str| mistake(&of(subject, body)).unwrap_or_default();
        assert_eq!(wrong("{{TITEL}}", "x"), "the subject: there is no label `TITEL`");
        assert_eq!(wrong("x", "{{ID"), "the body: a `{{` without its `}}`");
        assert_eq!(wrong(" ", "x"), "the subject: empty");
        assert!(wrong("x", &"x".repeat(LONGEST + 1)).contains("KiB"));
        assert_eq!(mistake(&Template::default()), None);
        assert!(letter(&of("{{TITEL}}", "x"), &values("t")).subject.starts_with("[vigia"));
    }

    #[test]
    fn the_text_part_reads_without_gaps() {
        let letter = letter(&Template::default(), &values("Door"));
        let first: Vec<&str> = letter.text.lines().take(3).collect();
        assert_eq!(first, ["Incident details", "Title  - Door", "Status Open"]);
        assert!(!letter.text.contains("\n\n\n"), "{}", letter.text);
    }

    #[test]
    fn no_header_comes_out_of_a_title_and_the_text_part_has_no_markup() {
        let letter = letter(&Template::default(), &values("x\r\nBcc: all@example.test"));
        assert!(!letter.subject.contains(['\r', '\n']), "{}", letter.subject);
        assert!(!letter.text.contains(['<', '>']) && letter.text.contains("Bcc"), "{}", letter.text);
    }
}
