//! The names of entries, as the log of webhooks shows them.

use crate::domain::event::Event;

/// Returns the type of an entry, spelled as in the ledger.
pub const fn name(event: &Event) -> &'static str {
    match event {
        Event::LedgerOpened { .. } => "ledger_opened",
        Event::NothingChanged => "nothing_changed",
        Event::TopicPut { .. } => "topic_put",
        Event::StatementPut { .. } => "statement_put",
        Event::TemplatePut { .. } => "template_put",
        Event::SenderPut { .. } => "sender_put",
        Event::PortfolioPut { .. } => "portfolio_put",
        Event::EntryPointPut { .. } => "entry_point_put",
        Event::PolicyPut { .. } => "policy_put",
        Event::KeyCreated { .. } => "key_created",
        Event::KeyRotated { .. } => "key_rotated",
        Event::KeyRevoked { .. } => "key_revoked",
        Event::ContactAdded { .. } => "contact_added",
        Event::IdentifierLinked { .. } => "identifier_linked",
        Event::ContactMerged { .. } => "contact_merged",
        Event::ContactAbsorbed(_) => "contact_absorbed",
        Event::OptedIn(_) => "opted_in",
        Event::OptedOut(_) => "opted_out",
        Event::IdentityObserved { .. } => "identity_observed",
        Event::IdentityChanged { .. } => "identity_changed",
        Event::IdentityConfirmed { .. } => "identity_confirmed",
        Event::ContactBlocked { .. } => "contact_blocked",
        Event::ContactUnblocked => "contact_unblocked",
        Event::TrafficSeen { .. } => "traffic_seen",
        Event::OutcomeSeen(_) => "outcome_seen",
        Event::PairSeen(_) => "pair_seen",
        Event::AnswerKept(_) => "answer_kept",
        Event::StatusKept(_) => "status_kept",
        Event::IdentityPredated { .. } => "identity_predated",
        Event::IdentityDoubted { .. } => "identity_doubted",
        Event::MarketingPreferenceSeen { .. } => "marketing_preference_seen",
        Event::NumberMoved { .. } => "number_moved",
        Event::ConsentsFollowed { .. } => "consents_followed",
        Event::SeenTogether { .. } => "seen_together",
        Event::UserMoved { .. } => "user_moved",
        Event::MarketingHeldBack { .. } => "marketing_held_back",
        Event::ExperimentSeen { .. } => "experiment_seen",
        Event::PairSlowed { .. } => "pair_slowed",
        Event::Barred { .. } => "barred",
        Event::WindowEnded { .. } => "window_ended",
        Event::CountryBlocked { .. } => "country_blocked",
        Event::FailureSpared { .. } => "failure_spared",
        Event::IncidentOpened { .. } => "incident_opened",
        Event::IncidentClosed { .. } => "incident_closed",
        Event::SenderLearned(_) => "sender_learned",
        Event::AccountHeld { .. } => "account_held",
        Event::AccountLifted { .. } => "account_lifted",
        Event::SenderHalted { .. } => "sender_halted",
        Event::SenderReported { .. } => "sender_reported",
        Event::TemplateReported { .. } => "template_reported",
        Event::LimitReported(_) => "limit_reported",
        Event::TicketStepped { .. } => "ticket_stepped",
        Event::ReviewOpened(_) => "review_opened",
        Event::ReviewRepeated { .. } => "review_repeated",
        Event::ReviewDecided { .. } => "review_decided",
        Event::TicketReserved(_) => "ticket_reserved",
        Event::TicketCommitted { .. } => "ticket_committed",
        Event::TicketReleased { .. } => "ticket_released",
        Event::TicketVoided { .. } => "ticket_voided",
        Event::LookupJobStarted { .. } => "lookup_job_started",
        Event::LookupJobEnded { .. } => "lookup_job_ended",
        Event::LookupRequested { .. } => "lookup_requested",
        Event::LookupConcluded { .. } => "lookup_concluded",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ids::TicketId, ticket::VoidCause};

    #[test]
    fn an_entry_is_called_here_what_it_is_called_in_the_ledger() {
        let ticket = TicketId::from_uuid(uuid::Uuid::nil());
        for event in [
            Event::ContactUnblocked,
            Event::TicketReleased { ticket },
            Event::TicketVoided { ticket, cause: VoidCause::Withdrawn },
        ] {
            assert_eq!(serde_json::to_value(&event).unwrap()["type"], name(&event));
        }
    }
}
