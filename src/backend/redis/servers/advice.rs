//! What to do about an error of a server or a connection: one sentence for whoever runs a node.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::settings::Settings;
use crate::backend::network_advice::{client_certificate_advice, network_advice};
use crate::backend::redis::wire::address::Address;

/// Where an error came up.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stage<'a> {
    /// On the way to a server, up to its greeting.
    Connecting(&'a Address),
    /// On the way to a Sentinel.
    ConnectingToSentinel(&'a Address),
    /// At a server that was connected to.
    Server(&'a Address),
    /// At whichever server a command was brought to.
    Anywhere,
}

impl<'a> Stage<'a> {
    /// Which server it was, if that is known.
    pub(super) const fn address(self) -> Option<&'a Address> {
        match self {
            Self::Connecting(address)
            | Self::ConnectingToSentinel(address)
            | Self::Server(address) => Some(address),
            Self::Anywhere => None,
        }
    }
}

const ONE_OF_A_CLUSTER: &str = "the server is one of a Cluster: write redis+cluster:// instead of redis:// (rediss+cluster:// for rediss://)";
pub(super) const A_REPLICA: &str = "the server is a replica and not a master: name its master in the URL, or the Sentinels with redis+sentinel://";

/// What is found in the text of an error, and what to do then; the first that is found counts. Each
/// release words its errors in its own way.
const TEXTS: [(&str, &str); 23] = [
    // Which servers they are.
    (
        "cluster support disabled",
        "the server is no part of a Cluster: write redis:// instead of redis+cluster:// (rediss:// for rediss+cluster://)",
    ),
    (
        "unknown command 'SENTINEL'",
        "the server is no Sentinel: name the Sentinels in the URL, or write redis:// instead of redis+sentinel://",
    ),
    (
        "unknown command 'TIME'",
        "the server has no TIME: if it is a Sentinel, write redis+sentinel:// and its service",
    ),
    (
        "unknown command 'EVAL",
        "the server runs no scripts: EVAL and EVALSHA must be neither renamed nor disabled",
    ),
    (
        "Could not find scripting engine",
        "the server runs no scripts: have Valkey load its module for Lua",
    ),
    (
        "doesn't support HELLO",
        "the server is too old: Redis 6.2 is the oldest that will do",
    ),
    // Databases.
    (
        "DB index is out of range",
        "the server has no database {database}: take a lower number in the URL, or raise `databases` of the server (`cluster-databases` in a Cluster)",
    ),
    (
        "SELECT is not allowed in cluster mode",
        "the Cluster has database 0 alone: leave /{database} out of the URL",
    ),
    (
        "No permissions to access database",
        "the user may not use database {database}: the ACL needs db={database} or alldbs",
    ),
    // Keys and channels.
    ("access a key", KEYS),
    ("access one of the keys", KEYS),
    ("access at least one of the keys", KEYS),
    ("access a channel", CHANNELS),
    ("access one of the channels", CHANNELS),
    ("publish to the channel", CHANNELS),
    // Redis up to 7 does not say which one.
    (
        "executing the script can't run this command",
        "the user may not run a command that is in the scripts: the ACL needs all that the documentation of RedisStore lists",
    ),
    (
        "command called from",
        "the server lacks a command that is in the scripts: none may be renamed or disabled",
    ),
    // Who may connect.
    (
        "without any password configured",
        "the server has no password: leave it out of the URL",
    ),
    (
        "protected mode",
        "the server is in protected mode and serves its own machine alone: give it a password, or set `protected-mode no`",
    ),
    (
        "max number of clients",
        "the server has as many clients as it takes: raise `maxclients`, or see who keeps connections open",
    ),
    // TLS.
    (
        "received corrupt message",
        "the server speaks no TLS: write redis instead of rediss in the URL",
    ),
    (
        "certificate not valid for name",
        "the server's certificate is for another name: write that one in the URL (Sentinels and Clusters have to announce it)",
    ),
    (
        "alert: HandshakeFailure",
        "the server refuses the TLS handshake: it may want a client certificate, see tls_client_certificate",
    ),
];

const KEYS: &str = "the user may not touch the keys of this store: the ACL needs ~{prefix}:*";
const CHANNELS: &str =
    "the user may not use the channels of this store: the ACL needs resetchannels &{prefix}:*";

/// What to do, if anything is known to help.
pub(super) fn advice(error: &RedisError, stage: Stage<'_>, settings: &Settings) -> Option<String> {
    // Some releases quote names with backticks.
    let text = error.to_string().replace('`', "'");
    let found = topology(error, &text, settings)
        .or_else(|| credentials(error, &text, stage))
        .map(str::to_owned)
        .or_else(|| denied_command(&text))
        .or_else(|| known_text(&text))
        .or_else(|| network_advice(&text).map(str::to_owned))
        .or_else(|| client_certificate_advice(&text).map(str::to_owned))
        .or_else(|| missing_command(&text))
        .or_else(|| connection(error, stage, settings).map(str::to_owned))?;
    let database = settings.location.database.to_string();
    let advice = found.replace("{database}", &database);
    Some(advice.replace("{prefix}", settings.keys.prefix()))
}

/// Whether the server repeats in the error what it was sent, which may be secret.
pub(super) fn repeats_arguments(error: &RedisError) -> bool {
    error.to_string().contains("with args beginning with")
}

/// A URL of one server, and a server of a Cluster.
fn topology(error: &RedisError, text: &str, settings: &Settings) -> Option<&'static str> {
    let is_one_of_a_cluster = error.kind() == ErrorKind::Server(ServerErrorKind::Moved)
        || text.contains("SELECT is not allowed in cluster mode");
    (is_one_of_a_cluster && !settings.location.is_cluster()).then_some(ONE_OF_A_CLUSTER)
}

