//! Whether a message is an answer about consent, and which.
//!
//! In this order: what a button or a list row was registered to stand for; the code of an entry
//! point; the word lists. Somebody else's words, words under a picture, in a group or put in place
//! of others never act: they are at most looked at by people. An opt-in word alone only confirms
//! what the person was asked, and words the business put on a button are nobody's own.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    domain::{
        hearing::{AnswerHow, ConsentAnswer},
        names::{EntryPointId, SenderId},
        registry::{AnswerAct, EntryCode, EntryPoint, Registry, TemplateAnswer, TemplateRef},
    },
    http::{edge::Edge, webhooks::people},
    limits::{ANSWER_BYTES_MAX, CONSENT_TEXT_BYTES_MAX},
    numbers,
    whatsapp::{Answer, Forwarded, Inbound, Spoken},
    words::{Doubt, Reading, Scope, Words, visible},
};

/// An answer that people have to look at.
pub(super) fn doubt(why: &str, word: Option<&str>, scope: Option<Scope>) -> ConsentAnswer {
    ConsentAnswer::Review {
        why: why.into(),
        word: word.map(Into::into),
        scope: scope.map(|scope| scope_name(scope).into()),
    }
}

/// Returns what a message says about consent, if it says anything.
pub(super) fn read(
    edge: &Edge,
    sender: Option<&SenderId>,
    inbound: &Inbound,
) -> Option<ConsentAnswer> {
    let question = inbound.context.message.as_ref();
    let question = question.map(|message| edge.indexer.message(message.expose()));
    let (registry, template) = {
        let state = edge.views().state();
        let ticket = question.and_then(|message| state.ticket_of(message));
        (Arc::clone(state.registry()), ticket.and_then(|ticket| ticket.template.clone()))
    };
    let template = template.as_ref();
    let country = people::region(&inbound.person);
    let country = country.as_ref().map(numbers::Region::as_str);
    let words = edge.webhooks.words;
    let reader = Reader { registry: &registry, words, country, sender, template };
    let answer = reader.answer(inbound)?;
    let mut answer = if inbound.group.is_some() { in_group(answer)? } else { answer };
    let (ConsentAnswer::OptOut { how, .. }
    | ConsentAnswer::OptIn { how, .. }
    | ConsentAnswer::Yes { how, .. }
    | ConsentAnswer::No { how }) = &mut answer
    else {
        return Some(answer);
    };
    how.question = question;
    Some(answer)
}

/// In a group nobody speaks to the business alone: who seems to withdraw is looked at by people,
/// and nobody agrees to anything.
fn in_group(answer: ConsentAnswer) -> Option<ConsentAnswer> {
    const IN_GROUP: &str = "in_group";
    match answer {
        ConsentAnswer::OptOut { topics, how } => {
            let scope = if topics.is_some() { Scope::Marketing } else { Scope::Everything };
            let scope = Some(scope);
            Some(doubt(IN_GROUP, how.word.as_deref(), scope))
        }
        ConsentAnswer::Review { word, scope: scope @ Some(_), why: _ } => {
            Some(ConsentAnswer::Review { why: IN_GROUP.into(), word, scope })
        }
        ConsentAnswer::Review { scope: None, .. }
        | ConsentAnswer::OptIn { .. }
        | ConsentAnswer::Yes { .. }
        | ConsentAnswer::No { .. } => None,
    }
}

/// What an answer is understood by.
struct Reader<'r> {
    registry: &'r Registry,
    words: &'r Words,
    /// Whose number the person has.
    country: Option<&'r str>,
    sender: Option<&'r SenderId>,
    /// The template of the message it answers, if that was sent on a ticket.
    template: Option<&'r TemplateRef>,
}

