//! Given what happened, when a command comes, then events or a refusal.

use proptest::prelude::*;

use crate::domain::{
    command::{Command, ContactRef, OptOut, Person, UserIdentifier},
    consent::ConsentStatus,
    contact::LookupState,
    decide::tests::{Desk, RULES, sender_id, source},
    entry::Seq,
    event::{Event, Evidence, TrafficKind},
    key::ContactKey,
    reason::Reason,
    refusal::Refusal,
    ticket::{MessageKind, VoidCause},
    time::Timestamp,
};

#[test]
fn a_person_who_never_agreed_is_refused_and_one_who_did_gets_a_ticket() {
    let mut desk = Desk::new();
    assert_eq!(desk.reserve(1, MessageKind::Template), Err(vec![Reason::NeverAsked]));
    desk.opt_in(1, "promotions", None).unwrap();
    let ticket = desk.reserve(1, MessageKind::Template).unwrap();
    assert_eq!(desk.commit(ticket, 7).unwrap().len(), 1);
    assert!(desk.commit(ticket, 7).unwrap().is_empty(), "the same report again is no error");
    assert!(matches!(desk.commit(ticket, 8), Err(Refusal::TicketCommitted)));
}

#[test]
fn agreeing_to_one_topic_is_not_agreeing_to_another() {
    let mut desk = Desk::new();
    desk.opt_in(1, "orders", None).unwrap();
    assert_eq!(desk.reserve(1, MessageKind::Template), Err(vec![Reason::NeverAsked]));
}

#[test]
fn a_stop_of_someone_nobody_knew_is_kept_and_refuses_an_older_claim() {
    let mut desk = Desk::new();
    let events = desk.opt_out(9, None).unwrap();
    assert!(matches!(events.as_slice(), [Event::ContactAdded { .. }, Event::OptedOut(_)]));
    let before = desk.now - 10;
    desk.opt_in(9, "promotions", Some(before)).unwrap();
    assert_eq!(desk.status(9, "promotions"), ConsentStatus::Withdrawn);
    assert_eq!(desk.reserve(9, MessageKind::Template), Err(vec![Reason::Withdrawn]));
}

#[test]
fn a_stop_takes_back_the_open_tickets_of_its_topics_only() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let ticket = desk.reserve(1, MessageKind::Template).unwrap();
    assert_eq!(desk.opt_out(1, Some(&["orders"])).unwrap().len(), 1);
    assert_eq!(desk.opt_out(1, Some(&["promotions"])).unwrap().len(), 2);
    let voided = desk.commit(ticket, 7);
    assert!(matches!(voided, Err(Refusal::TicketVoided { cause: VoidCause::Withdrawn })));
}

#[test]
fn an_identity_change_suspends_until_the_person_agrees_again_topic_by_topic() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    desk.opt_in(1, "orders", None).unwrap();
    let first = desk.now;
    assert_eq!(desk.identity(1, "A", first).unwrap().len(), 1);
    let ticket = desk.reserve(1, MessageKind::Template).unwrap();
    let changed = desk.now;
    assert_eq!(desk.identity(1, "B", changed).unwrap().len(), 2, "the change and the void");
    let voided = desk.commit(ticket, 7);
    assert!(matches!(voided, Err(Refusal::TicketVoided { cause: VoidCause::IdentityChanged })));
    assert_eq!(desk.reserve(1, MessageKind::Template), Err(vec![Reason::IdentityChanged]));
    desk.opt_in(1, "promotions", Some(changed)).unwrap();
    assert_eq!(desk.reserve(1, MessageKind::Template), Err(vec![Reason::IdentityChanged]));
    desk.opt_in(1, "orders", None).unwrap();
    assert_eq!(desk.reserve(1, MessageKind::Template), Err(vec![Reason::IdentityChanged]));
    desk.opt_in(1, "promotions", None).unwrap();
    assert!(desk.reserve(1, MessageKind::Template).is_ok());
}

#[test]
fn late_and_repeated_identity_reports_change_nothing() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let start = desk.now;
    desk.identity(1, "A", start).unwrap();
    desk.identity(1, "B", start + 2).unwrap();
    let changed = desk.state.clone();
    assert!(desk.identity(1, "B", start + 2).unwrap().is_empty());
    assert!(desk.identity(1, "B", start + 3).unwrap().is_empty());
    assert!(desk.identity(1, "A", start + 1).unwrap().is_empty());
    assert!(changed == desk.state);
}

