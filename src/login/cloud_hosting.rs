use std::error::Error;
use std::fmt;

use http::HeaderMap;

use crate::identity::Identity;
use crate::rejection::{Rejection, RejectionKind};

const SOURCE: &str = "x-wx-source";
/// Who calls: appid, openid, unionid.
const CALLER: [&str; 3] = ["x-wx-appid", "x-wx-openid", "x-wx-unionid"];
/// Who calls from another account, which the environment is shared with.
const CALLER_FROM: [&str; 3] = ["x-wx-from-appid", "x-wx-from-openid", "x-wx-from-unionid"];

/// Takes the user of a request from the headers of WeChat Cloud Hosting (微信云托管).
///
/// WeChat puts `X-WX-OPENID` and its siblings on what a mini program sends by
/// `wx.cloud.callContainer`, so such a request needs no code:
///
/// - [`Login::with_cloud_hosting`](super::Login::with_cloud_hosting) logs in by them;
/// - [`identity`](Self::identity) is for a handler that wants no session.
///
/// # When it is safe
///
/// Only where WeChat's gateway is the one way to the service: **public access is off in the
/// console** (公网访问), and nothing else reaches the port, such as another service of the same
/// environment that passes on headers of its callers. The headers are neither secret nor signed:
/// whoever reaches the service by itself writes in them what he likes, and **is any user whose
/// openid he knows**. WeChat says that they can be trusted on calls within WeChat, that a call from
/// the public domain has none, and that `X-WX-SOURCE` tells the two apart; it does not say that the
/// gateway takes away what a caller of the public domain puts there. Never use it elsewhere, such as
/// behind your own proxy.
///
/// A request is refused without `X-WX-SOURCE`, and where a header that names the user is missing,
/// empty, repeated, or of other characters than letters, digits, `-` and `_`. What `X-WX-SOURCE` says
/// is not looked at.
///
/// # Whose headers count
///
/// | request | appid | openid | unionid |
/// |---|---|---|---|
/// | as usual | `X-WX-APPID` | `X-WX-OPENID` | `X-WX-UNIONID`, if there is one |
/// | with any `X-WX-FROM-…` of the three: the environment is shared with the caller's account (资源复用) | `X-WX-FROM-APPID` | `X-WX-FROM-OPENID` | `X-WX-FROM-UNIONID`, if there is one |
///
/// Source: "容器内变量信息" in WeChat's documents on Cloud Hosting.
///
/// ```
/// use http::HeaderMap;
/// use tower_wx_session::login::CloudHosting;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cloud = CloudHosting::dangerously_trusting_headers();
///
/// let mut headers = HeaderMap::new();
/// headers.insert("x-wx-appid", "wx4f4bc4dec97d474b".parse()?);
/// headers.insert("x-wx-openid", "oGZUI0egBJY1zhBYw2KhdUfwVJJE".parse()?);
/// assert!(cloud.identity(&headers).is_err(), "not from within WeChat");
///
/// headers.insert("x-wx-source", "wx_client".parse()?);
/// let user = cloud.identity(&headers)?;
/// assert_eq!(user.openid(), "oGZUI0egBJY1zhBYw2KhdUfwVJJE");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct CloudHosting(());

impl CloudHosting {
    /// Believes the headers: only where nothing but WeChat's gateway reaches the service.
    pub const fn dangerously_trusting_headers() -> Self {
        Self(())
    }

    /// Who sent a request. Which apps may be it is for the caller to say, where the environment is
    /// shared.
    ///
    /// # Errors
    ///
    /// The headers name no user, or not exactly one.
    pub fn identity(&self, headers: &HeaderMap) -> Result<Identity, CloudHostingError> {
        only(headers, SOURCE)?;
        let is_shared = CALLER_FROM.iter().any(|name| headers.contains_key(*name));
        let [appid, openid, unionid] = if is_shared { CALLER_FROM } else { CALLER };
        let identity = Identity::new(name(headers, appid)?, name(headers, openid)?);
        match name(headers, unionid) {
            Ok(unionid) => Ok(identity.with_unionid(unionid)),
            // An account that is bound to no Open Platform has none.
            Err(error) if error.fault == Fault::Missing => Ok(identity),
            Err(error) => Err(error),
        }
    }
}

/// The one value of a header.
fn only<'a>(headers: &'a HeaderMap, header: &'static str) -> Result<&'a [u8], CloudHostingError> {
    let mut values = headers.get_all(header).iter();
    let fault = |fault| CloudHostingError { header, fault };
    let value = values.next().ok_or(fault(Fault::Missing))?;
    if values.next().is_some() {
        return Err(fault(Fault::Repeated));
    }
    match value.as_bytes() {
        [] => Err(fault(Fault::Missing)),
        value => Ok(value),
    }
}

/// The name of a user or an app. A proxy may have joined two of them by a comma.
fn name<'a>(headers: &'a HeaderMap, header: &'static str) -> Result<&'a str, CloudHostingError> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let value = only(headers, header)?;
    let plain = value.iter().all(is_plain).then_some(value);
    let text = plain.and_then(|plain| str::from_utf8(plain).ok());
    let fault = Fault::Strange;
    text.ok_or(CloudHostingError { header, fault })
}

