//! Where something stands in the files: small, copyable places, and the sources they point into.

use std::fmt;

/// A file's place in [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A piece of a file. Lines and columns count from 1, columns in characters; line 0 is the file as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub file: FileId,
    pub line: u32,
    pub column: u32,
    /// In characters, never past the end of the line it starts on; 0 where nothing was written.
    pub len: u32,
}

impl Place {
    /// The file as a whole.
    pub fn whole(file: FileId) -> Self {
        Self { file, line: 0, column: 0, len: 0 }
    }

    /// Of what nobody wrote: a built-in default.
    pub fn nowhere() -> Self {
        Self::whole(FileId(u32::MAX))
    }

    /// The `len` characters that begin `skip` characters into `text`, which stands here: behind its quote where it has one.
    pub fn inside(self, text: &str, skip: usize, len: usize) -> Self {
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let quote = u32::from(self.len == narrow(text.chars().count() + 2));
        Self {
            column: self.column.saturating_add(quote).saturating_add(narrow(skip)),
            len: narrow(len),
            ..self
        }
    }
}

/// One file that was read, without a byte order mark.
#[derive(Debug, Default)]
pub struct Source {
    /// The path as people are shown it.
    pub path: String,
    pub text: String,
}

impl Source {
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let text: String = text.into();
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        Self { path: path.into(), text }
    }

    /// The text of a line, counted from 1, without its end.
    pub fn line(&self, line: u32) -> Option<&str> {
        let back = usize::try_from(line.checked_sub(1)?).ok()?;
        self.text.lines().nth(back)
    }
}

/// Every file of one load, by [`FileId`].
#[derive(Debug, Default)]
pub struct Sources(Vec<Source>);

impl Sources {
    pub fn add(&mut self, source: Source) -> FileId {
        let id = FileId(u32::try_from(self.0.len()).expect("fewer files than 2^32 fit in memory"));
        self.0.push(source);
        id
    }

    pub fn of(&self, file: FileId) -> Option<&Source> {
        self.0.get(usize::try_from(file.0).ok()?)
    }

    pub fn iter(&self) -> impl Iterator<Item = (FileId, &Source)> {
        (0u32..).map(FileId).zip(&self.0)
    }

    /// `conf.d/web.yaml:12:25`, or the path alone for a file as a whole.
    pub fn show(&self, place: Place) -> String {
        Shown { sources: self, place }.to_string()
    }
}

struct Shown<'a> {
    sources: &'a Sources,
    place: Place,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sources.of(self.place.file).map_or("?", |source| source.path.as_str()))?;
        match self.place.line {
            0 => Ok(()),
            line => write!(f, ":{line}:{}", self.place.column),
        }
    }
}
