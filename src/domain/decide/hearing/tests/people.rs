//! What WhatsApp says of one person, again and again.

use super::{ConsentAnswer, Desk, SESSION, TEMPLATE, at, fail};
use crate::domain::{
    absorbed::Mark,
    event::Event,
    hearing::{FailureEffect, More},
    key::ContactKey,
    reason::Reason,
    ticket::{TicketState, VoidCause},
    time::HOUR_MS,
};
use crate::limits::REVIEWS_OPEN_MAX;

fn slowed(desk: &mut Desk, ms: i64) -> Vec<Event> {
    fail(desk, ms, 131_056, FailureEffect::PairBackoff, Some(1_000))
}

#[test]
fn each_refusal_in_a_row_makes_the_rest_four_times_as_long_in_any_order() {
    let ends = |order: [i64; 3]| {
        let mut desk = Desk::new();
        desk.opt_in(1, "promotions", None).unwrap();
        desk.now += HOUR_MS;
        let start = desk.now - 30_000;
        for after in order {
            assert_eq!(slowed(&mut desk, start + after).len(), 1);
            assert!(slowed(&mut desk, start + after).is_empty(), "a repeat");
        }
        // 1 s, then 4 s, then 16 s.
        desk.now = start + 10_000 + 15_990;
        let before = desk.reserve(1, TEMPLATE);
        desk.now = start + 10_000 + 16_000;
        (before, desk.reserve(1, TEMPLATE).is_ok())
    };
    for order in [[0, 2_000, 10_000], [10_000, 2_000, 0], [2_000, 10_000, 0]] {
        assert_eq!(ends(order), (Err(vec![Reason::PairRate]), true), "{order:?}");
    }
}

#[test]
fn an_hour_of_rest_makes_the_next_refusal_the_first_again() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let now = desk.now;
    slowed(&mut desk, now);
    desk.now += 2 * HOUR_MS;
    let now = desk.now;
    slowed(&mut desk, now);
    desk.now += 1_001;
    assert!(desk.reserve(1, TEMPLATE).is_ok());
}

#[test]
fn a_stop_of_marketing_takes_back_what_was_to_be_sent_as_marketing_and_nothing_else() {
    for by_failure in [false, true] {
        let mut desk = Desk::new();
        desk.opt_in(1, "promotions", None).unwrap();
        desk.wrote(1, desk.now, None);
        let sale = desk.reserve(1, TEMPLATE).unwrap();
        let chat = desk.reserve(1, SESSION).unwrap();
        if by_failure {
            let now = desk.now;
            fail(&mut desk, now, 131_050, FailureEffect::MarketingStopped, None);
        } else {
            desk.prefers(1, desk.now, true);
        }
        let state = |id| desk.state.ticket(id).unwrap().state;
        assert_eq!(state(sale), TicketState::Voided { cause: VoidCause::MarketingStopped });
        assert_eq!(state(chat), TicketState::Reserved);
    }
}

#[test]
fn whoever_has_many_reviews_open_gets_no_more_and_the_newest_tells_how_many_came_since() {
    let mut desk = Desk::new();
    let doubt = || Some(ConsentAnswer::Review { why: "typo".into(), word: None, scope: None });
    for _ in 0..REVIEWS_OPEN_MAX + 5 {
        desk.now += 10;
        desk.wrote(1, desk.now, doubt());
    }
    let open = desk.reviews();
    assert_eq!(open.len(), REVIEWS_OPEN_MAX);
    let (last_seq, _) = open[REVIEWS_OPEN_MAX - 1];
    let last_at = desk.now - 1;
    let newest = |desk: &Desk| desk.state.reviews_from(last_seq).next().unwrap().1.more;
    assert_eq!(newest(&desk), Some(More { count: 5, last_at: at(last_at) }));
    let older = desk.state.reviews_from(crate::domain::entry::Seq(0));
    assert!(older.take(REVIEWS_OPEN_MAX - 1).all(|(_, review)| review.more.is_none()));
    desk.wrote(1, desk.now - 1_000, doubt());
    assert_eq!(newest(&desk), Some(More { count: 6, last_at: at(last_at) }), "an older one");
    let decided = super::DecideReview {
        review: open[0].0,
        decision: super::ReviewDecision::Nothing,
        topics: None,
        note: None,
    };
    desk.run(super::Command::DecideReview(Box::new(decided))).unwrap();
    desk.wrote(1, desk.now + 10, doubt());
    assert_eq!(desk.reviews().len(), REVIEWS_OPEN_MAX);
    assert!(desk.replayed() == desk.state);
}

#[test]
fn what_may_be_a_stop_is_one_also_where_many_reviews_are_open() {
    let mut desk = Desk::new();
    let doubt = |scope: Option<&str>| {
        let (word, scope) = (scope.map(|_| "stop".into()), scope.map(Box::from));
        Some(ConsentAnswer::Review { why: "typo".into(), word, scope })
    };
    for _ in 0..REVIEWS_OPEN_MAX {
        desk.now += 10;
        desk.wrote(1, desk.now, doubt(None));
    }
    let stops = |desk: &Desk| {
        let subject = desk.state.contacts().find(ContactKey::from_bits(1)).unwrap();
        desk.state.contacts().get(subject).unwrap().details().told().stops.clone()
    };
    assert!(stops(&desk).is_empty());
    let (newest, _) = desk.reviews()[REVIEWS_OPEN_MAX - 1];
    let first = desk.now + 20;
    for wrote_at in [first + 20, first, first + 10] {
        desk.now += 50;
        desk.wrote(1, wrote_at, doubt(Some("everything")));
    }
    let first = at(first);
    assert_eq!(stops(&desk), [Mark { at: first, seq: newest }]);
    let review = desk.state.reviews_from(newest).next().unwrap().1;
    assert_eq!((review.stop_at, review.scope.as_deref()), (Some(first), Some("everything")));
    assert!(desk.replayed() == desk.state);
}
