//! When an unusual share of messages fails in the same way, then that is the sender's trouble and
//! no mark on people.

use super::{Desk, TEMPLATE, at, but_counted, delivery};
use crate::domain::{
    decide::tests::sender_id,
    event::Event,
    hearing::{Delivery, Failure, FailureEffect, HeardFact, Step},
    home::Home,
    incident::{FAILED_MIN, IncidentKind, Tally},
    key::ContactKey,
    reason::Reason,
    time::HOUR_MS,
};
use crate::policy::Country;

const MINUTE: i64 = crate::domain::time::MINUTE_MS;

impl Desk {
    fn fails(&mut self, key: u128, ms: i64, effect: FailureEffect) -> Vec<Event> {
        self.fails_with(key, ms, (131_026, effect))
    }

    fn fails_with(
        &mut self,
        key: u128,
        ms: i64,
        (code, effect): (i64, FailureEffect),
    ) -> Vec<Event> {
        let delivery = delivery(self, key, 500 + key, Step::Failed);
        let failure = Some(Failure { code, effect, pause_ms: None, country: None });
        but_counted(self.hear(ms, HeardFact::Delivery(Delivery { failure, ..delivery })))
    }

    /// One message of many to somebody: what became of it, and what follows.
    fn became(&mut self, key: u128, message: u128, ms: i64, step: Step) -> Vec<Event> {
        let delivery = delivery(self, key, message, step);
        let (code, effect) = (131_000, FailureEffect::Nothing);
        let failure = Failure { code, effect, pause_ms: None, country: None };
        let failure = (step == Step::Failed).then_some(failure);
        self.hear(ms, HeardFact::Delivery(Delivery { failure, ..delivery }))
    }

    fn tally_or_none(&self) -> Option<Tally> {
        let place = self.state.registry().sender(&sender_id()).unwrap().0;
        let outcomes = self.state.incidents().of(place)?;
        Some(outcomes.tally_at(IncidentKind::Unreachable, at(self.now)))
    }

    fn tally(&self) -> Tally {
        self.tally_or_none().unwrap()
    }

    fn arrives(&mut self, key: u128, ms: i64) -> Vec<Event> {
        let delivery = delivery(self, key, 500 + key, Step::Delivered);
        self.hear(ms, HeardFact::Delivery(delivery))
    }

    fn is_unreachable(&mut self, key: u128) -> bool {
        self.reserve(key, TEMPLATE) == Err(vec![Reason::Unreachable])
    }

    fn open(&self) -> usize {
        self.state.incidents().open_at(at(self.now)).count()
    }
}

/// A desk that just has not seen enough failures.
fn almost(effect: FailureEffect) -> (Desk, Vec<u128>, i64) {
    let mut desk = Desk::new();
    let people: Vec<u128> = (1..=u128::from(FAILED_MIN) + 5).collect();
    for key in &people {
        desk.opt_in(*key, "promotions", None).unwrap();
    }
    desk.now += HOUR_MS;
    let start = desk.now;
    for key in people.iter().take(usize::try_from(FAILED_MIN).unwrap() - 1) {
        let events = desk.fails(*key, start, effect);
        assert_eq!(events.len(), 1, "{events:?}");
    }
    (desk, people, start)
}

