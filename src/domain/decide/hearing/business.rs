//! Rules about what WhatsApp says of the business itself: accounts, senders, templates, limits.

use smallvec::{SmallVec, smallvec};

use crate::domain::{
    decide::{Events, hearing::Hearing, template, void_tickets_of},
    entry::Subject,
    event::{Event, LimitReported, SenderLearned},
    hearing::{
        About, AccountFact, Failure, FailureEffect, RestrictionKind, SenderFact, TemplateFact,
    },
    names::{AccountId, PortfolioId, SenderId},
    registry::{HoldCause, HoldKey, HoldScope, Holds, SenderChange, TemplateChange, TemplateRef},
    ticket::Ticket,
    time::Timestamp,
};

/// Codes that say that the account is disabled: reinstating it answers them. Source: Meta, Cloud
/// API, "Error codes".
const LOCKED: [i64; 2] = [368, 131_031];

/// WhatsApp's code for what a policy restricts.
const RESTRICTED: i64 = 368;

impl Hearing<'_, '_> {
    /// An account and a sender that are named together belong together. A message that names the
    /// account that is known makes no entry for it: the sender is known to belong there until the
    /// latest of its messages.
    pub(super) fn learn(&self, events: &mut Events) {
        let (Some(account), Some(sender)) = (&self.heard.account, &self.heard.sender) else {
            return;
        };
        let registry = self.draft.registry();
        let Some((place, _)) = registry.sender(sender) else { return };
        let known = registry.reported().sender(sender).and_then(|report| report.account.as_ref());
        let heard_at = self.draft.incidents().heard_at(place);
        let is_later = |at: Timestamp| at < self.at && heard_at.is_none_or(|at| at < self.at);
        if known.is_none_or(|(known, at)| known != account && is_later(*at)) {
            let (sender, account) = (sender.clone(), account.clone());
            let learned = SenderLearned { sender, account, happened_at: self.at };
            events.push((Subject::SYSTEM, Event::SenderLearned(learned)));
        }
    }

    pub(super) fn account(&self, fact: &AccountFact, events: &mut Events) {
        let Some(account) = &self.heard.account else { return };
        match fact {
            AccountFact::Restricted { kinds } => {
                for (kind, until) in kinds {
                    let Some(scope) = restricted(*kind) else { continue };
                    let key = HoldKey { scope, cause: HoldCause::Restricted, code: None };
                    self.hold_account(account, key, *until, events);
                }
            }
            AccountFact::Disabled => self.stop_account(account, HoldCause::Disabled, events),
            AccountFact::Deleted => self.stop_account(account, HoldCause::Deleted, events),
            AccountFact::Offboarded => self.stop_account(account, HoldCause::Offboarded, events),
            AccountFact::PartnerRemoved => {
                self.stop_account(account, HoldCause::PartnerRemoved, events);
            }
            AccountFact::Reinstated => self.lift_account(account, &[HoldCause::Disabled], events),
            AccountFact::Reconnected => {
                let causes = [HoldCause::Offboarded, HoldCause::PartnerRemoved];
                self.lift_account(account, &causes, events);
            }
        }
    }

    fn stop_account(&self, account: &AccountId, cause: HoldCause, events: &mut Events) {
        let key = HoldKey { scope: HoldScope::All, cause, code: None };
        self.hold_account(account, key, None, events);
    }

    /// What WhatsApp says is over ends what it answers, and nothing else that stops the account.
    fn lift_account(&self, account: &AccountId, causes: &[HoldCause], events: &mut Events) {
        let known = self.draft.registry().reported().account(account);
        if known.is_none_or(|holds| holds.is_lift_news(causes, self.past)) {
            let (account, causes) = (account.clone(), Some(causes.to_vec()));
            let event = Event::AccountLifted { account, causes, happened_at: self.past };
            events.push((Subject::SYSTEM, event));
        }
    }

