use std::convert::Infallible;

use redis::{PushInfo, PushKind};

use crate::backend::link::Listener;
use crate::backend::redis::wire::reply::bytes;
use crate::backend::wire::message;

/// Passes on what comes on a connection on which messages and answers come together.
pub(super) fn pass_on(
    listener: Listener,
) -> impl Fn(PushInfo) -> Result<(), Infallible> + Send + Sync + 'static {
    move |info| {
        match info.kind {
            PushKind::Message => {
                let published = info.data.last().and_then(bytes);
                listener.hear(published.and_then(message::decode));
            }
            PushKind::Subscribe => {}
            _ => listener.doubt(),
        }
        Ok(())
    }
}
