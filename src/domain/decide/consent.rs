//! Rules about agreeing and withdrawing.

use std::borrow::Cow;

use crate::{
    domain::{
        command::{NumberIdentifier, OptIn, OptOut, Person},
        consent::{Act, Consent, ConsentStatus, Consents, FullStop, Standing, TopicIx},
        contact::Contact,
        decide::{
            Events, Rules,
            hearing::followers,
            not_future,
            person::{Found, apart, by_number, claimed, find_or_add},
            spelling::{self, OTHER_SPELLING, Stop, is_among},
            upcoming,
        },
        eligibility::consent_ends,
        entry::{Seq, Subject},
        event::{Event, Evidence, OptedIn, OptedOut, StatementShown, TopicOutcome},
        named::NameTags,
        names::TopicId,
        refusal::Refusal,
        registry::Statement,
        state::Draft,
        time::{DAY_MS, Timestamp},
    },
    policy,
};

/// An opt-in is always recorded; what it changes depends on what came after it.
pub(super) fn opt_in(
    draft: &Draft<'_>,
    rules: &Rules,
    opt_in: &OptIn,
    now: Timestamp,
) -> Result<Events, Refusal> {
    let mut claim = claim(draft, rules, opt_in, now)?;
    let (found, mut events) = whom(draft, opt_in, &claim, now)?;
    let is_asked = |topic: &FoundTopic| is_unconfirmed(draft, &found, opt_in, topic, now);
    let topics = std::mem::take(&mut claim.topics);
    let (asked, said): (Vec<_>, Vec<_>) = topics.into_iter().partition(is_asked);
    // Each topic has its own rules, so one part may count at once and the other be a question.
    let question = (!asked.is_empty()).then(|| {
        let opt_in = OptIn { awaits_confirmation: true, ..opt_in.clone() };
        let claim = Claim { topics: asked, ..claim.clone() };
        (found.subject, agreed(draft, &found, &opt_in, claim, now))
    });
    if !said.is_empty() {
        let claim = Claim { topics: said, ..claim };
        events.push((found.subject, agreed(draft, &found, opt_in, claim, now)));
    }
    events.extend(question);
    Ok(events)
}

/// Finds whom an opt-in is about, or adds them. Where policy wants it confirmed, that is whoever
/// the number alone leads to, as where the caller does: see [`claimed`].
fn whom<'d>(
    draft: &'d Draft<'_>,
    opt_in: &OptIn,
    claim: &Claim,
    now: Timestamp,
) -> Result<(Found<'d>, Events), Refusal> {
    let mut events = Vec::with_capacity(2);
    if opt_in.person.user.is_some() && !opt_in.awaits_confirmation {
        let alone = by_number(&opt_in.person);
        let found = find_or_add(draft, &alone, now, &mut events)?;
        let mut topics = claim.topics.iter();
        if topics.any(|topic| is_unconfirmed(draft, &found, opt_in, topic, now)) {
            return Ok((found, events));
        }
        events.clear();
    }
    let found = find_or_add(draft, &claimed(opt_in), now, &mut events)?;
    Ok((found, events))
}

/// Adds what an opt-in of a contact that was found already makes to the events of a command.
pub(super) fn add_opt_in_of(
    draft: &Draft<'_>,
    rules: &Rules,
    found: &Found<'_>,
    (opt_in, by): (&OptIn, Voice),
    now: Timestamp,
    events: &mut Events,
) -> Result<(), Refusal> {
    let claim = claim(draft, rules, opt_in, now)?;
    let claim = Claim { by, ..claim };
    events.push((found.subject, agreed(draft, found, opt_in, claim, now)));
    Ok(())
}

