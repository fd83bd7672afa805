//! What people, CRMs and WhatsApp do, as commands.

use uuid::Uuid;

use crate::{
    domain::{
        command::{Command, ContactRef, NumberIdentifier, OptIn, OptOut, Person, ReserveSend},
        event::Source,
        hearing::{
            AnswerHow, ConsentAnswer, Delivery, Failure, FailureEffect as Effect, Heard, HeardFact,
            Step, Wrote,
        },
        home::Home,
        ids::{ContactId, TicketId},
        key::{ContactKey, MessageKey},
        names::{NotAName, SenderId, TopicId},
        phone::PhoneNumber,
        ticket::MessageKind,
        time::{HOUR_MS, SECOND_MS, Timestamp},
    },
    policy::Country,
};

use super::{
    business::{sender_id, template_ref, topic_id},
    witness::Ticket,
};

/// How long a ticket is good for, in milliseconds.
pub(super) const TTL_MS: i64 = 5 * 60 * SECOND_MS;

/// Ways in which a message fails: WhatsApp's code and what follows.
const FAILURES: [(i64, Effect, Option<i64>); 6] = [
    (131_000, Effect::Nothing, None),
    (131_026, Effect::Unreachable, None),
    (131_049, Effect::MarketingCooldown, Some(24 * HOUR_MS)),
    (131_056, Effect::PairBackoff, Some(4 * SECOND_MS)),
    (137_000, Effect::Identity, None),
    (131_053, Effect::Nothing, None),
];

/// So many ways there are.
pub(super) const FAILURES_LEN: u8 = 6;

/// Returns whether a message that failed so says that the identity changed.
pub(super) fn is_identity(how: u8) -> bool {
    FAILURES.get(usize::from(how)).is_some_and(|(_, effect, _)| *effect == Effect::Identity)
}

/// Why a command cannot be made. None of the simulation's own data causes one.
#[derive(Debug, thiserror::Error)]
pub(super) enum MadeUpError {
    #[error(transparent)]
    Name(#[from] NotAName),
    #[error("the number is none")]
    Number,
    #[error("the policy is none")]
    Policy(#[from] serde_json::Error),
}

pub(super) fn number(person: u32) -> Result<PhoneNumber, MadeUpError> {
    PhoneNumber::parse(&format!("+62890{person:08}")).map_err(|_never| MadeUpError::Number)
}

pub(super) fn key(person: u32) -> ContactKey {
    ContactKey::from_bits(u128::from(person) + 1)
}

pub(super) fn contact(person: u32) -> ContactRef {
    ContactRef::Key(key(person))
}

pub(super) fn ticket_id(place: usize) -> TicketId {
    TicketId::from_uuid(Uuid::from_u128(u128::try_from(place).unwrap_or_default() + 1))
}

/// Returns which ticket an id is of, in the order they were given out.
pub(super) fn place_of(ticket: TicketId) -> usize {
    usize::try_from(ticket.as_uuid().as_u128().saturating_sub(1)).unwrap_or(usize::MAX)
}

fn message(ticket: usize) -> MessageKey {
    MessageKey::from_bits(u128::try_from(ticket).unwrap_or_default() + 1)
}

pub(super) fn someone(person: u32) -> Result<Person, MadeUpError> {
    let country = Country::parse(if person.is_multiple_of(2) { "ID" } else { "US" });
    let number = NumberIdentifier {
        number: number(person)?,
        key: key(person),
        is_valid: true,
        written: None,
        home: Home { country: country.ok(), zone: None },
        weak: Vec::new(),
    };
    let new_id = ContactId::from_uuid(Uuid::from_u128(u128::from(person) + 1));
    Ok(Person { number: Some(number), user: None, new_id })
}

fn source(kind: &str) -> Source {
    Source { kind: kind.into(), entry_point: None, url: None, reference: None }
}

/// How a person agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Agreeing {
    /// On a form.
    Plainly,
    /// Not yet: they were asked to confirm.
    Asked,
    /// By confirming, with what proves it.
    Confirming,
}

pub(super) fn opt_in(
    person: u32,
    topic: usize,
    how: Agreeing,
    at: Timestamp,
) -> Result<Command, MadeUpError> {
    let proof = (how == Agreeing::Confirming)
        .then(|| ("mail".into(), format!("followed at {}", at.to_rfc3339()).into()));
    Ok(Command::OptIn(Box::new(OptIn {
        person: someone(person)?,
        topics: vec![topic_id(topic)?],
        source: source("web_form"),
        statement: None,
        language: None,
        evidence: proof.into_iter().collect(),
        captured_at: Some(at),
        awaits_confirmation: how == Agreeing::Asked,
        basis: crate::policy::ConsentBasis::Express,
    })))
}

pub(super) fn opt_out(person: u32, topic: Option<usize>) -> Result<Command, MadeUpError> {
    Ok(Command::OptOut(Box::new(OptOut {
        person: someone(person)?,
        topics: topics(topic)?,
        source: source("preference_page"),
        reason: None,
        captured_at: None,
    })))
}

fn topics(topic: Option<usize>) -> Result<Option<Vec<TopicId>>, NotAName> {
    topic.map(|topic| Ok(vec![topic_id(topic)?])).transpose()
}

/// What a person writes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Text {
    /// Nothing about consent.
    Plain,
    /// A withdrawal, from everything or one topic.
    Stop(Option<usize>),
}

