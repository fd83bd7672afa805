//! Sealing of what is stored about a contact: nothing opens at another place than its own.

use rand::CryptoRng;
use zeroize::Zeroizing;

use crate::{
    documents::ContactDocument,
    domain::entry::{Seq, Subject},
    ledger::seal::Dek,
    store::{StoreError, page::INLINE_MAX},
};

/// Seals a document.
pub(super) fn seal_document(
    dek: &Dek,
    subject: Subject,
    document: &ContactDocument,
    random: &mut impl CryptoRng,
) -> Result<Vec<u8>, StoreError> {
    // Room for nearly every document: what grows leaves pieces behind that nobody wipes.
    let mut json = Zeroizing::new(Vec::with_capacity(INLINE_MAX));
    serde_json::to_writer(&mut *json, document).map_err(|e| StoreError::document(subject, e))?;
    let sealed = dek.seal(&document_place(subject), &json, random);
    sealed.map_err(|error| StoreError::sealed(subject, error))
}

/// Opens a document.
pub(super) fn open_document(
    dek: &Dek,
    subject: Subject,
    sealed: &[u8],
) -> Result<ContactDocument, StoreError> {
    let json = dek.open(&document_place(subject), sealed);
    let json = Zeroizing::new(json.map_err(|e| StoreError::sealed(subject, e))?);
    serde_json::from_slice(&json).map_err(|error| StoreError::document(subject, error))
}

/// Seals a chunk of older entries.
pub(super) fn seal_chunk(
    dek: &Dek,
    subject: Subject,
    chunk: u32,
    entries: &[Seq],
    random: &mut impl CryptoRng,
) -> Result<Vec<u8>, StoreError> {
    let bytes: Vec<u8> = entries.iter().flat_map(|seq| seq.0.to_be_bytes()).collect();
    let sealed = dek.seal(&chunk_place(subject, chunk), &bytes, random);
    sealed.map_err(|error| StoreError::sealed(subject, error))
}

/// Opens a chunk of older entries.
pub(super) fn open_chunk(
    dek: &Dek,
    subject: Subject,
    chunk: u32,
    sealed: &[u8],
) -> Result<Vec<Seq>, StoreError> {
    let bytes = dek.open(&chunk_place(subject, chunk), sealed);
    let bytes = bytes.map_err(|error| StoreError::sealed(subject, error))?;
    let (entries, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(StoreError::Damaged { what: "a chunk of older entries" });
    }
    Ok(entries.iter().map(|seq| Seq(u64::from_be_bytes(*seq))).collect())
}

fn document_place(subject: Subject) -> Vec<u8> {
    [b"izin/document/", &subject.0.to_be_bytes()[..]].concat()
}

fn chunk_place(subject: Subject, chunk: u32) -> Vec<u8> {
    [b"izin/history/", &subject.0.to_be_bytes()[..], &chunk.to_be_bytes()].concat()
}
