//! The service, in a server of the crate `connectrpc`.

use std::sync::Arc;

use connect::account::v1::{Account, EchoMessage, Empty, LoginReply, LoginRequest, WhoAmIReply};
use connectrpc::{
    ConnectError, InboundStream, RequestContext, Response, Router, ServiceRequest, ServiceResult,
    ServiceStream,
};
use tower_wx_session::login::Login;
use tower_wx_session::wechat::WeChat;
use tower_wx_session::{Rejection, Session, SessionLayer};

use crate::support::HookedStore;
use crate::support::http::Server;
use crate::support::world::World;

/// Serves it behind the layer, which lets everybody log in.
pub async fn start(world: &World, layer: SessionLayer<HookedStore>) -> Server {
    let accounts = Accounts {
        login: world.login(),
    };
    let router = Router::new().add_service(Arc::new(accounts));
    let layer = layer.with_unchecked(|_, uri| uri.path() == "/account.v1.Account/Login");
    let app = axum::Router::new().fallback_service(router.into_axum_service());
    Server::start(app.layer(layer)).await
}

struct Accounts {
    login: Login<HookedStore, WeChat>,
}

impl Account for Accounts {
    async fn login(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, LoginRequest>,
    ) -> ServiceResult<LoginReply> {
        let issued = self.login.log_in(request.code).await;
        let issued = issued.map_err(|rejection| error(&rejection))?;
        Response::ok(LoginReply {
            token: issued.token().expose().to_owned(),
            ..LoginReply::default()
        })
    }

    async fn who_am_i(
        &self,
        context: RequestContext,
        _: ServiceRequest<'_, Empty>,
    ) -> ServiceResult<WhoAmIReply> {
        Response::ok(who_am_i(&context)?)
    }

    async fn logout(
        &self,
        _: RequestContext,
        _: ServiceRequest<'_, Empty>,
    ) -> ServiceResult<Empty> {
        Err(ConnectError::unimplemented("the test needs none"))
    }

    /// Sends the reply twice.
    async fn watch(
        &self,
        context: RequestContext,
        _: ServiceRequest<'_, Empty>,
    ) -> ServiceResult<ServiceStream<WhoAmIReply>> {
        let reply = who_am_i(&context)?;
        Response::stream_ok(tokio_stream::iter([Ok(reply.clone()), Ok(reply)]))
    }

    async fn echo(
        &self,
        context: RequestContext,
        requests: InboundStream<EchoMessage>,
    ) -> ServiceResult<InboundStream<EchoMessage>> {
        who_am_i(&context)?;
        Ok(Response::new(requests))
    }
}

fn who_am_i(context: &RequestContext) -> Result<WhoAmIReply, ConnectError> {
    let session = context.extensions().get::<Session>();
    let session = session.ok_or_else(|| ConnectError::internal("the session layer is missing"))?;
    Ok(WhoAmIReply {
        openid: session.openid().to_owned(),
        ..WhoAmIReply::default()
    })
}

/// As in the guide.
fn error(rejection: &Rejection) -> ConnectError {
    let error = serde_json::from_slice(&rejection.connect_error());
    error.unwrap_or_else(|error| ConnectError::internal(error.to_string()))
}

#[test]
fn the_guide_has_the_handlers_answer_as_it_is_here() {
    let here = include_str!("accounts.rs");
    let start = here.find("fn error(").unwrap();
    let length = here[start..].find("\n}\n").unwrap() + 3;
    let guide = include_str!("../../../../src/guide/grpc.md");
    assert!(guide.contains(&here[start..start + length]));
}
