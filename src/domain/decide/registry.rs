//! Rules about what is put into the registry.

use crate::domain::{
    command::{KeyCommand, RegistryCommand},
    decide::Events,
    entry::{Seq, Subject},
    event::Event,
    refusal::Refusal,
    registry::{KeyRecord, LiveHash},
    state::Draft,
    time::Timestamp,
};

/// What is put must refer to what is there; putting the same again makes no event.
pub(super) fn decide(draft: &Draft<'_>, command: &RegistryCommand) -> Result<Events, Refusal> {
    let registry = draft.registry();
    let event = match command {
        RegistryCommand::OpenLedger { ledger } => {
            if draft.next() != Seq(0) {
                return Err(Refusal::LedgerOpen);
            }
            Some(Event::LedgerOpened { ledger: *ledger })
        }
        RegistryCommand::PutTopic { id, topic } => match registry.topic(id) {
            Some((_, known)) if known.value == *topic => None,
            None if !registry.has_room_for_topic() => return Err(Refusal::RegistryFull),
            _ => Some(Event::TopicPut { id: id.clone(), topic: topic.clone() }),
        },
        RegistryCommand::PutStatement { id, digest, statement } => {
            check_topics(draft, &statement.topics)?;
            let is_same = registry.statement(id).is_some_and(|known| known.digest == *digest);
            (!is_same).then(|| Event::StatementPut {
                id: id.clone(),
                digest: digest.clone(),
                statement: statement.clone(),
            })
        }
        RegistryCommand::PutTemplate { id, template } => {
            if registry.topic(&template.topic).is_none() {
                return Err(Refusal::TopicUnknown { place: None });
            }
            let is_same = registry.template(id).is_some_and(|known| known.value == *template);
            (!is_same).then(|| Event::TemplatePut { id: id.clone(), template: template.clone() })
        }
        RegistryCommand::PutSender { id, sender } => {
            if registry.portfolio(&sender.portfolio).is_none() {
                return Err(Refusal::PortfolioUnknown);
            }
            match registry.sender(id) {
                Some((_, known)) if known.value == *sender => None,
                None if !registry.has_room_for_sender() => return Err(Refusal::RegistryFull),
                _ => Some(Event::SenderPut { id: id.clone(), sender: sender.clone() }),
            }
        }
        RegistryCommand::PutPortfolio { id, portfolio } => {
            let is_same = registry.portfolio(id).is_some_and(|known| known.value == *portfolio);
            (!is_same).then(|| Event::PortfolioPut { id: id.clone(), portfolio: portfolio.clone() })
        }
    };
    Ok(event.map(|event| (Subject::SYSTEM, event)).into_iter().collect())
}

/// A key that ended stays ended.
pub(super) fn decide_key(
    draft: &Draft<'_>,
    command: &KeyCommand,
    now: Timestamp,
) -> Result<Events, Refusal> {
    let usable = |id| {
        let record = draft.registry().key(id).ok_or(Refusal::KeyUnknown)?;
        if record.revoked_at.is_some() { Err(Refusal::KeyRevoked) } else { Ok(record) }
    };
    let event = match command {
        KeyCommand::Create { key } => {
            let key = KeyRecord { created_at: now, revoked_at: None, ..key.clone() };
            Some(Event::KeyCreated { key })
        }
        KeyCommand::Rotate { id, live, overlap_ms } => {
            usable(id)?;
            let live = LiveHash { until: None, ..live.clone() };
            let old_until = now.plus_ms(*overlap_ms);
            Some(Event::KeyRotated { id: *id, live, old_until })
        }
        KeyCommand::Revoke { id } => match usable(id) {
            Ok(_) => Some(Event::KeyRevoked { id: *id }),
            Err(Refusal::KeyRevoked) => None,
            Err(refusal) => return Err(refusal),
        },
    };
    Ok(event.map(|event| (Subject::SYSTEM, event)).into_iter().collect())
}

fn check_topics(
    draft: &Draft<'_>,
    topics: &[crate::domain::names::TopicId],
) -> Result<(), Refusal> {
    let unknown = topics.iter().position(|topic| draft.registry().topic(topic).is_none());
    unknown.map_or(Ok(()), |place| Err(Refusal::TopicUnknown { place: Some(place) }))
}
