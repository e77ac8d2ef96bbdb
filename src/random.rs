//! The system's randomness.

use std::time::Duration;

/// Fills `bytes` with it.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), getrandom::Error> {
    getrandom::fill(bytes)
}

/// Some part of a span, another one each time: so that nodes of a fleet take turns.
pub(crate) fn share_of(span: Duration) -> Duration {
    let mut random = [0];
    // Without randomness all come at the same time, and that is all.
    let _ = fill(&mut random);
    span * u32::from(random[0]) / u32::from(u8::MAX)
}
