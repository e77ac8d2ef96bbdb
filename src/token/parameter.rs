//! A parameter of a query. Its name and its value may be percent-encoded, each octet of them;
//! what is no valid encoding stands for itself.

use http::uri::{PathAndQuery, Uri};
use percent_encoding::percent_decode_str;

use super::found::Presented;

/// The values of the parameter of that name.
pub(super) fn values<'u>(uri: &'u Uri, name: &str) -> impl Iterator<Item = Presented<'u>> {
    parameters(uri)
        .filter_map(move |parameter| value_of(parameter, name))
        .map(presented)
}

pub(super) fn remove(uri: &mut Uri, name: &str) {
    let is_other = |parameter: &&str| value_of(parameter, name).is_none();
    if parameters(uri).all(|parameter| is_other(&parameter)) {
        return;
    }
    let rest: Vec<_> = parameters(uri).filter(is_other).collect();
    let path = uri.path();
    let path_and_query = if rest.is_empty() {
        PathAndQuery::try_from(path)
    } else {
        PathAndQuery::try_from(format!("{path}?{}", rest.join("&")))
    };
    // A part of a valid URI is valid; should it not be, the query goes as a whole.
    let path_and_query = path_and_query.or_else(|_| PathAndQuery::try_from(path));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = path_and_query.ok();
    *uri = Uri::from_parts(parts).unwrap_or_default();
}

fn presented(value: &str) -> Presented<'_> {
    if value.contains('%') {
        Presented::PercentEncoded(value.as_bytes())
    } else {
        Presented::Plain(value.as_bytes())
    }
}

fn parameters(uri: &Uri) -> impl Iterator<Item = &str> {
    uri.query().unwrap_or_default().split('&')
}

fn value_of<'u>(parameter: &'u str, name: &str) -> Option<&'u str> {
    let (encoded_name, value) = parameter.split_once('=')?;
    let is_named = percent_decode_str(encoded_name).eq(name.bytes());
    is_named.then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values_in(uri: &str) -> Vec<String> {
        let uri = uri.parse().unwrap();
        values(&uri, "to_ken")
            .map(|value| String::from_utf8_lossy(&value.decoded()).into_owned())
            .collect()
    }

    #[test]
    fn name_and_value_are_decoded_and_other_parameters_are_left_out() {
        let rows: [(&str, &[&str]); 8] = [
            ("/p?a=1&to_ken=t&b=2", &["t"]),
            ("/p?to%5fken=wxs%5F%2Dx", &["wxs_-x"]),
            ("/p?%74%6f%5F%6B%65%6E=%74", &["t"]),
            ("/p?to_ken=a&to%5Fken=b&to_ken=", &["a", "b", ""]),
            ("/p?to_ken=a=b", &["a=b"]),
            // `+` is no space, and what is encoded twice is decoded once.
            ("/p?to_ken=a+b&to+ken=c&to_ken=%255F", &["a+b", "%5F"]),
            ("/p?to_kens=t&xto_ken=t&to_ken&to_ken%3Dt=", &[]),
            ("/p", &[]),
        ];
        for (uri, expected) in rows {
            assert_eq!(values_in(uri), expected, "{uri}");
        }
    }

    #[test]
    fn a_broken_encoding_stands_for_itself() {
        assert_eq!(
            values_in("/?to_ken=%&to_ken=%5&to_ken=%zz%5F&to%5ken=t"),
            ["%", "%5", "%zz_"]
        );
        let uri = "/?to_ken=%FF".parse().unwrap();
        assert_eq!(values(&uri, "to_ken").next().unwrap().decoded()[..], [0xff]);
    }

    #[test]
    fn what_is_not_encoded_is_not_decoded() {
        let uri = "/?to_ken=wxs_t".parse().unwrap();
        let presented = values(&uri, "to_ken").next().unwrap();
        assert!(matches!(presented, Presented::Plain(b"wxs_t")));
    }

    #[test]
    fn the_parameter_is_removed_and_the_rest_stays() {
        let rows = [
            ("/p?to_ken=t", "/p"),
            ("/p?a=1&to_ken=t&b=%20", "/p?a=1&b=%20"),
            ("/p?to_ken=t&to%5Fken=%zz", "/p"),
            ("/p?%74o_ken=t&a=%5F", "/p?a=%5F"),
            ("/p?a=1", "/p?a=1"),
            ("http://host:1/p?to_ken=t&a=1", "http://host:1/p?a=1"),
            ("http://host?to_ken=t", "http://host/"),
            ("host:1", "host:1"),
        ];
        for (before, after) in rows {
            let mut uri = before.parse().unwrap();
            remove(&mut uri, "to_ken");
            assert_eq!(uri, after);
        }
    }
}
