use http::Method;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::found::{Found, Presented};
use super::{offered, parameter};
use crate::head::Head;

const BEARER: &[u8] = b"bearer";
const SKEY: HeaderName = HeaderName::from_static("x-wx-skey");

/// Where a request carries its session token.
///
/// The default is `Authorization: Bearer`. A layer may look in several places; the same token
/// twice is fine, several different ones are refused. An empty value is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSource(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Bearer,
    Header(HeaderName),
    Query(Box<str>),
    WebSocketProtocol,
}

impl TokenSource {
    /// `Authorization: Bearer <token>`, the scheme in any case (RFC 6750 §2.1, RFC 9110 §11.1).
    ///
    /// Without the scheme there is no token in it, and a client that forgets it logs in at every
    /// request. For clients that send the bare token there is `header(AUTHORIZATION)`, instead of
    /// this one.
    #[must_use]
    pub const fn bearer() -> Self {
        Self(Kind::Bearer)
    }

    /// A header that holds nothing but the token.
    #[must_use]
    pub const fn header(name: HeaderName) -> Self {
        Self(Kind::Header(name))
    }

    /// The header `X-WX-Skey`, as clients of the Wafer SDKs send it.
    #[must_use]
    pub const fn skey() -> Self {
        Self(Kind::Header(SKEY))
    }

    /// A query parameter, for clients that cannot set a header, such as WeChat's data prefetch and
    /// some WebSocket clients.
    ///
    /// It counts for GET, HEAD and CONNECT (a WebSocket over HTTP/2, RFC 8441). Its name and its
    /// value may be percent-encoded: `?token=wxs%5F…` is `?token=wxs_…`; a broken encoding is a
    /// malformed token. `+` is no space.
    ///
    /// **The parameter is the layer's**: it is removed from every request that is passed on,
    /// whatever its method, its token, and whether it is checked. Name one that no handler needs.
    ///
    /// **A layer outside of this one, a proxy and their logs have seen the URI with the token in
    /// it**, and axum's `OriginalUri` still shows it: prefer a header where there is a choice.
    pub fn query(parameter: impl Into<Box<str>>) -> Self {
        Self(Kind::Query(parameter.into()))
    }

    /// `Sec-WebSocket-Protocol: bearer, <token>`, for browsers, which can set no other header on a
    /// WebSocket: `new WebSocket(url, ["bearer", token])`.
    ///
    /// The token is the entry after `bearer`, which is in lower case. Others may stand before and
    /// after the two, such as `["chat", "bearer", token]`. Behind the layer the header holds the
    /// others and `bearer`, without the token.
    ///
    /// A browser fails the connection unless the answer names one of the protocols that it offered.
    /// If the inner service opens the WebSocket and names none, the layer names `bearer`.
    #[must_use]
    pub const fn websocket_protocol() -> Self {
        Self(Kind::WebSocketProtocol)
    }

    pub(crate) const fn is_websocket_protocol(&self) -> bool {
        matches!(self.0, Kind::WebSocketProtocol)
    }

    fn find_in<'r>(&self, request: &'r impl Head, found: &mut Found<'r>) {
        let headers = request.headers();
        match &self.0 {
            Kind::Bearer => self.find_in_values(headers.get_all(&AUTHORIZATION), found),
            Kind::Header(name) => self.find_in_values(headers.get_all(name), found),
            Kind::Query(name) => find_parameter(request, name, found),
            Kind::WebSocketProtocol => find_offered(headers, found),
        }
    }

    fn find_in_values<'r>(
        &self,
        values: impl IntoIterator<Item = &'r HeaderValue>,
        found: &mut Found<'r>,
    ) {
        let tokens = values.into_iter().filter_map(|value| self.token_in(value));
        tokens.for_each(|token| found.add(Presented::Plain(token)));
    }

    /// What stands in a value of the header that it looks into.
    #[inline]
    fn token_in<'v>(&self, value: &'v HeaderValue) -> Option<&'v [u8]> {
        let value = value.as_bytes().trim_ascii();
        match self.0 {
            Kind::Bearer => strip_bearer(value),
            _ => Some(value),
        }
    }

    /// Whether it looks into a header that holds nothing else.
    pub(crate) const fn is_header(&self) -> bool {
        matches!(self.0, Kind::Bearer | Kind::Header(_))
    }

    /// Finds the token in its header, which has one value at most, and marks that, by one look-up.
    #[inline]
    fn find_and_mark<'r>(&self, headers: &'r mut HeaderMap) -> Found<'r> {
        let value = match &self.0 {
            Kind::Bearer => headers.get_mut(&AUTHORIZATION),
            Kind::Header(name) => headers.get_mut(name),
            Kind::Query(_) | Kind::WebSocketProtocol => None,
        };
        let mut found = Found::Nothing;
        if let Some(value) = value {
            value.set_sensitive(true);
            self.find_in_values([&*value], &mut found);
        }
        found
    }

    fn mark_in(&self, headers: &mut HeaderMap) {
        match &self.0 {
            Kind::Bearer => mark_sensitive(headers, &AUTHORIZATION),
            Kind::Header(name) => mark_sensitive(headers, name),
            Kind::Query(_) | Kind::WebSocketProtocol => {}
        }
    }

    #[inline]
    fn remove_from(&self, request: &mut impl Head) {
        match &self.0 {
            Kind::Bearer | Kind::Header(_) => {}
            Kind::Query(name) => parameter::remove(request.uri_mut(), name),
            Kind::WebSocketProtocol => offered::cut_tokens(request.headers_mut()),
        }
    }
}

