//! What became of a message of ours.
//!
//! Source: Meta, "Status messages webhook reference", copy of September 2026, and "Error codes".

use crate::{
    domain::time::Timestamp,
    whatsapp::{
        errors::{Rule, rule},
        facts::{Person, Private},
    },
};

/// A message of ours got somewhere, or did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The message's id. Nothing only if it cannot be read.
    pub message: Option<Private>,
    /// How far it got. States come in any order, and one may be missing.
    pub state: DeliveryState,
    /// To whom. In a group the member, if one is named.
    pub recipient: Person,
    /// The group it went to.
    pub group: Option<Private>,
    /// What we gave along when sending, to find the message again (`biz_opaque_callback_data`).
    pub callback: Option<Private>,
    /// The identity hash of the recipient, if the check is switched on and none was sent along.
    pub identity_hash: Option<Private>,
    /// Why it failed.
    pub faults: Vec<Fault>,
    /// What it cost.
    pub pricing: Option<Pricing>,
    /// The conversation it belongs to; from version 24.0 on only for free entry points.
    pub conversation: Option<Conversation>,
}

/// How far a message got, in order; `Failed` is an end of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeliveryState {
    /// WhatsApp has it.
    Sent,
    /// The person's device has it.
    Delivered,
    /// The person saw it.
    Read,
    /// The person heard it.
    Played,
    /// It will not arrive.
    Failed,
}

impl DeliveryState {
    /// Returns WhatsApp's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Played => "played",
            Self::Failed => "failed",
        }
    }

    /// Returns whether the recipient's device had the message: proof that they are on WhatsApp.
    pub const fn reached(self) -> bool {
        match self {
            Self::Delivered | Self::Read | Self::Played => true,
            Self::Sent | Self::Failed => false,
        }
    }

    /// Returns the state of this word, in any case.
    pub(in crate::whatsapp) fn of_word(word: &str) -> Option<Self> {
        [Self::Sent, Self::Delivered, Self::Read, Self::Played, Self::Failed]
            .into_iter()
            .find(|state| word.eq_ignore_ascii_case(state.word()))
    }
}

/// One error of WhatsApp's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Its code: the one thing to branch on.
    pub code: i64,
    /// What WhatsApp says beyond the code. May quote numbers and ids.
    pub details: Option<Private>,
}

impl Fault {
    /// Returns what the code means and asks for.
    pub fn rule(&self) -> &'static Rule {
        rule(self.code)
    }
}

/// What a message cost. Prices never decide permission; only [`Status::window_proof`] reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pricing {
    /// `regular`, `free_customer_service` or `free_entry_point`.
    pub kind: Option<Box<str>>,
    /// Such as `marketing`, `utility`, `service`.
    pub category: Option<Box<str>>,
    /// `PMP`, or `CBP` until July 2025.
    pub model: Option<Box<str>>,
    /// Whether it is billed; a member that is to go.
    pub billable: Option<bool>,
}

/// The conversation of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Its id: one per free entry point, or one per message in version 23.0 and before.
    pub id: Option<Box<str>>,
    /// What began it, in the words of [`Pricing::category`].
    pub origin: Option<Box<str>>,
    /// When it ends.
    pub ends_at: Option<Timestamp>,
}

/// Which window a status proves to have been open when the message was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowProof {
    /// The person had written within 24 hours.
    CustomerService,
    /// The person had come through an advertisement or a page and was answered. Lets templates be
    /// sent for free, and permits nothing by itself.
    FreeEntryPoint {
        /// When it ends, if told.
        until: Option<Timestamp>,
    },
}

impl Status {
    /// Returns which window the price or the conversation proves.
    ///
    /// A message that WhatsApp files under `service` is no template, and only an open window lets
    /// one through; what is free for customer service is free because of the window.
    pub fn window_proof(&self) -> Option<WindowProof> {
        let pricing = self.pricing.as_ref();
        let kind = pricing.and_then(|pricing| pricing.kind.as_deref());
        let category = pricing.and_then(|pricing| pricing.category.as_deref());
        let conversation = self.conversation.as_ref();
        let origin = conversation.and_then(|conversation| conversation.origin.as_deref());
        let is = |word: Option<&str>, expected| word == Some(expected);
        if is(kind, "free_entry_point")
            || is(category, "referral_conversion")
            || is(origin, "referral_conversion")
        {
            let until = conversation.and_then(|conversation| conversation.ends_at);
            Some(WindowProof::FreeEntryPoint { until })
        } else if self.state != DeliveryState::Failed
            && (is(kind, "free_customer_service")
                || is(category, "service")
                || is(origin, "service"))
        {
            Some(WindowProof::CustomerService)
        } else {
            None
        }
    }
}

/// A message was held back since the hash sent along is not the current one.
///
/// Source: Meta, "Business phone numbers", identity change check; read November 2026.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityMismatch {
    /// The message.
    pub message: Option<Private>,
    /// To whom it should have gone.
    pub recipient: Person,
    /// What we gave along when sending.
    pub callback: Option<Private>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(kind: &str, category: &str, origin: Option<&str>) -> Status {
        Status {
            message: None,
            state: DeliveryState::Sent,
            recipient: Person::default(),
            group: None,
            callback: None,
            identity_hash: None,
            faults: Vec::new(),
            pricing: Some(Pricing {
                kind: Some(kind.into()),
                category: Some(category.into()),
                model: None,
                billable: None,
            }),
            conversation: origin.map(|origin| Conversation {
                id: None,
                origin: Some(origin.into()),
                ends_at: Some(Timestamp::from_unix_ms(7)),
            }),
        }
    }

    #[test]
    fn only_what_needs_a_window_proves_one() {
        let service = Some(WindowProof::CustomerService);
        assert_eq!(status("regular", "utility", None).window_proof(), None);
        assert_eq!(status("regular", "marketing", Some("marketing")).window_proof(), None);
        assert_eq!(status("free_customer_service", "utility", None).window_proof(), service);
        assert_eq!(status("regular", "service", None).window_proof(), service);
        let free = status("free_entry_point", "referral_conversion", Some("referral_conversion"));
        let until = Some(Timestamp::from_unix_ms(7));
        assert_eq!(free.window_proof(), Some(WindowProof::FreeEntryPoint { until }));
        let failed = Status { state: DeliveryState::Failed, ..status("regular", "service", None) };
        assert_eq!(failed.window_proof(), None);
    }

    #[test]
    fn states_are_read_in_any_case_and_rank_in_order() {
        assert_eq!(DeliveryState::of_word("READ"), Some(DeliveryState::Read));
        assert_eq!(DeliveryState::of_word("deleted"), None);
        assert!(DeliveryState::Sent < DeliveryState::Delivered);
        assert!(DeliveryState::Delivered < DeliveryState::Read);
        assert!(DeliveryState::Read.reached() && !DeliveryState::Sent.reached());
    }
}
