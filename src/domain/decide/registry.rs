//! Rules about what is put into the registry.

use crate::domain::{
    access::Scope,
    command::{KeyCommand, RegistryCommand},
    decide::{Events, void_tickets_by, void_tickets_of, void_tickets_where},
    entry::{Seq, Subject},
    event::Event,
    names::{EntryPointId, PortfolioId, SenderId},
    refusal::Refusal,
    registry::{
        EntryPoint, HoldScope, KeyRecord, LiveHash, Registry, Template, TemplateRef, TemplateReport,
    },
    state::Draft,
    ticket::Ticket,
    time::Timestamp,
};

/// What is put must refer to what is there; putting the same again makes no event.
pub(super) fn decide(
    draft: &Draft<'_>,
    command: &RegistryCommand,
    now: Timestamp,
) -> Result<Events, Refusal> {
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
        RegistryCommand::PutTemplate { id, template } => put_template(draft, id, template, now)?,
        RegistryCommand::PutSender { id, sender } => {
            if registry.portfolio(&sender.portfolio).is_none() {
                return Err(Refusal::PortfolioUnknown);
            }
            match registry.sender(id) {
                Some((_, known)) if known.value == *sender && !is_halted(registry, id) => None,
                None if !registry.has_room_for_sender() => return Err(Refusal::RegistryFull),
                _ => Some(Event::SenderPut { id: id.clone(), sender: sender.clone() }),
            }
        }
        RegistryCommand::PutPortfolio { id, portfolio } => {
            let known = registry.portfolio(id);
            let is_same =
                known.is_some_and(|known| known.value == *portfolio) && !registry.is_held(id);
            (!is_same).then(|| Event::PortfolioPut { id: id.clone(), portfolio: portfolio.clone() })
        }
        RegistryCommand::PutPolicy { overrides, policy } => {
            let known = registry.policy();
            let is_same = *known.overrides == **overrides && *known.policy == **policy;
            (!is_same)
                .then(|| Event::PolicyPut { overrides: overrides.clone(), policy: policy.clone() })
        }
        RegistryCommand::PutEntryPoint { id, entry_point } => {
            put_entry_point(draft, id, entry_point)?
        }
    };
    let mut events: Events = event.map(|event| (Subject::SYSTEM, event)).into_iter().collect();
    void_stopped(draft, now, &mut events);
    Ok(events)
}

/// Takes back what was reserved and must not be sent any more, as it was put.
fn void_stopped(draft: &Draft<'_>, now: Timestamp, events: &mut Events) {
    let registry = draft.registry();
    let is_restricted =
        |id: &PortfolioId| registry.portfolio(id).is_some_and(|known| known.value.restricted);
    match &events[..] {
        [(_, Event::SenderPut { id, sender })] if is_restricted(&sender.portfolio) => {
            let id = id.clone();
            void_tickets_of(draft, &id, now, |_| true, events);
        }
        [(_, Event::SenderPut { id, sender })] => {
            let (id, account) = (id.clone(), sender.account.as_ref());
            let account = account.or_else(|| registry.account_of(&id));
            let held = |scope: &HoldScope| registry.reported().is_held(account, *scope, now);
            let held = HoldScope::ALL.into_iter().filter(held).chain(sender.stops());
            let held: Vec<_> = held.collect();
            let applies = |ticket: &Ticket| held.iter().any(|scope| ticket.is_stopped_by(*scope));
            void_tickets_of(draft, &id, now, applies, events);
        }
        [(_, Event::PortfolioPut { id, portfolio })] if portfolio.restricted => {
            let id = id.clone();
            let is_of_it = |ticket: &Ticket| {
                let sender = registry.sender(&ticket.sender);
                sender.is_some_and(|(_, known)| known.value.portfolio == id)
            };
            void_tickets_where(draft, now, is_of_it, events);
        }
        [(_, Event::TemplatePut { id, template })] => {
            let known = registry.reported().template(id);
            let report = TemplateReport::put(known, template, now, draft.next());
            let id = id.clone();
            void_tickets_by(draft, (&id, &report), now, events);
        }
        _ => {}
    }
}

/// What WhatsApp said for a while, or of one account, is not what is put for good and for all, in
/// the same word; nor is what it announced and what is put otherwise after the day.
fn put_template(
    draft: &Draft<'_>,
    id: &TemplateRef,
    template: &Template,
    now: Timestamp,
) -> Result<Option<Event>, Refusal> {
    let registry = draft.registry();
    if registry.topic(&template.topic).is_none() {
        return Err(Refusal::TopicUnknown { place: None });
    }
    for answer in template.answers.values() {
        check_topics(draft, &answer.topics)?;
    }
    let report = registry.reported().template(id);
    let is_same = registry.template(id).is_some_and(|known| known.value == *template)
        && report.is_some_and(|report| report.is_as_put(template, now));
    let put = || Event::TemplatePut { id: id.clone(), template: template.clone() };
    Ok((!is_same).then(put))
}

