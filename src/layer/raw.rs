use std::fmt::Display;

use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};

use super::session_layer::SessionLayer;
use crate::rejection::Action;
use crate::response::{ACTION, NO_STORE};
use crate::session::Session;
use crate::store::SessionStore;

impl<S: SessionStore> SessionLayer<S> {
    /// Checks a request of a host that has other types than those of `http` 1: what
    /// [`admit`](Self::admit) does, for a method, a URI and headers of any make.
    ///
    /// `None` only in [optional](Self::optional) mode and where nobody
    /// [checks](Self::with_unchecked). The host's own head still has the token in it.
    ///
    /// ```
    /// use tower_wx_session::{Identity, SessionLayer, Sessions, store::MemoryStore};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sessions = Sessions::new(MemoryStore::new());
    /// let layer = SessionLayer::new(sessions.clone());
    /// let issued = sessions.issue(Identity::new("appid", "openid")).await?;
    ///
    /// let headers = [("Authorization", format!("Bearer {}", issued.token().expose()))];
    /// let session = layer.admit_raw("GET", "/me", headers).await.unwrap();
    /// assert_eq!(session.unwrap().openid(), "openid");
    ///
    /// let refusal = layer.admit_raw("GET", "/me", [("Accept", "*/*")]).await.unwrap_err();
    /// assert_eq!(refusal.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The answer to send, in the form that the request asks for. To a head that HTTP does not
    /// know, such as a header name with a space, it is 400 without a body and without a
    /// [`Rejection`](crate::Rejection).
    #[allow(
        clippy::result_large_err,
        reason = "the refusal is what is sent, and boxing it would make hosts unbox it"
    )]
    pub async fn admit_raw<N, V>(
        &self,
        method: impl Display,
        uri: impl Display,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Option<Session>, Response<Bytes>>
    where
        N: AsRef<str>,
        V: AsRef<[u8]>,
    {
        let mut head = head(&method, &uri, headers).map_err(|_| bad_request())?;
        self.admit(&mut head).await?;
        Ok(head.extensions.remove())
    }
}

fn head<N, V>(
    method: &impl Display,
    uri: &impl Display,
    headers: impl IntoIterator<Item = (N, V)>,
) -> http::Result<Parts>
where
    N: AsRef<str>,
    V: AsRef<[u8]>,
{
    let request = Request::builder()
        .method(&*method.to_string())
        .uri(uri.to_string());
    let request = headers.into_iter().fold(request, |request, (name, value)| {
        request.header(name.as_ref(), value.as_ref())
    });
    Ok(request.body(())?.into_parts().0)
}

fn bad_request() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(ACTION, HeaderValue::from_static(Action::None.as_str()));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::Sessions;
    use crate::store::MemoryStore;

    #[tokio::test]
    async fn a_head_that_http_does_not_know_is_a_bad_request() {
        let layer = SessionLayer::new(Sessions::new(MemoryStore::new()));
        // A check would find nothing amiss with any of them.
        let layer = layer.with_unchecked(|_, _| true);
        let rows = [
            ("G T", "/", "accept", "*/*"),
            ("GET", "/ me", "accept", "*/*"),
            ("GET", "/", "a ccept", "*/*"),
            ("GET", "/", "accept", "*\n*"),
        ];
        for (method, uri, name, value) in rows {
            let answer = layer.admit_raw(method, uri, [(name, value)]).await;
            let refusal = answer.unwrap_err();
            assert_eq!(refusal.status(), 400, "{method} {uri} {name}: {value}");
            assert_eq!(refusal.headers()["x-wx-action"], "none");
        }
        let answer = layer.admit_raw("GET", "/", [("accept", "*/*")]).await;
        assert!(answer.unwrap().is_none());
    }
}
