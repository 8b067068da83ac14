//! A server in memory: what it says, reply by reply, in pieces of a chosen size. The next check of this thread that connects
//! gets it in place of a socket, so that millions of conversations can be had in a minute.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

thread_local! {
    static NEXT: RefCell<Option<Script>> = const { RefCell::new(None) };
}

/// Makes a reply fit to what was asked last.
pub(crate) type Fit = fn(asked: &[u8], reply: &mut Vec<u8>);

pub(crate) struct Script {
    replies: VecDeque<Vec<u8>>,
    fit: Fit,
    /// The reply that is being read, and how far.
    current: Vec<u8>,
    at: usize,
    /// Bytes that one read gets at most.
    piece: usize,
    /// What was written since the last reply.
    asked: Vec<u8>,
    /// Breaks off at its end in place of ending.
    resets: bool,
    /// Says nothing unasked.
    waits: bool,
    reader: Option<Waker>,
}

impl Script {
    pub(crate) fn new(replies: Vec<Vec<u8>>, fit: Fit, piece: usize, resets: bool) -> Self {
        let (replies, current, asked) = (replies.into(), Vec::new(), Vec::new());
        Self { replies, fit, current, at: 0, piece, asked, resets, waits: false, reader: None }
    }

    /// A server that does not greet.
    pub(crate) fn waiting(self, waits: bool) -> Self {
        Self { waits, ..self }
    }

    /// For the next connection of this thread.
    pub(crate) fn put(self) {
        NEXT.set(Some(self));
    }

    pub(crate) fn take() -> Option<Self> {
        NEXT.take()
    }
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.at >= self.current.len() {
            if self.waits && self.asked.is_empty() && !self.replies.is_empty() {
                self.reader = Some(context.waker().clone());
                return Poll::Pending;
            }
            let Some(mut reply) = self.replies.pop_front() else {
                return Poll::Ready(if self.resets {
                    Err(io::ErrorKind::ConnectionReset.into())
                } else {
                    Ok(())
                });
            };
            (self.fit)(&self.asked, &mut reply);
            self.asked.clear();
            (self.current, self.at) = (reply, 0);
        }
        let until = self.current.len().min(self.at + self.piece.min(buf.remaining()));
        buf.put_slice(&self.current[self.at..until]);
        self.at = until;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.asked.extend_from_slice(bytes);
        self.reader.take().into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
