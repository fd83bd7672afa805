//! Where the contact that stays stands when two turned out to be one person.
//!
//! The outcome in full, as the rules found it when the two became one, so that folding it needs
//! no rule and nothing of the other contact, and a rule that changes later changes no history.
//! The serde form is stored: members are only ever added.

use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        consent::{Act, Consent, Standing, TopicIx},
        contact::{LookupState, OtherAnswer},
        entry::{Seq, Subject},
        hearing::Told,
        identity::IdentityTag,
        ids::{ContactId, LookupId},
        key::ContactKey,
        named::NameTags,
        names::{SenderId, TopicId},
        pair::Pair,
        questions::ShownTag,
        time::Timestamp,
    },
    policy::ConsentBasis,
};

/// Where a contact stands after another became part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absorbed {
    /// The contact that became part of this one.
    pub contact: ContactId,
    /// Its place: where its history is.
    pub place: Subject,
    /// Finds the contact by number from now on, where it had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number_key: Option<ContactKey>,
    /// Finds the contact by user id from now on, where it had none or one that was there before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_key: Option<ContactKey>,
    /// Since when WhatsApp has named the two as one person, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair: Option<Pair>,
    /// Weak spellings of the other contact's numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weak_keys: Vec<ContactKey>,
    /// The act that decides about each topic that came up on either side.
    #[serde(default)]
    pub topics: Vec<TopicLeft>,
    /// What the person was asked, and when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<(TopicId, Timestamp)>,
    /// What was sent along with those questions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shown: Vec<ShownLeft>,
    /// When the person last said that they agree to what they were asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<(TopicId, Timestamp)>,
    /// The latest withdrawal from everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_stop: Option<Mark>,
    /// Since when an operator blocks either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Mark>,
    /// Who is behind the contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityLeft>,
    /// The last message from the person to each sender.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inbound: Vec<InboundLeft>,
    /// The last sign of life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached_at: Option<Timestamp>,
    /// The last sign that a number is not on WhatsApp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Mark>,
    /// What look-ups said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookup: Option<LookupLeft>,
    /// What WhatsApp told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Box<Told>>,
}

/// A moment and the entry that recorded it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// The entry.
    pub seq: Seq,
}

/// The act that decides about one topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicLeft {
    /// Which topic.
    pub topic: TopicId,
    /// What the person did.
    pub act: Act,
    /// What an agreement rests on.
    #[serde(default, skip_serializing_if = "ConsentBasis::is_unsaid")]
    pub basis: ConsentBasis,
    /// When.
    pub at: Timestamp,
    /// Since when whoever did it was there, where that is another time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub there_since: Option<Timestamp>,
    /// When the agreement runs out, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The entry of the act, in the history of either.
    pub seq: Seq,
    /// The device it came from, where that was told along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<IdentityTag>,
    /// Under which identifiers it was done, where those are not the contact's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under: Option<NameTags>,
}

/// What was sent along with a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownLeft {
    /// About which topic.
    pub topic: TopicId,
    /// When the person was asked.
    pub at: Timestamp,
    /// What stands for each member of the evidence.
    pub tags: Vec<ShownTag>,
}

/// What is known of the identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityLeft {
    /// The hash observed last.
    pub hash: Box<str>,
    /// When.
    pub observed_at: Timestamp,
    /// The last change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Mark>,
    /// When a change was last vouched for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
    /// Who was there from the change on, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<IdentityTag>,
    /// When the hash was first seen since another one was, where it was seen more than once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_at: Option<Timestamp>,
    /// When another hash was last seen before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_at: Option<Timestamp>,
}

impl TopicLeft {
    /// Returns where the consent stands at `now`.
    pub fn standing(&self, now: Timestamp) -> Standing {
        self.about(TopicIx(0), NameTags::NONE).standing(now)
    }

    /// Returns the act, its topic being at this place and the contact's own identifiers these.
    pub fn about(&self, topic: TopicIx, own: NameTags) -> Consent {
        let Self { topic: _, act, basis, at, there_since, expires_at, seq, by, under } = *self;
        let there_since = there_since.unwrap_or(at);
        let expires_at = expires_at.unwrap_or(Timestamp::NEVER);
        let under = under.unwrap_or(own);
        Consent { topic, act, basis, at, there_since, expires_at, seq, by, under }
    }
}

impl IdentityLeft {
    /// Returns whether a change awaits re-registration.
    pub fn has_open_change(&self) -> bool {
        let confirmed_at = self.confirmed_at;
        self.change.is_some_and(|change| confirmed_at.is_none_or(|at| at < change.at))
    }
}

