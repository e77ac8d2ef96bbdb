use std::sync::Arc;

use tokio::sync::Mutex;

use super::address::Address;
use super::connection::{Connection, Settings};
use crate::store::StoreError;

/// The connection to a server that takes over its first slot: no route leads there yet.
#[derive(Default)]
pub(super) struct Importer(Mutex<Option<Arc<Connection>>>);

impl Importer {
    /// Connects unless that was done before. All who need it wait for the one who does.
    pub(super) async fn connection(
        &self,
        settings: &Settings,
        address: &Address,
    ) -> Result<Arc<Connection>, StoreError> {
        let mut last = self.0.lock().await;
        let known = last.take();
        let is_it = |known: &Arc<Connection>| known.address() == address && known.is_usable();
        let connection = match known.filter(is_it) {
            Some(known) => known,
            None => {
                let nothing: Option<fn(_) -> Result<(), ()>> = None;
                let (connection, greeting) = Connection::open(settings, address, nothing).await?;
                greeting.expect_master()?;
                Arc::new(connection)
            }
        };
        *last = Some(Arc::clone(&connection));
        Ok(connection)
    }
}
