//! `vigia ticket attach` and `vigia ticket save`: files to a ticket, and back.

use std::path::{Path, PathBuf};

use crate::os::files;

use super::super::client::{Client, Target};
use super::super::table::clean;
use super::super::{Answer, Common, Console, Exit, Failure, Format};

/// What the daemon allows is said by the daemon; this only keeps a slip from filling our memory.
const MOST: u64 = 1 << 30;

#[derive(Debug, clap::Args)]
pub(super) struct Attach {
    reference: String,
    /// Files
    #[arg(required = true, value_name = "FILE")]
    paths: Vec<PathBuf>,
    /// What they show
    #[arg(short = 'm', long = "message", value_name = "TEXT", default_value = "")]
    text: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct Save {
    /// The attachment's number, which `vigia ticket show` tells
    attachment: u64,
    /// Where to; nothing that is there is overwritten
    #[arg(value_name = "FILE")]
    to: PathBuf,
}

impl Attach {
    pub(super) fn run(&self, client: &Client, common: &Common, console: &mut Console) -> Answer {
        let mut form = Form::new();
        if !self.text.is_empty() {
            form.text("text", &self.text);
        }
        for path in &self.paths {
            form.file(path, &files::read(path, MOST)?);
        }
        let target = Target::of(&["tickets", &self.reference, "attachments"]);
        super::super::acts::done(common, console, &form.send(client, &target)?)
    }
}

impl Save {
    pub(super) fn run(&self, client: &Client, common: &Common, console: &mut Console) -> Answer {
        if files::kind(&self.to)?.is_some() {
            let text = format!("{} is there already", self.to.display());
            return Err(Failure::new(Exit::REFUSED, text).hint("name another file"));
        }
        let bytes = client.get_bytes(&Target::of(&["attachments", &self.attachment.to_string()]))?;
        files::write(&self.to, &bytes, 0o600)?;
        if common.output != Format::Json {
            writeln!(
                console.out,
                "{} bytes written to {}",
                bytes.len(),
                clean(&self.to.display().to_string())
            )?;
        }
        Ok(Exit::DONE)
    }
}

/// `multipart/form-data` (RFC 7578).
pub(in crate::cli) struct Form {
    boundary: String,
    body: Vec<u8>,
}

impl Form {
    pub(in crate::cli) fn new() -> Self {
        let boundary = format!("vigia-{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        Self { boundary, body: Vec::new() }
    }

    fn part(&mut self, head: &str, content: &[u8]) {
        let begin = format!("--{}\r\nContent-Disposition: form-data; {head}\r\n\r\n", self.boundary);
        self.body.extend_from_slice(begin.as_bytes());
        self.body.extend_from_slice(content);
        self.body.extend_from_slice(b"\r\n");
    }

    fn text(&mut self, name: &str, text: &str) {
        self.part(&format!("name=\"{name}\""), text.as_bytes());
    }

    pub(in crate::cli) fn file(&mut self, path: &Path, content: &[u8]) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.replace(['"', '\\', '\r', '\n'], "_");
        self.part(&format!("name=\"file\"; filename=\"{name}\""), content);
    }

    pub(in crate::cli) fn send(self, client: &Client, target: &Target) -> Result<serde_json::Value, Failure> {
        let boundary = self.boundary.clone();
        client.send_form(target, &boundary, self.end())
    }

    fn end(mut self) -> Vec<u8> {
        self.body.extend_from_slice(format!("--{}--\r\n", self.boundary).as_bytes());
        self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_with_files_is_written_as_others_read_it() {
        let mut form = Form { boundary: "b".to_owned(), body: Vec::new() };
        form.text("text", "what it shows");
        form.file(Path::new("/tmp/a \"quoted\".txt"), b"x\r\ny");
        let text = String::from_utf8(form.end()).unwrap();
        assert_eq!(
            text,
            "--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nwhat it shows\r\n--b\r\nContent-Disposition: \
             form-data; name=\"file\"; filename=\"a _quoted_.txt\"\r\n\r\nx\r\ny\r\n--b--\r\n"
        );
    }
}
