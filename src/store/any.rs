use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::{
    Feed, Insert, Inserted, Loaded, PutSessionKey, Revoke, Rotate, Rotated, SessionStore,
    StoreError,
};
use crate::identity::Identity;
use crate::session::{Record, Touch};
use crate::time::Timestamp;
use crate::token::{SessionId, TagKey};

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// For the trait that can be a trait object, for every store, and for [`AnyStore`].
macro_rules! forward_to_dyn {
    ($($method:ident($($argument:ident: $type:ty)?) -> $answer:ty;)*) => {
        /// [`SessionStore`] with boxed futures.
        trait DynStore: Send + Sync {
            $(fn $method(&self $(, $argument: $type)?) -> Answer<'_, $answer>;)*
            fn part(&self, bucket: [u8; 2]) -> u64;
            fn is_shared(&self) -> bool;
        }

        impl<S: SessionStore> DynStore for S {
            $(fn $method(&self $(, $argument: $type)?) -> Answer<'_, $answer> {
                Box::pin(SessionStore::$method(self $(, $argument)?))
            })*

            fn part(&self, bucket: [u8; 2]) -> u64 {
                SessionStore::part(self, bucket)
            }

            fn is_shared(&self) -> bool {
                SessionStore::is_shared(self)
            }
        }

        impl SessionStore for AnyStore {
            $(async fn $method(&self $(, $argument: $type)?) -> Result<$answer, StoreError> {
                self.0.$method($($argument)?).await
            })*

            fn part(&self, bucket: [u8; 2]) -> u64 {
                self.0.part(bucket)
            }

            fn is_shared(&self) -> bool {
                self.0.is_shared()
            }
        }
    };
}

for_each_operation!(forward_to_dyn);

/// Any store, chosen at run time. Costs one allocation per read or write, none per hit.
#[derive(Clone)]
pub struct AnyStore(Arc<dyn DynStore>);

impl AnyStore {
    /// Hides which store it is.
    pub fn new(store: impl SessionStore) -> Self {
        Self(Arc::new(store))
    }
}

impl fmt::Debug for AnyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyStore").finish_non_exhaustive()
    }
}
