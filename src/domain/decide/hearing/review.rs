//! Rules about deciding what a message meant.

use crate::{
    domain::{
        command::{OptIn, OptOut},
        decide::{
            Events, Rules,
            consent::{Voice, add_opt_in_of, add_opt_out_of},
            hearing::nobody,
            person::Found,
        },
        event::{Event, Evidence, Source},
        hearing::{DecideReview, ReviewDecision},
        refusal::Refusal,
        state::Draft,
        time::Timestamp,
    },
    policy::ConsentBasis,
};

/// The source of an act that people read out of a message.
const REVIEW: &str = "review";

/// Records the decision, and the act it found at the moment the message was written: a decision
/// that comes late beats nothing the person did since.
pub(in crate::domain::decide) fn decide(
    draft: &Draft<'_>,
    rules: &Rules,
    decided: &DecideReview,
    now: Timestamp,
) -> Result<Events, Refusal> {
    let review = draft.review(decided.review).ok_or(Refusal::ReviewUnknown)?;
    let subject = draft.resolve(review.contact);
    let known = draft.contact(subject).ok_or(Refusal::ContactUnknown)?;
    // Whoever wrote it agrees under what they wrote it under.
    let found = Found { named: review.under, ..Found::known(subject, known) };
    let event = Event::ReviewDecided {
        review: decided.review,
        decision: decided.decision,
        topics: decided.topics.clone(),
        note: decided.note.clone(),
    };
    let mut events = vec![(subject, event)];
    let reference = Some(decided.review.0.to_string().into());
    let source = Source { kind: REVIEW.into(), entry_point: None, url: None, reference };
    let person = nobody(known.id);
    let captured_at = Some(review.at.min(now));
    match decided.decision {
        ReviewDecision::Nothing => {}
        ReviewDecision::OptOut => {
            let (topics, reason) = (decided.topics.clone(), decided.note.clone());
            let opt_out = OptOut { person, topics, source, reason, captured_at };
            let stop = (&opt_out, &Evidence::new());
            // It stands for what came up after it as well.
            let last_at = review.more.map_or(review.at, |more| more.last_at.max(review.at));
            add_opt_out_of(draft, &[&found], stop, (last_at, now), &mut events)?;
        }
        ReviewDecision::OptIn => {
            let topics = decided.topics.clone().unwrap_or_default();
            if topics.is_empty() {
                return Err(Refusal::TopicUnknown { place: None });
            }
            let opt_in = OptIn {
                person,
                topics,
                source,
                statement: None,
                language: None,
                evidence: Evidence::new(),
                captured_at,
                awaits_confirmation: false,
                basis: ConsentBasis::Express,
            };
            add_opt_in_of(draft, rules, &found, (&opt_in, Voice::default()), now, &mut events)?;
        }
    }
    Ok(events)
}
