//! Rules about the weak spellings of a number: what may be the same person's, and may not.
//!
//! An opt-in counts for the number it was given for and its strong spellings, which are one
//! contact. A withdrawal reaches the weak spellings too: contacts that are known by one get it on
//! record, and one that nobody is known by yet keeps it waiting. Whatever mistake the spellings
//! make, it falls on the silent side. By whatever way a withdrawal comes to the contact of a number,
//! it reaches the spellings of that number; from those it goes no further.

use std::borrow::Cow;

use crate::domain::{
    consent::{Act, Consent, Consents, FullStop, TopicIx},
    contact::Contact,
    decide::{
        Events,
        consent::{known_topics, outcome},
        upcoming, void_tickets,
    },
    eligibility::general,
    entry::{Seq, Subject},
    event::{Event, Evidence, OptedOut, Source},
    key::ContactKey,
    names::TopicId,
    state::Draft,
    ticket::{Ticket, VoidCause},
    time::Timestamp,
};

/// The source of a withdrawal that was given under another spelling. It names nothing personal.
pub(super) const OTHER_SPELLING: &str = "other_spelling";

/// The weak spellings of a person's number.
#[derive(Default)]
pub(super) struct Weak<'a> {
    /// Contacts that are known by one.
    pub(super) known: Vec<(Subject, &'a Contact)>,
    /// Those that nobody is known by.
    pub(super) unknown: Vec<ContactKey>,
}

/// Looks the weak spellings of a person up: those of the number given, and those of the contact.
pub(super) fn weak_of<'a>(
    draft: &'a Draft<'_>,
    subject: Subject,
    known: Option<&Contact>,
    given: &[ContactKey],
) -> Weak<'a> {
    let kept = known.map(|known| known.aliases().weak.as_slice()).unwrap_or_default();
    let mut weak = Weak { known: Vec::new(), unknown: Vec::new() };
    for key in given.iter().chain(kept) {
        match draft.find(*key) {
            None if !weak.unknown.contains(key) => weak.unknown.push(*key),
            Some(other) if other != subject => {
                let is_new = weak.known.iter().all(|(known, _)| *known != other);
                weak.known.extend(draft.contact(other).filter(|_| is_new).map(|c| (other, c)));
            }
            None | Some(_) => {}
        }
    }
    weak
}

/// A withdrawal, as it reaches other spellings.
pub(super) struct Stop<'a> {
    /// From what; `None` is everything.
    pub(super) topics: Option<&'a [(TopicId, TopicIx)]>,
    /// When the person said so.
    pub(super) at: Timestamp,
    /// The entry that recorded it.
    pub(super) seq: Seq,
    /// Why it reaches somebody else.
    pub(super) via: &'static str,
}

