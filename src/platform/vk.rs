use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::app::Apps;
use super::launch::{Age, Fields, Mac, Refused, keyed, verify};
use crate::identity::Identity;
use crate::login::{CodePolicy, ExchangeError, Exchanged, IdentityProvider, LoginRequest};

/// VK Mini Apps: checks the signed launch parameters of one or more apps.
///
/// There is no code and no request to VK. The client sends the query that VK opened it with,
/// `location.search`, as it is, for the code of its login, with or without the `?`.
///
/// ```js
/// fetch("/login", { method: "POST", body: JSON.stringify({ code: location.search }) })
/// ```
///
/// The login gives an [`Identity`] whose appid is the app's id and whose openid is
/// `vk_user_id`, the same in all apps. There is no unionid and no session_key.
///
/// 1. **Signed for this app.** `sign` is over all `vk_*` parameters, sorted and encoded as in a form,
///    with the app's secure key; `vk_app_id` is the app. Whatever else stands in the query is not
///    signed and does not matter. VK's examples disagree on how a space and `!*'()~` are encoded,
///    and no parameter of VK's is known to have one.
/// 2. **No parameter twice.**
/// 3. **Not old.** `vk_ts` is less than [an hour](Self::with_max_age) ago and at most a minute
///    ahead, on the fleet's clock.
/// 4. **Used once.** VK signs when the app is opened, and what it has signed stays good. So the
///    login takes the same `vk_*` parameters once, on all nodes, however they are written and
///    whatever stands between them.
///
/// The parameters stay the same until the user opens the app again, also when the page is loaded
/// anew. So let the client keep its token (in `sessionStorage`), and when the session is over and
/// the login answers `code_rejected`, ask the user to open the app again.
///
/// | launch parameters | [`ExchangeErrorKind`](crate::login::ExchangeErrorKind) |
/// |---|---|
/// | signed by nobody, for another app, or changed since | `CodeRejected` |
/// | too old | `CodeRejected` |
/// | genuine, and from the future: our clock is behind | `Misconfigured` |
/// | no `vk_ts`, or one that is no number | `CodeRejected` |
/// | one of them twice; anything else that is no launch query | `CodeRejected` |
/// | no `vk_user_id`, or 0: nobody is logged in at VK | `CodeRejected` |
/// | for an app that is not configured | `BadRequest` |
///
/// The error's cause says which of them it was, and shows nothing of the parameters.
///
/// ```
/// # #[cfg(feature = "test-util")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tower_wx_session::login::{IdentityProvider, LoginRequest};
/// use tower_wx_session::platform::Vk;
/// use tower_wx_session::test_util::FakeVk;
///
/// let fake = FakeVk::new();
/// let vk = Vk::new(fake.appid(), fake.secure_key());
/// assert_eq!(vk.resolve(None), Some(fake.appid()));
///
/// let query = fake.launch_query("alice");
/// let alice = vk.exchange(LoginRequest::new(fake.appid(), &query)).await?;
/// assert_eq!(alice.identity().openid(), fake.openid("alice"));
///
/// let forged = query.replace("vk_is_app_user=1", "vk_is_app_user=0");
/// let refused = vk.exchange(LoginRequest::new(fake.appid(), &forged)).await;
/// assert!(refused.is_err());
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "test-util"))]
/// # fn main() {}
/// ```
#[derive(Clone)]
pub struct Vk {
    apps: Apps<Mac>,
    age: Age,
}

impl Vk {
    /// VK for the app with this id, and its secure key from the app's settings.
    #[must_use]
    pub fn new(app_id: impl Into<Arc<str>>, secure_key: &str) -> Self {
        Self {
            apps: Apps::new(app_id, keyed(secure_key.as_bytes())),
            age: Age::DEFAULT,
        }
    }

