//! May this sender send this message to this person now? The only place that says so.
//!
//! A question is resolved once against the registry and then judged for any number of contacts.
//! Pure: time is an argument, and every failing reason is given, not only the first.

mod countries;
mod deadline;
mod ends;
mod known;
mod lasting;
mod pace;
mod question;
mod waiting;

use smallvec::SmallVec;

pub use self::{
    deadline::stop_due,
    known::Known,
    lasting::{consent_ends, has_granted, seen_at_home, under_policy},
    pace::{Grounds, PAIR_BURST, PAIR_MS, Spared, marketing_left, paced_until},
    question::{GENERAL, Question, QuestionError, general},
};

use crate::domain::{
    consent::{ConsentStatus, Standing, TopicIx},
    contact::{Contact, SenderIx},
    entry::Seq,
    key::ContactKey,
    names::{PortfolioId, SenderId, TopicId},
    reason::Reason,
    registry::{Category, HoldScope, TemplateRef},
    ticket::MessageKind,
    time::{HOUR_MS, Timestamp},
};

/// How long a person's message keeps the window open. Source: Meta, "Send messages".
pub const SESSION_WINDOW_MS: i64 = 24 * HOUR_MS;

/// Which holds stop a marketing template.
const MARKETING: &[HoldScope] = &[HoldScope::All, HoldScope::Templates, HoldScope::Marketing];

/// One reason against sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// Which.
    pub reason: Reason,
    /// Since when, if it began at a moment.
    pub since: Option<Timestamp>,
    /// The entry behind it.
    pub seq: Option<Seq>,
    /// When time alone cures it.
    pub retry_at: Option<Timestamp>,
}

/// Reasons against sending, in the order of the table.
pub type Hits = SmallVec<[Hit; 2]>;

/// A question with everything looked up that does not depend on the person.
#[derive(Debug, Clone)]
pub struct Resolved {
    kind: MessageKind,
    topic: Option<(TopicId, TopicIx)>,
    sender: Option<SenderIx>,
    sender_id: Option<SenderId>,
    template: Option<TemplateRef>,
    account: Hits,
    about_template: Hits,
    is_marketing: bool,
    /// Whether a user id is not enough to send to.
    ///
    /// Source: Meta, Business-scoped user IDs: authentication templates go to numbers only (131062).
    needs_number: bool,
    /// Since when WhatsApp files the template under marketing, against what was put.
    marketing_since: Option<(Timestamp, Seq)>,
    /// Whether people who agreed to the topic did not agree to marketing by it.
    is_uncovered: bool,
    /// The topic that covers every other, where policy says so.
    general: Option<TopicIx>,
    pace: pace::Pace,
}

/// What stands for and against one contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// All reasons against, in the order of the table; none means yes.
    pub hits: Hits,
    /// Where the consent for the question's topic stands.
    pub standing: Option<Standing>,
    /// When the window with the question's sender closes, if one was ever opened.
    pub window_closes_at: Option<Timestamp>,
    /// Whether it is open, with the margin before its end already counted as closed.
    pub window_is_open: bool,
    /// The rules of policy behind reasons.
    pub grounds: Grounds,
}

/// What judging needs to know beyond the facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionPolicy {
    /// How long before its end the window is treated as closed, in milliseconds.
    pub margin_ms: i64,
}

impl Hit {
    /// A reason with nothing more to say.
    pub const fn bare(reason: Reason) -> Self {
        Self { reason, since: None, seq: None, retry_at: None }
    }

    const fn at(reason: Reason, since: Option<Timestamp>, seq: Option<Seq>) -> Self {
        Self { reason, since, seq, retry_at: None }
    }

    /// Returns whether time alone has not cured it by `now`.
    fn holds(&self, now: Timestamp) -> bool {
        self.retry_at.is_none_or(|at| now < at)
    }
}

impl Resolved {
    /// Returns in which form the message is.
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// Returns the place of the sender, if it is known.
    pub const fn sender(&self) -> Option<SenderIx> {
        self.sender
    }

    /// Returns out of whose limit the message is, if the sender is known.
    pub const fn portfolio(&self) -> Option<&PortfolioId> {
        self.pace.portfolio()
    }

    /// Returns the topic whose consent counts, if one does.
    pub fn topic(&self) -> Option<&TopicId> {
        self.topic.as_ref().map(|(id, _)| id)
    }

