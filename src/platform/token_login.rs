use std::sync::Arc;

use super::api::{Ask, Call, Failure, Fields, Granted, User};
use super::app::App;
use super::site::Site;

/// How a platform takes a code from an app that has fetched a token first.
pub(super) struct TokenLogin {
    /// Asks for a token.
    pub(super) grant: fn(&App) -> Call,
    pub(super) granted: fn(&Fields) -> Result<Granted, Failure>,
    /// Exchanges a code, by a token.
    pub(super) login: fn(token: &str, code: &str) -> Call,
    pub(super) user: fn(&Fields) -> Result<User, Failure>,
    pub(super) is_token_refused: fn(&Failure) -> bool,
}

impl TokenLogin {
    /// Exchanges a code; a token that the platform does not take is replaced, once.
    pub(super) async fn exchange(
        &self,
        site: &Site,
        app: &App,
        code: &str,
    ) -> Result<User, Failure> {
        let tokens = site.tokens.of(&app.appid);
        let token = tokens.get(self.ask(site, app)).await?;
        let refusal = match self.log_in(site, &token, code).await {
            Err(failure) if (self.is_token_refused)(&failure) => failure,
            outcome => return outcome,
        };
        match tokens.get_instead_of(&token, self.ask(site, app)).await {
            Ok(token) => self.log_in(site, &token, code).await,
            Err(Failure::SameToken) => Err(refusal),
            Err(failure) => Err(failure),
        }
    }

    fn ask(&self, site: &Site, app: &App) -> impl Ask + use<> {
        let (api, call, granted) = (site.api.clone(), Arc::new((self.grant)(app)), self.granted);
        move |_| {
            let (api, call) = (api.clone(), Arc::clone(&call));
            async move { api.send(&call).await?.read_fields(granted) }
        }
    }

    async fn log_in(&self, site: &Site, token: &str, code: &str) -> Result<User, Failure> {
        let reply = site.api.send(&(self.login)(token, code)).await;
        let user = reply.and_then(|reply| reply.read_fields(self.user));
        user.map_err(|failure| failure.masked(&[token]))
    }
}
