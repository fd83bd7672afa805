//! How stored events are read: without a detour for those that most of a ledger consists of.
//!
//! An event names its type among its members. What serde derives for that collects all members
//! before it looks at them, which is most of what reading an entry costs. The type is written
//! first, so for the long and frequent events the rest is read straight into its place. Any other
//! order and any other event takes the derived way. Changes nothing about the stored form.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, IntoDeserializer, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::domain::event::Event;

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The derived one, which is no method of the trait: see `remote` at the type.
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EventVisitor)
    }
}

/// A text that is not copied where the reader holds it all.
#[derive(Deserialize)]
struct Text<'text>(#[serde(borrow)] Cow<'text, str>);

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = Event;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Event, A::Error> {
        let key = map.next_key::<Text<'de>>()?.map(|Text(key)| key);
        let value = match key.as_deref() {
            Some("type") => Some(map.next_value::<Text<'de>>()?.0),
            Some(_) | None => None,
        };
        match value.as_deref() {
            Some("opted_in") => {
                Deserialize::deserialize(MapAccessDeserializer::new(map)).map(Event::OptedIn)
            }
            Some("opted_out") => {
                Deserialize::deserialize(MapAccessDeserializer::new(map)).map(Event::OptedOut)
            }
            Some(_) | None => {
                Event::deserialize(MapAccessDeserializer::new(Again { key, value, map }))
            }
        }
    }
}

/// A map with its first key, and perhaps that one's value, put back.
struct Again<'de, A> {
    key: Option<Cow<'de, str>>,
    value: Option<Cow<'de, str>>,
    map: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Again<'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        match self.key.take() {
            Some(key) => seed.deserialize(key.into_deserializer()).map(Some),
            None => self.map.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        match self.value.take() {
            Some(value) => seed.deserialize(value.into_deserializer()),
            None => self.map.next_value_seed(seed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTED_OUT: &str = r#""everything":false,"topics":[{"topic":"promotions","status":"withdrawn","at":7}],"captured_at":7,"source":{"type":"keyword","reference":"a \"b\""}"#;

    fn read(json: &str) -> Result<Event, serde_json::Error> {
        serde_json::from_str(json)
    }

    /// What the derived code alone makes of it.
    fn derived(json: &str) -> Result<Event, serde_json::Error> {
        Event::deserialize(&mut serde_json::Deserializer::from_str(json))
    }

    #[test]
    fn the_short_way_and_the_derived_one_read_the_same_and_write_it_back() {
        let json = format!(r#"{{"type":"opted_out",{OPTED_OUT}}}"#);
        let (short, long) = (read(&json).unwrap(), derived(&json).unwrap());
        assert_eq!(format!("{short:?}"), format!("{long:?}"));
        assert!(matches!(short, Event::OptedOut(_)));
        assert_eq!(serde_json::to_string(&short).unwrap(), json);
    }

    #[test]
    fn the_type_may_be_anywhere() {
        let json = format!(r#"{{{OPTED_OUT},"type":"opted_out"}}"#);
        let (short, long) = (read(&json).unwrap(), derived(&json).unwrap());
        assert_eq!(format!("{short:?}"), format!("{long:?}"));
        let json = r#"{"type":"ledger_opened","ledger":"00000000-0000-7000-8000-000000000001"}"#;
        assert!(matches!(read(json), Ok(Event::LedgerOpened { .. })));
    }

    #[test]
    fn what_is_no_event_is_refused() {
        let unknown = format!(r#"{{"type":"opted_sideways",{OPTED_OUT}}}"#);
        let untyped = format!("{{{OPTED_OUT}}}");
        for json in ["{}", "[]", "7", r#"{"type":7}"#, r#"{"type":"opted_out"}"#] {
            assert!(read(json).is_err() && derived(json).is_err(), "{json}");
        }
        assert!(read(&unknown).is_err() && read(&untyped).is_err());
    }

    #[test]
    fn a_look_up_names_its_job_only_where_it_was_made_for_one() {
        let id = "00000000-0000-7000-8000-000000000001";
        let key = "00000000000000000000000000000007";
        for json in [
            format!(r#"{{"type":"lookup_requested","lookup":"{id}"}}"#),
            format!(
                r#"{{"type":"lookup_requested","lookup":"{id}","job":{{"job":"{id}","number":"{key}"}}}}"#
            ),
            format!(r#"{{"type":"lookup_job_started","job":"{id}","rows":["{key}",null]}}"#),
            format!(r#"{{"type":"lookup_job_ended","job":"{id}","how":"cancelled"}}"#),
        ] {
            assert_eq!(serde_json::to_string(&read(&json).unwrap()).unwrap(), json);
        }
    }

    #[test]
    fn a_look_up_that_ended_without_saying_so_was_asked_for() {
        let ended = r#"{"type":"lookup_concluded","lookup":"00000000-0000-7000-8000-000000000001","state":"unknown""#;
        for (rest, expected) in [("}", true), (r#","was_asked":false}"#, false)] {
            let json = format!("{ended}{rest}");
            let event = read(&json).unwrap();
            assert!(
                matches!(event, Event::LookupConcluded { was_asked, .. } if was_asked == expected)
            );
            assert_eq!(serde_json::to_string(&event).unwrap(), json);
        }
    }
}
