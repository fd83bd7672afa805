//! What a document says about each consent: the act that decides, and where it came from.
//!
//! Holds no rule of its own about which act decides: it asks the domain's.

use serde::{Deserialize, Serialize};

use crate::{
    documents::ContactDocument,
    domain::{
        consent::{Act, Consent, ConsentStatus, Consents, FullStop, Standing, TopicIx},
        entry::{Seq, Subject},
        event::{OptedIn, OptedOut, Source, StatementShown, TopicOutcome},
        named::NameTags,
        names::TopicId,
        time::Timestamp,
    },
    policy::ConsentBasis,
};

/// Documents know topics by name; the domain's rule is asked about one topic at a time.
const THE_TOPIC: TopicIx = TopicIx(0);

/// The act that decides where one consent stands, with what proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentRecord {
    /// About which topic.
    pub topic: TopicId,
    /// What the person did.
    pub act: Act,
    /// What an agreement rests on.
    #[serde(default, skip_serializing_if = "ConsentBasis::is_unsaid")]
    pub basis: ConsentBasis,
    /// When the person did it.
    pub at: Timestamp,
    /// When the ledger recorded it.
    pub recorded_at: Timestamp,
    /// When the agreement runs out, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Where the act came from.
    pub source: Source,
    /// What the person was shown last; a withdrawal leaves it as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<StatementShown>,
    /// The last agreement that decided; a withdrawal leaves it as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed: Option<Agreement>,
    /// The entry of the act.
    pub seq: Seq,
    /// The contact whose history holds that entry, where it is not this one's but that of a
    /// contact that became part of it. What this record does not know is known there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_by: Option<Subject>,
}

/// A person agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// When.
    pub at: Timestamp,
    /// The entry that recorded it.
    pub seq: Seq,
}

/// A withdrawal from everything, present and future topics alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FullStopRecord {
    /// When the person said so.
    pub at: Timestamp,
    /// When the ledger recorded it.
    pub recorded_at: Timestamp,
    /// Where it came from.
    pub source: Source,
    /// The entry that recorded it.
    pub seq: Seq,
    /// As in [`ConsentRecord::held_by`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_by: Option<Subject>,
}

impl ConsentRecord {
    /// Returns where the consent stands at `now`.
    pub fn standing(&self, now: Timestamp) -> Standing {
        self.as_consent().standing(now)
    }

    fn as_consent(&self) -> Consent {
        Consent {
            topic: THE_TOPIC,
            act: self.act,
            basis: self.basis,
            at: self.at,
            there_since: self.at,
            expires_at: self.expires_at.unwrap_or(Timestamp::NEVER),
            seq: self.seq,
            by: None,
            under: NameTags::NONE,
        }
    }
}

impl FullStopRecord {
    const fn as_full_stop(&self) -> FullStop {
        FullStop { at: self.at, seq: self.seq }
    }
}

impl ContactDocument {
    /// Returns the record about a topic, if anything was recorded about this very topic.
    pub fn consent(&self, topic: &TopicId) -> Option<&ConsentRecord> {
        self.consents.iter().find(|known| known.topic == *topic)
    }

    /// Returns where the consent for `topic` stands at `now`.
    pub fn standing(&self, topic: &TopicId, now: Timestamp) -> Standing {
        self.rule(topic).standing(THE_TOPIC, now)
    }

    /// Forgets what was agreed to about topics: nobody it counts for said so.
    pub(super) fn forget(&mut self, topics: &[TopicId]) {
        self.consents.retain(|known| !topics.contains(&known.topic) || known.act == Act::TookBack);
    }

    pub(super) fn fold_opt_in(&mut self, seq: Seq, recorded_at: Timestamp, event: &OptedIn) {
        if event.by_former {
            return;
        }
        let (basis, at) = (event.basis, event.captured_at);
        let act = if event.awaits_confirmation { Act::Asked } else { Act::Agreed };
        for outcome in &event.topics {
            if outcome.seq.is_some() {
                let agreed = (act == Act::Agreed).then_some(Agreement { at, seq });
                self.fold_undecided(&outcome.topic, agreed, event.statement.as_ref());
                continue;
            }
            let before = self.consent(&outcome.topic).and_then(|known| known.agreed);
            let agreed = if act == Act::Agreed { Some(Agreement { at, seq }) } else { before };
            self.put_if_it_decides(ConsentRecord {
                topic: outcome.topic.clone(),
                act,
                basis,
                at,
                recorded_at,
                expires_at: outcome.expires_at,
                source: event.source.clone(),
                statement: event.statement.clone(),
                agreed,
                seq,
                held_by: None,
            });
        }
    }

