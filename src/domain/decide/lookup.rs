//! Rules about look-ups: traffic first, then the cache, then a provider, and only within budget.

use std::borrow::Cow;

use crate::domain::{
    command::RequestLookups,
    contact::{Contact, LookupState},
    decide::{Events, Rules, spelling},
    event::{Event, LookupRequested},
    governor::LookupPolicy,
    ids::LookupId,
    key::ContactKey,
    lookup_job::{ForJob, KnownThen},
    refusal::Refusal,
    registry::Registry,
    state::Draft,
    time::Timestamp,
};

/// Why a look-up whose answer got lost has none.
const LAPSED: &str = "lapsed";

/// How a number can be answered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupPlan {
    /// Traffic has shown it.
    Traffic {
        /// Whether the number is on WhatsApp.
        state: LookupState,
        /// When it showed.
        at: Timestamp,
    },
    /// A look-up has shown it, not long ago.
    Cached {
        /// What it said.
        state: LookupState,
        /// When.
        at: Timestamp,
    },
    /// A look-up is under way.
    UnderWay,
    /// Nobody may ask: the person has not opted in.
    NotOptedIn,
    /// A provider must be asked.
    Ask,
}

/// Plans how to answer for one number of a contact at `now`; `None` is a person nothing is known of.
pub fn plan_lookup(
    (contact, number): (Option<&Contact>, ContactKey),
    registry: &Registry,
    policy: &LookupPolicy,
    now: Timestamp,
) -> LookupPlan {
    let known = contact.map(|contact| KnownThen::of((contact, number), registry, now));
    plan_known(known.as_ref(), policy, now)
}

/// The same by what is, or was at `now`, known of the contact.
pub(super) fn plan_known(
    known: Option<&KnownThen>,
    policy: &LookupPolicy,
    now: Timestamp,
) -> LookupPlan {
    let Some(known) = known else { return LookupPlan::NotOptedIn };
    if let Some(at) = known.unreachable_at {
        // A failure has several causes: it makes "not on WhatsApp" likely, never certain.
        return LookupPlan::Traffic { state: LookupState::Unknown, at };
    }
    if let Some(at) = known.reached_at {
        return LookupPlan::Traffic { state: LookupState::Registered, at };
    }
    // An answer that got lost must not keep the number from being asked about for ever.
    if known.pending_at.is_some_and(|at| now.ms_since(at) < policy.lapse_ms) {
        return LookupPlan::UnderWay;
    }
    match known.answer {
        Some((state @ (LookupState::Registered | LookupState::NotRegistered), at))
            if now.ms_since(at) < policy.cache_ms =>
        {
            return LookupPlan::Cached { state, at };
        }
        Some(_) | None => {}
    }
    if policy.requires_opt_in && !known.has_granted {
        return LookupPlan::NotOptedIn;
    }
    LookupPlan::Ask
}

/// Reserves every look-up that is needed, or none. A look-up that lapsed ends first, as unknown.
/// Several at once leave what the budget keeps for single ones.
pub(super) fn request(
    draft: &Draft<'_>,
    rules: &Rules,
    request: &RequestLookups,
    now: Timestamp,
) -> Result<Events, Refusal> {
    let job = match request.job {
        Some(id) => Some(draft.governor().jobs().get(id).ok_or(Refusal::JobUnknown)?),
        None => None,
    };
    // Whoever called the job off does not want its next look-up.
    if job.is_some_and(|job| !job.is_open()) {
        return Ok(Vec::new());
    }
    let mut events: Events = Vec::new();
    let mut wanted = 0_u64;
    for (key, lookup) in &request.numbers {
        let Some(subject) = draft.find(*key) else { continue };
        let contact = draft.contact(subject);
        let plan = plan_lookup((contact, *key), draft.registry(), &rules.lookup, now);
        let is_new = events.iter().all(|(known, _)| *known != subject);
        let is_new = is_new && job.is_none_or(|job| !job.has_asked(*key));
        if plan == LookupPlan::Ask && request.has_provider && is_new {
            let known = contact.and_then(|contact| contact.details().lookup.as_ref());
            if let Some(lost) = known.and_then(|known| known.pending) {
                events.push((subject, lapsed(lost.id)));
            }
            let job = request.job.map(|job| ForJob { job, number: *key });
            let about = contact.and_then(|contact| contact.other(Some(*key)));
            let request = LookupRequested { lookup: *lookup, job, about };
            events.push((subject, Event::LookupRequested(request)));
            wanted += 1;
        }
    }
    let budget = draft.governor().budget(&rules.lookup, now);
    let left = if job.is_some() { budget.left_for_several } else { budget.room_for(wanted) };
    if wanted > left {
        let frees_at = draft.governor().frees_at(&rules.lookup, wanted, now);
        return Err(Refusal::LookupBudget { wanted, left, frees_at });
    }
    Ok(events)
}

