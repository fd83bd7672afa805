//! Documents are folded from the same entries as the state in memory, and say the same.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails the test it helps")]

use std::collections::BTreeMap;

use izin::{
    documents::ContactDocument,
    domain::{
        command::{Command, Merge, RegistryCommand},
        decide::decide,
        entry::Subject,
        event::{Actor, Evidence, Record, TrafficKind},
        registry::{Category, Topic},
        state::{Draft, State},
        time::{DAY_MS, Timestamp},
    },
};
use proptest::prelude::*;

use crate::business::{
    START, TOPICS, contact, opt_in_of, opt_out_of, person_beside, person_with_user, rules, topic,
};

/// Every consent of every contact stands in its document where it stands in memory.
pub(crate) fn agree(state: &State, document: impl Fn(Subject) -> Option<ContactDocument>) {
    for (subject, contact) in state.contacts().from(Subject(1)) {
        let document = document(subject).unwrap();
        assert_eq!(document.id, contact.id);
        let merged = document.merged_into.map(|merged| (merged.place, merged.seq));
        assert_eq!(merged, contact.details().merged_into);
        if merged.is_some() {
            // What it agreed to is the other's now; its own document keeps it as evidence.
            continue;
        }
        let blocked = document.blocked.as_ref().map(|blocked| (blocked.at, blocked.seq));
        assert_eq!(blocked, contact.details().blocked);
        for id in TOPICS.map(topic) {
            let (ix, _) = state.registry().topic(&id).unwrap();
            let is_known = contact.consents.topics().any(|known| known == ix);
            assert_eq!(document.consent(&id).is_some(), is_known);
            for now in [START - DAY_MS, START, START + DAY_MS, START + 90 * DAY_MS] {
                let now = Timestamp::from_unix_ms(now);
                assert_eq!(document.standing(&id, now), contact.consents.standing(ix, now));
            }
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Act {
    In { person: u32, topics: Vec<usize>, at: Option<i64>, awaits: bool, user: bool },
    Out { person: u32, topics: Option<Vec<usize>>, at: Option<i64> },
    Identity { person: u32, hash: char, at: i64 },
    Confirm { person: u32, hash: char },
    Block { person: u32 },
    Unblock { person: u32 },
    Traffic { person: u32 },
    Merge { from: u32, into: u32 },
}

impl Act {
    pub(crate) fn command(&self) -> Command {
        let names = |topics: &[usize]| -> Vec<&str> {
            topics.iter().filter_map(|n| TOPICS.get(*n)).copied().collect()
        };
        let when = |at: &Option<i64>| at.map(|at| START + at);
        match self {
            Self::In { person, topics, at, awaits, user } => {
                let who = if *user {
                    person_with_user(*person, &format!("user-{person}"))
                } else {
                    person_beside(*person)
                };
                let mut command = opt_in_of(who, &names(topics), when(at));
                command.awaits_confirmation = *awaits;
                Command::OptIn(Box::new(command))
            }
            Self::Out { person, topics, at } => {
                let topics = topics.as_ref().map(|topics| names(topics));
                opt_out_of(person_beside(*person), topics.as_deref(), when(at))
            }
            Self::Identity { person, hash, at } => Command::ReportIdentity {
                contact: contact(*person),
                hash: hash.to_string().into(),
                observed_at: Some(Timestamp::from_unix_ms(START + at)),
            },
            Self::Confirm { person, hash } => Command::ConfirmIdentity {
                contact: contact(*person),
                hash: hash.to_string().into(),
                evidence: Evidence::new(),
            },
            Self::Block { person } => {
                Command::Block { contact: contact(*person), reason: Some("asked to".into()) }
            }
            Self::Unblock { person } => Command::Unblock { contact: contact(*person) },
            Self::Traffic { person } => Command::ReportTraffic {
                contact: contact(*person),
                newcomer: Some(Box::new(person_beside(*person))),
                kind: TrafficKind::Inbound,
                sender: None,
                happened_at: None,
            },
            Self::Merge { from, into } => Command::Merge(Box::new(Merge {
                from: contact(*from),
                into: contact(*into),
                reason: Some("told us so".into()),
                evidence: Evidence::new(),
            })),
        }
    }
}

/// Returns anything anyone may do, among so many people, around the same few moments.
pub(crate) fn act(people: u32) -> impl Strategy<Value = Act> {
    let person = 0..people;
    let topics = || prop::collection::vec(0_usize..TOPICS.len(), 1..3);
    let at = || prop::option::of(-5_i64..5);
    let hash = || prop::char::range('A', 'C');
    prop_oneof![
        6 => (person.clone(), topics(), at(), any::<bool>(), any::<bool>()).prop_map(
            |(person, topics, at, awaits, user)| Act::In { person, topics, at, awaits, user }
        ),
        3 => (person.clone(), prop::option::of(topics()), at())
            .prop_map(|(person, topics, at)| Act::Out { person, topics, at }),
        2 => (person.clone(), hash(), -5_i64..5)
            .prop_map(|(person, hash, at)| Act::Identity { person, hash, at }),
        1 => (person.clone(), hash()).prop_map(|(person, hash)| Act::Confirm { person, hash }),
        1 => person.clone().prop_map(|person| Act::Block { person }),
        1 => person.clone().prop_map(|person| Act::Unblock { person }),
        1 => person.clone().prop_map(|person| Act::Traffic { person }),
        1 => (person.clone(), person).prop_map(|(from, into)| Act::Merge { from, into }),
    ]
}

/// Decides and folds without a log, and folds documents beside.
#[derive(Default)]
struct Desk {
    state: State,
    documents: BTreeMap<Subject, ContactDocument>,
    now: i64,
}

impl Desk {
    /// A business with its topics.
    fn new() -> Self {
        let mut desk = Self::default();
        for id in TOPICS {
            let expires_after_days = (id == "news").then_some(30);
            let (name, category) = (id.into(), Category::Marketing);
            let topic_put = Topic { name, category, description: None, expires_after_days };
            let put = RegistryCommand::PutTopic { id: topic(id), topic: topic_put };
            desk.run(&Command::Registry(Box::new(put)));
        }
        desk
    }

    /// What the documents show of consents, but for the positions of entries, which are those of
    /// arrival.
    fn shown(&self) -> Vec<String> {
        let shown = |document: &ContactDocument| {
            let mut consents: Vec<_> = document
                .consents
                .iter()
                .map(|it| {
                    (it.topic.clone(), it.act, it.at, it.expires_at, it.agreed.map(|it| it.at))
                })
                .collect();
            consents.sort_by(|one, other| one.0.cmp(&other.0));
            format!("{consents:?} {:?}", document.full_stop.as_ref().map(|stop| stop.at))
        };
        self.documents.values().map(shown).collect()
    }

    fn run(&mut self, command: &Command) {
        self.now += 1;
        let now = Timestamp::from_unix_ms(START + self.now);
        let mut draft = Draft::new(&self.state);
        for (subject, event) in decide(&draft, &rules(), command, now).unwrap_or_default() {
            let record = Record { at: now, by: Actor::System, command: None, event };
            let seq = draft.next();
            draft.fold(seq, subject, &record);
            match self.documents.get_mut(&subject) {
                Some(document) => document.fold(seq, &record),
                None => self.documents.extend(
                    ContactDocument::begin(seq, &record).map(|document| (subject, document)),
                ),
            }
        }
        let changes = draft.into_changes();
        self.state.apply(changes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_document_says_what_memory_says_and_survives_being_written(
        acts in prop::collection::vec(act(3), 1..40),
    ) {
        let mut desk = Desk::new();
        for act in acts {
            desk.run(&act.command());
            agree(&desk.state, |subject| desk.documents.get(&subject).cloned());
        }
        for document in desk.documents.values() {
            let json = serde_json::to_vec(document).unwrap();
            prop_assert_eq!(&serde_json::from_slice::<ContactDocument>(&json).unwrap(), document);
            let shown = format!("{document:?}");
            prop_assert!(!shown.contains("7700900"));
        }
    }
    #[test]
    fn a_document_shows_the_same_consents_in_whatever_order_acts_are_heard(
        acts in prop::collection::vec((act(1), any::<u32>()), 1..10),
    ) {
        let dated = |(place, (act, key)): (usize, (Act, u32))| {
            let at = Some(i64::try_from(place).unwrap() * 1_000 - 60_007);
            let act = match act {
                Act::In { person, topics, .. } => {
                    Act::In { person, topics, at, awaits: false, user: false }
                }
                Act::Out { person, topics, .. } => Act::Out { person, topics, at },
                Act::Identity { .. }
                | Act::Confirm { .. }
                | Act::Block { .. }
                | Act::Unblock { .. }
                | Act::Traffic { .. }
                | Act::Merge { .. } => act,
            };
            (act, key)
        };
        let mut acts: Vec<_> = acts.into_iter().enumerate().map(dated).collect();
        let mut in_order = Desk::new();
        for (act, _) in &acts {
            in_order.run(&act.command());
        }
        acts.sort_by_key(|(_, key)| *key);
        let mut mixed = Desk::new();
        for (act, _) in &acts {
            mixed.run(&act.command());
        }
        prop_assert_eq!(in_order.shown(), mixed.shown());
    }
}
