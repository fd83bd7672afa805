//! JSON as a tree that borrows from its text: one pass, bounded in depth and in size.
//!
//! Unlike typed structs a tree loses nothing to a member of the wrong type: whoever reads a part
//! decides what it can do without.

use std::{borrow::Cow, cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::limits::{JSON_DEPTH_MAX, WEBHOOK_VALUES_MAX};

/// A JSON value.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::whatsapp) enum Node<'t> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A whole number from 0 to 2^64-1, exactly.
    Whole(u64),
    /// A whole number below 0.
    Negative(i64),
    /// A number that is none of these, or what lies too deep: there, but never looked into.
    Opaque,
    /// A string, borrowed unless it has escapes.
    Text(Cow<'t, str>),
    /// An array.
    List(Vec<Node<'t>>),
    /// An object: its members in the order written. Of members with one name the last counts.
    Object(Vec<(Cow<'t, str>, Node<'t>)>),
}

/// Why a text is not a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::whatsapp) enum NotATree {
    /// It is not JSON.
    NotJson,
    /// It has more values than can be a webhook.
    TooManyValues,
}

impl<'t> Node<'t> {
    /// Returns the member of that name, unless it is missing or `null`, or this is no object.
    pub(in crate::whatsapp) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        let (_, node) = members.iter().rfind(|(known, _)| known == name)?;
        (*node != Self::Null).then_some(node)
    }

    /// Returns the members, or none if this is no object.
    pub(in crate::whatsapp) fn members(&self) -> &[(Cow<'t, str>, Self)] {
        match self {
            Self::Object(members) => members,
            Self::Null
            | Self::Flag(_)
            | Self::Whole(_)
            | Self::Negative(_)
            | Self::Opaque
            | Self::Text(_)
            | Self::List(_) => &[],
        }
    }

    /// Returns the text, if this is one.
    pub(in crate::whatsapp) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// Reads a text as one JSON value.
pub(in crate::whatsapp) fn parse(text: &[u8]) -> Result<Node<'_>, NotATree> {
    let left = Cell::new(WEBHOOK_VALUES_MAX);
    let mut reader = serde_json::Deserializer::from_slice(text);
    let seed = Seed { depth_left: JSON_DEPTH_MAX, values_left: &left };
    let read = seed.deserialize(&mut reader).and_then(|node| reader.end().map(|()| node));
    match read {
        Ok(node) => Ok(node),
        Err(_) if left.get() == 0 => Err(NotATree::TooManyValues),
        Err(_) => Err(NotATree::NotJson),
    }
}

/// Reads one value and counts it.
#[derive(Clone, Copy)]
struct Seed<'c> {
    depth_left: usize,
    values_left: &'c Cell<usize>,
}

impl Seed<'_> {
    /// Returns the seed for what lies inside, or nothing if that is too deep.
    fn deeper(self) -> Option<Self> {
        Some(Self { depth_left: self.depth_left.checked_sub(1)?, ..self })
    }
}

impl<'t> DeserializeSeed<'t> for Seed<'_> {
    type Value = Node<'t>;

    fn deserialize<D: Deserializer<'t>>(self, from: D) -> Result<Node<'t>, D::Error> {
        match self.values_left.get().checked_sub(1) {
            Some(left) if left > 0 => self.values_left.set(left),
            _ => {
                self.values_left.set(0);
                return Err(D::Error::custom("too many values"));
            }
        }
        from.deserialize_any(self)
    }
}

