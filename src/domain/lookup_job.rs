//! A job that looks many numbers up, one after the other, as fast as the budget lets it.
//!
//! A fold of the ledger: what was asked for, which look-ups were made for it, what they said, and
//! what else was known when it ended: its result stays what it was then.
//! Numbers are keyed hashes here as everywhere in memory. Knows no rules: when the next number may
//! be asked about is decided in [`crate::domain::decide`].

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::domain::{
    contact::{Contact, LookupState, Traffic},
    eligibility::has_granted,
    entry::Seq,
    ids::{JobId, LookupId},
    key::ContactKey,
    registry::Registry,
    time::Timestamp,
};

/// Why a look-up that was not made is worth another try: the provider was given a pause.
const PAUSED: &str = "breaker_open";

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobEnd {
    /// There was nothing left to ask.
    Finished,
    /// Somebody called it off.
    Cancelled,
}

/// For which number of which job a look-up was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForJob {
    /// The job.
    pub job: JobId,
    /// The number, as the job names it.
    pub number: ContactKey,
}

/// What a look-up made for a job said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobAnswer {
    /// Whether the number is on WhatsApp.
    pub state: LookupState,
    /// Why nobody knows, where nobody does.
    pub cause: Option<Box<str>>,
    /// When.
    pub at: Timestamp,
    /// Whether a provider was, or may have been, asked.
    pub was_asked: bool,
}

/// The rules by which the answers of a job that ended were judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgedBy {
    /// How long an answer was good for, in milliseconds.
    pub cache_ms: i64,
    /// Whether only people who opted in could be looked up.
    pub requires_opt_in: bool,
    /// After how long a look-up that nobody ended counted as lost, in milliseconds.
    pub lapse_ms: i64,
}

/// What is known at a moment of whether a contact is on WhatsApp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownThen {
    /// Since when messages fail.
    pub unreachable_at: Option<Timestamp>,
    /// When the person was last there.
    pub reached_at: Option<Timestamp>,
    /// Since when a look-up is under way.
    pub pending_at: Option<Timestamp>,
    /// What the last look-up said, and when.
    pub answer: Option<(LookupState, Timestamp)>,
    /// Whether the person has opted in to anything.
    pub has_granted: bool,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupJob {
    /// The entry that started it: jobs are served in this order.
    pub seq: Seq,
    /// When it was asked for.
    pub started_at: Timestamp,
    /// How it ended, and when.
    pub ended: Option<(JobEnd, Timestamp)>,
    /// The numbers, in the caller's order; what was no number is `None`.
    pub rows: Arc<[Option<ContactKey>]>,
    /// The rules in force when it ended, if it has and its entry names them.
    pub judged_by: Option<JudgedBy>,
    open: BTreeMap<LookupId, ContactKey>,
    answers: BTreeMap<ContactKey, JobAnswer>,
    known: BTreeMap<ContactKey, KnownThen>,
}

/// The jobs that are remembered: those that have not ended, and the last few that have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LookupJobs {
    jobs: BTreeMap<JobId, Arc<LookupJob>>,
}

impl JobEnd {
    /// Returns the stable name of a job's state.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
        }
    }
}

impl KnownThen {
    /// Returns what is known at `now` of a number of a contact. What an own number showed says nothing
    /// of another one: whose traffic it was is not known of that.
    pub fn of(
        (contact, number): (&Contact, ContactKey),
        registry: &Registry,
        now: Timestamp,
    ) -> Self {
        let other = contact.other(Some(number));
        let traffic = Some(&contact.details().traffic).filter(|_| other.is_none());
        let lookup = contact.details().lookup.as_ref();
        Self {
            unreachable_at: traffic.and_then(Traffic::unreachable).map(|(at, _)| at),
            reached_at: traffic.and_then(|traffic| traffic.reached_at),
            pending_at: lookup.and_then(|lookup| lookup.pending.map(|pending| pending.at)),
            answer: lookup.and_then(|lookup| lookup.answer_about(other)),
            has_granted: has_granted(contact, Some(number), registry, now),
        }
    }
}

impl LookupJob {
    /// Returns what was known when it ended of the contact that this number led to, if it led to
    /// one.
    pub fn known_then(&self, number: ContactKey) -> Option<&KnownThen> {
        self.known.get(&number)
    }

    /// Returns whether a look-up was made for this number, or is under way.
    pub fn has_asked(&self, number: ContactKey) -> bool {
        self.answers.contains_key(&number) || self.is_asking(number)
    }

    /// Returns whether a look-up made for this number is under way.
    pub fn is_asking(&self, number: ContactKey) -> bool {
        self.open.values().any(|open| *open == number)
    }

    /// Returns whether any look-up made for it is under way.
    pub fn is_busy(&self) -> bool {
        !self.open.is_empty()
    }

    /// Returns what the look-up made for this number said.
    pub fn answer(&self, number: ContactKey) -> Option<&JobAnswer> {
        self.answers.get(&number)
    }

    /// Returns how many numbers a provider was asked about for this job.
    pub fn asked(&self) -> usize {
        self.answers.values().filter(|answer| answer.was_asked).count()
    }

    /// Returns whether it goes on.
    pub const fn is_open(&self) -> bool {
        self.ended.is_none()
    }
}

impl LookupJobs {
    /// Ended jobs that are remembered, so that their results can be fetched.
    pub const ENDED_KEPT: usize = 32;

    /// Returns a job.
    pub fn get(&self, id: JobId) -> Option<&Arc<LookupJob>> {
        self.jobs.get(&id)
    }

