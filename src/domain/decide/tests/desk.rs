//! A ledger in miniature: decides, folds, and remembers what happened.

use std::borrow::Borrow;

use uuid::Uuid;

use crate::{
    domain::{
        command::{
            Command, ContactRef, NumberIdentifier, OptIn, OptOut, Person, RegistryCommand,
            RequestLookups, ReserveSend,
        },
        consent::ConsentStatus,
        decide::{Rules, decide},
        eligibility::SessionPolicy,
        entry::Subject,
        event::{Actor, Event, Evidence, Record, Source, TrafficKind},
        governor::{Levels, LookupPolicy},
        home::Home,
        ids::{ContactId, LookupId, TicketId},
        key::{ContactKey, MessageKey},
        names::{Language, PortfolioId, SenderId, TemplateName, TopicId},
        phone::PhoneNumber,
        reason::Reason,
        refusal::Refusal,
        registry::{Category, Portfolio, Quality, Sender, Template, TemplateRef, Topic},
        state::{Draft, State},
        ticket::{MessageKind, TicketState},
        time::{DAY_MS, Timestamp},
    },
    policy::{self, Overrides, Policy},
};

pub(crate) const RULES: Rules = Rules {
    session: SessionPolicy { margin_ms: 60_000 },
    lookup: LookupPolicy {
        window_ms: 7 * DAY_MS,
        starting_allowance: 1,
        cache_ms: 7 * DAY_MS,
        requires_opt_in: true,
        lapse_ms: 600_000,
        levels: Levels::DEFAULT,
    },
    skew_ms: 300_000,
};

/// A ledger in miniature: decides, folds, and remembers what happened.
pub(crate) struct Desk {
    pub(crate) state: State,
    pub(crate) now: i64,
    /// Everything that happened, in order.
    pub(crate) entries: Vec<(Subject, Record)>,
    /// Keys that are weak spellings of each other.
    pub(crate) weak: Vec<(u128, u128)>,
    ids: u128,
}

