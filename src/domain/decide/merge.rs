//! Rules about two contacts that turned out to be one person: both histories stay, and of what
//! the two say the more restrictive counts.

use std::cmp::Ordering;

use crate::domain::{
    absorbed::{Absorbed, IdentityLeft, InboundLeft, LookupLeft, Mark, TopicLeft},
    command::Merge,
    consent::{Act, Consent, ConsentStatus, Consents, FullStop},
    contact::{Contact, Details},
    decide::{Events, spelling, upcoming, void_tickets},
    entry::{Seq, Subject},
    event::Event,
    hearing::Told,
    identity::{Change, Identity},
    key::ContactKey,
    names::TopicId,
    refusal::{MergeSide, Refusal},
    state::Draft,
    ticket::VoidCause,
    time::Timestamp,
};

/// Makes one contact part of another. Open tickets of both are taken back: they were given for
/// what one of the two had agreed to. Two that are one already stay as they are.
pub(super) fn merge(draft: &Draft<'_>, merge: &Merge, now: Timestamp) -> Result<Events, Refusal> {
    let from = draft.place_of(merge.from).ok_or(Refusal::MergeUnknown(MergeSide::From))?;
    let into = draft.place_of(merge.into).ok_or(Refusal::MergeUnknown(MergeSide::Into))?;
    if from == into {
        return Err(Refusal::MergeIntoItself);
    }
    let (from, into) = (draft.resolve(from), draft.resolve(into));
    if from == into {
        return Ok(Vec::new());
    }
    let lost = draft.contact(from).ok_or(Refusal::MergeUnknown(MergeSide::From))?;
    let kept = draft.contact(into).ok_or(Refusal::MergeUnknown(MergeSide::Into))?;
    // WhatsApp gives each of its accounts one user id: two ids are two accounts.
    if lost.user_key.is_some() && kept.user_key.is_some() {
        return Err(Refusal::IdentifiersConflict);
    }
    let mut events = Vec::with_capacity(2);
    void_tickets(draft, from, VoidCause::Merged, now, |_| true, &mut events);
    void_tickets(draft, into, VoidCause::Merged, now, |_| true, &mut events);
    for (place, one, other) in [(from, lost, kept), (into, kept, lost)] {
        let weak = &other.aliases().weak;
        spelling::spread(draft, (place, &one.consents), weak, now, &mut events);
    }
    let seq = upcoming(draft, &events);
    let merged = Event::ContactMerged {
        into: kept.id,
        place: into,
        reason: merge.reason.clone(),
        evidence: merge.evidence.clone(),
    };
    events.push((from, merged));
    let absorbed = absorb(draft, kept, lost, from, seq, now);
    events.push((into, Event::ContactAbsorbed(Box::new(absorbed))));
    Ok(events)
}

/// Works out where `kept` stands once `lost`, which is at `place`, is part of it.
fn absorb(
    draft: &Draft<'_>,
    kept: &Contact,
    lost: &Contact,
    place: Subject,
    seq: Seq,
    now: Timestamp,
) -> Absorbed {
    let (ours, theirs) = (kept.details(), lost.details());
    let acts = stricter_acts(&kept.consents, &lost.consents, now);
    let own = kept.own().or(lost.own()).tags();
    let topics = acts.into_iter().filter_map(|consent| {
        let Consent { topic, act, basis, at, there_since, expires_at, seq, by, under } = consent;
        let topic = draft.registry().topic_id(topic)?.clone();
        let there_since = (there_since != at).then_some(there_since);
        let expires_at = (expires_at != Timestamp::NEVER).then_some(expires_at);
        let under = (act != Act::TookBack && under != own).then_some(under);
        Some(TopicLeft { topic, act, basis, at, there_since, expires_at, seq, by, under })
    });
    let full_stop = latest_stop(&kept.consents, &lost.consents);
    let earliest = [ours.blocked, theirs.blocked].into_iter().flatten().min();
    let latest = [ours.traffic.failed, theirs.traffic.failed].into_iter().flatten().max();
    Absorbed {
        contact: lost.id,
        place,
        number_key: lost.number_key.filter(|_| kept.number_key.is_none()),
        user_key: lost.user_key.filter(|_| kept.user_key.is_none()),
        weak_keys: new_weak(kept, lost),
        topics: topics.collect(),
        questions: questions(draft, &kept.consents, &lost.consents),
        full_stop: full_stop.map(|stop| Mark { at: stop.at, seq: stop.seq }),
        blocked: earliest.map(mark),
        identity: join_identities(kept, lost, seq),
        inbound: join_windows(draft, ours, theirs),
        reached_at: ours.traffic.reached_at.max(theirs.traffic.reached_at),
        failed: latest.map(mark),
        lookup: join_lookups(ours, theirs),
        told: join_told(kept, lost),
    }
}

