//! Objects of a body whose members the caller names: each once, in plain values.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};

/// Floats from here on stand for whole numbers that were not the ones written: 2 to the 53rd.
const INEXACT_FROM: f64 = 9_007_199_254_740_992.0;

/// Members by name. A name that comes twice is refused: what is kept must be what was sent.
#[derive(Debug)]
pub struct Members<V>(pub BTreeMap<String, V>);

/// A text, a number or a truth value as text; `None` is `null`.
#[derive(Debug, PartialEq, Eq)]
pub struct Plain(pub Option<String>);

impl<V> Default for Members<V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

struct MembersVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for MembersVisitor<V> {
    type Value = Members<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, V>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is named twice"));
            }
        }
        Ok(Members(members))
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Members<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor(PhantomData))
    }
}

struct PlainVisitor;

impl Visitor<'_> for PlainVisitor {
    type Value = Plain;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number or a truth value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Plain, E> {
        Ok(Plain(Some(text.to_owned())))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Plain, E> {
        Ok(Plain(Some(truth.to_string())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Plain, E> {
        Ok(Plain(Some(number.to_string())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Plain, E> {
        Ok(Plain(Some(number.to_string())))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Plain, E> {
        if number.abs() >= INEXACT_FROM {
            return Err(E::custom("a number this large has to be written as text"));
        }
        Ok(Plain(serde_json::Number::from_f64(number).map(|number| number.to_string())))
    }

    fn visit_unit<E>(self) -> Result<Plain, E> {
        Ok(Plain(None))
    }
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{body, problem::BODY_INVALID};

    fn read(json: &str) -> Members<Plain> {
        body::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn plain_values_are_kept_as_they_were_written() {
        let long = u64::MAX.to_string();
        let members = read(&format!(r#"{{"a":"x","b":{long},"c":-3,"d":1.5,"e":true,"f":null}}"#));
        let values: Vec<_> = members.0.values().map(|plain| plain.0.as_deref()).collect();
        assert_eq!(values, [Some("x"), Some(&*long), Some("-3"), Some("1.5"), Some("true"), None]);
    }

    #[test]
    fn a_name_that_comes_twice_and_numbers_that_would_change_are_refused() {
        for json in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":18446744073709551616}"#,
            r#"{"a":-9223372036854775809}"#,
            r#"{"a":[1]}"#,
            r#"{"a":{}}"#,
            "[]",
        ] {
            let problem = body::parse::<Members<Plain>>(json.as_bytes()).unwrap_err();
            assert_eq!(problem.code(), BODY_INVALID, "{json}");
        }
    }
}