impl<'t> Visitor<'t> for Seed<'_> {
    type Value = Node<'t>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node<'t>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Node<'t>, E> {
        Ok(Node::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node<'t>, E> {
        Ok(Node::Whole(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node<'t>, E> {
        Ok(u64::try_from(number).map_or(Node::Negative(number), Node::Whole))
    }

    fn visit_f64<E>(self, _number: f64) -> Result<Node<'t>, E> {
        Ok(Node::Opaque)
    }

    fn visit_borrowed_str<E>(self, text: &'t str) -> Result<Node<'t>, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'t>, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut list: A) -> Result<Node<'t>, A::Error> {
        let Some(seed) = self.deeper() else {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Node::Opaque);
        };
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element_seed(seed)? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Node<'t>, A::Error> {
        let Some(seed) = self.deeper() else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Node::Opaque);
        };
        let mut members = Vec::with_capacity(4);
        while let Some(name) = map.next_key_seed(Name)? {
            members.push((name, map.next_value_seed(seed)?));
        }
        Ok(Node::Object(members))
    }
}

/// Reads the name of a member.
struct Name;

impl<'t> DeserializeSeed<'t> for Name {
    type Value = Cow<'t, str>;

    fn deserialize<D: Deserializer<'t>>(self, from: D) -> Result<Cow<'t, str>, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'t> Visitor<'t> for Name {
    type Value = Cow<'t, str>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the name of a member")
    }

    fn visit_borrowed_str<E>(self, name: &'t str) -> Result<Cow<'t, str>, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Cow<'t, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whole_numbers_stay_exact_and_others_are_only_there() {
        let numbers = parse(b"[18446744073709551615, -5, 1.5, 1e3, 18446744073709551616]").unwrap();
        let Node::List(numbers) = numbers else { panic!("{numbers:?}") };
        let exact = [Node::Whole(u64::MAX), Node::Negative(-5)];
        assert_eq!(numbers[..2], exact);
        assert_eq!(numbers[2..], [Node::Opaque, Node::Opaque, Node::Opaque]);
    }

    #[test]
    fn of_members_with_one_name_the_last_counts_and_null_is_absent() {
        let node = parse(br#"{"a":1,"b":null,"a":2}"#).unwrap();
        assert_eq!(node.get("a"), Some(&Node::Whole(2)));
        assert_eq!(node.get("b"), None);
        assert_eq!(node.get("c"), None);
        assert_eq!(Node::Whole(1).get("a"), None);
    }

    #[test]
    fn what_lies_too_deep_is_passed_over_and_its_neighbours_are_read() {
        for depth in [JSON_DEPTH_MAX - 2, JSON_DEPTH_MAX, 300, 100_000] {
            let deep = format!(r#"{{"a":{}{},"b":"kept"}}"#, "[".repeat(depth), "]".repeat(depth));
            let node = parse(deep.as_bytes()).unwrap();
            assert_eq!(node.get("b").and_then(Node::text), Some("kept"), "{depth}");
        }
        let objects = r#"{"a":"#.repeat(200) + "1" + &"}".repeat(200);
        assert!(parse(objects.as_bytes()).is_ok());
    }

    #[test]
    fn too_many_values_are_refused_before_they_are_held() {
        let many = format!("[{}1]", "1,".repeat(WEBHOOK_VALUES_MAX));
        assert_eq!(parse(many.as_bytes()), Err(NotATree::TooManyValues));
        let fit = format!("[{}1]", "1,".repeat(WEBHOOK_VALUES_MAX / 2));
        assert!(parse(fit.as_bytes()).is_ok());
    }

    #[test]
    fn only_strings_with_escapes_are_copied() {
        let node = parse(br#"["plain","caf\u00e9"]"#).unwrap();
        let Node::List(nodes) = node else { panic!("{node:?}") };
        assert!(matches!(nodes[0], Node::Text(Cow::Borrowed("plain"))));
        assert!(matches!(&nodes[1], Node::Text(Cow::Owned(text)) if text == "caf\u{e9}"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..300)) {
            drop(parse(&text));
        }

        #[test]
        fn what_follows_the_value_makes_it_no_json(text in "[a-z{}]{1,8}") {
            let text = format!("{{}}{text}");
            prop_assert_eq!(parse(text.as_bytes()), Err(NotATree::NotJson));
        }
    }
}
