use bytes::Bytes;
use http::Response;

use crate::rejection::Rejection;

/// Puts the cause into the extensions: in the place of what may be there, because that has one already.
#[inline]
pub(super) fn add_cause(response: &mut Response<Bytes>, rejection: Rejection) {
    let extensions = response.extensions_mut();
    match extensions.get_mut() {
        Some(place) => *place = rejection,
        None => drop(extensions.insert(rejection)),
    }
}
