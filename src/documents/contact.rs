//! The document of one contact and its fold.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    documents::{
        ConsentRecord, EntryList, FormerIdentity, FullStopRecord, MergeRecord, PartRecord,
    },
    domain::{
        entry::{Seq, Subject},
        event::{Event, Record},
        ids::ContactId,
        phone::PhoneNumber,
        time::Timestamp,
    },
};

/// Everything the database keeps of one contact. Personal data: stored sealed, and `Debug` shows
/// nothing but the contact's id.
///
/// The serde form is the stored form. It may change freely with the store's format version: a
/// store of another version is folded again from the ledger.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactDocument {
    /// The contact's id.
    pub id: ContactId,
    /// Its number, canonical.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<PhoneNumber>,
    /// Whether the number has the shape of one that is in use in its country.
    #[serde(default)]
    pub number_valid: bool,
    /// The number as it was last written, where that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Box<str>>,
    /// Its business-scoped user id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Box<str>>,
    /// The number as WhatsApp last wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wa_id: Option<Box<str>>,
    /// When the ledger first heard of it.
    pub first_seen: Timestamp,
    /// The consents, in the order their topics came up.
    #[serde(default)]
    pub consents: Vec<ConsentRecord>,
    /// The latest withdrawal from everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_stop: Option<FullStopRecord>,
    /// Set while an operator blocks the contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<BlockRecord>,
    /// What is known of the identity behind the contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityRecord>,
    /// The contacts that became part of this one, in that order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartRecord>,
    /// The contact this one became part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<MergeRecord>,
    /// Under what the parts were known; none until [`Self::complete`] looked there.
    #[serde(skip)]
    pub former: Vec<FormerIdentity>,
    /// The entries about the contact.
    pub entries: EntryList,
}

/// An operator's block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockRecord {
    /// Since when.
    pub at: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Box<str>>,
    /// The entry that recorded it.
    pub seq: Seq,
    /// As in [`ConsentRecord::held_by`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_by: Option<Subject>,
}

/// What is known of the identity behind a contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityRecord {
    /// The latest hash, as WhatsApp sent it.
    pub hash: Box<str>,
    /// When it was last observed.
    pub observed_at: Timestamp,
    /// When it last became another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<Timestamp>,
    /// The entry that recorded the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_seq: Option<Seq>,
    /// When someone last vouched that it is still the same person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
}

impl IdentityRecord {
    /// Returns whether a change awaits re-registration: no confirmation came since.
    pub fn has_open_change(&self) -> bool {
        self.changed_at.is_some_and(|changed| self.confirmed_at.is_none_or(|at| at < changed))
    }
}

impl ContactDocument {
    /// Makes the document of a contact from its first entry; `None` for any other entry.
    pub fn begin(seq: Seq, record: &Record) -> Option<Self> {
        let Event::ContactAdded { contact, number, number_valid, user_id, .. } = &record.event
        else {
            return None;
        };
        let mut document = Self {
            id: *contact,
            number: number.clone(),
            number_valid: *number_valid,
            written: None,
            user_id: user_id.clone(),
            wa_id: None,
            first_seen: record.at,
            consents: Vec::new(),
            full_stop: None,
            blocked: None,
            identity: None,
            parts: Vec::new(),
            merged_into: None,
            former: Vec::new(),
            entries: EntryList::default(),
        };
        document.entries.push(seq);
        Some(document)
    }

    /// Folds a later entry of the contact in. Knows no rules and cannot fail.
    #[expect(clippy::too_many_lines, reason = "a line for each kind of entry")]
    pub fn fold(&mut self, seq: Seq, record: &Record) {
        self.entries.push(seq);
        match &record.event {
            Event::IdentifierLinked { number, number_valid, user_id, .. } => {
                if self.number.is_none() && number.is_some() {
                    self.number.clone_from(number);
                    self.number_valid = *number_valid;
                }
                if self.user_id.is_none() {
                    self.user_id.clone_from(user_id);
                }
            }
            Event::PairSeen(seen) => {
                if seen.takes_over {
                    self.user_id = Some(seen.user_id.clone());
                }
                self.forget(&seen.unsaid);
            }
            Event::OptedIn(event) => {
                self.fold_written(event.written.as_deref());
                self.fold_opt_in(seq, record.at, event);
            }
            Event::OptedOut(event) => {
                self.fold_written(event.written.as_deref());
                self.fold_opt_out(seq, record.at, event);
            }
            Event::ContactMerged { into, place, .. } => {
                let (id, place, at) = (*into, *place, record.at);
                self.merged_into = Some(MergeRecord { id, place, at, seq });
            }
            Event::ContactAbsorbed(event) => self.fold_absorbed(seq, record.at, event),
            Event::IdentityObserved { .. }
            | Event::IdentityChanged { .. }
            | Event::IdentityConfirmed { .. }
            | Event::IdentityPredated { .. }
            | Event::IdentityDoubted { .. }
            | Event::TrafficSeen { .. } => self.fold_identity(seq, &record.event),
            Event::ContactBlocked { reason } => {
                let (at, reason, held_by) = (record.at, reason.clone(), None);
                self.blocked = Some(BlockRecord { at, reason, seq, held_by });
            }
            Event::ContactUnblocked => self.blocked = None,
            Event::LookupConcluded { wa_id, .. } => {
                if wa_id.is_some() {
                    self.wa_id.clone_from(wa_id);
                }
            }
            Event::ContactAdded { .. }
            | Event::MarketingPreferenceSeen { .. }
            | Event::MarketingHeldBack { .. }
            | Event::ExperimentSeen { .. }
            | Event::PairSlowed { .. }
            | Event::Barred { .. }
            | Event::WindowEnded { .. }
            | Event::CountryBlocked { .. }
            | Event::FailureSpared { .. }
            | Event::IncidentOpened { .. }
            | Event::OutcomeSeen(_)
            | Event::AnswerKept(_)
            | Event::StatusKept(_)
            | Event::IncidentClosed { .. }
            | Event::SenderLearned(_)
            | Event::AccountHeld { .. }
            | Event::AccountLifted { .. }
            | Event::SenderHalted { .. }
            | Event::SenderReported { .. }
            | Event::TemplateReported { .. }
            | Event::LimitReported(_)
            | Event::TicketStepped { .. }
            | Event::NumberMoved { .. }
            | Event::ConsentsFollowed { .. }
            | Event::SeenTogether { .. }
            | Event::UserMoved { .. }
            | Event::ReviewOpened(_)
            | Event::ReviewRepeated { .. }
            | Event::ReviewDecided { .. }
            | Event::TicketReserved(_)
            | Event::TicketCommitted { .. }
            | Event::TicketReleased { .. }
            | Event::TicketVoided { .. }
            | Event::LookupRequested { .. }
            | Event::LedgerOpened { .. }
            | Event::NothingChanged
            | Event::TopicPut { .. }
            | Event::StatementPut { .. }
            | Event::TemplatePut { .. }
            | Event::SenderPut { .. }
            | Event::PortfolioPut { .. }
            | Event::EntryPointPut { .. }
            | Event::PolicyPut { .. }
            | Event::KeyCreated { .. }
            | Event::KeyRotated { .. }
            | Event::KeyRevoked { .. }
            | Event::LookupJobStarted { .. }
            | Event::LookupJobEnded { .. } => {}
        }
    }

