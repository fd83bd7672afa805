//! Given two contacts, when one becomes part of the other, then the more restrictive counts.

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
            let found =
                acts.first().map_or(ConsentStatus::NeverAsked, |act| act.standing(at(100)).status);
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
    assert!(matches!(events.as_slice(), [Event::ContactMerged { .. }, Event::ContactAbsorbed(_)]));
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
        // The one that was asked about; which that was is not lost by the merge.
        let asked = ContactKey::from_bits([1, 2][asked_place]);
        let whom = (Some(contact), asked);
        let plan = plan_lookup(whom, desk.state.registry(), &RULES.lookup, at(desk.now));
        let state = LookupState::Registered;
        assert!(matches!(plan, LookupPlan::Cached { state: known, .. } if known == state));
        assert!(desk.replayed() == desk.state);
    }
}