/// The last message from the person to one sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundLeft {
    /// The sender.
    pub sender: SenderId,
    /// When.
    pub at: Timestamp,
}

/// What look-ups said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupLeft {
    /// The look-up under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<LookupId>,
    /// When it was requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_since: Option<Timestamp>,
    /// Whether a message was sent since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pending_contacted: bool,
    /// The last answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<LookupState>,
    /// When it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<Timestamp>,
    /// Whether a message was sent since the look-up that gave the answer was requested.
    #[serde(default)]
    pub was_contacted: bool,
    /// The last answers about numbers that are not the contact's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<OtherAnswer>,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::event::{Event, OptedOut};

    fn written(event: &Event) -> String {
        serde_json::to_string(event).unwrap()
    }

    #[test]
    fn the_stored_form_of_a_merge_is_this_and_is_read_back() {
        let at = Timestamp::from_unix_ms(7);
        let absorbed = Absorbed {
            contact: ContactId::from_uuid(Uuid::from_u128(1)),
            place: Subject(3),
            number_key: Some(ContactKey::from_bits(10)),
            user_key: None,
            pair: None,
            weak_keys: vec![ContactKey::from_bits(11)],
            topics: vec![TopicLeft {
                topic: TopicId::parse("orders").unwrap(),
                act: Act::Agreed,
                basis: ConsentBasis::Express,
                at,
                there_since: None,
                expires_at: Some(Timestamp::from_unix_ms(9)),
                seq: Seq(4),
                by: None,
                under: None,
            }],
            questions: Vec::new(),
            answers: Vec::new(),
            shown: Vec::new(),
            full_stop: Some(Mark { at, seq: Seq(5) }),
            blocked: None,
            identity: Some(IdentityLeft {
                hash: "A".into(),
                observed_at: at,
                change: Some(Mark { at, seq: Seq(6) }),
                confirmed_at: None,
                tag: None,
                first_at: None,
                before_at: None,
            }),
            inbound: vec![InboundLeft { sender: SenderId::parse("1").unwrap(), at }],
            reached_at: Some(at),
            failed: None,
            lookup: Some(LookupLeft {
                pending: Some(LookupId::from_uuid(Uuid::from_u128(2))),
                pending_since: Some(Timestamp::from_unix_ms(8)),
                pending_contacted: true,
                state: Some(LookupState::Registered),
                answered_at: Some(at),
                was_contacted: true,
                others: Vec::new(),
            }),
            told: None,
        };
        let stored = concat!(
            r#"{"type":"contact_absorbed","contact":"00000000-0000-0000-0000-000000000001","#,
            r#""place":3,"number_key":"0000000000000000000000000000000a","#,
            r#""weak_keys":["0000000000000000000000000000000b"],"topics":[{"topic":"orders","#,
            r#""act":"agreed","at":7,"expires_at":9,"seq":4}],"full_stop":{"at":7,"seq":5},"#,
            r#""identity":{"hash":"A","observed_at":7,"change":{"at":7,"seq":6}},"#,
            r#""inbound":[{"sender":"1","at":7}],"reached_at":7,"#,
            r#""lookup":{"pending":"00000000-0000-0000-0000-000000000002","pending_since":8,"#,
            r#""pending_contacted":true,"state":"registered","answered_at":7,"#,
            r#""was_contacted":true}}"#,
        );
        assert_eq!(written(&Event::ContactAbsorbed(Box::new(absorbed.clone()))), stored);
        let Event::ContactAbsorbed(read) = serde_json::from_str(stored).unwrap() else {
            panic!("another event")
        };
        assert_eq!(*read, absorbed);
        let merged = concat!(
            r#"{"type":"contact_merged","into":"00000000-0000-0000-0000-000000000001","#,
            r#""place":3,"reason":"told us so"}"#,
        );
        let event: Event = serde_json::from_str(merged).unwrap();
        assert_eq!(written(&event), merged);
    }

    #[test]
    fn a_withdrawal_from_before_spellings_were_kept_is_read_as_it_was() {
        let stored = concat!(
            r#"{"type":"opted_out","everything":true,"topics":[],"captured_at":7,"#,
            r#""source":{"type":"keyword"}}"#,
        );
        let event: Event = serde_json::from_str(stored).unwrap();
        assert_eq!(written(&event), stored);
        let Event::OptedOut(event) = event else { panic!("another event") };
        let OptedOut { weak_keys, derived_from, .. } = *event;
        assert_eq!((weak_keys, derived_from), (Vec::new(), None));
    }
}
