//! Attachments as they are given out, and how pages show them.

use askama::filters::HtmlSafe;
use axum::Extension;
use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::desk::files::{self, Kind};
use crate::web::backend::{Attachment, Trouble};
use crate::web::error::Failure;
use crate::web::frame::Seen;

/// What a browser may do with a file that we did not write: nothing.
const POLICY: &str = "default-src 'none'; img-src 'self'; style-src 'none'; sandbox; frame-ancestors 'none'; base-uri 'none'; \
     form-action 'none'";

/// Attachments in a row, pictures as such.
#[derive(askama::Template)]
#[template(path = "files.html", config = ".askama.toml")]
pub(crate) struct FileList {
    files: Vec<FileView>,
    /// The ticket that they can be deleted from; empty for who may not.
    delete: String,
}

impl HtmlSafe for FileList {}

struct FileView {
    id: u64,
    name: String,
    size: String,
    is_picture: bool,
}

impl FileList {
    pub(crate) fn of<'a>(attached: impl Iterator<Item = &'a Attachment>, delete: &str) -> Self {
        let view = |one: &Attachment| FileView {
            id: one.id,
            name: one.file.name.to_string(),
            size: files::size(one.file.size),
            is_picture: Kind::from_word(&one.file.kind).is_picture,
        };
        Self { files: attached.map(view).collect(), delete: delete.to_owned() }
    }
}

/// The bytes. Only pictures are shown by browsers; everything else is saved, as what it is and not as what it says.
pub(crate) async fn download(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
) -> Result<Response, Failure> {
    let files = seen.web.backend.files();
    let one = files.one(id).await.map_err(Trouble::from)?;
    let bytes = files.content(&one).await.map_err(Trouble::from)?;
    let kind = Kind::from_word(&one.file.kind);
    let way = if kind.is_picture { "inline" } else { "attachment" };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind.media_type)),
        (header::CONTENT_DISPOSITION, disposition(way, &one.file.name)?),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    ];
    Ok((headers, bytes).into_response())
}

/// The name in plain letters for old clients, and whole for all others (RFC 6266).
fn disposition(way: &str, name: &str) -> Result<HeaderValue, Failure> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " ._-()+,=@".contains(c);
    let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let whole = crate::web::query::escape(name);
    HeaderValue::from_str(&format!("{way}; filename=\"{plain}\"; filename*=UTF-8''{whole}"))
        .map_err(|error| Failure::Broken(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_within_its_header() {
        let said = |name| disposition("attachment", name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(said("a b.txt"), "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt");
        assert_eq!(
            said("x\"; filename=\"y.html"),
            "attachment; filename=\"x__ filename=_y.html\"; filename*=UTF-8''x%22%3B%20filename%3D%22y.html"
        );
        assert_eq!(said("é.png"), "attachment; filename=\"_.png\"; filename*=UTF-8''%C3%A9.png");
    }
}
