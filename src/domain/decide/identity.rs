//! Rules about who is behind a number.

use crate::domain::{
    absorbed::Mark,
    command::ContactRef,
    decide::{Events, find, void_tickets},
    event::{Event, Evidence},
    identity::{Identity, Report},
    refusal::Refusal,
    state::Draft,
    ticket::VoidCause,
    time::Timestamp,
};

/// A change suspends everything at once and takes back the open tickets; a late report does
/// nothing, and a repeated one only tells when the hash was last seen.
pub(super) fn report(
    draft: &Draft<'_>,
    contact: ContactRef,
    hash: &str,
    observed_at: Timestamp,
    now: Timestamp,
) -> Result<Events, Refusal> {
    let (subject, known) = find(draft, contact)?;
    let hash = Box::from(hash);
    Ok(match Identity::judge(known.details().identity.as_ref(), &hash, observed_at) {
        Report::NothingNew => Vec::new(),
        Report::First => {
            vec![(subject, Event::IdentityObserved { hash, observed_at, again: false })]
        }
        Report::SeenAgain => {
            vec![(subject, Event::IdentityObserved { hash, observed_at, again: true })]
        }
        changed @ (Report::Changed | Report::Tied) => {
            let event = if changed == Report::Changed {
                Event::IdentityChanged { hash, observed_at }
            } else {
                Event::IdentityPredated { hash, observed_at }
            };
            let mut events = vec![(subject, event)];
            // Of two hashes of one second nobody knows which is the one now.
            let details = known.details();
            let is_blurred = details.identity.as_ref();
            let is_blurred = is_blurred.is_some_and(|known| known.may_come_before(observed_at));
            if is_blurred && Mark::is_news(details.told().doubted, observed_at) {
                let (happened_at, by_move) = (observed_at, false);
                events.push((subject, Event::IdentityDoubted { happened_at, by_move }));
            }
            void_tickets(draft, subject, VoidCause::IdentityChanged, now, |_| true, &mut events);
            events
        }
    })
}

/// Only the hash that was last observed can be vouched for.
pub(super) fn confirm(
    draft: &Draft<'_>,
    contact: ContactRef,
    hash: &str,
    evidence: &Evidence,
    now: Timestamp,
) -> Result<Events, Refusal> {
    let (subject, known) = find(draft, contact)?;
    if known.identity_hash() != Some(hash) {
        return Err(Refusal::IdentityHashMismatch);
    }
    let Some(change) = known.identity_changed() else { return Ok(Vec::new()) };
    let event = Event::IdentityConfirmed {
        hash: hash.into(),
        // The observer's clock may be a little ahead of ours.
        confirmed_at: now.max(change.at),
        evidence: evidence.clone(),
    };
    Ok(vec![(subject, event)])
}
