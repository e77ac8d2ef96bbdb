use redis::Value;

use super::reply::{bytes, items};

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
}
