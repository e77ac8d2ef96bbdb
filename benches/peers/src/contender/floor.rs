//! The least that a check of an opaque token can do: hash it, look the digest up, insert the user
//! into the extensions. It knows no expiry and no revocation.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::Either;
use http::{Request, Response};
use papaya::HashMap;
use sha2::{Digest, Sha256};
use tower::{Layer, Service, service_fn};

use super::identity_hasher::BuildIdentityHasher;
use super::{Answer, Body, Contender, bearer, handle, refusal};
use crate::draw::Draw;
use crate::requests::Credentials;
use crate::user::User;

type Users = HashMap<[u8; 16], Arc<User>, BuildIdentityHasher>;

pub(crate) fn new(users: usize) -> Contender {
    let credentials = credentials(users);
    let layer = FloorLayer(Arc::new(log_in(&credentials)));
    Contender::new("floor", layer.layer(service_fn(handler)), credentials)
}

async fn handler(request: Request<Bytes>) -> Answer {
    let user = request.extensions().get::<Arc<User>>();
    handle(user.map(|user| user.openid.as_str()))
}

/// Random tokens of 63 characters, as ours are.
pub(super) fn credentials(users: usize) -> Credentials {
    let mut draw = Draw::new(users as u64);
    let mut random = move || draw.next();
    let mut token = move || {
        let [a, b, c] = [random(), random(), random()];
        format!("Bearer wxs_{a:020}{b:020}{:019}", c % 10_u64.pow(19))
    };
    Credentials::of(
        http::header::AUTHORIZATION,
        (0..users).map(move |_| token()),
    )
}

fn log_in(credentials: &Credentials) -> Users {
    let users = Users::default();
    for (number, value) in credentials.values().enumerate() {
        let token = value.strip_prefix(b"Bearer ").unwrap_or_default();
        users.pin().insert(digest(token), User::new(number));
    }
    users
}

fn digest(token: &[u8]) -> [u8; 16] {
    let digest = Sha256::digest(token);
    *digest.first_chunk().unwrap_or(&[0; 16])
}

#[derive(Clone)]
struct FloorLayer(Arc<Users>);

#[derive(Clone)]
struct Floor<S> {
    users: Arc<Users>,
    inner: S,
}

impl<S> Layer<S> for FloorLayer {
    type Service = Floor<S>;

    fn layer(&self, inner: S) -> Floor<S> {
        let users = Arc::clone(&self.0);
        Floor { users, inner }
    }
}

impl<S> Floor<S> {
    fn user(&self, request: &Request<Bytes>) -> Option<Arc<User>> {
        let digest = digest(bearer(request)?);
        self.users.pin().get(&digest).cloned()
    }
}

impl<S> Service<Request<Bytes>> for Floor<S>
where
    S: Service<Request<Bytes>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Answer>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Bytes>) -> Self::Future {
        match self.user(&request) {
            Some(user) => {
                request.extensions_mut().insert(user);
                Either::Left(self.inner.call(request))
            }
            None => Either::Right(ready(Ok(refusal()))),
        }
    }
}