impl Reader<'_> {
    fn answer(&self, inbound: &Inbound) -> Option<ConsentAnswer> {
        let is_own = inbound.context.forwarded == Forwarded::No;
        match inbound.answer.as_ref()? {
            Answer::Text(text) if is_own => self.typed(text.read()),
            Answer::Text(text) => self.others(text.read(), "forwarded"),
            Answer::Caption(text) => self.others(text.read(), "caption"),
            Answer::Edited(text) => self.others(text.read(), "edited"),
            Answer::Button { payload, label } => {
                self.chosen("button", payload.as_ref(), label.as_ref())
            }
            Answer::ButtonReply { id, title } => self.chosen("button", id.as_ref(), title.as_ref()),
            Answer::ListReply { id, title } => self.chosen("list", id.as_ref(), title.as_ref()),
            Answer::Flow { .. } => None,
        }
    }

    /// Words a person typed, or left as a link had put them.
    fn typed(&self, text: &str) -> Option<ConsentAnswer> {
        if let Some(answer) = self.code(text, None, "entry_point") {
            return Some(answer);
        }
        self.said(self.reading(text), "keyword", text)
    }

    fn reading(&self, text: &str) -> Reading<'_> {
        self.words.read_from(text, self.country)
    }

    /// What a person chose. What nobody registered is read like words, label first: a tap on
    /// "Stop" must not be lost for want of a registration.
    fn chosen(
        &self,
        kind: &str,
        payload: Option<&Spoken>,
        label: Option<&Spoken>,
    ) -> Option<ConsentAnswer> {
        let (payload, label) = (payload.map(Spoken::read), label.map(Spoken::read));
        if let Some(payload) = payload {
            if let Some(answer) = self.registered(kind, payload) {
                return Some(self.unless_refused(answer, label));
            }
            if let Some(answer) = self.code(payload, label, kind) {
                return Some(answer);
            }
        }
        let said = [label, payload].into_iter().flatten();
        let mut answers = said.filter_map(|text| self.tapped(kind, text));
        let first = answers.next()?;
        // One of the two is enough to be certain.
        let certain = answers.find(|answer| matches!(answer, ConsentAnswer::OptOut { .. }));
        if matches!(first, ConsentAnswer::OptOut { .. }) {
            Some(first)
        } else {
            certain.or(Some(first))
        }
    }

    /// What the words of an unregistered button mean. The business wrote them, perhaps about an
    /// appointment or an order: only words that are said of nothing else act, what else may be for
    /// leaving is looked at by people, and the rest says nothing. Nor does what is a letter away
    /// from such a word: nobody mistypes a button, and "Shop now" means what it says.
    fn tapped(&self, kind: &str, text: &str) -> Option<ConsentAnswer> {
        match self.reading(text) {
            reading @ Reading::OptOut { unmistakable: true, .. } => self.said(reading, kind, text),
            Reading::OptIn { .. }
            | Reading::Decline { .. }
            | Reading::NearMiss { why: Doubt::Typo, .. }
            | Reading::NearMiss { scope: None, .. }
            | Reading::None => None,
            Reading::OptOut { scope, word, unmistakable: false, languages: _ }
            | Reading::NearMiss { scope: Some(scope), word, why: _, languages: _ } => {
                Some(doubt("unregistered", Some(word), Some(scope)))
            }
        }
    }

    /// An agreement that a payload is registered for, unless what the person saw on the button
    /// refuses: then the two contradict each other.
    fn unless_refused(&self, answer: ConsentAnswer, label: Option<&str>) -> ConsentAnswer {
        match label.and_then(|label| self.refusal(label)) {
            Some((word, scope)) if matches!(answer, ConsentAnswer::OptIn { .. }) => {
                doubt("payload_and_refusal", word, scope)
            }
            Some(_) | None => answer,
        }
    }

    /// What the template of the question has registered a payload for, or else all templates that
    /// have, if they agree. Where the question is known and did not register it, it agrees to
    /// nothing; a withdrawal counts wherever it is tapped, from all that it may be from.
    fn registered(&self, kind: &str, payload: &str) -> Option<ConsentAnswer> {
        let how = how(kind, payload);
        let asked = self.template.and_then(|template| self.registry.template(template));
        let own = asked.and_then(|asked| asked.value.answers.get(payload));
        let is_stop = |answer: &TemplateAnswer| answer.act == AnswerAct::OptOut;
        let counts = |answer: &&TemplateAnswer| asked.is_none() || is_stop(answer);
        let found: Vec<_> = match own {
            Some(own) => vec![own],
            None => self.registry.answers_to(payload).filter(counts).collect(),
        };
        let first = *found.first()?;
        if found.iter().any(|other| *other != first) {
            let stops = found.iter().filter(|answer| is_stop(answer)).count();
            if stops < found.len() {
                let scope = (stops > 0).then_some(Scope::Everything);
                return Some(doubt("payload_ambiguous", Some(payload), scope));
            }
            let from_all = found.iter().any(|answer| answer.topics.is_empty());
            let topics: BTreeSet<_> = found.iter().flat_map(|answer| &answer.topics).collect();
            let topics = (!from_all).then(|| topics.into_iter().cloned().collect());
            return Some(ConsentAnswer::OptOut { topics, how });
        }
        let TemplateAnswer { act, topics } = first;
        Some(match act {
            AnswerAct::OptOut => {
                let topics = (!topics.is_empty()).then(|| topics.clone());
                ConsentAnswer::OptOut { topics, how }
            }
            AnswerAct::OptIn => ConsentAnswer::OptIn {
                topics: topics.clone(),
                statement: None,
                language: None,
                how,
            },
        })
    }

    /// The entry point whose code stands in a text as a word of its own, whatever width it has and
    /// whatever invisible is in it. Whatever else the text says, or the label of its button, must
    /// not be a refusal.
    fn code(&self, text: &str, label: Option<&str>, kind: &str) -> Option<ConsentAnswer> {
        let text = text.get(..text.floor_char_boundary(CONSENT_TEXT_BYTES_MAX)).unwrap_or(text);
        let text = &*visible(text);
        let mut found: Option<(&str, &EntryPointId, &EntryPoint)> = None;
        let mut rest = String::with_capacity(text.len());
        for piece in text.split_inclusive(|character: char| !character.is_alphanumeric()) {
            let word = piece.trim_end_matches(|character: char| !character.is_alphanumeric());
            let code = EntryCode::read(word).ok();
            match code.and_then(|code| self.registry.entry_point_of_code(&code)) {
                None => rest.push_str(piece),
                Some((slug, entry)) => {
                    if let Some((_, other, _)) = found.filter(|(_, other, _)| *other != slug) {
                        let both = format!("{other} {slug}");
                        return Some(doubt("codes_ambiguous", Some(&both), None));
                    }
                    found = Some((word, slug, entry));
                    rest.push_str(piece.get(word.len()..).unwrap_or_default());
                }
            }
        }
        let (written, slug, entry) = found?;
        if let Some((word, scope)) =
            [text, &rest].into_iter().chain(label).find_map(|text| self.refusal(text))
        {
            return Some(doubt("code_and_refusal", word, scope));
        }
        let EntryPoint { topics, statement, language, sender, .. } = entry;
        if sender.is_some() && sender.as_ref() != self.sender {
            return Some(doubt("code_of_another_sender", Some(slug.as_str()), None));
        }
        let mut how = how(kind, written);
        how.entry_point = Some(slug.as_str().into());
        Some(ConsentAnswer::OptIn {
            topics: topics.clone(),
            statement: statement.clone(),
            language: language.clone(),
            how,
        })
    }

    /// What is said beside a code that may be a refusal: the word, and what it would mean.
    fn refusal(&self, text: &str) -> Option<(Option<&str>, Option<Scope>)> {
        match self.reading(text) {
            Reading::OptOut { scope, word, .. } => Some((Some(word), Some(scope))),
            Reading::NearMiss { word, scope, .. } => Some((Some(word), scope)),
            Reading::Decline { word, .. } => Some((Some(word), None)),
            Reading::OptIn { .. } | Reading::None => {
                self.words.negates(text).then_some((None, None))
            }
        }
    }

    /// What words mean.
    fn said(&self, reading: Reading<'_>, kind: &str, text: &str) -> Option<ConsentAnswer> {
        let how = |word: &str, languages: &[crate::words::Language]| AnswerHow {
            word: Some(word.into()),
            language: languages.first().map(|language| language.as_str().into()),
            ..how(kind, text)
        };
        match reading {
            Reading::OptOut { scope: Scope::Everything, languages, word, unmistakable: _ } => {
                Some(ConsentAnswer::OptOut { topics: None, how: how(word, languages) })
            }
            Reading::OptOut { scope: Scope::Marketing, languages, word, unmistakable: _ } => {
                let topics: Vec<_> = self.registry.marketing_topics().cloned().collect();
                if topics.is_empty() {
                    return Some(doubt("no_marketing_topic", Some(word), Some(Scope::Marketing)));
                }
                Some(ConsentAnswer::OptOut { topics: Some(topics), how: how(word, languages) })
            }
            Reading::OptIn { languages, word, answer_only } => {
                let mut how = how(word, languages);
                how.kind = "pending_reply".into();
                Some(ConsentAnswer::Yes { how, answer_only })
            }
            Reading::NearMiss { why, word, languages: _, scope } => {
                Some(doubt(doubt_name(why), Some(word), scope))
            }
            Reading::Decline { languages, word } => {
                let mut how = how(word, languages);
                how.kind = "pending_reply".into();
                Some(ConsentAnswer::No { how })
            }
            Reading::None => None,
        }
    }

    /// What is not the person's own word may still show that they want no more.
    fn others(&self, text: &str, why: &str) -> Option<ConsentAnswer> {
        let (word, scope) = match self.reading(text) {
            Reading::OptOut { scope, word, .. }
            | Reading::NearMiss { scope: Some(scope), word, .. } => (word, scope),
            Reading::NearMiss { scope: None, .. }
            | Reading::OptIn { .. }
            | Reading::Decline { .. }
            | Reading::None => return None,
        };
        Some(doubt(why, Some(word), Some(scope)))
    }
}

