//! Where things are in the one tree there is: a table byte, then big-endian numbers.

use crate::domain::entry::Subject;

/// Contacts in one page.
pub(super) const PAGE_LEN: u32 = 16;

/// The key of what the database says of itself.
pub(super) const META: [u8; 1] = *b"m";

/// The key of page `page`.
pub(super) fn page(page: u32) -> Vec<u8> {
    key(b'p', &[page])
}

/// What the keys of all pages begin with.
pub(super) const PAGES: [u8; 1] = *b"p";

/// The key of one part of a document that does not fit into its page.
pub(super) fn part(subject: Subject, part: u32) -> Vec<u8> {
    key(b'd', &[subject.0, part])
}

/// The key of one chunk of a contact's older entries.
pub(super) fn chunk(subject: Subject, chunk: u32) -> Vec<u8> {
    key(b'h', &[subject.0, chunk])
}

/// What the keys of all chunks of a contact begin with.
pub(super) fn chunks(subject: Subject) -> Vec<u8> {
    key(b'h', &[subject.0])
}

/// Returns in which page a contact is, and where in it; `None` for the service itself.
pub(super) fn place(subject: Subject) -> Option<(u32, usize)> {
    let ordinal = subject.0.checked_sub(1)?;
    Some((ordinal / PAGE_LEN, usize::try_from(ordinal % PAGE_LEN).ok()?))
}

/// Returns the contact at a place of a page, if a contact can have it.
pub(super) fn subject(page: u32, place: usize) -> Option<Subject> {
    let ordinal = page.checked_mul(PAGE_LEN)?.checked_add(u32::try_from(place).ok()?)?;
    ordinal.checked_add(1).map(Subject)
}

/// Returns the page a page's key names.
pub(super) fn page_of(key: &[u8]) -> Option<u32> {
    let (table, number) = key.split_first()?;
    (*table == b'p').then_some(u32::from_be_bytes(number.try_into().ok()?))
}

fn key(table: u8, numbers: &[u32]) -> Vec<u8> {
    let numbers = numbers.iter().flat_map(|number| number.to_be_bytes());
    std::iter::once(table).chain(numbers).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_place_names_its_contact_and_a_key_its_page(ordinal in 1_u32..) {
            let (number, at) = place(Subject(ordinal)).unwrap();
            prop_assert_eq!(subject(number, at), Some(Subject(ordinal)));
            prop_assert_eq!(page_of(&page(number)), Some(number));
        }

        #[test]
        fn keys_sort_as_their_numbers_do(one: u32, other: u32) {
            prop_assert_eq!(page(one).cmp(&page(other)), one.cmp(&other));
            let (one_key, other_key) = (chunk(Subject(7), one), chunk(Subject(7), other));
            prop_assert_eq!(one_key.cmp(&other_key), one.cmp(&other));
        }
    }

    #[test]
    fn the_service_itself_is_in_no_page() {
        assert_eq!(place(Subject::SYSTEM), None);
        assert_eq!(place(Subject(16)), Some((0, 15)));
        assert_eq!(place(Subject(17)), Some((1, 0)));
    }
}
