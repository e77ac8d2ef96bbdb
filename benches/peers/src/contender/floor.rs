//! The least that a check of an opaque token can do, as fast as it gets: decode it, one block of
//! SHA-256, look the digest up, insert the user into the extensions. It knows no expiry and no
//! revocation.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use base64_simd::{AsOut, URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures_util::future::Either;
use http::{Request, Response};
use papaya::HashMap;
use sha2::block_api::compress256;
use tower::{Layer, Service, service_fn};

use super::identity_hasher::BuildIdentityHasher;
use super::{Answer, Body, Contender, bearer, handle, refusal};
use crate::draw::Draw;
use crate::requests::Credentials;
use crate::user::User;

/// Bytes of a token, as ours are: 63 characters with the prefix.
const TOKEN: usize = 44;
/// FIPS 180-4 §5.3.3.
const INITIAL_STATE: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

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

/// Random tokens.
pub(super) fn credentials(users: usize) -> Credentials {
    let mut draw = Draw::new(users as u64);
    let mut token = move || {
        let random: [[u8; 8]; 6] = std::array::from_fn(|_| draw.next().to_le_bytes());
        let text = URL_SAFE_NO_PAD.encode_to_string(&random.as_flattened()[..TOKEN]);
        format!("Bearer wxs_{text}")
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
        let digest = digest(token).expect("it is a token");
        users.pin().insert(digest, User::new(number));
    }
    users
}

/// The first half of SHA-256 of what the text stands for: no more than one block with its padding.
fn digest(text: &[u8]) -> Option<[u8; 16]> {
    let mut block = [0; 64];
    let (token, padding) = block.split_at_mut(TOKEN);
    let decoded = URL_SAFE_NO_PAD.decode(text.strip_prefix(b"wxs_")?, token.as_out());
    if decoded.ok()?.len() != TOKEN {
        return None;
    }
    padding[0] = 0x80;
    padding[12..].copy_from_slice(&(8 * TOKEN as u64).to_be_bytes());
    let mut state = INITIAL_STATE;
    compress256(&mut state, &[block]);
    let [a, b, c, d, ..] = state.map(u32::to_be_bytes);
    [a, b, c, d].as_flattened().try_into().ok()
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
        let digest = digest(bearer(request)?)?;
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
