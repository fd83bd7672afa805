//! Rules about two contacts that turned out to be one person: both histories stay, and of what
//! the two say the more restrictive counts.

use std::{borrow::Cow, cmp::Ordering};

use crate::domain::{
    absorbed::{Absorbed, IdentityLeft, InboundLeft, LookupLeft, Mark, ShownLeft, TopicLeft},
    command::Merge,
    consent::{Act, Consent, ConsentStatus, Consents, FullStop},
    contact::{Contact, Details, OtherAnswer},
    decide::{Events, spelling, upcoming, void_tickets},
    entry::{Seq, Subject},
    event::{Event, Evidence},
    hearing::Told,
    identity::{Change, Identity, IdentityTag},
    key::ContactKey,
    names::TopicId,
    refusal::{MergeSide, Refusal},
    state::Draft,
    ticket::VoidCause,
    time::Timestamp,
};

/// Makes one contact part of another. Open tickets of both are taken back: they were given for
/// what one of the two had agreed to. Two that are one already stay as they are.
pub(super) fn merge(draft: &Draft<'_>, merge: &Merge, now: Timestamp) -> Result<Events, Refusal> {
    let from = draft.place_of(merge.from).ok_or(Refusal::MergeUnknown(MergeSide::From))?;
    let into = draft.place_of(merge.into).ok_or(Refusal::MergeUnknown(MergeSide::Into))?;
    if from == into {
        return Err(Refusal::MergeIntoItself);
    }
    let (from, into) = (draft.resolve(from), draft.resolve(into));
    if from == into {
        return Ok(Vec::new());
    }
    let lost = draft.contact(from).ok_or(Refusal::MergeUnknown(MergeSide::From))?;
    let kept = draft.contact(into).ok_or(Refusal::MergeUnknown(MergeSide::Into))?;
    // WhatsApp gives each of its accounts one user id: two ids are two accounts.
    if lost.user_key.is_some() && kept.user_key.is_some() {
        return Err(Refusal::IdentifiersConflict);
    }
    let mut events = Vec::with_capacity(2);
    void_tickets(draft, from, VoidCause::Merged, now, |_| true, &mut events);
    void_tickets(draft, into, VoidCause::Merged, now, |_| true, &mut events);
    spread(draft, [(from, lost), (into, kept)], now, &mut events);
    let seq = upcoming(draft, &events);
    let merged = Event::ContactMerged {
        into: kept.id,
        place: into,
        reason: merge.reason.clone(),
        evidence: merge.evidence.clone(),
    };
    events.push((from, merged));
    let sides = Sides { kept, lost, place: from, join: Join::Stricter };
    let absorbed = sides.absorb(draft, seq, now);
    events.push((into, Event::ContactAbsorbed(Box::new(absorbed))));
    Ok(events)
}

/// Makes the contact of a user id part of the one of the number that WhatsApp named with it at a
/// moment: everything stands as if the two had been one from the start.
pub(super) fn join_by_time(
    draft: &Draft<'_>,
    (into, kept): (Subject, &Contact),
    (from, lost): (Subject, &Contact),
    (reason, seen_at): (&str, Option<Timestamp>),
    now: Timestamp,
) -> Events {
    let mut events = Events::new();
    spread(draft, [(from, lost), (into, kept)], now, &mut events);
    let seq = upcoming(draft, &events);
    let (reason, evidence) = (Some(reason.into()), Evidence::new());
    let merged = Event::ContactMerged { into: kept.id, place: into, reason, evidence };
    events.push((from, merged));
    let sides = Sides { kept, lost, place: from, join: Join::ByTime { seen_at } };
    let absorbed = sides.absorb(draft, seq, now);
    events.push((into, Event::ContactAbsorbed(Box::new(absorbed))));
    events
}

/// Lets what each withdrew from reach the weak spellings of the other's number.
fn spread(
    draft: &Draft<'_>,
    [one, other]: [(Subject, &Contact); 2],
    now: Timestamp,
    events: &mut Events,
) {
    for ((place, contact), (_, with)) in [(one, other), (other, one)] {
        let weak = &with.aliases().weak;
        spelling::spread(draft, (place, &contact.consents), weak, now, events);
    }
}

