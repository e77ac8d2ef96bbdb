//! How a change is announced to links.

use tokio_postgres::types::Type;

use super::connection::Parameter;
use super::names::Names;
use crate::backend::wire::bytes::ID_LEN;
use crate::backend::wire::message;
use crate::token::SessionId;

/// Sessions in one payload, with its version in front: servers take less than 8000 bytes.
const MOST: usize = 7998 / ID_LEN;

/// Announces within a transaction what it changes: `$1` is the channel, `$2` holds the payloads.
///
/// Links hear of it when the transaction has committed, and never if it has not. Of equal payloads
/// in one transaction the server keeps one.
pub(super) const ANNOUNCE: &str =
    "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload";

/// What [`ANNOUNCE`] announces, and where.
pub(super) struct Announcement {
    channel: String,
    payloads: Vec<String>,
}

impl Announcement {
    pub(super) fn new(names: &Names, sessions: &[SessionId]) -> Self {
        Self {
            channel: names.channel(),
            payloads: payloads(sessions),
        }
    }

    pub(super) fn parameters(&self) -> [Parameter<'_>; 2] {
        [
            (&self.channel, Type::TEXT),
            (&self.payloads, Type::TEXT_ARRAY),
        ]
    }
}

/// The payloads that name these sessions.
fn payloads(sessions: &[SessionId]) -> Vec<String> {
    sessions.chunks(MOST).map(message::text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: usize) -> Vec<SessionId> {
        let id = |n: usize| {
            let mut bytes = [0; 18];
            bytes[..8].copy_from_slice(&n.to_be_bytes());
            SessionId::from_bytes(bytes)
        };
        (0..count).map(id).collect()
    }

    #[test]
    fn payloads_name_all_sessions_within_what_servers_take() {
        for (count, expected) in [(0, 0), (1, 1), (MOST, 1), (MOST + 1, 2), (1000, 4)] {
            let ids = ids(count);
            let payloads = payloads(&ids);
            assert_eq!(payloads.len(), expected);
            assert!(payloads.iter().all(|payload| payload.len() < 8000));
            let named = payloads.iter().map(|text| message::decode(text.as_bytes()));
            assert_eq!(named.map(Option::unwrap).collect::<Vec<_>>().concat(), ids);
        }
    }
}
