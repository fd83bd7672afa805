//! Whatever an unusual share of failures has in common is an incident, also where it says nothing
//! lasting of people: then it is recorded, and takes nothing back.

use proptest::prelude::*;

use super::{Desk, TEMPLATE, at, delivery};
use crate::domain::{
    decide::tests::sender_id,
    event::{Event, OutcomeSeen},
    hearing::{Delivery, Failure, FailureEffect, HeardFact, Step},
    incident::{IncidentKind, Tally},
    key::MessageKey,
    time::HOUR_MS,
};

const MINUTE: i64 = crate::domain::time::MINUTE_MS;

/// So many people at least, and no more than are needed to say so.
const PEOPLE: u128 = 20;

impl Desk {
    /// A desk at which people agreed, an hour ago.
    fn of(people: u128) -> Self {
        let mut desk = Self::new();
        for key in 1..=people {
            desk.opt_in(key, "promotions", None).unwrap();
        }
        desk.now += 2 * HOUR_MS;
        desk
    }

    /// A message to somebody failed, or arrived.
    fn came(&mut self, (key, message): (u128, u128), ms: i64, failure: Failed) -> Vec<Event> {
        let step = if failure.is_some() { Step::Failed } else { Step::Delivered };
        let failure = failure.map(|(code, effect)| Failure {
            code,
            effect,
            pause_ms: (effect == FailureEffect::PairBackoff).then_some(1_000),
            country: (effect == FailureEffect::CountryBlocked).then(|| "ID".into()),
        });
        let delivery = delivery(self, key, message, step);
        // Beyond these nobody is known, and nobody is named.
        let person = delivery.person.filter(|_| key <= NAMED);
        self.hear(ms, HeardFact::Delivery(Delivery { person, failure, ..delivery }))
    }

    /// A message to each of so many people fails; all that followed for the last of them.
    fn many_fail(&mut self, people: u128, now: i64, how: (i64, FailureEffect)) -> Vec<Event> {
        (1..=people).map(|key| self.came((key, 500 + key), now, Some(how))).last().unwrap()
    }

    fn shown(&self) -> Vec<IncidentKind> {
        self.state.incidents().open_at(at(self.now)).map(|(_, kind, _)| kind).collect()
    }

    fn counted(&self, kind: IncidentKind) -> Tally {
        let place = self.state.registry().sender(&sender_id()).unwrap().0;
        self.state.incidents().of(place).unwrap().tally_at(kind, at(self.now))
    }

    fn is_open_in_memory(&self, kind: IncidentKind) -> bool {
        let place = self.state.registry().sender(&sender_id()).unwrap().0;
        self.state.incidents().of(place).unwrap().open(kind).is_some()
    }
}

/// The last person that is named.
const NAMED: u128 = 100;

type Failed = Option<(i64, FailureEffect)>;

/// What was recorded of incidents: how, and how many of how many; 0 of 0 where one is over.
fn recorded(events: &[Event]) -> Vec<(IncidentKind, u32, u32)> {
    let told = events.iter().filter_map(|event| {
        if let Event::IncidentOpened { kind, failed, outcomes, absolved, .. } = event {
            assert!(absolved.is_empty(), "{events:?}");
            Some((*kind, *failed, *outcomes))
        } else if let Event::IncidentClosed { kind, .. } = event {
            Some((*kind, 0, 0))
        } else {
            None
        }
    });
    told.collect()
}

