use std::fmt;

use super::RedisStore;
use super::servers::location::{Credentials, Location, Topology};
use super::servers::settings::Settings;
use super::servers::tls::Tls;
use super::wire::keys::Keys;
use crate::backend::tls::Client;
use crate::config_error::ConfigError;

const LONGEST_PREFIX: usize = 64;

/// Configures a [`RedisStore`].
///
/// ```
/// use tower_wx_session::store::RedisStore;
///
/// let store = RedisStore::builder("redis://localhost:6379/1").prefix("shop").build()?;
/// # Ok::<_, tower_wx_session::store::RedisConfigError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct RedisStoreBuilder {
    url: String,
    prefix: String,
    authorities: Vec<u8>,
    client: Option<Client>,
    sentinel: Credentials,
    announces_per_master: bool,
}

impl RedisStore {
    /// Configures a store at a URL; see the type for its forms.
    pub fn builder(url: &str) -> RedisStoreBuilder {
        RedisStoreBuilder::new(url)
    }
}

impl RedisStoreBuilder {
    fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            prefix: "wxs".to_owned(),
            authorities: Vec::new(),
            client: None,
            sentinel: Credentials::default(),
            announces_per_master: false,
        }
    }

    /// What the names of all keys and channels begin with: 1 to 64 letters, digits or `:._-`.
    /// Default: `wxs`.
    ///
    /// **Applications that share a database need one each**: with the same prefix each takes the
    /// tokens of the others, unless it [names its appids](crate::sessions::SessionsBuilder::appids).
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        let prefix = prefix.into();
        Self { prefix, ..self }
    }

    /// Certificates of authorities to trust beside the system's, as PEM. For `rediss` only.
    pub fn tls_authorities(self, pem: impl Into<Vec<u8>>) -> Self {
        let authorities = pem.into();
        Self {
            authorities,
            ..self
        }
    }

    /// The certificate that this client shows to servers and Sentinels which ask for one (`tls-auth-clients
    /// yes`), with those of its intermediate authorities behind it, and its private key, both as
    /// PEM. For `rediss` only. Default: none.
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

    /// The password of the Sentinels, which do not take that of the servers. Default: none.
    pub fn sentinel_password(mut self, password: impl Into<String>) -> Self {
        self.sentinel.password = Some(password.into()).filter(|password| !password.is_empty());
        self
    }

    /// The ACL user at the Sentinels. Default: none.
    pub fn sentinel_user(mut self, user: impl Into<String>) -> Self {
        self.sentinel.user = Some(user.into()).filter(|user| !user.is_empty());
        self
    }

    /// In a Cluster, has a change published to every node once, instead of once by each master.
    /// Default: off, because a release without this setting does not hear it.
    ///
    /// **Switch it on when all nodes run a release that has it.** Nodes that have it on and off
    /// hear each other.
    /// An ACL user needs `+cluster|myid` for it; without, changes are published as if it were off. So are
    /// those at a master that this node has known for less than 5 s, because the links of other
    /// nodes may not reach it yet. It means nothing outside of a Cluster.
    pub fn announce_per_master(self, is_on: bool) -> Self {
        Self {
            announces_per_master: is_on,
            ..self
        }
    }

    /// Makes the store. It connects with the first operation, and needs no runtime before.
    ///
    /// # Errors
    ///
    /// If the URL, the prefix, a certificate or a key is malformed, if the key is that of another
    /// certificate, or if there is a certificate and the URL is not `rediss`, or a user or password of
    /// Sentinels and the URL is not `+sentinel`. A server that is down is no error.
    pub fn build(self) -> Result<RedisStore, ConfigError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ":._-".contains(c);
        if self.prefix.is_empty()
            || self.prefix.len() > LONGEST_PREFIX
            || !self.prefix.chars().all(is_plain)
        {
            let expected = "1 to 64 letters, digits or :._-";
            return Err(ConfigError::new("prefix", expected, &self.prefix));
        }
        // A file that holds a secret often ends with a line break.
        let location = Location::parse(self.url.trim())?;
        self.expect_use_of_sentinel(&location)?;
        let tls = match location.is_encrypted {
            true => Some(Tls::new(&self.authorities, self.client)?),
            false => self.expect_no_tls().map(|()| None)?,
        };
        let keys = Keys::new(self.prefix);
        Ok(RedisStore::on(
            Settings {
                location,
                sentinel: self.sentinel,
                tls,
                keys: keys.clone(),
            },
            keys,
            self.announces_per_master,
        ))
    }

    fn expect_use_of_sentinel(&self, location: &Location) -> Result<(), ConfigError> {
        let Credentials { user, password } = &self.sentinel;
        let is_used = matches!(location.topology, Topology::Sentinel { .. });
        let expected = "a URL that begins with redis+sentinel or rediss+sentinel";
        match (user, password) {
            (_, Some(_)) if !is_used => Err(ConfigError::hidden("sentinel_password", expected)),
            (Some(_), None) if !is_used => Err(ConfigError::hidden("sentinel_user", expected)),
            _ => Ok(()),
        }
    }

    /// Fails if there is anything that only matters to encrypted connections.
    fn expect_no_tls(&self) -> Result<(), ConfigError> {
        let expected = "a URL that begins with rediss";
        match (&self.client, self.authorities.is_empty()) {
            (Some(_), _) => Err(ConfigError::hidden("tls_client_certificate", expected)),
            (None, false) => Err(ConfigError::hidden("tls_authorities", expected)),
            (None, true) => Ok(()),
        }
    }
}

/// The URL may hold a password.
impl fmt::Debug for RedisStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStoreBuilder")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}
