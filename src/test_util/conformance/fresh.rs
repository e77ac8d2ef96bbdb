//! Names that no check and no run has used before.

use std::collections::HashMap;

use super::violation::{Outcome, Violation};
use crate::identity::Identity;
use crate::token::SessionId;

/// A user whom nobody has seen before.
pub(super) fn user() -> Outcome<Identity> {
    let name = u64::from_ne_bytes(random()?);
    Ok(Identity::new("wx-conformance", format!("user-{name:016x}")))
}

/// Two users in the same bucket.
pub(super) fn neighbours() -> Outcome<(Identity, Identity)> {
    let mut seen = HashMap::new();
    loop {
        let user = user()?;
        if let Some(neighbour) = seen.insert(user.bucket(), user.clone()) {
            return Ok((neighbour, user));
        }
    }
}

/// A name for a new session of a user.
pub(super) fn id_of(user: &Identity) -> Outcome<SessionId> {
    id_in(user.bucket())
}

/// A name for a new session of the same user.
pub(super) fn sibling(id: SessionId) -> Outcome<SessionId> {
    id_in(id.bucket())
}

fn id_in(bucket: [u8; 2]) -> Outcome<SessionId> {
    let mut bytes = random::<18>()?;
    bytes[..2].copy_from_slice(&bucket);
    Ok(SessionId::from_bytes(bytes))
}

pub(super) fn random<const N: usize>() -> Outcome<[u8; N]> {
    let mut bytes = [0; N];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) => Err(Violation::new(format!("no randomness: {error}"))),
    }
}
