use std::time::Duration;

/// Bytes of a code; WeChat's have 32.
const CODE_LIMIT: usize = 512;
/// How long a code lives at WeChat.
const CODE_LIFETIME: Duration = Duration::from_secs(5 * 60);
/// Bytes of launch data; Telegram's have some 500, and more with long names.
const LAUNCH_DATA_LIMIT: usize = 4096;

/// What the codes of a provider are like: how long, good for how long, and who ends them.
///
/// ```
/// use std::time::Duration;
/// use tower_wx_session::login::CodePolicy;
///
/// // The platform takes a code once, within 10 minutes.
/// let baidu = CodePolicy::one_time().with_lifetime(Duration::from_secs(10 * 60));
/// // What is signed stays good for a day, so the login itself takes it once.
/// let signed = CodePolicy::replayable(Duration::from_secs(24 * 60 * 60));
/// assert_ne!(baidu, signed);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct CodePolicy {
    pub(super) limit: usize,
    pub(super) lifetime: Duration,
    pub(super) is_replayable: bool,
}

impl CodePolicy {
    /// Codes of up to 512 bytes, good for 5 minutes, that the platform itself takes only once.
    pub const fn one_time() -> Self {
        Self {
            limit: CODE_LIMIT,
            lifetime: CODE_LIFETIME,
            is_replayable: false,
        }
    }

    /// Launch data of up to 4 KiB, whose signature stays good until it is `valid_for` old.
    ///
    /// The platform does not take it back, so the login makes it single use on all nodes: it notes
    /// in the store, for `valid_for`, that it was used. A user whose session ends before then has to
    /// start the app again, which gives fresh launch data.
    ///
    /// The provider checks the age itself, by
    /// [`LoginRequest::received_at`](super::LoginRequest::received_at), and refuses what is older.
    /// Where it lets the platform's clock be ahead, `valid_for` includes that, too. Where one content
    /// can be written in several ways, it names the content by
    /// [`Exchanged::once_per`](super::Exchanged::once_per).
    ///
    /// What is not genuine writes nothing. A store that is down uses nothing up: 503
    /// `store_unavailable`. If its answer is lost on the way, whether it was noted is not known: a
    /// repeat within 5 s on the same node goes on from there, and one elsewhere or later gets
    /// `code_rejected` if it was. Where the store itself loses a write, as Redis can when a replica
    /// takes over, another node takes the same data once more.
    pub const fn replayable(valid_for: Duration) -> Self {
        Self {
            limit: LAUNCH_DATA_LIMIT,
            lifetime: valid_for,
            is_replayable: true,
        }
    }

    /// How long a code is good for at the platform, and is remembered here as spent. What is
    /// remembered for no time may reach the platform twice.
    pub const fn with_lifetime(self, lifetime: Duration) -> Self {
        Self { lifetime, ..self }
    }

    /// The longest code, in bytes; a longer one is a bad request. The body of a login has 4 KiB in
    /// all.
    pub const fn with_limit(self, bytes: usize) -> Self {
        Self {
            limit: bytes,
            ..self
        }
    }
}
