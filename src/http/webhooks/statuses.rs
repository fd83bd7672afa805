//! What became of our messages, as commands: where each got to, and what its failure means.

use crate::{
    domain::{
        hearing::{Delivery, Failure, FailureEffect, HeardFact, Step},
        ids::TicketId,
        time::{HOUR_MS, Timestamp},
    },
    http::{edge::Edge, webhooks::people},
    whatsapp::{self, Action, DeliveryState, Fact, Fault, Private, Rule, Status, Subject},
};

/// What tickets give along when their message is sent.
const CALLBACK_PREFIX: &str = "izin:";

/// Returns what a status asks and when it happened. Without a time only a failure counts, as now.
pub(super) fn delivered(
    edge: &Edge,
    at: Option<Timestamp>,
    status: &Status,
) -> Option<(Timestamp, HeardFact)> {
    let message = status.message.as_ref()?;
    let step = step(status.state);
    let at = match (at, step) {
        (Some(at), _) => at,
        (None, Step::Failed) => edge.clock.now(),
        (None, Step::Sent | Step::Delivered | Step::Read) => return None,
    };
    let delivery = Delivery {
        person: people::person(edge, &status.recipient),
        message: edge.indexer.message(message.expose()),
        message_id: message.expose().into(),
        is_message: true,
        ticket: status.callback.as_ref().and_then(ticket),
        step,
        identity_hash: status.identity_hash.as_ref().map(|hash| hash.expose().into()),
        failure: failure(&status.recipient, &status.faults),
    };
    Some((at, HeardFact::Delivery(delivery)))
}

/// Returns what errors ask that name no message: what they say is about the sender or the account.
pub(super) fn troubled(
    edge: &Edge,
    fact: &Fact,
    faults: &[Fault],
) -> Option<(Timestamp, HeardFact)> {
    let mut failure = failure(&whatsapp::Person::default(), faults)?;
    if failure.effect == FailureEffect::Nothing {
        return None;
    }
    if fact.at.is_none() {
        // Nobody knows how old it is, and nothing may ever lift it.
        failure.pause_ms = failure.pause_ms.or(Some(HOUR_MS));
    }
    let message_id = fact.key.map_or_else(String::new, |key| hex::encode(key.as_bytes()));
    let delivery = Delivery {
        person: None,
        message: edge.indexer.message(&format!("trouble:{message_id}")),
        message_id: message_id.into(),
        is_message: false,
        ticket: None,
        step: Step::Failed,
        identity_hash: None,
        failure: Some(failure),
    };
    Some((fact.at.unwrap_or_else(|| edge.clock.now()), HeardFact::Delivery(delivery)))
}

/// The ticket of a message, if its sender gave along what the ticket said.
fn ticket(callback: &Private) -> Option<TicketId> {
    let id = callback.expose().strip_prefix(CALLBACK_PREFIX)?;
    id.parse().ok().map(TicketId::from_uuid)
}

const fn step(state: DeliveryState) -> Step {
    match state {
        DeliveryState::Sent => Step::Sent,
        DeliveryState::Delivered => Step::Delivered,
        DeliveryState::Read | DeliveryState::Played => Step::Read,
        DeliveryState::Failed => Step::Failed,
    }
}

/// Returns what the weightiest error means: of several, what only the person or WhatsApp can take
/// back counts before what passes.
pub(super) fn failure(recipient: &whatsapp::Person, faults: &[Fault]) -> Option<Failure> {
    let fault = faults.iter().min_by_key(|fault| rank(effect(fault.rule())))?;
    let rule = fault.rule();
    let region = people::region(recipient);
    let in_us = region.is_some_and(|region| region.as_str() == "US");
    Some(Failure {
        code: fault.code,
        effect: effect(rule),
        pause_ms: rule.lasts.pause_ms(0, in_us),
        country: region.as_ref().map(|region| region.as_str().into()),
    })
}

/// Orders what errors ask for: the lowest counts. An identity that is another is a fact of its own
/// beside the status.
const fn rank(effect: FailureEffect) -> u8 {
    match effect {
        FailureEffect::MarketingStopped => 0,
        FailureEffect::BlockedByBusiness | FailureEffect::RefuseForever => 1,
        FailureEffect::Identity => 2,
        FailureEffect::HaltAccount => 3,
        FailureEffect::HaltSender => 4,
        FailureEffect::HaltSenderTemplates
        | FailureEffect::HaltTemplates
        | FailureEffect::HaltMarketing => 5,
        FailureEffect::TemplateDisabled
        | FailureEffect::TemplateUnknown
        | FailureEffect::TemplatePaused => 6,
        FailureEffect::CountryBlocked
        | FailureEffect::Experiment
        | FailureEffect::MarketingCooldown => 7,
        FailureEffect::Unreachable | FailureEffect::WindowClosed | FailureEffect::PairBackoff => 8,
        FailureEffect::Nothing => 9,
    }
}

