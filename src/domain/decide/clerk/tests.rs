//! The rules held against a careful clerk, over random histories.

use proptest::prelude::*;

use crate::domain::{decide::tests::Desk, ticket::MessageKind};

/// One step of a random history.
#[derive(Debug, Clone)]
enum Step {
    OptIn(u128, bool, i64),
    OptOut(u128, Option<bool>),
    Identity(u128, u8, i64),
    Confirm(u128),
    Reserve(u128),
    Wait(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Some callers' clocks are ahead of ours.
    let (key, ago) = (1_u128..4, -20_i64..40);
    let step = prop_oneof![
        (key.clone(), any::<bool>(), ago.clone()).prop_map(|(k, t, ago)| Step::OptIn(k, t, ago)),
        (key.clone(), any::<Option<bool>>()).prop_map(|(k, t)| Step::OptOut(k, t)),
        (key.clone(), 0_u8..3, ago).prop_map(|(k, h, ago)| Step::Identity(k, h, ago)),
        key.clone().prop_map(Step::Confirm),
        key.prop_map(Step::Reserve),
        (0_i64..100).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..60)
}

/// What a careful clerk would have noted about one person: acts in the order they happened.
#[derive(Default)]
struct Clerk {
    acts: Vec<(u128, Option<&'static str>, bool, i64)>,
    identity: std::collections::BTreeMap<u128, Seen>,
}

/// Who was seen last, and when.
struct Seen {
    hash: u8,
    at: i64,
    /// When somebody else came, if nobody has vouched for them.
    changed: Option<i64>,
    /// When somebody last vouched for whoever came last.
    confirmed: Option<i64>,
}

impl Clerk {
    /// Notes who was seen: somebody else only if that was no earlier than the last sighting. Of two
    /// at one moment the greater hash is the one who came.
    fn note_identity(&mut self, key: u128, hash: u8, at: i64) {
        let first = Seen { hash, at, changed: None, confirmed: None };
        let known = self.identity.entry(key).or_insert(first);
        if at < known.at {
            return;
        }
        if hash == known.hash {
            known.at = at;
        } else if at > known.at || hash > known.hash {
            *known = Seen { hash, at, changed: Some(at), confirmed: None };
        } else if known.confirmed.is_none_or(|confirmed| confirmed < at) {
            known.changed = Some(at);
        }
    }

    /// Says yes only if the latest act about promotions is a yes, after the last change.
    fn says_yes(&self, key: u128) -> bool {
        let about = self.acts.iter().filter(|(who, topic, _, _)| {
            *who == key && topic.is_none_or(|topic| topic == "promotions")
        });
        // Of two acts at one moment the withdrawal counts, so it sorts last.
        let latest = about.max_by_key(|(_, _, agreed, at)| (*at, !agreed));
        let changed = self.identity.get(&key).and_then(|seen| seen.changed);
        latest.is_some_and(|(_, _, agreed, at)| *agreed && changed.is_none_or(|c| *at > c))
    }
}

/// A moment that is no whole second: those stand for any within it, which this clerk knows nothing of.
const fn off_second(ms: i64) -> i64 {
    if ms % 1_000 == 0 { ms + 1 } else { ms }
}

proptest! {
    #[test]
    fn a_ticket_is_given_exactly_when_a_careful_clerk_would_say_yes(steps in steps()) {
        let mut desk = Desk::new();
        let mut clerk = Clerk::default();
        for step in steps {
            match step {
                Step::OptIn(key, promotions, ago) => {
                    let topic = if promotions { "promotions" } else { "orders" };
                    let at = desk.now - ago;
                    desk.opt_in(key, topic, Some(at)).unwrap();
                    clerk.acts.push((key, Some(topic), true, at.min(desk.now)));
                }
                Step::OptOut(key, topic) => {
                    let topic = topic.map(|p| if p { "promotions" } else { "orders" });
                    desk.opt_out(key, topic.as_ref().map(std::slice::from_ref)).unwrap();
                    clerk.acts.push((key, topic, false, desk.now));
                }
                Step::Identity(key, hash, ago) => {
                    let at = off_second(desk.now - ago);
                    if desk.identity(key, &hash.to_string(), at).is_ok() {
                        clerk.note_identity(key, hash, at.min(desk.now));
                    }
                }
                Step::Confirm(key) => {
                    if let Some(seen) = clerk.identity.get_mut(&key) {
                        desk.confirm(key, &seen.hash.to_string()).unwrap();
                        if seen.changed.take().is_some() {
                            seen.confirmed = Some(desk.now);
                        }
                    }
                }
                Step::Reserve(key) => {
                    let yes = desk.reserve(key, MessageKind::Template).is_ok();
                    prop_assert_eq!(yes, clerk.says_yes(key));
                }
                Step::Wait(ms) => desk.now += ms,
            }
        }
        prop_assert!(desk.replayed() == desk.state, "replay gives another state");
    }
}