#[test]
fn only_the_latest_hash_can_be_confirmed_and_then_everything_counts_again() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    let start = desk.now;
    desk.identity(1, "A", start).unwrap();
    desk.identity(1, "B", start + 1).unwrap();
    let mut confirm = |hash: &str| {
        desk.run(Command::ConfirmIdentity {
            contact: ContactRef::Key(ContactKey::from_bits(1)),
            hash: hash.into(),
            evidence: Evidence::new(),
        })
    };
    assert!(matches!(confirm("A"), Err(Refusal::IdentityHashMismatch)));
    assert_eq!(confirm("B").unwrap().len(), 1);
    assert!(confirm("B").unwrap().is_empty());
    assert!(desk.reserve(1, MessageKind::Template).is_ok());
}

#[test]
fn a_session_message_needs_an_open_window_and_a_person_who_has_not_left() {
    let mut desk = Desk::new();
    desk.opt_in(1, "orders", None).unwrap();
    assert_eq!(desk.reserve(1, MessageKind::Session), Err(vec![Reason::SessionWindowClosed]));
    let inbound = |at| Command::ReportTraffic {
        contact: ContactRef::Key(ContactKey::from_bits(1)),
        kind: TrafficKind::Inbound,
        sender: Some(sender_id()),
        happened_at: Some(Timestamp::from_unix_ms(at)),
    };
    let wrote_at = desk.now;
    desk.run(inbound(wrote_at)).unwrap();
    assert!(desk.reserve(1, MessageKind::Session).is_ok());
    desk.opt_out(1, None).unwrap();
    assert_eq!(desk.reserve(1, MessageKind::Session), Err(vec![Reason::Withdrawn]));
    desk.opt_in(1, "orders", None).unwrap();
    let closes = wrote_at + crate::domain::eligibility::SESSION_WINDOW_MS;
    desk.now = closes - RULES.session.margin_ms - 2;
    assert!(desk.reserve(1, MessageKind::Session).is_ok(), "one millisecond before the margin");
    assert_eq!(desk.reserve(1, MessageKind::Session), Err(vec![Reason::SessionWindowClosed]));
}

#[test]
fn all_reasons_are_given_in_the_order_of_the_table() {
    let mut desk = Desk::new();
    desk.opt_in(1, "orders", None).unwrap();
    let start = desk.now;
    desk.identity(1, "A", start).unwrap();
    desk.identity(1, "B", start + 1).unwrap();
    desk.run(Command::Block { contact: ContactRef::Key(ContactKey::from_bits(1)), reason: None })
        .unwrap();
    desk.opt_out(1, None).unwrap();
    assert_eq!(
        desk.reserve(1, MessageKind::Template),
        Err(vec![Reason::Blocked, Reason::IdentityChanged, Reason::Withdrawn])
    );
}

#[test]
fn a_future_act_is_refused_and_a_little_clock_skew_is_not() {
    let mut desk = Desk::new();
    let ahead = desk.now + RULES.skew_ms;
    assert!(desk.opt_in(1, "orders", Some(ahead)).is_ok());
    let refused = desk.opt_in(1, "orders", Some(ahead + 1_000));
    assert!(matches!(refused, Err(Refusal::InTheFuture { .. })));
    assert!(matches!(desk.opt_in(1, "nope", None), Err(Refusal::TopicUnknown { place: Some(0) })));
}

#[test]
fn two_identifiers_of_two_people_are_not_joined_by_an_opt_in() {
    let mut desk = Desk::new();
    desk.opt_in(1, "orders", None).unwrap();
    let mut person = desk.person(2);
    person.user = Some(UserIdentifier { user_id: "US.9".into(), key: ContactKey::from_bits(99) });
    let opt_out = |person: Person| {
        Command::OptOut(Box::new(OptOut {
            person,
            topics: None,
            source: source("api"),
            reason: None,
            captured_at: None,
        }))
    };
    desk.run(opt_out(person.clone())).unwrap();
    person.number = desk.person(1).number;
    assert!(matches!(desk.run(opt_out(person)), Err(Refusal::IdentifiersConflict)));
}