fn credentials(error: &RedisError, text: &str, stage: Stage<'_>) -> Option<&'static str> {
    let is_at_sentinel = matches!(stage, Stage::ConnectingToSentinel(_));
    let is_refused = text.contains("WRONGPASS") || error.kind() == ErrorKind::AuthenticationFailed;
    match (is_refused, text.contains("NOAUTH"), is_at_sentinel) {
        (true, _, false) => {
            Some("the server knows no such user with this password: see both in the URL")
        }
        (true, _, true) => Some(
            "the Sentinel knows no such user with this password: see sentinel_user and sentinel_password",
        ),
        (_, true, false) => Some(
            "the server wants a password: write redis://:PASSWORD@ or redis://USER:PASSWORD@ before the host",
        ),
        (_, true, true) => Some("the Sentinel wants a password: give it sentinel_password"),
        _ => None,
    }
}

/// The command that a user may not run, by itself or in a script.
fn denied_command(text: &str) -> Option<String> {
    let name = between(text, "permissions to run the '", "'")?;
    // Redis 6 names no subcommand.
    let rules = match name {
        "cluster" => "+cluster|slots +cluster|info".to_owned(),
        "sentinel" => "+sentinel|get-master-addr-by-name".to_owned(),
        name => format!("+{name}"),
    };
    let command = name.replace('|', " ").to_uppercase();
    Some(format!(
        "the user may not run {command}: the ACL needs {rules}"
    ))
}

fn known_text(text: &str) -> Option<String> {
    let found = TEXTS.iter().find(|(known, _)| text.contains(known));
    found.map(|(_, advice)| (*advice).to_owned())
}

fn missing_command(text: &str) -> Option<String> {
    let name = between(text, "unknown command '", "'")?;
    Some(format!(
        "the server has no {name}: it must be neither renamed nor disabled"
    ))
}

/// A connection that ends, or leads nowhere, before there was a greeting.
fn connection(error: &RedisError, stage: Stage<'_>, settings: &Settings) -> Option<&'static str> {
    if matches!(stage, Stage::Server(_) | Stage::Anywhere) {
        return None;
    }
    let is_encrypted = settings.location.is_encrypted;
    // A server waits for the end of what is no command to it, and ends a connection that begins with
    // what is no TLS.
    if is_encrypted && error.is_timeout() {
        return Some(
            "the server accepts connections and does not answer: if it speaks no TLS, write redis instead of rediss in the URL",
        );
    }
    if !is_encrypted && error.is_connection_dropped() {
        return Some(
            "the server ends connections at once: if it speaks TLS, write rediss instead of redis in the URL; if not, it may have too many clients (`maxclients`) or be in protected mode",
        );
    }
    None
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::redis::servers::fault::failed;
    use crate::store::RedisStore;

    /// What servers of four releases and the TLS library say, and how the advice begins.
    const CASES: [(&str, &str); 44] = [
        (
            "ERR This instance has cluster support disabled",
            "the server is no part of a Cluster",
        ),
        (
            "ERR unknown command `SENTINEL`, with args beginning with: `get",
            "the server is no Sentinel",
        ),
        (
            "ERR unknown command 'SENTINEL', with args beginning with: 'get",
            "the server is no Sentinel",
        ),
        (
            "(Index 1, error: ResponseError: unknown command `TIME`, with args",
            "the server has no TIME: if it is a Sentinel",
        ),
        (
            "ERR unknown command 'EVALSHA', with args beginning with: '000",
            "the server runs no scripts",
        ),
        (
            "ERR unknown command 'EVAL', with args beginning with: 'return",
            "the server runs no scripts",
        ),
        (
            "ERR Could not find scripting engine 'lua'",
            "the server runs no scripts: have Valkey load",
        ),
        (
            "Redis Server doesn't support HELLO command therefore resp3 cannot be used",
            "the server is too old",
        ),
        (
            "ERR unknown command 'ZRANDMEMBER', with args",
            "the server has no ZRANDMEMBER: it must be neither",
        ),
        (
            "ERR DB index is out of range",
            "the server has no database 3: take a lower number",
        ),
        (
            "ERR SELECT is not allowed in cluster mode",
            "the Cluster has database 0 alone: leave /3 out",
        ),
        (
            "NOPERM No permissions to access database",
            "the user may not use database 3: the ACL needs db=3",
        ),
        (
            "NOPERM this user has no permissions to access one of the keys used as arguments",
            "the user may not touch the keys of this store: the ACL needs ~shop:*",
        ),
        (
            "ERR The user executing the script can't access at least one of the keys mentioned in the command arguments",
            "the user may not touch the keys",
        ),
        (
            "ERR ACL failure in script: No permissions to access a key script: on @user_script:1.",
            "the user may not touch the keys",
        ),
        (
            "NOPERM this user has no permissions to access one of the channels used as arguments",
            "the user may not use the channels of this store: the ACL needs resetchannels &shop:*",
        ),
        (
            "ERR The user executing the script can't publish to the channel mentioned in the command",
            "the user may not use the channels",
        ),
        (
            "NOPERM No permissions to access a channel",
            "the user may not use the channels",
        ),
        (
            "ERR The user executing the script can't run this command or subcommand",
            "the user may not run a command that is in the scripts",
        ),
        (
            "ERR Unknown Redis command called from script script: 7b, on @user_script:1.",
            "the server lacks a command",
        ),
        (
            "NOPERM this user has no permissions to run the 'cluster' command or its subcommand",
            "the user may not run CLUSTER: the ACL needs +cluster|slots +cluster|info",
        ),
        (
            "NOPERM this user has no permissions to run the 'sentinel' command or its subcommand",
            "the user may not run SENTINEL: the ACL needs +sentinel|get-master-addr-by-name",
        ),
        (
            "NOPERM User node has no permissions to run the 'cluster|info' command",
            "the user may not run CLUSTER INFO: the ACL needs +cluster|info",
        ),
        (
            "ERR ACL failure in script: User node has no permissions to run the 'publish' command script: on",
            "the user may not run PUBLISH: the ACL needs +publish",
        ),
        (
            "Redis server refused to switch database - Server(ResponseError): User node has no permissions to run the 'select' command",
            "the user may not run SELECT: the ACL needs +select",
        ),
        (
            "WRONGPASS invalid username-password pair or user is disabled.",
            "the server knows no such user",
        ),
        (
            "NOAUTH HELLO must be called with the client already authenticated",
            "the server wants a password",
        ),
        (
            "DENIED Redis is running in protected mode because protected mode is enabled",
            "the server is in protected mode",
        ),
        (
            "ERR max number of clients reached",
            "the server has as many clients as it takes",
        ),
        (
            "received corrupt message of type InvalidContentType",
            "the server speaks no TLS",
        ),
        (
            "invalid peer certificate: UnknownIssuer",
            "this machine does not trust the authority",
        ),
        (
            "invalid peer certificate: certificate not valid for name \"127.0.0.1\"; certificate is only",
            "the server's certificate is for another name",
        ),
        (
            "invalid peer certificate: certificate expired: verification time",
            "the server's certificate has expired",
        ),
        (
            "invalid peer certificate: certificate not valid yet: verification time",
            "the server's certificate is not valid yet",
        ),
        (
            "received fatal alert: CertificateRequired",
            "the server wants a client certificate",
        ),
        (
            "received fatal alert: HandshakeFailure",
            "the server refuses the TLS handshake",
        ),
        (
            "received fatal alert: UnknownCA",
            "the server does not accept our tls_client_certificate",
        ),
        (
            "received fatal alert: DecryptError",
            "the server does not accept our tls_client_certificate",
        ),
        (
            "failed to lookup address information: Temporary failure in name resolution",
            "no address is known for this name",
        ),
        ("Connection refused (os error 111)", "nothing listens there"),
        (
            "received fatal alert: CertificateExpired",
            "the server does not accept our tls_client_certificate",
        ),
        (
            "received fatal alert: CertificateUnknown",
            "the server does not accept our tls_client_certificate",
        ),
        (
            "received fatal alert: BadCertificate",
            "the server does not accept our tls_client_certificate",
        ),
        (
            "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
            "the server has no password",
        ),
    ];

    fn said(text: &str, url: &str) -> Option<String> {
        let store = RedisStore::builder(url).prefix("shop").build().unwrap();
        let error = RedisError::from((ErrorKind::Extension, "", text.to_owned()));
        let address = Address {
            host: "localhost".to_owned(),
            port: 6379,
        };
        let settings = &store.router.finder().settings;
        advice(&error, Stage::Connecting(&address), settings)
    }

    #[test]
    fn each_error_has_its_advice() {
        for (text, expected) in CASES {
            let said = said(text, "redis+cluster://localhost/3").unwrap_or_default();
            assert!(said.starts_with(expected), "{text}: {said}");
        }
    }

    #[test]
    fn each_row_is_the_answer_to_something() {
        let texts = CASES.map(|(text, _)| text.replace('`', "'"));
        for (known, _) in TEXTS {
            let first = |text: &String| TEXTS.iter().find(|(known, _)| text.contains(known));
            let is_first = |text| first(text).is_some_and(|(first, _)| *first == known);
            assert!(texts.iter().any(is_first), "{known}");
        }
    }

    #[test]
    fn what_passes_by_itself_needs_no_advice() {
        for text in [
            "NOSCRIPT No matching script. Please use EVAL.",
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica.",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "CLUSTERDOWN The cluster is down",
            "BUSY Redis is busy running a script.",
        ] {
            assert_eq!(said(text, "redis://localhost"), None, "{text}");
        }
    }

    #[test]
    fn what_a_server_repeats_is_not_kept() {
        let error = |text: &str| RedisError::from((ErrorKind::Extension, "", text.to_owned()));
        let repeated = "ERR unknown command 'EVALSHA', with args beginning with: 'secret'";
        assert!(repeats_arguments(&error(repeated)));
        assert!(!repeats_arguments(&error("ERR DB index is out of range")));
        // One that quotes no name has no advice, and nobody knows where it came up.
        let store = RedisStore::builder("redis://localhost").build().unwrap();
        let settings = &store.router.finder().settings;
        let error = error(&repeated.replace("'EVALSHA'", "EVALSHA"));
        assert_eq!(advice(&error, Stage::Anywhere, settings), None);
        let failed = failed(error, Stage::Anywhere, settings);
        assert!(!format!("{failed:?}").contains("secret"), "{failed:?}");
    }
}
