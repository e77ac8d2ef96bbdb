//! What a careful developer writes: tower-http's asynchronous check, and moka, which keeps the
//! digest of a token and forgets who is idle for two hours.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use moka::future::Cache;
use sha2::{Digest, Sha256};
use tower::{Layer, service_fn};
use tower_http::auth::AsyncRequireAuthorizationLayer;

use super::{Answer, Contender, bearer, handle, refusal};
use crate::requests::Credentials;
use crate::runtime::runtime;
use crate::user::User;

const IDLE_TIMEOUT: Duration = Duration::from_secs(2 * 60 * 60);

pub(crate) type Users = Cache<[u8; 32], Arc<User>>;

pub(crate) fn new(users: usize) -> Contender {
    let credentials = super::floor::credentials(users);
    let cache = Arc::new(runtime().block_on(log_in(&credentials)));
    let layer =
        AsyncRequireAuthorizationLayer::new(move |request| check(Arc::clone(&cache), request));
    Contender::new(
        "hand-written",
        layer.layer(service_fn(handler)),
        credentials,
    )
}

async fn check(
    users: Arc<Users>,
    mut request: Request<Bytes>,
) -> Result<Request<Bytes>, http::Response<super::Body>> {
    let token = bearer(&request).ok_or_else(refusal)?;
    let digest: [u8; 32] = Sha256::digest(token).into();
    let user = users.get(&digest).await.ok_or_else(refusal)?;
    request.extensions_mut().insert(user);
    Ok(request)
}

async fn handler(request: Request<Bytes>) -> Answer {
    let user = request.extensions().get::<Arc<User>>();
    handle(user.map(|user| user.openid.as_str()))
}

pub(crate) fn cache(capacity: usize) -> Users {
    let builder = Cache::builder().max_capacity(capacity as u64);
    builder.time_to_idle(IDLE_TIMEOUT).build()
}

async fn log_in(credentials: &Credentials) -> Users {
    let users = cache(credentials.len().max(200_000));
    for (number, value) in credentials.values().enumerate() {
        let token = value.strip_prefix(b"Bearer ").unwrap_or_default();
        users
            .insert(Sha256::digest(token).into(), User::new(number))
            .await;
    }
    users.run_pending_tasks().await;
    users
}