impl Stop<'_> {
    /// Takes back what was reserved on a consent that this withdrawal ended, the person's consents
    /// standing as in `after`. One that came late and changed nothing takes nothing back.
    pub(super) fn void_tickets(
        &self,
        draft: &Draft<'_>,
        (subject, after): (Subject, &Consents),
        now: Timestamp,
        events: &mut Events,
    ) {
        let general = general(draft.registry());
        let applies = |ticket: &Ticket| {
            let Some(topic) = ticket.topic else {
                return self.topics.is_none() && after.has_left();
            };
            // Without an act of its own a topic rests on the one that covers every other.
            let own = after.deciding(topic).map(|_| topic);
            own.or(general).is_some_and(|ix| {
                let is_over = after.deciding(ix).is_some_and(|act| act.act == Act::TookBack);
                self.is_about(ix) && is_over
            })
        };
        void_tickets(draft, subject, VoidCause::Withdrawn, now, applies, events);
    }

    fn is_about(&self, ix: TopicIx) -> bool {
        is_among(self.topics, ix)
    }

    /// Records the withdrawal of a contact it reaches, unless it would change nothing there, and of
    /// whoever has a weak spelling of its number, which is `given` where the contact is new.
    pub(super) fn reach(
        &self,
        draft: &Draft<'_>,
        (subject, given): (Subject, &[ContactKey]),
        consents: &mut Cow<'_, Consents>,
        now: Timestamp,
        events: &mut Events,
    ) {
        let at = consents.withdrawn_at((self.at, self.seq), |ix| self.is_about(ix));
        let dated = Self { at, ..*self };
        if events.iter().any(|one| dated.is_in(one, subject)) {
            return dated.fold(consents.to_mut(), self.topics.unwrap_or_default());
        }
        let Some(topics) = dated.changes(draft, consents) else { return };
        // Whoever has another spelling than the one it was said under may be somebody else.
        let is_theirs = self.via != OTHER_SPELLING;
        let weak = is_theirs.then(|| weak_of(draft, subject, draft.contact(subject), given));
        let Weak { known, unknown } = weak.unwrap_or_default();
        let here = Self { seq: upcoming(draft, events), ..dated };
        events.push((subject, dated.recorded((consents, &topics), unknown, now)));
        let consents = consents.to_mut();
        here.fold(consents, &topics);
        self.void_tickets(draft, (subject, consents), now, events);
        self.reach_spellings(draft, known, now, events);
    }

    fn reach_spellings(
        &self,
        draft: &Draft<'_>,
        known: Vec<(Subject, &Contact)>,
        now: Timestamp,
        events: &mut Events,
    ) {
        let stop = Self { via: OTHER_SPELLING, ..*self };
        for (other, contact) in known {
            stop.reach(draft, (other, &[]), &mut Cow::Borrowed(&contact.consents), now, events);
        }
    }

    /// Returns the event that records it of somebody about these topics, as it came to them, for
    /// whoever turns up under one of these spellings as well.
    fn recorded(
        &self,
        (consents, topics): (&Consents, &[(TopicId, TopicIx)]),
        weak_keys: Vec<ContactKey>,
        now: Timestamp,
    ) -> Event {
        let taken = FullStop { at: self.at, seq: self.seq };
        let outcomes = topics.iter().map(|(id, ix)| outcome(consents, id, &taken.about(*ix), now));
        let kind = self.via.into();
        Event::OptedOut(Box::new(OptedOut {
            number: None,
            written: None,
            everything: self.topics.is_none(),
            topics: outcomes.collect(),
            captured_at: self.at,
            source: Source { kind, entry_point: None, url: None, reference: None },
            reason: None,
            weak_keys,
            derived_from: Some(self.seq),
            evidence: Evidence::new(),
        }))
    }

    /// Returns whether an event of the same command records it, or more, of somebody already.
    fn is_in(&self, (known, event): &(Subject, Event), subject: Subject) -> bool {
        let Event::OptedOut(known_of) = event else { return false };
        let has = |(id, _): &(TopicId, TopicIx)| known_of.topics.iter().any(|it| it.topic == *id);
        let covers =
            known_of.everything || self.topics.is_some_and(|topics| topics.iter().all(has));
        *known == subject && self.at <= known_of.captured_at && covers
    }

    /// Folds it into what stood before, about these topics if it is about some.
    pub(super) fn fold(&self, consents: &mut Consents, topics: &[(TopicId, TopicIx)]) {
        let stop = FullStop { at: self.at, seq: self.seq };
        match self.topics {
            None => consents.fold_full_stop(stop),
            Some(_) => topics.iter().for_each(|(_, ix)| consents.fold_act(stop.about(*ix))),
        }
    }

    /// Returns the topics to record it about; `None` if nothing would change.
    fn changes(&self, draft: &Draft<'_>, consents: &Consents) -> Option<Vec<(TopicId, TopicIx)>> {
        let Some(topics) = self.topics else {
            let is_newer = consents.full_stop().is_none_or(|known| known.at < self.at);
            return is_newer.then(|| known_topics(draft, consents));
        };
        let is_newer = |ix: TopicIx| match consents.deciding(ix) {
            Some(known) if known.act == Act::TookBack => known.at < self.at,
            Some(_) | None => {
                consents.would_decide(&FullStop { at: self.at, seq: self.seq }.about(ix))
            }
        };
        let topics: Vec<_> = topics.iter().filter(|(_, ix)| is_newer(*ix)).cloned().collect();
        (!topics.is_empty()).then_some(topics)
    }
}

