//! A number and a user id that WhatsApp names together are one person's, whatever was heard of each
//! before; and of two user ids of one number the later has it.

use super::{
    ConsentAnswer, Delivery, Desk, Event, HeardFact, Reason, SESSION, Step, TEMPLATE, Wrote, at,
    delivery, how, stop, user_only, wrote, yes,
};
use crate::domain::{
    command::{Command, ContactRef},
    consent::ConsentStatus,
    decide::tests::topic_id,
    hearing::{Failure, FailureEffect},
    ids::TicketId,
    key::ContactKey,
    ticket::{TicketState, VoidCause},
};

/// What may be heard of number 1 and the user ids 91 and 92, each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// 91 wrote, without a number.
    Alone,
    /// 91 wrote from number 1.
    Both,
    /// 92 wrote from number 1.
    Next,
    /// A message to number 1 reached 92.
    Reached,
}

pub(super) fn tell(desk: &mut Desk, heard: Heard, ms: i64) -> Vec<Event> {
    let fact = match heard {
        Heard::Alone => HeardFact::Wrote(wrote(user_only(desk, 91), None)),
        Heard::Both => HeardFact::Wrote(wrote(desk.both(1, 91), None)),
        Heard::Next => HeardFact::Wrote(wrote(desk.both(1, 92), None)),
        Heard::Reached => {
            let person = Some(desk.both(1, 92));
            HeardFact::Delivery(Delivery { person, ..delivery(desk, 1, 500, Step::Delivered) })
        }
    };
    desk.hear(ms, fact)
}

pub(super) fn orders<T: Copy>(all: &[T]) -> Vec<Vec<T>> {
    let Some((first, rest)) = all.split_first() else { return vec![Vec::new()] };
    let mut found = Vec::new();
    for order in orders(rest) {
        for place in 0..=order.len() {
            let mut order = order.clone();
            order.insert(place, *first);
            found.push(order);
        }
    }
    found
}

/// Number 1 agreed, and nothing was heard.
pub(super) fn agreed() -> Desk {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    desk.now += 100;
    desk
}

pub(super) fn cause(desk: &Desk, ticket: TicketId) -> Option<VoidCause> {
    match desk.state.ticket(ticket).unwrap().state {
        TicketState::Voided { cause } => Some(cause),
        TicketState::Reserved | TicketState::Committed { .. } | TicketState::Released => None,
    }
}

#[test]
fn another_user_id_of_a_number_suspends_it_in_any_order_and_until_it_agrees_again() {
    use Heard::{Alone, Both, Next, Reached};
    for history in [
        &[(Alone, 10), (Both, 20), (Next, 30)][..],
        &[(Alone, 10), (Both, 20), (Reached, 30)],
        &[(Both, 20), (Next, 30), (Reached, 40)],
    ] {
        for order in orders(history) {
            let mut desk = agreed();
            let start = desk.now - 90;
            let ticket = desk.reserve(1, TEMPLATE).unwrap();
            for (heard, after) in &order {
                tell(&mut desk, *heard, start + after);
            }
            assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::IdentityChanged]), "{order:?}");
            assert_eq!(cause(&desk, ticket), Some(VoidCause::IdentityChanged), "{order:?}");
            assert!(desk.reviews().is_empty(), "{order:?}");
            for (heard, after) in &order {
                let again = tell(&mut desk, *heard, start + after);
                assert!(again.is_empty(), "{order:?}: {heard:?} {again:?}");
            }
            // What was agreed to before is no agreement of whoever has the number since.
            desk.opt_in(1, "promotions", Some(start + 29)).unwrap();
            assert!(desk.reserve(1, TEMPLATE).is_err(), "{order:?}");
            desk.opt_in(1, "promotions", Some(start + 31)).unwrap();
            assert!(desk.reserve(1, TEMPLATE).is_ok(), "{order:?}");
            // Nor is that the number has them news.
            tell(&mut desk, Reached, start + 80);
            tell(&mut desk, Next, start + 85);
            assert!(desk.reserve(1, TEMPLATE).is_ok(), "{order:?}");
            assert!(desk.replayed() == desk.state, "{order:?}");
        }
    }
}

/// What is heard of user 91 alone, before or after number 1 is named with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Everything,
    Topic,
    Marketing,
    Barred,
    BarredBySender,
    Blocked,
    Unreachable,
    Cooldown,
    Identity,
    Moved,
}

