//! A number that WhatsApp names with a user id which has another number.

use super::{
    ConsentAnswer, DecideReview, Delivery, Desk, Event, HeardFact, Reason, ReviewDecision, SESSION,
    Step, TEMPLATE, Wrote, delivery, how, stop, user_of, user_only, wrote,
};
use crate::domain::{
    command::{Command, ContactRef},
    consent::ConsentStatus,
    decide::tests::topic_id,
    hearing::{Failure, FailureEffect},
    key::ContactKey,
    ticket::{TicketState, VoidCause},
};

/// What names number 1 and user 91 together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Status(Step),
    Message,
    Preference,
    Card,
}

const LINKS: [Link; 6] = [
    Link::Status(Step::Sent),
    Link::Status(Step::Delivered),
    Link::Status(Step::Read),
    Link::Message,
    Link::Preference,
    Link::Card,
];

fn tell(desk: &mut Desk, link: Link, ms: i64) -> Vec<Event> {
    let person = desk.both(1, 91);
    let fact = match link {
        Link::Status(step) => {
            let named = Some(person);
            HeardFact::Delivery(Delivery { person: named, ..delivery(desk, 1, 500, step) })
        }
        Link::Message => HeardFact::Wrote(wrote(person, None)),
        Link::Preference => HeardFact::MarketingPreference { person, is_stopped: false },
        Link::Card => {
            let user = user_only(desk, 91);
            HeardFact::Wrote(Wrote { shared_number: person.number, ..wrote(user, None) })
        }
    };
    desk.hear(ms, fact)
}

/// What restricts user 91 alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    Everything,
    Topic,
    Marketing,
    Barred,
}

fn restrict(desk: &mut Desk, limit: Limit, ms: i64) {
    let user = user_only(desk, 91);
    let fact = match limit {
        Limit::Everything => HeardFact::Wrote(wrote(user, stop())),
        Limit::Topic => {
            let topics = Some(vec![topic_id("promotions")]);
            HeardFact::Wrote(wrote(user, Some(ConsentAnswer::OptOut { topics, how: how() })))
        }
        Limit::Marketing => HeardFact::MarketingPreference { person: user, is_stopped: true },
        Limit::Barred => {
            let effect = FailureEffect::BlockedByBusiness;
            let failure = Failure { code: 130_403, effect, pause_ms: None, country: None };
            let failed = delivery(desk, 1, 501, Step::Failed);
            let (person, failure) = (Some(user), Some(failure));
            HeardFact::Delivery(Delivery { person, failure, ..failed })
        }
    };
    desk.hear(ms, fact);
}

#[test]
fn what_restricts_a_user_id_restricts_the_number_named_with_it_in_any_order() {
    for limit in [Limit::Everything, Limit::Topic, Limit::Marketing, Limit::Barred] {
        for link in LINKS {
            for is_linked_first in [true, false] {
                // What lifts a stop of marketing is no way to show that one stands.
                if limit == Limit::Marketing && link == Link::Preference {
                    continue;
                }
                let case = format!("{limit:?} {link:?} {is_linked_first}");
                let mut desk = Desk::new();
                desk.opt_in(1, "promotions", None).unwrap();
                let user = desk.both(2, 91);
                desk.write(user, desk.now, None);
                desk.now += 100;
                let start = desk.now - 50;
                if is_linked_first {
                    tell(&mut desk, link, start + 20);
                    restrict(&mut desk, limit, start + 10);
                } else {
                    restrict(&mut desk, limit, start + 10);
                    tell(&mut desk, link, start + 20);
                }
                let expected = match limit {
                    Limit::Everything | Limit::Topic => Reason::Withdrawn,
                    Limit::Marketing => Reason::MarketingStopped,
                    Limit::Barred => Reason::Blocked,
                };
                assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![expected]), "{case}");
                let reviews: Vec<_> = desk.reviews().into_iter().map(|(_, why)| why).collect();
                assert_eq!(reviews, ["identifiers_conflict"], "{case}");
                assert!(desk.replayed() == desk.state, "{case}");
                if limit == Limit::Everything || limit == Limit::Topic {
                    // It is dated as it was.
                    desk.opt_in(1, "promotions", Some(start + 15)).unwrap();
                    assert!(desk.reserve(1, TEMPLATE).is_ok(), "{case}");
                }
            }
        }
    }
}

/// Number 1 agreed, user 91 wrote by number 2, and a status names both.
fn linked() -> Desk {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let user = desk.both(2, 91);
    desk.write(user, desk.now, None);
    let now = desk.now;
    let told = tell(&mut desk, Link::Status(Step::Delivered), now);
    assert_eq!(told.iter().filter(|it| matches!(it, Event::SeenTogether { .. })).count(), 2);
    assert!(desk.reserve(1, TEMPLATE).is_ok());
    desk
}