/// Returns whether policy wants an agreement to this topic confirmed where the person is at home,
/// and this one neither is the confirmation, with what proves it, nor repeats what is in force.
fn is_unconfirmed(
    draft: &Draft<'_>,
    found: &Found<'_>,
    opt_in: &OptIn,
    (id, ix, _): &FoundTopic,
    now: Timestamp,
) -> bool {
    // What waits for a confirmation anyhow is one question.
    if opt_in.awaits_confirmation {
        return false;
    }
    let Some(rules) = rules_about(draft, found, opt_in, id) else { return false };
    let consents = &found.consents;
    let standing = consents.standing(*ix, now);
    let repeats = standing.basis.is_express() || !opt_in.basis.is_express();
    // What was sent along with the question says nothing of an answer.
    let confirms = opt_in.basis.is_express() && consents.is_news(*ix, &opt_in.evidence);
    let is_asked_since = |at: Option<Timestamp>| consents.question(*ix) > at && confirms;
    // What somebody else agreed to or was asked says nothing of whoever is there now.
    let suspended_at = found.known.and_then(|known| known.suspended_at(*ix, found.named.first()));
    // Nor, in the second of the change, of whoever was asked.
    let suspended_at = suspended_at.map(Timestamp::end_of_second);
    let is_confirmed = match (standing.status, suspended_at) {
        (ConsentStatus::Granted, None) if repeats => true,
        (ConsentStatus::Granted | ConsentStatus::Pending, changed_at) => is_asked_since(changed_at),
        // They withdrew or ran out, came back, and were asked since.
        (ConsentStatus::Withdrawn | ConsentStatus::Expired, changed_at) => {
            is_asked_since(standing.at.max(changed_at))
        }
        (ConsentStatus::NeverAsked, _) => false,
    };
    rules.double_opt_in.is_some() && !is_confirmed
}

/// Returns what policy asks for about a topic where this person is at home.
fn rules_about<'d>(
    draft: &'d Draft<'_>,
    found: &Found<'_>,
    opt_in: &OptIn,
    topic: &TopicId,
) -> Option<&'d policy::Rules> {
    let named = opt_in.person.number.as_ref().map(|number| number.home);
    let home = found.known.map(|known| known.home).or(named).unwrap_or_default();
    let registry = draft.registry();
    let (_, topic) = registry.topic(topic)?;
    Some(registry.policy().policy.rules(home.country, topic.value.category.into()))
}

/// Returns what stands already where both it and `another` are implied, and it lasts longer, in
/// whatever order they came: an inquiry takes nothing from somebody who bought something. Of two
/// that end together the later one counts.
pub(super) fn outlasting(
    consents: &Consents,
    rules: &policy::Rules,
    another: &Consent,
) -> Option<Consent> {
    let known = consents.deciding(another.topic)?;
    if !known.is_implied() || !another.is_implied() {
        return None;
    }
    let lasts = |consent: &Consent| {
        let end = consent_ends(rules, consent.basis, consent.at);
        (end.map_or(consent.expires_at, |(end, _)| end.min(consent.expires_at)), consent.at)
    };
    (lasts(&known) > lasts(another)).then_some(known)
}

/// What an opt-in names, looked up.
#[derive(Clone)]
struct Claim {
    captured_at: Timestamp,
    topics: Vec<FoundTopic>,
    statement: Option<StatementShown>,
    by: Voice,
}

/// What a message that says yes tells about whoever said it.
#[derive(Clone, Default)]
pub(super) struct Voice {
    /// The identity hash that came with it.
    pub identity_hash: Option<Box<str>>,
    /// Whether it is no more than an answer, to something that may have been put to somebody else.
    pub is_mere_answer: bool,
}

fn claim(
    draft: &Draft<'_>,
    rules: &Rules,
    opt_in: &OptIn,
    now: Timestamp,
) -> Result<Claim, Refusal> {
    let captured_at = not_future(opt_in.captured_at, "captured_at", rules, now)?;
    let topics = find_topics(draft, &opt_in.topics)?;
    Ok(Claim { captured_at, topics, statement: shown(draft, opt_in)?, by: Voice::default() })
}

