use std::fmt;

use serde::Deserialize;

use crate::platform::api::{Failure, Fields};

/// What WeChat's identity service knows of a user of a multi-end app. Its `Debug` hides the phone number.
///
/// Of the accounts there are those that the user logged in with, or has bound.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MultiEndUser {
    /// The user's name within the multi-end app.
    pub user_id: String,
    /// How the user logged in: `weixinApp`, `weixinMiniProgram`, `phoneSms`, `phoneOneClick`, `apple`, ….
    pub login_type: String,
    /// When, as WeChat gives it.
    pub login_time: Option<u64>,
    /// The user of the mini program.
    pub mini_program: Option<AppUser>,
    /// The user of the mobile app.
    pub open_app: Option<AppUser>,
    /// The phone number.
    pub phone: Option<String>,
    /// The user at Apple.
    pub apple_user_id: Option<String>,
    /// The user at Huawei.
    pub huawei_open_id: Option<String>,
}

/// A user of one app of WeChat's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct AppUser {
    /// The app.
    pub appid: String,
    /// The user's name within it.
    pub openid: String,
    /// The user's name across the apps of one Open Platform account; empty if there is none.
    #[serde(default)]
    pub unionid: String,
}

impl MultiEndUser {
    /// The user's name across the apps of one Open Platform account.
    #[must_use]
    pub fn unionid(&self) -> Option<&str> {
        let accounts = [&self.mini_program, &self.open_app].into_iter().flatten();
        let mut unionids = accounts.map(|account| &*account.unionid);
        unionids.find(|unionid| !unionid.is_empty())
    }

    pub(super) fn parse(fields: &Fields) -> Result<Self, Failure> {
        let (login, user) = (fields.object("login_info"), fields.object("user_info"));
        let text = |of: &str, name: &str| user.object(of).text(name).map(str::to_owned);
        Ok(Self {
            user_id: user.require("user_id", "no user_id")?.to_owned(),
            login_type: login.text("type").unwrap_or_default().to_owned(),
            login_time: login.read("login_time", "no login_time")?,
            mini_program: user.read("miniprogram_info", "no miniprogram_info")?,
            open_app: user.read("openapp_info", "no openapp_info")?,
            phone: text("phone_info", "phone"),
            apple_user_id: text("apple_info", "apple_user_id"),
            huawei_open_id: text("huawei_info", "huawei_open_id"),
        })
    }
}

impl fmt::Debug for MultiEndUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultiEndUser")
            .field("user_id", &self.user_id)
            .field("login_type", &self.login_type)
            .finish_non_exhaustive()
    }
}
