//! A reserved right to send one message, once.

use crate::domain::{
    consent::TopicIx,
    entry::{Seq, Subject},
    hearing::Step,
    ids::TicketId,
    key::MessageKey,
    named::KeyTag,
    names::{PortfolioId, SenderId},
    registry::{Category, HoldScope, TemplateRef},
    time::Timestamp,
};

/// Which form a message has.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// A registered template: may start a conversation.
    Template,
    /// Anything else: only inside an open window.
    Session,
}

/// Why a ticket was taken back. Stable names: they are part of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoidCause {
    /// The person withdrew.
    Withdrawn,
    /// The identity behind the number changed.
    IdentityChanged,
    /// The person moved to another number.
    NumberChanged,
    /// The person takes no marketing any more.
    MarketingStopped,
    /// The sender was stopped.
    SenderHalted,
    /// The template was stopped, or is marketing now and not covered by what the person agreed to.
    TemplateStopped,
    /// An operator blocked the contact.
    Blocked,
    /// The contact turned out to be the same person as another.
    Merged,
}

/// Where a ticket stands in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketState {
    /// Reserved; it may have run out, which depends on the time.
    Reserved,
    /// The message was sent.
    Committed {
        /// The message.
        message: MessageKey,
    },
    /// Given back unused.
    Released,
    /// Taken back.
    Voided {
        /// Why.
        cause: VoidCause,
    },
}

/// A ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Its id.
    pub id: TicketId,
    /// To whom.
    pub contact: Subject,
    /// From whom.
    pub sender: SenderId,
    /// In which form.
    pub kind: MessageKind,
    /// Which template, for a template message.
    pub template: Option<TemplateRef>,
    /// About what, for a template message.
    pub topic: Option<TopicIx>,
    /// What it counts as for caps, for a template message.
    pub category: Option<Category>,
    /// Out of whose limit it is, if out of one.
    pub counts_for: Option<PortfolioId>,
    /// To which number, where not to what was the contact's own when it was reserved.
    pub to: Option<KeyTag>,
    /// When it was reserved.
    pub reserved_at: Timestamp,
    /// Until when sending may start.
    pub expires_at: Timestamp,
    /// Where it stands.
    pub state: TicketState,
    /// How far its message got, as far as WhatsApp said.
    pub step: Option<Step>,
    /// The message that was sent on it although it had been given or taken back.
    pub stray: Option<MessageKey>,
    /// Whether its message is known to have been sent, be it that it failed afterwards.
    pub was_sent: bool,
    /// When it earned a look-up, if it did.
    pub earned_at: Option<Timestamp>,
    /// When WhatsApp took its message, by its own word.
    pub taken_at: Option<Timestamp>,
    /// By when it had at the latest, by any other word: that it was sent, or that it arrived.
    pub known_at: Option<Timestamp>,
    /// Whether it was given back unused after it had been taken back.
    pub is_given_back: bool,
    /// The entry that reserved it.
    pub seq: Seq,
}

impl Ticket {
    /// Returns whether its message is one that a hold of this scope stops.
    pub fn is_stopped_by(&self, scope: HoldScope) -> bool {
        match scope {
            HoldScope::All => true,
            HoldScope::Templates => self.kind == MessageKind::Template,
            HoldScope::Sessions => self.kind == MessageKind::Session,
            HoldScope::Marketing => self.category == Some(Category::Marketing),
            HoldScope::Utility => self.category == Some(Category::Utility),
        }
    }

    /// Returns whether it is reserved and still good at `now`.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.state == TicketState::Reserved && now < self.expires_at
    }

    /// Returns when its message was sent: never before it was reserved. As long as nobody said so,
    /// the last moment at which it may have been.
    pub fn sent_at(&self) -> Timestamp {
        self.taken_at.or(self.known_at).unwrap_or(self.expires_at).max(self.reserved_at)
    }

    /// Returns whether it was taken back, and nobody said that its message went out all the same.
    pub const fn is_recalled(&self) -> bool {
        let is_unheard = self.taken_at.is_none() && self.known_at.is_none();
        matches!(self.state, TicketState::Voided { .. }) && is_unheard
    }

    /// Returns it as it is dated once its message is known to have got so far at a moment. In
    /// whatever order that is heard, it comes to the same.
    #[must_use]
    pub fn dated(&self, step: Step, at: Timestamp) -> Self {
        let earliest = |known: Option<Timestamp>| Some(known.map_or(at, |known| known.min(at)));
        let mut ticket = self.clone();
        match step {
            Step::Failed => {}
            Step::Sent => ticket.taken_at = earliest(self.taken_at),
            Step::Delivered | Step::Read => ticket.known_at = earliest(self.known_at),
        }
        ticket
    }

    /// Returns the message that was sent on it, if one is known.
    pub fn message(&self) -> Option<MessageKey> {
        match self.state {
            TicketState::Committed { message } => Some(message),
            TicketState::Reserved | TicketState::Released | TicketState::Voided { .. } => {
                self.stray
            }
        }
    }
}
