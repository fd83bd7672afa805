//! Rules about what a message says about consent.

use crate::{
    domain::{
        command::{OptIn, OptOut},
        consent::{Act, Consent, ConsentStatus, FullStop},
        decide::{
            Events,
            consent::{Voice, add_opt_in_of, add_opt_out_of, known_topics, shown},
            hearing::{Hearing, nobody},
            person::Found,
        },
        event::{Event, Evidence, ReviewOpened, Source},
        hearing::{AnswerHow, ConsentAnswer, Wrote},
        identity::IdentityTag,
        key::MessageKey,
        named::Named,
        names::{Language, StatementId, TopicId},
        refusal::Refusal,
        registry::{AnswerAct, TemplateAnswer},
        ticket::Ticket,
        time::{DAY_MS, Timestamp},
    },
    limits::{ANSWER_BYTES_MAX, REVIEWS_OPEN_MAX},
    policy::ConsentBasis,
};

/// Why people must look at a yes that nobody asked for, from someone who withdrew.
const YES_UNASKED: &str = "yes_unasked";

/// Why people must look at what may be a yes to something asked long ago.
const YES_LATE: &str = "yes_late";

/// Why people must look at a tap of which nobody knows yet whose button it was.
const PAYLOAD_UNCERTAIN: &str = "payload_uncertain";

/// A question to a person that has no yes yet.
struct Asked {
    topic: TopicId,
    /// When it was asked.
    at: Timestamp,
    /// Whether the person withdrew, before it or since.
    has_withdrawn: bool,
}

