//! What the Graph API says of one business phone number.
//!
//! Source: Meta, "Business phone numbers", "Messaging limits", "Messaging and calling health
//! status"; read November 2026.

use crate::{
    domain::registry::Quality,
    limits::PLATFORM_WORD_BYTES_MAX,
    whatsapp::{
        facts::MessagingLimit,
        graph::answer::{NotAnAnswer, objects, read},
        payload::{View, limit, quality_of},
    },
};

/// What the Graph API says of one business phone number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberRead {
    /// Its id.
    pub id: Option<Box<str>>,
    /// The number as people write it, such as `+1 202-555-0100`.
    pub display_number: Option<Box<str>>,
    /// The name people see.
    pub verified_name: Option<Box<str>>,
    /// How well its messages are received. Nothing if not asked for; `NA` is `Unknown`.
    pub quality: Option<Quality>,
    /// WhatsApp's word, upper case; only `CONNECTED` can send. An open set.
    pub status: Option<Box<str>>,
    /// `STANDARD`, `HIGH` or another level of messages a second.
    pub throughput: Option<Box<str>>,
    /// The limit of the whole portfolio.
    pub limit: Option<MessagingLimit>,
    /// Whether it can send, and what stands against it.
    pub health: Option<Health>,
}

/// Whether something can send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CanSend {
    /// It can.
    Available,
    /// It can, within bounds.
    Limited,
    /// It cannot.
    Blocked,
    /// WhatsApp says something this build does not know.
    Unclear,
}

impl CanSend {
    fn of_word(word: &str) -> Self {
        match word.to_ascii_uppercase().as_str() {
            "AVAILABLE" => Self::Available,
            "LIMITED" => Self::Limited,
            "BLOCKED" => Self::Blocked,
            _ => Self::Unclear,
        }
    }
}

/// Whether a number can send, with everything that sending needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// All together: the worst of the parts.
    pub can_send: CanSend,
    /// Each part.
    pub entities: Vec<HealthEntity>,
}

/// One thing that sending needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthEntity {
    /// `PHONE_NUMBER`, `MESSAGE_TEMPLATE`, `WABA`, `BUSINESS` or `APP`.
    pub kind: Option<Box<str>>,
    /// Its id.
    pub id: Option<Box<str>>,
    /// Whether it can send.
    pub can_send: CanSend,
    /// What stands against it.
    pub faults: Vec<HealthFault>,
    /// What bounds it.
    pub notes: Vec<Box<str>>,
}

/// Something that stands against sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthFault {
    /// WhatsApp's code. Of another series than errors of messages.
    pub code: Option<i64>,
    /// What it is.
    pub description: Option<Box<str>>,
    /// What may help.
    pub solution: Option<Box<str>>,
}

impl NumberRead {
    /// Reads the answer to a question about one number, whatever its HTTP status.
    ///
    /// # Errors
    ///
    /// [`NotAnAnswer::Refused`] if the answer holds an error, [`NotAnAnswer::WrongShape`] if it is
    /// no object or names neither the number nor anything of it.
    pub fn parse(body: &[u8]) -> Result<Self, NotAnAnswer> {
        read(body, |answer| {
            let read = number_read(answer);
            let is_empty = read.id.is_none() && read.status.is_none() && read.health.is_none();
            (!is_empty).then_some(read)
        })
    }
}

fn number_read(answer: View<'_, '_>) -> NumberRead {
    let throughput = answer.object("throughput");
    NumberRead {
        id: answer.id("id"),
        display_number: answer.kept("display_phone_number"),
        verified_name: answer.kept("verified_name"),
        quality: answer.word("quality_rating").map(quality_of),
        status: answer.word("status").map(|word| word.to_ascii_uppercase().into()),
        throughput: throughput.and_then(|throughput| throughput.kept("level")),
        limit: limit(answer, "whatsapp_business_manager_messaging_limit"),
        health: answer.object("health_status").map(health),
    }
}

fn health(health: View<'_, '_>) -> Health {
    let entities = objects(health, "entities").map(|entity| HealthEntity {
        kind: entity.kept("entity_type"),
        id: entity.id("id"),
        can_send: can_send(entity),
        faults: objects(entity, "errors").map(health_fault).collect(),
        notes: notes(entity),
    });
    Health { can_send: can_send(health), entities: entities.collect() }
}

