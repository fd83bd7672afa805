//! Given what happened, when a command comes, then events or a refusal.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::{
    command::{
        NumberIdentifier, OptIn, OptOut, Person, RegistryCommand, RequestLookups, ReserveSend,
        UserIdentifier,
    },
    consent::ConsentStatus,
    contact::LookupState,
    entry::Seq,
    event::{Actor, Evidence, Record, Source},
    ids::{ContactId, LookupId, TicketId},
    key::{ContactKey, MessageKey},
    names::{PortfolioId, SenderId, TemplateName, TopicId},
    phone::PhoneNumber,
    reason::Reason,
    registry::{Category, Portfolio, Quality, Sender, Template, TemplateRef, Topic},
    state::State,
    ticket::MessageKind,
};

pub(super) const RULES: Rules = Rules {
    session: SessionPolicy { margin_ms: 60_000 },
    lookup: LookupPolicy {
        window_ms: 7 * crate::domain::time::DAY_MS,
        starting_allowance: 1,
        cache_ms: 7 * crate::domain::time::DAY_MS,
        requires_opt_in: true,
    },
    skew_ms: 300_000,
};

/// A ledger in miniature: decides, folds, and remembers what happened.
pub(super) struct Desk {
    pub(super) state: State,
    pub(super) now: i64,
    /// Everything that happened, in order.
    pub(super) entries: Vec<(Subject, Record)>,
    /// Keys that are weak spellings of each other.
    pub(super) weak: Vec<(u128, u128)>,
    ids: u128,
}

impl Desk {
    /// A business with two topics, a sender and a template.
    pub(super) fn new() -> Self {
        let mut desk = Self {
            state: State::default(),
            now: 1_000_000,
            entries: Vec::new(),
            weak: Vec::new(),
            ids: 0,
        };
        for (id, category) in [("promotions", Category::Marketing), ("orders", Category::Utility)] {
            let topic =
                Topic { name: id.into(), category, description: None, expires_after_days: None };
            desk.put(RegistryCommand::PutTopic { id: topic_id(id), topic });
        }
        let portfolio =
            Portfolio { name: "Toko".into(), messaging_limit: Some(250), restricted: false };
        let id = PortfolioId::parse("p1").unwrap();
        desk.put(RegistryCommand::PutPortfolio { id: id.clone(), portfolio });
        let sender = Sender {
            portfolio: id,
            number: PhoneNumber::parse("+12025550100").unwrap(),
            status: "CONNECTED".into(),
            quality: Quality::Green,
            halted: false,
        };
        desk.put(RegistryCommand::PutSender { id: sender_id(), sender });
        let template = Template {
            topic: topic_id("promotions"),
            category: Category::Marketing,
            status: "APPROVED".into(),
        };
        let id = TemplateRef {
            name: TemplateName::parse("sale").unwrap(),
            language: crate::domain::names::Language::parse("id").unwrap(),
        };
        desk.put(RegistryCommand::PutTemplate { id, template });
        desk
    }

    pub(super) fn put(&mut self, command: RegistryCommand) {
        self.run(Command::Registry(Box::new(command))).unwrap();
    }

    /// Decides and folds one command, a millisecond after the last.
    pub(super) fn run(
        &mut self,
        command: impl std::borrow::Borrow<Command>,
    ) -> Result<Vec<Event>, Refusal> {
        self.now += 1;
        let now = Timestamp::from_unix_ms(self.now);
        let mut draft = Draft::new(&self.state);
        let events = decide(&draft, &RULES, command.borrow(), now)?;
        for (subject, event) in &events {
            let record = Record { at: now, by: Actor::System, command: None, event: event.clone() };
            draft.fold(draft.next(), *subject, &record);
            self.entries.push((*subject, record));
        }
        let changes = draft.into_changes();
        self.state.apply(changes);
        Ok(events.into_iter().map(|(_, event)| event).collect())
    }

