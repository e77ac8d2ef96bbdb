use std::error::Error;
use std::fmt;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::advice::{Stage, advice, repeats_arguments};
use super::settings::Settings;
use crate::backend::redis::wire::address::Address;
use crate::store::{StoreError, StoreErrorKind};

/// An error of a server or a connection, where it came up, and what to do about it.
#[derive(Debug)]
struct Fault {
    address: Option<Address>,
    advice: Option<String>,
    /// `None` if it may hold what is secret.
    error: Option<RedisError>,
}

/// Why the store is unavailable, with what to do about it if that is known.
pub(crate) fn failed(error: RedisError, stage: Stage<'_>, settings: &Settings) -> StoreError {
    StoreError::unavailable(cause(error, stage, settings))
}

/// A server has refused a write, as any of its kind.
pub(crate) fn unwritten(error: RedisError, settings: &Settings) -> StoreError {
    StoreError::unwritten().caused_by(cause(error, Stage::Anywhere, settings))
}

fn cause(error: RedisError, stage: Stage<'_>, settings: &Settings) -> Box<dyn Error + Send + Sync> {
    let advice = advice(&error, stage, settings);
    let is_all = advice.is_none() && stage.address().is_none();
    if is_all && !repeats_arguments(&error) {
        // As text: what it is made of says the same again.
        return error.to_string().into();
    }
    Box::new(Fault {
        address: stage.address().cloned(),
        advice,
        error: (!repeats_arguments(&error)).then_some(error),
    })
}

/// The store is unavailable, and this is what to do about the server at an address.
pub(crate) fn misconfigured(address: &Address, advice: impl Into<String>) -> StoreError {
    StoreError::unavailable(Fault {
        address: Some(address.clone()),
        advice: Some(advice.into()),
        error: None,
    })
}

/// Whether an error says what to do, other than to start a server.
pub(crate) fn gives_advice(error: &StoreError) -> bool {
    let fault = error.source().and_then(|cause| cause.downcast_ref());
    fault.is_some_and(|fault: &Fault| fault.advice.is_some() && !fault.is_refusal())
}

impl Fault {
    fn is_refusal(&self) -> bool {
        let error = self.error.as_ref();
        error.is_some_and(RedisError::is_connection_refusal)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.address, &self.advice) {
            (Some(address), Some(advice)) => write!(f, "{address}: {advice}"),
            (Some(address), None) => write!(f, "at {address}"),
            (None, advice) => f.write_str(advice.as_deref().unwrap_or("the server refuses")),
        }
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let error = self.error.as_ref()?;
        // What it is made of says the same again.
        error.source().or(Some(error))
    }
}

/// Whether the user may not run what has several keys, a proxy does not know it, or one address stands for
/// several servers, which have these keys.
pub(crate) fn refuses_several_keys(error: &RedisError) -> bool {
    matches!(error.code(), Some("CROSSSLOT" | "ERR" | "NOPERM"))
}

/// Why a plain command failed. Something else under a session's key is that session's damage.
pub(crate) fn query_failed(error: RedisError, settings: &Settings) -> StoreError {
    match error.code() {
        Some("WRONGTYPE") => StoreError::new(StoreErrorKind::Corrupt).caused_by(error),
        _ => failed(error, Stage::Anywhere, settings),
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
