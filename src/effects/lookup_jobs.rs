//! Works jobs that look many numbers up off: one number at a time, as fast as the budget lets it.
//!
//! Decides nothing and remembers nothing: what a job still has to ask is in the ledger, so that the
//! next start goes on where this one stopped. Numbers come from the documents of the contacts a job
//! names, and go to the provider and nowhere else.

use std::{collections::BTreeSet, io, sync::Arc, thread, time::Duration};

use tokio::sync::{Notify, watch};
use tracing::Instrument;

use crate::{
    documents::ContactDocument,
    domain::{
        command::{Command, Envelope, RequestLookups},
        decide::{JobRow, judge_row},
        entry::Subject,
        event::{Actor, Event},
        governor::{Level, LookupPolicy},
        ids::{JobId, LookupId},
        key::ContactKey,
        lookup_job::{JobEnd, LookupJob},
        phone::PhoneNumber,
        refusal::Refusal,
    },
    effects::lookups::Lookups,
    ledger::{
        handle::{Ledger, Outcome, SubmitError},
        index::Indexer,
    },
    limits::{DECISIONS_AT_ONCE, JOB_AMBER_SLOWDOWN, JOB_POLL_MS},
    providers::BreakerState,
    runtime::{clock::Clock, ids::IdSource},
    store::StoreReader,
};

/// How long a job waits for the database to know what the ledger knows.
const VIEW_WAIT: Duration = Duration::from_secs(10);

/// What working jobs off needs.
#[derive(Debug)]
pub struct JobParts {
    /// Takes commands.
    pub ledger: Ledger,
    /// Asks the provider.
    pub lookups: Lookups,
    /// Knows the numbers.
    pub store: StoreReader,
    /// Hashes numbers, to find the one that is meant.
    pub indexer: Indexer,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn IdSource>,
    /// The rule the budget is judged by.
    pub policy: LookupPolicy,
    /// Look-ups in a minute while the budget is green.
    pub per_minute: u32,
}

/// Tells whoever works jobs off that there is a new one. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct JobBell(Arc<Notify>);

/// Jobs being worked off, on a thread of their own.
#[derive(Debug)]
pub struct JobWorker {
    stop: watch::Sender<bool>,
    thread: thread::JoinHandle<()>,
}

/// What a job needs next.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// This number, of this contact, has to be asked about.
    Ask(usize, ContactKey, Subject),
    /// A look-up that somebody else made is under way.
    Wait,
    /// Nothing any more.
    Nothing,
    /// It ended, or is forgotten.
    Gone,
}

impl JobBell {
    /// Rings.
    pub fn ring(&self) {
        self.0.notify_one();
    }
}

impl JobWorker {
    /// Starts working off whatever jobs there are and will be.
    ///
    /// # Errors
    ///
    /// When there is no thread, or no runtime for it.
    pub fn start(parts: JobParts, bell: JobBell) -> io::Result<Self> {
        let (stop, mut stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let work = async move {
            tokio::select! {
                () = parts.work(&bell) => {}
                _ = stopped.wait_for(|stop| *stop) => {}
            }
        };
        // What is under way when it stops is ended by the next start.
        let run = move || runtime.block_on(work);
        let thread = thread::Builder::new().name("jobs".into()).spawn(run)?;
        Ok(Self { stop, thread })
    }

    /// Stops, and lets go of the ledger. What is not done yet is done after the next start.
    pub fn stop(self) {
        if self.stop.send(true).is_err() {
            tracing::debug!("the jobs had stopped already");
        }
        if self.thread.join().is_err() {
            tracing::error!("the jobs ended in a panic; they go on after the next start");
        }
    }
}

impl JobParts {
    async fn work(&self, bell: &JobBell) {
        loop {
            let next = {
                let state = self.ledger.views().state();
                state.governor().jobs().open().next().map(|(id, _)| id)
            };
            let Some(job) = next else {
                bell.0.notified().await;
                continue;
            };
            let span = tracing::info_span!("effects.job", job.id = %job.as_uuid());
            if let Err(error) = self.work_off(job).instrument(span).await {
                // Only another start can help, and then it goes on.
                tracing::warn!(%error, "jobs stopped: the ledger takes no entries");
                return;
            }
        }
    }

    async fn work_off(&self, id: JobId) -> Result<(), SubmitError> {
        let mut numberless = BTreeSet::new();
        let mut from = 0;
        loop {
            match self.next(id, from, &numberless) {
                Next::Gone => return Ok(()),
                Next::Nothing => return self.end(id).await,
                Next::Wait => {
                    from = 0;
                    pause(JOB_POLL_MS).await;
                }
                Next::Ask(place, number, subject) => {
                    from = place;
                    if !self.lookups.has_provider() {
                        return self.end(id).await;
                    }
                    let spacing_ms = match self.pace() {
                        Some(spacing_ms) if self.has_caught_up().await => spacing_ms,
                        Some(_) | None => {
                            pause(JOB_POLL_MS).await;
                            continue;
                        }
                    };
                    let Some(known) = self.number(subject, number) else {
                        numberless.insert(number);
                        continue;
                    };
                    self.ask(id, number, known).await?;
                    pause(spacing_ms).await;
                }
            }
        }
    }