/// Why the headers of a request name no user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudHostingError {
    header: &'static str,
    fault: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Missing,
    Repeated,
    Strange,
}

impl fmt::Display for CloudHostingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = match self.fault {
            Fault::Missing => "missing or empty",
            Fault::Repeated => "there more than once",
            Fault::Strange => "not of letters, digits, `-` and `_`",
        };
        write!(f, "header {} is {fault}", self.header)
    }
}

impl Error for CloudHostingError {}

impl From<CloudHostingError> for Rejection {
    fn from(error: CloudHostingError) -> Self {
        Self::from(RejectionKind::BadRequest).caused_by(error)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    /// The user that these headers name, as `appid openid unionid`, or what is wrong with them.
    fn read(headers: &[(&'static str, &'static str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_static(name);
            map.append(name, HeaderValue::from_static(value));
        }
        match CloudHosting::dangerously_trusting_headers().identity(&map) {
            Ok(user) => {
                let unionid = user.unionid().unwrap_or("-");
                format!("{} {} {unionid}", user.appid(), user.openid())
            }
            Err(error) => error.to_string(),
        }
    }

    const SOURCE: (&str, &str) = ("x-wx-source", "wx_client");
    const APPID: (&str, &str) = ("x-wx-appid", "wxa");
    const OPENID: (&str, &str) = ("x-wx-openid", "o_A-1");
    const UNIONID: (&str, &str) = ("x-wx-unionid", "union");
    const FROM_APPID: (&str, &str) = ("x-wx-from-appid", "wxfrom");
    const FROM_OPENID: (&str, &str) = ("x-wx-from-openid", "ofrom");
    const FROM_UNIONID: (&str, &str) = ("x-wx-from-unionid", "ufrom");

    #[test]
    fn the_user_is_the_caller_s() {
        assert_eq!(read(&[SOURCE, APPID, OPENID]), "wxa o_A-1 -");
        let empty = ("x-wx-unionid", "");
        assert_eq!(read(&[SOURCE, APPID, OPENID, empty]), "wxa o_A-1 -");
        assert_eq!(read(&[SOURCE, APPID, OPENID, UNIONID]), "wxa o_A-1 union");
        let chain = ("x-wx-source", "wx_client,scf");
        assert_eq!(read(&[chain, APPID, OPENID]), "wxa o_A-1 -");
    }

    #[test]
    fn where_the_environment_is_shared_it_is_the_other_account_s() {
        let from = [SOURCE, APPID, FROM_APPID, FROM_OPENID];
        assert_eq!(read(&from), "wxfrom ofrom -");
        // The unionid of one account is not given to the user of another.
        let both = [SOURCE, APPID, OPENID, UNIONID, FROM_APPID, FROM_OPENID];
        assert_eq!(read(&both), "wxfrom ofrom -");
        let whole = [SOURCE, FROM_APPID, FROM_OPENID, FROM_UNIONID];
        assert_eq!(read(&whole), "wxfrom ofrom ufrom");
        for half in [FROM_APPID, FROM_OPENID, FROM_UNIONID] {
            let refused = read(&[SOURCE, APPID, OPENID, half]);
            assert!(refused.ends_with("is missing or empty"), "{refused}");
        }
    }

    #[test]
    fn what_names_not_exactly_one_user_is_refused() {
        for (headers, refused) in [
            (&[][..], "header x-wx-source is missing or empty"),
            (&[APPID, OPENID], "header x-wx-source is missing or empty"),
            (
                &[("x-wx-source", ""), APPID, OPENID],
                "header x-wx-source is missing or empty",
            ),
            (
                &[SOURCE, SOURCE, APPID, OPENID],
                "header x-wx-source is there more than once",
            ),
            (&[SOURCE, OPENID], "header x-wx-appid is missing or empty"),
            (&[SOURCE, APPID], "header x-wx-openid is missing or empty"),
            (
                &[SOURCE, APPID, ("x-wx-openid", "")],
                "header x-wx-openid is missing or empty",
            ),
            (
                &[SOURCE, APPID, OPENID, ("x-wx-openid", "other")],
                "header x-wx-openid is there more than once",
            ),
            (
                &[SOURCE, APPID, OPENID, ("x-wx-openid", "")],
                "header x-wx-openid is there more than once",
            ),
            (
                &[SOURCE, APPID, APPID, OPENID],
                "header x-wx-appid is there more than once",
            ),
            (
                &[SOURCE, APPID, ("x-wx-openid", "one,two")],
                "header x-wx-openid is not of letters, digits, `-` and `_`",
            ),
            (
                &[SOURCE, ("x-wx-appid", "qq:1109"), OPENID],
                "header x-wx-appid is not of letters, digits, `-` and `_`",
            ),
            (
                &[SOURCE, APPID, OPENID, UNIONID, UNIONID],
                "header x-wx-unionid is there more than once",
            ),
        ] {
            assert_eq!(read(headers), refused);
        }
    }
}
