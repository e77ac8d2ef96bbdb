use std::sync::OnceLock;

use crate::rejection::{Rejection, RejectionKind};

/// What a refusal of each kind looks like, made once: a copy costs less than making it.
pub(super) struct PerKind<T>([OnceLock<T>; RejectionKind::ALL.len()]);

impl<T: Clone> PerKind<T> {
    pub(super) const fn new() -> Self {
        Self([const { OnceLock::new() }; RejectionKind::ALL.len()])
    }

    /// A refusal with a wait of its own is made anew.
    pub(super) fn get(&self, rejection: &Rejection, make: impl FnOnce(&Rejection) -> T) -> T {
        if !rejection.waits_as_usual() {
            return make(rejection);
        }
        let made = self.0[rejection.kind() as usize].get_or_init(|| make(rejection));
        made.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_kind_and_each_wait_has_its_own() {
        let texts = PerKind::new();
        let text = |rejection: &Rejection| {
            let make = |rejection: &Rejection| {
                format!("{:?} {:?}", rejection.kind(), rejection.retry_after())
            };
            assert_eq!(texts.get(rejection, make), make(rejection));
        };
        for _first_and_again in 0..2 {
            for kind in RejectionKind::ALL {
                text(&Rejection::from(*kind));
                text(&Rejection::from(*kind).retry_in(Duration::from_secs(7)));
            }
        }
    }

    #[test]
    fn the_usual_is_made_once() {
        let counts = PerKind::new();
        let usual = Rejection::from(RejectionKind::RateLimited);
        assert_eq!(counts.get(&usual, |_| 1), 1);
        assert_eq!(counts.get(&usual, |_| 2), 1);
    }
}
