use super::answer::parse;
use crate::platform::api::{App, Call, Failure, User};
use crate::platform::provider::provider;
use crate::platform::site::Site;

provider! {
    /// Kuaishou, as the provider of identities for its mini programs.
    ///
    /// The client calls `ks.login` and sends the `code`. It is exchanged by `POST /oauth2/mp/code2session`. The
    /// user has an openid (`open_id`), a session_key, and a unionid if the answer has a `union_id`. Source: the page
    /// [code2Session](https://mp.kuaishou.com/docs/develop/server/code2Session.html), by what published clients
    /// send; the page itself was not at hand. Its codes are taken from the table that Kuaishou's OAuth
    /// endpoints have in common, and how long a code lives is not established: up to 5 minutes are
    /// remembered. [`with_error_kind`](Self::with_error_kind) says what another code means to you.
    Kuaishou at "https://open.kuaishou.com", by exchange
}

async fn exchange(site: &Site, app: &App, code: &str) -> Result<User, Failure> {
    let call = Call::post("/oauth2/mp/code2session").form(&[
        ("app_id", &app.appid),
        ("app_secret", &app.secret),
        ("js_code", code),
    ]);
    site.api.send(&call).await?.read_fields(parse)
}
