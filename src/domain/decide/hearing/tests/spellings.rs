//! A withdrawal reaches the weak spellings of a number by whatever way it comes to the number, and
//! in whatever order it comes.

use super::*;
use crate::domain::command::{ContactRef, Merge};

/// The number, and its weak spelling; the number of whoever becomes one with its contact.
const NUMBER: u128 = 1;
const SPELLING: u128 = 2;
const OTHER: u128 = 5;
const USER: u128 = 91;

/// What makes a contact and the number's one person.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Join {
    /// A message names both, and each is known.
    Tied,
    /// A message names both, and the number is not known.
    Linked,
    /// A status names both.
    TiedByStatus,
    /// They are merged, the withdrawn one into the other.
    Merged,
    /// They are merged, the other way round.
    MergedBack,
    /// Somebody moves to the number, and what they said goes along.
    Followed,
    /// The same, and the number is not known.
    FollowedToNew,
}

const JOINS: [Join; 7] = [
    Join::Tied,
    Join::Linked,
    Join::TiedByStatus,
    Join::Merged,
    Join::MergedBack,
    Join::Followed,
    Join::FollowedToNew,
];

impl Join {
    const fn knows_number(self) -> bool {
        !matches!(self, Self::Linked | Self::FollowedToNew)
    }

    fn happen(self, desk: &mut Desk, ms: i64) -> Vec<Event> {
        let key = |key| ContactRef::Key(ContactKey::from_bits(key));
        let both = desk.both(NUMBER, USER);
        match self {
            Self::Tied | Self::Linked => desk.write(both, ms, None),
            Self::TiedByStatus => {
                let status = delivery(desk, NUMBER, 77, Step::Delivered);
                desk.hear(ms, HeardFact::Delivery(Delivery { person: Some(both), ..status }))
            }
            Self::Merged | Self::MergedBack => {
                let (one, other) = (key(OTHER), key(NUMBER));
                let is_back = self == Self::MergedBack;
                let (from, into) = if is_back { (other, one) } else { (one, other) };
                let (reason, evidence) = (None, Evidence::new());
                desk.run(Command::Merge(Box::new(Merge { from, into, reason, evidence }))).unwrap()
            }
            Self::Followed | Self::FollowedToNew => {
                let (old, new) = (desk.person(OTHER), Some(desk.person(NUMBER)));
                desk.hear(ms, HeardFact::MovedNumber { old, new })
            }
        }
    }

    /// Who withdraws.
    fn leaver(self, desk: &mut Desk) -> Person {
        match self {
            Self::Tied | Self::Linked | Self::TiedByStatus => user_only(desk, USER),
            Self::Merged | Self::MergedBack | Self::Followed | Self::FollowedToNew => {
                desk.person(OTHER)
            }
        }
    }
}

fn agree(desk: &mut Desk, person: Person, topic: &str, ms: i64) {
    let opt_in = crate::domain::decide::tests::opt_in_of(person, topic);
    let opt_in = OptIn { captured_at: Some(at(ms)), ..opt_in };
    desk.run(Command::OptIn(Box::new(opt_in))).unwrap();
}

#[test]
fn a_stop_reaches_the_spellings_of_a_number_it_comes_to_by_any_way_and_in_any_order() {
    for join in JOINS {
        for (is_joined_first, is_known) in
            [(true, true), (true, false), (false, true), (false, false)]
        {
            for is_full in [true, false] {
                let case = format!("{join:?} {is_joined_first} {is_known} {is_full}");
                let mut desk = Desk::new();
                desk.weak.push((NUMBER, SPELLING));
                desk.let_follow(true);
                desk.now += 1_001;
                let start = desk.now;
                desk.now += 500;
                let leaver = join.leaver(&mut desk);
                agree(&mut desk, leaver.clone(), "promotions", start);
                if join.knows_number() {
                    desk.opt_in(NUMBER, "promotions", Some(start)).unwrap();
                }
                if is_known {
                    desk.opt_in(SPELLING, "promotions", Some(start)).unwrap();
                }
                let topics = (!is_full).then(|| vec![topic_id("promotions")]);
                let answer = Some(ConsentAnswer::OptOut { topics, how: how() });
                let step = |desk: &mut Desk, is_join: bool| {
                    if is_join {
                        join.happen(desk, start + 200);
                    } else {
                        desk.write(leaver.clone(), start + 100, answer.clone());
                    }
                };
                step(&mut desk, is_joined_first);
                step(&mut desk, !is_joined_first);
                if !is_known {
                    desk.opt_in(SPELLING, "promotions", Some(start)).unwrap();
                }
                for key in [NUMBER, SPELLING] {
                    let status = desk.status(key, "promotions");
                    assert_eq!(status, ConsentStatus::Withdrawn, "{case} {key}");
                }
                assert!(join.happen(&mut desk, start + 200).is_empty(), "a repeat: {case}");
                assert!(desk.write(leaver, start + 100, answer).is_empty(), "a repeat: {case}");
                // They come back under it.
                desk.opt_in(SPELLING, "promotions", None).unwrap();
                assert_eq!(desk.status(SPELLING, "promotions"), ConsentStatus::Granted, "{case}");
                assert!(desk.replayed() == desk.state, "{case}");
            }
        }
    }
}

#[test]
fn a_stop_that_came_by_a_spelling_goes_no_further() {
    let mut desk = Desk::new();
    desk.weak.extend([(NUMBER, SPELLING), (SPELLING, 3)]);
    for key in [NUMBER, SPELLING, 3] {
        desk.opt_in(key, "promotions", None).unwrap();
    }
    desk.wrote(NUMBER, desk.now + 1, stop());
    assert_eq!(desk.status(SPELLING, "promotions"), ConsentStatus::Withdrawn);
    assert_eq!(desk.status(3, "promotions"), ConsentStatus::Granted);
}
