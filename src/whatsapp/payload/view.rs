//! Reading the members of one object, whatever types they turn out to have.
//!
//! Absent, `null` and empty text are the same: nothing, and no fault. Anything else of a type that
//! cannot be read is nothing as well, and counted.

use std::{borrow::Cow, slice};

use crate::{
    domain::time::{SECOND_MS, Timestamp},
    limits::{MESSAGE_ID_BYTES_MAX, PLATFORM_WORD_BYTES_MAX, USER_ID_BYTES_MAX},
    whatsapp::{
        facts::{Private, Spoken},
        payload::{
            defects::{Defects, Part},
            json::Node,
        },
    },
};

/// Last second of the year 9999, the largest time that is one.
const UNIX_SECONDS_MAX: i64 = 253_402_300_799;

/// Digits of the longest number WhatsApp can mean; E.164 has 15.
const PHONE_DIGITS_MAX: usize = 20;

/// One object of a webhook, and where to count what cannot be read of it.
#[derive(Debug, Clone, Copy)]
pub(in crate::whatsapp) struct View<'n, 't> {
    node: &'n Node<'t>,
    part: Part,
    defects: &'n Defects,
}

impl<'n, 't> View<'n, 't> {
    /// Looks at `node` as an object; counts it if it is none.
    pub(in crate::whatsapp) fn of(
        node: &'n Node<'t>,
        part: Part,
        defects: &'n Defects,
    ) -> Option<Self> {
        if let Node::Object(_) = node {
            Some(Self { node, part, defects })
        } else {
            defects.note(part, "");
            None
        }
    }

    /// Returns the same object as another part.
    pub(super) const fn named(self, part: Part) -> Self {
        Self { part, ..self }
    }

    /// Returns the object itself.
    pub(super) const fn node(&self) -> &'n Node<'t> {
        self.node
    }

