use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::backend::redis::wire::address::Address;
use crate::store::{StoreError, StoreErrorKind};

/// Why a plain command failed. Something else under a session's key is that session's damage.
pub(crate) fn query_failed(error: RedisError) -> StoreError {
    match error.code() {
        Some("WRONGTYPE") => StoreError::new(StoreErrorKind::Corrupt).caused_by(error),
        _ => StoreError::unavailable(error),
    }
}

/// What helps against an error of the server or the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Nothing: the next operation may be luckier.
    None,
    /// Another connection, perhaps to another server.
    Reconnect,
    /// The script itself has to be sent.
    SendScript,
    /// Another server has the slot, perhaps this one.
    Moved(Option<Address>),
    /// Another server has this key of the slot already.
    Ask(Address),
    /// Two servers share the keys of a slot that moves: it is over soon.
    Wait,
}

pub(crate) fn remedy(error: &RedisError) -> Remedy {
    use ServerErrorKind::{
        Ask, BusyLoading, ClusterDown, MasterDown, Moved, NoScript, ReadOnly, TryAgain,
    };
    match error.kind() {
        ErrorKind::Server(ReadOnly | BusyLoading | ClusterDown | MasterDown) => Remedy::Reconnect,
        // Redis 6 wraps what a command within a script was refused for.
        _ if error
            .detail()
            .is_some_and(|text| text.contains("-READONLY")) =>
        {
            Remedy::Reconnect
        }
        ErrorKind::Server(NoScript) => Remedy::SendScript,
        ErrorKind::Server(Moved) => Remedy::Moved(named_server(error)),
        ErrorKind::Server(Ask) => named_server(error).map_or(Remedy::None, Remedy::Ask),
        ErrorKind::Server(TryAgain) => Remedy::Wait,
        ErrorKind::Server(_) => Remedy::None,
        // Any other code of a server says nothing about the connection.
        _ if matches!(error.code(), Some(code) if code != "NOAUTH") => Remedy::None,
        _ => Remedy::Reconnect,
    }
}

fn named_server(error: &RedisError) -> Option<Address> {
    let (host, port) = error.redirect_node()?.0.rsplit_once(':')?;
    Some(Address {
        host: host.to_owned(),
        port: port.parse().ok()?,
    })
}