    fn hold_account(
        &self,
        account: &AccountId,
        key: HoldKey,
        until: Option<Timestamp>,
        events: &mut Events,
    ) {
        let nothing = Holds::default();
        let known = self.draft.registry().reported().account(account).unwrap_or(&nothing);
        if known.is_news(key, self.at, until.unwrap_or(Timestamp::NEVER)) {
            let HoldKey { scope, cause, code } = key;
            let event = Event::AccountHeld {
                account: account.clone(),
                scope,
                cause: Some(cause),
                code,
                until,
                happened_at: self.at,
            };
            events.push((Subject::SYSTEM, event));
            let registry = self.draft.registry();
            let is_of =
                |id: &&SenderId| registry.account_of(id).is_none_or(|known| known == account);
            for sender in registry.senders().map(|(id, _)| id).filter(is_of) {
                self.void_held(sender, scope, until, events);
            }
        }
    }

    fn hold_sender(
        &self,
        sender: &SenderId,
        scope: HoldScope,
        code: i64,
        until: Option<Timestamp>,
        events: &mut Events,
    ) {
        let registry = self.draft.registry();
        let is_known = registry.sender(sender).is_some();
        let nothing = Holds::default();
        let known = registry.reported().sender(sender).map_or(&nothing, |report| &report.holds);
        let key = HoldKey { scope, cause: HoldCause::Failed, code: Some(code) };
        if is_known && known.is_news(key, self.at, until.unwrap_or(Timestamp::NEVER)) {
            let (sender, happened_at) = (sender.clone(), self.at);
            let event =
                Event::SenderHalted { sender: sender.clone(), scope, code, until, happened_at };
            events.push((Subject::SYSTEM, event));
            self.void_held(&sender, scope, until, events);
        }
    }

    /// Takes back what a hold stops, if it holds now.
    fn void_held(
        &self,
        sender: &SenderId,
        scope: HoldScope,
        until: Option<Timestamp>,
        events: &mut Events,
    ) {
        if until.is_some_and(|until| until <= self.now) {
            return;
        }
        let applies = |ticket: &Ticket| ticket.is_stopped_by(scope);
        void_tickets_of(self.draft, sender, self.now, applies, events);
    }

    pub(super) fn template(&self, fact: &TemplateFact, events: &mut Events) {
        let (template, changes): (_, SmallVec<[_; 2]>) = match fact {
            TemplateFact::Status { template, status, pause_ms, category } => {
                let until = pause_ms.map(|ms| self.past.plus_ms(ms));
                let status = status.clone();
                let status = TemplateChange::Status { status, until, by_failure: false };
                let category = category.map(|category| TemplateChange::Category { category });
                (template, [Some(status), category].into_iter().flatten().collect())
            }
            TemplateFact::Quality { template, quality } => {
                (template, smallvec![TemplateChange::Quality { quality: *quality }])
            }
            TemplateFact::CategoryImpending { template, category, from } => {
                let (category, from) = (*category, *from);
                (template, smallvec![TemplateChange::CategoryImpending { category, from }])
            }
            TemplateFact::Category { template, category } => {
                (template, smallvec![TemplateChange::Category { category: *category }])
            }
        };
        self.change_template((template, self.heard.account.as_ref()), changes, events);
    }

    fn change_template(
        &self,
        about: (&TemplateRef, Option<&AccountId>),
        changes: SmallVec<[TemplateChange; 2]>,
        events: &mut Events,
    ) {
        template::change(self.draft, about, changes, (self.past, self.now), events);
    }

    pub(super) fn sender(&self, fact: &SenderFact, events: &mut Events) {
        let Some(sender) = &self.heard.sender else { return };
        let change = match fact {
            SenderFact::Quality(quality) => SenderChange::Quality { quality: *quality },
            SenderFact::Status(status) => SenderChange::Status { status: status.clone() },
            // How fast a sender may send is no question of whether.
            SenderFact::Throughput(_) => return,
            SenderFact::Restricted { kinds } => {
                for (kind, until) in kinds {
                    let Some(scope) = restricted(*kind) else { continue };
                    self.hold_sender(sender, scope, RESTRICTED, *until, events);
                }
                return;
            }
        };
        let registry = self.draft.registry();
        let Some((_, put)) = registry.sender(sender) else { return };
        let known = registry.reported().sender(sender).cloned().unwrap_or_default();
        if known.is_news(&put.value, &change, self.past) {
            let mut reported = put.value.clone();
            reported.fold(&change);
            let (id, happened_at) = (sender.clone(), self.past);
            let event = Event::SenderReported { sender: id, change, happened_at };
            events.push((Subject::SYSTEM, event));
            if let Some(scope) = reported.stops() {
                self.void_held(sender, scope, None, events);
            }
        }
    }

