//! Answers that may be to what the person was asked under an identifier that is not known to be theirs.
//!
//! A yes and a no say nothing without a question. Where the number and the user id of a person turn
//! out to be two contacts, the one may have been asked and the other have answered.

use crate::domain::{
    command::Person,
    contact::Contact,
    decide::{
        Events,
        hearing::{Hearing, nobody},
        person::Found,
    },
    entry::Subject,
    event::{AnswerKept, Event},
    hearing::{AnswerHow, ConsentAnswer, Heard, Wrote},
    key::MessageKey,
    named::Named,
    refusal::Refusal,
};

impl Hearing<'_, '_> {
    /// Keeps a yes or a no that said nothing, of somebody of whom one identifier is known, and nothing
    /// that they were asked.
    pub(super) fn keep_answer(&self, wrote: &Wrote, found: &Found<'_>, events: &mut Events) {
        let (how, is_yes, answer_only) = match &wrote.answer {
            Some(ConsentAnswer::Yes { how, answer_only }) => (how, true, *answer_only),
            Some(ConsentAnswer::No { how }) => (how, false, false),
            Some(
                ConsentAnswer::OptOut { .. }
                | ConsentAnswer::OptIn { .. }
                | ConsentAnswer::Review { .. },
            )
            | None => return,
        };
        let says_something = |(subject, event): &(Subject, Event)| {
            let is_act = matches!(
                event,
                Event::OptedIn(_)
                    | Event::OptedOut(_)
                    | Event::ReviewOpened(_)
                    | Event::ReviewRepeated { .. }
            );
            *subject == found.subject && is_act
        };
        let own = found.known.map(Contact::own).unwrap_or_default().or(found.named);
        let is_whole = own.number_key.is_some() && own.user_key.is_some();
        // Whoever was asked anything by then has answered that.
        let mut asked = found.consents.questions_by(self.at.end_of_second());
        if is_whole || asked.next().is_some() || events.iter().any(says_something) {
            return;
        }
        let kept = AnswerKept {
            is_yes,
            answer_only,
            happened_at: self.at,
            message_id: wrote.message_id.clone(),
            sender: self.heard.sender.clone(),
            kind: how.kind.clone(),
            word: how.word.clone(),
            question: how.question,
            under: found.named,
        };
        let told = found.known.map(|known| known.details().told());
        if told.is_none_or(|told| told.is_kept_news(&kept)) {
            events.push((found.subject, Event::AnswerKept(Box::new(kept))));
        }
    }

    /// Hears again, by their own dates, the answers of those who turned out to be one person.
    pub(super) fn answers_of(
        &self,
        place: Subject,
        mut kept: Vec<AnswerKept>,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        kept.sort_by_key(|answer| (answer.happened_at, answer.is_yes));
        for answer in kept {
            let draft = self.draft.foresee(events, self.now);
            let Some(contact) = draft.contact(place) else { continue };
            let (at, past) = (answer.happened_at, answer.happened_at.min(self.now));
            let heard = Heard { sender: answer.sender.clone(), ..self.heard.clone() };
            let hearing = Hearing { draft: &draft, heard: &heard, at, past, ..*self };
            let found = Found { named: answer.under, ..Found::known(place, contact) };
            let wrote = written(nobody(contact.id), &answer);
            let Named { number_key, user_key } = answer.under;
            if number_key.is_none() && user_key.is_some_and(|key| contact.is_former(key, at)) {
                hearing.answer_of_former(&wrote, &found, events)?;
                continue;
            }
            let mut asked = contact.consents.questions_by(at.end_of_second());
            if !answer.is_yes || asked.any(|(_, _, is_open)| is_open) {
                hearing.answer(&wrote, (&found, &[]), events)?;
            }
        }
        Ok(())
    }
}

/// Returns a message that says no more than this answer.
fn written(person: Person, kept: &AnswerKept) -> Wrote {
    let how = AnswerHow {
        kind: kept.kind.clone(),
        word: kept.word.clone(),
        question: kept.question,
        ..AnswerHow::default()
    };
    let answer = if kept.is_yes {
        ConsentAnswer::Yes { how, answer_only: kept.answer_only }
    } else {
        ConsentAnswer::No { how }
    };
    Wrote {
        person,
        message: MessageKey::from_bits(0),
        message_id: kept.message_id.clone(),
        kind: "text".into(),
        opens_window: false,
        identity_hash: None,
        answer: Some(answer),
        shared_number: None,
    }
}
