use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::{Sleep, sleep};

/// A body that can stall before its end.
///
/// It has no size hint, so that the `Content-Length` can promise more than it holds.
pub(super) struct FakeBody {
    data: Option<Bytes>,
    stall: Option<Pin<Box<Sleep>>>,
}

impl FakeBody {
    pub(super) fn whole(text: String) -> Self {
        Self {
            data: Some(text.into()),
            stall: None,
        }
    }

    /// Half of the text, and after the stall nothing more.
    pub(super) fn half(text: &str, stall: Duration) -> Self {
        Self {
            data: Some(Bytes::copy_from_slice(&text.as_bytes()[..text.len() / 2])),
            stall: Some(Box::pin(sleep(stall))),
        }
    }
}

impl Body for FakeBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if let Some(stall) = &mut self.stall {
            ready!(stall.as_mut().poll(cx));
        }
        Poll::Ready(None)
    }
}