impl Default for TokenSource {
    fn default() -> Self {
        Self::bearer()
    }
}

/// Looks in all places.
#[inline]
pub(crate) fn find<'r>(sources: &[TokenSource], request: &'r impl Head) -> Found<'r> {
    let mut found = Found::Nothing;
    for source in sources {
        source.find_in(request, &mut found);
    }
    found
}

/// Looks in all places, and marks what stands in a header as sensitive. What stands elsewhere is
/// still there, for [`remove`].
#[inline]
pub(crate) fn find_and_mark<'r>(sources: &[TokenSource], request: &'r mut impl Head) -> Found<'r> {
    match sources {
        [source] if source.is_header() && !has_repetitions(request.headers()) => {
            source.find_and_mark(request.headers_mut())
        }
        _ => {
            mark(sources, request);
            find(sources, request)
        }
    }
}

/// Keeps the token out of what is logged behind the layer.
pub(crate) fn hide(sources: &[TokenSource], request: &mut impl Head) {
    mark(sources, request);
    remove(sources, request);
}

fn mark(sources: &[TokenSource], request: &mut impl Head) {
    for source in sources {
        source.mark_in(request.headers_mut());
    }
}

/// Takes the token out of where it cannot be marked.
#[inline]
pub(crate) fn remove(sources: &[TokenSource], request: &mut impl Head) {
    for source in sources {
        source.remove_from(request);
    }
}

#[cold]
fn find_parameter<'r>(request: &'r impl Head, name: &str, found: &mut Found<'r>) {
    if may_count_query(request.method()) {
        parameter::values(request.uri(), name).for_each(|token| found.add(token));
    }
}

#[cold]
fn find_offered<'r>(headers: &'r HeaderMap, found: &mut Found<'r>) {
    offered::tokens(headers).for_each(|token| found.add(Presented::Plain(token)));
}

/// Whether the method is one of those with which clients that cannot set a header come.
fn may_count_query(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::CONNECT)
}

/// The credentials of the Bearer scheme; `None` for other schemes.
#[inline]
fn strip_bearer(credentials: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = credentials.split_at_checked(BEARER.len())?;
    // As nearly all clients have it, at once.
    let is_bearer = scheme == b"Bearer" || scheme.eq_ignore_ascii_case(BEARER);
    let is_separate = rest.first().is_none_or(u8::is_ascii_whitespace);
    (is_bearer && is_separate).then(|| rest.trim_ascii_start())
}

/// Whether any header has more than one value.
#[inline]
fn has_repetitions(headers: &HeaderMap) -> bool {
    headers.len() > headers.keys_len()
}

