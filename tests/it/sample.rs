//! Entries to store: made up, chained, and never the same twice.

use izin::{
    domain::time::{MINUTE_MS, Timestamp},
    ledger::entry::{Class, Head, Header, StoredEntry, commitment},
};

/// Returns a group of `len` entries that follows `head`.
pub(crate) fn group(mut head: Head, len: u64) -> Vec<StoredEntry> {
    let mut entries = Vec::new();
    for _ in 0..len {
        let entry = entry(head, &format!("sealed bytes of entry {}", head.next.0).into_bytes());
        head = head.extend(&entry.header).unwrap();
        entries.push(entry);
    }
    entries
}

/// Returns an entry that follows `head`.
pub(crate) fn entry(head: Head, opening: &[u8]) -> StoredEntry {
    let seq = head.next.0;
    let minutes = i64::try_from(seq / 3).unwrap();
    let class = match seq % 7 {
        5 => Class::Erase,
        6 => Class::Key,
        _ => Class::Entry,
    };
    let header = Header {
        seq: head.next,
        at: Timestamp::from_unix_ms(minutes * MINUTE_MS),
        class,
        commitment: commitment(&[u8::try_from(seq % 251).unwrap(); 32], opening),
        previous: head.hash,
    };
    StoredEntry { header, opening: opening.to_vec() }
}