fn mark((at, seq): (Timestamp, Seq)) -> Mark {
    Mark { at, seq }
}

fn new_weak(kept: &Contact, lost: &Contact) -> Vec<ContactKey> {
    let known = &kept.aliases().weak;
    lost.aliases().weak.iter().filter(|key| !known.contains(key)).copied().collect()
}

/// Topic by topic, the act that leaves the person reachable for less. A side on which nothing was
/// ever recorded about a topic, and no withdrawal from everything, has nothing to say about it.
fn stricter_acts(kept: &Consents, lost: &Consents, now: Timestamp) -> Vec<Consent> {
    let stop = latest_stop(kept, lost);
    let mut acts: Vec<Consent> = Vec::new();
    for topic in kept.topics().chain(lost.topics()) {
        if acts.iter().any(|act| act.topic == topic) {
            continue;
        }
        acts.extend(match (kept.deciding(topic), lost.deciding(topic)) {
            (Some(ours), Some(theirs)) => Some(stricter(ours, theirs, stop, now)),
            (Some(only), None) | (None, Some(only)) => Some(only),
            (None, None) => None,
        });
    }
    acts
}

/// What either side was asked and has not answered.
fn questions(draft: &Draft<'_>, kept: &Consents, lost: &Consents) -> Vec<(TopicId, Timestamp)> {
    let named = |(ix, at)| Some((draft.registry().topic_id(ix)?.clone(), at));
    let asked = |consents: &Consents| -> Vec<_> {
        let pending = consents.acts().filter(|act| act.act == Act::Asked);
        let pending = pending.map(|act| (act.topic, act.at));
        let open = consents.questions().filter(|(_, _, is_open)| *is_open);
        pending.chain(open.map(|(topic, at, _)| (topic, at))).collect()
    };
    asked(kept).into_iter().chain(asked(lost)).filter_map(named).collect()
}

fn latest_stop(kept: &Consents, lost: &Consents) -> Option<FullStop> {
    let stops = [kept.full_stop(), lost.full_stop()];
    stops.into_iter().flatten().max_by_key(|stop| (stop.at, stop.seq))
}

/// Withdrawn before expired before pending before granted. Of two withdrawals the later, which
/// more claims lose against; of two agreements the one that is only implied, that ends first or
/// else is older, which a change of identity suspends sooner. What a withdrawal from everything is
/// later than does not stand beside it, whichever side it came from.
fn stricter(ours: Consent, theirs: Consent, stop: Option<FullStop>, now: Timestamp) -> Consent {
    let rank = |consent: &Consent| match consent.standing(now).status {
        ConsentStatus::NeverAsked => 0,
        ConsentStatus::Granted => 1,
        ConsentStatus::Pending => 2,
        ConsentStatus::Expired => 3,
        ConsentStatus::Withdrawn => 4,
    };
    let is_overtaken = |consent: Consent| {
        stop.is_some_and(|stop| match consent.act {
            // Of two withdrawals at one moment, that from the topic is the one to show.
            Act::TookBack => consent.at < stop.at,
            Act::Asked | Act::Agreed => consent.is_ended_by(stop),
        })
    };
    let age =
        |act: Consent| (is_overtaken(act), act.basis.is_express(), act.expires_at, act.at, act.seq);
    let theirs_win = match rank(&theirs).cmp(&rank(&ours)) {
        Ordering::Less => false,
        Ordering::Greater => true,
        Ordering::Equal => match ours.act {
            Act::TookBack | Act::Asked => (theirs.at, theirs.seq) > (ours.at, ours.seq),
            Act::Agreed => age(theirs) < age(ours),
        },
    };
    let act = if theirs_win { theirs } else { ours };
    stop.filter(|_| is_overtaken(act)).map_or(act, |stop| stop.about(act.topic))
}