    /// Returns where to count.
    pub(in crate::whatsapp) const fn defects(&self) -> &'n Defects {
        self.defects
    }

    /// Returns whether a member is there, whatever it is.
    pub(in crate::whatsapp) fn has(&self, member: &str) -> bool {
        self.node.get(member).is_some()
    }

    /// Counts a member as unreadable.
    pub(super) fn fault(&self, member: &'static str) {
        self.defects.note(self.part, member);
    }

    /// Returns what `read` makes of a member; counts it if that is nothing.
    fn read<T>(
        &self,
        member: &'static str,
        read: impl FnOnce(&'n Node<'t>) -> Option<T>,
    ) -> Option<T> {
        let node = self.node.get(member)?;
        if node.text() == Some("") {
            return None;
        }
        let value = read(node);
        if value.is_none() {
            self.fault(member);
        }
        value
    }

    /// Returns an object inside.
    pub(in crate::whatsapp) fn object(&self, member: &'static str) -> Option<Self> {
        let is_object = |node: &'n Node<'t>| matches!(node, Node::Object(_)).then_some(node);
        self.read(member, is_object).map(|node| Self { node, ..*self })
    }

    /// Returns the items of a list; one object alone counts as a list of it.
    pub(in crate::whatsapp) fn list(&self, member: &'static str) -> &'n [Node<'t>] {
        let items = self.read(member, |node| match node {
            Node::List(items) => Some(items.as_slice()),
            Node::Object(_) => Some(slice::from_ref(node)),
            Node::Null
            | Node::Flag(_)
            | Node::Whole(_)
            | Node::Negative(_)
            | Node::Opaque
            | Node::Text(_) => None,
        });
        items.unwrap_or_default()
    }

    /// Returns how long a list is; 0 for anything else, which is counted when it is read.
    pub(super) fn len(&self, member: &str) -> usize {
        if let Some(Node::List(items)) = self.node.get(member) { items.len() } else { 0 }
    }

    /// Returns a text of at most `bytes_max`.
    fn text(&self, member: &'static str, bytes_max: usize) -> Option<&'n str> {
        self.read(member, |node| node.text().filter(|text| text.len() <= bytes_max))
    }

    /// Returns a word of WhatsApp's.
    pub(in crate::whatsapp) fn word(&self, member: &'static str) -> Option<&'n str> {
        self.text(member, PLATFORM_WORD_BYTES_MAX)
    }

    /// Returns a word of WhatsApp's, to be kept.
    pub(in crate::whatsapp) fn kept(&self, member: &'static str) -> Option<Box<str>> {
        self.word(member).map(Into::into)
    }

    /// Returns an id of something of the business, written as text or as a number.
    pub(in crate::whatsapp) fn id(&self, member: &'static str) -> Option<Box<str>> {
        self.read(member, |node| match node {
            Node::Text(text) if text.len() <= PLATFORM_WORD_BYTES_MAX => Some((&**text).into()),
            Node::Whole(number) => Some(number.to_string().into()),
            Node::Text(_)
            | Node::Null
            | Node::Flag(_)
            | Node::Negative(_)
            | Node::Opaque
            | Node::List(_)
            | Node::Object(_) => None,
        })
    }

    /// Returns a text that may name a person: a message id, a hash, a callback text.
    pub(super) fn private(&self, member: &'static str) -> Option<Private> {
        self.text(member, MESSAGE_ID_BYTES_MAX).map(Private::new)
    }

    /// Returns the details of an error. They may be long, so what is beyond the bound is cut off.
    pub(super) fn details(&self) -> Option<Private> {
        let details = self.text("details", usize::MAX)?;
        let end = details.floor_char_boundary(PLATFORM_WORD_BYTES_MAX);
        details.get(..end).map(Private::new)
    }

    /// Returns a user id. It is opaque, but never just digits: that would be a number in the wrong
    /// place.
    pub(super) fn user_id(&self, member: &'static str) -> Option<Private> {
        let text = self.text(member, USER_ID_BYTES_MAX)?;
        if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'+') {
            self.fault(member);
            return None;
        }
        Some(Private::new(text))
    }

    /// Returns a number in WhatsApp's spelling: digits. A `+` before them is taken off.
    pub(super) fn wa_id(&self, member: &'static str) -> Option<Private> {
        self.read(member, |node| {
            let text = match node {
                Node::Text(text) => Cow::Borrowed(&**text),
                Node::Whole(number) => Cow::Owned(number.to_string()),
                Node::Null
                | Node::Flag(_)
                | Node::Negative(_)
                | Node::Opaque
                | Node::List(_)
                | Node::Object(_) => return None,
            };
            let digits = text.strip_prefix('+').unwrap_or(&text);
            let is_number = (1..=PHONE_DIGITS_MAX).contains(&digits.len())
                && digits.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| Private::new(digits))
        })
    }

    /// Returns a person's words, however long.
    pub(super) fn spoken(&self, member: &'static str) -> Option<Spoken> {
        self.text(member, usize::MAX).map(Spoken::new)
    }

    /// Returns a whole number, written as number or as text.
    pub(in crate::whatsapp) fn integer(&self, member: &'static str) -> Option<i64> {
        self.read(member, integer)
    }

    /// Returns a whole number of up to 64 bits without a sign, written as number or as text.
    pub(super) fn unsigned(&self, member: &'static str) -> Option<u64> {
        self.read(member, |node| match node {
            Node::Whole(number) => Some(*number),
            Node::Text(text) => text.parse().ok(),
            Node::Null
            | Node::Flag(_)
            | Node::Negative(_)
            | Node::Opaque
            | Node::List(_)
            | Node::Object(_) => None,
        })
    }

    /// Returns a yes or no, written as such or as text.
    pub(in crate::whatsapp) fn flag(&self, member: &'static str) -> Option<bool> {
        self.read(member, |node| match node {
            Node::Flag(flag) => Some(*flag),
            Node::Text(text) => text.parse().ok(),
            Node::Null
            | Node::Whole(_)
            | Node::Negative(_)
            | Node::Opaque
            | Node::List(_)
            | Node::Object(_) => None,
        })
    }

    /// Returns a moment given in seconds since 1970, as number or as text.
    pub(super) fn moment(&self, member: &'static str) -> Option<Timestamp> {
        self.read(member, |node| {
            let seconds = integer(node).filter(|at| (1..=UNIX_SECONDS_MAX).contains(at))?;
            Some(Timestamp::from_unix_ms(seconds * SECOND_MS))
        })
    }

    /// Returns a moment given in milliseconds since 1970, as number or as text.
    pub(super) fn moment_ms(&self, member: &'static str) -> Option<Timestamp> {
        self.read(member, |node| {
            let ms_max = UNIX_SECONDS_MAX * SECOND_MS;
            integer(node).filter(|at| (1..=ms_max).contains(at)).map(Timestamp::from_unix_ms)
        })
    }

    /// Returns what `parse` makes of a word; counts it if that is nothing.
    pub(in crate::whatsapp) fn parsed<T>(
        &self,
        member: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.read(member, |node| parse(node.text()?))
    }

    /// Returns what `of_word` or `of_number` makes of a member that comes as either.
    pub(in crate::whatsapp) fn either<T>(
        &self,
        member: &'static str,
        of_word: impl FnOnce(&str) -> Option<T>,
        of_number: impl FnOnce(i64) -> Option<T>,
    ) -> Option<T> {
        self.read(member, |node| match node.text() {
            Some(word) => of_word(word),
            None => integer(node).and_then(of_number),
        })
    }
}