    fn fold_written(&mut self, written: Option<&str>) {
        if let Some(written) = written {
            self.written = Some(written.into());
        }
    }

    fn fold_identity(&mut self, seq: Seq, event: &Event) {
        if let Event::IdentityObserved { hash, observed_at, .. } = event {
            if let Some(known) = &mut self.identity
                && known.hash == *hash
            {
                known.observed_at = known.observed_at.max(*observed_at);
                return;
            }
            self.identity = Some(IdentityRecord {
                hash: hash.clone(),
                observed_at: *observed_at,
                changed_at: None,
                changed_seq: None,
                confirmed_at: None,
            });
        } else if let Event::IdentityChanged { hash, observed_at } = event {
            self.identity = Some(IdentityRecord {
                hash: hash.clone(),
                observed_at: *observed_at,
                changed_at: Some(*observed_at),
                changed_seq: Some(seq),
                // What was vouched for is the hash before this one.
                confirmed_at: None,
            });
        } else if let Event::IdentityPredated { .. } = event
            && let Some(known) = &mut self.identity
        {
            known.changed_at = known.changed_at.or(Some(known.observed_at));
            known.changed_seq = known.changed_seq.or(Some(seq));
        } else if let Event::IdentityDoubted { happened_at, by_move } = event
            && let Some(known) = &mut self.identity
            && (!by_move || known.observed_at <= *happened_at)
            && known.changed_at.is_none_or(|known| known < *happened_at)
        {
            (known.changed_at, known.changed_seq) = (Some(*happened_at), Some(seq));
            // Whoever vouched before this was heard vouched for what was before it.
            known.confirmed_at.take_if(|at| happened_at <= at && happened_at.may_be_after(*at));
        } else if let Event::TrafficSeen { identity_hash: Some(_), happened_at, .. } = event
            && let Some(known) = &mut self.identity
        {
            known.observed_at = known.observed_at.max(*happened_at);
        } else if let Event::IdentityConfirmed { confirmed_at, .. } = event
            && let Some(known) = &mut self.identity
        {
            known.confirmed_at = Some(*confirmed_at);
        }
    }
}

impl fmt::Debug for ContactDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContactDocument").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::event::{Actor, CountsFor, TrafficKind};

    fn fold(document: &mut ContactDocument, ms: i64, event: Event) {
        let at = Timestamp::from_unix_ms(ms);
        let record = Record { at, by: Actor::System, command: None, event };
        document.fold(Seq(9), &record);
    }

    #[test]
    fn the_known_hash_seen_again_keeps_a_change_open_and_a_late_older_one_opens_it() {
        let at = Timestamp::from_unix_ms;
        let event = Event::ContactAdded {
            contact: ContactId::from_uuid(Uuid::from_u128(1)),
            number: None,
            number_key: None,
            number_valid: false,
            user_id: None,
            user_key: None,
            weak_keys: Vec::new(),
            country: None,
            zone: None,
            seen_at: None,
        };
        let added = Record { at: at(1), by: Actor::System, command: None, event };
        let mut document = ContactDocument::begin(Seq(1), &added).unwrap();
        let observed =
            Event::IdentityObserved { hash: "B".into(), observed_at: at(20), again: false };
        fold(&mut document, 20, observed.clone());
        assert!(!document.identity.as_ref().unwrap().has_open_change());
        let late = Event::IdentityPredated { hash: "A".into(), observed_at: at(10) };
        fold(&mut document, 21, late);
        assert_eq!(document.identity.as_ref().unwrap().changed_at, Some(at(20)));
        fold(&mut document, 22, observed);
        let seen = Event::TrafficSeen {
            kind: TrafficKind::Inbound,
            sender: None,
            happened_at: at(30),
            identity_hash: Some("B".into()),
            message: None,
            counts_for: CountsFor::Person,
        };
        fold(&mut document, 30, seen);
        let known = document.identity.as_ref().unwrap();
        assert!(known.has_open_change());
        assert_eq!(known.observed_at, at(30));
        fold(&mut document, 40, Event::IdentityDoubted { happened_at: at(40), by_move: false });
        assert_eq!(document.identity.as_ref().unwrap().changed_at, Some(at(40)));
    }
}
