use std::fmt;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::config_error::ConfigError;

/// What `pg_stat_activity` shows unless the URL has another name.
const APPLICATION: &str = "tower-wx-session";
const DEFAULT_PORT: u16 = 5432;
/// A connection over which nothing comes any longer is found lost within this and three seconds, unless the URL
/// says otherwise: whoever waits for an answer keeps its place until then.
const LOST_AFTER: Duration = Duration::from_secs(5);
/// What tokio-postgres takes if a URL says nothing.
const TWO_HOURS: Duration = Duration::from_secs(2 * 60 * 60);

/// One server that a URL names.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) config: Config,
    /// For errors: where it is, and nothing of who connects.
    address: String,
}

impl Server {
    /// The servers of a URL, in its order.
    pub(super) fn all(setting: &'static str, url: &str) -> Result<Vec<Self>, ConfigError> {
        // A file that holds a secret often ends with a line break.
        let url = url.trim();
        if holds_stray_at(url) {
            return Err(refused(
                setting,
                "no @ but the one before the host (in a password, @ is %40)",
            ));
        }
        let parsed = with_known_sslmode(url).parse::<Config>();
        let config = parsed.map_err(|error| refused(setting, expected(&error)))?;
        let (hosts, addresses) = (config.get_hosts(), config.get_hostaddrs());
        let (count, ports) = (hosts.len().max(addresses.len()), config.get_ports().len());
        if count == 0 {
            return Err(refused(setting, "a host"));
        }
        if (!hosts.is_empty() && !addresses.is_empty() && hosts.len() != addresses.len())
            || (ports > 1 && ports != count)
        {
            return Err(refused(setting, "as many ports and hostaddrs as hosts"));
        }
        Ok((0..count).map(|n| Self::nth(&config, n)).collect())
    }

    fn nth(all: &Config, n: usize) -> Self {
        let mut config = without_hosts(all);
        let ports = all.get_ports();
        let port = ports.get(n).or_else(|| ports.first());
        let port = port.copied().unwrap_or(DEFAULT_PORT);
        config.port(port);
        let mut name = String::new();
        if let Some(address) = all.get_hostaddrs().get(n) {
            config.hostaddr(*address);
            name = address.to_string();
        }
        match all.get_hosts().get(n) {
            Some(Host::Tcp(host)) => {
                config.host(host);
                name.clone_from(host);
            }
            #[cfg(unix)]
            Some(Host::Unix(path)) => {
                config.host_path(path);
                name = path.display().to_string();
            }
            None => {}
        }
        Self {
            config,
            address: format!("{name}:{port}"),
        }
    }

