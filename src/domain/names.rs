//! Names that callers choose or platforms give: topics, statements, templates, senders.
//!
//! They are looked up exactly as written; nothing is folded or trimmed.

/// Why a text cannot be a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("1 to {len_max} characters of A-Z a-z 0-9 _ . : @ -")]
pub struct NotAName {
    /// Longest name of this kind, in characters.
    pub len_max: usize,
}

/// Declares a name newtype: visible ASCII that is safe in a URL segment, with a longest length.
macro_rules! name {
    ($(#[$docs:meta])* $name:ident, $len_max:literal) => {
        $(#[$docs])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        #[derive(serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Longest length in characters.
            pub const LEN_MAX: usize = $len_max;

            /// Parses a name.
            ///
            /// # Errors
            ///
            /// [`NotAName`] for an empty or overlong text, or one with other characters.
            pub fn parse(text: &str) -> Result<Self, NotAName> {
                let is_plain = |byte: u8| {
                    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9')
                        || matches!(byte, b'_' | b'.' | b':' | b'@' | b'-')
                };
                if (1..=Self::LEN_MAX).contains(&text.len()) && text.bytes().all(is_plain) {
                    Ok(Self(text.into()))
                } else {
                    Err(NotAName { len_max: Self::LEN_MAX })
                }
            }

            /// Returns the name as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAName;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.into()
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// What a person agrees to hear about, such as `order_updates`.
    TopicId, 64
}

name! {
    /// A place where people are asked, such as `counter-jakarta`.
    EntryPointId, 64
}

name! {
    /// A text shown to people when they are asked, such as `signup-2026`.
    StatementId, 64
}

name! {
    /// A template's name at WhatsApp. Source: Meta, "Templates overview" (512 characters).
    TemplateName, 512
}

name! {
    /// A language code as templates carry it, such as `id` or `en_US`.
    Language, 16
}

name! {
    /// A business phone number's id at WhatsApp (`phone_number_id`).
    SenderId, 64
}

name! {
    /// A WhatsApp Business Account's id.
    AccountId, 64
}

name! {
    /// A business portfolio's id.
    PortfolioId, 64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_space_a_slash_or_nothing_in_it_is_refused() {
        for text in ["", "order updates", "a/b", "prom\u{00f6}"] {
            assert_eq!(TopicId::parse(text), Err(NotAName { len_max: 64 }), "{text}");
        }
        assert!(TopicId::parse(&"x".repeat(64)).is_ok());
        assert!(TopicId::parse(&"x".repeat(65)).is_err());
    }

    #[test]
    fn serde_applies_the_same_rule() {
        assert!(serde_json::from_str::<TopicId>("\"a b\"").is_err());
        assert_eq!(serde_json::from_str::<TopicId>("\"a_b\"").unwrap().as_str(), "a_b");
    }
}