fn can_send(view: View<'_, '_>) -> CanSend {
    view.word("can_send_message").map_or(CanSend::Unclear, CanSend::of_word)
}

fn health_fault(fault: View<'_, '_>) -> HealthFault {
    HealthFault {
        code: fault.integer("error_code"),
        description: fault.kept("error_description"),
        solution: fault.kept("possible_solution"),
    }
}

fn notes(entity: View<'_, '_>) -> Vec<Box<str>> {
    let texts = entity.list("additional_info").iter().filter_map(|node| node.text());
    texts.filter(|text| text.len() <= PLATFORM_WORD_BYTES_MAX).map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::whatsapp::errors::Action;

    macro_rules! sample {
        ($name:literal) => {
            include_bytes!(concat!("../../../tests/data/whatsapp/", $name, ".json")).as_slice()
        };
    }

    #[test]
    fn a_number_is_read_with_its_quality_status_and_limit() {
        let read = NumberRead::parse(sample!("phone_number_read")).unwrap();
        assert_eq!(read.id.as_deref(), Some("700100200300501"));
        assert_eq!(read.quality, Some(Quality::Green));
        assert_eq!(read.status.as_deref(), Some("CONNECTED"));
        assert_eq!(read.limit, Some(MessagingLimit::People(2_000)));
        assert_eq!(read.throughput.as_deref(), Some("STANDARD"));
        assert_eq!(read.health, None);
    }

    #[test]
    fn health_names_each_part_and_what_stands_against_it() {
        let read = NumberRead::parse(sample!("health_status_blocked")).unwrap();
        let health = read.health.unwrap();
        assert_eq!(health.can_send, CanSend::Blocked);
        let parts: Vec<_> = health.entities.iter().map(|part| part.can_send).collect();
        let (good, bounded) = (CanSend::Available, CanSend::Limited);
        assert_eq!(parts, [good, CanSend::Blocked, bounded, good]);
        assert_eq!(health.entities[1].faults[0].code, Some(141_002));
        assert_eq!(*health.entities[2].notes, ["The business is not verified.".into()]);
    }

    #[test]
    fn an_error_is_an_error_whatever_its_status() {
        let refused = |body| match NumberRead::parse(body) {
            Err(NotAnAnswer::Refused(fault)) => *fault,
            other => panic!("{other:?}"),
        };
        let limited = refused(sample!("graph_error_130429"));
        assert_eq!((limited.fault.code, limited.rule().action), (130_429, Action::Backoff));
        assert_eq!(limited.trace.as_deref(), Some("SampleTraceId0001"));
        assert!(limited.fault.details.is_some() && !limited.is_transient);
        let token = refused(sample!("graph_error_190_token"));
        assert_eq!((token.subcode, token.rule().action), (Some(463), Action::HaltAccount));
        let transient = refused(sample!("graph_error_transient"));
        assert!(transient.is_transient);
        assert_eq!(transient.rule().action, Action::Retry);
    }

    #[test]
    fn what_is_no_answer_is_told_apart_and_members_can_be_wrong() {
        for body in ["", "[]", "null", "{}", r#"{"error":{}}"#, "<html>", r#"{"messages":[]}"#] {
            assert_eq!(NumberRead::parse(body.as_bytes()), Err(NotAnAnswer::WrongShape), "{body}");
        }
        let odd = r#"{"id":700100200300501,"quality_rating":"NA","status":"connected",
            "whatsapp_business_manager_messaging_limit":{"tier":1},"throughput":"HIGH",
            "health_status":{"can_send_message":"PERHAPS","entities":{"id":1}}}"#;
        let read = NumberRead::parse(odd.as_bytes()).unwrap();
        assert_eq!(read.id.as_deref(), Some("700100200300501"));
        assert_eq!(read.quality, Some(Quality::Unknown));
        assert_eq!(read.status.as_deref(), Some("CONNECTED"));
        assert_eq!((read.limit, read.throughput.as_deref()), (None, None));
        let health = read.health.unwrap();
        assert_eq!((health.can_send, health.entities.len()), (CanSend::Unclear, 1));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(NumberRead::parse(&body).is_err());
        }
    }
}