const SAID: [(Said, Reason); 10] = [
    (Said::Everything, Reason::Withdrawn),
    (Said::Topic, Reason::Withdrawn),
    (Said::Marketing, Reason::MarketingStopped),
    (Said::Barred, Reason::Blocked),
    (Said::BarredBySender, Reason::Blocked),
    (Said::Blocked, Reason::Blocked),
    (Said::Unreachable, Reason::Unreachable),
    (Said::Cooldown, Reason::MarketingCooldown),
    (Said::Identity, Reason::IdentityChanged),
    (Said::Moved, Reason::NumberChanged),
];

fn say(desk: &mut Desk, said: Said, ms: i64) {
    let user = user_only(desk, 91);
    let failed = |desk: &mut Desk, effect, pause_ms| {
        // The sender's own number: WhatsApp's code says so.
        let code = if said == Said::BarredBySender { 131_021 } else { 131_000 };
        let failure = Some(Failure { code, effect, pause_ms, country: None });
        let (person, failed) = (Some(user_only(desk, 91)), delivery(desk, 1, 501, Step::Failed));
        HeardFact::Delivery(Delivery { person, failure, ..failed })
    };
    let fact = match said {
        Said::Everything => HeardFact::Wrote(wrote(user, stop())),
        Said::Topic => {
            let topics = Some(vec![topic_id("promotions")]);
            HeardFact::Wrote(wrote(user, Some(ConsentAnswer::OptOut { topics, how: how() })))
        }
        Said::Marketing => HeardFact::MarketingPreference { person: user, is_stopped: true },
        Said::Barred => failed(desk, FailureEffect::BlockedByBusiness, None),
        Said::BarredBySender => failed(desk, FailureEffect::RefuseForever, None),
        Said::Unreachable => failed(desk, FailureEffect::Unreachable, None),
        Said::Cooldown => failed(desk, FailureEffect::MarketingCooldown, Some(1_000)),
        Said::Identity => HeardFact::IdentityChanged { person: user, hash: None },
        Said::Moved => desk.moved_user(91, 92),
        Said::Blocked => {
            let contact = ContactRef::Key(ContactKey::from_bits(91));
            desk.run(Command::Block { contact, reason: None }).unwrap();
            return;
        }
    };
    desk.hear(ms, fact);
}

#[test]
fn what_was_heard_of_a_user_id_alone_holds_for_its_number_whichever_is_heard_first() {
    for (said, reason) in SAID {
        for is_named_first in [true, false] {
            let case = format!("{said:?} {is_named_first}");
            let mut desk = agreed();
            let start = desk.now - 90;
            tell(&mut desk, Heard::Alone, start);
            let ticket = desk.reserve(1, TEMPLATE).unwrap();
            if is_named_first {
                tell(&mut desk, Heard::Both, start + 10);
                assert_eq!(cause(&desk, ticket), None, "it is the person's");
                say(&mut desk, said, start + 20);
            } else {
                say(&mut desk, said, start + 20);
                assert_eq!(cause(&desk, ticket), None, "nobody knows");
                tell(&mut desk, Heard::Both, start + 10);
            }
            assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![reason]), "{case}");
            // What is temporary takes nothing back.
            let is_kept = matches!(said, Said::Unreachable | Said::Cooldown);
            assert_eq!(cause(&desk, ticket).is_none(), is_kept, "{case}");
            assert!(desk.reviews().is_empty(), "{case}");
            assert!(desk.replayed() == desk.state, "{case}");
        }
    }
}

#[test]
fn what_was_agreed_to_and_opened_under_either_is_the_persons_by_its_own_date() {
    let mut desk = agreed();
    let start = desk.now - 90;
    let user = user_only(&mut desk, 91);
    desk.write(user.clone(), start, stop());
    desk.opt_in(1, "orders", Some(start + 10)).unwrap();
    tell(&mut desk, Heard::Both, start + 20);
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Withdrawn, "since then");
    assert_eq!(desk.status(91, "orders"), ConsentStatus::Granted, "later than that");
    assert!(desk.reserve(1, SESSION).is_ok() && desk.reserve(91, SESSION).is_ok());
    assert!(desk.replayed() == desk.state);

    let mut desk = Desk::new();
    desk.write(user.clone(), desk.now, None);
    desk.ask(1, "promotions");
    let both = desk.both(1, 91);
    desk.now += 10;
    desk.write(both, desk.now, yes());
    assert_eq!(desk.status(91, "promotions"), ConsentStatus::Granted);
    let [user, number] = [91, 1].map(|key| desk.state.contacts().find(ContactKey::from_bits(key)));
    assert_eq!(user, number);
    let contact = desk.state.contacts().get(user.unwrap()).unwrap();
    assert_eq!(contact.details().pair.as_ref().map(|pair| pair.since.at), Some(at(desk.now - 1)));
    assert!(desk.replayed() == desk.state);
}