    pub(super) fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }

    /// Returns the weak spellings of a key.
    pub(super) fn weak_of(&self, key: u128) -> impl Iterator<Item = u128> + '_ {
        self.weak.iter().filter_map(move |(one, other)| match key {
            key if key == *one => Some(*other),
            key if key == *other => Some(*one),
            _ => None,
        })
    }

    /// Brings a new state up from what happened, some entries at a time.
    pub(super) fn replayed(&self) -> State {
        let mut state = State::default();
        for entries in self.entries.chunks(7) {
            let mut draft = Draft::new(&state);
            for (subject, record) in entries {
                draft.fold(draft.next(), *subject, record);
            }
            let changes = draft.into_changes();
            state.apply(changes);
        }
        state
    }

    pub(super) fn person(&mut self, key: u128) -> Person {
        let number = NumberIdentifier {
            number: PhoneNumber::parse(&format!("+1202555{key:04}")).unwrap(),
            key: ContactKey::from_bits(key),
            is_valid: true,
            written: None,
            weak: self.weak_of(key).map(ContactKey::from_bits).collect(),
        };
        Person { number: Some(number), user: None, new_id: ContactId::from_uuid(self.id()) }
    }

    pub(super) fn opt_in(
        &mut self,
        key: u128,
        topic: &str,
        at: Option<i64>,
    ) -> Result<Vec<Event>, Refusal> {
        let command = OptIn {
            person: self.person(key),
            topics: vec![topic_id(topic)],
            source: source("web_form"),
            statement: None,
            language: None,
            evidence: Evidence::new(),
            captured_at: at.map(Timestamp::from_unix_ms),
            awaits_confirmation: false,
        };
        self.run(Command::OptIn(Box::new(command)))
    }

    pub(super) fn opt_out(
        &mut self,
        key: u128,
        topics: Option<&[&str]>,
    ) -> Result<Vec<Event>, Refusal> {
        self.opt_out_at(key, topics, None)
    }

    pub(super) fn opt_out_at(
        &mut self,
        key: u128,
        topics: Option<&[&str]>,
        at: Option<i64>,
    ) -> Result<Vec<Event>, Refusal> {
        let command = OptOut {
            person: self.person(key),
            topics: topics.map(|topics| topics.iter().map(|topic| topic_id(topic)).collect()),
            source: source("keyword"),
            reason: None,
            captured_at: at.map(Timestamp::from_unix_ms),
        };
        self.run(Command::OptOut(Box::new(command)))
    }

    pub(super) fn identity(
        &mut self,
        key: u128,
        hash: &str,
        at: i64,
    ) -> Result<Vec<Event>, Refusal> {
        self.run(Command::ReportIdentity {
            contact: ContactRef::Key(ContactKey::from_bits(key)),
            hash: hash.into(),
            observed_at: Some(Timestamp::from_unix_ms(at)),
        })
    }

    pub(super) fn reserve(
        &mut self,
        key: u128,
        kind: MessageKind,
    ) -> Result<TicketId, Vec<Reason>> {
        let ticket = TicketId::from_uuid(self.id());
        let command = ReserveSend {
            ticket,
            recipient: ContactRef::Key(ContactKey::from_bits(key)),
            number: None,
            kind,
            template: (kind == MessageKind::Template).then(|| TemplateName::parse("sale").unwrap()),
            language: None,
            sender: sender_id(),
            ttl_ms: 60_000,
        };
        match self.run(Command::ReserveSend(Box::new(command))) {
            Ok(_) => Ok(ticket),
            Err(Refusal::SendRefused(refused)) => {
                Err(refused.verdict.hits.iter().map(|hit| hit.reason).collect())
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    pub(super) fn commit(
        &mut self,
        ticket: TicketId,
        message: u128,
    ) -> Result<Vec<Event>, Refusal> {
        let message = MessageKey::from_bits(message);
        self.run(Command::CommitSend { ticket, message_id: "wamid.x".into(), message })
    }

    pub(super) fn look_up(&mut self, key: u128) -> Result<LookupId, Refusal> {
        let lookup = LookupId::from_uuid(self.id());
        let numbers = vec![(ContactKey::from_bits(key), lookup)];
        let request = RequestLookups { numbers, has_provider: true };
        self.run(Command::RequestLookups(request)).map(|_| lookup)
    }

    pub(super) fn status(&self, key: u128, topic: &str) -> ConsentStatus {
        let contacts = self.state.contacts();
        let subject = contacts.find(ContactKey::from_bits(key)).unwrap();
        let (ix, _) = self.state.registry().topic(&topic_id(topic)).unwrap();
        let now = Timestamp::from_unix_ms(self.now);
        contacts.get(subject).unwrap().consents.standing(ix, now).status
    }
}

pub(super) fn topic_id(id: &str) -> TopicId {
    TopicId::parse(id).unwrap()
}

pub(super) fn sender_id() -> SenderId {
    SenderId::parse("700100200300501").unwrap()
}

pub(super) fn source(kind: &str) -> Source {
    Source { kind: kind.into(), entry_point: None, url: None, reference: None }
}

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
