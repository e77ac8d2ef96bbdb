use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderName, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Uri};

use crate::draw::Draw;

/// A client's side of the sessions: the value of one header for each.
///
/// All are of the same length, end to end, so that ten million of them fit.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    header: HeaderName,
    text: Vec<u8>,
    length: usize,
}

impl Credentials {
    /// None yet, with room for so many bytes.
    pub(crate) fn with_capacity(header: HeaderName, bytes: usize) -> Self {
        Self {
            header,
            text: Vec::with_capacity(bytes),
            length: 0,
        }
    }

    pub(crate) fn of(header: HeaderName, values: impl Iterator<Item = String>) -> Self {
        let mut all = Self::with_capacity(header, 0);
        values.for_each(|value| all.push(&value));
        all
    }

    pub(crate) fn push(&mut self, value: &str) {
        self.length = value.len();
        self.text.extend_from_slice(value.as_bytes());
        assert!(
            self.text.len().is_multiple_of(self.length),
            "all of one length"
        );
    }

    pub(crate) fn len(&self) -> usize {
        self.text.len() / self.length
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &[u8]> {
        self.text.chunks_exact(self.length)
    }

    fn get(&self, index: usize) -> HeaderValue {
        let value = &self.text[index * self.length..][..self.length];
        HeaderValue::from_bytes(value).expect("credentials are visible ASCII")
    }
}

/// What clients send with every request.
pub(crate) fn headers() -> HeaderMap {
    let headers = [
        (HOST, "api.example.com"),
        (
            USER_AGENT,
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) MicroMessenger/8.0.50",
        ),
        (ACCEPT, "*/*"),
        (CONTENT_TYPE, "application/json"),
        (HeaderName::from_static("x-request-id"), "0d8c1f9e5b7a4c62"),
    ];
    let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
    headers.into_iter().collect()
}

/// Makes the requests of clients: each has the headers that clients send, and its credentials.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    headers: HeaderMap,
    method: Method,
    uri: Uri,
    credentials: Option<Arc<Credentials>>,
    draw: Draw,
}

impl Requests {
    /// Requests of sessions drawn with equal chance, or without credentials.
    pub(crate) fn new(credentials: Option<Credentials>) -> Self {
        Self {
            headers: headers(),
            method: Method::GET,
            uri: Uri::from_static("/me"),
            credentials: credentials.map(Arc::new),
            draw: Draw::new(1),
        }
    }

    /// As a POST of this content type: gRPC is nothing else.
    pub(crate) fn with_content_type(mut self, content_type: &'static str) -> Self {
        let content_type = HeaderValue::from_static(content_type);
        self.headers.insert(CONTENT_TYPE, content_type);
        self.method = Method::POST;
        self
    }

    /// The same clients in another order.
    pub(crate) fn reseeded(&self, seed: u64) -> Self {
        Self {
            draw: Draw::new(seed),
            ..self.clone()
        }
    }

    pub(crate) fn next(&mut self) -> Request<Bytes> {
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        if let Some(credentials) = &self.credentials {
            let value = credentials.get(self.draw.below(credentials.len()));
            let header = credentials.header.clone();
            request.headers_mut().insert(header, value);
        }
        request
    }

    /// The same clients with credentials of which one letter is another.
    #[cfg(test)]
    pub(crate) fn spoilt(&self) -> Self {
        let mut spoilt = self.clone();
        if let Some(credentials) = &mut spoilt.credentials {
            let credentials = Arc::make_mut(credentials);
            for value in credentials.text.chunks_exact_mut(credentials.length) {
                let letter = &mut value[credentials.length / 2];
                *letter = if *letter == b'a' { b'b' } else { b'a' };
            }
        }
        spoilt
    }
}