    /// Returns the place of that topic.
    pub fn topic_ix(&self) -> Option<TopicIx> {
        self.topic.as_ref().map(|(_, ix)| *ix)
    }

    /// Returns the template, if it is known.
    pub const fn template(&self) -> Option<&TemplateRef> {
        self.template.as_ref()
    }

    /// Judges a number that is not one.
    pub fn judge_invalid(&self) -> Verdict {
        let mut hits = Hits::new();
        hits.push(Hit::bare(Reason::InvalidNumber));
        hits.extend(self.account.iter().copied());
        hits.extend(self.about_template.iter().copied());
        Verdict {
            hits,
            standing: None,
            window_closes_at: None,
            window_is_open: false,
            grounds: Grounds::new(),
        }
    }

    /// Judges one contact, asked about by `key` if by one, at `now`; `None` is a person nothing is
    /// known of.
    pub fn judge(
        &self,
        (contact, key): (Option<&Contact>, Option<ContactKey>),
        policy: SessionPolicy,
        now: Timestamp,
    ) -> Verdict {
        let in_force = |hit: &&Hit| hit.holds(now);
        let mut hits = Hits::new();
        // What is asked about is what is sent to: whoever has a number is not reached at it by their
        // user id.
        let is_user = |known: &Contact| {
            known.number_key.is_none() || (key.is_some() && key == known.user_key)
        };
        if self.needs_number && contact.is_some_and(is_user) {
            hits.push(Hit::bare(Reason::InvalidNumber));
        }
        hits.extend(self.account.iter().filter(in_force).copied());
        let mut grounds = Grounds::new();
        let topic = self.topic_ix();
        let mut standing;
        let mut window_closes_at = None;
        match contact {
            Some(contact) => {
                self.judge_contact(contact, key, &mut hits);
                standing = topic.map(|topic| self.standing(contact, topic, now));
                if let Some(known) = &mut standing {
                    let (seen, rule) = under_policy(*known, self.rules(contact.home, now), now);
                    *known = seen;
                    grounds.extend(rule.map(|rule| (Reason::Expired, rule.clone())));
                }
                window_closes_at = self.window_closes_at(contact);
                if self.kind == MessageKind::Session
                    && contact.consents.has_left()
                    && let Some(stop) = contact.consents.full_stop()
                {
                    hits.push(Hit::at(Reason::Withdrawn, Some(stop.at), Some(stop.seq)));
                }
            }
            None => standing = topic.map(|_| Standing::NEVER_ASKED),
        }
        if self.kind == MessageKind::Template
            && let Some(standing) = &standing
        {
            hits.extend(self.uncovered_hit(now).or_else(|| consent_hit(standing)));
        }
        if self.is_marketing(now)
            && let Some(stop) = contact.and_then(|known| known.details().told().marketing_stopped())
        {
            hits.push(Hit::at(Reason::MarketingStopped, Some(stop.at), Some(stop.seq)));
        }
        hits.extend(self.about_template.iter().filter(in_force).copied());
        let window_is_open = window_closes_at.is_some_and(|at| now < at.plus_ms(-policy.margin_ms));
        if self.kind == MessageKind::Session && !window_is_open {
            let since = window_closes_at.filter(|at| *at <= now);
            hits.push(Hit::at(Reason::SessionWindowClosed, since, None));
        }
        if let Some(contact) = contact {
            self.judge_pace((contact, key), window_is_open, now, (&mut hits, &mut grounds));
        }
        Verdict { hits, standing, window_closes_at, window_is_open, grounds }
    }

    fn judge_contact(&self, contact: &Contact, key: Option<ContactKey>, hits: &mut Hits) {
        let details = contact.details();
        let barred = details.told().barred_for(self.sender_id.as_ref());
        let barred = barred.map(|barred| (barred.mark.at, barred.mark.seq));
        if let Some((at, seq)) = details.blocked.or(barred) {
            hits.push(Hit::at(Reason::Blocked, Some(at), Some(seq)));
        }
        // An agreement later than the change is the new person's, in force or run out. A withdrawal
        // later than the change proves nobody's identity, so both reasons stand beside it.
        let is_registered = |by: &dyn Fn(Option<TopicIx>) -> bool| {
            by(self.registered_topic()) || self.covering(contact).is_some_and(|ix| by(Some(ix)))
        };
        let has_registered =
            |change| is_registered(&|topic| contact.consents.has_registered_since(topic, change));
        if let Some(change) = contact.identity_changed_unless(has_registered) {
            hits.push(Hit::at(Reason::IdentityChanged, Some(change.at), Some(change.seq)));
        }
        // Of a number or user id that was given up, only what is said under it says who has it.
        if let Some((moved, tag)) = contact.given_up(key)
            && !is_registered(&|topic| contact.consents.has_agreed_under(tag, topic, moved))
        {
            hits.push(Hit::at(Reason::NumberChanged, Some(moved.at), Some(moved.seq)));
        }
        if let Some((at, seq)) = details.traffic.unreachable() {
            hits.push(Hit::at(Reason::Unreachable, Some(at), Some(seq)));
        }
    }
}