/// The hash observed last stays. A change that is open on either side stays open, and two hashes
/// for what is said to be one person are a change themselves: nobody knows which is current. What
/// one side vouched for says nothing about a doubt that is open on the other.
fn join_identities(kept: &Contact, lost: &Contact, seq: Seq) -> Option<IdentityLeft> {
    let (ours, theirs) = (kept.details().identity.as_ref(), lost.details().identity.as_ref());
    let (latest, other) = match (ours, theirs) {
        (Some(ours), Some(theirs)) if theirs.observed_at() > ours.observed_at() => {
            (theirs, Some(ours))
        }
        (Some(ours), theirs) => (ours, theirs),
        (None, Some(theirs)) => (theirs, None),
        (None, None) => return None,
    };
    let differs = other.is_some_and(|other| other.hash() != latest.hash());
    let by_merge = differs.then(|| Change { at: latest.observed_at(), seq, tag: None });
    let open = [kept.identity_changed(), lost.identity_changed(), by_merge];
    let key = |change: &Change| (change.at, change.tag.is_none(), change.seq);
    let open = open.into_iter().flatten().max_by_key(key);
    let (change, confirmed_at) = match open {
        Some(open) => (Some(open), None),
        None => (latest.last_change(), latest.confirmed_at()),
    };
    let (first_at, before_at) = Identity::since_joined(latest, other);
    Some(IdentityLeft {
        hash: latest.hash().into(),
        observed_at: latest.observed_at(),
        change: change.map(|change| Mark { at: change.at, seq: change.seq }),
        confirmed_at,
        tag: change.and_then(|change| change.tag),
        first_at: Some(first_at).filter(|first| *first != latest.observed_at()),
        before_at,
    })
}

fn join_windows(draft: &Draft<'_>, ours: &Details, theirs: &Details) -> Vec<InboundLeft> {
    let mut joined = ours.traffic.clone();
    for (sender, at) in &theirs.traffic.inbound {
        joined.fold_inbound(*sender, *at);
    }
    let named = joined.inbound.into_iter().filter_map(|(sender, at)| {
        Some(InboundLeft { sender: draft.registry().sender_id(sender)?.clone(), at })
    });
    named.collect()
}

/// That a number was another person's before says nothing of what the other side did before.
fn join_told(kept: &Contact, lost: &Contact) -> Option<Box<Told>> {
    let keys = [lost.number_key, lost.user_key, lost.aliases().wa_key];
    let keys: Vec<ContactKey> = keys.into_iter().flatten().collect();
    let mut joined = Told::joined(kept.details().told(), lost.details().told(), &keys);
    let taken = [(kept, lost), (lost, kept)].map(|(own, other)| {
        let counts = |mark: &Mark| own.has_before(*mark) || !other.has_before(*mark);
        own.details().told().taken.filter(counts)
    });
    joined.taken = taken.into_iter().flatten().max_by_key(|mark| (mark.at, mark.seq));
    (joined != Told::NOTHING).then(|| Box::new(joined))
}

