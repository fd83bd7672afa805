//! How long a verdict lasts by itself: what is known by now to end it.

use crate::{
    domain::{
        contact::Contact,
        eligibility::{Resolved, SessionPolicy, Verdict, deadline::first_due},
        ticket::MessageKind,
        time::Timestamp,
    },
    zones,
};

impl Resolved {
    /// Returns until when a contact that is eligible by a verdict `from` a moment on stays that, and
    /// by the same window: at most until `end`, and never sooner than a millisecond after `from`.
    ///
    /// What may end it is known in advance: the window that is open, the agreement, the hours of
    /// the recipient's clock, a doubt about a STOP that nobody decides, and a template that turns
    /// marketing.
    pub fn lasts_until(
        &self,
        (contact, verdict, policy): (&Contact, &Verdict, SessionPolicy),
        (from, end): (Timestamp, Timestamp),
    ) -> Timestamp {
        let is_template = self.kind == MessageKind::Template;
        let window = verdict.window_closes_at.filter(|_| verdict.window_is_open);
        let window = window.map(|closes_at| closes_at.plus_ms(-policy.margin_ms));
        let standing = verdict.standing.filter(|_| is_template);
        let agreement = standing.and_then(|standing| standing.expires_at);
        let due = first_due(&self.pace.policy, contact).filter(|_| self.is_marketing(from));
        let turned = self.marketing_since.filter(|_| is_template && !self.is_marketing(from));
        let rules = self.rules(contact.home, from);
        let between = (from.unix_ms(), end.unix_ms());
        let hours = zones::quiet_begins(contact.home.zones(), &rules.quiet_hours, between);
        let known = [
            window,
            agreement,
            due.map(|due| due.since),
            turned.map(|(since, _)| since),
            hours.map(Timestamp::from_unix_ms),
        ];
        let first = known.into_iter().flatten().filter(|at| from < *at).min();
        first.map_or(end, |first| first.min(end))
    }
}
