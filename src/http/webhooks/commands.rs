//! From facts to commands: identifiers hashed, words read, payloads looked up. Every kind of fact
//! either asks something of the ledger or decides nothing and is only counted.
//!
//! Where a fact has no readable time, the moment of arrival stands in for it only where that errs
//! towards not sending: a webhook can be seven days late.

use std::sync::Arc;

use crate::{
    domain::{
        command::{Command, Envelope, Once},
        event::{Actor, MarkKept},
        hearing::{ConsentAnswer, Heard, HeardFact, Wrote},
        ids::ContactId,
        names::AccountId,
        time::Timestamp,
    },
    http::{
        edge::Edge,
        webhooks::{
            answers, people,
            platform::{self, Said},
            receive::Work,
            statuses,
        },
    },
    whatsapp::{
        self, Conclusion, DedupeKey, Fact, IdentityChanged, IdentityMismatch, Inbound, MessageKind,
        NumberChanged, Preference, PreferenceChoice, Private, UserIdChanged,
    },
};

/// What a fact asks, and when it happened.
struct Asked {
    at: Timestamp,
    fact: HeardFact,
    once: Option<Once>,
}

/// Returns what a fact asks of the ledger.
pub(super) fn work(edge: &Edge, fact: &Fact) -> Work {
    let asked = asked(edge, fact);
    let envelope = asked.map(|Asked { at, fact: heard, once }| {
        // The account of the webhook itself can be the partner's own.
        let account = if let Conclusion::AccountPartnerRemoved(removed) = &fact.conclusion {
            removed.account.as_deref()
        } else {
            None
        };
        let account = account.or(fact.account.as_deref());
        let account = account.and_then(|id| AccountId::parse(id).ok());
        let by_number = || {
            let registry = Arc::clone(edge.views().state().registry());
            platform::sender_of(&registry, fact)
        };
        // Only its id shows that a sender belongs to the account: a number may have been another's.
        let (account, sender) = match fact.sender.clone() {
            Some(sender) => (account, Some(sender)),
            None => by_number().map_or((account, None), |sender| (None, Some(sender))),
        };
        let heard = Heard { at, account, sender, fact: heard };
        let once = once.or_else(|| untimed(edge, fact));
        Envelope { actor: Actor::System, once, command: Command::Hear(Box::new(heard)) }
    });
    Work { kind: fact.conclusion.name(), envelope }
}

fn asked(edge: &Edge, fact: &Fact) -> Option<Asked> {
    match &fact.conclusion {
        Conclusion::Inbound(inbound) => wrote(edge, fact, inbound),
        Conclusion::Preference(preference) => preferred(edge, fact, preference),
        Conclusion::NumberChanged(changed) => silent(edge, fact, number_changed(edge, changed)?),
        Conclusion::UserIdChanged(changed) => silent(edge, fact, user_changed(edge, changed)?),
        Conclusion::IdentityChanged(changed) => {
            silent(edge, fact, identity_changed(edge, changed)?)
        }
        Conclusion::IdentityMismatch(mismatch) => silent(edge, fact, mismatched(edge, mismatch)?),
        Conclusion::Status(status) => {
            let (at, heard) = statuses::delivered(edge, fact.at, status)?;
            Some(Asked { at, fact: heard, once: None })
        }
        Conclusion::Trouble(faults) => {
            let (at, heard) = statuses::troubled(edge, fact, faults)?;
            Some(Asked { at, fact: heard, once: None })
        }
        Conclusion::PortfolioLimit(_)
        | Conclusion::AccountRestriction(_)
        | Conclusion::AccountDisabled { .. }
        | Conclusion::AccountReinstated
        | Conclusion::AccountDisableScheduled { .. }
        | Conclusion::AccountDeleted
        | Conclusion::AccountOffboarded
        | Conclusion::AccountReconnected
        | Conclusion::AccountPartnerRemoved(_)
        | Conclusion::AccountViolation { .. }
        | Conclusion::AccountNotice { .. }
        | Conclusion::AccountReview { .. }
        | Conclusion::AccountAlert(_)
        | Conclusion::TemplateStatus(_)
        | Conclusion::TemplateQuality(_)
        | Conclusion::TemplateCategory(_)
        | Conclusion::NumberQuality(_)
        | Conclusion::NameUpdate(_)
        | Conclusion::UsernameUpdate(_)
        | Conclusion::Unknown { .. } => {
            let registry = Arc::clone(edge.views().state().registry());
            let Said { fact: heard, is_silent } = platform::said(&registry, fact)?;
            let at = fact.at.or_else(|| is_silent.then(|| edge.clock.now()))?;
            Some(Asked { at, fact: heard, once: None })
        }
    }
}

