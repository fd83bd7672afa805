//! Rules about jobs that look many numbers up: how many there may be, and what is next in one.

use std::sync::Arc;

use crate::{
    domain::{
        contact::{Contact, LookupState},
        decide::{Events, LookupPlan, Rules, lookup::plan_known, plan_lookup},
        entry::Subject,
        event::{Event, LookupJobEnded},
        governor::LookupPolicy,
        ids::JobId,
        key::ContactKey,
        lookup_job::{JobAnswer, JobEnd, JudgedBy, LookupJob},
        refusal::Refusal,
        registry::Registry,
        state::Draft,
        time::Timestamp,
    },
    limits::LOOKUP_JOBS_OPEN_MAX,
};

/// Where one number of a job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobRow {
    /// It is answered for.
    Done {
        /// Whether it is on WhatsApp.
        state: LookupState,
        /// How that is known.
        source: &'static str,
        /// Why nothing is known, where nothing is.
        reason: Option<Box<str>>,
        /// When it was found out.
        at: Option<Timestamp>,
    },
    /// A look-up is under way.
    UnderWay,
    /// A provider has to be asked.
    Ask,
}

/// Says where a number of a job stands at `now`: what the job was told about it, or else what is
/// known of the contact it leads to. In a job that ended, nothing is under way or left to ask, and
/// what counts is what was known then, by the rules of then; `contact` only says whether there still
/// is one.
pub fn judge_row(
    job: &LookupJob,
    number: Option<ContactKey>,
    contact: Option<&Contact>,
    (registry, policy): (&Registry, &LookupPolicy),
    now: Timestamp,
) -> JobRow {
    let unknown = |reason: &str| JobRow::Done {
        state: LookupState::Unknown,
        source: "none",
        reason: Some(reason.into()),
        at: None,
    };
    let Some(number) = number else { return unknown("invalid_number") };
    if let Some(JobAnswer { state, cause, at, was_asked }) = job.answer(number) {
        let source = if *was_asked { "provider" } else { "none" };
        let at = was_asked.then_some(*at);
        return JobRow::Done { state: *state, source, reason: cause.clone(), at };
    }
    let done = |state, source, at| JobRow::Done { state, source, reason: None, at: Some(at) };
    let plan = match job.ended {
        None => plan_lookup((contact, number), registry, policy, now),
        Some((_, ended_at)) => {
            let by = job.judged_by.unwrap_or_else(|| judged_by(policy));
            let JudgedBy { cache_ms, requires_opt_in, lapse_ms } = by;
            let then = LookupPolicy { cache_ms, requires_opt_in, lapse_ms, ..*policy };
            plan_known(contact.and_then(|_| job.known_then(number)), &then, ended_at)
        }
    };
    match plan {
        LookupPlan::Traffic { state: LookupState::Unknown, .. } => unknown("undeliverable"),
        LookupPlan::Traffic { state, at } => done(state, "traffic", at),
        LookupPlan::Cached { state, at } => done(state, "cache", at),
        LookupPlan::NotOptedIn => unknown("not_opted_in"),
        LookupPlan::UnderWay | LookupPlan::Ask if !job.is_open() => unknown("not_asked"),
        LookupPlan::UnderWay => JobRow::UnderWay,
        // The answer got lost, and asking again would be a second look-up.
        LookupPlan::Ask if job.is_asking(number) => unknown("lapsed"),
        LookupPlan::Ask => JobRow::Ask,
    }
}

const fn judged_by(policy: &LookupPolicy) -> JudgedBy {
    let LookupPolicy { cache_ms, requires_opt_in, lapse_ms, .. } = *policy;
    JudgedBy { cache_ms, requires_opt_in, lapse_ms }
}

/// Starts a job, if not too many go on.
pub(super) fn start(
    draft: &Draft<'_>,
    job: JobId,
    rows: &Arc<[Option<ContactKey>]>,
) -> Result<Events, Refusal> {
    if draft.governor().jobs().open().count() >= LOOKUP_JOBS_OPEN_MAX {
        return Err(Refusal::JobsOpen);
    }
    Ok(vec![(Subject::SYSTEM, Event::LookupJobStarted { job, rows: rows.to_vec() })])
}