fn agreed(
    draft: &Draft<'_>,
    found: &Found<'_>,
    opt_in: &OptIn,
    claim: Claim,
    now: Timestamp,
) -> Event {
    let Claim { captured_at, topics, statement, by } = claim;
    let act = if opt_in.awaits_confirmation { Act::Asked } else { Act::Agreed };
    let named = found.named.tags();
    let by_former = found.known.is_some_and(|known| known.is_of_former(named, captured_at));
    let outcomes = topics.iter().map(|(id, ix, expires_after_days)| {
        if by_former {
            return TopicOutcome::of(id, &found.consents.standing(*ix, now), captured_at);
        }
        let expires_at = expires_after_days
            .filter(|_| act == Act::Agreed)
            .map(|days| captured_at.plus_ms(i64::from(days).saturating_mul(DAY_MS)));
        let asked_at = found.consents.question_by(*ix, captured_at);
        let asked_at = asked_at.filter(|_| by.is_mere_answer);
        let act = Consent {
            topic: *ix,
            act,
            basis: opt_in.basis,
            at: captured_at,
            there_since: asked_at.unwrap_or(captured_at),
            expires_at: expires_at.unwrap_or(Timestamp::NEVER),
            seq: Seq(0),
            by: None,
            under: NameTags::NONE,
        };
        let rules = rules_about(draft, found, opt_in, id).filter(|_| !act.basis.is_express());
        match rules.and_then(|rules| outlasting(&found.consents, rules, &act)) {
            Some(known) => TopicOutcome::of(id, &known.standing(now), captured_at),
            None => outcome(&found.consents, id, &act, now),
        }
    });
    Event::OptedIn(Box::new(OptedIn {
        number: opt_in.person.number.as_ref().map(|number| number.number.clone()),
        written: opt_in.person.number.as_ref().and_then(|number| number.written.clone()),
        topics: outcomes.collect(),
        captured_at,
        awaits_confirmation: opt_in.awaits_confirmation,
        basis: opt_in.basis,
        source: opt_in.source.clone(),
        statement,
        evidence: opt_in.evidence.clone(),
        identity_hash: by.identity_hash,
        derived_from: None,
        under: found.under(),
        by_former,
    }))
}

/// Finds the words that were shown. They prove nothing about a topic they do not name, and nobody
/// was shown them in a language they do not have.
pub(super) fn shown(draft: &Draft<'_>, opt_in: &OptIn) -> Result<Option<StatementShown>, Refusal> {
    let language = opt_in.language.clone();
    let Some(id) = &opt_in.statement else {
        return language.map_or(Ok(None), |_| Err(Refusal::StatementMissing));
    };
    let version = draft.registry().statement(id).ok_or(Refusal::StatementUnknown)?;
    let Statement { business_name: _, texts, topics } = &version.value;
    if language.as_ref().is_some_and(|language| !texts.contains_key(language)) {
        return Err(Refusal::StatementLanguage);
    }
    let is_missing = |topic: &TopicId| !topics.is_empty() && !topics.contains(topic);
    if let Some(place) = opt_in.topics.iter().position(is_missing) {
        return Err(Refusal::StatementTopic { place });
    }
    Ok(Some(StatementShown { id: id.clone(), digest: version.digest.clone(), language }))
}

/// An opt-out is always recorded, also of people nobody knew, and takes back their tickets. A
/// number and a user id that are known as two contacts are both withdrawn, the one with the user
/// id first: whoever of the two the person is, nobody writes to them.
pub(super) fn opt_out(
    draft: &Draft<'_>,
    rules: &Rules,
    opt_out: &OptOut,
    now: Timestamp,
) -> Result<Events, Refusal> {
    let mut events = Vec::with_capacity(2);
    let stop = (opt_out, &Evidence::new());
    let at = not_future(opt_out.captured_at, "captured_at", rules, now)?;
    let mut withdrawal = Withdrawal::new(draft, stop, (at, now), &mut events)?;
    match withdrawal.record(&opt_out.person) {
        Err(Refusal::IdentifiersConflict) => {
            for one in apart(&opt_out.person) {
                withdrawal.record(&one)?;
            }
        }
        recorded => recorded?,
    }
    withdrawal.reach_other_spellings();
    Ok(events)
}