fn mark_sensitive(headers: &mut HeaderMap, name: &HeaderName) {
    let Some(first) = headers.get_mut(name) else {
        return;
    };
    first.set_sensitive(true);
    if has_repetitions(headers) {
        let same = headers.iter_mut().filter(|(other, _)| *other == name);
        same.for_each(|(_, value)| value.set_sensitive(true));
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    fn one(token: &str) -> Found<'_> {
        Found::One(Presented::Plain(token.as_bytes()))
    }

    #[test]
    fn bearer_is_found_whatever_the_case_of_its_scheme() {
        for value in ["Bearer t", "bearer t", "BEARER  t", "bEaReR\tt "] {
            let request = request("GET", "/", &[("authorization", value)]);
            assert_eq!(find(&[TokenSource::bearer()], &request), one("t"));
        }
    }

    #[test]
    fn other_schemes_and_empty_values_are_no_token() {
        for value in ["", "Bearer", "Bearer ", "Basic t", "Bearert", "Bear"] {
            let request = request("GET", "/", &[("authorization", value), ("x-wx-skey", " ")]);
            let sources = [TokenSource::bearer(), TokenSource::skey()];
            assert_eq!(find(&sources, &request), Found::Nothing, "{value:?}");
        }
    }

    #[test]
    fn the_same_token_twice_is_one_and_two_are_several() {
        let sources = [TokenSource::bearer(), TokenSource::skey()];
        let of = |skey| {
            request(
                "GET",
                "/",
                &[("authorization", "Bearer a"), ("x-wx-skey", skey)],
            )
        };
        assert_eq!(find(&sources, &of("a")), one("a"));
        assert_eq!(find(&sources, &of("b")), Found::Several);
        let twice = [("x-wx-skey", "a"), ("x-wx-skey", "b")];
        assert_eq!(find(&sources, &request("GET", "/", &twice)), Found::Several);
    }

    #[test]
    fn the_query_counts_for_get_head_and_connect_and_is_removed_whatever_the_method() {
        let source = [TokenSource::query("token")];
        for (method, counts) in [
            ("GET", true),
            ("HEAD", true),
            ("CONNECT", true),
            ("POST", false),
            ("OPTIONS", false),
        ] {
            let mut request = request(method, "http://host/p?a=1&to%6ben=t", &[]);
            let expected = if counts { one("t") } else { Found::Nothing };
            assert_eq!(find(&source, &request), expected, "{method}");
            hide(&source, &mut request);
            assert_eq!(request.uri(), "http://host/p?a=1", "{method}");
        }
    }

    #[test]
    fn the_same_token_is_one_wherever_it_stands_and_however_it_is_encoded() {
        let sources = [
            TokenSource::bearer(),
            TokenSource::query("token"),
            TokenSource::websocket_protocol(),
        ];
        let of = |offered| {
            let headers = [
                ("authorization", "Bearer wxs_-"),
                ("sec-websocket-protocol", offered),
            ];
            request("GET", "/?token=wxs%5F%2D&token=wxs_%2d", &headers)
        };
        assert_eq!(find(&sources, &of("bearer, wxs_-")), one("wxs_-"));
        assert_eq!(find(&sources, &of("bearer, other")), Found::Several);
    }

    #[test]
    fn a_token_among_protocols_is_cut_out() {
        let headers = [("sec-websocket-protocol", "chat, bearer, t")];
        let mut request = request("GET", "/", &headers);
        hide(&[TokenSource::websocket_protocol()], &mut request);
        assert_eq!(request.headers()["sec-websocket-protocol"], "chat, bearer");
    }

    #[test]
    fn marking_what_is_found_finds_the_same() {
        let sources: [&[TokenSource]; 5] = [
            &[TokenSource::bearer()],
            &[TokenSource::skey()],
            &[TokenSource::query("token")],
            &[TokenSource::websocket_protocol()],
            &[TokenSource::bearer(), TokenSource::skey()],
        ];
        let (bearer, skey) = (("authorization", "Bearer a"), ("x-wx-skey", " a "));
        let offered = ("sec-websocket-protocol", "bearer, a");
        let requests: [&[(&str, &str)]; 8] = [
            &[],
            &[bearer],
            &[("authorization", "Basic a")],
            &[skey, offered],
            &[bearer, bearer],
            &[bearer, ("authorization", "Bearer b")],
            &[bearer, ("x-wx-skey", "b")],
            &[bearer, ("accept", "*/*"), ("accept", "text/html")],
        ];
        for sources in sources {
            for headers in requests {
                let mut request = request("GET", "/?token=a", headers);
                let mut hidden = request.clone();
                let expected = find(sources, &request);
                let is_same = find_and_mark(sources, &mut hidden) == expected;
                assert!(is_same, "{sources:?} {headers:?}");
                remove(sources, &mut hidden);
                hide(sources, &mut request);
                assert_eq!(hidden.uri(), request.uri());
                let marks = |request: &Request<()>| -> Vec<_> {
                    let values = request.headers().iter();
                    values
                        .map(|(name, value)| (name.clone(), value.is_sensitive()))
                        .collect()
                };
                assert_eq!(marks(&hidden), marks(&request), "{sources:?} {headers:?}");
            }
        }
    }

    #[test]
    fn token_headers_are_marked_sensitive() {
        let headers = [("x-wx-skey", "a"), ("x-wx-skey", "a"), ("x-other", "b")];
        let mut request = request("GET", "/", &headers);
        hide(&[TokenSource::skey(), TokenSource::bearer()], &mut request);
        let sensitive = request
            .headers()
            .values()
            .filter(|value| value.is_sensitive());
        assert_eq!(sensitive.count(), 2);
    }
}
