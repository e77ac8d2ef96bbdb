use std::any::{Any, TypeId};
use std::error::Error;
use std::fmt;

use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;
use http_body::Body;
use http_body_util::Limited;
use http_body_util::combinators::{BoxBody, UnsyncBoxBody};

use crate::drain::{Drain, announce_close};

type BoxError = Box<dyn Error + Send + Sync>;
/// Reads on if the slot is an `Option<B>` of one type of body; see [`Drain::read_on`].
type DrainIf = fn(&mut dyn Any, Drain, &Parts) -> Option<bool>;

/// What becomes of the bodies of refused requests.
///
/// The layer takes bodies of any type, also such as are no [`Body`], so those that a server reads
/// from a connection are recognised by their type.
#[derive(Clone, Default)]
pub(super) struct Leftover {
    pub(super) drain: Drain,
    registered: Vec<DrainIf>,
}

impl Leftover {
    pub(super) fn register<B>(&mut self)
    where
        B: Body + Send + 'static,
    {
        self.registered.push(drain_if::<B>);
    }

    /// Leaves the body of a refused request to be read on, or says in the answer that the
    /// connection ends.
    pub(super) fn leave<B: 'static>(&self, head: &Parts, body: B, answer: &mut HeaderMap) {
        if size_of::<B>() == 0 {
            // Such as `()`: no connection is behind it.
            return;
        }
        let mut slot = Some(body);
        let is_read = self.read_on_known(&mut slot, head);
        let is_read = is_read.or_else(|| self.read_on_registered(&mut slot, head));
        if is_read != Some(true) {
            announce_close(head, answer);
        }
    }

    /// The types are compared by the compiler: for another body nothing is left of this.
    #[inline]
    fn read_on_known<B: 'static>(&self, slot: &mut Option<B>, head: &Parts) -> Option<bool> {
        macro_rules! known {
            ($($(#[$condition:meta])* $body:ty,)*) => {$(
                $(#[$condition])*
                if TypeId::of::<B>() == TypeId::of::<$body>() {
                    return drain_if::<$body>(slot, self.drain, head);
                }
                $(#[$condition])*
                if TypeId::of::<B>() == TypeId::of::<Limited<$body>>() {
                    return drain_if::<Limited<$body>>(slot, self.drain, head);
                }
            )*};
        }
        known! {
            #[cfg(feature = "axum")]
            axum_core::body::Body,
            #[cfg(feature = "hyper")]
            hyper::body::Incoming,
            #[cfg(feature = "hyper")]
            BoxBody<Bytes, hyper::Error>,
            #[cfg(feature = "hyper")]
            UnsyncBoxBody<Bytes, hyper::Error>,
            BoxBody<Bytes, BoxError>,
            UnsyncBoxBody<Bytes, BoxError>,
        }
        None
    }

    fn read_on_registered(&self, slot: &mut dyn Any, head: &Parts) -> Option<bool> {
        let mut registered = self.registered.iter();
        registered.find_map(|drain_if| drain_if(slot, self.drain, head))
    }
}

fn drain_if<B>(slot: &mut dyn Any, drain: Drain, head: &Parts) -> Option<bool>
where
    B: Body + Send + 'static,
{
    let body = slot.downcast_mut::<Option<B>>()?.take()?;
    Some(drain.read_on(head, body))
}

impl fmt::Debug for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.drain.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use http_body_util::{BodyExt, Full};

    use super::*;

    fn is_known<B: 'static>(body: B) -> bool {
        let head = Request::new(()).into_parts().0;
        let leftover = Leftover::default();
        leftover.read_on_known(&mut Some(body), &head).is_some()
    }

    #[tokio::test]
    async fn bodies_of_servers_are_known_by_their_type() {
        let body = || Full::new(Bytes::from_static(b"body"));
        let boxed = || body().map_err(|never| -> BoxError { match never {} });
        assert!(is_known(boxed().boxed()));
        assert!(is_known(Limited::new(boxed().boxed_unsync(), 1)));
        #[cfg(feature = "axum")]
        assert!(is_known(Limited::new(
            axum_core::body::Body::new(body()),
            1
        )));
        #[cfg(feature = "hyper")]
        assert!(is_known(
            body()
                .map_err(|never| -> hyper::Error { match never {} })
                .boxed()
        ));
        assert!(!is_known(()));
        assert!(!is_known(body()));
    }

    #[tokio::test]
    async fn other_bodies_are_known_once_they_are_named() {
        let head = Request::new(()).into_parts().0;
        let mut leftover = Leftover::default();
        let mut body = Some(Full::new(Bytes::from_static(b"body")));
        assert_eq!(leftover.read_on_registered(&mut body, &head), None);
        leftover.register::<Full<Bytes>>();
        assert_eq!(leftover.read_on_registered(&mut body, &head), Some(true));
        assert!(body.is_none());
    }
}
