//! What the stored form leaves out, and what stands for it.

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
pub(super) const fn is_false(truth: &bool) -> bool {
    !*truth
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
pub(super) const fn is_ordinary(replaces_newest: &bool) -> bool {
    !*replaces_newest
}

pub(super) const fn asked() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
pub(super) const fn is_asked(was_asked: &bool) -> bool {
    *was_asked
}
