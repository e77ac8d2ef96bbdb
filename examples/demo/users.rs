use std::sync::{Arc, Mutex, PoisonError};

use tower_wx_session::Identity;

/// Who has logged in so far.
#[derive(Clone, Default)]
pub struct Users(Arc<Mutex<Vec<Identity>>>);

impl Users {
    pub fn note(&self, user: &Identity) {
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !users.iter().any(|known| known.openid() == user.openid()) {
            users.push(user.clone());
        }
    }

    pub fn all(&self) -> Vec<Identity> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