fn lapsed(lookup: LookupId) -> Event {
    Event::LookupConcluded {
        lookup,
        state: LookupState::Unknown,
        cause: Some(LAPSED.into()),
        wa_id: None,
        wa_key: None,
        was_asked: true,
    }
}

/// What a provider said, as the command tells it.
pub(super) struct Said<'a> {
    pub(super) state: LookupState,
    pub(super) cause: &'a Option<Box<str>>,
    pub(super) wa_id: &'a Option<Box<str>>,
    pub(super) wa_key: Option<ContactKey>,
    pub(super) was_asked: bool,
}

/// Ends a look-up once. A number WhatsApp answered with that is nobody's finds the contact from
/// then on; one that is somebody's makes the two possible duplicates and no more. What it answered
/// about another number of the contact is no name of its own.
pub(super) fn conclude(
    draft: &Draft<'_>,
    lookup: LookupId,
    said: &Said<'_>,
    now: Timestamp,
) -> Result<Events, Refusal> {
    let subject = draft.lookup(lookup).ok_or(Refusal::LookupUnknown)?;
    let is_other = draft.looked_up(lookup).is_some();
    let wa_key = said.wa_key.filter(|key| !is_other && draft.find(*key).is_none());
    let mut events = Vec::with_capacity(1);
    if let (Some(key), Some(contact)) = (wa_key, draft.contact(subject)) {
        let mut consents = Cow::Borrowed(&contact.consents);
        spelling::take_over(draft, subject, key, &mut consents, now, &mut events);
    }
    let Said { state, cause, wa_id, wa_key: _, was_asked } = *said;
    let (cause, wa_id) = (cause.clone(), wa_id.clone().filter(|_| !is_other));
    let concluded = Event::LookupConcluded { lookup, state, cause, wa_id, wa_key, was_asked };
    events.push((subject, concluded));
    Ok(events)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        command::Command,
        contact::Lookup,
        decide::{decide, tests::RULES},
        entry::Subject,
        event::{Actor, Record},
        governor::Levels,
        ids::{ContactId, JobId, TicketId},
        key::{ContactKey, MessageKey},
        state::State,
    };

    const LAPSE_MS: i64 = 60_000;
    const ALLOWANCE: u32 = 3;
    const WINDOW_MS: i64 = 1_000_000;
    const PEOPLE: u32 = 6;

    fn rules() -> Rules {
        let lookup = LookupPolicy {
            window_ms: WINDOW_MS,
            starting_allowance: ALLOWANCE,
            cache_ms: 1_000,
            requires_opt_in: false,
            lapse_ms: LAPSE_MS,
            levels: Levels::DEFAULT,
        };
        Rules { lookup, ..RULES }
    }

    /// A few people, who may be looked up and written to.
    struct Desk {
        state: State,
        now: i64,
        ids: u128,
        /// The job look-ups are made for.
        job: Option<JobId>,
    }

    impl Desk {
        fn new() -> Self {
            let mut desk = Self { state: State::default(), now: 1_000, ids: 1_000, job: None };
            let add = |place: u32| {
                let event = Event::ContactAdded {
                    contact: ContactId::from_uuid(Uuid::from_u128(place.into())),
                    number: None,
                    number_key: Some(key(place)),
                    number_valid: true,
                    user_id: None,
                    user_key: None,
                    weak_keys: Vec::new(),
                    country: None,
                    zone: None,
                    seen_at: None,
                };
                (Subject(place), event)
            };
            desk.fold((1..=PEOPLE).map(add).collect());
            desk
        }

        fn fold(&mut self, events: Events) {
            let at = Timestamp::from_unix_ms(self.now);
            let mut draft = Draft::new(&self.state);
            for (subject, event) in events {
                let record = Record { at, by: Actor::System, command: None, event };
                draft.fold(draft.next(), subject, &record);
            }
            let changes = draft.into_changes();
            self.state.apply(changes);
        }

        fn run(&mut self, command: &Command) -> Result<Events, Refusal> {
            self.now += 1;
            let now = Timestamp::from_unix_ms(self.now);
            let events = decide(&Draft::new(&self.state), &rules(), command, now)?;
            self.fold(events.clone());
            Ok(events)
        }

        /// Requests look-ups and returns those that were reserved.
        fn request(&mut self, people: &[u32]) -> Result<Vec<LookupId>, Refusal> {
            let numbers = people.iter().map(|place| {
                self.ids += 1;
                (key(*place), LookupId::from_uuid(Uuid::from_u128(self.ids)))
            });
            let request =
                RequestLookups { numbers: numbers.collect(), has_provider: true, job: self.job };
            let events = self.run(&Command::RequestLookups(request))?;
            let reserved = events.into_iter().filter_map(|(_, event)| {
                if let Event::LookupRequested(made) = event { Some(made.lookup) } else { None }
            });
            Ok(reserved.collect())
        }

        fn conclude(&mut self, lookup: LookupId, state: LookupState, was_asked: bool) {
            let (cause, wa_id, wa_key) = (None, None, None);
            let command =
                Command::ConcludeLookup { lookup, state, cause, wa_id, wa_key, was_asked };
            // One that lapsed has ended already.
            drop(self.run(&command));
        }

        fn write_to(&mut self, place: u32) {
            self.now += 1;
            let event = Event::TicketCommitted {
                ticket: TicketId::from_uuid(Uuid::from_u128(1)),
                message_id: "m".into(),
                message: MessageKey::from_bits(1),
                failed: false,
            };
            self.fold(vec![(Subject(place), event)]);
        }

        fn budget(&self) -> crate::domain::governor::Budget {
            self.state.governor().budget(&rules().lookup, Timestamp::from_unix_ms(self.now))
        }

        fn plan(&self, place: u32) -> LookupPlan {
            let contact = self.state.contacts().get(Subject(place));
            plan_lookup(
                (contact, key(place)),
                self.state.registry(),
                &rules().lookup,
                Timestamp::from_unix_ms(self.now),
            )
        }
    }

    fn key(place: u32) -> ContactKey {
        ContactKey::from_bits(place.into())
    }

    #[test]
    fn a_look_up_nobody_was_asked_for_costs_nothing_and_says_nothing() {
        let mut desk = Desk::new();
        let [lookup] = desk.request(&[1]).unwrap().try_into().unwrap();
        assert_eq!((desk.budget().used, desk.plan(1)), (1, LookupPlan::UnderWay));
        desk.conclude(lookup, LookupState::Unknown, false);
        assert_eq!((desk.budget().used, desk.plan(1)), (0, LookupPlan::Ask));
        // Nobody looked this person up, so writing to them earns nothing.
        desk.write_to(1);
        assert_eq!(desk.budget().earned, u64::from(ALLOWANCE));
    }

    #[test]
    fn a_look_up_whose_answer_got_lost_lapses_and_its_cost_stays() {
        let mut desk = Desk::new();
        let [lost] = desk.request(&[1]).unwrap().try_into().unwrap();
        desk.now += LAPSE_MS - 2;
        assert_eq!(desk.request(&[1]).unwrap(), []);
        assert_eq!(desk.plan(1), LookupPlan::UnderWay);
        let [again] = desk.request(&[1]).unwrap().try_into().unwrap();
        assert_eq!(desk.budget().used, 2);
        desk.conclude(lost, LookupState::Registered, true);
        assert_eq!(desk.plan(1), LookupPlan::UnderWay, "the late answer is not this one's");
        desk.conclude(again, LookupState::NotRegistered, true);
        let cached = LookupState::NotRegistered;
        assert!(matches!(desk.plan(1), LookupPlan::Cached { state, .. } if state == cached));
        assert_eq!(desk.state.lookups().count(), 0);
    }

    #[test]
    fn the_last_of_a_budget_is_for_single_look_ups() {
        let mut desk = Desk::new();
        // Ten are allowed: three to start with, and one for each message to somebody looked up.
        let [lookup] = desk.request(&[1]).unwrap().try_into().unwrap();
        desk.conclude(lookup, LookupState::Registered, true);
        (0..7).for_each(|_| desk.write_to(1));
        assert_eq!(desk.budget().earned, 10);
        let unknown = |desk: &mut Desk, people: &[u32]| {
            let reserved = desk.request(people)?;
            let made = reserved.len();
            for lookup in reserved {
                desk.conclude(lookup, LookupState::Unknown, true);
            }
            Ok::<_, Refusal>(made)
        };
        assert_eq!(unknown(&mut desk, &[2, 3, 4, 5, 6]).unwrap(), 5);
        assert_eq!(unknown(&mut desk, &[2, 3]).unwrap(), 2);
        assert_eq!((desk.budget().used, desk.budget().left_for_several), (8, 1));
        let refused = unknown(&mut desk, &[2, 3]).unwrap_err();
        assert!(matches!(refused, Refusal::LookupBudget { wanted: 2, left: 1, .. }), "{refused:?}");
        assert_eq!(unknown(&mut desk, &[2]).unwrap(), 1);
        assert_eq!(unknown(&mut desk, &[3]).unwrap(), 1);
        let refused = unknown(&mut desk, &[4]).unwrap_err();
        assert!(matches!(refused, Refusal::LookupBudget { wanted: 1, left: 0, .. }), "{refused:?}");
    }

    #[test]
    fn whoever_is_found_again_counts_as_not_contacted_again() {
        let mut desk = Desk::new();
        let found = |desk: &mut Desk, state| {
            let [lookup] = desk.request(&[1]).unwrap().try_into().unwrap();
            desk.conclude(lookup, state, true);
            desk.now += 2_000;
        };
        found(&mut desk, LookupState::Registered);
        assert_eq!(desk.budget().uncontacted, 1);
        desk.write_to(1);
        assert_eq!(desk.budget().uncontacted, 0);
        found(&mut desk, LookupState::Unknown);
        assert_eq!(desk.budget().uncontacted, 0, "nothing new was found");
        found(&mut desk, LookupState::Registered);
        assert_eq!(desk.budget().uncontacted, 1);
        desk.write_to(1);
        let [lookup] = desk.request(&[1]).unwrap().try_into().unwrap();
        desk.write_to(1);
        desk.conclude(lookup, LookupState::Registered, true);
        assert_eq!(desk.budget().uncontacted, 0, "written to while the look-up was under way");
    }

    #[derive(Debug, Clone)]
    enum Step {
        Wait(i64),
        Request(Vec<u32>),
        Conclude(usize, LookupState, bool),
        Write(u32),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let state = prop::sample::select(vec![
            LookupState::Registered,
            LookupState::NotRegistered,
            LookupState::Unknown,
        ]);
        prop::collection::vec(
            prop_oneof![
                1 => (1..2 * WINDOW_MS / 10).prop_map(Step::Wait),
                4 => prop::collection::vec(1..=PEOPLE, 1..4).prop_map(Step::Request),
                4 => (0..8_usize, state, any::<bool>())
                    .prop_map(|(which, state, was_asked)| Step::Conclude(which, state, was_asked)),
                2 => (1..=PEOPLE).prop_map(Step::Write),
            ],
            0..80,
        )
    }

    proptest! {
        #[test]
        fn no_history_lets_more_calls_through_than_the_budget_allowed(steps in steps()) {
            let mut desk = Desk::new();
            // When each look-up was requested, by whom it is about; those that made no call leave.
            let mut calls: Vec<(LookupId, i64)> = Vec::new();
            let mut open: Vec<LookupId> = Vec::new();
            let mut messages: Vec<i64> = Vec::new();
            for step in steps {
                match step {
                    Step::Wait(ms) => desk.now += ms,
                    Step::Write(place) => {
                        desk.write_to(place);
                        messages.push(desk.now);
                    }
                    Step::Conclude(which, state, was_asked) => {
                        let Some(lookup) = open.get(which).copied() else { continue };
                        open.remove(which);
                        let was_open = desk.state.lookups().any(|known| known == lookup);
                        desk.conclude(lookup, state, was_asked);
                        if !was_asked && was_open {
                            calls.retain(|(known, _)| *known != lookup);
                        }
                    }
                    Step::Request(people) => {
                        let Ok(reserved) = desk.request(&people) else { continue };
                        open.extend(&reserved);
                        calls.extend(reserved.iter().map(|lookup| (*lookup, desk.now)));
                        let since = desk.now - WINDOW_MS;
                        let made = calls.iter().filter(|(_, at)| *at > since).count();
                        let earned = messages.iter().filter(|at| **at > since).count();
                        prop_assert!(reserved.is_empty() || made <= earned + 3, "{made}, {earned}");
                    }
                }
                let since = desk.now - WINDOW_MS;
                let made = calls.iter().filter(|(_, at)| *at > since).count();
                prop_assert_eq!(desk.budget().used, u64::try_from(made).unwrap());
                let uncontacted = (1..=PEOPLE).filter(|place| {
                    let contact = desk.state.contacts().get(Subject(*place)).unwrap();
                    contact.details().lookup.as_ref().is_some_and(Lookup::is_uncontacted)
                });
                let uncontacted = u64::try_from(uncontacted.count()).unwrap();
                prop_assert_eq!(desk.budget().uncontacted, uncontacted);
            }
        }
    }
}
