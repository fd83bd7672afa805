//! Given a number that has another owner, whoever had it before agrees to nothing for them.

use super::{
    ConsentAnswer, Desk, HeardFact, Reason, TEMPLATE, how,
    pair::{Heard, agreed, cause, orders, tell},
    stop, user_only, yes,
};
use crate::domain::{
    command::{Command, OptIn},
    consent::ConsentStatus,
    decide::tests::{opt_in_of, topic_id},
    key::ContactKey,
    ticket::VoidCause,
    time::Timestamp,
};

#[test]
fn whoever_had_the_number_before_takes_back_and_agrees_to_nothing_for_who_has_it_now() {
    for is_reply in [true, false] {
        let mut desk = agreed();
        let start = desk.now - 90;
        tell(&mut desk, Heard::Both, start);
        tell(&mut desk, Heard::Next, start + 10);
        let next = user_only(&mut desk, 92);
        desk.write(next, start + 20, stop());
        let former = user_only(&mut desk, 91);
        if is_reply {
            let topics = vec![topic_id("promotions")];
            let (statement, language, how) = (None, None, how());
            let tap = ConsentAnswer::OptIn { topics, statement, language, how };
            desk.write(former.clone(), start + 30, Some(tap));
            assert_eq!(desk.reviews().len(), 1);
        } else {
            let opt_in = opt_in_of(former.clone(), "promotions");
            desk.run(Command::OptIn(Box::new(opt_in))).unwrap();
        }
        for key in [1, 91, 92] {
            assert!(desk.may(key, TEMPLATE).is_err(), "{is_reply} {key}");
        }
        let fact = HeardFact::MarketingPreference { person: former.clone(), is_stopped: false };
        desk.prefers(1, start + 40, true);
        desk.hear(start + 50, fact);
        desk.write(former, start + 60, stop());
        desk.opt_in(1, "promotions", None).unwrap();
        assert_eq!(desk.may(1, TEMPLATE), Err(vec![Reason::MarketingStopped]), "{is_reply}");
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn a_number_that_was_given_up_once_is_taken_over_again_by_the_next_id() {
    for by_number in [true, false] {
        let mut desk = agreed();
        let start = desk.now - 90;
        tell(&mut desk, Heard::Both, start);
        let fact = if by_number {
            HeardFact::MovedNumber { old: desk.person(1), new: None }
        } else {
            desk.moved_user(91, 92)
        };
        desk.hear(start + 10, fact);
        tell(&mut desk, Heard::Next, start + 20);
        desk.opt_in(1, "promotions", Some(start + 30)).unwrap();
        let ticket = desk.reserve(1, TEMPLATE).unwrap();
        let third = desk.both(1, 93);
        desk.write(third, start + 40, None);
        assert_eq!(desk.may(1, TEMPLATE), Err(vec![Reason::IdentityChanged]), "{by_number}");
        assert_eq!(cause(&desk, ticket), Some(VoidCause::IdentityChanged));
    }
}

#[test]
fn the_number_and_the_id_of_a_move_are_one_person_in_any_order() {
    #[derive(Debug, Clone, Copy)]
    enum Said {
        Stop,
        Agreed,
        Moved,
    }
    for order in orders(&[Said::Stop, Said::Agreed, Said::Moved]) {
        let mut desk = agreed();
        let start = desk.now - 90;
        for said in &order {
            match said {
                Said::Stop => {
                    let user = user_only(&mut desk, 92);
                    desk.write(user, start + 30, stop());
                }
                Said::Agreed => drop(desk.opt_in(2, "promotions", Some(start + 20)).unwrap()),
                Said::Moved => {
                    let (old, new) = (desk.both(1, 91), Some(desk.both(2, 92)));
                    desk.hear(start + 10, HeardFact::MovedNumber { old, new });
                }
            }
        }
        assert_eq!(desk.status(2, "promotions"), ConsentStatus::Withdrawn, "{order:?}");
        assert!(desk.may(2, TEMPLATE).is_err(), "{order:?}");
        assert!(desk.replayed() == desk.state, "{order:?}");
    }
}

#[test]
fn what_was_asked_and_answered_before_the_join_can_be_taken_back_and_is_not_answered_twice() {
    let no = || Some(ConsentAnswer::No { how: how() });
    for is_merged in [true, false] {
        let join = |desk: &mut Desk, ms| {
            if is_merged {
                super::owners::join(desk, 91, 1);
            } else {
                tell(desk, Heard::Both, ms);
            }
        };
        let mut desk = Desk::new();
        let user = user_only(&mut desk, 91);
        desk.write(user.clone(), desk.now, None);
        desk.ask(1, "promotions");
        desk.now += 10;
        desk.wrote(1, desk.now, yes());
        assert_eq!(desk.status(1, "promotions"), ConsentStatus::Granted);
        desk.now += 10;
        let now = desk.now;
        join(&mut desk, now);
        desk.now += 10;
        desk.wrote(1, desk.now, no());
        assert_eq!(desk.status(1, "promotions"), ConsentStatus::Withdrawn, "{is_merged}");
        let asked = opt_in_of(user.clone(), "orders");
        let asked = OptIn { awaits_confirmation: true, ..asked };
        let mut desk = Desk::new();
        desk.opt_in(1, "promotions", None).unwrap();
        desk.run(Command::OptIn(Box::new(asked))).unwrap();
        for answer in [yes(), stop()] {
            desk.now += 10;
            desk.write(user.clone(), desk.now, answer);
        }
        desk.now += 10;
        let now = desk.now;
        join(&mut desk, now);
        desk.now += 10;
        desk.wrote(1, desk.now, yes());
        assert_eq!(desk.status(1, "orders"), ConsentStatus::Withdrawn, "{is_merged}");
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn a_user_id_the_business_linked_leaves_its_number_too_once_it_was_seen_there() {
    let mut desk = Desk::new();
    let person = desk.both(1, 91);
    let opt_in = opt_in_of(person, "promotions");
    desk.run(Command::OptIn(Box::new(opt_in))).unwrap();
    desk.now += 100;
    let start = desk.now - 90;
    tell(&mut desk, Heard::Both, start + 10);
    // One that was there before is no newer one.
    let older = desk.both(1, 90);
    desk.write(older, start + 5, None);
    desk.opt_in(1, "promotions", Some(start + 11)).unwrap();
    assert!(desk.may(1, TEMPLATE).is_ok());
    let elsewhere = desk.both(2, 91);
    desk.write(elsewhere, start + 20, None);
    assert_eq!(desk.may(1, TEMPLATE), Err(vec![Reason::NumberChanged]));
}

#[test]
fn another_owner_of_a_number_that_came_by_a_merge_with_its_id_is_none_of_the_person() {
    let mut desk = Desk::new();
    for number in [1, 2] {
        desk.opt_in(number, "promotions", None).unwrap();
    }
    let person = desk.both(1, 91);
    desk.write(person, desk.now, None);
    super::owners::join(&mut desk, 1, 2);
    desk.now += 100;
    let now = desk.now;
    let next = desk.both(1, 93);
    desk.write(next, now, None);
    assert_eq!(desk.may(1, TEMPLATE), Err(vec![Reason::NumberChanged]));
    desk.opt_in(2, "promotions", None).unwrap();
    assert_eq!(desk.may(1, TEMPLATE), Err(vec![Reason::NumberChanged]), "by the other number");
    assert!(desk.may(2, TEMPLATE).is_ok());
    assert!(desk.replayed() == desk.state);
}

#[test]
fn that_who_has_a_number_has_had_it_for_longer_takes_nothing_back() {
    let mut desk = agreed();
    let start = desk.now - 90;
    tell(&mut desk, Heard::Both, start);
    tell(&mut desk, Heard::Next, start + 40);
    desk.opt_in(1, "promotions", Some(start + 50)).unwrap();
    let ticket = desk.reserve(1, TEMPLATE).unwrap();
    tell(&mut desk, Heard::Next, start + 20);
    assert_eq!(cause(&desk, ticket), None);
    assert!(desk.replayed() == desk.state);
}

#[test]
fn no_agreement_of_whoever_had_the_number_beats_a_stop_of_whoever_has_it_in_any_order() {
    #[derive(Debug, Clone, Copy)]
    enum Said {
        Before,
        Since,
        Stop,
        Agreed,
    }
    for by_message in [true, false] {
        for order in orders(&[Said::Before, Said::Since, Said::Stop, Said::Agreed]) {
            let mut desk = agreed();
            let start = desk.now - 90;
            let [former, next] = [91, 92].map(|key| user_only(&mut desk, key));
            for said in &order {
                match said {
                    Said::Before => drop(tell(&mut desk, Heard::Both, start + 10)),
                    Said::Since => drop(tell(&mut desk, Heard::Next, start + 30)),
                    Said::Stop => drop(desk.write(next.clone(), start + 40, stop())),
                    Said::Agreed if by_message => {
                        let topics = vec![topic_id("promotions")];
                        let (statement, language, how) = (None, None, how());
                        let tap = ConsentAnswer::OptIn { topics, statement, language, how };
                        desk.write(former.clone(), start + 50, Some(tap));
                    }
                    Said::Agreed => {
                        let captured_at = Some(Timestamp::from_unix_ms(start + 50));
                        let opt_in =
                            OptIn { captured_at, ..opt_in_of(former.clone(), "promotions") };
                        desk.run(Command::OptIn(Box::new(opt_in))).unwrap();
                    }
                }
            }
            assert_eq!(desk.status(1, "promotions"), ConsentStatus::Withdrawn, "{order:?}");
            let place = desk.state.contacts().find(ContactKey::from_bits(1)).unwrap();
            assert!(desk.state.contacts().get(place).unwrap().consents.has_left(), "{order:?}");
            assert!(desk.replayed() == desk.state, "{order:?}");
        }
    }
}

#[test]
fn nothing_that_whoever_had_the_number_said_apart_later_lifts_a_stop_of_marketing() {
    for is_known in [true, false] {
        let mut desk = agreed();
        let start = desk.now - 90;
        tell(&mut desk, Heard::Next, start + 30);
        desk.opt_in(1, "promotions", None).unwrap();
        desk.prefers(1, start + 35, true);
        if is_known {
            tell(&mut desk, Heard::Both, start + 10);
        }
        let person = user_only(&mut desk, 91);
        desk.hear(start + 55, HeardFact::MarketingPreference { person, is_stopped: false });
        tell(&mut desk, Heard::Both, start + 10);
        assert_eq!(desk.may(1, TEMPLATE), Err(vec![Reason::MarketingStopped]), "{is_known}");
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn whoever_has_the_number_has_agreed_whatever_is_put_under_the_former_id_in_any_order() {
    #[derive(Debug, Clone, Copy)]
    enum Said {
        Alone,
        Before,
        Since,
        Agreed,
    }
    for order in orders(&[Said::Alone, Said::Before, Said::Since, Said::Agreed]) {
        let mut desk = Desk::new();
        desk.now += 100;
        let start = desk.now - 90;
        let agree = |desk: &mut Desk, key, ms| {
            let captured_at = Some(Timestamp::from_unix_ms(ms));
            let opt_in = opt_in_of(user_only(desk, key), "promotions");
            desk.run(Command::OptIn(Box::new(OptIn { captured_at, ..opt_in }))).unwrap();
        };
        desk.wrote(1, start, None);
        for said in &order {
            match said {
                Said::Alone => drop(tell(&mut desk, Heard::Alone, start + 5)),
                Said::Before => drop(tell(&mut desk, Heard::Both, start + 10)),
                Said::Since => drop(tell(&mut desk, Heard::Next, start + 30)),
                Said::Agreed => agree(&mut desk, 92, start + 40),
            }
        }
        agree(&mut desk, 91, start + 50);
        assert_eq!(desk.may(1, TEMPLATE), Ok(()), "{order:?}");
        assert_eq!(desk.may(92, TEMPLATE), Ok(()), "{order:?}");
        assert_eq!(desk.may(91, TEMPLATE), Err(vec![Reason::NumberChanged]), "{order:?}");
        assert!(desk.replayed() == desk.state, "{order:?}");
    }
}

#[test]
fn what_a_number_agreed_to_before_somebody_moved_there_is_in_doubt_whoever_was_known_first() {
    #[derive(Debug, Clone, Copy)]
    enum Said {
        Agreed,
        Moved,
        Wrote,
        Both,
    }
    for order in orders(&[Said::Agreed, Said::Moved, Said::Wrote, Said::Both]) {
        let mut desk = Desk::new();
        desk.now += 100;
        let start = desk.now - 90;
        for said in &order {
            match said {
                Said::Agreed => drop(desk.opt_in(2, "promotions", Some(start)).unwrap()),
                Said::Moved => {
                    let (old, new) = (desk.person(1), Some(desk.both(2, 92)));
                    desk.hear(start + 10, HeardFact::MovedNumber { old, new });
                }
                Said::Wrote => {
                    let user = user_only(&mut desk, 92);
                    desk.write(user, start + 20, None);
                }
                Said::Both => {
                    let both = desk.both(2, 92);
                    desk.write(both, start + 30, None);
                }
            }
        }
        for key in [2, 92] {
            assert_eq!(desk.may(key, TEMPLATE), Err(vec![Reason::IdentityChanged]), "{order:?}");
        }
        desk.opt_in(2, "promotions", Some(start + 40)).unwrap();
        assert_eq!(desk.may(2, TEMPLATE), Ok(()), "{order:?}");
        assert!(desk.replayed() == desk.state, "{order:?}");
    }
}