/// A message from a person.
pub(super) fn wrote(
    (person, sender): (u32, usize),
    text: Text,
    (count, at): (u64, Timestamp),
) -> Result<Command, MadeUpError> {
    let how = AnswerHow { kind: "keyword".into(), ..AnswerHow::default() };
    let answer = match text {
        Text::Stop(topic) => Some(ConsentAnswer::OptOut { topics: topics(topic)?, how }),
        Text::Plain => None,
    };
    // Apart from the messages of tickets.
    let message = MessageKey::from_bits(u128::from(count) | 1 << 100);
    let fact = HeardFact::Wrote(Wrote {
        person: someone(person)?,
        message,
        message_id: format!("wamid.in.{count}").into(),
        kind: "text".into(),
        opens_window: true,
        identity_hash: None,
        answer,
        shared_number: None,
    });
    Ok(heard(at, Some(sender_id(sender)?), fact))
}

pub(super) fn heard(at: Timestamp, sender: Option<SenderId>, fact: HeardFact) -> Command {
    Command::Hear(Box::new(Heard { at, account: None, sender, fact }))
}

pub(super) fn preference(
    person: u32,
    is_stopped: bool,
    at: Timestamp,
) -> Result<Command, MadeUpError> {
    let person = someone(person)?;
    Ok(heard(at, None, HeardFact::MarketingPreference { person, is_stopped }))
}

pub(super) fn reserve(
    place: usize,
    (person, sender): (u32, usize),
    template: Option<usize>,
) -> Result<ReserveSend, MadeUpError> {
    let template = template.map(template_ref).transpose()?;
    Ok(ReserveSend {
        ticket: ticket_id(place),
        recipient: contact(person),
        number: Some(number(person)?),
        user_id: None,
        kind: if template.is_some() { MessageKind::Template } else { MessageKind::Session },
        template: template.as_ref().map(|template| template.name.clone()),
        language: template.map(|template| template.language),
        sender: sender_id(sender)?,
        ttl_ms: TTL_MS,
    })
}

pub(super) fn commit(ticket: usize) -> Command {
    let message_id = format!("wamid.{ticket}").into();
    Command::CommitSend { ticket: ticket_id(ticket), message_id, message: message(ticket) }
}

/// What became of a message; with `failed` how it failed.
pub(super) fn delivery(
    place: usize,
    ticket: &Ticket,
    failed: Option<u8>,
    at: Timestamp,
) -> Result<Command, MadeUpError> {
    let failure = failed.and_then(|how| FAILURES.get(usize::from(how)).copied());
    let failure =
        failure.map(|(code, effect, pause_ms)| Failure { code, effect, pause_ms, country: None });
    let fact = HeardFact::Delivery(Delivery {
        person: Some(someone(ticket.person)?),
        message: message(place),
        message_id: format!("wamid.{place}").into(),
        is_message: true,
        ticket: Some(ticket_id(place)),
        step: if failure.is_some() { Step::Failed } else { Step::Delivered },
        identity_hash: None,
        failure,
    });
    Ok(heard(at, Some(sender_id(ticket.sender)?), fact))
}
