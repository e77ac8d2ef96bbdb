//! What is left of a request's body when it is answered without it.
//!
//! A server closes a connection on which a body is left, and whoever is still sending sees that
//! instead of the answer: nginx makes a 502 of it. So the rest is read on and thrown away.

use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::Buf;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, Method, Version};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::response::is_rpc_stream;

const TIME: Duration = Duration::from_secs(5);
const BYTES: u64 = 64 << 20;

/// How long and how many bytes are read on; `None`: not at all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drain(Option<(Duration, u64)>);

impl Drain {
    pub(crate) const OFF: Self = Self(None);

    pub(crate) const fn within(time: Duration, bytes: u64) -> Self {
        Self(Some((time, bytes)))
    }

    /// Reads on in a task of its own, so that the answer does not wait for it. Says whether the
    /// body will have been read to its end, for all that its length tells.
    ///
    /// Past the limits the body is dropped, and with that the connection ends.
    pub(crate) fn read_on<B>(self, head: &Parts, body: B) -> bool
    where
        B: Body + Send + 'static,
    {
        !waits_for_100(head) && self.read_on_begun(head, body)
    }

    /// The same for a body of which something was read already.
    fn read_on_begun<B>(self, head: &Parts, body: B) -> bool
    where
        B: Body + Send + 'static,
    {
        if body.is_end_stream() {
            return true;
        }
        let (Some((time, bytes)), Ok(runtime)) = (self.0, Handle::try_current()) else {
            return false;
        };
        if is_stream(head) {
            return false;
        }
        let fits = body.size_hint().lower() <= bytes;
        runtime.spawn(async move { timeout(time, throw_away(body, bytes)).await });
        fits
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self::within(TIME, BYTES)
    }
}

async fn throw_away(body: impl Body, bytes: u64) {
    let mut body = pin!(body);
    let mut left = bytes;
    loop {
        let length = match body.frame().await {
            Some(Ok(frame)) => frame.data_ref().map_or(0, Buf::remaining),
            Some(Err(_)) | None => return,
        };
        match left.checked_sub(length as u64) {
            Some(rest) => left = rest,
            None => return,
        }
        // The time limit is looked at only where this gives way; some bodies are always ready.
        yield_now().await;
    }
}

/// A stream has no end to wait for: it ends with the answer.
fn is_stream(head: &Parts) -> bool {
    head.method == Method::CONNECT || head.headers.contains_key(UPGRADE) || is_rpc_stream(head)
}

/// Over HTTP/1 a look at such a body has the server ask for it, and a client that got the answer
/// instead may or may not send it: where the next request begins, nobody knows.
fn waits_for_100(head: &Parts) -> bool {
    head.version < Version::HTTP_2 && head.headers.contains_key(EXPECT)
}

