//! What the protocols of several providers have in common when a reply is read.

use serde::de::DeserializeOwned;

use crate::{
    domain::phone::PhoneNumber,
    providers::answer::{NumberState, UnknownCause, WaId, may_be_rewritten},
};

/// Reads a reply of one shape and judges it; says which way it is wrong if it has another.
pub(super) fn read<T: DeserializeOwned>(
    body: &[u8],
    judge: impl FnOnce(T) -> NumberState,
) -> NumberState {
    match serde_json::from_slice(body) {
        Ok(reply) => judge(reply),
        Err(error) if error.is_data() => NumberState::unknown(UnknownCause::WrongShape),
        Err(_) => NumberState::unknown(UnknownCause::NotJson),
    }
}

/// Judges a yes or a no that came with an account. One of somebody else shows a mix-up.
pub(super) fn of_account(exists: bool, wa_id: Option<WaId>, number: &PhoneNumber) -> NumberState {
    if wa_id.as_ref().is_some_and(|wa_id| !wa_id.can_belong_to(number)) {
        return NumberState::unknown(UnknownCause::AnotherNumber);
    }
    if exists { NumberState::Registered { wa_id } } else { NumberState::NotRegistered }
}

/// The same of a provider that says no also where WhatsApp knows the number by other digits:
/// there its no is a doubt.
pub(super) fn of_account_or_doubt(
    exists: bool,
    wa_id: Option<WaId>,
    number: &PhoneNumber,
) -> NumberState {
    let state = of_account(exists, wa_id, number);
    if state == NumberState::NotRegistered && may_be_rewritten(number) {
        return NumberState::unknown(UnknownCause::Undecided);
    }
    state
}
