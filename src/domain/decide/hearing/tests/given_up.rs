//! What was given up is lifted by what is agreed to under it, and by nothing else.

use super::{
    owners::{join, moves},
    *,
};
use crate::domain::{
    decide::tests::opt_in_of,
    entry::Subject,
    event::{OptedIn, Record},
    named::Named,
    state::{Draft, State},
    ticket::TicketState,
};

const CHANGED: Result<(), [Reason; 1]> = Err([Reason::NumberChanged]);
const GOOD: Result<(), [Reason; 1]> = Ok(());

/// Number 1 and user id 91 are one contact's, and agreed to promotions.
fn known() -> Desk {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let (person, now) = (desk.both(1, 91), desk.now);
    desk.write(person, now, None);
    desk.now += 1_000;
    desk
}

#[expect(clippy::unnecessary_wraps, reason = "as a message has it")]
fn agreed() -> Option<ConsentAnswer> {
    let topics = vec![topic_id("promotions")];
    Some(ConsentAnswer::OptIn { topics, statement: None, language: None, how: how() })
}

/// Agrees by an opt-in that names a person so.
fn opts_in(desk: &mut Desk, person: Person, ms: i64) {
    let opt_in = OptIn { captured_at: Some(at(ms)), ..opt_in_of(person, "promotions") };
    desk.run(Command::OptIn(Box::new(opt_in))).unwrap();
}

/// Says by which of these the person may be written to.
fn assert_may<const N: usize>(
    desk: &mut Desk,
    expected: [(u128, Result<(), [Reason; 1]>); N],
    case: &str,
) {
    for (key, expected) in expected {
        let found = desk.may(key, TEMPLATE);
        assert_eq!(found, expected.map_err(Vec::from), "{case}: {key}");
    }
    assert!(desk.replayed() == desk.state, "{case}");
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Number,
    User,
    Both,
}

fn person(desk: &mut Desk, by: By) -> Person {
    match by {
        By::Number => desk.person(1),
        By::User => user_only(desk, 91),
        By::Both => desk.both(1, 91),
    }
}

/// Of number 1 and user id 91, as WhatsApp tells that one or both were given up.
fn facts(desk: &mut Desk) -> Vec<HeardFact> {
    let moved = |old, new| HeardFact::MovedNumber { old, new };
    vec![
        moved(desk.person(1), Some(desk.person(2))),
        moved(desk.both(1, 91), Some(desk.both(2, 92))),
        moved(desk.both(1, 91), None),
        desk.moved_user(91, 92),
    ]
}

#[test]
fn only_an_agreement_under_what_was_given_up_lifts_that_it_was_in_any_order() {
    for place in 0..4 {
        for by in [By::Number, By::User, By::Both] {
            for (is_message, is_move_late) in
                [(false, false), (false, true), (true, false), (true, true)]
            {
                let case = format!("{place} {by:?} {is_message} {is_move_late}");
                let mut desk = known();
                let moved = desk.now - 500;
                let fact = facts(&mut desk).remove(place);
                if !is_move_late {
                    desk.hear(moved, fact.clone());
                    assert_may(&mut desk, [(1, CHANGED), (91, CHANGED)], &case);
                }
                let agreeing = person(&mut desk, by);
                if is_message {
                    desk.write(agreeing, moved + 10, agreed());
                } else {
                    opts_in(&mut desk, agreeing, moved + 10);
                }
                if is_move_late {
                    desk.hear(moved, fact.clone());
                }
                let (number, user) = match by {
                    By::Number => (GOOD, CHANGED),
                    By::User => (CHANGED, GOOD),
                    By::Both => (GOOD, GOOD),
                };
                assert_may(&mut desk, [(1, number), (91, user)], &case);
                assert!(desk.hear(moved, fact).is_empty(), "{case}: a repeat");
                assert_may(&mut desk, [(1, number), (91, user)], &case);
            }
        }
    }
}

#[test]
fn a_ticket_stays_only_where_whoever_has_what_was_given_up_agreed_before_it_was_heard() {
    for (by, is_kept) in [(By::Number, true), (By::User, false), (By::Both, true)] {
        let mut desk = known();
        let moved = desk.now - 500;
        let agreeing = person(&mut desk, by);
        opts_in(&mut desk, agreeing, moved + 10);
        let ticket = desk.reserve(1, TEMPLATE).unwrap();
        moves(&mut desk, moved, 1, 2);
        let cause = VoidCause::NumberChanged;
        let expected = if is_kept { TicketState::Reserved } else { TicketState::Voided { cause } };
        assert_eq!(desk.state.ticket(ticket).unwrap().state, expected, "{by:?}");
    }
}

