//! The form of the file: a POSIX `ustar` archive through gzip, written and read as a stream. Only plain files.

use std::io::{self, BufReader, Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

const BLOCK: usize = 512;

/// Read or written at once.
const CHUNK: usize = 64 * 1024;

/// Where fields of a header lie.
const NAME: std::ops::Range<usize> = 0..100;
const SIZE: std::ops::Range<usize> = 124..136;
const CHECKSUM: std::ops::Range<usize> = 148..156;
const MAGIC: std::ops::Range<usize> = 257..263;
const PREFIX: std::ops::Range<usize> = 345..500;

/// The SHA-256 of a file, in hexadecimal.
pub(super) type Sum = String;

pub(super) struct Writer<W: Write> {
    out: GzEncoder<W>,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(out: W) -> Self {
        // Most of it is text that repeats itself; more effort gains little and costs the checks' processor time.
        Self { out: GzEncoder::new(out, Compression::fast()) }
    }

    /// Adds a file of exactly `size` bytes. `None`: its name is too long for the form.
    pub(super) fn add(
        &mut self,
        name: &str,
        size: u64,
        mtime: u64,
        from: &mut dyn Read,
    ) -> io::Result<Option<Sum>> {
        let Some(header) = header(name, size, mtime) else { return Ok(None) };
        self.out.write_all(&header)?;
        let sum = pass(&mut from.take(size), size, |bytes| self.out.write_all(bytes))?;
        self.out.write_all(&[0; BLOCK][..padding(size)])?;
        Ok(Some(sum))
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.finish()
    }
}

/// Hands on exactly `size` bytes and sums them up.
fn pass(from: &mut dyn Read, size: u64, mut to: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<Sum> {
    let mut chunk = vec![0; CHUNK];
    let (mut left, mut sum) = (size, Sha256::new());
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let room = chunk.get_mut(..wanted).unwrap_or_default();
        let length = from.read(room)?;
        let bytes = chunk.get(..length).unwrap_or_default();
        if bytes.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was read"));
        }
        sum.update(bytes);
        to(bytes)?;
        left = left.saturating_sub(length as u64);
    }
    Ok(sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Bytes from the end of a file to the next block.
fn padding(size: u64) -> usize {
    let over = usize::try_from(size % BLOCK as u64).unwrap_or(0);
    if over == 0 { 0 } else { BLOCK - over }
}

fn header(name: &str, size: u64, mtime: u64) -> Option<[u8; BLOCK]> {
    let (prefix, name) = split(name)?;
    let mut header = [0; BLOCK];
    put(&mut header, NAME, name.as_bytes());
    put(&mut header, 100..108, b"0000600\0");
    put(&mut header, 108..116, b"0000000\0");
    put(&mut header, 116..124, b"0000000\0");
    put(&mut header, SIZE, &size_field(size));
    put(&mut header, 136..148, format!("{:011o}\0", mtime.min(0o77_777_777_777)).as_bytes());
    put(&mut header, 156..157, b"0");
    put(&mut header, MAGIC, b"ustar\0");
    put(&mut header, 263..265, b"00");
    put(&mut header, PREFIX, prefix.as_bytes());
    let checksum = format!("{:06o}\0 ", checksum(&header));
    put(&mut header, CHECKSUM, checksum.as_bytes());
    Some(header)
}

/// A long name is cut at one of its slashes.
fn split(name: &str) -> Option<(&str, &str)> {
    if name.len() <= NAME.len() {
        return Some(("", name));
    }
    let cuts = name.match_indices('/').filter_map(|(at, _)| Some((name.get(..at)?, name.get(at + 1..)?)));
    cuts.into_iter().find(|(prefix, rest)| prefix.len() <= PREFIX.len() && rest.len() <= NAME.len())
}

/// Octal, or from 8 GiB on binary with the first bit set, as GNU tar writes it.
fn size_field(size: u64) -> [u8; 12] {
    let mut field = [0; 12];
    if size < 1 << 33 {
        field.copy_from_slice(format!("{size:011o}\0").as_bytes());
    } else {
        for (to, from) in field.iter_mut().skip(4).zip(size.to_be_bytes()) {
            *to = from;
        }
        field[0] = 0x80;
    }
    field
}

fn put(header: &mut [u8; BLOCK], at: std::ops::Range<usize>, bytes: &[u8]) {
    for (to, from) in header.iter_mut().take(at.end).skip(at.start).zip(bytes) {
        *to = *from;
    }
}

/// The sum of all bytes, those of the field itself counted as blanks.
fn checksum(header: &[u8; BLOCK]) -> u32 {
    let byte = |(at, byte): (usize, &u8)| u32::from(if CHECKSUM.contains(&at) { b' ' } else { *byte });
    header.iter().enumerate().map(byte).sum()
}

/// A file that the archive holds.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) size: u64,
}

pub(super) struct Reader<R: Read> {
    from: BufReader<GzDecoder<R>>,
}

impl<R: Read> Reader<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from: BufReader::with_capacity(CHUNK, GzDecoder::new(from)) }
    }

    /// The next file; then [`Self::content`] must be taken. `None`: there are no more.
    pub(super) fn next(&mut self) -> io::Result<Option<Entry>> {
        let mut header = [0; BLOCK];
        self.from.read_exact(&mut header)?;
        if header.iter().all(|byte| *byte == 0) {
            // The sum of gzip stands behind the last block and is looked at there.
            io::copy(&mut self.from, &mut io::sink())?;
            return Ok(None);
        }
        let field = |at: std::ops::Range<usize>| header.get(at).unwrap_or_default();
        let number = |bytes: &[u8]| octal(bytes).ok_or_else(|| wrong("a number in a header cannot be read"));
        if field(MAGIC) != b"ustar\0" || number(field(CHECKSUM))? != u64::from(checksum(&header)) {
            return Err(wrong("a header is damaged"));
        }
        if !matches!(header.get(156), Some(b'0' | 0)) {
            return Err(wrong("it holds something that is no plain file"));
        }
        let (prefix, name) = (text(field(PREFIX)), text(field(NAME)));
        let name = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        Ok(Some(Entry { name, size: number(field(SIZE))? }))
    }

    /// Hands on what the file holds, and says its sum.
    pub(super) fn content(
        &mut self,
        entry: &Entry,
        to: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<Sum> {
        let sum = pass(&mut self.from, entry.size, to)?;
        let mut rest = vec![0; padding(entry.size)];
        self.from.read_exact(&mut rest)?;
        Ok(sum)
    }
}

