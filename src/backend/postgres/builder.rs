use std::fmt;

use tokio_postgres_rustls::MakeRustlsConnect;

use super::PostgresStore;
use super::names::Names;
use super::schema;
use super::server::Server;
use super::settings::Settings;
use crate::backend::tls::{Client, client_config};
use crate::config_error::ConfigError;

/// The names of tables and indexes may have 63 characters in all.
const LONGEST_PREFIX: usize = 32;
const CONNECTIONS: usize = 8;

/// Configures a [`PostgresStore`].
///
/// ```
/// use tower_wx_session::store::PostgresStore;
///
/// let store = PostgresStore::builder("postgres://user:password@db.example/shop?sslmode=require")
///     .prefix("shop")
///     .build()?;
/// # Ok::<_, tower_wx_session::store::PostgresConfigError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct PostgresStoreBuilder {
    url: String,
    link_url: Option<String>,
    prefix: String,
    authorities: Vec<u8>,
    client: Option<Client>,
    connections: usize,
}

impl PostgresStore {
    /// Configures a store at a URL; see the type for its forms.
    pub fn builder(url: &str) -> PostgresStoreBuilder {
        PostgresStoreBuilder {
            url: url.to_owned(),
            link_url: None,
            prefix: "wxs".to_owned(),
            authorities: Vec::new(),
            client: None,
            connections: CONNECTIONS,
        }
    }
}

impl PostgresStoreBuilder {
    /// What the names of all tables and of the channel begin with: 1 to 32 lower-case letters, digits or
    /// `_`, a letter first. Default: `wxs`.
    ///
    /// **Applications that share a database need one each**: with the same prefix each takes the
    /// tokens of the others, unless it [names its appids](crate::sessions::SessionsBuilder::appids).
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        let prefix = prefix.into();
        Self { prefix, ..self }
    }

    /// Where the link for revocations connects, past a pooler that pools transactions: the same database
    /// on the same servers. Default: the store's URL.
    pub fn link_url(self, url: impl Into<String>) -> Self {
        let link_url = Some(url.into());
        Self { link_url, ..self }
    }

    /// How many connections a store has at most, besides two for its link: at least 2. Default: 8.
    ///
    /// Three of eight are for reads. They are opened when they are needed, and stay.
    pub fn connections(self, connections: usize) -> Self {
        Self {
            connections,
            ..self
        }
    }

    /// Certificates of authorities to trust beside the system's, as PEM. Connections are encrypted then,
    /// unless the URL says `sslmode=disable`, which is an error.
    pub fn tls_authorities(self, pem: impl Into<Vec<u8>>) -> Self {
        let authorities = pem.into();
        Self {
            authorities,
            ..self
        }
    }

    /// The certificate that this client shows to servers which ask for one, with those of its intermediate
    /// authorities behind it, and its private key, both as PEM. Connections are encrypted then. Default:
    /// none.
    pub fn tls_client_certificate(
        mut self,
        certificate: impl Into<Vec<u8>>,
        key: impl Into<Vec<u8>>,
    ) -> Self {
        self.client = Some(Client {
            certificate: certificate.into(),
            key: key.into(),
        });
        self
    }

    /// The statements that make the tables, for those who apply them by themselves: by hand, or among
    /// their migrations. They do no harm where the tables are there.
    ///
    /// # Errors
    ///
    /// If the prefix is malformed.
    pub fn schema(&self) -> Result<String, ConfigError> {
        self.names().map(|names| schema::tables(&names))
    }

    /// Makes the store. It connects with the first operation, and needs no runtime before.
    ///
    /// # Errors
    ///
    /// If a URL, the prefix, a certificate or a key is malformed, if the key is that of another
    /// certificate, if there are certificates and a URL says `sslmode=disable`, or if the store is to have
    /// fewer than two connections. A server that is down is no error.
    pub fn build(self) -> Result<PostgresStore, ConfigError> {
        let names = self.names()?;
        if self.connections < 2 {
            let expected = "at least 2";
            return Err(ConfigError::new("connections", expected, &self.connections));
        }
        let servers = self.servers("url", &self.url)?;
        let link_servers = match &self.link_url {
            Some(url) => self.servers("link_url", url)?,
            None => servers.clone(),
        };
        let settings = Settings {
            servers,
            link_servers,
            tls: MakeRustlsConnect::new(client_config(&self.authorities, self.client)?),
            names,
        };
        Ok(PostgresStore::on(settings, self.connections))
    }

    fn names(&self) -> Result<Names, ConfigError> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let is_name = self.prefix.starts_with(|c: char| c.is_ascii_lowercase())
            && self.prefix.len() <= LONGEST_PREFIX
            && self.prefix.chars().all(is_plain);
        if is_name {
            return Ok(Names::new(self.prefix.clone()));
        }
        let expected = "1 to 32 lower-case letters, digits or _, a letter first";
        Err(ConfigError::new("prefix", expected, &self.prefix))
    }

    /// Who gives certificates wants them to be used.
    fn servers(&self, setting: &'static str, url: &str) -> Result<Vec<Server>, ConfigError> {
        let mut servers = Server::all(setting, url)?;
        if self.client.is_some() || !self.authorities.is_empty() {
            for server in &mut servers {
                server.require_tls(setting)?;
            }
        }
        Ok(servers)
    }
}

/// A URL may hold a password.
impl fmt::Debug for PostgresStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStoreBuilder")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}
