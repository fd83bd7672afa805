//! Whatever happens in whatever order, nobody is written to whom a stop reached last.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::domain::{
    command::{Command, ContactRef, Merge},
    decide::tests::Desk,
    event::Evidence,
    key::ContactKey,
    ticket::MessageKind,
};

fn named(key: u128) -> ContactRef {
    ContactRef::Key(ContactKey::from_bits(key))
}

#[derive(Debug, Clone)]
enum Step {
    In(u128, bool, i64),
    Out(u128, Option<bool>, i64),
    Identity(u128, u8, i64),
    Block(u128, bool),
    Merge(u128, u128),
    Wait(i64),
}

const KEYS: std::ops::Range<u128> = 1..7;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (KEYS, any::<bool>(), 0_i64..40).prop_map(|(k, t, ago)| Step::In(k, t, ago)),
        3 => (KEYS, any::<Option<bool>>(), 0_i64..40).prop_map(|(k, t, ago)| Step::Out(k, t, ago)),
        1 => (KEYS, 0_u8..2, 0_i64..40).prop_map(|(k, h, ago)| Step::Identity(k, h, ago)),
        1 => (KEYS, any::<bool>()).prop_map(|(k, on)| Step::Block(k, on)),
        2 => (KEYS, KEYS).prop_map(|(from, into)| Step::Merge(from, into)),
        1 => (0_i64..50_000).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..50)
}

/// When each person last agreed to promotions, and last withdrew under any spelling; persons
/// are what the numbers lead to after merges.
#[derive(Default)]
struct Notes {
    agreed: BTreeMap<u128, i64>,
    stopped: BTreeMap<u128, i64>,
    person_of: BTreeMap<u128, u128>,
}

impl Notes {
    fn person(&self, key: u128) -> u128 {
        self.person_of.get(&key).copied().unwrap_or(key)
    }

    fn latest(&self, of: &BTreeMap<u128, i64>, key: u128) -> Option<i64> {
        let same = of.iter().filter(|(other, _)| self.person(**other) == self.person(key));
        same.map(|(_, at)| *at).max()
    }
}

fn note(of: &mut BTreeMap<u128, i64>, key: u128, at: i64) {
    let known = of.entry(key).or_insert(at);
    *known = at.max(*known);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn nobody_is_eligible_who_was_stopped_later_than_they_agreed_and_replay_is_the_same(
        steps in steps(),
    ) {
        let mut desk = Desk::new();
        desk.weak = vec![(1, 2), (3, 4)];
        let mut notes = Notes::default();
        let mut open = BTreeMap::new();
        let name = |promotions: bool| if promotions { "promotions" } else { "orders" };
        for step in steps {
            match step {
                Step::In(key, promotions, ago) => {
                    let at = desk.now - ago;
                    desk.opt_in(key, name(promotions), Some(at)).unwrap();
                    if promotions {
                        note(&mut notes.agreed, key, at);
                    }
                }
                Step::Out(key, topic, ago) => {
                    let at = desk.now - ago;
                    let topic = topic.map(name);
                    desk.opt_out_at(key, topic.as_ref().map(std::slice::from_ref), Some(at))
                        .unwrap();
                    let reached: Vec<_> = desk.weak_of(key).collect();
                    if topic.is_none_or(|topic| topic == "promotions") {
                        for key in reached.into_iter().chain([key]) {
                            note(&mut notes.stopped, key, at);
                        }
                    }
                }
                Step::Identity(key, hash, ago) => {
                    let at = desk.now - ago;
                    drop(desk.identity(key, &hash.to_string(), at));
                }
                Step::Block(key, true) => {
                    drop(desk.run(Command::Block { contact: named(key), reason: None }));
                }
                Step::Block(key, false) => {
                    drop(desk.run(Command::Unblock { contact: named(key) }));
                }
                Step::Merge(from, into) => {
                    let merge = Merge {
                            from: named(from),
                            into: named(into),
                            reason: None,
                            evidence: Evidence::new(),
                        };
                        if desk.run(Command::Merge(Box::new(merge))).is_ok() {
                        let (lost, kept) = (notes.person(from), notes.person(into));
                        for key in KEYS {
                            if notes.person(key) == lost {
                                notes.person_of.insert(key, kept);
                            }
                        }
                    }
                }
                Step::Wait(ms) => desk.now += ms,
            }
            for key in KEYS {
                // One ticket per number stays open over each step; more would be a loop's.
                if let Some(ticket) = open.remove(&key) {
                    drop(desk.run(Command::ReleaseSend { ticket }));
                }
                if let Ok(ticket) = desk.reserve(key, MessageKind::Template) {
                    open.insert(key, ticket);
                    let agreed = notes.latest(&notes.agreed, key);
                    prop_assert!(agreed.is_some());
                    prop_assert!(agreed > notes.latest(&notes.stopped, key));
                }
            }
        }
        prop_assert!(desk.replayed() == desk.state, "replay gives another state");
    }
}