/// How two contacts become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Join {
    /// Somebody said so: of what the two say the more restrictive counts.
    Stricter,
    /// WhatsApp named an identifier of each as one person's: what happened later counts.
    ByTime {
        /// When they were seen together, unless it was only said that they would be.
        seen_at: Option<Timestamp>,
    },
}

/// Two contacts that become one.
struct Sides<'a> {
    kept: &'a Contact,
    lost: &'a Contact,
    /// The place of the one that becomes part of the other.
    place: Subject,
    join: Join,
}

impl Sides<'_> {
    /// Works out where the one stands once the other is part of it, by the entry at `seq`.
    fn absorb(&self, draft: &Draft<'_>, seq: Seq, now: Timestamp) -> Absorbed {
        let Self { kept, lost, place, join } = *self;
        match join {
            Join::Stricter => {
                let topics = stricter_acts(&kept.consents, &lost.consents, now);
                let asked = questions(draft, [&kept.consents, &lost.consents]);
                let answers = answers(draft, [&kept.consents, &lost.consents]);
                let stop = latest_stop(&kept.consents, &lost.consents);
                absorb(draft, (kept, lost, place), (topics, (asked, answers), stop), seq)
            }
            Join::ByTime { seen_at } => {
                let paired = paired(kept, lost, seen_at.map(|at| Mark { at, seq: seq.next() }));
                let lost = &of_number(&paired, lost);
                let joined = in_order(&paired.consents, &lost.consents);
                let topics = joined.acts().copied().collect();
                let asked = (questions(draft, [&joined]), answers(draft, [&joined]));
                let stop = joined.full_stop();
                let absorbed = absorb(draft, (&paired, lost, place), (topics, asked, stop), seq);
                let user_key = paired.user_key.filter(|key| kept.user_key != Some(*key));
                let (pair, told) = (paired.details().pair.clone(), told_by_time(&paired, lost));
                let identity = identities_by_time(kept, lost, seq.next());
                Absorbed { user_key, pair, identity, told, ..absorbed }
            }
        }
    }
}

/// Everything both agreed to, were asked and withdrew from, as if told to one.
fn in_order(kept: &Consents, lost: &Consents) -> Consents {
    let mut joined = kept.clone();
    for (topic, at, _) in lost.questions() {
        joined.fold_question(topic, at);
    }
    for (topic, at) in lost.answers() {
        joined.fold_answer(topic, at);
    }
    for act in lost.acts().filter(|act| act.act != Act::TookBack) {
        joined.fold_act(*act);
    }
    // What either agreed to within the second of a withdrawal came before it.
    for side in [kept, lost] {
        for act in side.acts().filter(|act| act.act == Act::TookBack) {
            let at = joined.withdrawn_at((act.at, act.seq), |topic| topic == act.topic);
            joined.fold_act(Consent { at, there_since: at, ..*act });
        }
        if let Some(stop) = side.full_stop() {
            let at = joined.withdrawn_at((stop.at, stop.seq), |_| true);
            joined.fold_full_stop(FullStop { at, ..stop });
        }
    }
    joined
}

/// Returns the contact of a number as it is once WhatsApp has named the other's user id with it.
fn paired(kept: &Contact, lost: &Contact, seen: Option<Mark>) -> Contact {
    let mut joined = kept.clone();
    if let (Some(key), Some(seen)) = (lost.user_key, seen) {
        joined.see_pair(key, seen);
        let unsaid: Vec<_> = joined.topics_of_former().collect();
        for topic in unsaid {
            joined.consents.forget(topic);
        }
    }
    joined
}

/// Returns the contact of a user id as it counts for the number, which somebody else may have had since.
fn of_number<'a>(paired: &Contact, lost: &'a Contact) -> Cow<'a, Contact> {
    match lost.user_key.and_then(|key| paired.former_since(key)) {
        Some(since) => Cow::Owned(lost.owner_until(since)),
        None => Cow::Borrowed(lost),
    }
}

