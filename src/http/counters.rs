//! How many requests were answered, by row of the table and by class of status.
//!
//! Each worker counts in cells of its own, so no two threads write to the same memory, and
//! whoever asks adds the cells up. Nothing of a request is in them: no number, no key, no address.

use std::{
    iter,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use actix_web::http::StatusCode;

/// Classes of status, as they are shown.
pub const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// The cells of one worker: a row of the table has one per class.
#[derive(Debug)]
pub struct Counters(Box<[AtomicU64]>);

impl Counters {
    fn new(rows: usize) -> Self {
        Self(iter::repeat_with(AtomicU64::default).take(rows * CLASSES.len()).collect())
    }

    /// Counts one answer.
    pub fn count(&self, row: usize, status: StatusCode) {
        let class = match status.as_u16() {
            0..300 => 0,
            300..400 => 1,
            400..500 => 2,
            _ => 3,
        };
        if let Some(cell) = self.0.get(row * CLASSES.len() + class) {
            cell.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The cells of all workers.
#[derive(Debug, Default)]
pub struct AllCounters(Mutex<Vec<Arc<Counters>>>);

impl AllCounters {
    /// Makes the cells of one more worker.
    pub fn for_worker(&self, rows: usize) -> Arc<Counters> {
        let counters = Arc::new(Counters::new(rows));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Arc::clone(&counters));
        counters
    }

    /// Returns how many requests of one row were answered, by class in the order of [`CLASSES`].
    pub fn total(&self, row: usize) -> [u64; CLASSES.len()] {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut total = [0; CLASSES.len()];
        for counters in all.iter() {
            let cells = counters.0.iter().skip(row * CLASSES.len());
            for (sum, cell) in total.iter_mut().zip(cells) {
                *sum += cell.load(Ordering::Relaxed);
            }
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_all_workers_are_added_up_by_row_and_class() {
        let all = AllCounters::default();
        let (one, two) = (all.for_worker(3), all.for_worker(3));
        one.count(0, StatusCode::OK);
        two.count(0, StatusCode::CREATED);
        two.count(0, StatusCode::NOT_FOUND);
        one.count(2, StatusCode::SERVICE_UNAVAILABLE);
        one.count(2, StatusCode::NOT_MODIFIED);
        assert_eq!(all.total(0), [2, 0, 1, 0]);
        assert_eq!(all.total(1), [0; 4]);
        assert_eq!(all.total(2), [0, 1, 0, 1]);
    }

    #[test]
    fn a_row_there_is_not_counts_nothing() {
        let all = AllCounters::default();
        all.for_worker(1).count(1, StatusCode::OK);
        assert_eq!((all.total(0), all.total(1)), ([0; 4], [0; 4]));
    }
}