/// Something that can only make the answer to a send a no: without a time it happened now.
#[expect(clippy::unnecessary_wraps, reason = "what the arms of a match give")]
fn silent(edge: &Edge, fact: &Fact, heard: HeardFact) -> Option<Asked> {
    let at = fact.at.unwrap_or_else(|| edge.clock.now());
    Some(Asked { at, fact: heard, once: None })
}

/// A message. In a group nobody speaks to the business alone: it opens no window.
fn wrote(edge: &Edge, fact: &Fact, inbound: &Inbound) -> Option<Asked> {
    let person = people::person(edge, &inbound.person)?;
    let is_alone = inbound.group.is_none();
    let answer = match answers::read(edge, fact.sender.as_ref(), inbound) {
        Some(ConsentAnswer::OptIn { .. } | ConsentAnswer::Yes { .. }) if fact.at.is_none() => {
            Some(answers::doubt("no_time", None, None))
        }
        other => other,
    };
    if fact.at.is_none() && answer.is_none() && inbound.identity_hash.is_none() {
        return None;
    }
    let message_id = message_id(inbound.message.as_ref(), fact.key.as_ref());
    let once = answer.is_some().then(|| once(edge, &message_id)).flatten();
    let wrote = Wrote {
        person,
        message: edge.indexer.message(&message_id),
        message_id,
        kind: kind(&inbound.kind).into(),
        opens_window: inbound.opens_window && is_alone && fact.at.is_some(),
        identity_hash: inbound.identity_hash.as_ref().map(|hash| hash.expose().into()),
        answer,
        shared_number: inbound.shared_number.as_ref().and_then(|card| people::shared(edge, card)),
    };
    let at = fact.at.unwrap_or_else(|| edge.clock.now());
    Some(Asked { at, fact: HeardFact::Wrote(wrote), once })
}

/// What a repeat of the message is recognised by, if its id cannot be read.
fn message_id(id: Option<&Private>, key: Option<&DedupeKey>) -> Box<str> {
    match (id, key) {
        (Some(id), _) => id.expose().into(),
        (None, Some(key)) => format!("unreadable:{}", hex::encode(key.as_bytes())).into(),
        (None, None) => Box::default(),
    }
}

/// An act of consent is done once, however often its message comes.
fn once(edge: &Edge, message_id: &str) -> Option<Once> {
    if message_id.is_empty() {
        return None;
    }
    Some(Once {
        id: edge.indexer.command(&Actor::System, "whatsapp", message_id),
        fingerprint: edge.indexer.fingerprint(message_id.as_bytes()),
        kept: MarkKept::Days31,
    })
}

/// What has no time of its own counts as now, and must not do so again with every repeat. What says
/// the same a second time within 31 days is taken for one: its own failures tell of it.
fn untimed(edge: &Edge, fact: &Fact) -> Option<Once> {
    let key = fact.key.as_ref().or(fact.content.as_ref()).filter(|_| fact.at.is_none())?;
    let (kind, key) = (fact.conclusion.name(), hex::encode(key.as_bytes()));
    Some(Once {
        id: edge.indexer.command(&Actor::System, "whatsapp untimed", &format!("{kind} {key}")),
        fingerprint: edge.indexer.fingerprint(key.as_bytes()),
        kept: MarkKept::Days31,
    })
}

