//! axum-login on tower-sessions and its memory store; the users are in a map.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum_login::tower_sessions::{MemoryStore, SessionManagerLayer};
use axum_login::{AuthManagerLayer, AuthManagerLayerBuilder, AuthUser, AuthnBackend};
use bytes::Bytes;
use http::Request;
use http::header::COOKIE;
use tower::{Layer, service_fn};

use super::set_cookie::cookies;
use super::{Answer, Contender, handle};
use crate::requests::Credentials;
use crate::stopwatch::answer;
use crate::user::openid;

type AuthSession = axum_login::AuthSession<Backend>;

#[derive(Clone, Debug)]
struct Account {
    openid: String,
    hash: [u8; 32],
}

#[derive(Clone, Debug)]
struct Backend(Arc<HashMap<String, Account>>);

pub(crate) fn new(users: usize) -> Contender {
    let accounts = (0..users).map(|user| (openid(user), Account::new(user)));
    let backend = Backend(Arc::new(accounts.collect()));
    let sessions = SessionManagerLayer::new(MemoryStore::default());
    let layer = AuthManagerLayerBuilder::new(backend, sessions).build();
    let credentials = log_in(&layer, users);
    Contender::new("axum-login", layer.layer(service_fn(handler)), credentials)
}

async fn handler(request: Request<Bytes>) -> Answer {
    let session = request.extensions().get::<AuthSession>();
    let user = session.and_then(|session| session.user.as_ref());
    handle(user.map(|user| user.openid.as_str()))
}

async fn log_in_handler(mut request: Request<Bytes>) -> Answer {
    let session = request.extensions_mut().remove::<AuthSession>();
    let account = request.extensions_mut().remove::<Account>();
    let mut session = session.expect("the layer has put it there");
    let account = account.expect("the client has put it there");
    session.login(&account).await.expect("the store is up");
    handle(Some(&account.openid))
}

fn log_in(layer: &AuthManagerLayer<Backend, MemoryStore>, users: usize) -> Credentials {
    let mut service = layer.layer(service_fn(log_in_handler));
    let cookies = (0..users).map(|user| {
        let mut request = Request::new(Bytes::new());
        request.extensions_mut().insert(Account::new(user));
        cookies(&answer(&mut service, request))
    });
    Credentials::of(COOKIE, cookies)
}

impl Account {
    fn new(number: usize) -> Self {
        Self {
            openid: openid(number),
            hash: [7; 32],
        }
    }
}

impl AuthUser for Account {
    type Id = String;

    fn id(&self) -> String {
        self.openid.clone()
    }

    fn session_auth_hash(&self) -> &[u8] {
        &self.hash
    }
}

impl AuthnBackend for Backend {
    type User = Account;
    type Credentials = ();
    type Error = Infallible;

    async fn authenticate(&self, (): ()) -> Result<Option<Account>, Infallible> {
        Ok(None)
    }

    async fn get_user(&self, openid: &String) -> Result<Option<Account>, Infallible> {
        Ok(self.0.get(openid).cloned())
    }
}
