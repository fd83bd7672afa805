//! Identifiers. One type per kind of thing, so that two kinds cannot be swapped.

/// Declares a UUID newtype. Values come from an `IdSource` or from a request, never from here.
macro_rules! typed_id {
    ($(#[$docs:meta])* $name:ident) => {
        $(#[$docs])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(uuid::Uuid);

        impl $name {
            /// Wraps a UUID that is already known to name this kind of thing.
            pub const fn from_uuid(uuid: uuid::Uuid) -> Self {
                Self(uuid)
            }

            /// Returns the UUID for encoding.
            pub const fn as_uuid(&self) -> &uuid::Uuid {
                &self.0
            }
        }
    };
}

typed_id! {
    /// Names a contact for as long as the ledger exists, whatever its numbers become.
    ContactId
}

typed_id! {
    /// Names a reserved right to send one message.
    TicketId
}

typed_id! {
    /// Names one look-up of one number at a provider.
    LookupId
}

typed_id! {
    /// Names a job that works for longer than a request.
    JobId
}