/// Tells the client not to send its next request on a connection that is about to end. A server
/// does not say so by itself; clients that keep connections then lose every second request.
pub(crate) fn announce_close(head: &Parts, answer: &mut HeaderMap) {
    let has_body = head.headers.contains_key(TRANSFER_ENCODING)
        || head
            .headers
            .get(CONTENT_LENGTH)
            .is_some_and(|length| length != "0");
    if head.version < Version::HTTP_2 && has_body {
        answer.insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// The body of a request, as far as it was not read yet.
pub(crate) struct Unread<B> {
    rest: Option<Pin<Box<B>>>,
    has_begun: bool,
}

impl<B: Body> Unread<B> {
    pub(crate) fn new(body: B) -> Self {
        Self {
            rest: Some(Box::pin(body)),
            has_begun: false,
        }
    }

    pub(crate) async fn frame(&mut self) -> Option<Result<Frame<B::Data>, B::Error>> {
        self.has_begun = true;
        let frame = self.rest.as_mut()?.frame().await;
        if !matches!(frame, Some(Ok(_))) {
            // A body must not be asked again after its end.
            self.rest = None;
        }
        frame
    }

    /// [`Drain::read_on`] with what is left.
    pub(crate) fn leave(self, drain: Drain, head: &Parts) -> bool
    where
        B: Send + 'static,
    {
        match self.rest {
            None => true,
            Some(rest) if self.has_begun => drain.read_on_begun(head, rest),
            Some(rest) => drain.read_on(head, rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::task::{Context, Poll};

    use bytes::Bytes;
    use http::Request;
    use http_body_util::Empty;
    use tokio::sync::oneshot;
    use tokio::time::Instant;

    use super::*;

    /// A body of `frames` frames of 10 bytes that come at once, and then of nothing: it ends if
    /// `ends`, and otherwise goes on. Dropping it tells.
    struct Frames {
        frames: usize,
        ends: bool,
        _dropped: oneshot::Sender<()>,
    }

    impl Body for Frames {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let Some(left) = self.frames.checked_sub(1) else {
                return if self.ends {
                    Poll::Ready(None)
                } else {
                    Poll::Pending
                };
            };
            self.frames = left;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; 10])))))
        }
    }

    fn frames(frames: usize, ends: bool) -> (Frames, oneshot::Receiver<()>) {
        let (_dropped, dropped) = oneshot::channel();
        let body = Frames {
            frames,
            ends,
            _dropped,
        };
        (body, dropped)
    }

    fn head(method: Method, version: Version, headers: &[(&'static str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn post() -> Parts {
        head(Method::POST, Version::HTTP_11, &[])
    }

    /// How long a body is held that is left to be read on.
    async fn held(drain: Drain, body: Frames, dropped: oneshot::Receiver<()>) -> Duration {
        let start = Instant::now();
        assert!(drain.read_on(&post(), body));
        let _ = dropped.await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_read_to_its_end() {
        let (body, dropped) = frames(1000, true);
        assert_eq!(held(Drain::default(), body, dropped).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_end_is_dropped_after_the_time() {
        let (body, dropped) = frames(1, false);
        let held = held(Drain::default(), body, dropped).await;
        assert!(held.abs_diff(TIME) < Duration::from_millis(10), "{held:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_too_long_is_dropped_where_it_is() {
        for (bytes, time) in [(1000, TIME), (999, Duration::ZERO)] {
            let (body, dropped) = frames(100, false);
            let held = held(Drain::within(TIME, bytes), body, dropped).await;
            assert!(held.abs_diff(time) < Duration::from_millis(10), "{held:?}");
        }
    }

    #[tokio::test]
    async fn a_body_that_is_always_ready_does_not_outrun_the_time() {
        let (body, dropped) = frames(usize::MAX, true);
        let limits = Drain::within(Duration::from_millis(1), u64::MAX);
        held(limits, body, dropped).await;
    }

    #[tokio::test]
    async fn nothing_is_started_for_a_body_that_has_ended_or_is_not_to_be_read() {
        let tasks = || Handle::current().metrics().num_alive_tasks();
        assert!(Drain::default().read_on(&post(), Empty::<Bytes>::new()));
        assert!(!Drain::OFF.read_on(&post(), frames(1, true).0));
        assert_eq!(tasks(), 0);
        assert!(Drain::default().read_on(&post(), frames(1, true).0));
        assert_eq!(tasks(), 1);
    }

    #[test]
    fn without_a_runtime_a_body_is_dropped() {
        let (body, mut dropped) = frames(1, true);
        assert!(!Drain::default().read_on(&post(), body));
        assert!(dropped.try_recv().is_err());
    }

    #[test]
    fn streams_are_told_from_uploads() {
        let (get, post) = (Method::GET, Method::POST);
        for (method, header, expected) in [
            (&post, ("content-type", "application/json"), false),
            (&post, ("content-type", "application/grpc"), true),
            (&post, ("content-type", "Application/GRPC+proto"), true),
            (&post, ("content-type", "application/grpc-web"), false),
            (&post, ("content-type", "application/grpc-Web-text"), false),
            (&get, ("content-type", "application/grpc"), false),
            (&post, ("content-type", "application/connect+proto"), true),
            (&post, ("connect-protocol-version", "1"), false),
            (&get, ("upgrade", "websocket"), true),
            (&Method::CONNECT, ("host", "test"), true),
        ] {
            let head = head(method.clone(), Version::HTTP_2, &[header]);
            assert_eq!(is_stream(&head), expected, "{method} {header:?}");
        }
    }

    #[test]
    fn over_http_1_a_stream_of_connect_is_an_upload() {
        let content_type = [("content-type", "application/connect+proto")];
        let head = head(Method::POST, Version::HTTP_11, &content_type);
        assert!(!is_stream(&head));
    }

    #[tokio::test]
    async fn who_waits_for_100_is_not_asked_for_a_body_unless_it_has_come() {
        let expect = [("expect", "100-continue")];
        let head = head(Method::POST, Version::HTTP_11, &expect);
        assert!(!Drain::default().read_on(&head, frames(2, true).0));
        let mut unread = Unread::new(frames(2, true).0);
        assert!(unread.frame().await.is_some());
        assert!(unread.leave(Drain::default(), &head));
    }

    #[test]
    fn a_close_is_announced_where_a_body_is_left_on_a_connection_of_http_1() {
        let (http_1, http_2) = (Version::HTTP_11, Version::HTTP_2);
        for (version, header, expected) in [
            (http_1, ("content-length", "1"), true),
            (http_1, ("transfer-encoding", "chunked"), true),
            (http_1, ("content-length", "0"), false),
            (http_1, ("host", "test"), false),
            (http_2, ("content-length", "1"), false),
        ] {
            let mut answer = HeaderMap::new();
            announce_close(&head(Method::POST, version, &[header]), &mut answer);
            assert_eq!(answer.contains_key(CONNECTION), expected, "{header:?}");
        }
    }
}