#[test]
fn when_too_many_fail_alike_nobody_is_unreachable_and_none_of_it_is_told_twice() {
    let (mut desk, people, start) = almost(FailureEffect::Unreachable);
    assert!(desk.is_unreachable(1));
    assert_eq!(desk.open(), 0);
    let now = desk.now;
    let events = desk.fails(20, now, FailureEffect::Unreachable);
    let [
        Event::IncidentOpened { kind, failed, outcomes, absolved, .. },
        Event::FailureSpared { .. },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((*kind, *failed, *outcomes), (IncidentKind::Unreachable, 20, 20));
    assert_eq!(absolved.len(), 19);
    assert_eq!(desk.open(), 1);
    let events = desk.fails(21, now, FailureEffect::Unreachable);
    assert!(matches!(events[..], [Event::FailureSpared { .. }]));
    for key in people {
        assert!(!desk.is_unreachable(key), "{key}");
        if key <= 21 {
            let again =
                desk.fails(key, if key < 20 { start } else { now }, FailureEffect::Unreachable);
            assert!(again.is_empty(), "{key}: {again:?}");
        }
    }
    assert!(desk.replayed() == desk.state);
}

#[test]
fn an_incident_is_over_once_failures_are_usual_again() {
    let (mut desk, ..) = almost(FailureEffect::Unreachable);
    desk.fails(20, desk.now, FailureEffect::Unreachable);
    desk.now += 59 * MINUTE;
    let events = desk.fails(21, desk.now, FailureEffect::Unreachable);
    assert!(matches!(events[..], [Event::FailureSpared { .. }]), "{events:?}");
    desk.now += 2 * MINUTE;
    assert_eq!(desk.open(), 0, "nothing shows it any more");
    let events = desk.fails(22, desk.now, FailureEffect::Unreachable);
    assert!(
        matches!(events[..], [Event::IncidentClosed { .. }, Event::TrafficSeen { .. }]),
        "{events:?}"
    );
    assert!(desk.is_unreachable(22));
}

#[test]
fn failures_among_many_messages_that_arrive_are_about_the_people() {
    let (mut desk, ..) = almost(FailureEffect::Unreachable);
    for key in 100..150 {
        desk.opt_in(key, "promotions", None).unwrap();
        desk.arrives(key, desk.now);
        let read = delivery(&mut desk, key, 500 + key, Step::Read);
        desk.hear(desk.now + 1, HeardFact::Delivery(read));
    }
    let events = desk.fails(20, desk.now, FailureEffect::Unreachable);
    assert!(matches!(events[..], [Event::TrafficSeen { .. }]), "20 of 70: {events:?}");
    desk.fails(21, desk.now, FailureEffect::Unreachable);
    let events = desk.fails(22, desk.now, FailureEffect::Unreachable);
    assert!(matches!(events[0], Event::IncidentOpened { .. }), "22 of 72: {events:?}");
}

#[test]
fn each_kind_that_marks_people_for_good_is_absolved_and_what_people_did_is_not() {
    for (effect, is_marked) in [
        (FailureEffect::Experiment, false),
        (FailureEffect::RefuseForever, false),
        (FailureEffect::CountryBlocked, false),
        (FailureEffect::MarketingStopped, true),
        (FailureEffect::MarketingCooldown, true),
        (FailureEffect::Identity, true),
    ] {
        let (mut desk, ..) = almost(effect);
        for key in 20..25 {
            desk.fails(key, desk.now, effect);
        }
        for key in 1..25 {
            assert_eq!(desk.reserve(key, TEMPLATE).is_err(), is_marked, "{effect:?} {key}");
        }
        assert_eq!(desk.open(), 1, "{effect:?}: it is recorded all the same");
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn a_mark_that_something_else_made_since_is_kept() {
    let (mut desk, ..) = almost(FailureEffect::Unreachable);
    let absolved = desk.state.contacts().find(ContactKey::from_bits(1)).unwrap();
    let place = desk.state.registry().sender(&sender_id()).unwrap().0;
    let blamed = desk.state.incidents().of(place).unwrap();
    assert!(blamed.blamed(IncidentKind::Unreachable, at(desk.now)).iter().any(|b| b.0 == absolved));
    // Two hours later the same person fails once more, and then the incident of then is told late.
    desk.now += 2 * HOUR_MS;
    desk.fails(1, desk.now, FailureEffect::Unreachable);
    desk.fails(20, desk.now - 2 * HOUR_MS, FailureEffect::Unreachable);
    assert!(desk.is_unreachable(1));
}

#[test]
fn what_was_spared_is_so_of_that_sender_and_kind_and_older_marks_come_back() {
    let (mut desk, _, start) = almost(FailureEffect::Unreachable);
    // Somebody whose own trouble is older than the incident.
    desk.fails(1, start - 2 * HOUR_MS, FailureEffect::RefuseForever);
    desk.opt_in(50, "promotions", None).unwrap();
    desk.fails(50, start - 90 * MINUTE, FailureEffect::Unreachable);
    desk.fails(50, start, FailureEffect::Unreachable);
    let events = desk.fails(20, start, FailureEffect::Unreachable);
    assert!(matches!(events[..], [Event::FailureSpared { .. }]), "{events:?}");
    assert_eq!(desk.open(), 1);
    assert!(desk.is_unreachable(50), "as it was before");
    desk.fails(20, start - 1, FailureEffect::Experiment);
    assert_eq!(desk.reserve(20, TEMPLATE), Err(vec![Reason::ExperimentGroup]));
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::Blocked]));
    assert!(desk.replayed() == desk.state);
}

