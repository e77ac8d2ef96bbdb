use std::time::SystemTime;

use super::keys::AlipayKeys;
use super::sign::signed_text;
use super::timestamp::timestamp;
use crate::platform::api::Call;

pub(super) const PATH: &str = "/gateway.do";

/// The call of `alipay.system.oauth.token` for a code.
///
/// Alipay wants what all its methods have in the query and what is this one's in the body, and the
/// signature over both. Parameters without a value are left out: its SDKs differ in whether they
/// are signed.
pub(super) fn oauth_token(appid: &str, keys: &AlipayKeys, code: &str, at: SystemTime) -> Call {
    let timestamp = timestamp(at);
    let mut query = vec![
        ("app_id", appid),
        ("method", "alipay.system.oauth.token"),
        ("charset", "utf-8"),
        ("sign_type", "RSA2"),
        ("timestamp", &timestamp),
        ("version", "1.0"),
    ];
    if let Some(serials) = keys.serials() {
        query.push(("app_cert_sn", &serials.app));
        query.push(("alipay_root_cert_sn", &serials.root));
    }
    let form = [("grant_type", "authorization_code"), ("code", code)];
    let sign = keys.sign(&signed_text(&[&query[..], &form].concat()));
    query.push(("sign", &sign));
    Call::post(PATH).query(&query).form(&form)
}
