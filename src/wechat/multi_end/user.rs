use std::fmt;

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
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppUser {
    /// The app.
    pub appid: String,
    /// The user's name within it.
    pub openid: String,
    /// The user's name across the apps of one Open Platform account, where there is one.
    pub unionid: Option<String>,
}

impl AppUser {
    /// `None` where the user has no account of this kind.
    fn parse(fields: &Fields) -> Option<Self> {
        let text = |name| fields.text(name).map(str::to_owned);
        Some(Self {
            appid: text("appid").unwrap_or_default(),
            openid: text("openid")?,
            unionid: text("unionid"),
        })
    }
}

impl MultiEndUser {
    /// The user's name across the apps of one Open Platform account.
    #[must_use]
    pub fn unionid(&self) -> Option<&str> {
        let accounts = [&self.mini_program, &self.open_app].into_iter().flatten();
        accounts
            .flat_map(|account| account.unionid.as_deref())
            .next()
    }

    pub(super) fn parse(fields: &Fields) -> Result<Self, Failure> {
        let (login, user) = (fields.object("login_info"), fields.object("user_info"));
        let text = |of: &str, name: &str| user.object(of).text(name).map(str::to_owned);
        Ok(Self {
            user_id: user.require("user_id")?.to_owned(),
            login_type: login.text("type").unwrap_or_default().to_owned(),
            mini_program: AppUser::parse(&user.object("miniprogram_info")),
            open_app: AppUser::parse(&user.object("openapp_info")),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> MultiEndUser {
        MultiEndUser::parse(&Fields::parse(body.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn the_document_s_example_is_understood() {
        let user = parse(
            r#"{"errcode":0,"login_info":{"type":"weixinApp","login_time":12345678,"appid":"aaa"},
            "user_info":{"user_id":"xxx",
            "openapp_info":{"appid":"bbb","openid":"ccc","unionid":"ddd","headimgurl":"H","nickname":"N"},
            "phone_info":{"phone":"137"},
            "apple_info":{"bundleid":"eee","apple_user_id":"fff","is_apple_email_verified":false},
            "huawei_info":{"client_id":"1","huawei_open_id":"hhh","huawei_union_id":""},
            "miniprogram_info":{"appid":"mmm","openid":"ooo","unionid":""}}}"#,
        );
        assert_eq!((&*user.user_id, &*user.login_type), ("xxx", "weixinApp"));
        assert_eq!(user.unionid(), Some("ddd"));
        assert_eq!(user.mini_program.unwrap().openid, "ooo");
        assert_eq!(user.open_app.unwrap().appid, "bbb");
        assert_eq!(user.phone.as_deref(), Some("137"));
        assert_eq!(user.apple_user_id.as_deref(), Some("fff"));
        assert_eq!(user.huawei_open_id.as_deref(), Some("hhh"));
    }

    #[test]
    fn accounts_that_are_empty_are_none() {
        let user =
            parse(r#"{"user_info":{"user_id":"x","miniprogram_info":{},"phone_info":null}}"#);
        assert_eq!((user.mini_program, user.open_app), (None, None));
        assert_eq!((user.phone, &*user.login_type), (None, ""));
        let nobody = Fields::parse(br#"{"errcode":0,"user_info":{}}"#).unwrap();
        assert!(MultiEndUser::parse(&nobody).is_err());
    }
}
