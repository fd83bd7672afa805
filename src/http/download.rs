//! Long answers, from the work that makes them to the connection that takes them.
//!
//! A reader must never take a part for the whole: the body ends only after the work said that it
//! is complete, and whatever else happens breaks the connection off. Each holds a thread, so there
//! are few at once and none for ever.

use std::{sync::Arc, time::Duration};

use actix_web::web::Bytes;
use futures_util::{
    StreamExt, future,
    stream::{self, LocalBoxStream},
};
use tokio::{
    sync::{Semaphore, mpsc},
    time::{error::Elapsed, timeout},
};

use crate::{
    export::{self, Chunk, ExportError, Sink},
    http::problem::{OVERLOADED, Problem},
    limits::{DOWNLOAD_S_MAX, DOWNLOADS_MAX},
    runtime::blocking::{BlockingError, BlockingPool},
};

/// The long answers under way.
#[derive(Debug)]
pub struct Downloads {
    places: Arc<Semaphore>,
    bounds: Bounds,
}

/// How long a reader may take.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    stall: Duration,
    whole: Duration,
}

/// Why an answer ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The work failed.
    #[error("the answer could not be made to its end")]
    Export(#[from] ExportError),
    /// The work was not begun, or did not run to its end.
    #[error("the answer was not made")]
    Work(#[from] BlockingError),
    /// The reader took nothing for too long.
    #[error("the reader stopped reading")]
    Stalled,
    /// The reader took too long over all.
    #[error("the reader took too long")]
    TooLong,
    /// The reader left.
    #[error("the reader left")]
    Left,
    /// Whoever handed the chunks on is gone.
    #[error("the answer broke off")]
    BrokeOff,
}

/// A part of an answer, or that there is no more.
pub(super) enum Piece {
    Bytes(Bytes),
    End,
}

/// Takes the parts of an answer.
pub(super) type ToBody = mpsc::Sender<Result<Piece, DownloadError>>;

type Pieces = mpsc::Receiver<Result<Piece, DownloadError>>;

/// An answer in parts.
pub type LongBody = LocalBoxStream<'static, Result<Bytes, DownloadError>>;

impl Downloads {
    /// Makes room for as many as may be, each of whose readers may take nothing for `stall`.
    pub fn new(stall: Duration) -> Self {
        Self::bounded(DOWNLOADS_MAX, Bounds { stall, whole: Duration::from_secs(DOWNLOAD_S_MAX) })
    }

    fn bounded(places: usize, bounds: Bounds) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), bounds }
    }

    /// Begins the work on the pool and returns its chunks as a body.
    ///
    /// # Errors
    ///
    /// [`OVERLOADED`] when as many are under way as may be, or the pool is full.
    pub fn begin(
        &self,
        pool: &BlockingPool,
        work: impl FnOnce(Sink) -> u64 + Send + 'static,
    ) -> Result<LongBody, Problem> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            let detail = format!("{DOWNLOADS_MAX} exports are under way");
            return Err(Problem::new(OVERLOADED, detail).retry_after_s(5));
        };
        if pool.is_full() {
            return Err(Problem::new(OVERLOADED, "too much is being read").retry_after_s(2));
        }
        let (sink, chunks) = export::channel();
        let (to_body, body) = long_body(1);
        let (pool, bounds) = (pool.clone(), self.bounds);
        actix_web::rt::spawn(async move {
            // The place is free when the thread is.
            let work = pool.run(move || {
                let _place = place;
                work(sink)
            });
            let both = future::join(work, forward(chunks, &to_body, bounds.stall));
            let outcome = match timeout(bounds.whole, both).await {
                Ok((Ok(rows), Ok(()))) => Ok(rows),
                Ok((Err(error), _)) => Err(error.into()),
                Ok((_, Err(error))) => Err(error),
                Err(Elapsed { .. }) => Err(DownloadError::TooLong),
            };
            finish(outcome, &to_body, bounds.stall).await;
        });
        Ok(body)
    }
}

/// Makes a body of parts, of which so many may wait. It ends well only after [`Piece::End`].
pub(super) fn long_body(waiting: usize) -> (ToBody, LongBody) {
    let (to_body, pieces) = mpsc::channel(waiting);
    (to_body, stream::unfold(Some(pieces), next).boxed_local())
}

/// Hands a part on, if the reader takes it in time.
///
/// # Errors
///
/// [`DownloadError::Left`] and [`DownloadError::Stalled`].
pub(super) async fn hand_on(
    to_body: &ToBody,
    bytes: Bytes,
    stall: Duration,
) -> Result<(), DownloadError> {
    match timeout(stall, to_body.send(Ok(Piece::Bytes(bytes)))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(DownloadError::Left),
        Err(Elapsed { .. }) => Err(DownloadError::Stalled),
    }
}

/// Ends a body. One that does not hear how breaks off: its other end is gone.
pub(super) async fn end(to_body: &ToBody, how: Result<(), DownloadError>, stall: Duration) {
    let last = how.map(|()| Piece::End);
    if !matches!(timeout(stall, to_body.send(last)).await, Ok(Ok(()))) {
        tracing::debug!("nobody took the end of an answer");
    }
}

