//! A reference page in Markdown as a manual page. It knows what the generated references use (headings, paragraphs, tables
//! of four columns, fenced text, bold, code and links) and nothing more.

use std::fmt::Write as _;

/// What stands above and below a manual page.
pub(super) struct Page {
    pub(super) name: &'static str,
    pub(super) section: &'static str,
    pub(super) about: &'static str,
    pub(super) source: &'static str,
}

pub(super) fn of_markdown(page: &Page, markdown: &str) -> String {
    let Page { name, section, about, source } = page;
    let name = escaped(name);
    let mut out = format!(
        ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n.TH {name} {section} \"\" \"{source}\" vigia\n.SH NAME\n{name} \\- {about}\n\
         .SH DESCRIPTION\n"
    );
    let mut lines = markdown.lines().peekable();
    let mut is_fenced = false;
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            is_fenced = !is_fenced;
            out.push_str(if is_fenced { ".PP\n.RS 4\n.nf\n" } else { ".fi\n.RE\n" });
        } else if is_fenced {
            line_of(&mut out, &escaped(line));
        } else if let Some(heading) = line.strip_prefix("## ") {
            let _infallible = writeln!(out, ".SH {}", quoted(&plain(heading).to_uppercase()));
        } else if let Some(heading) = line.strip_prefix("### ") {
            let _infallible = writeln!(out, ".SS {}", quoted(&plain(heading)));
        } else if line.starts_with("# ") || line.starts_with("|---") {
            // The title stands above; the rule under a table's head is drawn by nobody.
        } else if line.starts_with('|') {
            let is_head = lines.peek().is_some_and(|next| next.starts_with("|---"));
            if !is_head {
                row(&mut out, line);
            }
        } else if line.is_empty() {
            out.push_str(".PP\n");
        } else {
            line_of(&mut out, &words(line));
        }
    }
    out
}

/// `| key | default | holds | meaning |` as a tagged paragraph.
fn row(out: &mut String, line: &str) {
    let cells: Vec<String> = cells(line).iter().map(|cell| words(cell)).collect();
    let [key, default, holds, meaning] = cells.as_slice() else {
        return line_of(out, &cells.join("  "));
    };
    let default = if default.is_empty() { String::new() } else { format!(", default {default}") };
    let _infallible = writeln!(out, ".TP\n{key} ({holds}{default})");
    line_of(out, if meaning.is_empty() { "\\&" } else { meaning });
}

/// The cells of a row; `\|` is a bar inside one.
fn cells(line: &str) -> Vec<String> {
    let inside = line.trim().trim_start_matches('|');
    let inside = inside.strip_suffix('|').unwrap_or(inside);
    let mut cells = vec![String::new()];
    let mut letters = inside.chars().peekable();
    while let Some(letter) = letters.next() {
        let is_bar_inside = letter == '\\' && letters.peek() == Some(&'|');
        match (letter, cells.last_mut()) {
            ('|', _) => cells.push(String::new()),
            (_, Some(cell)) if is_bar_inside => cell.extend(letters.next()),
            (_, Some(cell)) => cell.push(letter),
            (_, None) => {}
        }
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

/// Text with bold, code (bold too) and links (their text alone).
fn words(text: &str) -> String {
    let mut out = String::new();
    let mut is_code = false;
    let mut is_bold = false;
    for (at, part) in without_links(text).split('`').enumerate() {
        if at > 0 {
            is_code = !is_code;
            out.push_str(if is_code || is_bold { "\\fB" } else { "\\fR" });
        }
        if is_code {
            out.push_str(&escaped(part));
            continue;
        }
        for (at, piece) in part.split("**").enumerate() {
            if at > 0 {
                is_bold = !is_bold;
                out.push_str(if is_bold { "\\fB" } else { "\\fR" });
            }
            out.push_str(&escaped(&piece.replace('*', "")));
        }
    }
    out
}

/// `[text](address)` is its text.
fn without_links(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        let link = after.split_once("](").and_then(|(shown, tail)| Some((shown, tail.split_once(')')?.1)));
        out.push_str(before);
        match link {
            Some((shown, tail)) if !shown.contains(['[', ']', '`']) => {
                out.push_str(shown);
                rest = tail;
            }
            Some(_) | None => {
                out.push('[');
                rest = after;
            }
        }
    }
    out + rest
}

fn plain(text: &str) -> String {
    escaped(&text.replace(['`', '*'], ""))
}

fn quoted(text: &str) -> String {
    if text.contains(' ') { format!("\"{text}\"") } else { text.to_owned() }
}

/// What troff would take for its own is text.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq")
}

/// A line of text; a dot at its begin would be a command.
fn line_of(out: &mut String, text: &str) {
    if text.starts_with('.') {
        out.push_str("\\&");
    }
    out.push_str(text);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: Page = Page { name: "a", section: "5", about: "an example", source: "vigia 1" };

    fn body(markdown: &str) -> String {
        let page = of_markdown(&PAGE, markdown);
        page.split_once(".SH DESCRIPTION\n").expect("there is one").1.to_owned()
    }

    #[test]
    fn headings_paragraphs_and_fences_become_requests() {
        let page = body(
            "# Title\n\nA `key` is **bold**, see [checks](checks.md).\n\n## Two words\n\n```yaml\n.dot: -1\n```\n",
        );
        assert_eq!(
            page,
            ".PP\nA \\fBkey\\fR is \\fBbold\\fR, see checks.\n.PP\n.SH \"TWO WORDS\"\n.PP\n.PP\n.RS 4\n.nf\n\\&.dot: \\-1\n.fi\n.RE\n"
        );
    }

    #[test]
    fn rows_of_tables_become_tagged_paragraphs() {
        let page = body(
            "| key | default | holds | meaning |\n|---|---|---|---|\n| `a` | `1` | `x \\| y` | what's it |\n| `b` |  | text |  |\n",
        );
        assert_eq!(
            page,
            ".TP\n\\fBa\\fR (\\fBx | y\\fR, default \\fB1\\fR)\nwhat\\(aqs it\n.TP\n\\fBb\\fR (text)\n\\&\n"
        );
    }
}
