use super::answer::parse;
use crate::platform::api::{App, Call, Failure, User};
use crate::platform::provider::provider;
use crate::platform::site::Site;

provider! {
    /// Kuaishou, as the provider of identities for its mini games in China.
    ///
    /// The client calls `ks.login` and sends the `code`. It is exchanged by
    /// `GET /game/minigame/jscode2session`. The user has an openid (`open_id`), a session_key, and a unionid if the
    /// answer has a `union_id`. Source: the page
    /// [code2Session](https://ks-game-docs.kuaishou.com/minigame/api/open/login/auth.code2Session.html) of mini
    /// games, by what published clients send. Its codes are not established: those of
    /// [`Kuaishou`](super::Kuaishou) are taken. [`with_error_kind`](Self::with_error_kind) says what another
    /// code means to you.
    KuaishouMiniGame at "https://open.kuaishou.com", by exchange
}

async fn exchange(site: &Site, app: &App, code: &str) -> Result<User, Failure> {
    let call = Call::get("/game/minigame/jscode2session").query(&[
        ("app_id", &app.appid),
        ("app_secret", &app.secret),
        ("js_code", code),
        ("grant_type", "authorization_code"),
    ]);
    site.api.send(&call).await?.read_fields(parse)
}