#[test]
fn a_ticket_of_either_is_the_persons_and_is_committed_by_what_names_both() {
    let mut desk = agreed();
    let start = desk.now - 90;
    tell(&mut desk, Heard::Alone, start);
    let (template, chat) = (desk.reserve(1, TEMPLATE).unwrap(), desk.reserve(91, SESSION).unwrap());
    let person = Some(desk.both(1, 91));
    let sent = delivery(&mut desk, 1, 8, Step::Sent);
    let now = desk.now;
    desk.hear(now, HeardFact::Delivery(Delivery { person, ticket: Some(template), ..sent }));
    assert!(matches!(desk.state.ticket(template).unwrap().state, TicketState::Committed { .. }));
    assert_eq!(desk.state.ticket(chat).unwrap().state, TicketState::Reserved);
    let user = user_only(&mut desk, 91);
    desk.write(user, now, stop());
    assert_eq!(cause(&desk, chat), Some(VoidCause::Withdrawn));
    assert!(desk.replayed() == desk.state);
}

#[test]
fn a_stop_under_the_user_id_that_took_anothers_place_reaches_the_number() {
    for is_told in [true, false] {
        let mut desk = agreed();
        let start = desk.now - 90;
        tell(&mut desk, Heard::Both, start);
        if is_told {
            let fact = desk.moved_user(91, 92);
            desk.hear(start + 10, fact);
        }
        tell(&mut desk, Heard::Next, start + 20);
        desk.opt_in(1, "promotions", Some(start + 30)).unwrap();
        assert!(desk.reserve(1, TEMPLATE).is_ok());
        // The number has them, and everybody knows since when.
        tell(&mut desk, Heard::Reached, start + 40);
        let ticket = desk.reserve(1, TEMPLATE).unwrap();
        let next = user_only(&mut desk, 92);
        desk.write(next, start + 50, stop());
        let refused = desk.reserve(1, TEMPLATE).unwrap_err();
        assert!(refused.contains(&Reason::Withdrawn), "{is_told}: {refused:?}");
        assert_eq!(cause(&desk, ticket), Some(VoidCause::Withdrawn));
        let refused = desk.may(91, TEMPLATE).unwrap_err();
        assert!(refused.contains(&Reason::Withdrawn), "{refused:?}");
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn an_id_that_took_anothers_place_by_whatsapps_word_is_no_other_owner_in_any_order() {
    #[derive(Debug, Clone, Copy)]
    enum Told {
        Before,
        Moved,
        After,
    }
    for names_number in [true, false] {
        for order in orders(&[Told::Before, Told::Moved, Told::After]) {
            for (agreed_at, is_good) in [(5, false), (15, true), (30, true)] {
                let mut desk = agreed();
                let start = desk.now - 90;
                for told in &order {
                    match told {
                        Told::Before => drop(tell(&mut desk, Heard::Both, start)),
                        Told::After => drop(tell(&mut desk, Heard::Next, start + 20)),
                        Told::Moved => {
                            let mut fact = desk.moved_user(91, 92);
                            if let HeardFact::MovedUser { number, .. } = &mut fact {
                                *number = desk.person(1).number.filter(|_| names_number);
                            }
                            desk.hear(start + 10, fact);
                        }
                    }
                }
                desk.opt_in(1, "promotions", Some(start + agreed_at)).unwrap();
                let case = format!("{names_number} {order:?} {agreed_at}");
                assert_eq!(desk.reserve(1, TEMPLATE).is_ok(), is_good, "{case}");
                let found = |key| desk.state.contacts().find(ContactKey::from_bits(key));
                assert!(found(1) == found(92) && found(1) == found(91), "{case}");
                assert!(desk.replayed() == desk.state, "{case}");
            }
        }
    }
}

#[test]
fn whoever_had_the_number_before_is_not_written_to_by_their_id() {
    let mut desk = agreed();
    let start = desk.now - 90;
    tell(&mut desk, Heard::Both, start);
    tell(&mut desk, Heard::Next, start + 20);
    desk.opt_in(1, "promotions", Some(start + 30)).unwrap();
    assert!(desk.may(1, TEMPLATE).is_ok() && desk.may(92, TEMPLATE).is_ok());
    assert_eq!(desk.may(91, TEMPLATE), Err(vec![Reason::NumberChanged]));
}

#[test]
fn a_third_id_and_one_from_long_before_are_told_apart_in_any_order() {
    let history = [(91_u128, 10), (92, 20), (93, 30)];
    for order in orders(&history) {
        let mut desk = agreed();
        let start = desk.now - 90;
        for (user, after) in &order {
            let person = desk.both(1, *user);
            desk.write(person, start + after, None);
        }
        for (user, after) in &order {
            let person = desk.both(1, *user);
            assert!(desk.write(person, start + after, None).is_empty(), "{order:?} {user}");
        }
        desk.opt_in(1, "promotions", Some(start + 29)).unwrap();
        assert!(desk.reserve(1, TEMPLATE).is_err(), "{order:?}");
        desk.opt_in(1, "promotions", Some(start + 31)).unwrap();
        assert!(desk.reserve(1, TEMPLATE).is_ok(), "{order:?}");
        let found = |key| desk.state.contacts().find(ContactKey::from_bits(key));
        assert!([91, 92, 93].map(found).iter().all(|place| *place == found(1)), "{order:?}");
        assert_eq!(
            desk.state.contacts().get(found(1).unwrap()).unwrap().user_key,
            Some(ContactKey::from_bits(93))
        );
        assert!(desk.replayed() == desk.state, "{order:?}");
    }
}

#[test]
fn a_number_shared_by_whoever_is_known_by_their_user_id_is_theirs() {
    let mut desk = agreed();
    let start = desk.now - 90;
    let user = user_only(&mut desk, 91);
    desk.write(user.clone(), start, stop());
    let shared_number = desk.person(1).number;
    desk.hear(start + 10, HeardFact::Wrote(Wrote { shared_number, ..wrote(user, None) }));
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::Withdrawn]));
}

