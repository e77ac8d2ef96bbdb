//! What is announced to links: the version, then the names of the sessions that have changed, as text.

use super::bytes::{ID_LEN, session_id};
use crate::token::SessionId;

const VERSION: u8 = 1;

/// The message that names these sessions, as the scripts make it.
#[cfg(any(test, feature = "redis"))]
pub(crate) fn encode(names: &[Vec<u8>]) -> Vec<u8> {
    let mut message = vec![VERSION];
    message.extend(names.iter().flatten());
    message
}

/// The message that names these sessions.
#[cfg(feature = "postgres")]
pub(crate) fn text(sessions: &[SessionId]) -> String {
    let mut message = String::from(char::from(VERSION));
    message.extend(sessions.iter().map(ToString::to_string));
    message
}

/// The sessions that a message names; `None` if it cannot be understood.
pub(crate) fn decode(message: &[u8]) -> Option<Vec<SessionId>> {
    let (version, ids) = message.split_first()?;
    let ids = ids.chunks(ID_LEN).map(session_id);
    ids.collect::<Option<Vec<_>>>()
        .filter(|ids| *version == VERSION && !ids.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_sessions() {
        let id = SessionId::from_bytes([7; 18]);
        let one = format!("\u{1}{id}");
        assert_eq!(decode(one.as_bytes()), Some(vec![id]));
        let two = format!("{one}{id}");
        assert_eq!(decode(two.as_bytes()), Some(vec![id, id]));
        #[cfg(feature = "postgres")]
        assert_eq!(text(&[id, id]), two);
        let name = id.to_string().into_bytes();
        assert_eq!(encode(&[name.clone(), name]), two.as_bytes());
    }

    #[test]
    fn nothing_is_taken_from_a_message_that_is_not_understood() {
        let id = SessionId::from_bytes([7; 18]);
        let wrong = [
            String::new(),
            "\u{1}".to_owned(),
            format!("\u{2}{id}"),
            format!("\u{1}{id}A"),
            format!("\u{1}{}", "!".repeat(ID_LEN)),
        ];
        for message in wrong {
            assert_eq!(decode(message.as_bytes()), None, "{message:?}");
        }
    }
}