fn kind(kind: &MessageKind) -> &str {
    match kind {
        MessageKind::Text => "text",
        MessageKind::Button => "button",
        MessageKind::ButtonReply => "button_reply",
        MessageKind::ListReply => "list_reply",
        MessageKind::Flow => "flow",
        MessageKind::CallPermission => "call_permission",
        MessageKind::Image => "image",
        MessageKind::Video => "video",
        MessageKind::Audio => "audio",
        MessageKind::Document => "document",
        MessageKind::Sticker => "sticker",
        MessageKind::Location => "location",
        MessageKind::Contacts => "contacts",
        MessageKind::Reaction => "reaction",
        MessageKind::Order => "order",
        MessageKind::Unsupported => "unsupported",
        MessageKind::Edit => "edit",
        MessageKind::Revoke => "revoke",
        MessageKind::Call => "call",
        MessageKind::Other(word) => word,
    }
}

/// A wish about marketing. A stop of something this build does not know counts as one of
/// marketing, a resume of it does not.
fn preferred(edge: &Edge, fact: &Fact, preference: &Preference) -> Option<Asked> {
    let person = people::person(edge, &preference.person)?;
    match preference.choice {
        PreferenceChoice::Stop => {
            silent(edge, fact, HeardFact::MarketingPreference { person, is_stopped: true })
        }
        PreferenceChoice::Resume if preference.other_category.is_none() => {
            let at = fact.at?;
            let heard = HeardFact::MarketingPreference { person, is_stopped: false };
            Some(Asked { at, fact: heard, once: None })
        }
        PreferenceChoice::Resume => None,
    }
}

/// Without the old number it is at least known that the old user id is nobody's any more.
fn number_changed(edge: &Edge, changed: &NumberChanged) -> Option<HeardFact> {
    let is_number = changed.old.wa_id.is_some();
    moved(edge, &changed.old, &changed.new, is_number)
}

/// Two numbers that differ are a move, whatever it is called.
fn user_changed(edge: &Edge, changed: &UserIdChanged) -> Option<HeardFact> {
    let is_number = changed.old.wa_id.is_some() && changed.new.wa_id.is_some();
    moved(edge, &changed.old, &changed.new, is_number)
}

/// Whoever has the number they had has not moved: at most their user id is another one.
fn moved(
    edge: &Edge,
    old: &whatsapp::Person,
    new: &whatsapp::Person,
    is_number: bool,
) -> Option<HeardFact> {
    let number = |person: &whatsapp::Person| people::number(edge, person.wa_id.as_ref()?);
    let (from, to) = (number(old), number(new));
    let has_stayed = from.is_some() && from.map(|from| from.key) == to.as_ref().map(|to| to.key);
    if !is_number || has_stayed {
        match (&old.user_id, &new.user_id) {
            (Some(previous), Some(new)) if previous == new => return None,
            (Some(previous), Some(new)) => {
                let (previous, new) = (people::user(edge, previous), people::user(edge, new));
                let new_id = ContactId::from_uuid(edge.ids.next());
                return Some(HeardFact::MovedUser { previous, new, number: to, new_id });
            }
            (Some(_) | None, None) | (None, Some(_)) => {}
        }
    }
    if has_stayed {
        return None;
    }
    let (old, new) = (people::person(edge, old)?, people::person(edge, new));
    Some(HeardFact::MovedNumber { old, new })
}

fn identity_changed(edge: &Edge, changed: &IdentityChanged) -> Option<HeardFact> {
    let person = people::person(edge, &changed.person)?;
    let hash = changed.hash.as_ref().map(|hash| hash.expose().into());
    Some(HeardFact::IdentityChanged { person, hash })
}

fn mismatched(edge: &Edge, mismatch: &IdentityMismatch) -> Option<HeardFact> {
    let person = people::person(edge, &mismatch.recipient)?;
    Some(HeardFact::IdentityChanged { person, hash: None })
}