    /// A limit is the portfolio's: that of the sender named, of the account's senders, or the only
    /// one there is.
    pub(super) fn limit(&self, limit: Option<u32>, events: &mut Events) {
        let registry = self.draft.registry();
        for portfolio in self.portfolios() {
            let Some(put) = registry.portfolio(&portfolio) else { continue };
            let known = (&portfolio, &put.value);
            if registry.reported().is_limit_news(known, limit, self.past) {
                let happened_at = self.past;
                let reported = LimitReported { portfolio, limit, happened_at };
                events.push((Subject::SYSTEM, Event::LimitReported(reported)));
            }
        }
    }

    fn portfolios(&self) -> Vec<PortfolioId> {
        let registry = self.draft.registry();
        if let Some((_, put)) = self.heard.sender.as_ref().and_then(|id| registry.sender(id)) {
            return vec![put.value.portfolio.clone()];
        }
        let account = self.heard.account.as_ref();
        let of_account = registry
            .senders()
            .filter(|(id, _)| account.is_some() && registry.account_of(id) == account);
        let mut found: Vec<_> = of_account.map(|(_, put)| put.value.portfolio.clone()).collect();
        found.sort_unstable();
        found.dedup();
        let mut all = registry.portfolios().map(|(id, _)| id);
        if found.is_empty()
            && let (Some(only), None) = (all.next(), all.next())
        {
            found.push(only.clone());
        }
        found
    }

    /// What a failure says of the template of its message, if anything.
    pub(super) fn failed_template(&self, failure: &Failure) -> Option<TemplateChange> {
        let About::Template(status) = failure.effect.about() else { return None };
        // For how long it is paused, only WhatsApp's own word on the template says.
        let by_failure = failure.effect == FailureEffect::TemplatePaused;
        let until = failure.pause_ms.map(|ms| self.at.plus_ms(ms));
        Some(TemplateChange::Status { status: status.into(), until, by_failure })
    }

    /// What a failure says beyond the person it was meant for.
    pub(super) fn failed_beyond(
        &self,
        failure: &Failure,
        sender: Option<&SenderId>,
        template: Option<&TemplateRef>,
        events: &mut Events,
    ) {
        let (code, until) = (failure.code, failure.pause_ms.map(|ms| self.at.plus_ms(ms)));
        let account = self.heard.account.as_ref();
        if let (Some(template), Some(change)) = (template, self.failed_template(failure)) {
            let of_sender = || self.draft.registry().account_of(sender?);
            let about = (template, account.or_else(of_sender));
            self.change_template(about, smallvec![change], events);
        }
        match (failure.effect.about(), account) {
            (About::Account(scope), Some(account)) => {
                let cause =
                    if LOCKED.contains(&code) { HoldCause::Disabled } else { HoldCause::Failed };
                let key = HoldKey { scope, cause, code: Some(code) };
                self.hold_account(account, key, until, events);
            }
            (About::Sender(scope) | About::Account(scope), _) => {
                if let Some(sender) = sender {
                    self.hold_sender(sender, scope, code, until, events);
                }
            }
            (About::Person | About::Template(_) | About::Nothing, _) => {}
        }
    }
}

/// Returns what a restriction stops, if it stops any message.
const fn restricted(kind: RestrictionKind) -> Option<HoldScope> {
    match kind {
        RestrictionKind::BusinessInitiated => Some(HoldScope::Templates),
        RestrictionKind::CustomerInitiated => Some(HoldScope::Sessions),
        // Utility templates may not be made; those there are may be sent.
        RestrictionKind::UtilityTemplates | RestrictionKind::Other => None,
    }
}
