//! What a file is, by its first bytes. What its name or a browser says of it is not believed.

/// Of how many first bytes a kind is told.
pub(super) const HEAD: usize = 8192;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// What the store calls it.
    pub word: &'static str,
    /// What we say that it is when it is asked for.
    pub media_type: &'static str,
    /// A picture that a browser may show inside a page.
    pub is_picture: bool,
}

const fn kind(word: &'static str, media_type: &'static str, is_picture: bool) -> Kind {
    Kind { word, media_type, is_picture }
}

const DATA: Kind = kind("data", "application/octet-stream", false);
/// Whatever language it is in: a browser is told that it is plain.
const TEXT: Kind = kind("text", "text/plain; charset=utf-8", false);

/// First bytes, and what stands later where more is needed to be sure.
type Sign = (&'static [u8], usize, &'static [u8], Kind);

const SIGNS: &[Sign] = &[
    (b"\x89PNG\r\n\x1a\n", 0, b"", kind("png", "image/png", true)),
    (b"\xff\xd8\xff", 0, b"", kind("jpeg", "image/jpeg", true)),
    (b"GIF87a", 0, b"", kind("gif", "image/gif", true)),
    (b"GIF89a", 0, b"", kind("gif", "image/gif", true)),
    (b"RIFF", 8, b"WEBP", kind("webp", "image/webp", true)),
    (b"%PDF-", 0, b"", kind("pdf", "application/pdf", false)),
    (b"PK\x03\x04", 0, b"", kind("zip", "application/zip", false)),
    (b"\x1f\x8b", 0, b"", kind("gzip", "application/gzip", false)),
];

impl Kind {
    /// Of a file that begins like this.
    pub(super) fn of(head: &[u8]) -> Self {
        let is_it = |(first, at, later, _): &&Sign| {
            head.starts_with(first) && head.get(*at..).is_some_and(|rest| rest.starts_with(later))
        };
        match SIGNS.iter().find(is_it) {
            Some((.., kind)) => *kind,
            None if is_text(head) => TEXT,
            None => DATA,
        }
    }

    /// By what the store calls it.
    pub fn from_word(word: &str) -> Self {
        let known = SIGNS.iter().map(|(.., kind)| *kind).find(|kind| kind.word == word);
        known.unwrap_or(if word == TEXT.word { TEXT } else { DATA })
    }
}

/// UTF-8 as far as we see it; the last letter may be cut off.
fn is_text(head: &[u8]) -> bool {
    let is_plain =
        !head.iter().any(|byte| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x1b | 0x0c));
    let is_whole = match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none() && head.len() == HEAD,
    };
    is_plain && is_whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_it_holds() {
        for (head, word) in [
            (&b"\x89PNG\r\n\x1a\nrest"[..], "png"),
            (b"\xff\xd8\xff\xe0", "jpeg"),
            (b"RIFF\x10\0\0\0WEBPVP8 ", "webp"),
            (b"RIFF\x10\0\0\0WAVE", "data"),
            (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "text"),
            (b"<!doctype html><script>alert(1)</script>", "text"),
            (b"caf\xc3\xa9\n", "text"),
            (b"caf\xe9\n", "data"),
            (b"MZ\x90\0", "data"),
            (b"\x89PN", "data"),
        ] {
            let kind = Kind::of(head);
            assert_eq!(kind.word, word, "{}", head.escape_ascii());
            assert_eq!(Kind::from_word(kind.word), kind);
        }
        let mut cut = vec![b'a'; HEAD - 1];
        cut.push(0xc3);
        assert_eq!(Kind::of(&cut), TEXT, "the last letter goes on after what is looked at");
        assert_eq!(Kind::from_word("of a newer vigia"), DATA);
    }

    #[test]
    fn nothing_that_could_run_is_a_picture() {
        let pictures: Vec<_> =
            SIGNS.iter().filter(|(.., kind)| kind.is_picture).map(|(.., kind)| kind.word).collect();
        assert_eq!(pictures, ["png", "jpeg", "gif", "gif", "webp"]);
    }
}
