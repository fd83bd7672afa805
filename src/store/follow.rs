//! Following: a thread of its own applies what the ledger recorded, in small batches.
//!
//! Small, because the database keeps everything since its last flush in memory; not smaller than
//! it must, because a batch costs two syncs and each of its pages is written whole. So a busy
//! ledger is let run ahead for a moment, unless somebody waits. When anything fails it stops for
//! good and says so; decisions go on without it.

use std::{
    collections::VecDeque,
    io,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use rand::rngs::StdRng;
use tokio::sync::watch;

use crate::{
    ledger::{
        entry::Head,
        log::{Entries, LogReader},
        recent::{RecentEntry, RecentReader},
        sealer::Sealer,
    },
    store::{Store, StoreError},
};

/// How long entries are let gather that nobody waits for.
const GATHER: Duration = Duration::from_millis(25);

/// Applies entries to a database.
pub struct Applier {
    store: Store,
    log: Arc<dyn LogReader>,
    sealer: Sealer,
    random: StdRng,
    batch_len: usize,
    applied: Head,
    recent: Option<RecentReader>,
    /// Taken from there and not applied yet.
    at_hand: VecDeque<RecentEntry>,
}

impl std::fmt::Debug for Applier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Applier").field("applied", &self.applied).finish_non_exhaustive()
    }
}

/// A thread that follows the ledger. Dropping it asks the thread to end after its batch.
#[derive(Debug)]
pub struct Following {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Applier {
    /// Makes one that goes on where the database is, at most `batch_len` entries at a time.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database does not say where it is.
    pub fn new(
        store: Store,
        log: Arc<dyn LogReader>,
        sealer: Sealer,
        random: StdRng,
        batch_len: usize,
    ) -> Result<Self, StoreError> {
        let applied = store.applied()?;
        let (batch_len, at_hand) = (batch_len.max(1), VecDeque::new());
        Ok(Self { store, log, sealer, random, batch_len, applied, recent: None, at_hand })
    }

    /// Takes entries from `recent` as long as it keeps up with it, and only else from the log.
    #[must_use]
    pub fn beside(self, recent: RecentReader) -> Self {
        Self { recent: Some(recent), ..self }
    }

    /// Applies one batch. Returns how many entries it had; 0 at the head of the ledger.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; make another one to go on.
    pub fn step(&mut self) -> Result<usize, StoreError> {
        match self.apply_recent()? {
            0 => self.apply_logged(&mut self.log.read(self.applied.next)),
            taken => Ok(taken),
        }
    }

    /// Applies everything there is now, unless `stop` says so after a batch.
    ///
    /// # Errors
    ///
    /// As [`Self::step`].
    pub fn catch_up(&mut self, stop: impl Fn() -> bool) -> Result<(), StoreError> {
        let end = self.log.head().next;
        let mut logged = None;
        while self.applied.next < end && !stop() {
            if self.apply_recent()? > 0 {
                logged = None;
                continue;
            }
            let mut entries = logged.take().unwrap_or_else(|| self.log.read(self.applied.next));
            if self.apply_logged(&mut entries)? == 0 {
                break;
            }
            logged = Some(entries);
        }
        Ok(())
    }

    /// Follows the ledger on a thread of its own.
    ///
    /// # Errors
    ///
    /// When the operating system gives no thread.
    pub fn spawn(self) -> io::Result<Following> {
        let (stop, stopped) = watch::channel(false);
        let waiting = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let work = move || self.run(&waiting, stopped);
        let thread = std::thread::Builder::new().name("store".into()).spawn(work)?;
        Ok(Following { stop, thread: Some(thread) })
    }

    fn run(mut self, waiting: &tokio::runtime::Runtime, mut stopped: watch::Receiver<bool>) {
        let mut head = self.log.watch();
        let should_stop = stopped.clone();
        loop {
            head.mark_unchanged();
            // The database is the one library here that panics on what it reads.
            let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
                self.catch_up(|| *should_stop.borrow() || should_stop.has_changed().is_err())
            }));
            if let Err(error) = outcome.unwrap_or(Err(StoreError::Panicked)) {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(
                    %error,
                    source,
                    "the database has failed and is no longer up to date; decisions go on"
                );
                self.store.fail(&error);
                return;
            }
            if !waiting.block_on(self.more(&mut head, &mut stopped)) {
                return;
            }
        }
    }

    /// Waits for entries, and a little longer for more of them if nobody wants to read what they
    /// say. Returns whether to go on.
    async fn more(
        &self,
        head: &mut watch::Receiver<Head>,
        stopped: &mut watch::Receiver<bool>,
    ) -> bool {
        let gathered = async {
            head.changed().await?;
            tokio::select! {
                () = self.store.wanted() => {}
                () = tokio::time::sleep(GATHER) => {}
            }
            Ok::<_, watch::error::RecvError>(())
        };
        tokio::select! {
            stop = stopped.wait_for(|stop| *stop) => { drop(stop); false }
            gathered = gathered => gathered.is_ok(),
        }
    }

    /// Applies one batch of what is at hand. Returns 0 where that does not go on from here.
    fn apply_recent(&mut self) -> Result<usize, StoreError> {
        let from = self.applied.next;
        if self.at_hand.front().is_none_or(|entry| entry.seq != from) {
            let Some(recent) = &self.recent else { return Ok(0) };
            self.at_hand = recent.take(from, self.batch_len);
        }
        let mut head = self.applied;
        let mut taken = 0;
        let mut batch = self.store.batch(&self.sealer);
        while taken < self.batch_len && !batch.is_full() {
            let Some(entry) = self.at_hand.pop_front() else { break };
            head = entry.head;
            batch.take_recent(&entry)?;
            taken += 1;
        }
        if taken > 0 {
            batch.commit(head, &mut self.random)?;
            self.applied = head;
        }
        Ok(taken)
    }

    /// Applies one batch of what the log says.
    fn apply_logged(&mut self, entries: &mut Entries) -> Result<usize, StoreError> {
        let mut head = self.applied;
        let mut taken = 0;
        let mut batch = self.store.batch(&self.sealer);
        while taken < self.batch_len && !batch.is_full() {
            let Some(entry) = entries.next().transpose()? else { break };
            head = head.extend(&entry.header)?;
            batch.take(&entry)?;
            taken += 1;
        }
        if taken > 0 {
            batch.commit(head, &mut self.random)?;
            self.applied = head;
        }
        Ok(taken)
    }
}

impl Following {
    /// Asks the thread to end after its batch, and waits until it has.
    pub fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that follows the ledger panicked");
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}