/// Returns what the rules make of what an error asks for. Sending more slowly is not sending at all
/// until the pause is over, by whatever is too fast.
const fn effect(rule: &Rule) -> FailureEffect {
    match rule.action {
        Action::Unreachable => FailureEffect::Unreachable,
        Action::WindowClosed => FailureEffect::WindowClosed,
        Action::MarketingCooldown => FailureEffect::MarketingCooldown,
        Action::MarketingStopped => FailureEffect::MarketingStopped,
        Action::Experiment => FailureEffect::Experiment,
        Action::PairBackoff => FailureEffect::PairBackoff,
        Action::BlockedByBusiness => FailureEffect::BlockedByBusiness,
        Action::RefuseForever => FailureEffect::RefuseForever,
        Action::Identity => FailureEffect::Identity,
        Action::CountryBlocked => FailureEffect::CountryBlocked,
        Action::HaltSender => FailureEffect::HaltSender,
        Action::HaltAccount => FailureEffect::HaltAccount,
        Action::HaltTemplates => match rule.subject {
            Subject::Sender => FailureEffect::HaltSenderTemplates,
            Subject::Contact
            | Subject::Pair
            | Subject::Account
            | Subject::Portfolio
            | Subject::Template
            | Subject::Request
            | Subject::None => FailureEffect::HaltTemplates,
        },
        Action::HaltMarketing => FailureEffect::HaltMarketing,
        Action::TemplatePaused => FailureEffect::TemplatePaused,
        Action::TemplateDisabled => FailureEffect::TemplateDisabled,
        Action::TemplateUnknown => FailureEffect::TemplateUnknown,
        Action::Backoff => match rule.subject {
            Subject::Sender => FailureEffect::HaltSender,
            Subject::Account | Subject::Portfolio => FailureEffect::HaltAccount,
            Subject::Template => FailureEffect::TemplatePaused,
            Subject::Contact | Subject::Pair | Subject::Request | Subject::None => {
                FailureEffect::Nothing
            }
        },
        Action::NeedsPhone | Action::CallerError | Action::Retry | Action::None => {
            FailureEffect::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect_of(codes: &[i64]) -> (i64, FailureEffect, Option<i64>) {
        let faults: Vec<_> =
            codes.iter().map(|code| Fault { code: *code, details: None }).collect();
        let failure = failure(&whatsapp::Person::default(), &faults).unwrap();
        (failure.code, failure.effect, failure.pause_ms)
    }

    #[test]
    fn of_several_errors_what_lasts_counts() {
        for codes in [[131_026, 131_050], [131_050, 131_026], [131_050, 130_429]] {
            assert_eq!(effect_of(&codes), (131_050, FailureEffect::MarketingStopped, None));
        }
        assert_eq!(effect_of(&[131_026, 137_000]).1, FailureEffect::Identity);
        assert_eq!(effect_of(&[131_026, 131_000]).0, 131_026, "before what asks for nothing");
    }

    #[test]
    fn too_fast_is_a_pause_of_whatever_is_too_fast() {
        const MINUTE: Option<i64> = Some(60_000);
        for (code, effect, pause_ms) in [
            (130_429, FailureEffect::HaltSender, MINUTE),
            (131_057, FailureEffect::HaltSender, MINUTE),
            (4, FailureEffect::HaltAccount, Some(HOUR_MS)),
            (80_007, FailureEffect::HaltAccount, Some(HOUR_MS)),
            (132_069, FailureEffect::TemplatePaused, Some(HOUR_MS)),
            (134_101, FailureEffect::TemplatePaused, Some(600_000)),
        ] {
            assert_eq!(effect_of(&[code]), (code, effect, pause_ms));
        }
        assert_eq!(effect_of(&[131_062]).1, FailureEffect::Nothing, "about one message");
    }

    #[test]
    fn a_spam_limit_stops_what_a_number_begins_and_not_what_it_answers() {
        for code in [471, 131_048] {
            let day = Some(crate::domain::time::DAY_MS);
            assert_eq!(effect_of(&[code]), (code, FailureEffect::HaltSenderTemplates, day));
        }
        assert_eq!(effect_of(&[131_064]).1, FailureEffect::HaltTemplates, "of the account");
    }
}
