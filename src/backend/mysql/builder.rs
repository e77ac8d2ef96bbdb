use std::fmt;

use super::MySqlStore;
use super::location::Location;
use super::schema;
use crate::config_error::ConfigError;

/// Longest prefix of the tables: their whole names have to stay below the 64 characters of MySQL.
const LONGEST_PREFIX: usize = 32;
const CONNECTIONS: usize = 16;
const MOST_CONNECTIONS: usize = 1000;

/// Configures a [`MySqlStore`].
///
/// ```
/// use tower_wx_session::store::MySqlStore;
///
/// let store = MySqlStore::builder("mysql://node:secret@localhost/shop").prefix("shop").build()?;
/// # Ok::<_, tower_wx_session::store::MySqlConfigError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct MySqlStoreBuilder {
    url: String,
    prefix: String,
    authorities: Vec<u8>,
    connections: usize,
}

impl MySqlStore {
    /// Configures a store at a URL; see the type for its form.
    pub fn builder(url: &str) -> MySqlStoreBuilder {
        MySqlStoreBuilder {
            url: url.to_owned(),
            prefix: "wxs".to_owned(),
            authorities: Vec::new(),
            connections: CONNECTIONS,
        }
    }
}

impl MySqlStoreBuilder {
    /// What the names of all tables begin with: 1 to 32 letters, digits or `_`. Default: `wxs`.
    ///
    /// **Applications that share a database need one each**: with the same prefix each takes the
    /// tokens of the others, unless it [names its appids](crate::sessions::SessionsBuilder::appids).
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        let prefix = prefix.into();
        Self { prefix, ..self }
    }

    /// Certificates of authorities to trust beside Mozilla's, as PEM. For `ssl-mode` only.
    pub fn tls_authorities(self, pem: impl Into<Vec<u8>>) -> Self {
        let authorities = pem.into();
        Self {
            authorities,
            ..self
        }
    }

    /// The most connections that operations have at a time, from 1 to 1000. Default: 16.
    ///
    /// The link of a node has one more, and what collects expired sessions another one for a moment. All
    /// nodes together have to stay below `max_connections` of the server, which is 151 by default.
    pub fn connections(self, connections: usize) -> Self {
        Self {
            connections,
            ..self
        }
    }

    /// The statements that make the tables, for those who apply them by themselves: by hand, or among
    /// their migrations. They do no harm where the tables are there.
    ///
    /// # Errors
    ///
    /// If the prefix is malformed.
    pub fn schema(&self) -> Result<String, ConfigError> {
        self.expect_prefix()?;
        Ok(schema::tables(&self.prefix).join(";\n\n") + ";\n")
    }

    /// Makes the store. It connects with the first operation, and needs no runtime before.
    ///
    /// # Errors
    ///
    /// If the URL, the prefix, a certificate or the number of connections is malformed, or if there are
    /// authorities and the URL has no `ssl-mode`. A server that is down is no error.
    pub fn build(self) -> Result<MySqlStore, ConfigError> {
        self.expect_prefix()?;
        if !(1..=MOST_CONNECTIONS).contains(&self.connections) {
            let expected = "1 to 1000";
            return Err(ConfigError::new("connections", expected, &self.connections));
        }
        // A file that holds a secret often ends with a line break.
        let location = Location::parse(self.url.trim(), &self.authorities)?;
        Ok(MySqlStore::at(location, &self.prefix, self.connections))
    }

    fn expect_prefix(&self) -> Result<(), ConfigError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let is_name = !self.prefix.is_empty()
            && self.prefix.len() <= LONGEST_PREFIX
            && self.prefix.chars().all(is_plain);
        if is_name {
            return Ok(());
        }
        let expected = "1 to 32 letters, digits or _";
        Err(ConfigError::new("prefix", expected, &self.prefix))
    }
}

/// The URL may hold a password.
impl fmt::Debug for MySqlStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MySqlStoreBuilder")
            .field("prefix", &self.prefix)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(builder: MySqlStoreBuilder) -> String {
        builder
            .build()
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn what_is_set_wrong_is_named() {
        let builder = || MySqlStore::builder("mysql://localhost/shop");
        assert_eq!(refusal(builder()), "");
        for prefix in ["", "a-b", "a.b", "`", &"x".repeat(33)] {
            assert!(refusal(builder().prefix(prefix)).starts_with("prefix: expected 1 to 32"));
        }
        for connections in [0, 1001] {
            let refusal = refusal(builder().connections(connections));
            assert!(refusal.starts_with("connections: expected 1 to 1000"));
        }
    }
}