/// A code leads to one entry point only.
fn put_entry_point(
    draft: &Draft<'_>,
    id: &EntryPointId,
    entry_point: &EntryPoint,
) -> Result<Option<Event>, Refusal> {
    let registry = draft.registry();
    let EntryPoint { topics, statement, code, sender, name: _, language: _ } = entry_point;
    check_topics(draft, topics)?;
    if statement.as_ref().is_some_and(|statement| registry.statement(statement).is_none()) {
        return Err(Refusal::StatementUnknown);
    }
    if sender.as_ref().is_some_and(|sender| registry.sender(sender).is_none()) {
        return Err(Refusal::SenderUnknown);
    }
    if registry.entry_point_of_code(code).is_some_and(|(owner, _)| owner != id) {
        return Err(Refusal::EntryCodeTaken);
    }
    let is_same = registry.entry_point(id).is_some_and(|known| known.value == *entry_point);
    let put = || Event::EntryPointPut { id: id.clone(), entry_point: entry_point.clone() };
    Ok((!is_same).then(put))
}

/// What WhatsApp stopped is lifted by putting the same again.
fn is_halted(registry: &Registry, id: &SenderId) -> bool {
    registry.reported().sender(id).is_some_and(|report| report.holds.is_any())
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
            let record = usable(id)?;
            let live = LiveHash { until: None, ..live.clone() };
            // Two secrets at most, and the older one was promised its time: it is the one in use
            // when somebody rotates twice because the first answer got lost.
            let promised = record.live.iter().filter_map(|live| live.until).find(|at| now < *at);
            let (old_until, replaces_newest) = match promised.filter(|_| *overlap_ms > 0) {
                Some(until) => (until, true),
                None => (now.plus_ms(*overlap_ms), false),
            };
            Some(Event::KeyRotated { id: *id, live, old_until, replaces_newest })
        }
        KeyCommand::Revoke { id, keeps_a_manager } => match usable(id) {
            Ok(record) => {
                let is_manager = record.scopes.contains(Scope::KeysManage);
                let is_last = !draft.registry().has_manager_beside(Some(*id), now);
                if *keeps_a_manager && is_manager && record.is_usable(now) && is_last {
                    return Err(Refusal::LastManager);
                }
                Some(Event::KeyRevoked { id: *id })
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        access::{KeyHash, KeyId, KeyKind, ScopeSet},
        event::{Actor, Record},
        state::State,
    };

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    fn id(text: &str) -> KeyId {
        KeyId::parse(text).unwrap()
    }

    fn record(id: KeyId, scopes: &[Scope], expires_at: Option<i64>) -> KeyRecord {
        KeyRecord {
            id,
            name: "a test's".into(),
            kind: KeyKind::Secret,
            scopes: ScopeSet::of(scopes),
            origins: Vec::new(),
            live: vec![LiveHash { hash: KeyHash::from_bytes([1; 32]), until: None }],
            created_at: at(0),
            expires_at: expires_at.map(at),
            revoked_at: None,
        }
    }

    fn run(state: &mut State, command: &KeyCommand, now: i64) -> Result<(), Refusal> {
        let mut draft = Draft::new(state);
        for (subject, event) in decide_key(&draft, command, at(now))? {
            let record = Record { at: at(now), by: Actor::System, command: None, event };
            draft.fold(draft.next(), subject, &record);
        }
        let changes = draft.into_changes();
        state.apply(changes);
        Ok(())
    }

    #[test]
    fn the_last_key_that_may_make_others_stays_unless_there_is_another_way_in() {
        let mut state = State::default();
        let (first, second, reader) = (id("aaaaaaaaaaaa"), id("bbbbbbbbbbbb"), id("cccccccccccc"));
        for (id, scope, expires_at) in [
            (first, Scope::KeysManage, None),
            (second, Scope::KeysManage, Some(1_000)),
            (reader, Scope::RegistryRead, None),
        ] {
            let key = record(id, &[scope], expires_at);
            run(&mut state, &KeyCommand::Create { key }, 1).unwrap();
        }
        let revoke = |id, keeps_a_manager| KeyCommand::Revoke { id, keeps_a_manager };
        // The second one has ended by then, so the first is the last.
        let refused = run(&mut state, &revoke(first, true), 1_000);
        assert!(matches!(refused, Err(Refusal::LastManager)));
        run(&mut state, &revoke(reader, true), 1_000).unwrap();
        run(&mut state, &revoke(second, true), 1_000).unwrap();
        run(&mut state, &revoke(first, false), 1_000).unwrap();
    }
}
