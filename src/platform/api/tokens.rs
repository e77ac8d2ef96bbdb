use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::cached_token::CachedToken;
use crate::sync::Lock;

/// The tokens of a provider's apps; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Tokens(Arc<Lock<HashMap<Arc<str>, Arc<CachedToken>>>>);

impl Tokens {
    pub(crate) fn of(&self, appid: &Arc<str>) -> Arc<CachedToken> {
        let mut tokens = self.0.lock();
        Arc::clone(tokens.entry(Arc::clone(appid)).or_default())
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(..)")
    }
}
