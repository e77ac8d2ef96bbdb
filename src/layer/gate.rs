use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response, Uri};

use super::handshake::Handshake;
use super::leftover::Leftover;
#[cfg(feature = "axum")]
use super::no_session::NoSession;
use crate::head::Head;
use crate::rejection::{Rejection, RejectionKind};
use crate::response::{Preset, Responder, refuse};
use crate::session::{Checked, Session, Unread};
use crate::sessions::Sessions;
use crate::store::SessionStore;
use crate::token::{Found, Presented, TokenSource, find_and_mark, hide, remove};

type Unchecked = dyn Fn(&Method, &Uri) -> bool + Send + Sync;

/// Decides which requests pass: all that a layer is configured with.
pub(super) struct Gate<S> {
    pub(super) sessions: Sessions<S>,
    sources: Vec<TokenSource>,
    /// Whether one of the sources is that of WebSockets.
    takes_protocols: bool,
    /// Whether all of them are headers, in which a token is marked and stays.
    are_headers: bool,
    pub(super) is_optional: bool,
    pub(super) unchecked: Option<Arc<Unchecked>>,
    pub(super) responder: Responder,
    pub(super) leftover: Leftover,
}

/// What becomes of a request.
pub(super) enum Admission {
    Pass,
    Refuse(Rejection),
    /// This node knows too little of this token: it takes the store.
    Lookup(Unread),
}

impl<S: SessionStore> Gate<S> {
    pub(super) fn new(sessions: Sessions<S>) -> Self {
        Self {
            sessions,
            sources: vec![TokenSource::bearer()],
            takes_protocols: false,
            are_headers: true,
            is_optional: false,
            unchecked: None,
            responder: Responder::Preset(Preset::Json),
            leftover: Leftover::default(),
        }
    }

    pub(super) fn look_in(&mut self, sources: Vec<TokenSource>) {
        self.takes_protocols = sources.iter().any(TokenSource::is_websocket_protocol);
        self.are_headers = sources.iter().all(TokenSource::is_header);
        self.sources = sources;
    }

    /// Decides about a request as far as this node can without the store.
    #[inline]
    pub(super) fn admit(&self, request: &mut impl Head) -> Admission {
        if self.is_unchecked(request) {
            return self.pass_without_session(request);
        }
        // Matched to the end at once: what is moved in between is stored and read again.
        let checked = match find_and_mark(&self.sources, request) {
            Found::Nothing if self.is_optional => return self.pass_without_session(request),
            Found::Nothing => return self.refuse_at_sight(RejectionKind::SessionMissing),
            Found::Several => return self.refuse_at_sight(RejectionKind::AmbiguousToken),
            Found::One(Presented::Plain(text)) => self.sessions.node().check_now(text),
            Found::One(encoded) => self.check_decoded(encoded),
        };
        match checked {
            Checked::Decided(Ok(session)) => self.pass(session, request),
            Checked::Decided(Err(rejection)) => Admission::Refuse(rejection),
            Checked::Unread(unread) => Admission::Lookup(unread),
        }
    }

    /// Apart, so that it costs the others nothing.
    #[cold]
    fn check_decoded(&self, encoded: Presented<'_>) -> Checked {
        self.sessions.node().check_now(&encoded.decoded())
    }

    /// Checks a request without its body: the refusal is all that is left to do.
    pub(super) async fn admit_head(&self, head: &mut Parts) -> Result<(), Response<Bytes>> {
        let rejection = match self.admit(head) {
            Admission::Pass => return Ok(()),
            Admission::Refuse(rejection) => rejection,
            Admission::Lookup(unread) => match self.sessions.node().check_with_store(&unread).await
            {
                Ok(session) => {
                    self.pass(session, head);
                    return Ok(());
                }
                Err(rejection) => rejection,
            },
        };
        Err(self.refuse_head(head, rejection))
    }

    fn refuse_at_sight(&self, kind: RejectionKind) -> Admission {
        Admission::Refuse(self.sessions.node().refuse_at_sight(kind))
    }

    /// Hands the session to the inner service, without the token: what is in a header was marked
    /// when it was found.
    #[inline]
    pub(super) fn pass(&self, session: Session, request: &mut impl Head) -> Admission {
        if !self.are_headers {
            remove(&self.sources, request);
        }
        request.extensions_mut().insert(session);
        Admission::Pass
    }

    fn pass_without_session(&self, request: &mut impl Head) -> Admission {
        hide(&self.sources, request);
        // That of another layer, further out, is none of this one's.
        request.extensions_mut().remove::<Session>();
        #[cfg(feature = "axum")]
        request
            .extensions_mut()
            .insert(NoSession::new(self.responder.clone()));
        Admission::Pass
    }

    fn is_unchecked(&self, request: &impl Head) -> bool {
        let unchecked = self.unchecked.as_ref();
        unchecked.is_some_and(|is_unchecked| is_unchecked(request.method(), request.uri()))
    }
}

impl<S> Gate<S> {
    /// Whether the request opens a WebSocket with a token of which its answer has to know.
    #[inline]
    pub(super) fn handshake(&self, request: &impl Head) -> Option<Handshake> {
        if self.takes_protocols {
            return Handshake::of(request);
        }
        None
    }

    #[inline]
    pub(super) fn refuse<B>(&self, request: Request<B>, rejection: Rejection) -> Response<Bytes>
    where
        B: 'static,
    {
        let (mut head, body) = request.into_parts();
        let mut response = self.refuse_head(&mut head, rejection);
        self.leftover.leave(&head, body, response.headers_mut());
        response
    }

    /// Whoever makes the answer sees no token either: that of a 503 may well be live. What is in a header
    /// was marked when it was found.
    #[inline]
    fn refuse_head(&self, head: &mut Parts, rejection: Rejection) -> Response<Bytes> {
        remove(&self.sources, head);
        head.extensions.remove::<Session>();
        refuse(&self.responder, head, rejection)
    }
}

impl<S> Clone for Gate<S> {
    fn clone(&self) -> Self {
        Self {
            sessions: self.sessions.clone(),
            sources: self.sources.clone(),
            takes_protocols: self.takes_protocols,
            are_headers: self.are_headers,
            is_optional: self.is_optional,
            unchecked: self.unchecked.clone(),
            responder: self.responder.clone(),
            leftover: self.leftover.clone(),
        }
    }
}

impl<S> fmt::Debug for Gate<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("sources", &self.sources)
            .field("is_optional", &self.is_optional)
            .field("leftover", &self.leftover)
            .finish_non_exhaustive()
    }
}
