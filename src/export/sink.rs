//! Where an export goes: chunks of bytes in a queue that ends the work when nobody listens.

use std::io::{self, Write};

use tokio::sync::mpsc;

use crate::{
    ledger::{log::ReadError, sealer::SealError},
    store::StoreError,
};

/// Bytes in a chunk, roughly: large enough that the queue costs nothing, small enough that a
/// hundred exports at once hold little.
const CHUNK_BYTES: usize = 64 * 1_024;

/// Chunks that wait to be fetched. A slow reader slows the export, not the memory.
const CHUNKS_WAITING: usize = 4;

/// A piece of an export, or why there are no more. An export without an error is complete.
pub type Chunk = Result<Vec<u8>, ExportError>;

/// Why an export ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The database cannot be read.
    #[error("failed to read the database for an export")]
    Store(#[from] StoreError),
    /// The ledger cannot be read.
    #[error("failed to read the ledger for an export")]
    Log(#[from] ReadError),
    /// An entry cannot be opened.
    #[error("failed to open an entry for an export")]
    Entry(#[from] SealError),
    /// An entry holds no text.
    #[error("entry {seq} holds no text")]
    NoText {
        /// Its position.
        seq: u64,
    },
    /// A row cannot be written. When the listener has gone, nobody hears this.
    #[error("failed to write an export")]
    Write(#[from] io::Error),
}

/// The writing end of an export.
#[derive(Debug)]
pub struct Sink {
    queue: mpsc::Sender<Chunk>,
    buffer: Vec<u8>,
}

/// Makes both ends of an export.
pub fn channel() -> (Sink, mpsc::Receiver<Chunk>) {
    let (queue, chunks) = mpsc::channel(CHUNKS_WAITING);
    (Sink { queue, buffer: Vec::with_capacity(CHUNK_BYTES) }, chunks)
}

impl Sink {
    /// Runs an export to its end, sends what is left, or why it ended early. Returns its count.
    pub fn produce(mut self, work: impl FnOnce(&mut Self) -> Result<u64, ExportError>) -> u64 {
        let outcome = work(&mut self).and_then(|rows| {
            self.send()?;
            Ok(rows)
        });
        outcome.unwrap_or_else(|error| {
            if self.queue.blocking_send(Err(error)).is_err() {
                tracing::debug!("an export ended early: nobody listened any more");
            }
            0
        })
    }

    fn send(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK_BYTES));
        self.queue
            .blocking_send(Ok(chunk))
            .map_err(|_gone| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK_BYTES {
            self.send()?;
        }
        Ok(bytes.len())
    }

    /// Does nothing: chunks leave when they are full, the last one at the end.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