/// What is left of two contacts once the one is part of the other, their consents aside.
fn absorb(
    draft: &Draft<'_>,
    (kept, lost, place): (&Contact, &Contact, Subject),
    (acts, (questions, answers), full_stop): (Vec<Consent>, (Dated, Dated), Option<FullStop>),
    seq: Seq,
) -> Absorbed {
    let (ours, theirs) = (kept.details(), lost.details());
    let own = kept.own().or(lost.own()).tags();
    let topics = acts.into_iter().filter_map(|consent| {
        let Consent { topic, act, basis, at, there_since, expires_at, seq, by, under } = consent;
        let topic = draft.registry().topic_id(topic)?.clone();
        let there_since = (there_since != at).then_some(there_since);
        let expires_at = (expires_at != Timestamp::NEVER).then_some(expires_at);
        let under = (act != Act::TookBack && under != own).then_some(under);
        Some(TopicLeft { topic, act, basis, at, there_since, expires_at, seq, by, under })
    });
    let earliest = [ours.blocked, theirs.blocked].into_iter().flatten().min();
    let latest = [ours.traffic.failed, theirs.traffic.failed].into_iter().flatten().max();
    Absorbed {
        contact: lost.id,
        place,
        number_key: lost.number_key.filter(|_| kept.number_key.is_none()),
        user_key: lost.user_key.filter(|_| kept.user_key.is_none()),
        pair: None,
        weak_keys: new_weak(kept, lost),
        topics: topics.collect(),
        questions,
        answers,
        shown: shown(draft, &kept.consents, &lost.consents),
        full_stop: full_stop.map(|stop| Mark { at: stop.at, seq: stop.seq }),
        blocked: earliest.map(mark),
        identity: join_identities(kept, lost, seq),
        inbound: join_windows(draft, ours, theirs),
        reached_at: ours.traffic.reached_at.max(theirs.traffic.reached_at),
        failed: latest.map(mark),
        lookup: join_lookups(kept, lost),
        told: join_told(kept, lost),
    }
}

fn mark((at, seq): (Timestamp, Seq)) -> Mark {
    Mark { at, seq }
}

fn new_weak(kept: &Contact, lost: &Contact) -> Vec<ContactKey> {
    let known = &kept.aliases().weak;
    lost.aliases().weak.iter().filter(|key| !known.contains(key)).copied().collect()
}

/// Topic by topic, the act that leaves the person reachable for less. A side on which nothing was
/// ever recorded about a topic, and no withdrawal from everything, has nothing to say about it.
fn stricter_acts(kept: &Consents, lost: &Consents, now: Timestamp) -> Vec<Consent> {
    let stop = latest_stop(kept, lost);
    let mut acts: Vec<Consent> = Vec::new();
    for topic in kept.topics().chain(lost.topics()) {
        if acts.iter().any(|act| act.topic == topic) {
            continue;
        }
        acts.extend(match (kept.deciding(topic), lost.deciding(topic)) {
            (Some(ours), Some(theirs)) => Some(stricter(ours, theirs, stop, now)),
            (Some(only), None) | (None, Some(only)) => Some(only),
            (None, None) => None,
        });
    }
    acts
}

/// Topics, each with a moment.
type Dated = Vec<(TopicId, Timestamp)>;

/// What they were asked, answered or not.
fn questions<const N: usize>(draft: &Draft<'_>, sides: [&Consents; N]) -> Dated {
    let named = |(ix, at)| Some((draft.registry().topic_id(ix)?.clone(), at));
    let asked = |consents: &Consents| -> Vec<_> {
        let pending = consents.acts().filter(|act| act.act == Act::Asked);
        let pending = pending.map(|act| (act.topic, act.at));
        pending.chain(consents.questions().map(|(topic, at, _)| (topic, at))).collect()
    };
    sides.into_iter().flat_map(asked).filter_map(named).collect()
}

/// When they last said that they agree to it.
fn answers<const N: usize>(draft: &Draft<'_>, sides: [&Consents; N]) -> Dated {
    let named = |(ix, at)| Some((draft.registry().topic_id(ix)?.clone(), at));
    sides.into_iter().flat_map(Consents::answers).filter_map(named).collect()
}

/// What was sent along with those questions.
fn shown(draft: &Draft<'_>, kept: &Consents, lost: &Consents) -> Vec<ShownLeft> {
    let both = kept.shown().chain(lost.shown());
    let named = both.filter_map(|(ix, at, tags)| {
        Some(ShownLeft { topic: draft.registry().topic_id(ix)?.clone(), at, tags: tags.to_vec() })
    });
    named.collect()
}

fn latest_stop(kept: &Consents, lost: &Consents) -> Option<FullStop> {
    let stops = [kept.full_stop(), lost.full_stop()];
    stops.into_iter().flatten().max_by_key(|stop| (stop.at, stop.seq))
}

