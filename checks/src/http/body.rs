//! The body as its author meant it: content encodings undone, within bounds.

use std::io::{self, Read};

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// A decoded body, or as much of it as was wanted.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    pub(super) bytes: Vec<u8>,
    /// There was more.
    pub(super) is_cut: bool,
    pub(super) problem: Option<String>,
}

/// Undoes one content encoding; what expands beyond `max_bytes` is cut there, so that a small answer cannot fill the
/// memory.
pub(super) fn decode(encoding: &str, bytes: Vec<u8>, max_bytes: usize) -> Decoded {
    match encoding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Decoded { bytes, ..Decoded::default() },
        "gzip" | "x-gzip" => unpack(MultiGzDecoder::new(bytes.as_slice()), max_bytes, "gzip"),
        // The standard means zlib; some servers send the bare stream.
        "deflate" if bytes.first().is_some_and(|first| first & 0x0f == 8) => {
            unpack(ZlibDecoder::new(bytes.as_slice()), max_bytes, "deflate")
        }
        "deflate" => unpack(DeflateDecoder::new(bytes.as_slice()), max_bytes, "deflate"),
        other => {
            let other = crate::one_line(other.to_owned(), 40);
            Decoded {
                bytes,
                is_cut: false,
                problem: Some(format!("content encoding `{other}` is not known here")),
            }
        }
    }
}

fn unpack(mut packed: impl Read, max_bytes: usize, name: &str) -> Decoded {
    let mut decoded = Decoded::default();
    let mut chunk = [0_u8; 8192];
    loop {
        match packed.read(&mut chunk) {
            Ok(0) => return decoded,
            Ok(count) => decoded.bytes.extend_from_slice(chunk.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                decoded.problem = Some(format!("the {name} encoding is broken: {error}"));
                return decoded;
            }
        }
        if decoded.bytes.len() > max_bytes {
            decoded.bytes.truncate(max_bytes);
            decoded.is_cut = true;
            return decoded;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn encodings_are_undone() {
        let mut bare = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        bare.write_all(b"hello").unwrap();
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(b"hello").unwrap();
        for (name, bytes) in [
            ("gzip", gzip(b"hello")),
            ("deflate", bare.finish().unwrap()),
            ("deflate", zlib.finish().unwrap()),
            ("", b"hello".to_vec()),
        ] {
            assert_eq!(decode(name, bytes, 100).bytes, b"hello", "{name}");
        }
    }

    #[test]
    fn a_bomb_is_cut_and_garbage_is_named() {
        let bomb = gzip(&vec![0; 10 << 20]);
        let decoded = decode("gzip", bomb, 1000);
        assert!(decoded.is_cut && decoded.bytes.len() == 1000);
        assert!(decode("gzip", b"no gzip at all".to_vec(), 1000).problem.is_some());
        assert!(decode("br", b"x".to_vec(), 1000).problem.is_some());
    }
}