/// Returns whether a withdrawal from these topics, or from everything, is one from this topic.
pub(super) fn is_among(topics: Option<&[(TopicId, TopicIx)]>, ix: TopicIx) -> bool {
    topics.is_none_or(|topics| topics.iter().any(|(_, named)| *named == ix))
}

/// Records of a contact that is known by a number from now on what was withdrawn from under the
/// number's other spellings. Dates decide, as always: an older agreement loses.
pub(super) fn take_over(
    draft: &Draft<'_>,
    subject: Subject,
    key: ContactKey,
    consents: &mut Cow<'_, Consents>,
    now: Timestamp,
    events: &mut Events,
) {
    let Some(shadow) = draft.shadow(key) else { return };
    let full_stop = shadow.full_stop();
    if let Some(FullStop { at, seq }) = full_stop {
        let via = OTHER_SPELLING;
        let stop = Stop { topics: None, at, seq, via };
        stop.reach(draft, (subject, &[]), consents, now, events);
    }
    for act in shadow.acts().filter(|act| full_stop.is_none_or(|stop| act.at > stop.at)) {
        let Some(topic) = draft.registry().topic_id(act.topic) else { continue };
        let topics = [(topic.clone(), act.topic)];
        let (topics, via) = (Some(topics.as_slice()), OTHER_SPELLING);
        let stop = Stop { topics, at: act.at, seq: act.seq, via };
        stop.reach(draft, (subject, &[]), consents, now, events);
    }
}

/// Returns what somebody withdrew from, topic by topic or from everything.
pub(super) fn withdrawals(
    consents: &Consents,
) -> impl Iterator<Item = (Option<TopicIx>, FullStop)> + '_ {
    let full_stop = consents.full_stop();
    let is_own = move |act: &&Consent| {
        act.act == Act::TookBack && full_stop.is_none_or(|stop| stop.at < act.at)
    };
    let acts = consents.acts().filter(is_own);
    let acts = acts.map(|act| (Some(act.topic), FullStop { at: act.at, seq: act.seq }));
    full_stop.map(|stop| (None, stop)).into_iter().chain(acts)
}