/// Withdrawn before expired before pending before granted. Of two withdrawals the later, which
/// more claims lose against; of two agreements the one that is only implied, that ends first or
/// else is older, which a change of identity suspends sooner. What a withdrawal from everything is
/// later than does not stand beside it, whichever side it came from.
fn stricter(ours: Consent, theirs: Consent, stop: Option<FullStop>, now: Timestamp) -> Consent {
    let rank = |consent: &Consent| match consent.standing(now).status {
        ConsentStatus::NeverAsked => 0,
        ConsentStatus::Granted => 1,
        ConsentStatus::Pending => 2,
        ConsentStatus::Expired => 3,
        ConsentStatus::Withdrawn => 4,
    };
    let is_overtaken = |consent: Consent| {
        stop.is_some_and(|stop| match consent.act {
            // Of two withdrawals at one moment, that from the topic is the one to show.
            Act::TookBack => consent.at < stop.at,
            Act::Asked | Act::Agreed => consent.is_ended_by(stop),
        })
    };
    let age =
        |act: Consent| (is_overtaken(act), act.basis.is_express(), act.expires_at, act.at, act.seq);
    let theirs_win = match rank(&theirs).cmp(&rank(&ours)) {
        Ordering::Less => false,
        Ordering::Greater => true,
        Ordering::Equal => match ours.act {
            Act::TookBack | Act::Asked => (theirs.at, theirs.seq) > (ours.at, ours.seq),
            Act::Agreed => age(theirs) < age(ours),
        },
    };
    let act = if theirs_win { theirs } else { ours };
    stop.filter(|_| is_overtaken(act)).map_or(act, |stop| stop.about(act.topic))
}

/// The hash observed last stays. A change that is open on either side stays open, and two hashes
/// for what is said to be one person are a change themselves: nobody knows which is current. What
/// one side vouched for says nothing about a doubt that is open on the other.
fn join_identities(kept: &Contact, lost: &Contact, seq: Seq) -> Option<IdentityLeft> {
    let (latest, other) = latest_hash(kept, lost)?;
    let differs = other.is_some_and(|other| other.hash() != latest.hash());
    let by_merge = differs.then(|| Change::of(latest.observed_at(), seq, None));
    let open = [kept.identity_changed(), lost.identity_changed(), by_merge];
    let key = |change: &Change| (change.at, change.tag.is_none(), change.seq);
    let open = open.into_iter().flatten().max_by_key(key);
    let (change, confirmed_at) = match open {
        Some(open) => (Some(open), None),
        None => (latest.last_change(), latest.confirmed_at()),
    };
    Some(left((latest, other), change, confirmed_at))
}

/// The hash observed last is the person's, and another one was there before it.
fn identities_by_time(kept: &Contact, lost: &Contact, seq: Seq) -> Option<IdentityLeft> {
    let (latest, other) = latest_hash(kept, lost)?;
    let (first_at, before_at) = Identity::since_joined(latest, other);
    let tag = Some(IdentityTag::of(latest.hash()));
    let known = [Some(latest), other].map(|known| known.and_then(Identity::last_change));
    let known = || known.into_iter().flatten();
    let seq = known().find(|change| change.tag == tag).map_or(seq, |change| change.seq);
    let by_time = before_at.map(|_| Change::of(first_at, seq, tag));
    // Of which nobody knows whom it led to, no sighting tells.
    let blind = known().filter(|change| change.tag.is_none());
    let changes = blind.chain(by_time);
    let change = changes.max_by_key(|change| (change.at, change.tag.is_none(), change.seq));
    let confirmed_at = latest.confirmed_at().max(other.and_then(Identity::confirmed_at));
    Some(left((latest, other), change, confirmed_at))
}

/// Returns the hash observed last, and the other side's.
fn latest_hash<'a>(
    kept: &'a Contact,
    lost: &'a Contact,
) -> Option<(&'a Identity, Option<&'a Identity>)> {
    match (kept.details().identity.as_ref(), lost.details().identity.as_ref()) {
        (Some(ours), Some(theirs)) if theirs.observed_at() > ours.observed_at() => {
            Some((theirs, Some(ours)))
        }
        (Some(ours), theirs) => Some((ours, theirs)),
        (None, Some(theirs)) => Some((theirs, None)),
        (None, None) => None,
    }
}

