//! Folding what was sent: by whom, to whom, and out of whose limit.

use crate::domain::{
    entry::Subject,
    hearing::Step,
    named::KeyTag,
    names::{PortfolioId, SenderId},
    pace::{Counted, MomentsDelta, PacedUs, Sent, UsageKey, last_of, remember},
    registry::Category,
    state::{Draft, State},
    ticket::Ticket,
    time::Timestamp,
};

impl State {
    /// Returns what was counted lately for a limit.
    pub fn counted(&self, key: &UsageKey) -> Counted<'_> {
        Counted::new(self.usage.get(key), None)
    }
}

impl Draft<'_> {
    /// Returns what was counted lately for a limit.
    pub fn counted(&self, key: &UsageKey) -> Counted<'_> {
        Counted::new(self.base.usage.get(key), self.changes.usage.get(key))
    }

    /// Returns when the messages of a sender so far will all have gone out.
    pub fn sender_paced(&self, sender: &SenderId) -> PacedUs {
        let changed = self.changes.paces.get(sender);
        changed.or_else(|| self.base.paces.get(sender)).copied().unwrap_or_default()
    }

    /// Folds in when they will.
    pub(super) fn fold_sender_paced(&mut self, sender: &SenderId, until: PacedUs) {
        self.changes.paces.insert(sender.clone(), until);
    }

    /// Counts what a ticket is for, as sent when it was sent or at its end, unless it is counted.
    pub(super) fn fold_sent(&mut self, subject: Subject, ticket: &Ticket) {
        let Some(category) = ticket.category else { return };
        let at = ticket.sent_at();
        let (portfolio, to) = (ticket.counts_for.clone(), self.sent_to(subject, ticket));
        let is_recalled = ticket.is_recalled();
        let sent = Sent { ticket: ticket.id, at, category, portfolio, to, is_recalled };
        if self.sent(subject, ticket).is_some() {
            return;
        }
        self.recount(subject, (ticket, to), |all| remember(all, sent));
        if category == Category::Marketing {
            self.usage_mut(UsageKey::Marketing(ticket.sender.clone())).add(at, 1);
        }
    }

    /// Takes back what a ticket was counted for: nothing was sent on it.
    pub(super) fn fold_unsent(&mut self, subject: Subject, ticket: &Ticket) {
        let Some(known) = self.sent(subject, ticket).cloned() else { return };
        let counted = (ticket, known.to);
        self.recount(subject, counted, |all| all.retain(|one| one.ticket != ticket.id));
        if known.category == Category::Marketing {
            self.usage_mut(UsageKey::Marketing(ticket.sender.clone())).add(known.at, -1);
        }
    }

    /// When the message of a ticket was sent, or whether, became known or better known.
    pub(super) fn fold_sent_at(&mut self, subject: Subject, ticket: &Ticket) {
        let (at, is_recalled) = (ticket.sent_at(), ticket.is_recalled());
        let is_news = |known: &&Sent| (known.at, known.is_recalled) != (at, is_recalled);
        let Some(known) = self.sent(subject, ticket).filter(is_news) else { return };
        let (before, sent) = (known.at, Sent { at, is_recalled, ..known.clone() });
        let is_marketing = sent.category == Category::Marketing;
        self.recount(subject, (ticket, sent.to), |all| remember(all, sent));
        if is_marketing {
            let usage = self.usage_mut(UsageKey::Marketing(ticket.sender.clone()));
            usage.add(before, -1);
            usage.add(at, 1);
        }
    }

    /// Folds in how far a message got: one that failed was none, and one that was sent was one
    /// although its ticket had been given or taken back.
    pub(super) fn fold_step(&mut self, subject: Subject, ticket: &Ticket, step: Step) {
        match step {
            Step::Failed => self.fold_unsent(subject, ticket),
            Step::Sent | Step::Delivered | Step::Read => self.fold_sent(subject, ticket),
        }
    }

    /// Returns what a ticket is counted for, if it is.
    fn sent(&self, subject: Subject, ticket: &Ticket) -> Option<&Sent> {
        let sent = &self.contact(subject)?.details().sent;
        sent.iter().find(|known| known.ticket == ticket.id)
    }

    /// Returns to which number of a person the message of a ticket goes, if not to their own: what
    /// was the own number of whoever it was reserved for may be another one of somebody's by now.
    fn sent_to(&self, subject: Subject, ticket: &Ticket) -> Option<KeyTag> {
        let merged = || {
            let number = self.contact(ticket.contact)?.number_key;
            self.contact(subject)?.other(number)
        };
        ticket.to.or_else(merged)
    }

    /// Changes what a number of a person was sent, and what that means for the limit it was out of.
    fn recount(
        &mut self,
        subject: Subject,
        (ticket, to): (&Ticket, Option<KeyTag>),
        change: impl FnOnce(&mut Vec<Sent>),
    ) {
        let portfolio = ticket.counts_for.clone();
        let Some(contact) = self.contact_mut(subject) else { return };
        let sent = &mut contact.details_mut().sent;
        let last = |sent: &[Sent]| portfolio.as_ref().and_then(|id| last_of(sent, id, to));
        let before = last(sent);
        change(sent);
        let after = last(sent);
        if let Some(id) = portfolio
            && before != after
        {
            let usage = self.usage_mut(UsageKey::Portfolio(id));
            if let Some(at) = before {
                usage.add(at, -1);
            }
            if let Some(at) = after {
                usage.add(at, 1);
            }
        }
    }

    /// What was sent to a person was sent to the one they are part of now. Another number than
    /// theirs goes on counting beside it, and what had no number counts once with what has one.
    pub(super) fn fold_sent_of(&mut self, from: Subject, into: Subject) {
        let Some(contact) = self.contact_mut(from) else { return };
        let (mut theirs, paced, home, number) = {
            let (home, number) = (contact.home, contact.number_key);
            let details = contact.details_mut();
            (std::mem::take(&mut details.sent), std::mem::take(&mut details.paced), home, number)
        };
        let Some(contact) = self.contact_mut(into) else { return };
        if contact.home.country.is_none() {
            contact.home = home;
        }
        let other = contact.number_key.and_then(|_| contact.other(number));
        for sent in &mut theirs {
            sent.to = sent.to.or(other);
        }
        let details = contact.details_mut();
        for (sender, until) in paced {
            details.fold_paced(sender, until);
        }
        let mut counted: Vec<(PortfolioId, Option<KeyTag>)> =
            theirs.iter().filter_map(|sent| Some((sent.portfolio.clone()?, sent.to))).collect();
        counted.sort_unstable();
        counted.dedup();
        let twice: Vec<(PortfolioId, Timestamp)> = counted
            .into_iter()
            .filter_map(|(id, to)| {
                let one = last_of(&details.sent, &id, to)?;
                let other = last_of(&theirs, &id, to)?;
                Some((id, one.min(other)))
            })
            .collect();
        for sent in theirs {
            remember(&mut details.sent, sent);
        }
        for (id, at) in twice {
            self.usage_mut(UsageKey::Portfolio(id)).add(at, -1);
        }
    }

    fn usage_mut(&mut self, key: UsageKey) -> &mut MomentsDelta {
        self.changes.usage.entry(key).or_default()
    }
}
