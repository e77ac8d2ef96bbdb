use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode_str;

use crate::backend::redis::wire::address::Address;
use crate::config_error::ConfigError;

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26_379;

/// How the servers are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Topology {
    Standalone(Address),
    Sentinel {
        sentinels: Vec<Address>,
        service: String,
    },
    Cluster(Vec<Address>),
}

/// Who we are to a server.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// What a URL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) topology: Topology,
    pub(crate) credentials: Credentials,
    pub(crate) database: u32,
    pub(crate) is_encrypted: bool,
}

/// Fails with what was expected.
type Parsed<T> = Result<T, Cow<'static, str>>;

impl Location {
    pub(crate) const fn is_cluster(&self) -> bool {
        matches!(self.topology, Topology::Cluster(_))
    }

    pub(crate) fn parse(url: &str) -> Result<Self, ConfigError> {
        Self::parse_url(url).map_err(|expected| ConfigError::url("url", expected, url))
    }

    fn parse_url(url: &str) -> Parsed<Self> {
        let (scheme, rest) = url
            .split_once("://")
            .ok_or("a URL such as redis://host:6379")?;
        let (encryption, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
        let is_known = matches!(encryption, "redis" | "rediss")
            && matches!(
                (kind, scheme.contains('+')),
                ("", false) | ("sentinel" | "cluster", _)
            );
        if !is_known {
            return Err(known_scheme(scheme));
        }
        if rest.contains(['?', '#']) {
            return Err("no query or fragment (in a password, ? is %3F and # is %23)".into());
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, hosts) = match authority.rsplit_once('@') {
            Some((credentials, hosts)) => (parse_credentials(credentials)?, hosts),
            None => (Credentials::default(), authority),
        };
        let (topology, database) = match kind {
            "sentinel" => parse_sentinel(hosts, path)?,
            "cluster" => (Topology::Cluster(parse_hosts(hosts, PORT)?), path),
            _ => (parse_standalone(hosts)?, path),
        };
        Ok(Self {
            topology,
            credentials,
            database: parse_database(database)?,
            is_encrypted: encryption == "rediss",
        })
    }
}

/// The scheme comes before all that may be secret; what is no scheme is not repeated.
fn known_scheme(scheme: &str) -> Cow<'static, str> {
    let known = "redis or rediss as the scheme, either with +sentinel or +cluster";
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    match scheme.chars().all(is_scheme) {
        true => format!("{known}, instead of {scheme:?}").into(),
        false => known.into(),
    }
}

fn parse_credentials(text: &str) -> Parsed<Credentials> {
    let (user, password) = text
        .split_once(':')
        .ok_or("user:password or :password before the @")?;
    let decode = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8();
        decoded
            .map(String::from)
            .map_err(|_| "user and password in percent-encoded UTF-8")
    };
    Ok(Credentials {
        user: (!user.is_empty()).then(|| decode(user)).transpose()?,
        password: Some(decode(password)?),
    })
}

fn parse_standalone(hosts: &str) -> Parsed<Topology> {
    let mut addresses = parse_hosts(hosts, PORT)?;
    match (addresses.pop(), addresses.is_empty()) {
        (Some(address), true) => Ok(Topology::Standalone(address)),
        _ => Err("one host, or redis+sentinel or redis+cluster as the scheme".into()),
    }
}

fn parse_sentinel<'a>(hosts: &str, path: &'a str) -> Parsed<(Topology, &'a str)> {
    let (service, database) = path.split_once('/').unwrap_or((path, ""));
    if service.is_empty() {
        return Err("a service, as in redis+sentinel://host/service".into());
    }
    let topology = Topology::Sentinel {
        sentinels: parse_hosts(hosts, SENTINEL_PORT)?,
        service: service.to_owned(),
    };
    Ok((topology, database))
}

fn parse_database(text: &str) -> Parsed<u32> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse()
        .map_err(|_| "a number as the database at the end".into())
}

fn parse_hosts(text: &str, port: u16) -> Parsed<Vec<Address>> {
    let hosts = text.split(',').zip(1..);
    hosts
        .map(|(host, position)| {
            parse_host(host, port)
                .map_err(|expected| format!("{expected} of host {position}").into())
        })
        .collect()
}

