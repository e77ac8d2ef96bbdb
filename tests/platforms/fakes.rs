//! What the fakes refuse, as the platforms do: tests that log in against them then prove something.

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, RequestBuilder};
use tower_wx_session::test_util::{FakeAlipay, FakeBaidu, FakeDouyin};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

async fn answer(request: RequestBuilder) -> (u16, String) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn a_body_is_read_as_what_its_content_type_says() {
    let (douyin, client) = (FakeDouyin::start().await.unwrap(), Client::new());
    let url = format!("{}/api/apps/v2/jscode2session", douyin.base_url());
    let (appid, secret) = (douyin.appid(), douyin.secret());
    let body = format!(r#"{{"appid":"{appid}","secret":"{secret}","code":"alice:1"}}"#);
    for (mime, err_no) in [("text/plain", "40014"), (FORM, "40014"), (JSON, "0")] {
        let request = client.post(&url).header(CONTENT_TYPE, mime);
        let (_, text) = answer(request.body(body.clone())).await;
        assert!(
            text.starts_with(&format!(r#"{{"err_no":{err_no},"#)),
            "{text}"
        );
    }
    let get = client.get(&url).header(CONTENT_TYPE, JSON).body(body);
    assert_eq!(answer(get).await.0, 404);

    let baidu = FakeBaidu::start().await.unwrap();
    let url = format!("{}/oauth/jscode2sessionkey", baidu.base_url());
    let (appid, secret) = (baidu.appid(), baidu.secret());
    let body = format!("client_id={appid}&sk={secret}&code=alice:1");
    for (mime, status) in [(JSON, 400), (FORM, 200)] {
        let request = client.post(&url).header(CONTENT_TYPE, mime);
        assert_eq!(answer(request.body(body.clone())).await.0, status, "{mime}");
    }
}

#[tokio::test]
async fn alipay_takes_its_own_charset_and_kind_of_signature_only() {
    let (alipay, client) = (FakeAlipay::start().await.unwrap(), Client::new());
    let good = "method=alipay.system.oauth.token&charset=utf-8&sign_type=RSA2\
                &timestamp=2024-05-06%2007:08:09&version=1.0&app_id=2021&sign=AAAA";
    for (query, error) in [
        (good.to_owned(), "isv.invalid-app-id"),
        (good.replace("RSA2", "RSA"), "isv.invalid-signature-type"),
        (good.replace("utf-8", "GBK"), "isv.invalid-charset"),
        (good.replace("oauth.token", "oauth"), "isv.invalid-method"),
        (good.replace("&version=1.0", ""), "isv.missing-version"),
    ] {
        let url = format!("{}/gateway.do?{query}", alipay.base_url());
        let request = client.post(url).header(CONTENT_TYPE, FORM);
        let body = "grant_type=authorization_code&code=alice:1";
        let (_, text) = answer(request.body(body)).await;
        assert!(text.contains(&format!(r#""sub_code":"{error}""#)), "{text}");
    }
}
