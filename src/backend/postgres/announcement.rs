//! What is announced to links: the version, then the names of the sessions that have changed, as text.

use crate::token::SessionId;

const VERSION: char = '1';
/// Characters of a session's name.
const ID_LEN: usize = 24;
/// Sessions in one payload: servers take less than 8000 bytes.
const MOST: usize = 7998 / ID_LEN;

/// Announces within a transaction what it changes: `$1` is the channel, `$2` holds the payloads.
///
/// Links hear of it when the transaction has committed, and never if it has not. Of equal payloads
/// in one transaction the server keeps one.
pub(super) const ANNOUNCE: &str = "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload";

/// The payloads that name these sessions.
pub(super) fn payloads(sessions: &[SessionId]) -> Vec<String> {
    let names = |sessions: &[SessionId]| {
        let mut payload = VERSION.to_string();
        payload.extend(sessions.iter().map(ToString::to_string));
        payload
    };
    sessions.chunks(MOST).map(names).collect()
}

/// The sessions that a payload names; `None` if it cannot be understood.
pub(super) fn decode(payload: &str) -> Option<Vec<SessionId>> {
    let names = payload.strip_prefix(VERSION)?.as_bytes().chunks(ID_LEN);
    let ids = names.map(|name| str::from_utf8(name).ok()?.parse().ok());
    let ids = ids.collect::<Option<Vec<_>>>();
    ids.filter(|ids| !ids.is_empty())
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
            let named = payloads.iter().map(|payload| decode(payload).unwrap());
            assert_eq!(named.collect::<Vec<_>>().concat(), ids);
        }
    }

    #[test]
    fn nothing_is_taken_from_a_payload_that_is_not_understood() {
        let id = SessionId::from_bytes([7; 18]);
        let wrong = [
            String::new(),
            "1".to_owned(),
            format!("2{id}"),
            format!("1{id}A"),
            format!("1{}", "!".repeat(ID_LEN)),
            format!("1{}", "é".repeat(ID_LEN)),
        ];
        for payload in wrong {
            assert_eq!(decode(&payload), None, "{payload:?}");
        }
    }
}
