use std::time::Duration;

use tokio::time::Instant;

/// After this long, and what the store is given to answer, a trial is taken for one that nobody
/// waits for any more: its runtime may be one that nobody drives.
const TRIAL_OVERDUE: Duration = Duration::from_secs(3);

/// Who may come to a part of the store: everyone, nobody, or one real read that tries it.
#[derive(Debug, Default)]
pub(super) enum Gate {
    #[default]
    Closed,
    /// Nobody until then; whoever comes next is the trial.
    Open { until: Instant },
    /// One is trying. Should nothing be heard of it until then, another one may.
    HalfOpen { until: Instant },
}

/// What the gate says to one who comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Granted,
    /// Only what comes of this one says whether the others may.
    Trial,
    Refused,
}

impl Gate {
    pub(super) const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }

    /// Lets one who comes in, or not.
    pub(super) fn admit(&mut self, now: Instant, deadline: Duration) -> Admission {
        match *self {
            Self::Closed => Admission::Granted,
            Self::Open { until } | Self::HalfOpen { until } if now < until => Admission::Refused,
            Self::Open { .. } | Self::HalfOpen { .. } => {
                let patience = TRIAL_OVERDUE.saturating_add(deadline);
                let until = now.checked_add(patience).unwrap_or(now + TRIAL_OVERDUE);
                *self = Self::HalfOpen { until };
                Admission::Trial
            }
        }
    }

    /// Whether nobody has come for so long after its pause.
    pub(super) fn is_deserted(&self, now: Instant, span: Duration) -> bool {
        match *self {
            Self::Closed => false,
            Self::Open { until } | Self::HalfOpen { until } => now.duration_since(until) >= span,
        }
    }

    pub(super) const fn open(&mut self, until: Instant) {
        *self = Self::Open { until };
    }

    pub(super) const fn close(&mut self) {
        *self = Self::Closed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: Duration = Duration::from_millis(250);
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn after_the_pause_one_tries_and_nobody_else() {
        let (mut gate, start) = (Gate::default(), Instant::now());
        assert_eq!(gate.admit(start, DEADLINE), Admission::Granted);
        gate.open(start + SECOND);
        assert_eq!(gate.admit(start, DEADLINE), Admission::Refused);
        assert_eq!(gate.admit(start + SECOND, DEADLINE), Admission::Trial);
        assert_eq!(gate.admit(start + SECOND, DEADLINE), Admission::Refused);
        gate.close();
        assert_eq!(gate.admit(start + SECOND, DEADLINE), Admission::Granted);
    }

    #[test]
    fn a_gate_to_which_nobody_comes_is_deserted_after_its_pause() {
        let (mut gate, start) = (Gate::default(), Instant::now());
        assert!(!gate.is_deserted(start, Duration::ZERO), "it is closed");
        gate.open(start + SECOND);
        assert!(!gate.is_deserted(start + SECOND, SECOND));
        assert!(gate.is_deserted(start + 2 * SECOND, SECOND));
        gate.admit(start + 2 * SECOND, DEADLINE);
        assert!(!gate.is_deserted(start + 3 * SECOND, SECOND));
    }

    #[test]
    fn a_trial_of_which_nothing_is_heard_is_followed_by_another_one() {
        let (mut gate, start) = (Gate::default(), Instant::now());
        gate.open(start);
        assert_eq!(gate.admit(start, DEADLINE), Admission::Trial);
        let overdue = start + TRIAL_OVERDUE + DEADLINE;
        assert_eq!(
            gate.admit(start + TRIAL_OVERDUE, DEADLINE),
            Admission::Refused
        );
        assert_eq!(gate.admit(overdue, DEADLINE), Admission::Trial);
        assert_eq!(gate.admit(overdue, Duration::MAX), Admission::Refused);
    }
}
