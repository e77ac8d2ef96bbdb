//! The one way to the servers of platforms: what WeChat and the others share.
#![cfg_attr(
    not(all(feature = "baidu", feature = "lark", feature = "wechat")),
    allow(dead_code, unused_imports, reason = "each platform uses its own part")
)]

mod base_url;
mod cached_token;
mod call;
mod client;
mod failure;
mod fields;
mod hosts;
mod mask;
mod reply;
mod tokens;
mod user;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;

pub(crate) use self::cached_token::{AHEAD, Ask, CachedToken, Granted};
pub(crate) use self::call::Call;
pub(crate) use self::failure::Failure;
pub(crate) use self::fields::Fields;
use self::hosts::Hosts;
pub(crate) use self::reply::Reply;
pub(crate) use self::tokens::Tokens;
pub(crate) use self::user::User;
use crate::config_error::ConfigError;
pub(crate) use crate::platform::app::{App, Apps};

/// How long a request may take, connecting and the whole answer included, unless it is set.
const TIMEOUT: Duration = Duration::from_secs(3);

/// A platform's servers, and how they are reached. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Api {
    hosts: Arc<Hosts>,
    timeout: Duration,
    client: Result<Client, Failure>,
}

impl Api {
    /// The platform at its official hosts, the usual one first.
    ///
    /// Should the HTTP client not come about, every call fails and says why.
    pub(crate) fn official(urls: &[&str]) -> Self {
        let hosts = Hosts::parse(urls).expect("the official URLs are base URLs");
        Self::new(hosts, TIMEOUT)
    }

    fn new(hosts: Hosts, timeout: Duration) -> Self {
        Self {
            client: client::build(&hosts, timeout),
            hosts: Arc::new(hosts),
            timeout,
        }
    }

    pub(crate) fn with_hosts(self, urls: &[&str]) -> Result<Self, ConfigError> {
        Ok(Self::new(Hosts::parse(urls)?, self.timeout))
    }

    pub(crate) fn with_timeout(self, timeout: Duration) -> Self {
        let client = client::build(&self.hosts, timeout);
        Self {
            client,
            timeout,
            ..self
        }
    }

    /// Sends a request, once, and reads the answer within the time-out.
    pub(crate) async fn send(&self, call: &Call) -> Result<Reply, Failure> {
        let client = self.client.as_ref().map_err(Failure::clone)?;
        let reply = client::send(client, &self.hosts, call);
        tokio::time::timeout(self.timeout, reply)
            .await
            .map_err(|_| Failure::TimedOut(self.timeout))?
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("hosts", &self.hosts)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