/// Hands chunks on until there are no more, or the reader takes none for too long.
async fn forward(
    mut chunks: mpsc::Receiver<Chunk>,
    to_body: &ToBody,
    stall: Duration,
) -> Result<(), DownloadError> {
    while let Some(chunk) = chunks.recv().await {
        hand_on(to_body, Bytes::from(chunk?), stall).await?;
    }
    Ok(())
}

async fn finish(outcome: Result<u64, DownloadError>, to_body: &ToBody, stall: Duration) {
    let how = match outcome {
        Ok(rows) => {
            tracing::info!(export.rows = rows, "an export ended");
            Ok(())
        }
        Err(error @ (DownloadError::Left | DownloadError::Stalled | DownloadError::TooLong)) => {
            tracing::warn!(%error, "an export ended early");
            Err(error)
        }
        Err(error) => {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(%error, source, "an export ended early");
            Err(error)
        }
    };
    end(to_body, how, stall).await;
}

async fn next(pieces: Option<Pieces>) -> Option<(Result<Bytes, DownloadError>, Option<Pieces>)> {
    let mut pieces = pieces?;
    match pieces.recv().await {
        Some(Ok(Piece::Bytes(bytes))) => Some((Ok(bytes), Some(pieces))),
        Some(Ok(Piece::End)) => None,
        Some(Err(error)) => Some((Err(error), None)),
        None => Some((Err(DownloadError::BrokeOff), None)),
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, pin::pin};

    use futures_util::FutureExt as _;

    use super::*;

    const SHORT: Duration = Duration::from_millis(30);
    const LONG: Duration = Duration::from_mins(1);

    /// Writes chunks until it may end or nobody listens.
    fn endless(mut sink: Sink) -> u64 {
        let chunk = vec![b'x'; 70_000];
        while sink.write_all(&chunk).is_ok() {}
        0
    }

    async fn last(body: LongBody) -> Option<DownloadError> {
        body.fold(None, |_, piece| std::future::ready(piece.err())).await
    }

    fn downloads(stall: Duration, whole: Duration) -> Downloads {
        Downloads::bounded(1, Bounds { stall, whole })
    }

    #[actix_web::test]
    async fn work_that_is_turned_away_or_panics_breaks_the_body_off() {
        let pool = BlockingPool::new(1);
        let body = downloads(LONG, LONG).begin(&pool, |_| panic!("on purpose")).ok().unwrap();
        let error = last(body).await;
        assert!(matches!(error, Some(DownloadError::Work(BlockingError::Dropped))), "{error:?}");
        let body = downloads(LONG, LONG).begin(&pool, |_| 0).ok().unwrap();
        // The place is taken between the question whether there is one and the work itself.
        let (free, taken) = std::sync::mpsc::channel::<()>();
        let mut other =
            pin!(pool.run(move || assert!(taken.recv().is_err(), "it is only dropped")));
        assert!(other.as_mut().now_or_never().is_none());
        let error = last(body).await;
        assert!(matches!(error, Some(DownloadError::Work(BlockingError::Busy))), "{error:?}");
        drop(free);
        other.await.unwrap();
    }

    #[actix_web::test]
    async fn work_that_ends_well_ends_the_body() {
        let pool = BlockingPool::new(1);
        let body = downloads(LONG, LONG).begin(&pool, |_| 0).ok().unwrap();
        assert!(last(body).await.is_none());
    }

    #[actix_web::test]
    async fn a_reader_that_stops_reading_gives_its_thread_and_its_place_back() {
        let pool = BlockingPool::new(1);
        let downloads = downloads(SHORT, LONG);
        let mut body = downloads.begin(&pool, endless).ok().unwrap();
        assert!(body.next().await.unwrap().is_ok());
        let refused = downloads.begin(&pool, |_| 0).err().unwrap();
        assert_eq!(refused.code(), OVERLOADED);
        while pool.in_flight() > 0 {
            tokio::time::sleep(SHORT).await;
        }
        assert!(last(body).await.is_some(), "a part is not the whole");
        assert!(downloads.begin(&pool, |_| 0).is_ok());
    }

    #[actix_web::test]
    async fn a_reader_that_takes_too_long_over_all_is_cut_off() {
        let pool = BlockingPool::new(1);
        let body = downloads(LONG, SHORT).begin(&pool, endless).ok().unwrap();
        assert!(matches!(last(body).await, Some(DownloadError::TooLong)));
        while pool.in_flight() > 0 {
            tokio::time::sleep(SHORT).await;
        }
    }

    #[actix_web::test]
    async fn a_body_that_nobody_ends_is_no_whole_one() {
        let (to_body, body) = long_body(1);
        assert!(hand_on(&to_body, Bytes::from_static(b"a part"), SHORT).await.is_ok());
        let stalled = hand_on(&to_body, Bytes::from_static(b"more"), SHORT).await;
        assert!(matches!(stalled, Err(DownloadError::Stalled)));
        drop(to_body);
        assert!(matches!(last(body).await, Some(DownloadError::BrokeOff)));
        let (to_body, body) = long_body(1);
        drop(body);
        let left = hand_on(&to_body, Bytes::new(), LONG).await;
        assert!(matches!(left, Err(DownloadError::Left)));
    }
}