fn left(
    (latest, other): (&Identity, Option<&Identity>),
    change: Option<Change>,
    confirmed_at: Option<Timestamp>,
) -> IdentityLeft {
    let (first_at, before_at) = Identity::since_joined(latest, other);
    IdentityLeft {
        hash: latest.hash().into(),
        observed_at: latest.observed_at(),
        change: change.map(|change| Mark { at: change.at, seq: change.seq }),
        confirmed_at,
        tag: change.and_then(|change| change.tag),
        first_at: Some(first_at).filter(|first| *first != latest.observed_at()),
        before_at,
    }
}

fn join_windows(draft: &Draft<'_>, ours: &Details, theirs: &Details) -> Vec<InboundLeft> {
    let mut joined = ours.traffic.clone();
    for (sender, at) in &theirs.traffic.inbound {
        joined.fold_inbound(*sender, *at);
    }
    let named = joined.inbound.into_iter().filter_map(|(sender, at)| {
        Some(InboundLeft { sender: draft.registry().sender_id(sender)?.clone(), at })
    });
    named.collect()
}

/// That a number was another person's before says nothing of what the other side did before.
fn join_told(kept: &Contact, lost: &Contact) -> Option<Box<Told>> {
    let keys = [lost.number_key, lost.user_key, lost.aliases().wa_key];
    let keys: Vec<ContactKey> = keys.into_iter().flatten().collect();
    let mut joined = Told::joined(kept.details().told(), lost.details().told(), &keys);
    // Another owner of the other's number is none of the one that stays.
    if let Some(mark) = lost.taken_over() {
        for key in keys.iter().copied().chain(lost.former_user()) {
            joined.fold_closed(key, mark);
        }
    }
    let taken = [(kept, lost), (lost, kept)].map(|(own, other)| {
        let counts = |mark: &Mark| own.has_before(*mark) || !other.has_before(*mark);
        own.details().told().taken.filter(counts)
    });
    joined.taken = taken.into_iter().flatten().max_by_key(|mark| (mark.at, mark.seq));
    (joined != Told::NOTHING).then(|| Box::new(joined))
}

/// What was told of either was told of the person.
fn told_by_time(kept: &Contact, lost: &Contact) -> Option<Box<Told>> {
    let (ours, theirs) = (kept.details().told(), lost.details().told());
    let mut joined = Told::joined(ours, theirs, &[]);
    joined.moved = Mark::later(ours.moved, theirs.moved);
    joined.taken = Mark::later(ours.taken, theirs.taken);
    // They are answers to what the one they are was asked, from now on.
    joined.answers = Vec::new();
    (joined != Told::NOTHING).then(|| Box::new(joined))
}

/// An answer is about a number, and stays that of the number: only of two sides of one number, that
/// of the contact that stays comes first. Of two look-ups under way the one that lapses last is
/// waited for; both are taken.
fn join_lookups(kept: &Contact, lost: &Contact) -> Option<LookupLeft> {
    let lookups = [kept, lost].map(|contact| contact.details().lookup.as_ref());
    let known = || lookups.into_iter().flatten();
    let mut joined = known().next()?.clone();
    joined.was_contacted = known().any(|lookup| lookup.was_contacted);
    let [ours, theirs] = lookups;
    if let Some(theirs) = theirs {
        let other = kept.number_key.and_then(|_| kept.other(lost.number_key));
        joined.answer = ours.and_then(|ours| ours.answer);
        if let Some(answer) = theirs.answer.filter(|_| other.is_some() || joined.answer.is_none()) {
            joined.fold_answer(other, answer);
        }
        for OtherAnswer { number, state, at } in &theirs.others {
            joined.fold_answer(Some(*number), (*state, *at));
        }
    }
    let pending = known().filter_map(|lookup| lookup.pending).max_by_key(|pending| pending.at);
    Some(LookupLeft {
        pending: pending.map(|pending| pending.id),
        pending_since: pending.map(|pending| pending.at),
        pending_contacted: pending.is_some_and(|pending| pending.was_contacted),
        state: joined.answer.map(|(state, _)| state),
        answered_at: joined.answer.map(|(_, at)| at),
        was_contacted: joined.was_contacted,
        others: joined.others,
    })
}

#[cfg(test)]
mod tests;