/// An answer is about a number: that of the contact that stays, whose number is the one shown,
/// comes first. Of two look-ups under way the one that lapses last is waited for; both are taken.
fn join_lookups(ours: &Details, theirs: &Details) -> Option<LookupLeft> {
    let (ours, theirs) = (ours.lookup.as_ref(), theirs.lookup.as_ref());
    let known = || [ours, theirs].into_iter().flatten();
    known().next()?;
    let answer = known().find_map(|lookup| lookup.answer);
    let pending = known().filter_map(|lookup| lookup.pending).max_by_key(|pending| pending.at);
    Some(LookupLeft {
        pending: pending.map(|pending| pending.id),
        pending_since: pending.map(|pending| pending.at),
        pending_contacted: pending.is_some_and(|pending| pending.was_contacted),
        state: answer.map(|(state, _)| state),
        answered_at: answer.map(|(_, at)| at),
        was_contacted: known().any(|lookup| lookup.was_contacted),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        command::{Command, ContactRef, Person, UserIdentifier},
        consent::TopicIx,
        contact::LookupState,
        decide::{
            LookupPlan, plan_lookup,
            tests::{Desk, RULES, opt_in_of},
        },
        event::Evidence,
        ids::ContactId,
        named::NameTags,
        reason::Reason,
        ticket::MessageKind,
    };

    const PROMOTIONS: TopicIx = TopicIx(0);

    fn act_of(act: Act, at: Timestamp, expires_at: Timestamp, seq: u64) -> Consent {
        let (topic, basis) = (PROMOTIONS, crate::policy::ConsentBasis::Express);
        let (seq, by, under) = (Seq(seq), None, NameTags::NONE);
        Consent { topic, act, basis, at, there_since: at, expires_at, seq, by, under }
    }

    fn named(key: u128) -> ContactRef {
        ContactRef::Key(ContactKey::from_bits(key))
    }

    fn join(desk: &mut Desk, from: u128, into: u128) -> Result<Vec<Event>, Refusal> {
        let (from, into) = (named(from), named(into));
        let (reason, evidence) = (Some("told us so".into()), Evidence::new());
        desk.run(Command::Merge(Box::new(Merge { from, into, reason, evidence })))
    }

    /// Agrees to promotions by number and user id.
    fn with_user(desk: &mut Desk, number: Option<u128>, user: u128) {
        let number = number.and_then(|key| desk.person(key).number);
        let user = UserIdentifier { user_id: "US.1".into(), key: ContactKey::from_bits(user) };
        let new_id = ContactId::from_uuid(desk.id());
        let opt_in = opt_in_of(Person { number, user: Some(user), new_id }, "promotions");
        desk.run(Command::OptIn(Box::new(opt_in))).unwrap();
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    /// One side's consents about promotions, from oldest to newest status: what a person may have
    /// at 100.
    fn sides() -> Vec<(ConsentStatus, Consents)> {
        let act = |act, expires_at| {
            let mut consents = Consents::default();
            let at = at(10);
            consents.fold_act(act_of(act, at, expires_at, 1));
            consents
        };
        let mut left = act(Act::Agreed, Timestamp::NEVER);
        left.fold_full_stop(FullStop { at: at(20), seq: Seq(2) });
        vec![
            (ConsentStatus::NeverAsked, Consents::default()),
            (ConsentStatus::Granted, act(Act::Agreed, Timestamp::NEVER)),
            (ConsentStatus::Pending, act(Act::Asked, Timestamp::NEVER)),
            (ConsentStatus::Expired, act(Act::Agreed, at(50))),
            (ConsentStatus::Withdrawn, act(Act::TookBack, Timestamp::NEVER)),
            (ConsentStatus::Withdrawn, left),
        ]
    }

    #[test]
    fn of_two_statuses_the_more_restrictive_stays_whichever_side_has_it() {
        for (place, (one_status, one)) in sides().into_iter().enumerate() {
            for (other_place, (other_status, other)) in sides().into_iter().enumerate() {
                let expected = if place > other_place { one_status } else { other_status };
                let acts = stricter_acts(&one, &other, at(100));
                let found = acts
                    .first()
                    .map_or(ConsentStatus::NeverAsked, |act| act.standing(at(100)).status);
                assert_eq!(found, expected, "{one_status:?} and {other_status:?}");
                assert!(acts.len() <= 1);
            }
        }
    }

    #[test]
    fn being_asked_does_not_stand_beside_a_full_stop_of_the_other_side() {
        let mut asked = Consents::default();
        let (act, expires_at) = (Act::Asked, Timestamp::NEVER);
        asked.fold_act(act_of(act, at(30), expires_at, 3));
        let mut agreed = Consents::default();
        agreed.fold_full_stop(FullStop { at: at(10), seq: Seq(1) });
        let act = Act::Agreed;
        agreed.fold_act(act_of(act, at(20), expires_at, 2));
        for (ours, theirs) in [(&asked, &agreed), (&agreed, &asked)] {
            let acts = stricter_acts(ours, theirs, at(100));
            assert_eq!(acts, [FullStop { at: at(10), seq: Seq(1) }.about(PROMOTIONS)]);
        }
    }

    #[test]
    fn a_full_stop_of_one_side_covers_the_topics_of_the_other_also_after_a_later_yes() {
        let mut desk = Desk::new();
        desk.opt_out(1, None).unwrap();
        desk.opt_in(1, "orders", None).unwrap();
        desk.opt_in(2, "promotions", None).unwrap();
        join(&mut desk, 1, 2).unwrap();
        assert_eq!(desk.status(2, "promotions"), ConsentStatus::Withdrawn);
        assert_eq!(desk.status(2, "orders"), ConsentStatus::Granted);
        desk.opt_in(2, "promotions", None).unwrap();
        assert!(desk.reserve(1, MessageKind::Template).is_ok(), "the person agreed once more");
    }

    #[test]
    fn an_agreement_older_than_the_other_sides_stop_does_not_stand_beside_it() {
        for (from, into) in [(1, 2), (2, 1)] {
            let mut desk = Desk::new();
            desk.opt_in(1, "promotions", None).unwrap();
            desk.opt_out(2, None).unwrap();
            let stopped = desk.now;
            desk.opt_in(2, "promotions", None).unwrap();
            join(&mut desk, from, into).unwrap();
            let contacts = desk.state.contacts();
            let subject = contacts.find(ContactKey::from_bits(1)).unwrap();
            let consents = &contacts.get(subject).unwrap().consents;
            let standing = consents.standing(PROMOTIONS, at(desk.now));
            assert_eq!(standing.status, ConsentStatus::Granted, "both sides had agreed");
            assert!(standing.at > Some(at(stopped)), "by the act that came after the stop");
        }
    }

    #[test]
    fn every_identifier_and_the_old_id_lead_to_the_contact_that_stays() {
        let mut desk = Desk::new();
        with_user(&mut desk, Some(1), 91);
        desk.opt_in(2, "orders", None).unwrap();
        desk.opt_in(3, "orders", None).unwrap();
        let id = |desk: &Desk, key| {
            let contacts = desk.state.contacts();
            contacts.get(contacts.find(ContactKey::from_bits(key)).unwrap()).unwrap().id
        };
        let (former, middle, last) = (id(&desk, 1), id(&desk, 2), id(&desk, 3));
        let events = join(&mut desk, 1, 2).unwrap();
        assert!(matches!(
            events.as_slice(),
            [Event::ContactMerged { .. }, Event::ContactAbsorbed(_)]
        ));
        join(&mut desk, 2, 3).unwrap();
        for key in [1, 91, 2, 3] {
            assert_eq!(id(&desk, key), last, "{key}");
        }
        let contacts = desk.state.contacts();
        assert_eq!(contacts.find_id(former), contacts.find_id(last));
        assert_eq!(contacts.find_id(middle), contacts.find_id(last));
        with_user(&mut desk, Some(3), 91);
        assert!(desk.replayed() == desk.state);
    }

    #[test]
    fn two_that_are_one_already_stay_as_they_are_and_nonsense_is_refused() {
        let mut desk = Desk::new();
        with_user(&mut desk, None, 90);
        desk.opt_in(1, "orders", None).unwrap();
        join(&mut desk, 1, 90).unwrap();
        let before = desk.state.clone();
        for (from, into) in [(1, 90), (90, 1)] {
            assert!(join(&mut desk, from, into).unwrap().is_empty());
        }
        assert!(before == desk.state);
        for key in [1, 90] {
            assert!(matches!(join(&mut desk, key, key), Err(Refusal::MergeIntoItself)));
        }
        let unknown = join(&mut desk, 7, 1);
        assert!(matches!(unknown, Err(Refusal::MergeUnknown(MergeSide::From))));
        let unknown = join(&mut desk, 1, 7);
        assert!(matches!(unknown, Err(Refusal::MergeUnknown(MergeSide::Into))));
        with_user(&mut desk, Some(2), 92);
        let two_accounts = join(&mut desk, 2, 1);
        assert!(matches!(two_accounts, Err(Refusal::IdentifiersConflict)));
    }

    #[test]
    fn open_tickets_of_both_are_taken_back_and_a_late_report_goes_to_the_contact_that_stays() {
        let mut desk = Desk::new();
        desk.opt_in(1, "promotions", None).unwrap();
        desk.opt_in(2, "promotions", None).unwrap();
        let late = desk.reserve(1, MessageKind::Template).unwrap();
        desk.now += 120_000;
        let open = [1, 2].map(|key| desk.reserve(key, MessageKind::Template).unwrap());
        assert_eq!(join(&mut desk, 1, 2).unwrap().len(), 4);
        for ticket in open {
            let voided = desk.commit(ticket, 7);
            assert!(matches!(voided, Err(Refusal::TicketVoided { cause: VoidCause::Merged })));
        }
        desk.commit(late, 8).unwrap();
        let stays = desk.state.contacts().find(ContactKey::from_bits(2));
        assert_eq!(desk.entries.last().map(|(subject, _)| *subject), stays);
        assert!(desk.reserve(1, MessageKind::Template).is_ok());
        assert!(desk.replayed() == desk.state);
    }

    #[test]
    fn a_block_and_an_open_change_of_either_side_stay() {
        for (marked, other) in [(1, 2), (2, 1)] {
            let mut desk = Desk::new();
            desk.opt_in(1, "promotions", None).unwrap();
            desk.opt_in(2, "promotions", None).unwrap();
            let start = desk.now;
            desk.identity(marked, "A", start).unwrap();
            desk.identity(marked, "B", start + 1).unwrap();
            desk.run(Command::Block { contact: named(marked), reason: None }).unwrap();
            join(&mut desk, 1, 2).unwrap();
            let refused = desk.reserve(other, MessageKind::Template);
            assert_eq!(refused, Err(vec![Reason::Blocked, Reason::IdentityChanged]));
            desk.run(Command::Unblock { contact: named(other) }).unwrap();
            let confirm = Command::ConfirmIdentity {
                contact: named(other),
                hash: "B".into(),
                evidence: Evidence::new(),
            };
            desk.run(confirm).unwrap();
            assert!(desk.reserve(marked, MessageKind::Template).is_ok());
        }
    }

    #[test]
    fn two_hashes_for_one_person_are_a_change_and_the_same_hash_is_none() {
        for (theirs, is_suspended) in [("A", false), ("B", true)] {
            let mut desk = Desk::new();
            desk.opt_in(1, "promotions", None).unwrap();
            desk.opt_in(2, "promotions", None).unwrap();
            let start = desk.now;
            desk.identity(1, "A", start).unwrap();
            desk.identity(2, theirs, start).unwrap();
            join(&mut desk, 1, 2).unwrap();
            let refused = desk.reserve(2, MessageKind::Template).is_err();
            assert_eq!(refused, is_suspended);
            assert!(desk.replayed() == desk.state);
        }
    }

    #[test]
    fn a_change_the_other_side_never_saw_stays_open() {
        for (from, into) in [(1, 2), (2, 1)] {
            let mut desk = Desk::new();
            desk.opt_in(1, "promotions", None).unwrap();
            desk.opt_in(2, "promotions", None).unwrap();
            let start = desk.now;
            desk.identity(1, "A", start).unwrap();
            desk.identity(1, "B", start + 1).unwrap();
            desk.identity(2, "B", start + 2).unwrap();
            join(&mut desk, from, into).unwrap();
            let refused = desk.reserve(2, MessageKind::Template);
            assert_eq!(refused, Err(vec![Reason::IdentityChanged]));
        }
    }

    #[test]
    fn windows_and_look_ups_are_those_of_both() {
        let mut desk = Desk::new();
        desk.opt_in(1, "promotions", None).unwrap();
        desk.opt_in(2, "promotions", None).unwrap();
        let lookup = desk.look_up(1).unwrap();
        let answer = Command::ConcludeLookup {
            lookup,
            state: LookupState::Registered,
            cause: None,
            wa_id: None,
            wa_key: None,
            was_asked: true,
        };
        let waiting =
            |desk: &Desk| desk.state.governor().budget(&RULES.lookup, at(desk.now)).uncontacted;
        desk.inbound(1, None).unwrap();
        join(&mut desk, 1, 2).unwrap();
        desk.run(answer).unwrap();
        assert_eq!(waiting(&desk), 1, "the answer came to the contact that stays");
        assert!(desk.reserve(2, MessageKind::Session).is_ok());
        desk.opt_in(3, "promotions", None).unwrap();
        join(&mut desk, 2, 3).unwrap();
        assert_eq!(waiting(&desk), 1, "one person, counted once");
        let ticket = desk.reserve(3, MessageKind::Template).unwrap();
        desk.commit(ticket, 7).unwrap();
        assert_eq!(waiting(&desk), 0);
        assert!(desk.replayed() == desk.state);
    }

    #[test]
    fn of_two_look_ups_under_way_neither_is_lost_nor_charged_for_nothing() {
        let concluded = |lookup, state, was_asked| {
            let (cause, wa_id, wa_key) = (None, None, None);
            Command::ConcludeLookup { lookup, state, cause, wa_id, wa_key, was_asked }
        };
        for asked_place in [0, 1] {
            let mut desk = Desk::new();
            for key in [1, 2] {
                desk.opt_in(key, "promotions", None).unwrap();
            }
            let budget = |desk: &Desk| desk.state.governor().budget(&RULES.lookup, at(desk.now));
            // One message to somebody looked up earns the second look-up.
            let first = desk.look_up(1).unwrap();
            desk.run(concluded(first, LookupState::Unknown, true)).unwrap();
            for message in [7, 8] {
                let ticket = desk.reserve(1, MessageKind::Template).unwrap();
                desk.commit(ticket, message).unwrap();
            }
            let lookups = [1, 2].map(|key| desk.look_up(key).unwrap());
            join(&mut desk, 1, 2).unwrap();
            assert_eq!(budget(&desk).used, 3);
            desk.run(concluded(lookups[1 - asked_place], LookupState::Unknown, false)).unwrap();
            assert_eq!(budget(&desk).used, 2, "nobody was asked");
            desk.run(concluded(lookups[asked_place], LookupState::Registered, true)).unwrap();
            assert_eq!((budget(&desk).used, desk.state.lookups().count()), (2, 0));
            let subject = desk.state.contacts().find(ContactKey::from_bits(1)).unwrap();
            let contact = desk.state.contacts().get(subject).unwrap();
            let plan =
                plan_lookup(Some(contact), desk.state.registry(), &RULES.lookup, at(desk.now));
            let state = LookupState::Registered;
            assert!(matches!(plan, LookupPlan::Cached { state: known, .. } if known == state));
            assert!(desk.replayed() == desk.state);
        }
    }
}
