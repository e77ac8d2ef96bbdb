use std::time::Duration;

use super::protobuf::Message;
use crate::rejection::RejectionKind;

const DOMAIN: &str = "tower-wx-session";

/// A message of `google.rpc` that says more of a refusal than its code does.
pub(super) struct Detail {
    pub(super) name: &'static str,
    pub(super) value: Message,
}

/// An `ErrorInfo` and, where waiting helps, a `RetryInfo`.
pub(super) fn details(
    kind: RejectionKind,
    retry_after: Option<Duration>,
) -> impl Iterator<Item = Detail> {
    let info = Detail {
        name: "google.rpc.ErrorInfo",
        value: error_info(kind),
    };
    let retry = retry_after.map(|wait| Detail {
        name: "google.rpc.RetryInfo",
        value: retry_info(wait),
    });
    [info].into_iter().chain(retry)
}

fn error_info(kind: RejectionKind) -> Message {
    let mut action = Message::default();
    action.bytes(1, b"action");
    action.bytes(2, kind.action().as_str().as_bytes());
    let mut info = Message::default();
    info.bytes(1, kind.reason().to_ascii_uppercase().as_bytes());
    info.bytes(2, DOMAIN.as_bytes());
    info.message(3, &action);
    info
}

fn retry_info(wait: Duration) -> Message {
    let mut delay = Message::default();
    delay.integer(1, wait.as_secs());
    delay.integer(2, wait.subsec_nanos().into());
    let mut info = Message::default();
    info.message(1, &delay);
    info
}