#[test]
fn a_number_that_a_user_id_has_left_is_somebody_elses_in_any_order() {
    for is_late in [false, true] {
        for agreed_at in [5, 30] {
            let mut desk = Desk::new();
            desk.now += 100;
            let start = desk.now - 90;
            for number in [1, 2] {
                desk.opt_in(number, "promotions", Some(start)).unwrap();
            }
            let mut named = [(1, 10), (2, 20)];
            if is_late {
                named.reverse();
            }
            for (number, after) in named {
                let person = desk.both(number, 91);
                desk.write(person, start + after, None);
            }
            desk.opt_in(1, "promotions", Some(start + agreed_at)).unwrap();
            let case = format!("{is_late} {agreed_at}");
            assert_eq!(desk.reserve(1, TEMPLATE).is_ok(), agreed_at == 30, "{case}");
            assert!(desk.reserve(2, TEMPLATE).is_ok(), "{case}");
            for (number, after) in named {
                let person = desk.both(number, 91);
                let again = desk.write(person, start + after, None);
                assert!(again.is_empty(), "{case} {number}: {again:?}");
            }
            let person = desk.both(2, 91);
            desk.write(person, start + 60, None);
            assert_eq!(desk.reserve(1, TEMPLATE).is_ok(), agreed_at == 30, "{case}");
            assert!(desk.replayed() == desk.state, "{case}");
        }
    }
}

#[test]
fn a_ticket_to_a_number_that_its_owner_left_is_taken_back() {
    let mut desk = agreed();
    let start = desk.now - 90;
    tell(&mut desk, Heard::Both, start);
    let ticket = desk.reserve(1, TEMPLATE).unwrap();
    let person = desk.both(2, 91);
    desk.write(person, start + 20, None);
    assert_eq!(cause(&desk, ticket), Some(VoidCause::NumberChanged));
    assert_eq!(desk.may(1, TEMPLATE), Err(vec![Reason::NumberChanged]));
}

#[test]
fn two_numbers_of_one_person_have_an_id_each_and_only_a_third_is_another_owners() {
    let mut desk = Desk::new();
    for number in [1, 2] {
        desk.opt_in(number, "promotions", None).unwrap();
    }
    super::owners::join(&mut desk, 2, 1);
    desk.now += 100;
    let start = desk.now - 90;
    for round in 0..3 {
        for (number, user) in [(1, 91), (2, 92)] {
            let person = desk.both(number, user);
            desk.write(person, start + round * 10, None);
        }
        assert!(desk.may(1, TEMPLATE).is_ok() && desk.may(2, TEMPLATE).is_ok(), "{round}");
    }
    let user = user_only(&mut desk, 92);
    desk.write(user, start + 40, stop());
    assert_eq!(desk.may(1, TEMPLATE), Err(vec![Reason::Withdrawn]), "they are one person");
    desk.opt_in(1, "promotions", Some(start + 50)).unwrap();
    for _ in 0..2 {
        let person = desk.both(2, 93);
        desk.write(person, start + 60, None);
    }
    assert!(desk.may(1, TEMPLATE).is_ok());
    assert_eq!(desk.may(2, TEMPLATE), Err(vec![Reason::NumberChanged]));
    assert!(desk.replayed() == desk.state);
}
