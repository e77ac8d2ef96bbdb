//! What is published to links: the version, then the names of the sessions that have changed, as text.

use redis::Value;

use super::bytes::{ID_LEN, session_id};
use super::reply::{bytes, items};
use crate::token::SessionId;

const VERSION: u8 = 1;

/// The message that names these sessions, as the scripts make it.
pub(crate) fn encode(names: &[Vec<u8>]) -> Vec<u8> {
    let mut message = vec![VERSION];
    message.extend(names.iter().flatten());
    message
}

/// The sessions that a message names; `None` if it cannot be understood.
pub(crate) fn decode(message: &[u8]) -> Option<Vec<SessionId>> {
    let (version, ids) = message.split_first()?;
    let ids = ids.chunks(ID_LEN).map(session_id);
    ids.collect::<Option<Vec<_>>>()
        .filter(|ids| *version == VERSION && !ids.is_empty())
}

/// What comes on a RESP2 connection that has subscribed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard<'a> {
    /// One more of the channels.
    Subscribed,
    Message {
        channel: &'a [u8],
        text: &'a [u8],
    },
}

/// `None` if it cannot be understood, or is the end of a subscription.
pub(crate) fn heard(value: &Value) -> Option<Heard<'_>> {
    let [kind, channel, rest] = items(value).ok()? else {
        return None;
    };
    match (bytes(kind)?, bytes(channel)?) {
        (b"subscribe", _) => Some(Heard::Subscribed),
        (b"message", channel) => {
            let text = bytes(rest)?;
            Some(Heard::Message { channel, text })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscriber_hears_messages_and_that_it_has_subscribed() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let said = |kind: &str, rest| Value::Array(vec![text(kind), text("here"), rest]);
        let message = text("x");
        let heard_message = Some(Heard::Message {
            channel: b"here",
            text: b"x",
        });
        assert_eq!(heard(&said("message", message.clone())), heard_message);
        let subscribed = said("subscribe", Value::Int(1));
        assert_eq!(heard(&subscribed), Some(Heard::Subscribed));
        let wrong = [
            said("unsubscribe", Value::Int(0)),
            said("message", Value::Int(1)),
            Value::Array(vec![text("message"), text("here")]),
            Value::Nil,
            message,
        ];
        for value in wrong {
            assert_eq!(heard(&value), None, "{value:?}");
        }
    }

    #[test]
    fn a_message_names_sessions() {
        let id = SessionId::from_bytes([7; 18]);
        let one = format!("\u{1}{id}");
        assert_eq!(decode(one.as_bytes()), Some(vec![id]));
        let two = format!("{one}{id}");
        assert_eq!(decode(two.as_bytes()), Some(vec![id, id]));
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
