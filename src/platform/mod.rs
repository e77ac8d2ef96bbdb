//! Logging in at other platforms than WeChat: each a feature of its name.
//!
//! | feature | providers | session_key | unionid |
//! |---|---|---|---|
//! | `qq` | `Qq` | yes | where the app is bound to an Open Platform account |
//! | `douyin` | `Douyin`, `DouyinServiceProvider`, `DouyinMiniGame` | yes | yes |
//! | `baidu` | `Baidu` | yes | no |
//! | `kuaishou` | `Kuaishou`, `KuaishouMiniGame`, `KwaiGame` | yes | where the platform gives one |
//! | `alipay` | `Alipay` | no | where the platform gives one |
//! | `lark` | `Lark` | yes | no |
//! | `dingtalk` | `DingTalk` | no | yes |
//! | `telegram` | `Telegram`, by launch data in place of a code | no | no |
//! | `vk` | `Vk`, by launch data in place of a code | no | no |
//!
//! Each is an [`IdentityProvider`](crate::login::IdentityProvider) for any number of apps, and needs neither a
//! runtime nor the network to be built. Those that ask their platform, which are all but `Telegram` and `Vk`, promise
//! what `wechat::WeChat` does: a code is sent at most once (one
//! exception stands at Lark and DingTalk), the error code is the verdict whatever the HTTP status, an answer that
//! cannot be read or has no user counts as none, every request ends within the time-out, and no secret
//! gets out. The proxy of the environment is used, and the system's certificates, as there.
//!
//! The guide's page `platforms` says what is there of each, and lists their error codes with their
//! [kind](crate::login::ExchangeErrorKind). A code that is not listed is `Misconfigured`, unless
//! `with_error_kind` says otherwise.
#![cfg_attr(
    all(feature = "qq", feature = "test-util"),
    doc = "
# Example

Against the fake QQ of the feature `test-util`; leave `with_base_url` out for the real one.

```
# #[tokio::main(flavor = \"current_thread\")]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
use tower_wx_session::login::{ExchangeErrorKind, IdentityProvider, LoginRequest};
use tower_wx_session::platform::Qq;
use tower_wx_session::test_util::FakeQq;

let fake = FakeQq::start().await?;
let qq = Qq::new(fake.appid(), fake.secret()).with_base_url(fake.base_url())?;

let login = LoginRequest::new(fake.appid(), \"alice:1\");
assert!(qq.exchange(login).await?.session_key().is_some());

let again = qq.exchange(login).await.unwrap_err();
assert_eq!(again.kind(), ExchangeErrorKind::CodeRejected);
# Ok(())
# }
```
"
)]

#[cfg(feature = "alipay")]
pub(crate) mod alipay;
#[cfg(feature = "_http-client")]
pub(crate) mod api;
#[cfg(any(feature = "_http-client", feature = "telegram", feature = "vk"))]
mod app;
#[cfg(feature = "baidu")]
mod baidu;
#[cfg(any(feature = "qq", feature = "wechat"))]
pub(crate) mod code2session;
#[cfg(feature = "dingtalk")]
mod dingtalk;
#[cfg(feature = "douyin")]
mod douyin;
#[cfg(any(feature = "qq", feature = "wechat"))]
pub(crate) mod errcode;
#[cfg(feature = "kuaishou")]
mod kuaishou;
#[cfg(feature = "lark")]
mod lark;
#[cfg(any(feature = "telegram", feature = "vk"))]
mod launch;
#[cfg(any(
    feature = "baidu",
    feature = "dingtalk",
    feature = "douyin",
    feature = "kuaishou",
    feature = "lark",
    feature = "qq"
))]
mod provider;
#[cfg(feature = "qq")]
mod qq;
#[cfg(any(
    feature = "alipay",
    feature = "baidu",
    feature = "dingtalk",
    feature = "douyin",
    feature = "kuaishou",
    feature = "lark",
    feature = "qq"
))]
mod site;
#[cfg(feature = "telegram")]
mod telegram;
#[cfg(any(feature = "dingtalk", feature = "lark"))]
mod token_login;
#[cfg(any(
    feature = "dingtalk",
    feature = "douyin",
    feature = "kuaishou",
    feature = "lark"
))]
mod verdict;
#[cfg(feature = "vk")]
mod vk;

#[cfg(feature = "alipay")]
pub use self::alipay::{Alipay, AlipayKeys, AlipayUserId};
#[cfg(feature = "baidu")]
pub use self::baidu::Baidu;
#[cfg(feature = "dingtalk")]
pub use self::dingtalk::DingTalk;
#[cfg(feature = "douyin")]
pub use self::douyin::{Douyin, DouyinMiniGame, DouyinServiceProvider};
#[cfg(feature = "kuaishou")]
pub use self::kuaishou::{Kuaishou, KuaishouMiniGame, KwaiGame};
#[cfg(feature = "lark")]
pub use self::lark::Lark;
#[cfg(feature = "qq")]
pub use self::qq::Qq;
#[cfg(feature = "telegram")]
pub use self::telegram::Telegram;
#[cfg(feature = "vk")]
pub use self::vk::Vk;
pub use crate::config_error::ConfigError;