#[test]
fn whatever_many_failures_have_in_common_is_recorded_and_marks_stay_as_they_are() {
    use FailureEffect as E;
    for (code, effect, is_marked) in [
        (131_000, E::Nothing, false),
        (999_999, E::Nothing, false),
        (132_000, E::Nothing, false),
        (131_047, E::WindowClosed, false),
        (131_056, E::PairBackoff, false),
        (131_049, E::MarketingCooldown, true),
        (131_050, E::MarketingStopped, true),
        (137_000, E::Identity, true),
        (131_048, E::HaltSenderTemplates, true),
        (132_015, E::TemplatePaused, false),
    ] {
        let mut desk = Desk::of(PEOPLE + 1);
        let kind = IncidentKind::Code(code);
        let now = desk.now;
        assert_eq!(recorded(&desk.many_fail(PEOPLE - 1, now, (code, effect))), [], "{code}");
        assert_eq!(desk.shown(), [], "{code}: a few people");
        let events = desk.came((20, 520), now, Some((code, effect)));
        assert_eq!(recorded(&events), [(kind, 20, 20)], "{code}");
        assert!(!events.iter().any(|event| matches!(event, Event::FailureSpared { .. })), "{code}");
        assert_eq!(desk.shown(), [kind], "{code}");
        let events = desk.came((21, 521), now, Some((code, effect)));
        assert_eq!(recorded(&events), [], "{code}: it goes on");
        for key in 1..=PEOPLE + 1 {
            let again = desk.came((key, 500 + key), now, Some((code, effect)));
            assert!(again.is_empty(), "{code} {key}: {again:?}");
        }
        desk.now += 10_000;
        assert_eq!(desk.reserve(1, TEMPLATE).is_err(), is_marked, "{code}");
        assert_eq!(desk.reserve(20, TEMPLATE).is_err(), is_marked, "{code}");
        assert!(desk.replayed() == desk.state, "{code}");
    }
}

#[test]
fn a_country_that_is_closed_to_the_sender_is_an_incident_of_the_people_there() {
    let mut desk = Desk::of(PEOPLE);
    let now = desk.now;
    let events = desk.many_fail(PEOPLE, now, (130_497, FailureEffect::CountryBlocked));
    assert_eq!(recorded(&events), [(IncidentKind::CountryBlocked, 20, 20)]);
    assert_eq!(desk.shown(), [IncidentKind::CountryBlocked]);
    assert!(desk.replayed() == desk.state);
}

#[test]
fn a_person_counts_once_and_ways_to_fail_are_not_added_up() {
    let mut desk = Desk::of(PEOPLE);
    let (now, kind) = (desk.now, IncidentKind::Code(131_000));
    for message in 0..40 {
        desk.came((1, 900 + message), now, Some((131_000, FailureEffect::Nothing)));
    }
    assert_eq!(desk.counted(kind), Tally { people: 1, failed: 40, outcomes: 40 });
    for key in 2..=PEOPLE {
        let code = if key.is_multiple_of(2) { 131_000 } else { 131_016 };
        desk.came((key, 500 + key), now, Some((code, FailureEffect::Nothing)));
    }
    assert_eq!(desk.counted(kind), Tally { people: 11, failed: 50, outcomes: 59 });
    assert_eq!(desk.shown(), []);
}

#[test]
fn failures_among_many_messages_that_arrive_are_none() {
    let mut desk = Desk::of(100);
    let now = desk.now;
    for key in 30..=76 {
        desk.came((key, 500 + key), now, None);
    }
    let how = (131_000, FailureEffect::Nothing);
    assert_eq!(recorded(&desk.many_fail(20, now, how)), [], "20 of 67");
    let events = desk.came((21, 521), now, Some(how));
    assert_eq!(recorded(&events), [(IncidentKind::Code(131_000), 21, 68)], "21 of 68");
    for key in 77..=80 {
        assert_eq!(recorded(&desk.came((key, 500 + key), now, None)), []);
    }
    assert_eq!(desk.shown(), [], "21 of 72");
    let events = desk.came((21, 599), now, Some(how));
    assert_eq!(recorded(&events), [], "22 of 73");
    for key in 81..=90 {
        desk.came((key, 500 + key), now, None);
    }
    let events = desk.came((21, 600), now, Some(how));
    assert_eq!(recorded(&events), [(IncidentKind::Code(131_000), 0, 0)], "23 of 84");
}

