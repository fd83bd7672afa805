//! What is asked, and all about it that does not depend on the person.

use std::sync::Arc;

use super::{Hit, Hits, Known, Resolved, pace::Pace};
use crate::{
    domain::{
        consent::TopicIx,
        contact::SenderIx,
        names::{Language, SenderId, TemplateName, TopicId},
        reason::Reason,
        registry::{Category, Hold, HoldScope, Registry, TemplateRef, TemplateState},
        ticket::MessageKind,
        time::Timestamp,
    },
    policy::Policy,
};

/// The topic that covers every other where policy lets it.
pub const GENERAL: &str = "general";

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

impl Question {
    /// Looks up everything that does not depend on the person.
    ///
    /// # Errors
    ///
    /// [`QuestionError`] for a question that makes no sense. A sender or template nobody put is a
    /// reason against sending, not an error.
    pub fn resolve(&self, known: &impl Known, now: Timestamp) -> Result<Resolved, QuestionError> {
        self.resolve_under(&known.registry().policy().policy, known, now)
    }

    /// The same under another policy than the one that counts.
    ///
    /// # Errors
    ///
    /// As [`Self::resolve`].
    pub fn resolve_under(
        &self,
        policy: &Arc<Policy>,
        known: &impl Known,
        now: Timestamp,
    ) -> Result<Resolved, QuestionError> {
        let registry = known.registry();
        let mut resolved = Resolved {
            kind: self.kind,
            topic: None,
            sender: None,
            sender_id: self.sender.clone(),
            template: None,
            account: Hits::new(),
            about_template: Hits::new(),
            is_marketing: false,
            needs_number: false,
            marketing_since: None,
            is_uncovered: false,
            general: general(registry).filter(|_| policy.settings().general_topic),
            pace: Pace::of(policy),
        };
        if self.kind == MessageKind::Session {
            if self.template.is_some() {
                return Err(QuestionError::TemplateInSession);
            }
            if self.sender.is_none() {
                return Err(QuestionError::SenderMissing);
            }
        }
        if let Some(topic) = &self.topic {
            let (ix, put) = registry.topic(topic).ok_or(QuestionError::TopicUnknown)?;
            resolved.topic = Some((topic.clone(), ix));
            resolved.is_marketing = put.value.category == Category::Marketing;
            resolved.pace.set_category(put.value.category);
        }
        if let Some(name) = &self.template {
            self.resolve_template(name, registry, &mut resolved)?;
        } else if self.kind == MessageKind::Template && resolved.topic.is_none() {
            return Err(QuestionError::TopicMissing);
        }
        if let Some(sender) = &self.sender {
            let scopes = resolved.scopes(now);
            resolved.sender = resolve_sender(registry, sender, scopes, &mut resolved.account);
            if let Some((_, put)) = registry.sender(sender) {
                resolved.pace.judge_sender(known, (sender, &put.value), now);
            }
        } else {
            resolved.pace.judge_any_sender(known);
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
        let view = registry.template_for(&template, self.sender.as_ref());
        let (Some(put), Some(view)) = (registry.template(&template), view) else {
            resolved.about_template.push(Hit::bare(Reason::TemplateUnknown));
            return Ok(());
        };
        if self.topic.as_ref().is_some_and(|topic| *topic != put.value.topic) {
            return Err(QuestionError::TopicContradicts);
        }
        resolved.is_marketing = view.category == Category::Marketing;
        resolved.needs_number = view.needs_number;
        resolved.pace.set_category(view.category);
        resolved.pace.judge_template(view.quality);
        let topic = registry.topic(&put.value.topic);
        let is_for_marketing =
            topic.is_some_and(|(_, topic)| topic.value.category == Category::Marketing);
        resolved.marketing_since = view.marketing_since;
        resolved.is_uncovered = !is_for_marketing && resolved.marketing_since.is_some();
        if let Some((ix, _)) = topic {
            resolved.topic = Some((put.value.topic.clone(), ix));
        }
        if let Some(reason) = template_reason(view.status.state()) {
            let retry_at = view.status.until.filter(|_| reason == Reason::TemplatePaused);
            let hit = Hit::at(reason, None, Some(view.status.seq));
            resolved.about_template.push(Hit { retry_at, ..hit });
        }
        resolved.template = Some(template);
        Ok(())
    }
}

/// Returns the topic whose consent covers every topic where policy lets it.
pub fn general(registry: &Registry) -> Option<TopicIx> {
    let id = TopicId::parse(GENERAL).ok()?;
    registry.topic(&id).map(|(ix, _)| ix)
}

const fn template_reason(state: TemplateState) -> Option<Reason> {
    match state {
        TemplateState::Sendable => None,
        TemplateState::Paused => Some(Reason::TemplatePaused),
        TemplateState::Disabled => Some(Reason::TemplateDisabled),
        TemplateState::NotApproved => Some(Reason::TemplateNotApproved),
    }
}

/// Adds what WhatsApp stopped: of the sender's account, or of any while nobody knows which it is.
fn account_hit(registry: &Registry, id: &SenderId, scopes: &[HoldScope]) -> Option<Hit> {
    let found = registry.reported().hold(registry.account_of(id), scopes);
    found.map(|hold| hold_hit(Reason::AccountRestricted, hold))
}

fn hold_hit(reason: Reason, hold: Hold) -> Hit {
    Hit { retry_at: hold.ends_at(), ..Hit::at(reason, Some(hold.at), Some(hold.seq)) }
}

pub(super) fn resolve_sender(
    registry: &Registry,
    id: &SenderId,
    scopes: &[HoldScope],
    account: &mut Hits,
) -> Option<SenderIx> {
    let Some((ix, put)) = registry.sender(id) else {
        account.push(Hit::bare(Reason::SenderUnknown));
        return None;
    };
    if let Some(portfolio) = registry.portfolio(&put.value.portfolio)
        && portfolio.value.restricted
    {
        account.push(Hit::at(Reason::AccountRestricted, None, Some(portfolio.seq)));
    } else {
        account.extend(account_hit(registry, id, scopes));
    }
    if !put.value.is_connected() {
        account.push(Hit::at(Reason::SenderNotConnected, None, Some(put.seq)));
    }
    if put.value.halted {
        account.push(Hit::at(Reason::SenderHalted, None, Some(put.seq)));
    } else {
        let held = registry.reported().sender(id).and_then(|report| report.holds.on(scopes));
        account.extend(held.map(|hold| hold_hit(Reason::SenderHalted, hold)));
    }
    Some(ix)
}