    /// Returns the jobs that go on, the one that is served first in front.
    pub fn open(&self) -> impl Iterator<Item = (JobId, &Arc<LookupJob>)> {
        let mut open: Vec<_> = self.jobs.iter().filter(|(_, job)| job.is_open()).collect();
        open.sort_by_key(|(_, job)| job.seq);
        open.into_iter().map(|(id, job)| (*id, job))
    }

    /// Returns whether a look-up was made for a job that is remembered, and is under way.
    pub fn is_waiting_for(&self, lookup: LookupId) -> bool {
        self.jobs.values().any(|job| job.open.contains_key(&lookup))
    }

    pub(crate) fn fold_start(
        &mut self,
        id: JobId,
        rows: &[Option<ContactKey>],
        (seq, started_at): (Seq, Timestamp),
    ) {
        let job = LookupJob {
            seq,
            started_at,
            ended: None,
            rows: rows.into(),
            judged_by: None,
            open: BTreeMap::new(),
            answers: BTreeMap::new(),
            known: BTreeMap::new(),
        };
        self.jobs.insert(id, Arc::new(job));
    }

    /// What the job was told itself, or is still told of what was under way, comes before `known`.
    pub(crate) fn fold_end(
        &mut self,
        id: JobId,
        ended: (JobEnd, Timestamp),
        judged_by: Option<JudgedBy>,
        mut known: BTreeMap<ContactKey, KnownThen>,
    ) {
        if let Some(job) = self.jobs.get_mut(&id).map(Arc::make_mut) {
            known.retain(|number, _| !job.answers.contains_key(number));
            (job.ended, job.judged_by, job.known) = (Some(ended), judged_by, known);
        }
        let when = |(id, job): (&JobId, &Arc<LookupJob>)| Some((job.ended?.1, job.seq, *id));
        let mut ended: Vec<_> = self.jobs.iter().filter_map(when).collect();
        ended.sort_unstable();
        let too_many = ended.len().saturating_sub(Self::ENDED_KEPT);
        for (_, _, id) in ended.into_iter().take(too_many) {
            self.jobs.remove(&id);
        }
    }

    pub(crate) fn fold_request(&mut self, lookup: LookupId, ForJob { job, number }: ForJob) {
        if let Some(job) = self.jobs.get_mut(&job) {
            Arc::make_mut(job).open.insert(lookup, number);
        }
    }

    /// One for which nobody was asked because of a pause leaves the number to be asked about.
    pub(crate) fn fold_answer(&mut self, lookup: LookupId, answer: &JobAnswer) {
        let waits = |job: &&mut Arc<LookupJob>| job.open.contains_key(&lookup);
        let Some(job) = self.jobs.values_mut().find(waits).map(Arc::make_mut) else { return };
        let Some(number) = job.open.remove(&lookup) else { return };
        if answer.was_asked || answer.cause.as_deref() != Some(PAUSED) {
            job.answers.insert(number, answer.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn id(bits: u128) -> JobId {
        JobId::from_uuid(Uuid::from_u128(bits))
    }

    fn lookup(bits: u128) -> LookupId {
        LookupId::from_uuid(Uuid::from_u128(bits))
    }

    fn key(bits: u128) -> ContactKey {
        ContactKey::from_bits(bits)
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    fn answer(cause: Option<&str>, was_asked: bool) -> JobAnswer {
        let cause = cause.map(Box::from);
        JobAnswer { state: LookupState::Unknown, cause, at: at(9), was_asked }
    }

    fn asking(cause: Option<&str>, was_asked: bool) -> LookupJobs {
        let mut jobs = LookupJobs::default();
        jobs.fold_start(id(1), &[Some(key(1)), None, Some(key(2))], (Seq(1), at(1)));
        jobs.fold_request(lookup(7), ForJob { job: id(1), number: key(1) });
        assert!(jobs.is_waiting_for(lookup(7)) && jobs.get(id(1)).unwrap().is_asking(key(1)));
        jobs.fold_answer(lookup(7), &answer(cause, was_asked));
        assert!(!jobs.is_waiting_for(lookup(7)));
        jobs
    }

    #[test]
    fn a_number_that_was_asked_about_stays_asked_about_whatever_was_said() {
        for (cause, was_asked, counts) in
            [(Some("timeout"), true, 1), (None, true, 1), (Some("unsupported_number"), false, 0)]
        {
            let jobs = asking(cause, was_asked);
            let job = jobs.get(id(1)).unwrap();
            assert!(job.has_asked(key(1)) && !job.has_asked(key(2)), "{cause:?}");
            assert_eq!(job.asked(), counts, "{cause:?}");
        }
    }

    #[test]
    fn a_number_nobody_was_asked_about_because_of_a_pause_may_be_asked_about() {
        assert!(!asking(Some("breaker_open"), false).get(id(1)).unwrap().has_asked(key(1)));
        assert!(asking(Some("breaker_open"), true).get(id(1)).unwrap().has_asked(key(1)));
    }

    #[test]
    fn jobs_are_served_in_the_order_they_came_and_the_oldest_ended_ones_are_forgotten() {
        let mut jobs = LookupJobs::default();
        for bits in (1..=40).rev() {
            jobs.fold_start(id(bits), &[], (Seq(100 - u64::try_from(bits).unwrap()), at(1)));
        }
        let served: Vec<_> = jobs.open().map(|(id, _)| id).collect();
        assert_eq!(served, (1..=40).rev().map(id).collect::<Vec<_>>());
        for bits in 1..=39 {
            let at = at(1_000 + i64::try_from(bits).unwrap());
            jobs.fold_end(id(bits), (JobEnd::Finished, at), None, BTreeMap::new());
        }
        assert!(jobs.get(id(7)).is_none() && jobs.get(id(8)).is_some());
        assert_eq!(jobs.open().map(|(id, _)| id).collect::<Vec<_>>(), [id(40)]);
    }
}
