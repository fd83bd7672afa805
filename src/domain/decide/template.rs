//! Rules about what is reported of a template: what is news is noted, and what it stops is taken back.

use std::borrow::Cow;

use crate::domain::{
    decide::{Events, upcoming, void_tickets_by},
    entry::Subject,
    event::Event,
    names::AccountId,
    registry::{Quality, TemplateChange, TemplateRef, TemplateReport},
    state::Draft,
    time::Timestamp,
};

/// Notes what was reported at `at` of a template of an account, or of any where nobody knows which.
/// What nobody put is not kept: putting it says how it stands.
pub(super) fn change(
    draft: &Draft<'_>,
    (template, account): (&TemplateRef, Option<&AccountId>),
    changes: impl IntoIterator<Item = TemplateChange>,
    (at, now): (Timestamp, Timestamp),
    events: &mut Events,
) {
    let Some(known) = draft.registry().reported().template(template) else { return };
    let mut report = Cow::Borrowed(known);
    for change in changes {
        if report.is_news(account, &change, at) {
            let seq = upcoming(draft, events);
            report.to_mut().fold(account, &change, at, seq);
            let (template, account) = (template.clone(), account.cloned());
            let event = Event::TemplateReported { template, account, change, happened_at: at };
            events.push((Subject::SYSTEM, event));
        }
    }
    // One message after another may fail for the same reason, and there are many tickets.
    let stands = |report: &TemplateReport| {
        let view = account.map(|account| report.of(account))?;
        let is_red = view.quality == Some(Quality::Red);
        Some((view.status.stops(now), view.marketing_since, view.category, is_red))
    };
    if let Cow::Owned(report) = report
        && (account.is_none() || stands(known) != stands(&report))
    {
        void_tickets_by(draft, (template, &report), now, events);
    }
}