/// How an answer was given. Keeps no more of its text than evidence needs.
fn how(kind: &str, text: &str) -> AnswerHow {
    let kept = text.get(..text.floor_char_boundary(ANSWER_BYTES_MAX)).unwrap_or_default();
    AnswerHow { kind: kind.into(), text: Some(kept.into()), ..AnswerHow::default() }
}

const fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Everything => "everything",
        Scope::Marketing => "marketing",
    }
}

const fn doubt_name(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::Ambiguous => "ambiguous",
        Doubt::Diacritics => "diacritics",
        Doubt::Polite => "polite",
        Doubt::Typo => "typo",
        Doubt::InSentence => "in_sentence",
        Doubt::InText => "in_text",
        Doubt::LookAlike => "look_alike",
        Doubt::Sign => "sign",
        Doubt::Contradicted => "contradicted",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    const PAGE: &str = include_str!("../../../docs/reviews.md");

    /// Returns what stands between a beginning and the next quotation mark, wherever it does.
    fn after<'t>(text: &'t str, start: &str) -> Vec<&'t str> {
        text.split(start).skip(1).filter_map(|rest| rest.split('"').next()).collect()
    }

    #[test]
    fn every_reason_for_a_review_is_on_the_page_and_no_other() {
        let (here, _) = include_str!("answers.rs").split_once("#[cfg(test)]").unwrap();
        let mut reasons: BTreeSet<&str> = after(here, "doubt(\"").into_iter().collect();
        reasons.extend(after(here, "IN_GROUP: &str = \""));
        reasons.extend(after(here, "self.others(text.read(), \""));
        for arm in here.lines().filter(|line| line.trim_start().starts_with("Doubt::")) {
            reasons.extend(after(arm, "=> \""));
        }
        let rules = include_str!("../../domain/decide/hearing/answer.rs");
        reasons.extend(after(rules, "const YES_UNASKED: &str = \""));
        reasons.extend(after(rules, "const YES_LATE: &str = \""));
        reasons.extend(after(rules, "const PAYLOAD_UNCERTAIN: &str = \""));
        reasons.extend(after(include_str!("commands.rs"), "answers::doubt(\""));
        reasons.insert("identifiers_conflict");
        let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        let rows: BTreeSet<&str> = rows.filter(|row| *row != "why").collect();
        assert_eq!(rows, reasons);
    }
}
