//! The output of a program, read as it comes, kept up to a bound.

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Read at once.
const CHUNK: usize = 8 * 1024;
/// Read and dropped beyond the bound, so that a talkative program still ends in peace. One that writes more
/// than this loses its reader, as with `| head`.
const PATIENCE: u64 = 64 * 1024 * 1024;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    pub bytes: Vec<u8>,
    /// How many bytes more there were, at least.
    pub dropped: u64,
}

/// The reading end of one output.
pub(super) struct Pipe {
    source: Option<Box<dyn AsyncRead + Send + Unpin>>,
    captured: Captured,
    limit: usize,
}

impl Pipe {
    pub(super) fn new(source: Option<impl AsyncRead + Send + Unpin + 'static>, limit: usize) -> Self {
        let source = source.map(|source| Box::new(source) as Box<dyn AsyncRead + Send + Unpin>);
        Self { source, captured: Captured::default(), limit }
    }

    pub(super) fn is_open(&self) -> bool {
        self.source.is_some()
    }

    /// Reads once. Cancel-safe: what was read is kept.
    pub(super) async fn read(&mut self) {
        let Some(source) = &mut self.source else { return };
        let kept = &mut self.captured.bytes;
        let count = source.read_buf(&mut kept.limit(CHUNK)).await;
        let surplus = kept.len().saturating_sub(self.limit);
        kept.truncate(self.limit);
        self.captured.dropped += surplus as u64;
        if !matches!(count, Ok(1..)) || self.captured.dropped > PATIENCE {
            self.source = None;
        }
    }

    pub(super) async fn read_all(&mut self) {
        while self.is_open() {
            self.read().await;
        }
    }

    pub(super) fn captured(self) -> Captured {
        self.captured
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_goes_beyond_the_bound_is_counted_and_dropped() {
        let mut pipe = Pipe::new(Some(&b"0123456789"[..]), 4);
        pipe.read_all().await;
        assert_eq!(pipe.captured(), Captured { bytes: b"0123".to_vec(), dropped: 6 });
    }

    #[tokio::test]
    async fn an_endless_writer_loses_its_reader() {
        let mut pipe = Pipe::new(Some(tokio::io::repeat(b'y')), 4);
        pipe.read_all().await;
        assert!(pipe.captured().dropped > PATIENCE);
    }
}
