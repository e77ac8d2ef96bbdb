use std::time::Duration;

/// How often a node has session_keys checked, and what bounds that.
///
/// ```
/// use std::time::Duration;
/// use tower_wx_session::sessions::KeyCheckPolicy;
///
/// let policy = KeyCheckPolicy::default().with_interval(Duration::from_secs(10 * 60));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct KeyCheckPolicy {
    pub(crate) interval: Duration,
    pub(crate) calls_per_second: u32,
    pub(crate) calls_in_flight: usize,
    pub(crate) waiting: usize,
}

impl KeyCheckPolicy {
    /// The least time between two checks of a user's key on one node. Default: 1 hour.
    ///
    /// A user is checked while a session is in use: so this, and the half minute for which a node
    /// does not read the store, is how long a session outlives its session_key. WeChat does not say
    /// how long a key lives; days were seen. An hour is half the default idle timeout.
    ///
    /// Nodes do not tell each other: a user of `n` nodes is checked up to `n` times in it. When a
    /// node begins, the first checks are spread over it.
    pub const fn with_interval(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }

    /// Calls that a node begins in a second, evenly spaced: 1 to 1000. Default: 20.
    ///
    /// WeChat publishes no quota for `checkSessionKey`; that of its neighbour `resetUserSessionKey`
    /// is 60 000 a minute and app. A node at this rate makes 1200, which serves 72 000 users in use
    /// within the default interval. More of them are checked less often.
    pub const fn with_calls_per_second(self, most: u32) -> Self {
        Self {
            calls_per_second: most,
            ..self
        }
    }

    /// Calls at the same time. Default: 8, which 20 a second need where each takes 0.4 s.
    pub const fn with_calls_in_flight(self, most: usize) -> Self {
        Self {
            calls_in_flight: most,
            ..self
        }
    }

    /// Users that wait for their check. Default: 10 000.
    ///
    /// One more is dropped, counted as `dropped`, and comes again when a session of theirs is next
    /// read from the store.
    pub const fn with_waiting(self, most: usize) -> Self {
        Self {
            waiting: most,
            ..self
        }
    }

    /// The time between the beginnings of two calls.
    pub(super) fn gap(&self) -> Duration {
        // In the clock's milliseconds, and rather longer.
        Duration::from_millis(1000_u32.div_ceil(self.calls_per_second.max(1)).into())
    }
}

impl Default for KeyCheckPolicy {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(60 * 60),
            calls_per_second: 20,
            calls_in_flight: 8,
            waiting: 10_000,
        }
    }
}
