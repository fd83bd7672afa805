//! The page of policy packs is what the packs in the program say.

use std::{fs, path::Path};

use izin::policy;

#[test]
fn the_published_packs_are_those_of_the_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/policy-packs.md");
    assert!(
        fs::read_to_string(path).unwrap() == policy::page(),
        "docs/policy-packs.md is not what the packs say; run \
         `cargo run -- policy-packs > docs/policy-packs.md`"
    );
}