#[test]
fn an_agreement_by_a_live_number_lifts_nothing_of_one_that_was_given_up_and_merged() {
    for (from, into) in [(1, 2), (2, 1)] {
        for is_agreed_before_merge in [false, true] {
            for is_move_late in [false, true] {
                let case = format!("{from} {is_agreed_before_merge} {is_move_late}");
                let mut desk = Desk::new();
                desk.opt_in(3, "promotions", None).unwrap();
                for key in [1, 2] {
                    desk.wrote(key, 900_000, None);
                }
                let moved = desk.now;
                desk.now += 1_000;
                if !is_move_late {
                    moves(&mut desk, moved, 1, 3);
                }
                if is_agreed_before_merge {
                    desk.opt_in(2, "promotions", None).unwrap();
                }
                join(&mut desk, from, into);
                if !is_agreed_before_merge {
                    desk.opt_in(2, "promotions", None).unwrap();
                }
                if is_move_late {
                    moves(&mut desk, moved, 1, 3);
                }
                assert_may(&mut desk, [(1, CHANGED), (2, GOOD)], &case);
                desk.opt_in(1, "promotions", None).unwrap();
                assert_may(&mut desk, [(1, GOOD)], &case);
            }
        }
    }
}

#[test]
fn what_whoever_has_the_number_now_agreed_to_still_lifts_it_after_a_merge() {
    for (from, into) in [(1, 2), (2, 1)] {
        let mut desk = Desk::new();
        desk.wrote(1, 900_000, None);
        desk.wrote(2, 900_000, None);
        let now = desk.now;
        moves(&mut desk, now, 1, 3);
        desk.now += 10;
        desk.opt_in(1, "promotions", None).unwrap();
        join(&mut desk, from, into);
        assert_may(&mut desk, [(1, GOOD)], &format!("{from} into {into}"));
    }
}

#[test]
fn a_message_that_people_read_as_a_yes_counts_for_what_it_was_written_under() {
    for (by, number, user) in
        [(By::Number, GOOD, CHANGED), (By::User, CHANGED, GOOD), (By::Both, GOOD, GOOD)]
    {
        for is_move_late in [false, true] {
            let mut desk = known();
            let moved = desk.now - 500;
            if !is_move_late {
                moves(&mut desk, moved, 1, 2);
            }
            let writing = person(&mut desk, by);
            let (why, word, scope) = ("near_miss".into(), None, None);
            desk.write(writing, moved + 10, Some(ConsentAnswer::Review { why, word, scope }));
            if is_move_late {
                moves(&mut desk, moved, 1, 2);
            }
            let [(review, _)] = desk.reviews()[..] else { panic!() };
            let (topics, note) = (Some(vec![topic_id("promotions")]), None);
            let decision = ReviewDecision::OptIn;
            let decided = DecideReview { review, decision, topics, note };
            desk.run(Command::DecideReview(Box::new(decided))).unwrap();
            assert_may(&mut desk, [(1, number), (91, user)], &format!("{by:?} {is_move_late}"));
        }
    }
}

#[test]
fn an_answer_to_a_question_counts_for_what_it_was_given_under() {
    let mut desk = known();
    let now = desk.now;
    moves(&mut desk, now, 1, 2);
    desk.now += 10;
    desk.ask(1, "promotions");
    desk.ask(1, "orders");
    let (user, now) = (user_only(&mut desk, 91), desk.now);
    desk.write(user, now, yes());
    assert_may(&mut desk, [(1, CHANGED), (91, GOOD)], "whoever has the user id answered");
    assert_eq!(desk.status(1, "orders"), ConsentStatus::Granted);
    desk.wrote(1, desk.now, None);
    assert_eq!(desk.may(1, SESSION), Err(vec![Reason::NumberChanged]), "nobody of the number");
    assert_eq!(desk.may(91, SESSION), Ok(()));
}

