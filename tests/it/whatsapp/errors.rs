//! The page of WhatsApp's errors is the table of the code.

use std::{fs, path::Path};

use izin::whatsapp;

#[test]
fn the_published_errors_are_those_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors-whatsapp.md");
    assert!(
        fs::read_to_string(path).unwrap() == whatsapp::document(),
        "docs/errors-whatsapp.md is not what the code says; run \
         `cargo run -- whatsapp-errors > docs/errors-whatsapp.md`"
    );
}