    /// Encrypts connections, also where the URL leaves it to the server.
    pub(super) fn require_tls(&mut self, setting: &'static str) -> Result<(), ConfigError> {
        if self.config.get_ssl_mode() == SslMode::Disable {
            return Err(refused(
                setting,
                "sslmode=require, as there are certificates",
            ));
        }
        self.config.ssl_mode(SslMode::Require);
        Ok(())
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

/// Whether a password has an `@` as it is. The client would take what stands behind that for the host, and
/// errors name hosts.
fn holds_stray_at(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else {
        return false;
    };
    let (_, behind_user) = rest.split_once('@').unwrap_or_default();
    let (location, _) = behind_user.split_once('?').unwrap_or((behind_user, ""));
    location.contains('@')
}

/// Certificates are verified wherever there is TLS: what other clients call `verify-full`.
fn with_known_sslmode(url: &str) -> String {
    url.replace("sslmode=verify-full", "sslmode=require")
        .replace("sslmode=verify-ca", "sslmode=require")
}

/// A `Config` gives no host back, so all the rest is copied.
fn without_hosts(all: &Config) -> Config {
    let mut one = Config::new();
    one.application_name(all.get_application_name().unwrap_or(APPLICATION))
        // A name may have several addresses, and not each of them be a primary's.
        .target_session_attrs(all.get_target_session_attrs())
        .load_balance_hosts(all.get_load_balance_hosts())
        .ssl_mode(all.get_ssl_mode())
        .ssl_negotiation(all.get_ssl_negotiation())
        .channel_binding(all.get_channel_binding())
        .keepalives(all.get_keepalives())
        .keepalives_idle(match all.get_keepalives_idle() {
            TWO_HOURS => LOST_AFTER,
            idle => idle,
        })
        .keepalives_interval(all.get_keepalives_interval().unwrap_or(LOST_AFTER / 5))
        .keepalives_retries(all.get_keepalives_retries().unwrap_or(3))
        .tcp_user_timeout(*all.get_tcp_user_timeout().unwrap_or(&LOST_AFTER));
    all.get_user().map(|user| one.user(user));
    all.get_password().map(|password| one.password(password));
    all.get_dbname().map(|name| one.dbname(name));
    all.get_options().map(|options| one.options(options));
    all.get_connect_timeout()
        .map(|span| one.connect_timeout(*span));
    one
}

/// What is wrong with a URL, without anything of it.
fn expected(error: &tokio_postgres::Error) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    match cause {
        Some(cause) if cause.contains("`sslmode`") => {
            "a valid value for option `sslmode`: disable, prefer or require".to_owned()
        }
        // One of the options by name.
        Some(cause) if cause.starts_with("invalid value for option") => {
            cause.replace("invalid value for", "a valid value for")
        }
        Some(cause) if cause.starts_with("unknown option") => {
            "no options but those of tokio-postgres (tls_authorities stands for sslrootcert)"
                .to_owned()
        }
        _ => "postgres://user:password@host:port/database".to_owned(),
    }
}

fn refused(setting: &'static str, expected: impl Into<String>) -> ConfigError {
    ConfigError::hidden(setting, expected.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(url: &str) -> Vec<Server> {
        Server::all("url", url).unwrap()
    }

    fn addresses(url: &str) -> Vec<String> {
        servers(url).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_host_is_a_server() {
        let one = "postgres://user:secret@db.example/shop\n";
        assert_eq!(addresses(one), ["db.example:5432"]);
        let two = "postgresql://user@a,b:5433/shop?target_session_attrs=read-write";
        assert_eq!(addresses(two), ["a:5432", "b:5433"]);
        assert_eq!(addresses("host=a,b port=6432"), ["a:6432", "b:6432"]);
        let local = "postgres:///shop?host=/run/postgresql&port=5433";
        assert_eq!(addresses(local), ["/run/postgresql:5433"]);
        let config = &servers(one)[0].config;
        assert_eq!(config.get_user(), Some("user"));
        assert_eq!(config.get_password(), Some(&b"secret"[..]));
        assert_eq!(config.get_dbname(), Some("shop"));
        assert_eq!(config.get_application_name(), Some(APPLICATION));
    }

    #[test]
    fn everything_but_the_hosts_is_kept() {
        let url = "postgres://u:p@h/d?options=-c%20search_path%3Dshop&application_name=a\
            &sslmode=require&connect_timeout=3&tcp_user_timeout=4&keepalives=0&keepalives_idle=5\
            &keepalives_interval=6&keepalives_retries=7&channel_binding=require\
            &target_session_attrs=read-write&load_balance_hosts=random";
        let expected: Config = url.parse().unwrap();
        assert!(servers(url)[0].config == expected);
    }

    #[test]
    fn certificates_are_verified_in_full_whatever_other_clients_call_it() {
        for mode in ["require", "verify-ca", "verify-full"] {
            let url = format!("postgres://host/db?sslmode={mode}");
            let config = &servers(&url)[0].config;
            assert_eq!(config.get_ssl_mode(), SslMode::Require, "{mode}");
        }
        let mut server = servers("postgres://host/db").remove(0);
        assert_eq!(server.config.get_ssl_mode(), SslMode::Prefer);
        server.require_tls("url").unwrap();
        assert_eq!(server.config.get_ssl_mode(), SslMode::Require);
        let mut plain = servers("postgres://host/db?sslmode=disable").remove(0);
        assert!(plain.require_tls("url").is_err());
    }

    #[test]
    fn a_url_that_is_refused_is_not_shown() {
        for (url, expected) in [
            ("redis://secret@host", "postgres://user:password@host"),
            ("postgres://u:secret@host:port/db", "option `port`"),
            (
                "postgres://u:secret@h/d?sslmode=on",
                "option `sslmode`: disable",
            ),
            ("postgres://u:a@secret@h/d", "in a password, @ is %40"),
            ("postgres://u:a@secret/b@h/d", "in a password, @ is %40"),
            (
                "postgres://u:a@secret#b@h:1,i/d?sslmode=disable",
                "in a password, @ is %40",
            ),
            ("postgres://u:secret@h/d?secret=1", "tls_authorities"),
            ("postgres:///db?user=secret", "a host"),
            ("postgres://u:secret@a:1,b:2,c:3/d?port=4", "as many ports"),
        ] {
            let error = Server::all("url", url).err().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
