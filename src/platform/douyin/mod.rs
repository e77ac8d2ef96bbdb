//! Douyin's three ways to log in.

mod access_token;
mod errcode;
mod mini_app;
mod mini_game;
mod service_provider;

pub use self::mini_app::Douyin;
pub use self::mini_game::DouyinMiniGame;
pub use self::service_provider::DouyinServiceProvider;