fn integer(node: &Node<'_>) -> Option<i64> {
    match node {
        Node::Whole(number) => i64::try_from(*number).ok(),
        Node::Negative(number) => Some(*number),
        Node::Text(text) => text.parse().ok(),
        Node::Null | Node::Flag(_) | Node::Opaque | Node::List(_) | Node::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::whatsapp::payload::json::parse;

    fn with<T>(json: &str, look: impl FnOnce(View<'_, '_>) -> T) -> (T, u32) {
        let defects = Defects::default();
        let node = parse(json.as_bytes()).unwrap();
        let seen = look(View::of(&node, Part::Message, &defects).unwrap());
        (seen, defects.into_counts().values().sum())
    }

    #[test]
    fn a_moment_is_read_as_number_and_as_text() {
        let at = Some(Timestamp::from_unix_ms(1_795_165_200_000));
        for json in [r#"{"t":1795165200}"#, r#"{"t":"1795165200"}"#] {
            assert_eq!(with(json, |view| view.moment("t")), (at, 0), "{json}");
        }
        for json in [r#"{"t":1795165200.5}"#, r#"{"t":"soon"}"#, r#"{"t":0}"#, r#"{"t":-1}"#] {
            assert_eq!(with(json, |view| view.moment("t")), (None, 1), "{json}");
        }
        let beyond = r#"{"t":1795165200000}"#;
        assert_eq!(with(beyond, |view| view.moment("t")), (None, 1));
        assert_eq!(with(beyond, |view| view.moment_ms("t")), (at, 0));
    }

    #[test]
    fn absent_null_and_empty_are_nothing_and_no_fault() {
        for json in ["{}", r#"{"t":null}"#, r#"{"t":""}"#] {
            assert_eq!(with(json, |view| view.moment("t")), (None, 0), "{json}");
            assert_eq!(with(json, |view| view.wa_id("t")), (None, 0), "{json}");
        }
    }

    #[test]
    fn a_number_is_digits_and_a_user_id_is_not() {
        let digits = |json| {
            let (id, faults) = with(json, |view| view.wa_id("x"));
            (id.map(|id| id.expose().to_owned()), faults)
        };
        assert_eq!(digits(r#"{"x":"12025550123"}"#), (Some("12025550123".into()), 0));
        assert_eq!(digits(r#"{"x":"+12025550123"}"#), (Some("12025550123".into()), 0));
        assert_eq!(digits(r#"{"x":12025550123}"#), (Some("12025550123".into()), 0));
        assert_eq!(digits(r#"{"x":"US.90000000000000000123"}"#), (None, 1));
        assert_eq!(digits(r#"{"x":"123456789012345678901"}"#), (None, 1));
        let user = r#"{"x":"US.90000000000000000123"}"#;
        assert!(with(user, |view| view.user_id("x")).0.is_some());
        assert_eq!(with(r#"{"x":"12025550123"}"#, |view| view.user_id("x")), (None, 1));
    }

    #[test]
    fn ids_beyond_the_precision_of_a_float_stay_exact() {
        let json = r#"{"a":9007199254740993,"b":"18446744073709551615"}"#;
        assert_eq!(with(json, |view| view.unsigned("a")), (Some(9_007_199_254_740_993), 0));
        assert_eq!(with(json, |view| view.unsigned("b")), (Some(u64::MAX), 0));
        assert_eq!(
            with(json, |view| view.id("a").as_deref() == Some("9007199254740993")),
            (true, 0)
        );
    }

    #[test]
    fn one_object_is_a_list_of_it() {
        let count = |json| with(json, |view| view.list("x").len());
        assert_eq!(count(r#"{"x":[{},{}]}"#), (2, 0));
        assert_eq!(count(r#"{"x":{}}"#), (1, 0));
        assert_eq!(count(r#"{"x":"no"}"#), (0, 1));
        assert_eq!(count(r#"{"x":[]}"#), (0, 0));
    }
}