/// Lets what a contact withdrew from reach weak spellings that it is known by from now on: whoever
/// is known by one has it on record, and it waits for whoever turns up under another.
pub(super) fn spread(
    draft: &Draft<'_>,
    (subject, consents): (Subject, &Consents),
    weak: &[ContactKey],
    now: Timestamp,
    events: &mut Events,
) {
    for (topic, FullStop { at, seq }) in withdrawals(consents) {
        let named = topic.map(|ix| draft.registry().topic_id(ix).map(|id| (id.clone(), ix)));
        let named: Option<Vec<_>> = named.map(|one| one.into_iter().collect());
        let stop = Stop { topics: named.as_deref(), at, seq, via: OTHER_SPELLING };
        let Weak { known, mut unknown } = weak_of(draft, subject, None, weak);
        let nothing = Consents::default();
        unknown.retain(|key| stop.changes(draft, draft.shadow(*key).unwrap_or(&nothing)).is_some());
        if !unknown.is_empty() {
            let topics = named.clone().unwrap_or_else(|| known_topics(draft, consents));
            events.push((subject, stop.recorded((consents, &topics), unknown, now)));
        }
        stop.reach_spellings(draft, known, now, events);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{
        command::{Command, ContactRef, OptIn, OptOut, Person, UserIdentifier},
        consent::ConsentStatus,
        contact::LookupState,
        decide::tests::{Desk, opt_in_of, source},
        ids::ContactId,
        reason::Reason,
        ticket::MessageKind,
    };

    /// Whom an act reaches, and from when for each.
    type Reached = Vec<(u128, i64)>;

    /// A desk where 1 and 2 may be one person, and so may 2 and 3.
    fn desk() -> Desk {
        let mut desk = Desk::new();
        desk.weak = vec![(1, 2), (2, 3)];
        desk
    }

    fn by_user(desk: &mut Desk, number: Option<u128>) -> Person {
        let number = number.and_then(|key| desk.person(key).number);
        let user = UserIdentifier { user_id: "US.9".into(), key: ContactKey::from_bits(99) };
        Person { number, user: Some(user), new_id: ContactId::from_uuid(desk.id()) }
    }

    fn opt_out(person: Person) -> Command {
        let (topics, source, reason, captured_at) = (None, source("api"), None, None);
        Command::OptOut(Box::new(OptOut { person, topics, source, reason, captured_at }))
    }

    #[test]
    fn a_stop_reaches_whoever_is_known_by_a_weak_spelling_and_an_opt_in_does_not() {
        let mut desk = desk();
        for key in [1, 2, 3] {
            desk.opt_in(key, "promotions", None).unwrap();
        }
        let ticket = desk.reserve(2, MessageKind::Template).unwrap();
        let before = desk.state.next();
        let events = desk.opt_out(1, None).unwrap();
        let [Event::OptedOut(given), Event::OptedOut(reached), Event::TicketVoided { .. }] =
            events.as_slice()
        else {
            panic!("{events:?}")
        };
        assert_eq!((given.derived_from, reached.derived_from), (None, Some(before)));
        assert_eq!((reached.captured_at, reached.number.as_ref()), (given.captured_at, None));
        assert_eq!(&*reached.source.kind, OTHER_SPELLING);
        assert!(desk.commit(ticket, 7).is_err());
        assert_eq!(desk.status(2, "promotions"), ConsentStatus::Withdrawn);
        assert_eq!(desk.status(3, "promotions"), ConsentStatus::Granted, "a spelling's spelling");
        desk.opt_in(1, "promotions", None).unwrap();
        assert_eq!(desk.status(1, "promotions"), ConsentStatus::Granted);
        assert_eq!(desk.status(2, "promotions"), ConsentStatus::Withdrawn);
    }

    #[test]
    fn a_stop_waits_for_whoever_turns_up_under_a_weak_spelling() {
        let mut desk = desk();
        desk.opt_out(1, Some(&["promotions"])).unwrap();
        let stopped = desk.now;
        let events = desk.opt_in(2, "promotions", Some(stopped)).unwrap();
        let [Event::ContactAdded { .. }, Event::OptedOut(waited), Event::OptedIn(act)] =
            events.as_slice()
        else {
            panic!("{events:?}")
        };
        assert!(!waited.everything && waited.derived_from.is_some());
        assert_eq!(act.topics[0].status, ConsentStatus::Withdrawn, "what the caller is told");
        assert_eq!(desk.reserve(2, MessageKind::Template), Err(vec![Reason::Withdrawn]));
        desk.opt_in(2, "orders", Some(stopped)).unwrap();
        assert_eq!(desk.status(2, "orders"), ConsentStatus::Granted, "only its topic");
        desk.opt_in(2, "promotions", Some(stopped + 1)).unwrap();
        assert!(desk.reserve(2, MessageKind::Template).is_ok());
        assert!(desk.replayed() == desk.state);
    }

    #[test]
    fn of_several_stops_that_wait_each_counts_from_its_own_date() {
        let mut desk = desk();
        let start = desk.now;
        desk.opt_out_at(1, None, Some(start - 50)).unwrap();
        desk.opt_out_at(3, Some(&["promotions"]), Some(start - 10)).unwrap();
        desk.opt_in(2, "promotions", Some(start - 20)).unwrap();
        desk.opt_in(2, "orders", Some(start - 20)).unwrap();
        assert_eq!(desk.status(2, "promotions"), ConsentStatus::Withdrawn);
        assert_eq!(desk.status(2, "orders"), ConsentStatus::Granted);
        assert!(desk.replayed() == desk.state);
    }

    #[test]
    fn a_stop_by_user_id_reaches_the_spellings_of_the_number_on_record() {
        let mut desk = desk();
        let both = by_user(&mut desk, Some(1));
        desk.run(opt_out(both)).unwrap();
        desk.opt_in(2, "promotions", None).unwrap();
        let user_alone = by_user(&mut desk, None);
        desk.run(opt_out(user_alone)).unwrap();
        assert_eq!(desk.status(2, "promotions"), ConsentStatus::Withdrawn);
    }

    #[test]
    fn a_number_linked_later_brings_what_waits_for_it() {
        let mut desk = desk();
        desk.opt_out(1, None).unwrap();
        let stopped = desk.now;
        let who = by_user(&mut desk, None);
        let agree = |person, at| {
            let captured_at = Some(Timestamp::from_unix_ms(at));
            let opt_in = OptIn { captured_at, ..opt_in_of(person, "promotions") };
            Command::OptIn(Box::new(opt_in))
        };
        desk.run(agree(who, stopped - 5)).unwrap();
        let linked = by_user(&mut desk, Some(2));
        let events = desk.run(agree(linked, stopped - 4)).unwrap();
        assert!(matches!(
            events.as_slice(),
            [Event::IdentifierLinked { .. }, Event::OptedOut(_), Event::OptedIn(_)]
        ));
        assert_eq!(desk.status(2, "promotions"), ConsentStatus::Withdrawn);
    }

    #[test]
    fn who_writes_under_a_weak_spelling_of_a_stopped_number_has_left() {
        let mut desk = desk();
        desk.opt_out(1, None).unwrap();
        let events = desk.inbound(2, None).unwrap();
        assert!(matches!(
            events.as_slice(),
            [Event::ContactAdded { .. }, Event::OptedOut(_), Event::TrafficSeen { .. }]
        ));
        assert_eq!(desk.reserve(2, MessageKind::Session), Err(vec![Reason::Withdrawn]));
        assert!(desk.replayed() == desk.state);
    }

    #[test]
    fn a_claim_that_awaits_confirmation_brings_what_waits_for_its_number_and_links_nothing() {
        let mut desk = desk();
        desk.opt_out(1, None).unwrap();
        let who = by_user(&mut desk, None);
        desk.run(Command::OptIn(Box::new(opt_in_of(who, "promotions")))).unwrap();
        let both = by_user(&mut desk, Some(2));
        let claim = OptIn { awaits_confirmation: true, ..opt_in_of(both, "promotions") };
        let events = desk.run(Command::OptIn(Box::new(claim))).unwrap();
        assert!(matches!(
            events.as_slice(),
            [Event::ContactAdded { user_key: None, .. }, Event::OptedOut(_), Event::OptedIn(_)]
        ));
        assert_eq!(desk.status(2, "promotions"), ConsentStatus::Withdrawn);
        assert!(desk.reserve(99, MessageKind::Template).is_ok());
    }

    #[test]
    fn the_number_whatsapp_answers_with_leads_to_the_contact_unless_it_is_anothers() {
        for is_taken in [false, true] {
            let mut desk = desk();
            desk.opt_in(1, "promotions", None).unwrap();
            if is_taken {
                desk.opt_in(2, "orders", None).unwrap();
            }
            let lookup = desk.look_up(1).unwrap();
            desk.run(Command::ConcludeLookup {
                lookup,
                state: LookupState::Registered,
                cause: None,
                wa_id: Some("12025550002".into()),
                wa_key: Some(ContactKey::from_bits(2)),
                was_asked: true,
            })
            .unwrap();
            let found = |key| desk.state.contacts().find(ContactKey::from_bits(key)).unwrap();
            assert_eq!(found(1) == found(2), !is_taken);
            assert!(desk.replayed() == desk.state);
        }
    }

    #[test]
    fn what_waits_for_the_number_whatsapp_answers_with_comes_first() {
        let mut desk = desk();
        desk.opt_in(1, "promotions", None).unwrap();
        desk.opt_out(3, None).unwrap();
        let lookup = desk.look_up(1).unwrap();
        desk.run(Command::ConcludeLookup {
            lookup,
            state: LookupState::Registered,
            cause: None,
            wa_id: Some("12025550002".into()),
            wa_key: Some(ContactKey::from_bits(2)),
            was_asked: true,
        })
        .unwrap();
        let contact = desk.state.contacts().find(ContactKey::from_bits(1));
        let events =
            desk.run(Command::Unblock { contact: ContactRef::Key(ContactKey::from_bits(2)) });
        assert!(contact.is_some() && events.unwrap().is_empty());
        assert_eq!(desk.status(1, "promotions"), ConsentStatus::Withdrawn);
    }

    proptest! {
        #[test]
        fn a_ticket_is_given_exactly_when_the_last_act_that_reaches_the_number_is_a_yes(
            steps in prop::collection::vec(
                (
                    1_u128..5,
                    prop::option::of(prop::option::of(any::<bool>())),
                    any::<bool>(),
                    prop::option::of(0_i64..30),
                ),
                // Each step may reserve a ticket, and a person gets so many at once.
                1..40,
            ),
        ) {
            let mut desk = desk();
            desk.now += 300;
            // Whom an act reaches and when it happened for each, about what, whether it agrees.
            let mut acts: Vec<(Reached, Option<&str>, bool)> = Vec::new();
            let name = |promotions: bool| if promotions { "promotions" } else { "orders" };
            let mut known = std::collections::BTreeSet::new();
            for (key, stop, promotions, ago) in steps {
                // Dated to the millisecond, or by the whole second they all happen in.
                let at = ago.map_or(desk.now - desk.now % 1_000, |ago| desk.now - ago);
                match stop {
                    None => {
                        desk.opt_in(key, name(promotions), Some(at)).unwrap();
                        acts.push((vec![(key, at)], Some(name(promotions)), true));
                    }
                    Some(topic) => {
                        let topic = topic.map(name);
                        desk.opt_out_at(key, topic.as_ref().map(std::slice::from_ref), Some(at))
                            .unwrap();
                        // A whole second may stand for any after the agreements so far.
                        let at_for = |key: u128| {
                            let agreed = acts.iter().filter(|(_, about, agreed)| {
                                *agreed && topic.is_none_or(|topic| *about == Some(topic))
                            });
                            let agreed = agreed.flat_map(|(reached, ..)| reached);
                            let agreed = agreed.filter(|(known, _)| *known == key);
                            let last = agreed.map(|(_, at)| *at).max().unwrap_or(at);
                            if at % 1_000 == 0 { at.max(last) } else { at }
                        };
                        let mut reached = vec![(key, at_for(key))];
                        // Where nobody is known by a spelling, it waits as it counts here.
                        let is_known = |key: u128| known.contains(&key);
                        reached.extend(desk.weak_of(key).map(|weak| {
                            (weak, if is_known(weak) { at_for(weak) } else { at_for(key) })
                        }));
                        acts.push((reached, topic, false));
                    }
                }
                known.insert(key);
                for key in 1..5 {
                    let about = acts.iter().filter_map(|(reached, topic, agreed)| {
                        let (_, at) = reached.iter().find(|(known, _)| *known == key)?;
                        let is_about = topic.is_none_or(|topic| topic == "promotions");
                        is_about.then_some((*at, !agreed))
                    });
                    let says_yes = about.max().is_some_and(|(_, is_stop)| !is_stop);
                    prop_assert_eq!(desk.reserve(key, MessageKind::Template).is_ok(), says_yes);
                }
            }
            prop_assert!(desk.replayed() == desk.state, "replay gives another state");
        }
    }
}
