mod bot_token;
mod proof;
mod provider;

pub use self::provider::Telegram;
