//! Where facts are collected, with what they share: account, time, sender.

use crate::{
    domain::{names::SenderId, time::Timestamp},
    limits::WEBHOOK_ITEMS_MAX,
    whatsapp::{
        facts::{Conclusion, DedupeKey, Fact},
        payload::json::Node,
    },
};

/// What all facts of one update share.
#[derive(Debug, Clone, Default)]
pub(super) struct Origin {
    /// The account.
    pub(super) account: Option<Box<str>>,
    /// The account's own time, in seconds; messages have theirs.
    pub(super) time: Option<Timestamp>,
    /// The business number.
    pub(super) sender: Option<SenderId>,
    /// The field as named.
    pub(super) field: Option<Box<str>>,
}

/// Collects facts, and counts what was read and what could not be.
#[derive(Debug, Default)]
pub(super) struct Sink {
    /// The facts so far.
    pub(super) facts: Vec<Fact>,
    /// Messages, statuses and the like so far.
    items: usize,
}

impl Sink {
    /// Counts items before they are read; returns whether there is room for them.
    pub(super) const fn has_room(&mut self, items: usize) -> bool {
        self.items = self.items.saturating_add(items);
        self.items <= WEBHOOK_ITEMS_MAX
    }

    /// Adds a fact with a time and a key of its own.
    pub(super) fn add(
        &mut self,
        origin: &Origin,
        at: Option<Timestamp>,
        key: Option<DedupeKey>,
        conclusion: Conclusion,
    ) {
        let Origin { account, sender, .. } = origin;
        let (account, sender) = (account.clone(), sender.clone());
        self.facts.push(Fact { at, account, sender, key, content: None, conclusion });
    }

    /// Adds what follows from a whole value. Its time is the account's; what it has in common with
    /// a repeat is account, time, kind and content, in whatever order its members are written.
    pub(super) fn add_of_value(
        &mut self,
        origin: &Origin,
        value: &Node<'_>,
        conclusion: Conclusion,
    ) {
        let mut content = Vec::new();
        write_sorted(value, &mut content);
        let account = origin.account.as_deref().unwrap_or_default().as_bytes();
        let name = conclusion.name().as_bytes();
        let key = origin.time.map(|time| {
            let time = time.unix_ms().to_be_bytes();
            DedupeKey::of(&[b"value", account, &time, name, &content])
        });
        let content = DedupeKey::of(&[b"content", account, name, &content]);
        self.add(origin, origin.time, key, conclusion);
        if let Some(added) = self.facts.last_mut() {
            added.content = Some(content);
        }
    }
}

/// Writes a value so that equal ones give equal bytes: members in the order of their names.
fn write_sorted(node: &Node<'_>, out: &mut Vec<u8>) {
    let text = |text: &str, tag: u8, out: &mut Vec<u8>| {
        out.push(tag);
        out.extend(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        out.extend(text.as_bytes());
    };
    match node {
        Node::Null => out.push(b'0'),
        Node::Flag(flag) => out.extend([b'b', u8::from(*flag)]),
        Node::Whole(number) => text(&number.to_string(), b'n', out),
        Node::Negative(number) => text(&number.to_string(), b'n', out),
        Node::Opaque => out.push(b'?'),
        Node::Text(words) => text(words, b't', out),
        Node::List(items) => {
            out.push(b'[');
            for item in items {
                write_sorted(item, out);
            }
            out.push(b']');
        }
        Node::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            // Stable, so that of members with one name the last stays last.
            sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
            out.push(b'{');
            for (name, value) in sorted {
                text(name, b'm', out);
                write_sorted(value, out);
            }
            out.push(b'}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::whatsapp::payload::json::parse;

    fn bytes(json: &str) -> Vec<u8> {
        let mut out = Vec::new();
        write_sorted(&parse(json.as_bytes()).unwrap(), &mut out);
        out
    }

    #[test]
    fn the_order_of_members_does_not_matter_and_everything_else_does() {
        assert_eq!(bytes(r#"{"a":1,"b":[2,"x"]}"#), bytes(r#"{ "b":[2,"x"], "a":1 }"#));
        for (one, other) in [
            (r#"{"a":1}"#, r#"{"a":2}"#),
            (r#"{"a":1}"#, r#"{"a":"1"}"#),
            ("[1,2]", "[2,1]"),
            ("[[1],2]", "[[1,2]]"),
            (r#"{"a":{"b":1}}"#, r#"{"a":{},"b":1}"#),
            (r#"{"ab":"c"}"#, r#"{"a":"bc"}"#),
            ("null", "[]"),
            ("true", "false"),
        ] {
            assert_ne!(bytes(one), bytes(other), "{one} {other}");
        }
    }

    #[test]
    fn there_is_room_for_so_many_items_and_no_more() {
        let mut sink = Sink::default();
        assert!(sink.has_room(WEBHOOK_ITEMS_MAX));
        assert!(!sink.has_room(1));
        assert!(!sink.has_room(usize::MAX));
    }
}