#[test]
fn an_incident_is_over_with_the_first_message_after_an_hour_without_such_failures() {
    for effect in [FailureEffect::Nothing, FailureEffect::MarketingStopped] {
        let mut desk = Desk::of(PEOPLE + 1);
        let kind = IncidentKind::Code(131_050);
        desk.now -= desk.now % MINUTE;
        let now = desk.now;
        desk.many_fail(PEOPLE, now, (131_050, effect));
        desk.now += 59 * MINUTE;
        let now = desk.now;
        assert_eq!(recorded(&desk.came((21, 700), now, None)), []);
        assert!(desk.is_open_in_memory(kind));
        desk.now += MINUTE;
        let now = desk.now;
        assert_eq!(recorded(&desk.came((21, 701), now, None)), [(kind, 0, 0)]);
        assert!(!desk.is_open_in_memory(kind));
        assert_eq!(recorded(&desk.came((21, 702), now, None)), [], "it is told once");
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn entries_of_before_count_as_they_did() {
    let mut desk = Desk::of(PEOPLE);
    let now = desk.now;
    desk.came((1, 501), now, Some((131_000, FailureEffect::Nothing)));
    let seen = |kind| OutcomeSeen {
        sender: sender_id(),
        message: MessageKey::from_bits(7),
        happened_at: at(now),
        failed: true,
        kind,
        stranger: false,
        to: None,
    };
    for (kind, of_kind, tally) in [
        (None, IncidentKind::Code(131_000), Tally { people: 0, failed: 0, outcomes: 1 }),
        (
            Some(IncidentKind::Unreachable),
            IncidentKind::Unreachable,
            Tally { people: 0, failed: 1, outcomes: 1 },
        ),
    ] {
        let stored = serde_json::to_value(Event::OutcomeSeen(Box::new(seen(kind)))).unwrap();
        assert!(stored.get("to").is_none(), "as it was: {stored}");
        let Event::OutcomeSeen(read) = serde_json::from_value(stored).unwrap() else { panic!() };
        assert_eq!(*read, seen(kind));
        let mut incidents = crate::domain::incident::Incidents::default();
        let place = desk.state.registry().sender(&sender_id()).unwrap().0;
        incidents.fold_outcome(place, &read);
        let outcomes = incidents.of(place).unwrap();
        assert_eq!(outcomes.tally_at(of_kind, at(now)), tally);
    }
}

#[test]
fn many_codes_are_forgotten_with_their_hour() {
    let mut desk = Desk::of(1);
    let empty = desk.state.incidents().clone();
    for code in 0..2_000 {
        desk.now += 100;
        let (now, message) = (desk.now, 5_000 + u128::try_from(code).unwrap());
        desk.came((1, message), now, Some((code, FailureEffect::Nothing)));
    }
    assert!(*desk.state.incidents() != empty);
    desk.now += HOUR_MS;
    let now = desk.now;
    desk.came((1, 9_000), now, None);
    let mut other = Desk::of(1);
    other.now = now;
    other.came((1, 9_000), now, None);
    assert_eq!(desk.state.incidents(), other.state.incidents());
}

/// One message of an hour: to whom, when, and what came of it.
fn outcome() -> impl Strategy<Value = (u128, i64, Failed)> {
    let failed = |code| Some((code, FailureEffect::Nothing));
    let came = prop_oneof![
        6 => Just(failed(131_000)),
        3 => Just(failed(999_999)),
        2 => Just(Some((131_049, FailureEffect::MarketingCooldown))),
        2 => Just(None),
    ];
    let people = prop_oneof![9 => 1..=30_u128, 1 => NAMED + 1..NAMED + 10];
    (people, 0_i64..60, came)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn an_hour_shows_the_same_incidents_in_any_order_and_told_again_says_nothing_new(
        hour in prop::collection::vec(outcome(), 20..120),
        order in prop::collection::vec(any::<u32>(), 120),
    ) {
        let told = |places: &[usize]| {
            let mut desk = Desk::of(30);
            desk.now += HOUR_MS;
            let start = desk.now - desk.now % MINUTE - 59 * MINUTE;
            for place in places {
                let (key, minute, failed) = hour[*place];
                let message = 10_000 + u128::try_from(*place).unwrap();
                desk.came((key, message), start + minute * MINUTE, failed);
            }
            for place in places {
                let (key, minute, failed) = hour[*place];
                let message = 10_000 + u128::try_from(*place).unwrap();
                let again = desk.came((key, message), start + minute * MINUTE, failed);
                assert!(again.is_empty(), "{again:?}");
            }
            assert!(desk.replayed() == desk.state);
            let codes = [131_000, 999_999, 131_049].map(IncidentKind::Code);
            (desk.shown(), codes.map(|kind| desk.counted(kind)))
        };
        let in_order: Vec<usize> = (0..hour.len()).collect();
        let mut mixed = in_order.clone();
        mixed.sort_by_key(|place| order[*place]);
        prop_assert_eq!(told(&in_order), told(&mixed));
    }
}
