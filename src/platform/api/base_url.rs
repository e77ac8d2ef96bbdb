use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

use crate::config_error::ConfigError;

/// Where a platform answers: no query, no credentials, no slash at the end.
#[derive(Clone)]
pub(super) struct BaseUrl(Url);

impl BaseUrl {
    pub(super) fn parse(text: &str) -> Result<Self, ConfigError> {
        let url = Url::parse(text).map_err(|_| refused("a URL such as https://host", text))?;
        match expected(&url) {
            Some(expected) => Err(refused(expected, text)),
            None => Ok(Self(url)),
        }
    }

    pub(super) fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }

    pub(super) fn is_loopback(&self) -> bool {
        self.0.host_str().is_some_and(|host| {
            let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
            host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
        })
    }

    /// The URL of a path that begins with a slash.
    pub(super) fn at(&self, path: &str, query: Option<&str>) -> Url {
        let mut url = self.0.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}{path}"));
        url.set_query(query);
        url
    }
}

/// What would have to be otherwise.
fn expected(url: &Url) -> Option<&'static str> {
    if !matches!(url.scheme(), "http" | "https") {
        Some("http or https as the scheme")
    } else if url.query().is_some() || url.fragment().is_some() {
        Some("no query and no fragment")
    } else if !url.username().is_empty() || url.password().is_some() {
        Some("no user and no password")
    } else {
        None
    }
}

fn refused(expected: &'static str, text: &str) -> ConfigError {
    // Whoever forgets the scheme has no secret in what is left; see `ConfigError::url`.
    match text.contains([':', '@', '?', '#']) {
        true => ConfigError::url("base_url", expected, text),
        false => ConfigError::new("base_url", expected, &text),
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_base_url_is_refused() {
        let (url, scheme) = ("a URL such as https://host", "http or https as the scheme");
        let (query, user) = ("no query and no fragment", "no user and no password");
        let hidden = "a value that is not shown, as it may hold credentials";
        for (text, expected, got) in [
            ("", url, r#""""#),
            ("api.weixin.qq.com", url, r#""api.weixin.qq.com""#),
            ("https://", url, r#""https://""#),
            ("https://h:port", url, hidden),
            ("ftp://h", scheme, r#""ftp://h""#),
            ("ftp://u:p@h", scheme, hidden),
            ("u:p@h", scheme, hidden),
            ("https://h?a=b", query, hidden),
            ("https://h#a", query, hidden),
            ("https://u:p@h", user, hidden),
            ("https://u@h", user, hidden),
        ] {
            let error = BaseUrl::parse(text).unwrap_err().to_string();
            assert_eq!(error, format!("base_url: expected {expected}, got {got}"));
        }
    }

    #[test]
    fn loopback_is_recognised() {
        for (text, loopback) in [
            ("http://127.0.0.1:80", true),
            ("http://127.8.9.1", true),
            ("http://[::1]:80", true),
            ("http://LOCALHOST", true),
            ("http://10.0.0.1", false),
            ("https://api.weixin.qq.com", false),
        ] {
            assert_eq!(
                BaseUrl::parse(text).unwrap().is_loopback(),
                loopback,
                "{text}"
            );
        }
    }
}
