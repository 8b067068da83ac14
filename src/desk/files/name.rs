//! What an attachment may be called. It is shown and said to browsers; no path is ever made of it.

/// Bytes of a name.
const LONGEST: usize = 128;

/// The last part of a path of whatever system, without what deceives the eye.
pub(super) fn clean(said: &str) -> String {
    let last = said.rsplit(['/', '\\']).find(|part| !part.trim().is_empty()).unwrap_or_default();
    let plain: String = last.chars().filter(|c| !c.is_control() && !is_deceiving(*c)).collect();
    let name = plain.trim().trim_start_matches('.').trim();
    if name.is_empty() { "file".to_owned() } else { shortened(name) }
}

/// Marks that turn the direction of writing, and letters that cannot be seen: `photo\u{202e}gnp.exe`.
fn is_deceiving(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Its end says what it is to people: the middle goes.
fn shortened(name: &str) -> String {
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let (stem, end) = match name.rsplit_once('.') {
        Some((stem, end)) if end.len() <= 16 => (stem, format!(".{end}")),
        Some(_) | None => (name, String::new()),
    };
    let room = LONGEST - end.len() - '…'.len_utf8();
    let kept = stem.char_indices().take_while(|(at, c)| at + c.len_utf8() <= room).map(|(_, c)| c);
    format!("{}…{end}", kept.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_and_deceives_nobody() {
        for (said, is) in [
            ("../../x", "x"),
            ("..\\..\\boot.ini", "boot.ini"),
            ("/etc/passwd", "passwd"),
            ("C:\\Users\\ana\\shot 1.png", "shot 1.png"),
            ("..", "file"),
            ("", "file"),
            ("a/", "a"),
            (".bashrc", "bashrc"),
            ("a\r\nSet-Cookie: b", "aSet-Cookie: b"),
            ("photo\u{202e}gnp.exe", "photognp.exe"),
            ("café ☕.txt", "café ☕.txt"),
        ] {
            assert_eq!(clean(said), is, "{said:?}");
        }
        let long = clean(&format!("{}.png", "é".repeat(200)));
        assert!(long.len() <= LONGEST && long.ends_with("….png"), "{long}");
        assert!(clean(&"x".repeat(500)).len() <= LONGEST);
    }
}
