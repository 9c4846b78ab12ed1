//! A socket with its buffers: lines out, messages in.
//!
//! Not a session: it gives no meaning to what passes. One task owns it, reads with [`Connection::receive`] and
//! queues with [`Connection::queue`]; while it waits for input it writes what is queued, so neither side of the
//! connection can wait for the other for ever.
//!
//! Invariant 3: only a [`Line`] goes out. Invariant 9: input is bounded by the codec and by the number of messages
//! in one call; an idle connection keeps no buffer.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use encoding_rs::Encoding;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::charset::Charsets;
use super::codec::Codec;
use super::wire::{Line, Message};

/// How many messages one call gives at most, so that a busy server cannot starve the owner's other work.
pub const MOST_MESSAGES: usize = 256;

/// What is read at once, into a buffer on the stack: a connection that waits holds none.
const CHUNK: usize = 4096;

/// Bytes that are written and still held.
pub(super) const MOST_WRITTEN: usize = 64 * 1024;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An open connection.
pub struct Connection {
    stream: Box<dyn Stream>,
    codec: Codec,
    /// Bytes that were read beyond the limit of messages.
    unread: Vec<u8>,
    outgoing: Vec<u8>,
    /// How much of `outgoing` is written.
    written: usize,
    /// Something was written that may sit in a buffer of the stream's, as TLS has.
    dirty: bool,
    malformed: u64,
    /// How many lines that could not be read were asked for already.
    told: u64,
    /// Writing failed; told when there is nothing more to read.
    broken: Option<io::Error>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The bytes may be a password.
        write!(f, "Connection(.. {} bytes to write)", self.backlog())
    }
}

impl Connection {
    /// A connection over an open stream; `fallback` is the charset of what is not UTF-8.
    pub fn new(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        fallback: Option<&'static Encoding>,
    ) -> Self {
        Self {
            stream: Box::new(stream),
            codec: Codec::new(Charsets::new(fallback)),
            unread: Vec::new(),
            outgoing: Vec::new(),
            written: 0,
            dirty: false,
            malformed: 0,
            told: 0,
            broken: None,
        }
    }

    /// Adds a line to what is written next.
    pub fn queue(&mut self, line: &Line) {
        self.codec.charsets_mut().write(line, &mut self.outgoing);
    }

    /// The charsets that lines are read and written in.
    #[must_use]
    pub fn charsets(&self) -> &Charsets {
        self.codec.charsets()
    }

    /// The charsets that lines are read and written in, to be changed.
    pub fn charsets_mut(&mut self) -> &mut Charsets {
        self.codec.charsets_mut()
    }

    /// How many bytes wait to be written. While a server does not read, the owner had better not queue more.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.outgoing.len() - self.written
    }

    /// How many lines could not be read: too long, or with no verb.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.codec.skipped() + self.malformed
    }

    /// How many of them since this was last asked.
    pub fn newly_skipped(&mut self) -> u64 {
        let skipped = self.skipped();
        skipped - std::mem::replace(&mut self.told, skipped)
    }

    /// Waits for messages and appends them, at least one and at most [`MOST_MESSAGES`]; `false` when the peer has
    /// closed. Writes what is queued meanwhile. Cancel-safe: nothing read is lost with the future.
    pub async fn receive(&mut self, into: &mut Vec<Message>) -> io::Result<bool> {
        poll_fn(|cx| self.poll_receive(cx, into)).await
    }

    /// Writes all that is queued. After an error, [`Connection::receive`] may still have what the server said last.
    pub async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_write(cx)).await
    }

    /// Writes what is queued and closes our side. Errors do not matter any more; the caller limits the time.
    pub async fn close(&mut self) {
        if self.flush().await.is_ok() {
            let _ = poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx)).await;
        }
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>, into: &mut Vec<Message>) -> Poll<io::Result<bool>> {
        // Pending or done alike: the waker is set, and reading goes on. It goes on after an error too: a server
        // that throws us out says why and closes, and then the answer to its last PING cannot be written.
        if let Poll::Ready(Err(error)) = self.poll_write(cx) {
            self.broken = Some(error);
        }
        let before = into.len();
        let unread = std::mem::take(&mut self.unread);
        self.take(&unread, before, into);
        loop {
            let found = into.len() > before;
            if into.len() - before >= MOST_MESSAGES {
                return Poll::Ready(Ok(true));
            }
            let mut chunk = [0_u8; CHUNK];
            let mut buffer = ReadBuf::new(&mut chunk);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => return Poll::Ready(Ok(found)),
                Poll::Ready(Ok(())) => self.take(buffer.filled(), before, into),
                // Whatever came before the error is told first; the error comes again.
                Poll::Ready(Err(_)) | Poll::Pending if found => return Poll::Ready(Ok(true)),
                // Many servers end a TLS connection without saying so.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Poll::Ready(Ok(false));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    return self.broken.take().map_or(Poll::Pending, |error| Poll::Ready(Err(error)));
                }
            }
        }
    }

    /// Takes bytes up to the limit of messages and keeps the rest.
    fn take(&mut self, mut bytes: &[u8], before: usize, into: &mut Vec<Message>) {
        while !bytes.is_empty() && into.len() - before < MOST_MESSAGES {
            let mut lines = Vec::new();
            let limit = MOST_MESSAGES - (into.len() - before);
            let taken = self.codec.feed(bytes, limit, &mut lines);
            bytes = &bytes[taken..];
            for line in lines {
                match Message::parse(&line) {
                    Some(message) => into.push(message),
                    None => self.malformed += 1,
                }
            }
        }
        self.unread.extend_from_slice(bytes);
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.outgoing.len() {
            let rest = &self.outgoing[self.written..];
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.written += count,
            }
            // A server that reads slowly never lets the buffer become empty.
            if self.written >= MOST_WRITTEN {
                self.outgoing.drain(..self.written);
                self.written = 0;
            }
            self.dirty = true;
        }
        if self.dirty {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.dirty = false;
            self.outgoing = Vec::new();
            self.written = 0;
            failpoint!("line_written");
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
