use std::hash::{BuildHasher, Hash};

use moka::sync::Cache;

/// What is under a key.
///
/// moka's `get` notes a miss, too, in the queue of its reads, although LRU has no use for that. So it is
/// asked first whether there is anything, which notes nothing: most that is looked for in vain is looked
/// for several times in one check.
pub(super) fn find<K, V, H>(cache: &Cache<K, V, H>, key: &K) -> Option<V>
where
    K: Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    H: BuildHasher + Clone + Send + Sync + 'static,
{
    cache.contains_key(key).then(|| cache.get(key))?
}
