use tokio::sync::{Mutex, MutexGuard};

/// More than there are ever connections, so that hardly two users share one.
const LOCKS: usize = 1024;

/// Has the operations on a user's sessions wait here for each other, and not with a connection each in
/// the database: many at once of one user would keep everybody else's from it.
pub(super) struct UserLocks([Mutex<()>; LOCKS]);

impl UserLocks {
    pub(super) async fn lock(&self, bucket: [u8; 2]) -> MutexGuard<'_, ()> {
        self.0[usize::from(u16::from_be_bytes(bucket)) % LOCKS]
            .lock()
            .await
    }
}

impl Default for UserLocks {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}
