//! Markdown as a page shows it. Nothing that a person writes becomes markup of its own: HTML in it is text, links lead to
//! the web, to mail or within vigia, and pictures are those that are attached.

use std::fmt;

use askama::filters::HtmlSafe;
use pulldown_cmark::{Alignment, CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd, html};

/// Text that was made from Markdown, and may stand in a page as it is.
pub(crate) struct Rendered(String);

impl HtmlSafe for Rendered {}

impl fmt::Display for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(crate) fn render(text: &str) -> Rendered {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut out = String::with_capacity(text.len() + text.len() / 2);
    // Of pictures within pictures: whether each is one of ours.
    let mut pictures = Vec::new();
    html::push_html(&mut out, Parser::new_ext(text, options).map(|event| harmless(event, &mut pictures)));
    // For who hears a page; what a person writes between such brackets is escaped, so these are the writer's own.
    let out = out.replace("<table>", "<table><caption class=\"unseen\">Table</caption>");
    Rendered(out.replace("<th>", "<th scope=\"col\">"))
}

fn harmless<'a>(event: Event<'a>, pictures: &mut Vec<bool>) -> Event<'a> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        // The page has a heading of its own.
        Event::Start(Tag::Heading { level, .. }) => Event::Start(Tag::Heading {
            level: lower(level),
            id: None,
            classes: Vec::new(),
            attrs: Vec::new(),
        }),
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(lower(level))),
        // Alignment would be a style inside the page, which browsers are told to refuse.
        Event::Start(Tag::Table(columns)) => {
            Event::Start(Tag::Table(columns.into_iter().map(|_| Alignment::None).collect()))
        }
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url: destination(link_type, dest_url), title, id })
        }
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            let is_ours = is_attachment(&dest_url);
            pictures.push(is_ours);
            if is_ours {
                return Event::Start(Tag::Image { link_type, dest_url, title, id });
            }
            // One that is elsewhere would tell its server who reads this: what it shows is said in words.
            Event::Text("".into())
        }
        Event::End(TagEnd::Image) => {
            if pictures.pop().unwrap_or(false) {
                Event::End(TagEnd::Image)
            } else {
                Event::Text("".into())
            }
        }
        Event::TaskListMarker(is_done) => Event::Text(if is_done { "☑ " } else { "☐ " }.into()),
        other => other,
    }
}

fn lower(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H2,
        HeadingLevel::H2 => HeadingLevel::H3,
        HeadingLevel::H3 => HeadingLevel::H4,
        HeadingLevel::H4 => HeadingLevel::H5,
        HeadingLevel::H5 | HeadingLevel::H6 => HeadingLevel::H6,
    }
}

/// What leads elsewhere than it may leads nowhere.
fn destination(link_type: LinkType, url: CowStr<'_>) -> CowStr<'_> {
    let is_mail = matches!(link_type, LinkType::Email);
    let scheme = url.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    let is_good = match scheme.as_deref() {
        Some("http" | "https" | "mailto") => true,
        // Within the house, or within the document.
        Some(_) | None => {
            is_mail
                || url.starts_with('#')
                || (url.starts_with('/') && !url.starts_with("//") && !url.contains('\\'))
        }
    };
    if is_good { url } else { "#".into() }
}

fn is_attachment(url: &str) -> bool {
    let number = url.strip_prefix("/attachments/");
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_as_it_was_meant() {
        let text =
            "# Power\n\nCall **ana**, then:\n\n- [ ] switch\n- [x] wait\n\n| a | b |\n|--:|:-:|\n| 1 | 2 |\n";
        let html = render(text).to_string();
        for part in [
            "<h2>Power</h2>",
            "<strong>ana</strong>",
            "☐ switch",
            "☑ wait",
            "<td>1</td>",
            "<th scope=\"col\">a</th>",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
        let pictured =
            render("![the rack](/attachments/7) [host](/hosts/web01) <https://example.test/>").to_string();
        assert!(
            pictured.contains("src=\"/attachments/7\"") && pictured.contains("href=\"/hosts/web01\""),
            "{pictured}"
        );
        assert!(pictured.contains("href=\"https://example.test/\""), "{pictured}");
    }

    #[test]
    fn nothing_harmful_becomes_markup() {
        for harm in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "<div onclick=alert(1)>\n\ntext\n\n</div>",
            "[a](javascript:alert(1))",
            "[a](JaVaScRiPt:alert(1))",
            "[a](data:text/html,<script>alert(1)</script>)",
            "[a](vbscript:x)",
            "[a](//evil.test/)",
            "[a](/\\evil.test/)",
            "[a]: javascript:alert(1)\n\n[a]",
            "<javascript:alert(1)>",
            "![a](https://evil.test/pixel.png)",
            "![a](/attachments/7/../../logout)",
            "[a](java\tscript:alert(1))",
            "[a\" onmouseover=\"alert(1)](https://x.test/\"onmouseover=\"alert(1))",
            "# a {#x onclick=alert(1)}",
            "`<script>`\n\n    <script>alert(1)</script>\n\n```html\n<script>alert(1)</script>\n```",
        ] {
            let html = render(harm).to_string();
            let plain = html.replace("&lt;", "").replace("&quot;", "");
            for part in [
                "<script",
                "<img src=\"h",
                "<div",
                "<img src=x",
                "href=\"j",
                "href=\"data",
                "href=\"v",
                "href=\"//",
                "href=\"/\\",
            ] {
                assert!(!plain.to_lowercase().contains(part), "{harm:?} gives {html}");
            }
            assert!(!html.contains("evil.test/p") && !html.contains("logout"), "{harm:?} gives {html}");
            let mut tags = html.split('<').skip(1).filter_map(|tag| tag.split('>').next());
            assert!(!tags.any(|tag| tag.contains(" on") && !tag.contains('"')), "{harm:?} gives {html}");
        }
    }

    #[test]
    fn depth_without_end_is_read_to_its_end() {
        for text in ["> ".repeat(20_000), "[".repeat(50_000), "*a ".repeat(50_000), "- ".repeat(5_000)] {
            assert!(render(&text).to_string().len() < 8 << 20);
        }
    }
}
