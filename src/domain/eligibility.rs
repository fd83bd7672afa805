//! May this sender send this message to this person now? The only place that says so.
//!
//! A question is resolved once against the registry and then judged for any number of contacts.
//! Pure: time is an argument, and every failing reason is given, not only the first.

use smallvec::SmallVec;

use crate::domain::{
    consent::{ConsentStatus, Standing, TopicIx},
    contact::{Contact, SenderIx},
    entry::Seq,
    names::{Language, SenderId, TemplateName, TopicId},
    reason::Reason,
    registry::{Registry, Template, TemplateRef, TemplateState},
    ticket::MessageKind,
    time::{HOUR_MS, Timestamp},
};

/// How long a person's message keeps the window open. Source: Meta, "Send messages".
pub const SESSION_WINDOW_MS: i64 = 24 * HOUR_MS;

/// What is asked, before anything is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// In which form.
    pub kind: MessageKind,
    /// Which template.
    pub template: Option<TemplateName>,
    /// In which language; may be left out where there is only one.
    pub language: Option<Language>,
    /// About what, where no template says so.
    pub topic: Option<TopicId>,
    /// From whom.
    pub sender: Option<SenderId>,
}

/// A question that makes no sense, whoever it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    /// A template message without a template or a topic.
    #[error("a template message needs a template or a topic")]
    TopicMissing,
    /// A session message without a sender: the window belongs to a sender.
    #[error("a session message needs a sender")]
    SenderMissing,
    /// A topic nobody put.
    #[error("the topic is not known")]
    TopicUnknown,
    /// A template in several languages, and none was named.
    #[error("the template exists in several languages; name one")]
    LanguageMissing,
    /// A session message with a template: what is sent as a template is judged as one.
    #[error("a session message has no template")]
    TemplateInSession,
    /// A template and a topic that contradict each other.
    #[error("the template belongs to another topic")]
    TopicContradicts,
}

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
    template: Option<TemplateRef>,
    account: Hits,
    about_template: Hits,
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
}

impl Question {
    /// Looks up everything that does not depend on the person.
    ///
    /// # Errors
    ///
    /// [`QuestionError`] for a question that makes no sense. A sender or template nobody put is a
    /// reason against sending, not an error.
    pub fn resolve(&self, registry: &Registry) -> Result<Resolved, QuestionError> {
        let mut resolved = Resolved {
            kind: self.kind,
            topic: None,
            sender: None,
            template: None,
            account: Hits::new(),
            about_template: Hits::new(),
        };
        if self.kind == MessageKind::Session {
            if self.template.is_some() {
                return Err(QuestionError::TemplateInSession);
            }
            if self.sender.is_none() {
                return Err(QuestionError::SenderMissing);
            }
        }
        if let Some(sender) = &self.sender {
            resolved.sender = resolve_sender(registry, sender, &mut resolved.account);
        }
        if let Some(topic) = &self.topic {
            let (ix, _) = registry.topic(topic).ok_or(QuestionError::TopicUnknown)?;
            resolved.topic = Some((topic.clone(), ix));
        }
        if let Some(name) = &self.template {
            self.resolve_template(name, registry, &mut resolved)?;
        } else if self.kind == MessageKind::Template && resolved.topic.is_none() {
            return Err(QuestionError::TopicMissing);
        }
        Ok(resolved)
    }

    fn resolve_template(
        &self,
        name: &TemplateName,
        registry: &Registry,
        resolved: &mut Resolved,
    ) -> Result<(), QuestionError> {
        let mut languages = registry.template_languages(name);
        let template = match &self.language {
            Some(language) => TemplateRef { name: name.clone(), language: language.clone() },
            None => match (languages.next(), languages.next()) {
                (Some(only), None) => only.clone(),
                (Some(_), Some(_)) => return Err(QuestionError::LanguageMissing),
                (None, _) => {
                    resolved.about_template.push(Hit::bare(Reason::TemplateUnknown));
                    return Ok(());
                }
            },
        };
        let Some(put) = registry.template(&template) else {
            resolved.about_template.push(Hit::bare(Reason::TemplateUnknown));
            return Ok(());
        };
        if self.topic.as_ref().is_some_and(|topic| *topic != put.value.topic) {
            return Err(QuestionError::TopicContradicts);
        }
        if let Some((ix, _)) = registry.topic(&put.value.topic) {
            resolved.topic = Some((put.value.topic.clone(), ix));
        }
        if let Some(reason) = template_reason(&put.value) {
            resolved.about_template.push(Hit::at(reason, None, Some(put.seq)));
        }
        resolved.template = Some(template);
        Ok(())
    }
}

