use std::fmt;
use std::hint::black_box;

use http::Request;

use crate::session::{Session, Verdict};
use crate::sessions::Sessions;
use crate::store::SessionStore;
use crate::token::{Fingerprint, Found, SessionId, Token, TokenSource, find_and_mark};

/// The steps of a hit, one at a time: for the benchmark that says what each of them costs.
///
/// Each method does what the layer does for a request, and gives what keeps a compiler from
/// leaving it out.
pub struct HitSteps<S> {
    sessions: Sessions<S>,
    sources: [TokenSource; 1],
}

impl<S: SessionStore> HitSteps<S> {
    /// The steps of a layer on these sessions, which looks for `Authorization: Bearer`.
    #[must_use]
    pub fn new(sessions: Sessions<S>) -> Self {
        Self {
            sessions,
            sources: [TokenSource::bearer()],
        }
    }

    /// Finds the token in a request and marks it as sensitive; how long it is.
    #[must_use]
    pub fn find(&self, request: &mut Request<()>) -> usize {
        match find_and_mark(&self.sources, request) {
            Found::One(token) => black_box(token).text().len(),
            Found::Nothing | Found::Several => 0,
        }
    }

    /// Decodes the text of a token and makes the name of the session from it.
    #[must_use]
    pub fn decode_and_digest(&self, text: &[u8]) -> Option<SessionId> {
        Token::parse(text).map(|token| token.id())
    }

    /// Reads the clock; milliseconds.
    #[must_use]
    pub fn clock(&self) -> u64 {
        self.sessions.node().clock.read().fleet.as_millis()
    }

    /// Makes the fingerprint of the text of a token: what [`probe`](Self::probe) finds its session by.
    #[must_use]
    pub fn fingerprint(&self, text: &[u8]) -> Option<u128> {
        let fingerprint = self.sessions.node().fingerprint(text);
        fingerprint.map(Fingerprint::to_bits)
    }

    /// Looks into the hit table, and whether anything changed since the read.
    #[must_use]
    pub fn probe(&self, fingerprint: u128, bucket: [u8; 2]) -> Option<Session> {
        let fingerprint = Fingerprint::from_bits(fingerprint);
        self.sessions.node().hit(fingerprint, bucket)
    }

    /// Reads the clock and decides about a session; whether it is valid.
    #[must_use]
    pub fn clock_and_decide(&self, session: &Session) -> bool {
        let node = self.sessions.node();
        let verdict = node.decide_now(session, node.clock.read());
        matches!(verdict, Verdict::Valid { .. })
    }

    /// Reads the clock and notes a use; whether the store is owed a touch.
    pub fn clock_and_use(&self, session: &Session) -> bool {
        let now = self.sessions.node().clock.now();
        session.usage().note(session.id(), now).is_some()
    }
}

impl<S> fmt::Debug for HitSteps<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HitSteps").finish_non_exhaustive()
    }
}