    /// Adds an app; the client then has to name the one it logs in to.
    ///
    /// An app that is there already gets the new key.
    ///
    /// ```
    /// use tower_wx_session::login::IdentityProvider;
    /// use tower_wx_session::platform::Vk;
    ///
    /// let vk = Vk::new("6000001", "key of one").with_app("6000002", "key of the other");
    /// assert_eq!(vk.resolve(None), None, "the client has to name one");
    /// assert_eq!(vk.resolve(Some("6000002")), Some("6000002"));
    /// ```
    #[must_use]
    pub fn with_app(self, app_id: impl Into<Arc<str>>, secure_key: &str) -> Self {
        let key = keyed(secure_key.as_bytes());
        let apps = self.apps.with(app_id, key);
        Self { apps, ..self }
    }

    /// Sets how old launch parameters may be, by their `vk_ts` (default: an hour).
    ///
    /// VK names no figure. A client that logs in when it is opened needs seconds. For this long,
    /// and two minutes more, the store remembers each login.
    #[must_use]
    pub fn with_max_age(self, max: Duration) -> Self {
        let age = Age::of(max);
        Self { age, ..self }
    }

    fn check(&self, request: &LoginRequest<'_>) -> Result<Exchanged, Refused> {
        let app = self.apps.get(request.appid()).ok_or(Refused::UnknownApp)?;
        let query = request.code();
        let fields = Fields::parse(query.strip_prefix('?').unwrap_or(query))?;
        if fields.get("vk_app_id")? != &*app.appid {
            return Err(Refused::OtherApp);
        }
        let signed = signed_text(&fields);
        verify(&app.secret, &signed, &sign(fields.get("sign")?)?)?;
        self.age
            .check(fields.number("vk_ts")?, request.received_at())?;
        let identity = Identity::new(Arc::clone(&app.appid), user_id(&fields)?);
        Ok(Exchanged::new(identity).once_per(signed))
    }
}

fn signed_text(fields: &Fields<'_>) -> String {
    let signed = fields.iter().filter(|(name, _)| name.starts_with("vk_"));
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(signed)
        .finish()
}

fn sign(text: &str) -> Result<Vec<u8>, Refused> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text);
    bytes.map_err(|_| Refused::Signature)
}

fn user_id(fields: &Fields<'_>) -> Result<String, Refused> {
    match fields.number("vk_user_id")? {
        0 => Err(Refused::NoUser),
        id => Ok(id.to_string()),
    }
}

impl IdentityProvider for Vk {
    fn resolve<'a>(&'a self, appid: Option<&'a str>) -> Option<&'a str> {
        self.apps.resolve(appid)
    }

    fn code_policy(&self, _: &str) -> CodePolicy {
        self.age.policy()
    }

    async fn exchange(&self, request: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
        Ok(self.check(&request)?)
    }
}

impl fmt::Debug for Vk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vk")
            .field("apps", &self.apps)
            .field("age", &self.age)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_apps_and_no_key() {
        let vk = Vk::new("1", "canary").with_app("2", "canary");
        assert_eq!(
            format!("{vk:?}"),
            r#"Vk { apps: Apps([App { appid: "1", .. }, App { appid: "2", .. }]), age: Age { max: 3600s } }"#,
        );
    }

    #[test]
    fn only_the_parameters_of_vk_are_signed_and_empty_ones_too() {
        let fields = Fields::parse("vk_b=x,%2F&utm=1&vk_a=&VK_c=1&sign=s&vk=2")
            .ok()
            .unwrap();
        assert_eq!(signed_text(&fields), "vk_a=&vk_b=x%2C%2F");
    }

    #[test]
    fn nobody_has_the_id_zero() {
        let id = |id: &str| user_id(&Fields::parse(&format!("vk_user_id={id}")).ok().unwrap());
        assert_eq!(id("700001"), Ok("700001".into()));
        assert_eq!(id("0700001"), Ok("700001".into()));
        assert_eq!(id("0"), Err(Refused::NoUser));
        assert_eq!(id("-1"), Err(Refused::NoNumber("vk_user_id")));
    }
}