/// Adds what an opt-out of contacts that were found already makes to the events of a command, with
/// what proves it. It was said at `at`, which may lie a little ahead: it silences.
pub(super) fn add_opt_out_of(
    draft: &Draft<'_>,
    everyone: &[&Found<'_>],
    stop: (&OptOut, &Evidence),
    (at, now): (Timestamp, Timestamp),
    events: &mut Events,
) -> Result<(), Refusal> {
    let mut withdrawal = Withdrawal::new(draft, stop, (at, now), events)?;
    for found in everyone {
        withdrawal.record_of(found, None);
    }
    withdrawal.reach_other_spellings();
    Ok(())
}

/// The member of the evidence that says how a withdrawal was dated, where it counts from later.
const TOLD_AT: &str = "told_at";

/// A withdrawal that is being recorded.
struct Withdrawal<'a, 'd> {
    draft: &'a Draft<'d>,
    opt_out: &'a OptOut,
    evidence: &'a Evidence,
    /// From what; `None` is everything.
    named: Option<Vec<(TopicId, TopicIx)>>,
    captured_at: Timestamp,
    now: Timestamp,
    events: &'a mut Events,
    given: Vec<Given<'a>>,
}

/// A contact it was recorded of.
struct Given<'a> {
    subject: Subject,
    /// By which entry.
    seq: Seq,
    /// Whom the contact's weak spellings lead to.
    others: Vec<(Subject, &'a Contact)>,
    /// Whom it goes along to, and why.
    followers: Vec<(Subject, &'static str)>,
}

impl<'a, 'd> Withdrawal<'a, 'd> {
    fn new(
        draft: &'a Draft<'d>,
        (opt_out, evidence): (&'a OptOut, &'a Evidence),
        (captured_at, now): (Timestamp, Timestamp),
        events: &'a mut Events,
    ) -> Result<Self, Refusal> {
        let named = match &opt_out.topics {
            Some(topics) => Some(find_topics(draft, topics)?),
            None => None,
        };
        let named = named.map(|named| named.into_iter().map(|(id, ix, _)| (id, ix)).collect());
        Ok(Self { draft, opt_out, evidence, named, captured_at, now, events, given: Vec::new() })
    }

    /// Records it of one contact. A refusal comes before any event.
    fn record(&mut self, person: &Person) -> Result<(), Refusal> {
        let found = find_or_add(self.draft, person, self.now, self.events)?;
        self.record_of(&found, person.number.as_ref());
        Ok(())
    }

    /// Records it of a contact that was found, by this number if by one.
    fn record_of(&mut self, found: &Found<'_>, number: Option<&NumberIdentifier>) {
        let (draft, told_at, now) = (self.draft, self.captured_at, self.now);
        let &Found { subject, known, ref consents, ref weak, named: _ } = found;
        let topics = match &self.named {
            Some(named) => named.clone(),
            None => known_topics(draft, consents),
        };
        let seq = upcoming(draft, self.events);
        let is_meant = |ix: TopicIx| is_among(self.named.as_deref(), ix);
        let at = consents.withdrawn_at((told_at, seq), is_meant);
        let taken = FullStop { at, seq: Seq(0) };
        let outcomes = topics.iter().map(|(id, ix)| outcome(consents, id, &taken.about(*ix), now));
        let spellings = spelling::weak_of(draft, subject, known, weak);
        let told_at = (at != told_at).then(|| (TOLD_AT.into(), told_at.to_rfc3339().into()));
        let event = OptedOut {
            number: number.map(|number| number.number.clone()),
            written: number.and_then(|number| number.written.clone()),
            everything: self.named.is_none(),
            topics: outcomes.collect(),
            captured_at: at,
            source: self.opt_out.source.clone(),
            reason: self.opt_out.reason.clone(),
            weak_keys: spellings.unknown,
            derived_from: None,
            evidence: self.evidence.clone().into_iter().chain(told_at).collect(),
        };
        self.events.push((subject, Event::OptedOut(Box::new(event))));
        let stop = Stop { topics: self.named.as_deref(), at, seq, via: OTHER_SPELLING };
        if known.is_some_and(|known| !known.details().tickets.is_empty()) {
            let mut after = Consents::clone(consents);
            stop.fold(&mut after, &topics);
            stop.void_tickets(draft, (subject, &after), now, self.events);
        }
        let followers = followers(draft, subject, self.captured_at);
        self.given.push(Given { subject, seq, others: spellings.known, followers });
    }

    /// Records it of whoever else it may be, each once.
    fn reach_other_spellings(self) {
        let Self { draft, named, captured_at: at, now, events, given, .. } = self;
        let mut reached: Vec<Subject> = given.iter().map(|given| given.subject).collect();
        for Given { seq, others, followers, .. } in given {
            let others = others.into_iter().map(|(other, _)| (other, OTHER_SPELLING));
            for (other, via) in others.chain(followers) {
                let Some(contact) = draft.contact(other).filter(|_| !reached.contains(&other))
                else {
                    continue;
                };
                reached.push(other);
                let stop = Stop { topics: named.as_deref(), at, seq, via };
                let mut consents = Cow::Borrowed(&contact.consents);
                stop.reach(draft, (other, &[]), &mut consents, now, events);
            }
        }
    }
}

/// What an act that decides leaves its topic at.
pub(super) fn outcome_of(topic: &TopicId, act: &Consent, now: Timestamp) -> TopicOutcome {
    let Standing { status, expires_at, .. } = act.standing(now);
    let asked_at = (act.there_since != act.at).then_some(act.there_since);
    TopicOutcome { topic: topic.clone(), status, at: act.at, expires_at, seq: None, asked_at }
}

/// What `act` leaves its topic at, without changing anything.
pub(super) fn outcome(
    consents: &Consents,
    topic: &TopicId,
    act: &Consent,
    now: Timestamp,
) -> TopicOutcome {
    if consents.would_decide(act) {
        outcome_of(topic, act, now)
    } else {
        TopicOutcome::of(topic, &consents.standing(act.topic, now), act.at)
    }
}

impl TopicOutcome {
    /// What another act left a topic at, which this one at `at` does not change.
    fn of(topic: &TopicId, standing: &Standing, at: Timestamp) -> Self {
        Self {
            topic: topic.clone(),
            status: standing.status,
            at: standing.at.unwrap_or(at),
            expires_at: standing.expires_at,
            seq: standing.seq,
            asked_at: None,
        }
    }
}

type FoundTopic = (TopicId, TopicIx, Option<u32>);

fn find_topics(draft: &Draft<'_>, ids: &[TopicId]) -> Result<Vec<FoundTopic>, Refusal> {
    let mut found: Vec<FoundTopic> = Vec::with_capacity(ids.len());
    for (place, id) in ids.iter().enumerate() {
        let (ix, put) =
            draft.registry().topic(id).ok_or(Refusal::TopicUnknown { place: Some(place) })?;
        // The same topic named twice is one topic.
        if found.iter().all(|(_, known, _)| *known != ix) {
            found.push((id.clone(), ix, put.value.expires_after_days));
        }
    }
    Ok(found)
}

/// Returns the topics anything was recorded about.
pub(super) fn known_topics(draft: &Draft<'_>, consents: &Consents) -> Vec<(TopicId, TopicIx)> {
    let named = |ix| Some((draft.registry().topic_id(ix)?.clone(), ix));
    consents.topics().filter_map(named).collect()
}