#[test]
fn look_ups_need_an_opt_in_and_a_budget_and_messages_earn_more() {
    let mut desk = Desk::new();
    desk.opt_in(1, "promotions", None).unwrap();
    desk.opt_in(2, "promotions", None).unwrap();
    desk.opt_out(3, None).unwrap();
    let count = |desk: &Desk| desk.state.lookups().count();
    desk.look_up(3).unwrap();
    assert_eq!(count(&desk), 0, "nobody may look up a person who withdrew");
    let first = desk.look_up(1).unwrap();
    assert_eq!(count(&desk), 1);
    desk.look_up(1).unwrap();
    assert_eq!(count(&desk), 1, "one look-up in flight per number");
    let refused = desk.look_up(2);
    assert!(matches!(refused, Err(Refusal::LookupBudget { wanted: 1, left: 0, .. })));
    let conclude = Command::ConcludeLookup {
        lookup: first,
        state: LookupState::Registered,
        cause: None,
        wa_id: None,
        wa_key: None,
    };
    desk.run(&conclude).unwrap();
    assert!(matches!(desk.run(&conclude), Err(Refusal::LookupUnknown)));
    let budget = desk.state.governor().budget(&RULES.lookup, Timestamp::from_unix_ms(desk.now));
    assert_eq!((budget.left, budget.uncontacted), (0, 1));
    let ticket = desk.reserve(1, MessageKind::Template).unwrap();
    desk.commit(ticket, 7).unwrap();
    let budget = desk.state.governor().budget(&RULES.lookup, Timestamp::from_unix_ms(desk.now));
    assert_eq!((budget.left, budget.uncontacted), (1, 0));
    assert!(desk.look_up(2).is_ok());
}

/// One step of a random history.
#[derive(Debug, Clone)]
enum Step {
    OptIn(u128, bool, i64),
    OptOut(u128, Option<bool>),
    Identity(u128, u8, i64),
    Reserve(u128),
    Wait(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 1_u128..4;
    let step = prop_oneof![
        (key.clone(), any::<bool>(), 0_i64..40).prop_map(|(k, t, ago)| Step::OptIn(k, t, ago)),
        (key.clone(), any::<Option<bool>>()).prop_map(|(k, t)| Step::OptOut(k, t)),
        (key.clone(), 0_u8..3, 0_i64..40).prop_map(|(k, h, ago)| Step::Identity(k, h, ago)),
        key.prop_map(Step::Reserve),
        (0_i64..100).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..60)
}

/// What a careful clerk would have noted about one person: acts in the order they happened.
#[derive(Default)]
struct Clerk {
    acts: Vec<(u128, Option<&'static str>, bool, i64)>,
    identity: std::collections::BTreeMap<u128, (u8, i64, Option<i64>)>,
}

impl Clerk {
    /// Says yes only if the latest act about promotions is a yes, after the last change.
    fn says_yes(&self, key: u128) -> bool {
        let about = self.acts.iter().filter(|(who, topic, _, _)| {
            *who == key && topic.is_none_or(|topic| topic == "promotions")
        });
        // Of two acts at one moment the withdrawal counts, so it sorts last.
        let latest = about.max_by_key(|(_, _, agreed, at)| (*at, !agreed));
        let changed = self.identity.get(&key).and_then(|(_, _, changed)| *changed);
        latest.is_some_and(|(_, _, agreed, at)| *agreed && changed.is_none_or(|c| *at > c))
    }
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
                    clerk.acts.push((key, Some(topic), true, at));
                }
                Step::OptOut(key, topic) => {
                    let topic = topic.map(|p| if p { "promotions" } else { "orders" });
                    desk.opt_out(key, topic.as_ref().map(std::slice::from_ref)).unwrap();
                    clerk.acts.push((key, topic, false, desk.now));
                }
                Step::Identity(key, hash, ago) => {
                    let at = desk.now - ago;
                    if desk.identity(key, &hash.to_string(), at).is_ok() {
                        let known = clerk.identity.entry(key).or_insert((hash, at, None));
                        if known.0 != hash && at > known.1 {
                            *known = (hash, at, Some(at));
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
        prop_assert!(desk.state.next() > Seq(0));
    }
}
