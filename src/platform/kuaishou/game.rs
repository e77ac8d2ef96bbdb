use super::answer::parse;
use crate::platform::api::{App, Call, Failure, User};
use crate::platform::provider::provider;
use crate::platform::site::Site;

provider! {
    /// Kwai, as the provider of identities for Kuaishou's mini games abroad.
    ///
    /// The client calls `ks.login` and sends the `code`. It is exchanged by `POST /openapi/login/code2session`,
    /// with everything in the query and no body. The user has an openid (`open_id`), a session_key, and a unionid
    /// (`union_id`) across the games of one developer. Source: the page
    /// [code2session](https://game-docs.kwai.com/minigame/guide/open-function/code2session.html).
    KwaiGame at "https://game.kwai.com", by exchange
}

async fn exchange(site: &Site, app: &App, code: &str) -> Result<User, Failure> {
    let call = Call::post("/openapi/login/code2session")
        .query(&[
            ("app_id", &app.appid),
            ("app_secret", &app.secret),
            ("code", code),
        ])
        .content_type("application/x-www-form-urlencoded");
    site.api.send(&call).await?.read_fields(parse)
}
