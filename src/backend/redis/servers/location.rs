use std::fmt;

use percent_encoding::percent_decode_str;

use crate::backend::redis::config_error::RedisConfigError;
use crate::backend::redis::wire::address::Address;

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

type Parsed<T> = Result<T, RedisConfigError>;

impl Location {
    /// Reads a URL. No error repeats any of it: it may hold a password.
    pub(crate) fn parse(url: &str) -> Parsed<Self> {
        let (scheme, rest) = url.split_once("://").ok_or(error("not a URL"))?;
        if rest.contains(['?', '#']) {
            return Err(error(
                "a query or fragment in the URL: set it in the builder",
            ));
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, hosts) = match authority.rsplit_once('@') {
            Some((credentials, hosts)) => (parse_credentials(credentials)?, hosts),
            None => (Credentials::default(), authority),
        };
        let (encryption, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
        let (topology, database) = match kind {
            "" if scheme.contains('+') => return Err(unknown_scheme()),
            "" => (parse_standalone(hosts)?, path),
            "sentinel" => parse_sentinel(hosts, path)?,
            "cluster" if path.is_empty() => (Topology::Cluster(parse_hosts(hosts, PORT)?), ""),
            "cluster" => return Err(error("a Cluster has no database but 0")),
            _ => return Err(unknown_scheme()),
        };
        Ok(Self {
            topology,
            credentials,
            database: parse_database(database)?,
            is_encrypted: match encryption {
                "redis" => false,
                "rediss" => true,
                _ => return Err(unknown_scheme()),
            },
        })
    }
}

const fn error(message: &'static str) -> RedisConfigError {
    RedisConfigError::new(message)
}

const fn unknown_scheme() -> RedisConfigError {
    error("unknown scheme in the URL: redis, rediss, and either with +sentinel or +cluster")
}

fn parse_credentials(text: &str) -> Parsed<Credentials> {
    let (user, password) = text
        .split_once(':')
        .ok_or(error("a user without a password in the URL"))?;
    let decode = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8();
        decoded
            .map(String::from)
            .map_err(|_| error("user or password in the URL is not UTF-8"))
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
        _ => Err(error(
            "several hosts in the URL: use redis+sentinel or redis+cluster",
        )),
    }
}

fn parse_sentinel<'a>(hosts: &str, path: &'a str) -> Parsed<(Topology, &'a str)> {
    let (service, database) = path.split_once('/').unwrap_or((path, ""));
    if service.is_empty() {
        return Err(error(
            "no service in the URL: redis+sentinel://host/service",
        ));
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
        .map_err(|_| error("the database in the URL is not a number"))
}

fn parse_hosts(text: &str, port: u16) -> Parsed<Vec<Address>> {
    text.split(',').map(|host| parse_host(host, port)).collect()
}

fn parse_host(text: &str, default_port: u16) -> Parsed<Address> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest
            .split_once(']')
            .ok_or(error("an IPv6 address in the URL does not end"))?,
        None => text.find(':').map_or((text, ""), |at| text.split_at(at)),
    };
    let port = match port.strip_prefix(':') {
        Some(port) => port
            .parse()
            .map_err(|_| error("a port in the URL is not a number"))?,
        None if port.is_empty() => default_port,
        None => return Err(error("something between host and port in the URL")),
    };
    if host.is_empty() {
        return Err(error("no host in the URL"));
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
            "redis+cluster://:secret@host/1",
        ] {
            let error = Location::parse(url).expect_err(url);
            assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        }
        let location = parse("redis://user:secret@host");
        assert!(!format!("{location:?}").contains("secret"));
    }
}
