//! Alipay's requests and answers, against software that is not ours: its own SDK, and OpenSSL.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tower_wx_session::platform::{Alipay, AlipayKeys};
use tower_wx_session::test_util::FakeAlipay;

use super::alipay::{exchange, keys, start};
use crate::support::languages::{answers_to, node_program};
use crate::support::openssl::{openssl, private_key, public_key};

type Parameters = BTreeMap<String, String>;

fn parameters(encoded: &[u8]) -> Parameters {
    let pairs = form_urlencoded::parse(encoded).into_owned();
    let mut parameters = Parameters::new();
    for (name, value) in pairs {
        assert!(!value.is_empty(), "{name} is empty");
        assert_eq!(
            parameters.insert(name, value),
            None,
            "a parameter comes twice"
        );
    }
    parameters
}

fn query(request: &Request<Bytes>) -> Parameters {
    parameters(request.uri().query().unwrap().as_bytes())
}

/// All parameters of a request, query and body.
fn all(request: &Request<Bytes>) -> Parameters {
    let mut all = query(request);
    all.extend(parameters(request.body()));
    all
}

/// A file that is there as long as this is.
struct File(PathBuf);

impl File {
    fn new(name: &str, content: impl AsRef<[u8]>) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("alipay-{}-{number}-{name}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&path, content).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

/// What the clock of a machine in Beijing shows.
fn beijing() -> String {
    let mut date = Command::new("date");
    let output = date.env("TZ", "CST-8").arg("+%Y-%m-%d %H:%M:%S").output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    text.trim_end().to_owned()
}

fn pem(private_line: &str) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{private_line}\n-----END PRIVATE KEY-----\n")
}

#[tokio::test]
async fn a_request_is_what_the_document_asks_for() {
    let (fake, alipay) = start().await;
    let before = beijing();
    exchange(&fake, &alipay, "alice:a+b/c=d&e f%20张三")
        .await
        .unwrap();
    let after = beijing();

    let [request] = &*fake.received() else {
        panic!("not one request");
    };
    assert_eq!(
        (request.method().as_str(), request.uri().path()),
        ("POST", "/gateway.do")
    );
    let mime = &request.headers()[CONTENT_TYPE];
    assert_eq!(mime, "application/x-www-form-urlencoded");

    let mut common = query(request);
    let sign = common.remove("sign").unwrap();
    let timestamp = common.remove("timestamp").unwrap();
    assert!(before <= timestamp && timestamp <= after, "{timestamp}");
    let expected = [
        ("app_id", fake.appid()),
        ("charset", "utf-8"),
        ("method", "alipay.system.oauth.token"),
        ("sign_type", "RSA2"),
        ("version", "1.0"),
    ];
    assert_eq!(
        common,
        expected
            .map(|(name, value)| (name.into(), value.into()))
            .into()
    );
    let own = [
        ("code", "alice:a+b/c=d&e f%20张三"),
        ("grant_type", "authorization_code"),
    ];
    let own = own.map(|(name, value)| (name.into(), value.into()));
    assert_eq!(parameters(request.body()), own.into());

    let text = format!(
        "app_id={}&charset=utf-8&code=alice:a+b/c=d&e f%20张三&grant_type=authorization_code\
         &method=alipay.system.oauth.token&sign_type=RSA2&timestamp={timestamp}&version=1.0",
        fake.appid(),
    );
    let key = File::new("key.pem", public_key(&pem(fake.secret())));
    let sign = File::new("sign", BASE64_STANDARD.decode(sign).unwrap());
    let verified = openssl(
        &[
            "dgst",
            "-sha256",
            "-verify",
            key.path(),
            "-signature",
            sign.path(),
        ],
        &text,
    );
    assert_eq!(verified, "Verified OK\n");
}

/// The three files of an app in the mode "certificate", as Alipay's console gives them.
struct Certificates {
    app: String,
    alipay: String,
    root: String,
}

impl Certificates {
    /// The certificates of these public keys. The roots are one with an elliptic key, and the one
    /// with an RSA key that the others are signed with.
    fn of(app: &str, alipay: &str) -> Self {
        let key = File::new("root.key", private_key("2048"));
        let rsa = root(&key, "/C=CN/O=Ant Financial/OU=CA/CN=RSA");
        let elliptic = openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout"], "");
        let elliptic = File::new("elliptic.key", elliptic);
        let other = root(&elliptic, "/C=CN/O=Ant Financial/CN=elliptic");
        let issuer = File::new("root.crt", &rsa);
        Self {
            app: issued(&issuer, &key, app),
            alipay: issued(&issuer, &key, alipay),
            root: other + &rsa,
        }
    }
}

/// A certificate that is signed with its own key.
fn root(key: &File, subject: &str) -> String {
    openssl(&["req", "-x509", "-subj", subject, "-key", key.path()], "")
}

/// A certificate of a public key, with a serial number of 16 bytes.
fn issued(issuer: &File, key: &File, public: &str) -> String {
    let public = File::new("public.pem", public);
    let serial = "0x7f000102030405060708090a0b0c0d0e";
    let of = [
        "x509",
        "-new",
        "-subj",
        "/C=CN/CN=x",
        "-force_pubkey",
        public.path(),
    ];
    let by = [
        "-CA",
        issuer.path(),
        "-CAkey",
        key.path(),
        "-set_serial",
        serial,
    ];
    openssl(&[of, by].concat(), "")
}

/// A fake, and its provider in the mode "certificate".
async fn start_with(certificates: &Certificates, fake: FakeAlipay) -> (FakeAlipay, Alipay) {
    let Certificates { app, alipay, root } = certificates;
    let keys = AlipayKeys::from_certificates(fake.secret(), app, alipay, root).unwrap();
    let alipay = Alipay::new(fake.appid(), keys);
    let alipay = alipay.with_base_url(fake.base_url()).unwrap();
    (fake, alipay)
}

fn public_pem(line: &str) -> String {
    format!("-----BEGIN PUBLIC KEY-----\n{line}\n-----END PUBLIC KEY-----\n")
}

/// What the SDK signs of a request of ours: the same, if both agree on what is signed and how.
fn unsigned(request: &Request<Bytes>) -> Parameters {
    let mut parameters = all(request);
    parameters.remove("sign");
    parameters
}

#[tokio::test]
async fn alipays_own_sdk_signs_as_we_do_and_understands_the_fake() {
    let (fake, alipay) = start().await;
    let app_public = public_key(&pem(fake.secret()));
    let certificates = Certificates::of(&app_public, &public_pem(&fake.alipay_public_key()));
    let (fake, by_certificate) = start_with(&certificates, fake).await;
    for (alipay, code) in [(&alipay, "alice:1"), (&by_certificate, "alice:2")] {
        exchange(&fake, alipay, code).await.unwrap();
    }
    let ours = fake.received();

    let config = json!({
        "appId": fake.appid(),
        "keyType": "PKCS8",
        "privateKey": fake.secret(),
        "gateway": format!("{}/gateway.do", fake.base_url()),
        "camelcase": false,
    });
    let with = |more: Value| {
        let mut config = config.clone();
        config
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        config
    };
    let order = json!({ "clients": [
        {
            "config": with(json!({ "alipayPublicKey": fake.alipay_public_key() })),
            // Of an `error_response` the SDK verifies the wrong text.
            "codes": ["bob:1", "busy:1"],
            "requests": [unsigned(&ours[0])],
        },
        {
            "config": with(json!({
                "appCertContent": certificates.app,
                "alipayPublicCertContent": certificates.alipay,
                "alipayRootCertContent": certificates.root,
            })),
            "codes": ["bob:2"],
            "requests": [unsigned(&ours[1])],
        },
    ]});
    let answers = answers_to(node_program("alipay.cjs"), &order).await;

    for (answer, request) in answers.iter().zip(&ours) {
        assert_eq!(answer["signed"], json!([all(request)]));
    }
    let logins = &answers[0]["logins"];
    assert_eq!(logins[0]["open_id"], answers[1]["logins"][0]["open_id"]);
    assert_eq!(logins[0]["expires_in"], 1_296_000);
    assert_eq!(logins[1]["sub_code"], "isp.unknow-error");

    // What the SDK sends has the form of what we send.
    let names = |request: &Request<Bytes>| Vec::from_iter(query(request).into_keys());
    let theirs = &fake.received()[2..];
    assert_eq!(names(&theirs[0]), names(&ours[0]));
    assert_eq!(names(&theirs[2]), names(&ours[1]));
    for (theirs, ours) in [(&theirs[0], &ours[0]), (&theirs[2], &ours[1])] {
        let body =
            |request: &Request<Bytes>| Vec::from_iter(parameters(request.body()).into_keys());
        assert_eq!(body(theirs), body(ours));
    }
}

#[tokio::test]
async fn files_that_do_not_belong_together_are_told_apart() {
    let fake = FakeAlipay::start().await.unwrap();
    let private = fake.secret();
    let app = public_key(&pem(private));
    let good = Certificates::of(&app, &public_pem(&fake.alipay_public_key()));
    let stranger = Certificates::of(&public_key(&private_key("2048")), &app);
    let elliptic = good
        .root
        .split_inclusive("-----END CERTIFICATE-----\n")
        .next()
        .unwrap();
    let (app, alipay, root) = (&*good.app, &*good.alipay, &*good.root);
    let not_certificates = "expected X.509 certificates as PEM";
    for (app, alipay, root, setting, expected) in [
        (private, alipay, root, "app_certificate", not_certificates),
        ("", alipay, root, "app_certificate", not_certificates),
        (
            &stranger.app,
            alipay,
            root,
            "app_certificate",
            "expected the certificate of app_private_key",
        ),
        (app, "", root, "alipay_certificate", not_certificates),
        (
            app,
            &stranger.alipay,
            root,
            "alipay_certificate",
            "expected the key of Alipay, not the app's own",
        ),
        (
            app,
            app,
            root,
            "alipay_certificate",
            "expected the key of Alipay, not the app's own",
        ),
        (
            app,
            alipay,
            "",
            "alipay_root_certificates",
            not_certificates,
        ),
        (
            app,
            alipay,
            elliptic,
            "alipay_root_certificates",
            "expected a certificate that is signed with RSA",
        ),
        (
            app,
            alipay,
            &root[..root.len() / 2],
            "alipay_root_certificates",
            not_certificates,
        ),
    ] {
        let error = AlipayKeys::from_certificates(private, app, alipay, root).unwrap_err();
        let error = error.to_string();
        assert!(
            error.starts_with(&format!("{setting}: {expected}, got ")),
            "{error}"
        );
    }
    assert!(format!("{:?}", keys(&fake)).contains("serials: None"));
}