fn template_reason(template: &Template) -> Option<Reason> {
    match template.state() {
        TemplateState::Sendable => None,
        TemplateState::Paused => Some(Reason::TemplatePaused),
        TemplateState::Disabled => Some(Reason::TemplateDisabled),
        TemplateState::NotApproved => Some(Reason::TemplateNotApproved),
    }
}

fn resolve_sender(registry: &Registry, id: &SenderId, account: &mut Hits) -> Option<SenderIx> {
    let Some((ix, put)) = registry.sender(id) else {
        account.push(Hit::bare(Reason::SenderUnknown));
        return None;
    };
    if let Some(portfolio) = registry.portfolio(&put.value.portfolio)
        && portfolio.value.restricted
    {
        account.push(Hit::at(Reason::AccountRestricted, None, Some(portfolio.seq)));
    }
    if !put.value.is_connected() {
        account.push(Hit::at(Reason::SenderNotConnected, None, Some(put.seq)));
    }
    if put.value.halted {
        account.push(Hit::at(Reason::SenderHalted, None, Some(put.seq)));
    }
    Some(ix)
}

impl Resolved {
    /// Returns in which form the message is.
    pub const fn kind(&self) -> MessageKind {
        self.kind
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
        Verdict { hits, standing: None, window_closes_at: None, window_is_open: false }
    }

    /// Judges one contact at `now`; `None` is a person nothing is known of.
    pub fn judge(
        &self,
        contact: Option<&Contact>,
        policy: SessionPolicy,
        now: Timestamp,
    ) -> Verdict {
        let mut hits = self.account.clone();
        let topic = self.topic_ix();
        let standing;
        let mut window_closes_at = None;
        match contact {
            Some(contact) => {
                self.judge_contact(contact, &mut hits);
                standing = topic.map(|topic| contact.consents.standing(topic, now));
                window_closes_at = self
                    .sender
                    .and_then(|sender| contact.details().traffic.last_inbound(sender))
                    .map(|at| at.plus_ms(SESSION_WINDOW_MS));
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
            hits.extend(consent_hit(standing));
        }
        hits.extend(self.about_template.iter().copied());
        let window_is_open = window_closes_at.is_some_and(|at| now < at.plus_ms(-policy.margin_ms));
        if self.kind == MessageKind::Session && !window_is_open {
            let since = window_closes_at.filter(|at| *at <= now);
            hits.push(Hit::at(Reason::SessionWindowClosed, since, None));
        }
        Verdict { hits, standing, window_closes_at, window_is_open }
    }

    fn judge_contact(&self, contact: &Contact, hits: &mut Hits) {
        let details = contact.details();
        if let Some((at, seq)) = details.blocked {
            hits.push(Hit::at(Reason::Blocked, Some(at), Some(seq)));
        }
        // An agreement later than the change is the new person's, in force or run out. A withdrawal
        // later than the change proves nobody's identity, so both reasons stand beside it.
        if let Some(change) = contact.identity_changed() {
            let is_registered_again = match (self.kind, self.topic_ix()) {
                (MessageKind::Template, Some(topic)) => {
                    contact.consents.has_agreed_to(topic, change.at)
                }
                (MessageKind::Template | MessageKind::Session, _) => {
                    contact.consents.has_agreed_since(change.at)
                }
            };
            if !is_registered_again {
                hits.push(Hit::at(Reason::IdentityChanged, Some(change.at), Some(change.seq)));
            }
        }
        if let Some((at, seq)) = details.traffic.unreachable() {
            hits.push(Hit::at(Reason::Unreachable, Some(at), Some(seq)));
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

    /// Returns when time alone makes it eligible: `None` if it is, or if something else is needed.
    pub fn next_eligible_at(&self) -> Option<Timestamp> {
        let mut latest = None;
        for hit in &self.hits {
            latest = latest.max(Some(hit.retry_at?));
        }
        latest
    }
}
