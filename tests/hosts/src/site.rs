//! What every host serves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tower_wx_session::store::AnyStore;
use tower_wx_session::{Session, SessionLayer};

/// The layer, and how often a handler behind it was called.
#[derive(Clone)]
pub struct Site {
    pub layer: SessionLayer<AnyStore>,
    calls: Arc<AtomicUsize>,
}

impl Site {
    pub fn new(layer: SessionLayer<AnyStore>) -> Self {
        let calls = Arc::default();
        Self { layer, calls }
    }

    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// What a handler answers: the user's openid, or `nobody`.
    pub fn greet(&self, session: Option<&Session>) -> String {
        self.calls.fetch_add(1, Ordering::SeqCst);
        session.map_or("nobody", Session::openid).to_owned()
    }
}