#[test]
fn what_was_agreed_to_under_the_user_id_alone_since_an_earlier_move_does_not_go_along() {
    for (by, reasons) in [(By::User, vec![Reason::NeverAsked]), (By::Number, Vec::new())] {
        let mut desk = known();
        desk.let_follow(true);
        let start = desk.now - 500;
        let new = |desk: &mut Desk, key| HeardFact::MovedNumber {
            old: desk.person(1),
            new: Some(desk.person(key)),
        };
        let first = new(&mut desk, 2);
        desk.hear(start, first);
        let agreeing = person(&mut desk, by);
        opts_in(&mut desk, agreeing, start + 10);
        let second = new(&mut desk, 3);
        desk.hear(start + 20, second);
        assert_eq!(desk.may(3, TEMPLATE).err().unwrap_or_default(), reasons, "{by:?}");
        assert!(desk.replayed() == desk.state, "{by:?}");
    }
}

/// The same history as it was stored before it was kept under what anybody agreed.
fn as_stored_before(desk: &Desk) -> State {
    let mut state = State::default();
    for (subject, record) in &desk.entries {
        let mut stored = serde_json::to_value(&record.event).unwrap();
        stored.as_object_mut().unwrap().remove("under");
        let (at, by, command) = (record.at, record.by.clone(), None);
        let event = serde_json::from_value(stored).unwrap();
        let mut draft = Draft::new(&state);
        draft.fold(draft.next(), *subject, &Record { at, by, command, event });
        let changes = draft.into_changes();
        state.apply(changes);
    }
    state
}

#[test]
fn an_act_that_does_not_say_under_what_it_was_is_one_under_all_the_contact_has() {
    let mut desk = known();
    let now = desk.now;
    moves(&mut desk, now, 1, 2);
    desk.now += 10;
    let (user, now) = (user_only(&mut desk, 91), desk.now);
    opts_in(&mut desk, user, now);
    assert_may(&mut desk, [(1, CHANGED), (91, GOOD)], "as it is stored now");
    desk.state = as_stored_before(&desk);
    for key in [1, 91] {
        assert!(desk.may(key, TEMPLATE).is_ok(), "{key}");
    }
}

#[test]
fn an_act_is_stored_with_what_it_was_under_only_where_that_is_not_the_contacts_own() {
    let under = |desk: &Desk| -> Vec<Option<Named>> {
        let acts = desk.entries.iter().filter_map(|(_, record)| {
            let Event::OptedIn(act) = &record.event else { return None };
            Some(act.under)
        });
        acts.collect()
    };
    let mut desk = known();
    for by in [By::Both, By::User, By::Number] {
        let (agreeing, now) = (person(&mut desk, by), desk.now);
        opts_in(&mut desk, agreeing, now);
    }
    let [number, user] = [1, 91].map(|key| Some(ContactKey::from_bits(key)));
    let by_user = Named { number_key: None, user_key: user };
    let by_number = Named { number_key: number, user_key: None };
    assert_eq!(under(&desk), [None, None, Some(by_user), Some(by_number)]);
    let Some((Subject(_), Record { event: Event::OptedIn(last), .. })) = desk.entries.last() else {
        panic!()
    };
    let stored = serde_json::to_string(&**last).unwrap();
    let member = r#""under":{"number_key":"00000000000000000000000000000001"}"#;
    assert!(stored.contains(member), "{stored}");
    let read: OptedIn = serde_json::from_str(&stored).unwrap();
    assert_eq!(read, **last);
}

#[test]
fn the_number_whatsapp_answered_with_is_the_number() {
    let mut desk = known();
    let subject = desk.state.contacts().find(ContactKey::from_bits(1)).unwrap();
    let mut contact = desk.state.contacts().get(subject).unwrap().clone();
    let wa = ContactKey::from_bits(500);
    contact.set_wa_key(wa);
    let now = desk.now;
    moves(&mut desk, now, 1, 2);
    let moved = desk.state.contacts().get(subject).unwrap().details().told().moved.unwrap();
    let told = contact.details_mut().told_mut();
    told.moved = Some(moved);
    let by = |key: u128| contact.given_up(Some(ContactKey::from_bits(key))).unwrap();
    assert_eq!(by(500), by(1));
    assert_eq!(contact.given_up(None), Some(by(1)));
    assert_ne!(by(91), by(1));
    let mut found = Found::known(subject, &contact);
    found.named = Named { number_key: Some(wa), user_key: contact.user_key };
    assert_eq!(found.under(), None);
}