    /// Finds what comes next, from a row on and then from the start: rows become free again.
    fn next(&self, id: JobId, from: usize, numberless: &BTreeSet<ContactKey>) -> Next {
        let Some(job) = self.job(id).filter(|job| job.is_open()) else { return Next::Gone };
        let mut waits = false;
        for (first, len) in [(from, job.rows.len() - from.min(job.rows.len())), (0, from)] {
            let rows = job.rows.iter().enumerate().skip(first).take(len);
            let rows: Vec<_> = rows.filter_map(|(at, row)| Some((at, (*row)?))).collect();
            for run in rows.chunks(DECISIONS_AT_ONCE) {
                // Others want the state too: it is held for one run at a time.
                let state = self.ledger.views().state();
                let now = self.clock.now();
                for (place, number) in run {
                    let subject = state.contacts().find(*number);
                    let contact = subject.and_then(|subject| state.contacts().get(subject));
                    match (
                        judge_row(
                            &job,
                            Some(*number),
                            contact,
                            (state.registry(), &self.policy),
                            now,
                        ),
                        subject,
                    ) {
                        (JobRow::Ask, Some(subject)) if !numberless.contains(number) => {
                            return Next::Ask(*place, *number, subject);
                        }
                        (JobRow::UnderWay, _) => waits = true,
                        (JobRow::Ask | JobRow::Done { .. }, _) => {}
                    }
                }
            }
        }
        if waits { Next::Wait } else { Next::Nothing }
    }

    fn job(&self, id: JobId) -> Option<Arc<LookupJob>> {
        self.ledger.views().state().governor().jobs().get(id).cloned()
    }

    /// Returns how long to wait after a look-up, in milliseconds; `None` while none may be made.
    fn pace(&self) -> Option<u64> {
        if matches!(self.lookups.breaker(), None | Some(BreakerState::Open { .. })) {
            return None;
        }
        let now = self.clock.now();
        let level = self.ledger.views().state().governor().budget(&self.policy, now).level;
        spacing_ms(level, self.per_minute)
    }

    async fn has_caught_up(&self) -> bool {
        let last = self.ledger.views().state().last();
        let waited = self.store.wait_for(last, VIEW_WAIT).await;
        waited.inspect_err(|error| tracing::warn!(%error, "a job waits for the database")).is_ok()
    }

    /// Returns the number of a contact that a job means: it may have had several.
    fn number(&self, subject: Subject, wanted: ContactKey) -> Option<PhoneNumber> {
        match self.store.person(subject) {
            Ok(document) => {
                pick(&document?, |number| self.indexer.number(number.as_e164()) == wanted)
            }
            Err(error) => {
                tracing::warn!(%error, "a job cannot read a contact and leaves it out");
                None
            }
        }
    }

    /// Asks about one number, if it is still to be asked about.
    async fn ask(
        &self,
        job: JobId,
        number: ContactKey,
        known: PhoneNumber,
    ) -> Result<(), SubmitError> {
        let lookup = LookupId::from_uuid(self.ids.next());
        let numbers = vec![(number, lookup)];
        let request = RequestLookups { numbers, has_provider: true, job: Some(job) };
        let Some(entries) = self.submit(Command::RequestLookups(request)).await? else {
            return Ok(());
        };
        let is_ours =
            |event: &Event| matches!(event, Event::LookupRequested(made) if made.lookup == lookup);
        if entries.iter().any(is_ours) {
            self.lookups.perform(vec![(lookup, known)]).await;
        }
        Ok(())
    }

    async fn end(&self, job: JobId) -> Result<(), SubmitError> {
        let command = Command::EndLookupJob { job, how: JobEnd::Finished };
        self.submit(command).await.map(drop)
    }

    /// Submits, and returns what happened; `None` if it has to be tried again later.
    async fn submit(&self, command: Command) -> Result<Option<Vec<Event>>, SubmitError> {
        let envelope = Envelope { actor: Actor::System, once: None, command };
        match self.ledger.submit(envelope).await {
            Ok(Outcome::Done(entries)) => {
                Ok(Some(entries.into_iter().map(|entry| entry.record.event.clone()).collect()))
            }
            Ok(Outcome::DoneBefore { .. }) => Ok(Some(Vec::new())),
            Err(SubmitError::Refused(refusal)) => {
                let is_expected =
                    matches!(*refusal, Refusal::LookupBudget { .. } | Refusal::JobUnknown);
                if !is_expected {
                    tracing::warn!(%refusal, "a job's next step was refused");
                }
                pause(JOB_POLL_MS).await;
                Ok(None)
            }
            Err(SubmitError::Busy) => {
                pause(JOB_POLL_MS).await;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Returns how long to wait after a look-up, in milliseconds; `None` where none may be made.
fn spacing_ms(level: Level, per_minute: u32) -> Option<u64> {
    let spacing_ms = 60_000 / u64::from(per_minute.max(1));
    match level {
        Level::Green => Some(spacing_ms),
        Level::Amber => Some(spacing_ms.saturating_mul(JOB_AMBER_SLOWDOWN.into())),
        Level::Red => None,
    }
}

fn pick(
    document: &ContactDocument,
    is_meant: impl Fn(&PhoneNumber) -> bool,
) -> Option<PhoneNumber> {
    let former = document.former.iter().filter_map(|former| former.number.as_ref());
    let mut numbers = document.number.iter().chain(former);
    numbers.find(|number| is_meant(number)).or(document.number.as_ref()).cloned()
}

async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amber_is_slow_and_red_stands_still() {
        assert_eq!(spacing_ms(Level::Green, 60), Some(1_000));
        assert_eq!(spacing_ms(Level::Green, 600), Some(100));
        assert_eq!(spacing_ms(Level::Amber, 60), Some(4_000));
        assert_eq!(spacing_ms(Level::Red, 600), None);
    }
}
