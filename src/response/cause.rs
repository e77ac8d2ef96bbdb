use bytes::Bytes;
use http::Response;

use crate::rejection::Rejection;

/// Puts the cause into the extensions. One that is there already is overwritten: an `insert` would
/// allocate its box anew.
#[inline]
pub(super) fn add_cause(response: &mut Response<Bytes>, rejection: Rejection) {
    let extensions = response.extensions_mut();
    match extensions.get_mut() {
        Some(place) => *place = rejection,
        None => drop(extensions.insert(rejection)),
    }
}
