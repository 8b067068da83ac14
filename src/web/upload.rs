//! Forms as they are sent: fields, and files where there are some. A file goes to the disk as it comes; of a form that
//! is refused nothing stays.

use axum::extract::{Form, FromRequest, Request};
use axum::http::{HeaderMap, header};
use futures_util::TryStreamExt;
use multer::{Field, Multipart};

use super::Web;
use super::error::Failure;
use super::orders::{FieldError, TEXT_LIMIT};
use super::query::Pairs;
use crate::desk::FileTrouble;
use crate::desk::files::{Files, Incoming, Received};

/// Files of one form.
const MOST_FILES: usize = 20;
/// Fields of one form; a list ticks a thousand.
const MOST_FIELDS: usize = 2_000;

/// What was sent.
pub(crate) struct Sent {
    pub(crate) pairs: Pairs,
    pub(crate) files: Vec<Received>,
    /// What is wrong with a file. The fields are there all the same, so that nothing typed is lost.
    pub(crate) problem: Option<FieldError>,
}

impl FromRequest<Web> for Sent {
    type Rejection = Failure;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Failure> {
        if !is_multipart(request.headers()) {
            let Form(pairs) = Form::<Pairs>::from_request(request, web)
                .await
                .map_err(|rejection| Failure::Wrong(rejection.body_text()))?;
            return Ok(Self { pairs, files: Vec::new(), problem: None });
        }
        Reading {
            files: web.backend.files(),
            sent: Self { pairs: Vec::new(), files: Vec::new(), problem: None },
        }
        .all(request)
        .await
    }
}

pub(crate) fn is_multipart(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.to_ascii_lowercase().starts_with("multipart/form-data")
}

struct Reading {
    files: Files,
    sent: Sent,
}

impl Reading {
    async fn all(mut self, request: Request) -> Result<Sent, Failure> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let boundary = multer::parse_boundary(kind.unwrap_or_default()).map_err(|error| broken(&error))?;
        let bytes = request.into_body().into_data_stream().map_err(std::io::Error::other);
        let mut form = Multipart::new(bytes, boundary);
        while let Some(field) = form.next_field().await.map_err(|error| broken(&error))? {
            self.field(field).await?;
        }
        if self.sent.problem.is_some() {
            self.sent.files.clear();
        }
        Ok(self.sent)
    }

    async fn field(&mut self, field: Field<'_>) -> Result<(), Failure> {
        match field.file_name().map(str::to_owned) {
            Some(name) => self.file(field, &name).await,
            None => self.text(field).await,
        }
    }

    async fn text(&mut self, mut field: Field<'_>) -> Result<(), Failure> {
        let name = field.name().unwrap_or_default().to_owned();
        let mut bytes = Vec::new();
        while let Some(piece) = field.chunk().await.map_err(|error| broken(&error))? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > 2 * TEXT_LIMIT {
                return Err(Failure::Wrong(format!("`{name}` is too long: at most 64 KiB")));
            }
        }
        if self.sent.pairs.len() >= MOST_FIELDS {
            return Err(Failure::Wrong("the form has too many fields".to_owned()));
        }
        self.sent.pairs.push((name, String::from_utf8_lossy(&bytes).into_owned()));
        Ok(())
    }

    /// A browser that is answered before it has sent everything shows an error of its own, and not what was wrong: so
    /// the rest is read and thrown away.
    async fn file(&mut self, mut field: Field<'_>, name: &str) -> Result<(), Failure> {
        let mut incoming = None;
        while let Some(piece) = field.chunk().await.map_err(|error| broken(&error))? {
            if self.sent.problem.is_none() && !piece.is_empty() {
                let taken = self.take(&mut incoming, name, &piece).await;
                self.note(taken)?;
            }
        }
        // A field in which nothing was chosen has neither a name nor content.
        let is_empty = incoming.is_none() && !name.is_empty() && self.sent.problem.is_none();
        if is_empty {
            let begun = self.files.begin(name).await;
            incoming = self.note(begun)?;
        }
        if let (Some(incoming), None) = (incoming, &self.sent.problem) {
            let ended = incoming.end().await;
            let received = self.note(ended)?;
            self.sent.files.extend(received);
        }
        Ok(())
    }

    async fn take(
        &mut self,
        incoming: &mut Option<Incoming>,
        name: &str,
        piece: &[u8],
    ) -> Result<(), FileTrouble> {
        if incoming.is_none() {
            if self.sent.files.len() >= MOST_FILES {
                return Err(FileTrouble::Refused(format!("at most {MOST_FILES} files at once")));
            }
            *incoming = Some(self.files.begin(name).await?);
        }
        match incoming {
            Some(incoming) => incoming.take(piece).await,
            None => Ok(()),
        }
    }

    /// What is wrong with a file is said beside it; what is wrong with us is an error.
    fn note<T>(&mut self, result: Result<T, FileTrouble>) -> Result<Option<T>, Failure> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(FileTrouble::Refused(text)) => {
                self.sent.problem = Some(FieldError { field: "files", text });
                Ok(None)
            }
            Err(other) => Err(super::backend::Trouble::from(other).into()),
        }
    }
}

fn broken(error: &multer::Error) -> Failure {
    use multer::Error;
    Failure::Wrong(match error {
        Error::IncompleteStream
        | Error::IncompleteFieldData { .. }
        | Error::IncompleteHeaders
        | Error::StreamReadFailed(_) => {
            "the upload was cut off before its end; nothing of it was kept. Send it once more".to_owned()
        }
        other => format!("the form cannot be read: {other}; nothing of it was kept"),
    })
}
