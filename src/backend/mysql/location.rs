//! Where the server is, as a URL says it.

use std::borrow::Cow;

use mysql_async::{Opts, OptsBuilder, SslOpts};

use crate::config_error::ConfigError;
use crate::store::StoreError;

const FORM: &str =
    "mysql://[user[:password]@]host[:port]/database, which may end with ?ssl-mode=VERIFY_IDENTITY";

/// What a connection is opened with, and what it is called in errors.
#[derive(Clone)]
pub(super) struct Location {
    pub(super) options: Opts,
    /// Host and port.
    pub(super) address: String,
    pub(super) database: String,
}

impl Location {
    /// What is said of a server that takes too long.
    pub(super) fn no_answer(&self) -> StoreError {
        StoreError::unavailable(format!("{}: no answer in time", self.address))
    }

    pub(super) fn parse(url: &str, authorities: &[u8]) -> Result<Self, ConfigError> {
        let malformed = || ConfigError::hidden("url", FORM);
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        if holds_stray_at(base) {
            let expected = "no @ behind the host (in a password, / is %2F, # is %23 and @ is %40)";
            return Err(ConfigError::hidden("url", expected));
        }
        let parsed = Opts::from_url(&named_as_the_client_does(base)).map_err(|_| malformed())?;
        let database = parsed.db_name().filter(|name| !name.is_empty());
        let database = database.ok_or_else(malformed)?.to_owned();
        let is_encrypted = is_encrypted(query)?;
        if !is_encrypted && !authorities.is_empty() {
            let expected = "a URL with ssl-mode=VERIFY_IDENTITY";
            return Err(ConfigError::hidden("tls_authorities", expected));
        }
        let tls = is_encrypted.then(|| super::tls::options(authorities));
        Ok(Self {
            address: format!("{}:{}", parsed.ip_or_hostname(), parsed.tcp_port()),
            options: options(parsed, tls.transpose()?),
            database,
        })
    }
}

/// The protocol is one, whichever of the two servers speaks it.
fn named_as_the_client_does(base: &str) -> Cow<'_, str> {
    match base.strip_prefix("mariadb://") {
        Some(rest) => format!("mysql://{rest}").into(),
        None => base.into(),
    }
}

/// Whether a password has a `/` or a `#` as it is. What stands before that would be taken for the host, and
/// errors name hosts.
fn holds_stray_at(base: &str) -> bool {
    let (_, rest) = base.split_once("://").unwrap_or_default();
    let (_, behind_host) = rest.split_once(['/', '#']).unwrap_or_default();
    behind_host.contains('@')
}

/// Whatever asks for encryption gets it with a certificate that is checked: less would be of no use against
/// whoever can read along.
fn is_encrypted(query: &str) -> Result<bool, ConfigError> {
    let mut is_encrypted = false;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let mode = value.to_ascii_uppercase();
        is_encrypted = match (name, mode.as_str()) {
            ("ssl-mode", "DISABLED") => false,
            ("ssl-mode", "REQUIRED" | "VERIFY_CA" | "VERIFY_IDENTITY") => true,
            _ => {
                let expected = "no parameter but ssl-mode, DISABLED or VERIFY_IDENTITY";
                return Err(ConfigError::hidden("url", expected));
            }
        };
    }
    Ok(is_encrypted)
}

fn options(parsed: Opts, tls: Option<SslOpts>) -> Opts {
    OptsBuilder::from_opts(parsed)
        .ssl_opts(tls)
        // Otherwise it asks each server on this machine for its socket, and connects again over that.
        .prefer_socket(false)
        // A touch that changes nothing has found its session all the same.
        .client_found_rows(true)
        .tcp_keepalive(Some(super::connection::KEEPALIVE))
        // What a connection would ask for by itself; the longest packet is the server's matter.
        .wait_timeout(Some(super::connection::WAIT_TIMEOUT.as_secs() as usize))
        .max_allowed_packet(Some(LONGEST_PACKET))
        .stmt_cache_size(STATEMENTS)
        .into()
}

/// The longest that the protocol has.
const LONGEST_PACKET: usize = 1 << 30;
/// More than this store has.
const STATEMENTS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Location, String> {
        Location::parse(url, &[]).map_err(|error| error.to_string())
    }

    #[test]
    fn a_url_names_everything() {
        let location = parse("mysql://us%40er:p%3Ass@db.example:3307/shop").unwrap();
        assert_eq!(location.address, "db.example:3307");
        assert_eq!(location.database, "shop");
        assert_eq!(location.options.user(), Some("us@er"));
        assert_eq!(location.options.pass(), Some("p:ss"));
        assert!(location.options.ssl_opts().is_none());
        assert!(!location.options.prefer_socket());
        let mariadb = parse("mariadb://us%40er@db.example/shop").unwrap();
        assert_eq!(mariadb.options.user(), Some("us@er"));
        let short = parse("mysql://[::1]/shop").unwrap();
        assert!(short.address.ends_with(":3306"), "{}", short.address);
    }

    #[test]
    fn whatever_asks_for_encryption_gets_it_verified() {
        for mode in ["VERIFY_IDENTITY", "verify_ca", "required"] {
            let location = parse(&format!("mysql://db/shop?ssl-mode={mode}")).unwrap();
            let tls = location.options.ssl_opts().unwrap();
            assert!(!tls.accept_invalid_certs() && !tls.skip_domain_validation());
        }
        let plain = parse("mysql://db/shop?ssl-mode=disabled").unwrap();
        assert!(plain.options.ssl_opts().is_none());
    }

    #[test]
    fn what_is_malformed_is_refused_and_not_shown() {
        for url in [
            "mysql://us:secret@localhost",
            "mysql://us:secret@localhost/",
            "postgres://us:secret@localhost/shop",
            "us:secret@localhost/shop",
            "mysql://us:secret@localhost/shop?ssl-mode=PREFERRED",
            "mysql://us:secret@localhost/shop?secret=1",
            "mysql://us:a@secret/b@localhost/shop",
            "mysql://secret:1/b@localhost/shop",
            "mysql://secret:1#b@localhost/shop",
        ] {
            let error = parse(url).err().unwrap_or_default();
            assert!(error.starts_with("url: expected"), "{url}: {error}");
            assert!(!error.contains("secret"), "{url}: {error}");
        }
    }
}