/// Ends a job once; one that has ended stays as it is.
pub(super) fn end(
    draft: &Draft<'_>,
    rules: &Rules,
    job: JobId,
    how: JobEnd,
) -> Result<Events, Refusal> {
    let known = draft.governor().jobs().get(job).ok_or(Refusal::JobUnknown)?;
    if !known.is_open() {
        return Ok(Vec::new());
    }
    let judged_by = Some(judged_by(&rules.lookup));
    Ok(vec![(Subject::SYSTEM, Event::LookupJobEnded(LookupJobEnded { job, how, judged_by }))])
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        command::{Command, RequestLookups},
        decide::tests::{Desk, RULES},
        governor::Level,
        ids::LookupId,
    };

    const JOB: JobId = JobId::from_uuid(Uuid::from_u128(9));

    fn key(place: u32) -> ContactKey {
        ContactKey::from_bits(place.into())
    }

    /// People who opted in, and a job about them and about what is no number.
    struct Shop {
        desk: Desk,
    }

    impl Shop {
        fn new(people: u32) -> Self {
            let mut desk = Desk::new();
            for place in 1..=people {
                desk.opt_in(place.into(), "orders", None).unwrap();
            }
            let rows = (1..=people).map(|place| Some(key(place))).chain([None]).collect();
            desk.run(Command::StartLookupJob { job: JOB, rows }).unwrap();
            Self { desk }
        }

        fn now(&self) -> Timestamp {
            Timestamp::from_unix_ms(self.desk.now)
        }

        fn ask(&mut self, place: u32) -> Result<Option<LookupId>, Refusal> {
            let lookup = LookupId::from_uuid(self.desk.id());
            let numbers = vec![(key(place), lookup)];
            let request = RequestLookups { numbers, has_provider: true, job: Some(JOB) };
            let events = self.desk.run(Command::RequestLookups(request))?;
            Ok((!events.is_empty()).then_some(lookup))
        }

        fn conclude(&mut self, lookup: LookupId, cause: &str, was_asked: bool) {
            let (state, cause) = (LookupState::Unknown, Some(cause.into()));
            let (wa_id, wa_key) = (None, None);
            let command =
                Command::ConcludeLookup { lookup, state, cause, wa_id, wa_key, was_asked };
            self.desk.run(command).unwrap();
        }

        fn row(&self, place: u32) -> JobRow {
            let state = &self.desk.state;
            let contact = state.contacts().find(key(place));
            let contact = contact.and_then(|subject| state.contacts().get(subject));
            let job = state.governor().jobs().get(JOB).unwrap();
            judge_row(
                job,
                Some(key(place)),
                contact,
                (self.desk.state.registry(), &RULES.lookup),
                self.now(),
            )
        }

        fn end(&mut self, how: JobEnd) -> Vec<Event> {
            self.desk.run(Command::EndLookupJob { job: JOB, how }).unwrap()
        }
    }

    fn reason(row: &JobRow) -> Option<&str> {
        if let JobRow::Done { reason, .. } = row { reason.as_deref() } else { None }
    }

    #[test]
    fn a_number_is_asked_about_once_whatever_comes_of_it() {
        let mut shop = Shop::new(1);
        assert_eq!(shop.row(1), JobRow::Ask);
        let lookup = shop.ask(1).unwrap().unwrap();
        assert_eq!((shop.row(1), shop.ask(1).unwrap()), (JobRow::UnderWay, None));
        shop.conclude(lookup, "timeout", true);
        assert_eq!(reason(&shop.row(1)), Some("timeout"));
        assert_eq!(shop.ask(1).unwrap(), None);
        let job = Arc::clone(shop.desk.state.governor().jobs().get(JOB).unwrap());
        let now = shop.now();
        let row = judge_row(&job, None, None, (&Registry::default(), &RULES.lookup), now);
        assert_eq!(reason(&row), Some("invalid_number"));
        let row = judge_row(&job, Some(key(77)), None, (&Registry::default(), &RULES.lookup), now);
        assert_eq!(reason(&row), Some("not_opted_in"));
    }

    #[test]
    fn one_for_which_nobody_was_asked_is_tried_again_and_costs_nothing() {
        let mut shop = Shop::new(1);
        let lookup = shop.ask(1).unwrap().unwrap();
        shop.conclude(lookup, "breaker_open", false);
        assert_eq!(shop.row(1), JobRow::Ask);
        assert!(shop.ask(1).unwrap().is_some());
    }

    #[test]
    fn a_job_waits_for_the_budget_and_goes_by_what_is_not_kept() {
        // The desk's allowance is one look-up, and nothing of one can be kept.
        let mut shop = Shop::new(2);
        let lookup = shop.ask(1).unwrap().unwrap();
        shop.conclude(lookup, "timeout", true);
        let now = shop.now();
        let governor = shop.desk.state.governor();
        assert_eq!(governor.budget(&RULES.lookup, now).level, Level::Red);
        let frees_at = governor.frees_for_job_at(&RULES.lookup, now);
        assert_eq!(frees_at, Some(now.plus_ms(RULES.lookup.window_ms - 1)));
        let refused = shop.ask(2).unwrap_err();
        assert!(matches!(refused, Refusal::LookupBudget { wanted: 1, left: 0, .. }), "{refused:?}");
        assert_eq!(shop.row(2), JobRow::Ask);
    }

    #[test]
    fn a_job_that_ended_asks_nobody_and_says_who_was_not_asked() {
        let mut shop = Shop::new(1);
        assert_eq!(shop.end(JobEnd::Cancelled).len(), 1);
        assert_eq!(shop.end(JobEnd::Finished).len(), 0, "it stays cancelled");
        assert_eq!(shop.ask(1).unwrap(), None);
        assert_eq!(reason(&shop.row(1)), Some("not_asked"));
        let job = shop.desk.state.governor().jobs().get(JOB).unwrap();
        assert_eq!(job.ended.map(|(how, _)| how), Some(JobEnd::Cancelled));
        let job = JobId::from_uuid(Uuid::from_u128(10));
        let unknown = shop.desk.run(Command::EndLookupJob { job, how: JobEnd::Finished });
        assert!(matches!(unknown, Err(Refusal::JobUnknown)));
    }

    #[test]
    fn what_a_job_that_ended_says_is_what_was_known_then_by_the_rules_of_then() {
        let mut shop = Shop::new(3);
        let lookup = shop.ask(1).unwrap().unwrap();
        shop.end(JobEnd::Cancelled);
        assert_eq!(reason(&shop.row(1)), Some("not_asked"));
        shop.conclude(lookup, "timeout", true);
        assert_eq!(reason(&shop.row(1)), Some("timeout"), "its own look-up still answers");
        let state = &shop.desk.state;
        let job = state.governor().jobs().get(JOB).unwrap();
        let known = |key| state.contacts().get(state.contacts().find(key).unwrap()).unwrap();
        assert!(job.known_then(key(2)).unwrap().has_granted);
        let laxer = LookupPolicy { requires_opt_in: !RULES.lookup.requires_opt_in, ..RULES.lookup };
        for policy in [laxer, RULES.lookup] {
            let next_day = shop.now().plus_ms(86_400_000);
            let row = judge_row(
                job,
                Some(key(2)),
                Some(known(key(2))),
                (shop.desk.state.registry(), &policy),
                next_day,
            );
            assert_eq!(row, shop.row(2));
        }
        let stranger = judge_row(
            job,
            Some(key(77)),
            Some(known(key(3))),
            (shop.desk.state.registry(), &RULES.lookup),
            shop.now(),
        );
        assert_eq!(reason(&stranger), Some("not_opted_in"), "who came later was not known then");
        let erased = judge_row(
            job,
            Some(key(3)),
            None,
            (shop.desk.state.registry(), &RULES.lookup),
            shop.now(),
        );
        assert_eq!(reason(&erased), Some("not_opted_in"));
    }

    #[test]
    fn an_entry_of_before_names_no_rules() {
        let event = serde_json::json!({"type": "lookup_job_ended", "job": JOB, "how": "finished"});
        let Ok(Event::LookupJobEnded(ended)) = serde_json::from_value(event.clone()) else {
            panic!("{event}");
        };
        assert_eq!(ended, LookupJobEnded { job: JOB, how: JobEnd::Finished, judged_by: None });
        assert_eq!(serde_json::to_value(Event::LookupJobEnded(ended)).unwrap(), event);
    }

    #[test]
    fn only_so_many_jobs_go_on_at_once() {
        let mut shop = Shop::new(1);
        for bits in 1..LOOKUP_JOBS_OPEN_MAX {
            let job = JobId::from_uuid(Uuid::from_u128(100 + u128::try_from(bits).unwrap()));
            shop.desk.run(Command::StartLookupJob { job, rows: Arc::from([]) }).unwrap();
        }
        let more = Command::StartLookupJob { job: JobId::from_uuid(Uuid::nil()), rows: [].into() };
        assert!(matches!(shop.desk.run(&more), Err(Refusal::JobsOpen)));
        shop.end(JobEnd::Finished);
        assert!(shop.desk.run(&more).is_ok());
    }
}