    /// An act that decided nothing is in the ledger. Of several agreements before a withdrawal the last
    /// is shown beside it, in whatever order they came.
    fn fold_undecided(
        &mut self,
        topic: &TopicId,
        agreed: Option<Agreement>,
        statement: Option<&StatementShown>,
    ) {
        self.fold_topic(topic);
        let known = self.consents.iter_mut().find(|known| known.topic == *topic);
        let Some(known) = known.filter(|known| known.act == Act::TookBack) else { return };
        let is_later = |agreed: &Agreement| known.agreed.is_none_or(|known| known.at < agreed.at);
        if let Some(agreed) = agreed.filter(is_later) {
            known.agreed = Some(agreed);
            known.statement = statement.cloned().or_else(|| known.statement.take());
        }
    }

    /// Whoever withdrew from everything withdrew from a topic that comes up later, too.
    fn fold_topic(&mut self, topic: &TopicId) {
        if let (None, Some(stop)) = (self.consent(topic), &self.full_stop) {
            let record = ConsentRecord {
                topic: topic.clone(),
                act: Act::TookBack,
                basis: ConsentBasis::Express,
                at: stop.at,
                recorded_at: stop.recorded_at,
                expires_at: None,
                source: stop.source.clone(),
                statement: None,
                agreed: None,
                seq: stop.seq,
                held_by: stop.held_by,
            };
            self.consents.push(record);
        }
    }

    pub(super) fn fold_opt_out(&mut self, seq: Seq, recorded_at: Timestamp, event: &OptedOut) {
        if event.everything {
            self.fold_full_stop(seq, recorded_at, event);
            return;
        }
        let withdrawn = |outcome: &&TopicOutcome| outcome.status == ConsentStatus::Withdrawn;
        for TopicOutcome { topic, .. } in event.topics.iter().filter(withdrawn) {
            let known = self.consent(topic);
            self.put_if_it_decides(took_back(known, topic, seq, recorded_at, event));
        }
    }

    fn fold_full_stop(&mut self, seq: Seq, recorded_at: Timestamp, event: &OptedOut) {
        let at = event.captured_at;
        for known in &mut self.consents {
            let stop = FullStop { at, seq };
            if known.as_consent().is_ended_by(stop) {
                *known = took_back(Some(known), &known.topic, seq, recorded_at, event);
            }
        }
        if self.full_stop.as_ref().is_none_or(|known| at >= known.at) {
            let source = event.source.clone();
            let held_by = None;
            self.full_stop = Some(FullStopRecord { at, recorded_at, source, seq, held_by });
        }
    }

    fn put_if_it_decides(&mut self, record: ConsentRecord) {
        if !self.rule(&record.topic).would_decide(&record.as_consent()) {
            self.fold_topic(&record.topic);
            return;
        }
        match self.consents.iter_mut().find(|known| known.topic == record.topic) {
            Some(known) => *known = record,
            None => self.consents.push(record),
        }
    }

    /// Returns what the domain knows when it knows what this document does about one topic.
    fn rule(&self, topic: &TopicId) -> Consents {
        let mut consents = Consents::default();
        // Nothing known about a topic is older than a withdrawal from everything.
        if let Some(stop) = &self.full_stop {
            consents.fold_full_stop(stop.as_full_stop());
        }
        if let Some(known) = self.consent(topic) {
            consents.fold_act(known.as_consent());
        }
        consents
    }
}

fn took_back(
    known: Option<&ConsentRecord>,
    topic: &TopicId,
    seq: Seq,
    recorded_at: Timestamp,
    event: &OptedOut,
) -> ConsentRecord {
    ConsentRecord {
        topic: topic.clone(),
        act: Act::TookBack,
        basis: ConsentBasis::Express,
        at: event.captured_at,
        recorded_at,
        expires_at: None,
        source: event.source.clone(),
        statement: known.and_then(|known| known.statement.clone()),
        agreed: known.and_then(|known| known.agreed),
        seq,
        held_by: None,
    }
}