impl Resolved {
    /// Returns what whoever is behind the number now must have agreed to: the topic asked about,
    /// or anything where none is.
    fn registered_topic(&self) -> Option<TopicIx> {
        self.topic_ix().filter(|_| self.kind == MessageKind::Template)
    }

    /// Returns where the consent to the topic stands, or to the one that covers it.
    fn standing(&self, contact: &Contact, topic: TopicIx, now: Timestamp) -> Standing {
        let general = self.covering(contact).map(|ix| contact.consents.standing(ix, now));
        general
            .filter(Standing::is_granted)
            .unwrap_or_else(|| contact.consents.standing(topic, now))
    }

    /// Returns the topic whose consent counts where nothing was recorded about the one asked about.
    fn covering(&self, contact: &Contact) -> Option<TopicIx> {
        let is_open = |topic| contact.consents.deciding(topic).is_none();
        self.general.filter(|_| self.topic_ix().is_some_and(is_open))
    }

    /// Returns when the window closes: a day after the person wrote, unless WhatsApp said since
    /// that it is closed.
    fn window_closes_at(&self, contact: &Contact) -> Option<Timestamp> {
        let details = contact.details();
        let wrote_at = self.sender.and_then(|sender| details.traffic.last_inbound(sender))?;
        let ended = self.sender_id.as_ref().and_then(|sender| details.told().window_ended(sender));
        let ended = ended.filter(|ended| wrote_at <= *ended);
        Some(ended.unwrap_or_else(|| wrote_at.plus_ms(SESSION_WINDOW_MS)))
    }

    /// Returns whether it is a marketing template that is to be sent.
    fn is_marketing(&self, now: Timestamp) -> bool {
        let is_filed_so = self.marketing_since.is_some_and(|(since, _)| since <= now);
        self.kind == MessageKind::Template && (self.is_marketing || is_filed_so)
    }

    /// A template that turned marketing is not what people agreed to who agreed to its topic.
    fn uncovered_hit(&self, now: Timestamp) -> Option<Hit> {
        let (since, seq) = self.marketing_since.filter(|(since, _)| *since <= now)?;
        self.is_uncovered.then(|| Hit::at(Reason::NeverAsked, Some(since), Some(seq)))
    }

    /// Returns which holds stop such a message.
    fn scopes(&self, now: Timestamp) -> &'static [HoldScope] {
        let is_utility = self.pace.category() == Some(Category::Utility);
        match (self.kind, self.is_marketing(now), is_utility) {
            (MessageKind::Session, ..) => &[HoldScope::All, HoldScope::Sessions],
            (MessageKind::Template, false, false) => &[HoldScope::All, HoldScope::Templates],
            (MessageKind::Template, false, true) => {
                &[HoldScope::All, HoldScope::Templates, HoldScope::Utility]
            }
            (MessageKind::Template, true, _) => MARKETING,
        }
    }
}

fn consent_hit(standing: &Standing) -> Option<Hit> {
    let reason = match standing.status {
        ConsentStatus::Granted => return None,
        ConsentStatus::NeverAsked => Reason::NeverAsked,
        ConsentStatus::Pending => Reason::Pending,
        ConsentStatus::Expired => Reason::Expired,
        ConsentStatus::Withdrawn => Reason::Withdrawn,
    };
    let since = match standing.status {
        ConsentStatus::Expired => standing.expires_at,
        ConsentStatus::Granted
        | ConsentStatus::NeverAsked
        | ConsentStatus::Pending
        | ConsentStatus::Withdrawn => standing.at,
    };
    Some(Hit::at(reason, since, standing.seq))
}

impl Verdict {
    /// Returns whether the message may be sent.
    pub fn is_eligible(&self) -> bool {
        self.hits.is_empty()
    }
}
