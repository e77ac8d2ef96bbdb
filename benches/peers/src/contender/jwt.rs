//! A signed token that says who the user is: nothing is looked up, nothing can be revoked.
#![allow(
    clippy::result_large_err,
    reason = "the shape that tower-http asks for"
)]

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use tower::{Layer, service_fn};
use tower_http::validate_request::ValidateRequestHeaderLayer;

use super::{Answer, Body, Contender, bearer, handle, refusal};
use crate::requests::Credentials;
use crate::user::openid;

const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

const SECRET: &[u8; 32] = b"as long as the digest, or longer";

/// The first key of RFC 8032, section 7.1, as PKCS #8.
const ED25519_SECRET: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
";
const ED25519_PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
}

#[derive(Clone)]
struct UserId(String);

pub(crate) fn hs256(users: usize) -> Contender {
    let encoding = EncodingKey::from_secret(SECRET);
    let decoding = DecodingKey::from_secret(SECRET);
    let algorithm = Algorithm::HS256;
    contender("jwt-hs256", algorithm, &encoding, decoding, users)
}

pub(crate) fn eddsa(users: usize) -> Contender {
    let encoding = EncodingKey::from_ed_pem(ED25519_SECRET.as_bytes()).expect("a key");
    let decoding = DecodingKey::from_ed_components(ED25519_PUBLIC).expect("a key");
    let algorithm = Algorithm::EdDSA;
    contender("jwt-eddsa", algorithm, &encoding, decoding, users)
}

fn contender(
    name: &'static str,
    algorithm: Algorithm,
    encoding: &EncodingKey,
    decoding: DecodingKey,
    users: usize,
) -> Contender {
    let keys = Arc::new((decoding, Validation::new(algorithm)));
    let check = move |request: &mut Request<Bytes>| {
        let (key, validation) = &*keys;
        check(request, key, validation)
    };
    let layer = ValidateRequestHeaderLayer::custom(check);
    let service = layer.layer(service_fn(handler));
    Contender::new(name, service, log_in(algorithm, encoding, users))
}

fn check(
    request: &mut Request<Bytes>,
    key: &DecodingKey,
    validation: &Validation,
) -> Result<(), Response<Body>> {
    let token = bearer(request).ok_or_else(refusal)?;
    let decoded = decode::<Claims>(token, key, validation).map_err(|_| refusal())?;
    request.extensions_mut().insert(UserId(decoded.claims.sub));
    Ok(())
}

async fn handler(request: Request<Bytes>) -> Answer {
    let user = request.extensions().get::<UserId>();
    handle(user.map(|user| user.0.as_str()))
}

fn log_in(algorithm: Algorithm, key: &EncodingKey, users: usize) -> Credentials {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let exp = (now.unwrap_or_default() + MONTH).as_secs();
    let header = Header::new(algorithm);
    let token = |user| {
        let sub = openid(user);
        let token = encode(&header, &Claims { sub, exp }, key).expect("the claims are JSON");
        format!("Bearer {token}")
    };
    Credentials::of(http::header::AUTHORIZATION, (0..users).map(token))
}
