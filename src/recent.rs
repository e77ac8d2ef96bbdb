//! Bounded memories beside the cache of sessions.

use std::hash::{BuildHasher, Hash};
use std::time::Duration;

use moka::policy::EvictionPolicy;
use moka::sync::{Cache, CacheBuilder};

/// Keeps up to `capacity` things for `span`.
///
/// Full, it forgets the oldest: moka's usual policy would rather turn away the newest.
pub(crate) fn recent<K, V, H>(capacity: u64, span: Duration) -> Cache<K, V, H>
where
    K: Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    H: BuildHasher + Clone + Default + Send + Sync + 'static,
{
    CacheBuilder::new(capacity)
        .time_to_live(span)
        .eviction_policy(EvictionPolicy::lru())
        .build_with_hasher(H::default())
}