impl Desk {
    /// A business with two topics, a sender and a template.
    pub(crate) fn new() -> Self {
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
            throughput: None,
            account: None,
        };
        desk.put(RegistryCommand::PutSender { id: sender_id(), sender });
        let template = Template {
            topic: topic_id("promotions"),
            category: Category::Marketing,
            status: "APPROVED".into(),
            answers: std::collections::BTreeMap::new(),
        };
        let id = TemplateRef {
            name: TemplateName::parse("sale").unwrap(),
            language: Language::parse("id").unwrap(),
        };
        desk.put(RegistryCommand::PutTemplate { id, template });
        // What is tested is mostly something else than how often.
        let text = r#"{"settings": {"frequency_caps": []}}"#;
        desk.policy(serde_json::from_str(text).unwrap());
        desk
    }

    /// Puts a policy.
    pub(crate) fn policy(&mut self, overrides: Overrides) {
        let policy = Policy::effective(policy::packs(), &overrides).unwrap();
        let (overrides, policy) = (Box::new(overrides), Box::new(policy));
        self.put(RegistryCommand::PutPolicy { overrides, policy });
    }

    pub(crate) fn put(&mut self, command: RegistryCommand) {
        self.run(Command::Registry(Box::new(command))).unwrap();
    }

    /// Decides and folds one command, a millisecond after the last.
    pub(crate) fn run(&mut self, command: impl Borrow<Command>) -> Result<Vec<Event>, Refusal> {
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

    /// Folds an entry in that was written elsewhere or by an earlier version.
    pub(crate) fn stored(&mut self, json: &str) {
        let event: Event = serde_json::from_str(json).unwrap();
        self.now += 1;
        let record = Record {
            at: Timestamp::from_unix_ms(self.now),
            by: Actor::System,
            command: None,
            event,
        };
        let mut draft = Draft::new(&self.state);
        draft.fold(draft.next(), Subject::SYSTEM, &record);
        let changes = draft.into_changes();
        self.state.apply(changes);
    }

    pub(crate) fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }

    /// Returns the weak spellings of a key.
    pub(crate) fn weak_of(&self, key: u128) -> impl Iterator<Item = u128> + '_ {
        self.weak.iter().filter_map(move |(one, other)| match key {
            key if key == *one => Some(*other),
            key if key == *other => Some(*one),
            _ => None,
        })
    }

    /// Brings a new state up from what happened, some entries at a time.
    pub(crate) fn replayed(&self) -> State {
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

    pub(crate) fn person(&mut self, key: u128) -> Person {
        let number = NumberIdentifier {
            number: PhoneNumber::parse(&format!("+1202555{key:04}")).unwrap(),
            key: ContactKey::from_bits(key),
            is_valid: true,
            written: None,
            home: Home::default(),
            weak: self.weak_of(key).map(ContactKey::from_bits).collect(),
        };
        Person { number: Some(number), user: None, new_id: ContactId::from_uuid(self.id()) }
    }

    /// Records where a person's number is at home, as their first entry would have.
    pub(crate) fn home_of(&mut self, key: u128, home: Home) {
        let subject = self.state.contacts().find(ContactKey::from_bits(key)).unwrap();
        let event = Event::IdentifierLinked {
            number: None,
            number_key: None,
            number_valid: false,
            user_id: None,
            user_key: None,
            weak_keys: Vec::new(),
            country: home.country,
            zone: home.zone.map(|zone| zone.name().into()),
            seen_at: None,
        };
        let now = Timestamp::from_unix_ms(self.now);
        let record = Record { at: now, by: Actor::System, command: None, event };
        let mut draft = Draft::new(&self.state);
        draft.fold(draft.next(), subject, &record);
        let changes = draft.into_changes();
        self.state.apply(changes);
        self.entries.push((subject, record));
    }

    pub(crate) fn opt_in(
        &mut self,
        key: u128,
        topic: &str,
        at: Option<i64>,
    ) -> Result<Vec<Event>, Refusal> {
        let captured_at = at.map(Timestamp::from_unix_ms);
        let command = OptIn { captured_at, ..opt_in_of(self.person(key), topic) };
        self.run(Command::OptIn(Box::new(command)))
    }

    pub(crate) fn opt_out(
        &mut self,
        key: u128,
        topics: Option<&[&str]>,
    ) -> Result<Vec<Event>, Refusal> {
        self.opt_out_at(key, topics, None)
    }

    pub(crate) fn opt_out_at(
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

    pub(crate) fn identity(
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

    pub(crate) fn confirm(&mut self, key: u128, hash: &str) -> Result<Vec<Event>, Refusal> {
        self.run(Command::ConfirmIdentity {
            contact: ContactRef::Key(ContactKey::from_bits(key)),
            hash: hash.into(),
            evidence: Evidence::new(),
        })
    }

    pub(crate) fn inbound(&mut self, key: u128, at: Option<i64>) -> Result<Vec<Event>, Refusal> {
        let newcomer = Some(Box::new(self.person(key)));
        self.run(Command::ReportTraffic {
            contact: ContactRef::Key(ContactKey::from_bits(key)),
            newcomer,
            kind: TrafficKind::Inbound,
            sender: Some(sender_id()),
            happened_at: at.map(Timestamp::from_unix_ms),
        })
    }

    pub(crate) fn send(&mut self, key: u128, kind: MessageKind) -> ReserveSend {
        ReserveSend {
            ticket: TicketId::from_uuid(self.id()),
            recipient: ContactRef::Key(ContactKey::from_bits(key)),
            number: None,
            user_id: None,
            kind,
            template: (kind == MessageKind::Template).then(|| TemplateName::parse("sale").unwrap()),
            language: None,
            sender: sender_id(),
            ttl_ms: 60_000,
        }
    }

    pub(crate) fn reserve(
        &mut self,
        key: u128,
        kind: MessageKind,
    ) -> Result<TicketId, Vec<Reason>> {
        let command = self.send(key, kind);
        let ticket = command.ticket;
        match self.run(Command::ReserveSend(Box::new(command))) {
            Ok(_) => Ok(ticket),
            Err(Refusal::SendRefused(refused)) => {
                Err(refused.verdict.hits.iter().map(|hit| hit.reason).collect())
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    /// Commits a ticket, and is told what whoever calls is told: that the message of a ticket that
    /// was taken or given back is noted makes it no other refusal.
    pub(crate) fn commit(
        &mut self,
        ticket: TicketId,
        message: u128,
    ) -> Result<Vec<Event>, Refusal> {
        let message = MessageKey::from_bits(message);
        let message_id = "wamid.x".into();
        let events = self.run(Command::CommitSend { ticket, message_id, message })?;
        if matches!(events[..], [Event::TicketStepped { .. }, ..]) {
            return Err(match self.state.ticket(ticket).unwrap().state {
                TicketState::Voided { cause } => Refusal::TicketVoided { cause },
                TicketState::Reserved | TicketState::Committed { .. } | TicketState::Released => {
                    Refusal::TicketReleased
                }
            });
        }
        Ok(events)
    }

    pub(crate) fn look_up(&mut self, key: u128) -> Result<LookupId, Refusal> {
        let lookup = LookupId::from_uuid(self.id());
        let numbers = vec![(ContactKey::from_bits(key), lookup)];
        let request = RequestLookups { numbers, has_provider: true, job: None };
        self.run(Command::RequestLookups(request)).map(|_| lookup)
    }

    pub(crate) fn status(&self, key: u128, topic: &str) -> ConsentStatus {
        let contacts = self.state.contacts();
        let subject = contacts.find(ContactKey::from_bits(key)).unwrap();
        let (ix, _) = self.state.registry().topic(&topic_id(topic)).unwrap();
        let now = Timestamp::from_unix_ms(self.now);
        contacts.get(subject).unwrap().consents.standing(ix, now).status
    }
}

pub(crate) fn topic_id(id: &str) -> TopicId {
    TopicId::parse(id).unwrap()
}

pub(crate) fn sender_id() -> SenderId {
    SenderId::parse("700100200300501").unwrap()
}

pub(crate) fn opt_in_of(person: Person, topic: &str) -> OptIn {
    OptIn {
        person,
        topics: vec![topic_id(topic)],
        source: source("web_form"),
        statement: None,
        language: None,
        evidence: Evidence::new(),
        captured_at: None,
        awaits_confirmation: false,
        basis: policy::ConsentBasis::Express,
    }
}

pub(crate) fn source(kind: &str) -> Source {
    Source { kind: kind.into(), entry_point: None, url: None, reference: None }
}
