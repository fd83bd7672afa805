//! A value that must not be shown.
//!
//! It guards against showing by accident; whoever is handed the value itself can still leak it.

use std::fmt::{Debug, Formatter};

use zeroize::{Zeroize, Zeroizing};

/// Holds a secret: `Debug` hides it, nothing prints, serialises or compares it, and its memory is
/// wiped when it goes.
///
/// Whoever needs the value calls [`Secret::expose`] and can be found by searching for that name.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Takes a value into custody.
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// Returns the value, for the one place that has to use it.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Debug for Secret<T> {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Any;
    struct Comparable;

    /// Holds once for every type, and once more for types with `==`: naming it for one of the
    /// latter is ambiguous and does not compile.
    trait WithoutEquality<Marker> {
        fn holds() {}
    }
    impl<T: ?Sized> WithoutEquality<Any> for T {}
    impl<T: ?Sized + PartialEq> WithoutEquality<Comparable> for T {}

    trait NotSerialised<Marker> {
        fn holds() {}
    }
    impl<T: ?Sized> NotSerialised<Any> for T {}
    impl<T: ?Sized + serde::Serialize> NotSerialised<Comparable> for T {}

    #[test]
    fn a_secret_cannot_be_compared_or_serialised() {
        <Secret<String> as WithoutEquality<_>>::holds();
        <Secret<String> as NotSerialised<_>>::holds();
    }

    #[test]
    fn debug_shows_nothing_of_it() {
        let secret = Secret::new(String::from("hunter2"));
        assert_eq!(format!("{secret:?}"), "Secret(redacted)");
        assert_eq!(secret.clone().expose(), "hunter2");
    }
}
