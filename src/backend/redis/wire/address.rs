use std::fmt;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Address {
    /// A server that does not know its own name leaves the host out: it is where the one is that
    /// named it.
    pub(crate) fn seen_from(self, other: &Self) -> Self {
        match self.host.is_empty() {
            true => Self {
                host: other.host.clone(),
                ..self
            },
            false => self,
        }
    }
}
