use http::Method;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName};
use http::uri::{PathAndQuery, Uri};

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
}

impl TokenSource {
    /// `Authorization: Bearer <token>`, the scheme in any case (RFC 6750 §2.1, RFC 9110 §11.1).
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

    /// A query parameter, for GET requests only; it is removed before the request is passed on.
    ///
    /// For clients that cannot set a header, such as WeChat's data prefetch and some WebSocket
    /// clients. **A layer outside of this one, a proxy and their logs have seen the URI with the
    /// token in it**, and axum's `OriginalUri` still shows it: prefer a header where there is a
    /// choice.
    pub fn query(parameter: impl Into<Box<str>>) -> Self {
        Self(Kind::Query(parameter.into()))
    }

    fn find_in<'r>(&self, request: &'r impl Head, found: &mut Found<'r>) {
        match &self.0 {
            Kind::Bearer => values(request.headers(), &AUTHORIZATION)
                .filter_map(strip_bearer)
                .for_each(|token| found.add(token)),
            Kind::Header(name) => {
                values(request.headers(), name).for_each(|token| found.add(token));
            }
            Kind::Query(name) if request.method() == Method::GET => {
                parameters(request.uri())
                    .filter_map(|parameter| value_of(parameter, name))
                    .for_each(|token| found.add(token.as_bytes()));
            }
            Kind::Query(_) => {}
        }
    }

    fn hide_in(&self, request: &mut impl Head) {
        match &self.0 {
            Kind::Bearer => mark_sensitive(request.headers_mut(), &AUTHORIZATION),
            Kind::Header(name) => mark_sensitive(request.headers_mut(), name),
            Kind::Query(name) if request.method() == Method::GET => {
                remove_parameter(request.uri_mut(), name);
            }
            Kind::Query(_) => {}
        }
    }
}

impl Default for TokenSource {
    fn default() -> Self {
        Self::bearer()
    }
}

/// The tokens of a request, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found<'r> {
    Nothing,
    One(&'r [u8]),
    Several,
}

impl<'r> Found<'r> {
    /// Looks in all places.
    #[inline]
    pub(crate) fn find(sources: &[TokenSource], request: &'r impl Head) -> Self {
        let mut found = Self::Nothing;
        for source in sources {
            source.find_in(request, &mut found);
        }
        found
    }

    fn add(&mut self, token: &'r [u8]) {
        match *self {
            _ if token.is_empty() => {}
            Self::Nothing => *self = Self::One(token),
            Self::One(other) if other == token => {}
            Self::One(_) | Self::Several => *self = Self::Several,
        }
    }
}

/// Keeps the token out of what is logged behind the layer.
#[inline]
pub(crate) fn hide(sources: &[TokenSource], request: &mut impl Head) {
    for source in sources {
        source.hide_in(request);
    }
}

#[inline]
fn values<'r>(headers: &'r HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'r [u8]> {
    headers
        .get_all(name)
        .iter()
        .map(|value| value.as_bytes().trim_ascii())
}

/// The credentials of the Bearer scheme; `None` for other schemes.
#[inline]
fn strip_bearer(credentials: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = credentials.split_at_checked(BEARER.len())?;
    let is_bearer = scheme.eq_ignore_ascii_case(BEARER);
    let is_separate = rest.first().is_none_or(u8::is_ascii_whitespace);
    (is_bearer && is_separate).then(|| rest.trim_ascii_start())
}

#[inline]
fn mark_sensitive(headers: &mut HeaderMap, name: &HeaderName) {
    let Some(first) = headers.get_mut(name) else {
        return;
    };
    first.set_sensitive(true);
    let has_repetitions = headers.len() > headers.keys_len();
    if has_repetitions {
        let same = headers.iter_mut().filter(|(other, _)| *other == name);
        same.for_each(|(_, value)| value.set_sensitive(true));
    }
}

fn parameters(uri: &Uri) -> impl Iterator<Item = &str> {
    uri.query().unwrap_or_default().split('&')
}

fn value_of<'q>(parameter: &'q str, name: &str) -> Option<&'q str> {
    parameter.strip_prefix(name)?.strip_prefix('=')
}

fn remove_parameter(uri: &mut Uri, name: &str) {
    if !parameters(uri).any(|parameter| value_of(parameter, name).is_some()) {
        return;
    }
    let rest: Vec<_> = parameters(uri)
        .filter(|parameter| value_of(parameter, name).is_none())
        .collect();
    let path = uri.path();
    let path_and_query = if rest.is_empty() {
        PathAndQuery::try_from(path)
    } else {
        PathAndQuery::try_from(format!("{path}?{}", rest.join("&")))
    };
    let mut parts = uri.clone().into_parts();
    // A part of a valid URI is valid; should it not be, the query goes as a whole.
    parts.path_and_query = path_and_query
        .ok()
        .or_else(|| PathAndQuery::try_from("/").ok());
    *uri = Uri::from_parts(parts).unwrap_or_default();
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

    #[track_caller]
    fn finds(source: TokenSource, request: &Request<()>, token: &str) {
        let found = Found::find(&[source], request);
        assert_eq!(found, Found::One(token.as_bytes()));
    }

    #[test]
    fn bearer_is_found_whatever_the_case_of_its_scheme() {
        for value in ["Bearer t", "bearer t", "BEARER  t", "bEaReR\tt "] {
            let request = request("GET", "/", &[("authorization", value)]);
            finds(TokenSource::bearer(), &request, "t");
        }
    }

    #[test]
    fn other_schemes_and_empty_values_are_no_token() {
        for value in ["", "Bearer", "Bearer ", "Basic t", "Bearert", "Bear"] {
            let request = request("GET", "/", &[("authorization", value), ("x-wx-skey", " ")]);
            let sources = [TokenSource::bearer(), TokenSource::skey()];
            assert_eq!(Found::find(&sources, &request), Found::Nothing, "{value:?}");
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
        assert_eq!(Found::find(&sources, &of("a")), Found::One(b"a"));
        assert_eq!(Found::find(&sources, &of("b")), Found::Several);
        let twice = [("x-wx-skey", "a"), ("x-wx-skey", "b")];
        assert_eq!(
            Found::find(&sources, &request("GET", "/", &twice)),
            Found::Several
        );
    }

    #[test]
    fn the_query_counts_for_get_only() {
        let source = TokenSource::query("token");
        finds(
            source.clone(),
            &request("GET", "/p?a=1&token=t&b=2", &[]),
            "t",
        );
        let post = request("POST", "/p?token=t", &[]);
        assert_eq!(
            Found::find(std::slice::from_ref(&source), &post),
            Found::Nothing
        );
        let other = request("GET", "/p?tokens=t&xtoken=t&token", &[]);
        assert_eq!(Found::find(&[source], &other), Found::Nothing);
    }

    #[test]
    fn the_parameter_is_removed_and_the_rest_stays() {
        let rows = [
            ("/p?token=t", "/p"),
            ("/p?a=1&token=t&b=%20", "/p?a=1&b=%20"),
            ("/p?token=t&token=t", "/p"),
            ("/p?a=1", "/p?a=1"),
            ("http://host:1/p?token=t&a=1", "http://host:1/p?a=1"),
            ("http://host?token=t", "http://host/"),
        ];
        for (before, after) in rows {
            let mut request = request("GET", before, &[]);
            hide(&[TokenSource::query("token")], &mut request);
            assert_eq!(request.uri(), after);
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
