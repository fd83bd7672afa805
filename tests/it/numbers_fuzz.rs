//! What the fuzzer of numbers checks, as a part of this binary: the same files.

#[path = "../fuzz/src/check.rs"]
pub(crate) mod check;
#[path = "../fuzz/src/stock.rs"]
pub(crate) mod stock;