fn wrong(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Up to the first zero byte.
fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(field.get(..end).unwrap_or_default()).into_owned()
}

fn octal(field: &[u8]) -> Option<u64> {
    if field.first().is_some_and(|first| first & 0x80 != 0) {
        let bytes: [u8; 8] = field.get(4..12)?.try_into().ok()?;
        return Some(u64::from_be_bytes(bytes));
    }
    let digits = text(field);
    u64::from_str_radix(digits.trim(), 8).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        for (name, bytes) in files {
            writer.add(name, bytes.len() as u64, 1_700_000_000, &mut &**bytes).unwrap().unwrap();
        }
        writer.finish().unwrap()
    }

    fn unpacked(bytes: &[u8]) -> io::Result<Vec<(String, Vec<u8>)>> {
        let mut reader = Reader::new(bytes);
        let mut files = Vec::new();
        while let Some(entry) = reader.next()? {
            let mut content = Vec::new();
            reader.content(&entry, |bytes| {
                content.extend_from_slice(bytes);
                Ok(())
            })?;
            files.push((entry.name, content));
        }
        Ok(files)
    }

    #[test]
    fn what_goes_in_comes_out_whatever_its_size() {
        let block = [7; BLOCK];
        let files: [(&str, &[u8]); 4] =
            [("empty", b""), ("a/b", b"text"), ("block", &block), ("more", &[1; CHUNK + 1])];
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
    fn a_name_that_does_not_fit_is_refused_and_harms_nothing() {
        let mut writer = Writer::new(Vec::new());
        let name = "n".repeat(101);
        assert_eq!(writer.add(&name, 0, 0, &mut &b""[..]).unwrap(), None);
        assert_eq!(unpacked(&writer.finish().unwrap()).unwrap(), []);
    }

    #[test]
    fn sizes_beyond_octal_are_read_as_they_were_written() {
        for size in [0, 511, (1 << 33) - 1, 1 << 33, 1 << 45] {
            assert_eq!(octal(&size_field(size)), Some(size));
        }
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
