//! Folding look-ups: what is asked of a provider, for which job, what it said, and what earns more.

use std::sync::Arc;

use crate::domain::{
    contact::{LookupState, PendingLookup},
    entry::{Seq, Subject},
    event::{Event, LookupJobEnded, LookupRequested, Record},
    ids::LookupId,
    lookup_job::{JobAnswer, KnownThen, LookupJobs},
    state::{Draft, OpenLookup},
    time::Timestamp,
};

impl Draft<'_> {
    /// A message went to this person: it earns a look-up if the person was looked up. One sent
    /// while the first look-up is still under way does not: nobody may have been asked. Returns
    /// whether it does.
    pub(super) fn fold_contacted(&mut self, subject: Subject, at: Timestamp) -> bool {
        let Some(contact) = self.contact_mut(subject) else { return false };
        let Some(lookup) = &mut contact.details_mut().lookup else { return false };
        let was_uncontacted = lookup.is_uncontacted();
        lookup.was_contacted = true;
        if let Some(pending) = &mut lookup.pending {
            pending.was_contacted = true;
        }
        if !lookup.has_answer() {
            return false;
        }
        let governor = Arc::make_mut(&mut self.changes.governor);
        governor.fold_message(at);
        if was_uncontacted {
            governor.fold_uncontacted(false);
        }
        true
    }

    fn jobs_mut(&mut self) -> &mut LookupJobs {
        Arc::make_mut(&mut self.changes.governor).jobs_mut()
    }

    pub(super) fn fold_job(&mut self, seq: Seq, record: &Record) {
        if let Event::LookupJobStarted { job, rows } = &record.event {
            self.jobs_mut().fold_start(*job, rows, (seq, record.at));
        } else if let Event::LookupJobEnded(ended) = &record.event {
            let LookupJobEnded { job, how, judged_by } = *ended;
            let rows = self.governor().jobs().get(job).map(|job| Arc::clone(&job.rows));
            let numbers = rows.iter().flat_map(|rows| rows.iter().flatten());
            let known = numbers.filter_map(|number| {
                let contact = self.contact(self.find(*number)?)?;
                Some((*number, KnownThen::of((contact, *number), self.registry(), record.at)))
            });
            let known = known.collect();
            self.jobs_mut().fold_end(job, (how, record.at), judged_by, known);
        }
    }

    pub(super) fn fold_job_answer(&mut self, lookup: LookupId, answer: &JobAnswer) {
        if self.governor().jobs().is_waiting_for(lookup) {
            self.jobs_mut().fold_answer(lookup, answer);
        }
    }

    pub(super) fn fold_lookup_request(
        &mut self,
        subject: Subject,
        request: &LookupRequested,
        at: Timestamp,
    ) {
        let LookupRequested { lookup: id, job, about } = *request;
        self.changes.lookups.insert(id, Some(OpenLookup { subject, requested_at: at, about }));
        Arc::make_mut(&mut self.changes.governor).fold_lookup(at);
        if let Some(contact) = self.contact_mut(subject) {
            let lookup = contact.details_mut().lookup.get_or_insert_default();
            lookup.pending = Some(PendingLookup { id, at, was_contacted: false });
        }
        if let Some(job) = job {
            self.jobs_mut().fold_request(id, job);
        }
    }

    /// Ends a look-up; without a state nobody was asked, and it is as if it had not been requested.
    pub(super) fn fold_lookup_end(
        &mut self,
        subject: Subject,
        id: LookupId,
        state: Option<LookupState>,
        at: Timestamp,
    ) {
        let requested_at = self.open_lookup(id).map(|open| open.requested_at);
        let about = self.looked_up(id);
        self.changes.lookups.insert(id, None);
        let Some(contact) = self.contact_mut(subject) else { return };
        let details = contact.details_mut();
        let Some(lookup) = &mut details.lookup else { return };
        // Of two contacts that became one, each may have had a look-up under way.
        let pending = lookup.pending.take_if(|pending| pending.id == id);
        let Some(state) = state else {
            details.lookup.take_if(|lookup| lookup.pending.is_none() && !lookup.has_answer());
            if let Some(requested_at) = requested_at {
                Arc::make_mut(&mut self.changes.governor).fold_unasked(requested_at);
            }
            return;
        };
        let was_uncontacted = lookup.is_uncontacted();
        // "Nobody knows" and "still looking" do not take away what was known.
        let is_answer = match state {
            LookupState::Registered | LookupState::NotRegistered => true,
            LookupState::InProgress | LookupState::Unknown => lookup.answer_about(about).is_none(),
        };
        if is_answer {
            lookup.fold_answer(about, (state, at));
            lookup.was_contacted = pending.map_or(lookup.was_contacted, |own| own.was_contacted);
        }
        let is_uncontacted = lookup.is_uncontacted();
        if is_uncontacted != was_uncontacted {
            Arc::make_mut(&mut self.changes.governor).fold_uncontacted(is_uncontacted);
        }
    }
}