fn parse_host(text: &str, default_port: u16) -> Result<Address, &'static str> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or("a ] behind the IPv6 address")?,
        None => text.find(':').map_or((text, ""), |at| text.split_at(at)),
    };
    let port = match port.strip_prefix(':') {
        Some(port) => port
            .parse()
            .map_err(|_| "a number up to 65535 as the port")?,
        None if port.is_empty() => default_port,
        None => return Err("nothing but :port behind the IPv6 address"),
    };
    if host.is_empty() {
        return Err("a name or an IP address");
    }
    Ok(Address {
        host: host.to_owned(),
        port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> Address {
        let host = host.to_owned();
        Address { host, port }
    }

    fn parse(url: &str) -> Location {
        Location::parse(url).unwrap()
    }

    #[test]
    fn a_server_by_itself() {
        let location = parse("redis://localhost");
        assert_eq!(
            location.topology,
            Topology::Standalone(at("localhost", 6379))
        );
        assert_eq!(location.credentials, Credentials::default());
        assert_eq!((location.database, location.is_encrypted), (0, false));

        let location = parse("rediss://node:p%40ss%2F@[::1]:7000/3");
        assert_eq!(location.topology, Topology::Standalone(at("::1", 7000)));
        assert_eq!(location.credentials.user.as_deref(), Some("node"));
        assert_eq!(location.credentials.password.as_deref(), Some("p@ss/"));
        assert_eq!((location.database, location.is_encrypted), (3, true));

        let location = parse("redis://:secret@localhost/");
        assert_eq!(location.credentials.user, None);
        assert_eq!(location.credentials.password.as_deref(), Some("secret"));
    }

    #[test]
    fn sentinels_name_a_service() {
        let location = parse("rediss+sentinel://a:1,b/main/2");
        let sentinels = vec![at("a", 1), at("b", 26_379)];
        let service = "main".to_owned();
        assert_eq!(location.topology, Topology::Sentinel { sentinels, service });
        assert_eq!((location.database, location.is_encrypted), (2, true));
    }

    #[test]
    fn a_cluster_has_seeds() {
        let location = parse("redis+cluster://:pw@a,b:7001/");
        let seeds = vec![at("a", 6379), at("b", 7001)];
        assert_eq!(location.topology, Topology::Cluster(seeds));
        assert_eq!(location.database, 0);
        assert_eq!(parse("redis+cluster://a/2").database, 2);
    }

    #[test]
    fn what_is_expected_is_said_and_what_there_is_unless_it_may_be_secret() {
        let scheme = "redis or rediss as the scheme, either with +sentinel or +cluster";
        let hidden = "a value that is not shown, as it may hold credentials";
        for (url, expected, got) in [
            (
                "redis-sentinel://a/b",
                &*format!(r#"{scheme}, instead of "redis-sentinel""#),
                r#""redis-sentinel://a/b""#,
            ),
            (
                "http://host",
                &*format!(r#"{scheme}, instead of "http""#),
                r#""http://host""#,
            ),
            (
                "http://:secret@host",
                &format!(r#"{scheme}, instead of "http""#),
                hidden,
            ),
            ("user:secret://host", scheme, hidden),
            ("", "a URL such as redis://host:6379", hidden),
            (
                "redis://host/db",
                "a number as the database at the end",
                r#""redis://host/db""#,
            ),
            (
                "redis+cluster://:secret@a,b:70000",
                "a number up to 65535 as the port of host 2",
                hidden,
            ),
            // Its user forgot that a slash in a password is written %2F.
            (
                "redis://:sec/ret@host",
                "a number up to 65535 as the port of host 1",
                hidden,
            ),
            (
                "redis://",
                "a name or an IP address of host 1",
                r#""redis://""#,
            ),
        ] {
            let error = Location::parse(url).expect_err(url).to_string();
            assert_eq!(error, format!("url: expected {expected}, got {got}"));
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for url in [
            "secret",
            "http://:secret@host",
            "redis+other://:secret@host",
            "redis+://:secret@host",
            "redis://secret@host",
            "redis://:secret@",
            "redis://:secret@host:port",
            "redis://:secret@host:70000",
            "redis://:secret@[::1",
            "redis://:secret@[::1]7",
            "redis://:secret@host/db",
            "redis://:secret@a,b",
            "redis://:secret@host/0?password=secret",
            "redis://:%FFsecret@host",
            "redis+sentinel://:secret@host",
            "redis+sentinel://:secret@host/service/db",
            "redis+cluster://:secret@host/db",
        ] {
            let error = Location::parse(url).expect_err(url);
            assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        }
        let location = parse("redis://user:secret@host");
        assert!(!format!("{location:?}").contains("secret"));
    }
}
