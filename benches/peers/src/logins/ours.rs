//! `Sessions::issue`, and `Login` with a provider that answers at once.

use http::StatusCode;
use tower::ServiceExt;
use tower_wx_session::login::{ExchangeError, Exchanged, IdentityProvider, Login, LoginRequest};
use tower_wx_session::store::SessionStore;
use tower_wx_session::{Identity, Rejection};

use super::way::{Way, client, request};
use crate::operations::users::node;
use crate::user::{APPID, identity};

const NAME: &str = "ours";
/// Logs in before the others, so that keys are made and the link is up.
const FIRST: usize = usize::MAX;

pub(super) async fn session<S: SessionStore + Clone>(store: S) -> Result<Way, Rejection> {
    let sessions = node(&store);
    sessions.issue(identity(FIRST)).await?;
    Ok(Way::new(NAME, move |user| {
        let sessions = sessions.clone();
        async move {
            let issued = sessions.issue(identity(user)).await;
            issued.expect("the store is up");
        }
    }))
}

pub(super) async fn endpoint<S: SessionStore + Clone>(store: S) -> Result<Way, Rejection> {
    let sessions = node(&store);
    sessions.issue(identity(FIRST)).await?;
    let login = Login::new(sessions, Trusting);
    let headers = client();
    Ok(Way::new(NAME, move |user| {
        let (login, request) = (login.clone(), request(&headers, user));
        async move {
            let Ok(response) = login.oneshot(request).await;
            assert_eq!(response.status(), StatusCode::OK);
        }
    }))
}

/// Vouches for anyone, by the name of the code.
struct Trusting;

impl IdentityProvider for Trusting {
    fn resolve<'a>(&'a self, _: Option<&'a str>) -> Option<&'a str> {
        Some(APPID)
    }

    async fn exchange(&self, login: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
        Ok(Exchanged::new(Identity::new(login.appid(), login.code())))
    }
}
