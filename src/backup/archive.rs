//! The form of the file: a tar archive through gzip, written and read as a stream. Only plain files, each with its sum.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// The SHA-256 of a file, in hexadecimal.
pub(super) type Sum = String;

pub(super) struct Writer<W: Write> {
    out: tar::Builder<GzEncoder<W>>,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(out: W) -> Self {
        // Most of it is text that repeats itself; more effort gains little and costs the checks' processor time.
        Self { out: tar::Builder::new(GzEncoder::new(out, Compression::fast())) }
    }

    /// Adds a file of exactly `size` bytes.
    pub(super) fn add(&mut self, name: &str, size: u64, mtime: u64, from: &mut dyn Read) -> io::Result<Sum> {
        let mut header = tar::Header::new_gnu();
        header.set_size(size);
        header.set_mtime(mtime);
        header.set_mode(0o600);
        let mut summed = Summed::new(from, size);
        self.out.append_data(&mut header, name, &mut summed)?;
        Ok(summed.sum())
    }

    pub(super) fn finish(self) -> io::Result<W> {
        self.out.into_inner()?.finish()
    }
}

/// Reads exactly `left` bytes more and sums them up.
struct Summed<'a> {
    from: &'a mut dyn Read,
    left: u64,
    sum: Sha256,
}

impl<'a> Summed<'a> {
    fn new(from: &'a mut dyn Read, size: u64) -> Self {
        Self { from, left: size, sum: Sha256::new() }
    }

    fn sum(self) -> Sum {
        self.sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Read for Summed<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let length = (&mut *self.from).take(self.left).read(bytes)?;
        if length == 0 && self.left > 0 && !bytes.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was read"));
        }
        self.sum.update(bytes.get(..length).unwrap_or_default());
        self.left = self.left.saturating_sub(length as u64);
        Ok(length)
    }
}

/// A file that the archive holds, and what it contains.
pub(super) struct Entry<'a> {
    pub(super) name: String,
    pub(super) size: u64,
    from: &'a mut dyn Read,
}

impl Entry<'_> {
    /// Hands on what the file holds, all of it, and says its sum.
    pub(super) fn content(self, to: &mut dyn Write) -> io::Result<Sum> {
        let mut summed = Summed::new(self.from, self.size);
        io::copy(&mut summed, to)?;
        Ok(summed.sum())
    }
}

/// Shows every file in order, and looks at the end whether all that was packed is there.
pub(super) fn each<E>(
    from: impl Read,
    wrong: impl Fn(io::Error) -> E,
    mut show: impl FnMut(Entry<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let damaged = |error: io::Error| wrong(as_damage(error));
    let mut archive = tar::Archive::new(GzDecoder::new(from));
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        if !entry.header().entry_type().is_file() {
            let why = "it holds something that is no plain file";
            return Err(wrong(io::Error::new(io::ErrorKind::InvalidData, why)));
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let size = entry.size();
        show(Entry { name, size, from: &mut entry })?;
    }
    // The sum of gzip stands behind the last block and is looked at there.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(damaged)?;
    Ok(())
}

/// What the library finds wrong with a header has no kind of its own.
fn as_damage(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::Other => io::Error::new(io::ErrorKind::InvalidData, error),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        for (name, bytes) in files {
            writer.add(name, bytes.len() as u64, 1_700_000_000, &mut &**bytes).unwrap();
        }
        writer.finish().unwrap()
    }

    fn unpacked(bytes: &[u8]) -> io::Result<Vec<(String, Vec<u8>)>> {
        let mut files = Vec::new();
        each(
            bytes,
            |error| error,
            |entry| {
                let (name, mut content) = (entry.name.clone(), Vec::new());
                entry.content(&mut content)?;
                files.push((name, content));
                Ok(())
            },
        )?;
        Ok(files)
    }

    #[test]
    fn what_goes_in_comes_out_whatever_its_size() {
        let block = [7; 512];
        let files: [(&str, &[u8]); 4] =
            [("empty", b""), ("a/b", b"text"), ("block", &block), ("more", &[1; 70_001])];
        let found = unpacked(&packed(&files)).unwrap();
        let wanted: Vec<_> = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
        assert_eq!(found, wanted);
    }

    #[test]
    fn tar_itself_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.tar.gz");
        let long = format!("{}/{}", "d".repeat(120), "n".repeat(90));
        std::fs::write(&path, packed(&[("a/b", b"text"), (&long, b"more")])).unwrap();
        let tar = std::process::Command::new("tar").arg("tzf").arg(&path).output().unwrap();
        assert!(tar.status.success(), "{}", String::from_utf8_lossy(&tar.stderr));
        assert_eq!(String::from_utf8_lossy(&tar.stdout), format!("a/b\n{long}\n"));
    }

    #[test]
    fn a_name_of_any_length_comes_out_as_it_went_in() {
        let name = format!("{}/{}", "d".repeat(200), "n".repeat(250));
        assert_eq!(unpacked(&packed(&[(&name, b"text")])).unwrap(), [(name, b"text".to_vec())]);
    }

    #[test]
    fn a_file_that_became_shorter_is_an_error() {
        let mut writer = Writer::new(Vec::new());
        assert_eq!(
            writer.add("a", 5, 0, &mut &b"text"[..]).unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
    }

    #[test]
    fn one_that_is_cut_off_anywhere_is_noticed() {
        let whole = packed(&[("a", b"some text"), ("b", &[3; 5000])]);
        for length in 0..whole.len() {
            assert!(unpacked(&whole[..length]).is_err(), "cut off after {length} of {}", whole.len());
        }
    }

    proptest! {
        #[test]
        fn garbage_is_an_error_and_nothing_worse(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(&bytes).unwrap();
            // Inside good gzip, and bare.
            drop(unpacked(&packed.finish().unwrap()));
            drop(unpacked(&bytes));
        }
    }
}