impl Hearing<'_, '_> {
    /// Records what a message says about consent. `others` are those who may have written it too:
    /// only a withdrawal counts for them.
    pub(super) fn answer(
        &self,
        wrote: &Wrote,
        (found, others): (&Found<'_>, &[Found<'_>]),
        events: &mut Events,
    ) -> Result<(), Refusal> {
        match &wrote.answer {
            None => Ok(()),
            Some(ConsentAnswer::OptOut { topics, how }) => {
                let everyone = std::iter::once(found).chain(others);
                self.stop(wrote, everyone, topics.as_deref(), how, events)
            }
            Some(ConsentAnswer::OptIn { topics, statement: _, language: _, how })
                if self.is_of_another(found, topics, how) =>
            {
                let why = PAYLOAD_UNCERTAIN.into();
                self.review(wrote, found, (why, how.text.clone(), None), events);
                Ok(())
            }
            Some(ConsentAnswer::OptIn { topics, statement, language, how }) => {
                let topics = self.known(topics);
                let shown = (statement.as_ref(), language.as_ref());
                self.agree(wrote, found, (topics, self.past, false), shown, how, events)
            }
            Some(ConsentAnswer::Yes { how, answer_only }) => {
                self.yes(wrote, found, (how, *answer_only), events)
            }
            Some(ConsentAnswer::No { how }) => self.no(wrote, found, how, events),
            Some(ConsentAnswer::Review { why, word, scope }) => {
                let (word, scope) = (word.clone(), scope.clone());
                self.review(wrote, found, (why.clone(), word, scope), events);
                Ok(())
            }
        }
    }

    /// The same of somebody who had the number before whoever has it now: all they can do is withdraw.
    /// What they agree to is for people to look at.
    pub(super) fn answer_of_former(
        &self,
        wrote: &Wrote,
        found: &Found<'_>,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        match &wrote.answer {
            Some(ConsentAnswer::OptIn { how, .. } | ConsentAnswer::Yes { how, .. }) => {
                let word = how.word.clone();
                self.review(wrote, found, (YES_LATE.into(), word, None), events);
                Ok(())
            }
            Some(
                ConsentAnswer::OptOut { .. }
                | ConsentAnswer::No { .. }
                | ConsentAnswer::Review { .. },
            )
            | None => self.answer(wrote, (found, &[]), events),
        }
    }

    /// A withdrawal from topics of which none is known is one from everything.
    fn stop<'a>(
        &self,
        wrote: &Wrote,
        everyone: impl Iterator<Item = &'a Found<'a>>,
        topics: Option<&[TopicId]>,
        how: &AnswerHow,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let topics = topics.map(|topics| self.known(topics)).filter(|topics| !topics.is_empty());
        let is_recorded = |found: &Found<'_>| match &topics {
            None => {
                let at = found.consents.withdrawn_at((self.at, self.draft.next()), |_| true);
                let is_it = |stop: FullStop| self.is_of_second(stop.at) && at <= stop.at;
                found.consents.full_stop().is_some_and(is_it)
            }
            Some(topics) => topics.iter().all(|topic| {
                let known = self.deciding(found, topic);
                let is_known = |act: &Consent| found.consents.topics().any(|it| it == act.topic);
                let is_it = |act: &Consent| {
                    act.act == Act::TookBack && self.is_of_second(act.at) && is_known(act)
                };
                known.as_ref().is_some_and(is_it)
            }),
        };
        let everyone: Vec<_> = everyone.filter(|found| !is_recorded(found)).collect();
        if everyone.is_empty() {
            return Ok(());
        }
        let opt_out = OptOut {
            person: nobody(wrote.person.new_id),
            topics,
            source: source(how),
            reason: None,
            captured_at: Some(self.at),
        };
        let stop = (&opt_out, &evidence(wrote, how));
        add_opt_out_of(self.draft, &everyone, stop, (self.at, self.now), events)
    }

    fn agree(
        &self,
        wrote: &Wrote,
        found: &Found<'_>,
        (topics, at, is_mere_answer): (Vec<TopicId>, Timestamp, bool),
        (statement, language): (Option<&StatementId>, Option<&Language>),
        how: &AnswerHow,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let hash = wrote.identity_hash.as_deref();
        let by = hash.map(IdentityTag::of);
        let is_recorded = |topic: &TopicId| {
            let known = self.act(found, topic, Act::Agreed, at);
            known.is_some_and(|known| by.is_none() || known.by == by)
        };
        if topics.iter().all(is_recorded) {
            return Ok(());
        }
        let mut opt_in = OptIn {
            person: nobody(wrote.person.new_id),
            topics,
            source: source(how),
            statement: statement.cloned(),
            language: language.cloned(),
            evidence: evidence(wrote, how),
            captured_at: Some(at),
            awaits_confirmation: false,
            basis: ConsentBasis::Express,
        };
        // Words that do not fit prove nothing; the person agreed all the same.
        if shown(self.draft, &opt_in).is_err() {
            (opt_in.statement, opt_in.language) = (None, None);
        }
        let by = Voice { identity_hash: hash.map(Box::from), is_mere_answer };
        add_opt_in_of(self.draft, self.rules, found, (&opt_in, by), self.now, events)
    }

    /// A yes confirms what the person was asked before it, also where they withdrew in between:
    /// the later word counts, in whatever order the two come. Without a question it is no agreement
    /// to anything; of someone who withdrew, people must see it. Below a message about something
    /// else it is none to the question. What is a yes only as an answer must be one: to a message,
    /// or to what was asked within the day before.
    fn yes(
        &self,
        wrote: &Wrote,
        found: &Found<'_>,
        (how, answer_only): (&AnswerHow, bool),
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let pending = self.open_questions(found);
        let open = pending.len();
        let (seen, unseen) = self.confirmed(found, (how, answer_only), pending, events);
        if seen.len() + unseen.len() > 0 {
            for (asked, is_mere_answer) in [(seen, false), (unseen, true)] {
                // A whole second stands for any within it: the answer comes after the question.
                let is_before = |asked: &Asked| asked.at <= self.past;
                let (before, within): (Vec<_>, Vec<_>) = asked.into_iter().partition(is_before);
                let before = before.into_iter().map(|asked| asked.topic).collect();
                let within = within.into_iter().map(|asked| (vec![asked.topic], asked.at));
                for (topics, at) in std::iter::once((before, self.past)).chain(within) {
                    let about = (topics, at, is_mere_answer);
                    self.agree(wrote, found, about, (None, None), how, events)?;
                }
            }
            return Ok(());
        }
        if open > 0 {
            self.review(wrote, found, (YES_LATE.into(), how.word.clone(), None), events);
            return Ok(());
        }
        if answer_only && how.question.is_none() {
            return Ok(());
        }
        let known = known_topics(self.draft, &found.consents);
        let is_repeat = known.iter().any(|(id, _)| self.is_act(found, id, Act::Agreed, self.past));
        // A yes that comes late and was said before the withdrawal says nothing about it.
        let is_before = |at: Timestamp| at < self.at;
        let has_withdrawn = known.iter().any(|(_, ix)| {
            let standing = found.consents.standing(*ix, self.now);
            standing.status == ConsentStatus::Withdrawn && standing.at.is_some_and(is_before)
        }) || found.consents.full_stop().is_some_and(|stop| is_before(stop.at));
        if has_withdrawn && !is_repeat {
            self.review(wrote, found, (YES_UNASKED.into(), how.word.clone(), None), events);
        }
        Ok(())
    }

    /// Returns to which of these questions a yes is the answer: those that whoever writes has before
    /// them, and those that may have been put to somebody else.
    fn confirmed(
        &self,
        found: &Found<'_>,
        (how, answer_only): (&AnswerHow, bool),
        pending: Vec<Asked>,
        events: &Events,
    ) -> (Vec<Asked>, Vec<Asked>) {
        let answers = how.question.and_then(|message| self.draft.ticket_of(message));
        let unnamed = self.unnamed(found, how);
        let is_to_them = |ticket: &Ticket| self.draft.resolve(ticket.contact) == found.subject;
        let changed_at = self.changed_at(found, events);
        let (mut seen, mut unseen) = (Vec::new(), Vec::new());
        for asked in pending {
            let Asked { topic, at, has_withdrawn } = &asked;
            let (at, has_withdrawn) = (*at, *has_withdrawn);
            let is_about =
                answers.into_iter().chain(unnamed.iter().copied()).all(|t| self.is_about(t, topic));
            // What goes to somebody after they were asked asks them, whoever was there before, as
            // long as it is about that: what an agent writes need not be.
            let is_question = |ticket: &Ticket| {
                is_to_them(ticket) && ticket.reserved_at >= at && ticket.topic.is_some()
            };
            let has_seen = is_about && answers.is_some_and(is_question);
            // After a withdrawal a mere answer may be one to anything that was said since.
            let is_recent = self.at.ms_since(at) <= DAY_MS;
            let is_own = is_recent || (!has_withdrawn && how.question.is_some());
            let is_answered = is_about && (is_own || !answer_only);
            // What somebody else was asked is no question to whoever is there now.
            if is_answered && (has_seen || changed_at < Some(at)) {
                let confirmed = if has_seen { &mut seen } else { &mut unseen };
                confirmed.push(asked);
            }
        }
        (seen, unseen)
    }

    /// A no is an answer to what the person was asked, and without a question to nothing.
    fn no(
        &self,
        wrote: &Wrote,
        found: &Found<'_>,
        how: &AnswerHow,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let asked: Vec<TopicId> = self.refusable(found);
        if asked.is_empty() {
            return Ok(());
        }
        self.stop(wrote, std::iter::once(found), Some(&asked), how, events)
    }

    /// Returns the templates sent lately of whose messages nobody knows the ids yet: where an answer
    /// names a message that is on no ticket, any of them may be the one.
    fn unnamed(&self, found: &Found<'_>, how: &AnswerHow) -> Vec<&Ticket> {
        let is_known = |message: MessageKey| self.draft.ticket_of(message).is_some();
        if how.question.is_none_or(is_known) {
            return Vec::new();
        }
        let sent = found.known.map(|known| known.details().sent.as_slice()).unwrap_or_default();
        let tickets = sent.iter().rev().filter_map(|sent| self.draft.ticket(sent.ticket));
        let is_late = |ticket: &&Ticket| {
            ticket.reserved_at <= self.at && self.at.ms_since(ticket.reserved_at) <= DAY_MS
        };
        tickets.filter(|ticket| ticket.message().is_none()).filter(is_late).collect()
    }

    /// Returns whether a tap is on a button of a message that may be, or is, of a template which has
    /// not registered its payload for this.
    fn is_of_another(&self, found: &Found<'_>, topics: &[TopicId], how: &AnswerHow) -> bool {
        if how.entry_point.is_some() {
            return false;
        }
        let known = how.question.and_then(|message| self.draft.ticket_of(message));
        let mut tickets = known.into_iter().chain(self.unnamed(found, how));
        tickets.any(|ticket| {
            let template = ticket.template.as_ref();
            let template = template.and_then(|id| self.draft.registry().template(id));
            template.is_some_and(|template| {
                let means_it = |(payload, answer): (&str, &TemplateAnswer)| {
                    let kept = payload.get(..payload.floor_char_boundary(ANSWER_BYTES_MAX));
                    kept == how.text.as_deref()
                        && answer.act == AnswerAct::OptIn
                        && answer.topics == topics
                };
                let answers = template.value.answers.iter();
                !answers.map(|(payload, answer)| (&**payload, answer)).any(means_it)
            })
        })
    }

    /// Returns what the person was asked before this message and has not agreed to since.
    fn open_questions(&self, found: &Found<'_>) -> Vec<Asked> {
        // Also where a withdrawal came after it: what is answered is not open any more.
        let asked = found.consents.questions_by(self.at.end_of_second());
        let open = asked.filter(|(_, _, is_open)| *is_open);
        let named = |(ix, at, _)| {
            let topic = self.draft.registry().topic_id(ix)?.clone();
            let deciding = found.consents.deciding(ix);
            let has_withdrawn = deciding.is_some_and(|act| act.act == Act::TookBack);
            Some(Asked { topic, at, has_withdrawn })
        };
        open.filter_map(named).collect()
    }

    /// Returns what a no takes back: what waits for an answer, and what the person was asked within
    /// the day before, whatever they said to it first.
    fn refusable(&self, found: &Found<'_>) -> Vec<TopicId> {
        let (moment, seq) = (self.at.end_of_second(), self.draft.next());
        let asked = found.consents.questions_by(moment).filter(|(ix, asked_at, _)| {
            let at = found.consents.withdrawn_at((self.at, seq), |other| other == *ix);
            let taken = FullStop { at, seq };
            let standing = found.consents.standing(*ix, self.now);
            let waits = standing.status == ConsentStatus::Pending;
            // Said again it is the later word: an agreement from in between may be heard of yet.
            (waits || self.at.ms_since(*asked_at) <= DAY_MS)
                && found.consents.would_decide(&taken.about(*ix))
        });
        let named = |(ix, _, _)| Some(self.draft.registry().topic_id(ix)?.clone());
        asked.filter_map(named).collect()
    }

    /// Returns by when somebody else may have come to be there: the identity changed, known before or
    /// shown by this very message, and nobody has vouched for the new one, or the person moved away.
    /// What happened later suspends what was said before it, and makes it nobody else's.
    fn changed_at(&self, found: &Found<'_>, events: &Events) -> Option<Timestamp> {
        let is_shown = events.iter().any(|(subject, event)| {
            *subject == found.subject && matches!(event, Event::IdentityChanged { .. })
        });
        let known = found.known?;
        let told = known.details().told();
        let Named { number_key, user_key } = found.named;
        let closed =
            [number_key, user_key].into_iter().flatten().filter_map(|key| told.closed(key));
        let moved = told.moved.into_iter().chain(closed).map(|mark| mark.at);
        let moved = moved.filter(|at| *at <= self.at);
        let changed = known.identity_changes_by(self.at).map(|change| change.at);
        let all = moved.chain(changed).chain(is_shown.then_some(self.at));
        all.map(Timestamp::end_of_second).max()
    }

    /// Returns whether an answer to the message on a ticket can be about a topic: one to what was
    /// sent about something else is none.
    fn is_about(&self, ticket: &Ticket, topic: &TopicId) -> bool {
        let about = ticket.topic.and_then(|ix| self.draft.registry().topic_id(ix));
        about.is_none_or(|about| about == topic)
    }

    fn review(
        &self,
        wrote: &Wrote,
        found: &Found<'_>,
        (why, word, scope): (Box<str>, Option<Box<str>>, Option<Box<str>>),
        events: &mut Events,
    ) {
        let message_id = Some(wrote.message_id.clone());
        let sender = self.heard.sender.clone();
        let (happened_at, under) = (self.at, found.under());
        let opened = ReviewOpened { why, word, scope, happened_at, message_id, sender, under };
        let opened = Box::new(opened);
        // Whoever has so many already is being looked at; the newest one tells that there is more.
        let open = found.known.map_or(&[][..], |known| &known.details().told().reviews);
        let event = match open.last() {
            Some(newest) if open.len() >= REVIEWS_OPEN_MAX => {
                Event::ReviewRepeated { review: *newest, again: opened }
            }
            Some(_) | None => Event::ReviewOpened(opened),
        };
        events.push((found.subject, event));
    }

    fn known(&self, topics: &[TopicId]) -> Vec<TopicId> {
        let is_known = |topic: &&TopicId| self.draft.registry().topic(topic).is_some();
        topics.iter().filter(is_known).cloned().collect()
    }

    /// Returns whether this very act is what decides about a topic.
    fn is_act(&self, found: &Found<'_>, topic: &TopicId, act: Act, at: Timestamp) -> bool {
        self.act(found, topic, act, at).is_some()
    }

    /// Returns this very act, if it is what decides about a topic.
    fn act(&self, found: &Found<'_>, topic: &TopicId, act: Act, at: Timestamp) -> Option<Consent> {
        self.deciding(found, topic).filter(|known| known.act == act && known.at == at)
    }

    fn deciding(&self, found: &Found<'_>, topic: &TopicId) -> Option<Consent> {
        let (ix, _) = self.draft.registry().topic(topic)?;
        found.consents.deciding(ix)
    }

    /// Returns whether something dated so may be what this message said.
    fn is_of_second(&self, at: Timestamp) -> bool {
        self.at <= at && self.at.may_be_after(at)
    }
}

fn source(how: &AnswerHow) -> Source {
    let entry_point = how.entry_point.clone();
    Source { kind: how.kind.clone(), entry_point, url: None, reference: None }
}

fn evidence(wrote: &Wrote, how: &AnswerHow) -> Evidence {
    let question = how.question.map(|question| String::from(question).into_boxed_str());
    let members = [
        ("message_id", Some(wrote.message_id.clone())),
        ("text", how.text.clone()),
        ("word", how.word.clone()),
        ("language", how.language.clone()),
        ("question", question),
    ];
    members.into_iter().filter_map(|(name, value)| Some((name.into(), value?))).collect()
}
