use http::StatusCode;

use super::failure::Failure;
use super::fields::Fields;

/// What a platform answered: whatever the status, the body is the verdict.
pub(crate) struct Reply {
    status: StatusCode,
    body: Vec<u8>,
}

impl Reply {
    pub(super) const fn new(status: StatusCode, body: Vec<u8>) -> Self {
        Self { status, body }
    }

    /// Reads the body. A body that is not readable is described with its status: a gateway's page
    /// differs by that from the platform's own.
    pub(crate) fn read<T>(
        &self,
        parse: impl FnOnce(&[u8]) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        parse(&self.body).map_err(|failure| failure.with_status(self.status))
    }

    /// Reads a JSON object.
    pub(crate) fn read_fields<T>(
        &self,
        parse: impl FnOnce(&Fields) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.read(|body| parse(&Fields::parse(body)?))
    }
}