#[test]
fn one_person_whose_messages_fail_twenty_times_is_one_person() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    desk.now += HOUR_MS;
    let start = desk.now;
    for after in 0..30 {
        desk.fails(1, start + after, FailureEffect::Unreachable);
    }
    assert_eq!(desk.open(), 0);
    assert!(desk.is_unreachable(1));
}

#[test]
fn a_message_that_was_read_at_once_counts_as_one_that_arrived() {
    let (mut desk, ..) = almost(FailureEffect::Unreachable);
    for key in 100..150 {
        desk.opt_in(key, "promotions", None).unwrap();
        let read = delivery(&mut desk, key, 500 + key, Step::Read);
        desk.hear(desk.now, HeardFact::Delivery(read));
    }
    let events = desk.fails(20, desk.now, FailureEffect::Unreachable);
    assert!(matches!(events[..], [Event::TrafficSeen { .. }]), "20 of 70: {events:?}");
}

#[test]
fn what_says_nothing_new_of_a_person_counts_all_the_same_and_once_for_each_message() {
    for step in [Step::Delivered, Step::Read, Step::Failed] {
        let (mut desk, ..) = almost(FailureEffect::Unreachable);
        desk.opt_in(100, "promotions", None).unwrap();
        let now = desk.now;
        // Each is older than the one before, so that nothing else follows.
        for message in 0..50 {
            desk.became(100, 900 + message, now - i64::try_from(message).unwrap(), step);
        }
        assert_eq!(desk.tally(), Tally { people: 19, failed: 19, outcomes: 69 }, "{step:?}");
        for message in 0..50 {
            let ms = now - i64::try_from(message).unwrap();
            assert!(desk.became(100, 900 + message, ms, step).is_empty(), "a repeat");
            desk.became(100, 900 + message, ms + 5, Step::Read);
        }
        assert_eq!(desk.tally().outcomes, 69, "{step:?}: each has been counted");
        let events = desk.fails(20, now, FailureEffect::Unreachable);
        assert!(matches!(events[..], [Event::TrafficSeen { .. }]), "20 of 70: {events:?}");
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn messages_to_people_nobody_knew_count_show_an_incident_and_mark_nobody() {
    for is_named in [true, false] {
        let mut desk = Desk::new();
        desk.now += HOUR_MS;
        let now = desk.now;
        let told = |desk: &mut Desk, key, step, effect| {
            let failure = Failure { code: 131_026, effect, pause_ms: None, country: None };
            let failure = (step == Step::Failed).then_some(failure);
            let delivery = delivery(desk, key, 2_000 + key, step);
            let person = delivery.person.filter(|_| is_named);
            let fact = HeardFact::Delivery(Delivery { person, failure, ..delivery });
            desk.hear(now, fact)
        };
        for key in 0..30 {
            told(&mut desk, 300 + key, Step::Delivered, FailureEffect::Nothing);
        }
        assert_eq!(desk.tally().outcomes, 30);
        for key in 0..30 {
            let events = told(&mut desk, 400 + key, Step::Failed, FailureEffect::Unreachable);
            let is_found =
                |event: &Event| matches!(event, Event::IncidentOpened { failed: 20, .. });
            assert_eq!(events.iter().any(is_found), key == 19, "{key}: {events:?}");
        }
        assert_eq!(desk.open(), 1);
        assert_eq!(desk.state.contacts().len(), if is_named { 60 } else { 0 });
        for key in 400..430 {
            desk.opt_in(key, "promotions", None).unwrap();
            assert!(!desk.is_unreachable(key), "{key}");
            let again = told(&mut desk, key, Step::Failed, FailureEffect::Unreachable);
            assert!(again.is_empty(), "{key}: {again:?}");
        }
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn a_message_of_a_ticket_counts_once_however_long_it_takes_to_be_read() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let ticket = desk.reserve(1, TEMPLATE).unwrap();
    for (ms, step) in [(0, Step::Sent), (10, Step::Delivered), (2 * HOUR_MS, Step::Read)] {
        desk.now += ms;
        let delivery = Delivery { ticket: Some(ticket), ..delivery(&mut desk, 1, 8, step) };
        let now = desk.now;
        desk.hear(now, HeardFact::Delivery(delivery));
        let expected = u32::from(step == Step::Delivered);
        assert_eq!(desk.tally_or_none().map_or(0, |tally| tally.outcomes), expected, "{step:?}");
    }
}

#[test]
fn errors_that_name_no_message_are_no_outcome() {
    let mut desk = Desk::new();
    let (code, effect) = (130_429, FailureEffect::HaltSender);
    let failure = Some(Failure { code, effect, pause_ms: Some(1_000), country: None });
    let delivery = delivery(&mut desk, 1, 8, Step::Failed);
    let delivery = Delivery { person: None, is_message: false, failure, ..delivery };
    let now = desk.now;
    let events = desk.hear(now, HeardFact::Delivery(delivery));
    assert!(matches!(events[..], [Event::SenderHalted { .. }]), "{events:?}");
}

#[test]
fn a_country_that_was_shown_to_be_open_is_closed_only_by_what_failed_later_in_any_order() {
    #[derive(Clone, Copy)]
    enum Said {
        Failed(i64),
        Arrived(i64),
    }
    let orders: [(&[Said], bool); 6] = [
        (&[Said::Failed(10), Said::Arrived(20), Said::Failed(10)], true),
        (&[Said::Arrived(20), Said::Failed(10)], true),
        (&[Said::Failed(10), Said::Arrived(20), Said::Failed(19), Said::Failed(10)], true),
        (&[Said::Failed(10), Said::Arrived(20), Said::Failed(30)], false),
        (&[Said::Failed(30), Said::Arrived(20), Said::Failed(10)], false),
        (&[Said::Arrived(20), Said::Failed(20)], false),
    ];
    for (order, (said, is_open)) in orders.into_iter().enumerate() {
        let mut desk = Desk::new();
        let country = Country::parse("ID").ok();
        for key in [1, 2, 3] {
            desk.opt_in(key, "promotions", None).unwrap();
            desk.home_of(key, Home { country, zone: None });
        }
        let start = desk.now;
        desk.now += 100;
        for one in said {
            match one {
                Said::Arrived(after) => {
                    let fact = HeardFact::Delivery(delivery(&mut desk, 2, 800, Step::Delivered));
                    desk.hear(start + after, fact);
                }
                Said::Failed(after) => {
                    let failed = delivery(&mut desk, 1, 700, Step::Failed);
                    let (effect, country) = (FailureEffect::CountryBlocked, Some("ID".into()));
                    let failure = Failure { code: 130_497, effect, pause_ms: None, country };
                    let failure = Some(failure);
                    let fact = HeardFact::Delivery(Delivery { failure, ..failed });
                    desk.hear(start + after, fact);
                }
            }
        }
        let expected = if is_open { Ok(()) } else { Err(vec![Reason::CountryBlocked]) };
        assert_eq!(desk.reserve(3, TEMPLATE).map(|_| ()), expected, "{order}");
        assert!(desk.replayed() == desk.state, "{order}");
    }
}
