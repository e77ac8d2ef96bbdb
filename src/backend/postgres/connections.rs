use std::sync::Arc;

use tokio_postgres::{Client, Error, Row};

use super::connection::{Parameter, Wire};
use super::fault::{failed, is_of_values, refused};
use super::pipeline::Pipeline;
use super::pool::Pool;
use super::primary::Primary;
use super::settings::Settings;
use crate::store::StoreError;
use crate::time::Timestamp;

/// Of eight connections this many are for reads, which need not wait behind writes that wait for the
/// disk.
const READS_OF_EIGHT: usize = 3;

/// All connections of a store to the primary.
pub(super) struct Connections {
    pub(super) primary: Arc<Primary>,
    pub(super) reads: Pool,
    pub(super) writes: Pool,
}

impl Connections {
    pub(super) fn new(settings: Settings, count: usize) -> Self {
        let primary = Arc::new(Primary::new(settings));
        let reads = (count * READS_OF_EIGHT / 8).max(1);
        let writes = count.saturating_sub(reads).max(1);
        Self {
            reads: Pool::new(Arc::clone(&primary), reads),
            writes: Pool::new(Arc::clone(&primary), writes),
            primary,
        }
    }

    /// A connection for a link, which goes past a pooler.
    pub(super) async fn connect_link(&self) -> Result<(Client, Wire), StoreError> {
        self.primary
            .connect(&self.primary.settings.link_servers)
            .await
    }

    /// The server's time, and the rows of a statement that only reads.
    pub(super) async fn read(
        &self,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<(Timestamp, Vec<Row>), StoreError> {
        self.reads.lease().await?.read(statement, parameters).await
    }

    /// The rows of each step of a link's probe, which goes the way of changes and waits for none of them.
    pub(super) async fn probe(&self, probe: Pipeline<'_>) -> Result<Vec<Vec<Row>>, StoreError> {
        let answers = self.writes.lease_reserved().await?.run(probe).await;
        answers.map_err(|error| failed(&error))
    }

    /// A whole transaction: the rows of each of its steps.
    pub(super) async fn write(
        &self,
        all: Pipeline<'_>,
        explain: impl Fn(&Error) -> StoreError,
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        let answers = self.writes.lease().await?.run(all).await;
        answers.map_err(|error| explain(&error))
    }

    /// The same of one statement about several sessions; no rows where one of them has values that the server
    /// cannot reckon with. Nothing was written then, and each is looked at by itself.
    pub(super) async fn write_together(
        &self,
        all: Pipeline<'_>,
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        match self.writes.lease().await?.run(all).await {
            Err(error) if is_of_values(&error) => Ok(Vec::new()),
            answers => answers.map_err(|error| refused(&error)),
        }
    }
}