#[test]
fn from_then_on_what_restricts_either_restricts_both_and_takes_tickets_back() {
    for limit in [Limit::Everything, Limit::Topic, Limit::Marketing, Limit::Barred] {
        let mut desk = linked();
        let ticket = desk.reserve(1, TEMPLATE).unwrap();
        desk.now += 10;
        let now = desk.now;
        restrict(&mut desk, limit, now);
        assert!(desk.reserve(1, TEMPLATE).is_err(), "{limit:?}");
        let state = desk.state.ticket(ticket).unwrap().state;
        assert!(matches!(state, TicketState::Voided { .. }), "{limit:?} {state:?}");
        assert!(desk.replayed() == desk.state, "{limit:?}");
    }
    let mut desk = linked();
    desk.opt_out(1, None).unwrap();
    assert_eq!(desk.reserve(91, SESSION), Err(vec![Reason::Withdrawn]));
    let mut desk = linked();
    let ticket = desk.reserve(1, TEMPLATE).unwrap();
    let [user, number] = [91, 1].map(|key| ContactRef::Key(ContactKey::from_bits(key)));
    desk.run(Command::Block { contact: user, reason: None }).unwrap();
    let cause = VoidCause::Blocked;
    assert_eq!(desk.state.ticket(ticket).unwrap().state, TicketState::Voided { cause });
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::Blocked]));
    // Whoever lifts it, lifts it where they say.
    desk.run(Command::Unblock { contact: number }).unwrap();
    let now = desk.now;
    tell(&mut desk, Link::Status(Step::Read), now);
    assert!(desk.reserve(1, TEMPLATE).is_ok());
    assert!(desk.replayed() == desk.state);
}

#[test]
fn a_block_from_before_counts_for_both_and_what_was_agreed_to_for_one() {
    for (blocked, other) in [(1, 91), (91, 1)] {
        let mut desk = Desk::new();
        desk.opt_in(1, "promotions", None).unwrap();
        let user = desk.both(2, 91);
        desk.write(user, desk.now, None);
        let contact = ContactRef::Key(ContactKey::from_bits(blocked));
        desk.run(Command::Block { contact, reason: None }).unwrap();
        let now = desk.now;
        tell(&mut desk, Link::Message, now);
        let refused = desk.reserve(other, SESSION).unwrap_err();
        assert!(refused.contains(&Reason::Blocked), "{other} {refused:?}");
        assert_eq!(desk.status(91, "promotions"), ConsentStatus::NeverAsked);
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn what_names_both_again_is_no_news() {
    let mut desk = linked();
    let reviews = desk.reviews();
    for link in LINKS {
        desk.now += 10;
        let now = desk.now;
        let told = tell(&mut desk, link, now);
        assert!(!told.iter().any(|it| matches!(it, Event::SeenTogether { .. })), "{link:?}");
        assert_eq!(desk.reviews(), reviews, "{link:?}");
    }
}

#[test]
fn whoever_moved_away_is_the_person_no_longer_and_may_come_back() {
    let mut desk = linked();
    desk.now += 10;
    let moved = desk.now;
    let (old, new) = (desk.person(1), Some(desk.person(3)));
    desk.hear(moved, HeardFact::MovedNumber { old, new });
    desk.opt_in(1, "promotions", Some(moved + 1)).unwrap();
    desk.now += 10;
    let now = desk.now;
    restrict(&mut desk, Limit::Topic, now);
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Granted, "of the next owner");
    let now = desk.now;
    tell(&mut desk, Link::Status(Step::Delivered), now);
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Withdrawn, "who is that person");
    assert!(desk.replayed() == desk.state);
}

#[test]
fn a_merge_of_the_two_leaves_one_that_is_tied_to_nobody() {
    let mut desk = linked();
    super::owners::join(&mut desk, 91, 1);
    let now = desk.now;
    restrict(&mut desk, Limit::Everything, now);
    assert_eq!(desk.status(1, "promotions"), ConsentStatus::Withdrawn);
    let third = desk.both(3, 91);
    assert_eq!(third.user.as_ref().map(|user| user.key), Some(user_of(91).key));
    assert!(desk.replayed() == desk.state);
}

#[test]
fn a_number_nobody_knew_that_is_named_with_a_user_id_of_another_number_is_one_person_with_it() {
    for link in LINKS.into_iter().filter(|link| *link != Link::Card) {
        for is_stopped_first in [true, false] {
            let case = format!("{link:?} {is_stopped_first}");
            let mut desk = Desk::new();
            let before = desk.both(2, 91);
            desk.write(before, desk.now, None);
            desk.now += 100;
            let start = desk.now - 50;
            if is_stopped_first {
                restrict(&mut desk, Limit::Everything, start + 10);
            }
            tell(&mut desk, link, start + 20);
            let reviews = desk.reviews().len();
            assert_eq!(reviews, 1, "{case}");
            desk.opt_in(1, "promotions", Some(start + 5)).unwrap();
            assert!(tell(&mut desk, link, start + 20).is_empty(), "{case}, told again");
            if !is_stopped_first {
                restrict(&mut desk, Limit::Everything, start + 10);
            }
            assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::Withdrawn]), "{case}");
            assert!(desk.replayed() == desk.state, "{case}");
        }
    }
}

#[test]
fn what_people_decided_about_two_contacts_of_one_name_they_need_not_decide_again() {
    let mut desk = linked();
    let (now, owner) = (desk.now, desk.both(3, 92));
    desk.write(owner, now, None);
    let person = desk.both(3, 91);
    desk.write(person.clone(), now, None);
    let decide = |desk: &mut Desk| {
        for (review, _) in desk.reviews() {
            let (decision, topics, note) = (ReviewDecision::Nothing, None, None);
            let decided = DecideReview { review, decision, topics, note };
            desk.run(Command::DecideReview(Box::new(decided))).unwrap();
        }
    };
    desk.now += 10;
    decide(&mut desk);
    assert!(desk.write(person.clone(), now, None).is_empty(), "told again");
    assert!(desk.reviews().is_empty());
    desk.write(person, desk.now + 1, None);
    assert_eq!(desk.reviews().len(), 1, "it goes on");
    assert!(desk.replayed() == desk.state);
}
