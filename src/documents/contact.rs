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
            | Event::IdentityObserved { .. }
            | Event::IdentityChanged { .. }
            | Event::IdentityConfirmed { .. }
            | Event::IdentityPredated { .. }
            | Event::IdentityDoubted { .. }
            | Event::TrafficSeen { .. }
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
}

impl fmt::Debug for ContactDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContactDocument").field("id", &self.id).finish_non_exhaustive()
    }
}
